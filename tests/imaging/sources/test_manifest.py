"""Manifests and tables beside images: paths, sides, patients, and rows that have no image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from tests.imaging.sources.made_dicom import dicom, ramp, series
from tests.imaging.sources.reading import opened, reasons

from iatros.core.errors import TableError

HEADER = "path,label,subject_id,site,split,age\n"


def pictures(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) + np.uint8(number)).save(folder / name)


def test_rows_become_records(tmp_path: Path) -> None:
    pictures(tmp_path, "x/a.png", "x/b.png")
    rows = "x/b.png,benign,007,North,val,61\n./x/a.png,malignant,12,South,train,\n"
    (tmp_path / "list.csv").write_text(HEADER + rows)
    found = opened(tmp_path / "list.csv")
    assert found.source == "manifest"
    assert [(r.name, r.subject, r.site, r.split, r.age) for r in found.records] == [
        ("x/b.png", "007", "North", "tuning", 61.0),
        ("x/a.png", "12", "South", "train", None),
    ]
    assert found.records[0].columns == {
        "path": "x/b.png", "label": "benign", "subject_id": "007", "site": "North", "split": "val", "age": 61.0,
    }  # fmt: skip


def test_columns_can_be_called_otherwise_and_the_file_can_be_parquet(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    frame = pl.DataFrame({"path": ["a.png"], "grade": [3], "pid": [17], "ward": ["B"], "part": ["test"]})
    frame.write_parquet(tmp_path / "list.parquet")
    (record,) = opened(tmp_path / "list.parquet", subject="pid", site="ward", split="part").records
    assert (record.subject, record.site, record.split, record.columns["grade"]) == (
        "17",
        "B",
        "held_out",
        3.0,
    )


def test_a_label_without_image_and_a_path_that_leads_away(tmp_path: Path) -> None:
    pictures(tmp_path, "in/a.png", "secret.png")
    (tmp_path / "in" / "text.png").write_text("no image")
    (tmp_path / "in" / "list.csv").write_text(
        "path,label\na.png,1\ngone.png,0\n../secret.png,1\n/etc/hostname,0\ntext.png,1\n"
    )
    found = opened(tmp_path / "in" / "list.csv")
    assert [record.name for record in found.records] == ["a.png"]
    away = "the path leads outside the folder of the manifest"
    assert reasons(found) == {
        "gone.png": "label without image",
        "../secret.png": away,
        "/etc/hostname": away,
        "text.png": "neither DICOM, NIfTI, PNG, JPEG nor TIFF",
    }


def test_a_row_can_name_the_folder_of_a_series(tmp_path: Path) -> None:
    series(tmp_path / "s1", [0.0, 2.5])
    series(tmp_path / "s2", [0.0, 2.5], SeriesInstanceUID="1.5")
    dicom(tmp_path / "s2" / "other.dcm", ramp(), SeriesInstanceUID="1.6")
    (tmp_path / "list.csv").write_text("path,label\ns1,1\ns2,0\n")
    found = opened(tmp_path / "list.csv")
    assert [(r.name, r.shape[1], r.columns["label"]) for r in found.records] == [("s1", 2, 1.0)]
    assert reasons(found) == {"s2": "the folder holds 2 images or series, and the row describes one"}


def test_slices_that_a_manifest_names_one_by_one_are_images(tmp_path: Path) -> None:
    paths = series(tmp_path, [0.0, 2.5, 9.0])
    (tmp_path / "list.csv").write_text(
        "path,label\n" + "".join(f"{p.name},{k}\n" for k, p in enumerate(paths))
    )
    assert [record.shape for record in opened(tmp_path / "list.csv").records] == [(1, 3, 5)] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.png,1\n", "the manifest has no column path"),
        ("path,label\na.png,1\n./a.png,0\n", "an image is named twice"),
        ("path,label\n,1\n", "a row names no image"),
        ("path,split\na.png,somewhere\n", "a side is not known"),
        ("path,mask\na.png,m.png\n", "a mask is not there"),
    ],
)
def test_manifests_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    pictures(tmp_path, "a.png")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(TableError, match=message):
        opened(tmp_path / "list.csv")


def test_a_mask_goes_with_its_image(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "m/a.png")
    (tmp_path / "list.csv").write_text("path,mask\na.png,m/a.png\n")
    (record,) = opened(tmp_path / "list.csv").records
    assert record.mask == "m/a.png"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("path", "1.2.3.4"),
        ("path", "one"),
        ("series_uid", "1.2.3.4"),
        ("study_uid", "1.2.3"),
        ("subject_id", "P-17"),
    ],
)
def test_a_table_is_joined_by_any_key(tmp_path: Path, key: str, value: str) -> None:
    series(tmp_path / "one", [0.0, 2.5])
    value = "one/1.2.3.4" if value == "1.2.3.4" and key == "path" else value
    rows = [{key: value, "label": "yes", "age": 30.5}, {key: "nobody", "label": "no", "age": 4.0}]
    found = opened(tmp_path, table=rows)
    assert found.records[0].columns["label"] == "yes"
    assert found.records[0].age == 30.5
    assert list(reasons(found).values()) == ["label without image"]


def test_a_table_joins_by_the_name_of_a_file_where_it_is_unique(tmp_path: Path) -> None:
    pictures(tmp_path, "p/a.png", "p/b.png", "q/b.png")
    (tmp_path / "labels.csv").write_text("path,label\na.png,1\nb.png,0\nq/b.png,2\n")
    found = opened(tmp_path, table=tmp_path / "labels.csv")
    labels = {record.name: record.columns["label"] for record in found.records}
    assert labels == {"p/a.png": 1.0, "p/b.png": "p", "q/b.png": 2.0}
    assert reasons(found)["b.png"] == "label without image"
    assert found.notes == ("1 of 3 images have no row in the table",)


def test_a_table_without_a_key_or_with_one_twice(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    with pytest.raises(TableError, match="one of the columns path, series_uid, study_uid, pid is needed"):
        opened(tmp_path, table=[{"label": 1}], subject="pid")
    with pytest.raises(TableError, match="two rows are about the same image or patient"):
        opened(tmp_path, table=[{"path": "a.png"}, {"path": "./a.png"}])
