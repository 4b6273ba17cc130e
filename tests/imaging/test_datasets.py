"""The cards about images: complete, checked by hash, and ready for training."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iatros.app.data import get_data, list_data, verify_data
from iatros.core.cards import Card, CardFile, data_folder, read, verify
from iatros.core.context import Context
from iatros.core.domain import load
from iatros.core.errors import ConflictError, RequestError
from iatros.imaging import dataset_folders
from iatros.imaging.datasets import CARDS
from iatros.imaging.simulation import PROPERTIES
from iatros.imaging.sources import open_collection


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_folders, "N_SIMULATED", 20)
    monkeypatch.setattr(dataset_folders, "N_ULTRASOUND", 20)


@pytest.mark.parametrize("card", list(CARDS), ids=CARDS.names())
def test_a_card_is_complete(card: Card) -> None:
    assert card.domain == "imaging"
    assert re.fullmatch(r"[a-z0-9-]+", card.name)
    assert card.embedded or card.page.startswith("https://")
    assert card.licence
    assert card.citation
    assert callable(load(card.writer))
    assert card.embedded == (not card.files)
    for file in card.files:
        assert all(url.startswith("https://") for url in file.urls)
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256) or re.fullmatch(r"[0-9a-f]{32}", file.md5)


def test_published_numbers_are_those_of_the_paper() -> None:
    """MedMNIST v2, tables 3 and 4: the one to overtake, and the two that small networks are held against."""
    found = {(one.metric, one.source.split(";")[0]): one.value for one in CARDS["pneumoniamnist"].published}
    assert found["auroc", "Google AutoML Vision"] == 0.991
    assert found["accuracy", "Google AutoML Vision"] == 0.946
    assert found["auroc", "ResNet-18, 28 px"] == 0.944
    assert len(found) == 14


def test_simulated_ultrasound_is_read_with_the_names_of_its_labels(few: None) -> None:
    found = get_data("simulated-ultrasound")
    assert (found["n_rows"], found["n_columns"]) == (20, 8)
    records = open_collection(Path(found["table"]), Context()).records
    assert len(records) == 20
    assert set(records[0].columns) == set(PROPERTIES)


def test_simulated_radiographs_are_got_without_a_network(few: None) -> None:
    found = get_data("simulated-radiographs")
    manifest = Path(found["table"])
    assert manifest == data_folder() / "simulated-radiographs" / "manifest.csv"
    with manifest.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert found["n_rows"] == len(rows) == 20
    assert found["n_columns"] == len(rows[0]) == 8
    assert found["dictionary"] is None
    assert {row["label"] for row in rows} == {"clear", "lesion"}
    for row in rows:
        assert Image.open(manifest.parent / row["path"]).size == (64, 64)
    before = manifest.read_bytes()
    get_data("simulated-radiographs")
    assert manifest.read_bytes() == before
    assert next(one for one in list_data() if one["name"] == "simulated-radiographs")["state"] == "embedded"
    assert all(one["valid"] for one in verify_data())


def test_out_copies_images_and_manifest_together(few: None, tmp_path: Path) -> None:
    found = get_data("simulated-radiographs", out=tmp_path / "xr")
    assert found["table"] == str(tmp_path / "xr" / "manifest.csv")
    with open(found["table"], newline="") as text:
        assert all((tmp_path / "xr" / row["path"]).is_file() for row in csv.DictReader(text))
    with pytest.raises(ConflictError, match="there already"):
        get_data("simulated-radiographs", out=tmp_path / "xr")
    get_data("simulated-radiographs", out=tmp_path / "xr", overwrite=True)
    (tmp_path / "xr" / "thesis.txt").write_text("dear to somebody")
    with pytest.raises(ConflictError, match="never deleted"):
        get_data("simulated-radiographs", out=tmp_path / "xr", overwrite=True)
    assert (tmp_path / "xr" / "thesis.txt").exists()


def test_images_are_no_table() -> None:
    with pytest.raises(RequestError, match="images, not a table"):
        read(CARDS["pneumoniamnist"])


def test_an_archive_is_used_as_it_is(tmp_path: Path) -> None:
    sides = {"train": 7, "val": 2, "test": 3}
    arrays = {
        f"{side}_{part}": np.zeros((n, 1), np.uint8)
        for side, n in sides.items()
        for part in ("images", "labels")
    }
    np.savez(tmp_path / "breastmnist.npz", **arrays)
    made = dataset_folders.use_breastmnist(tmp_path)
    assert (made.path, made.n_rows, made.n_columns) == (tmp_path / "breastmnist.npz", 12, 3)


def test_a_file_with_another_md5_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pneumoniamnist.npz").write_bytes(b"another file")
    with pytest.raises(RequestError, match="differs from the MD5"):
        verify(CARDS["pneumoniamnist"], tmp_path)
    content = b"the right file"
    file = CardFile("x", (), "", None, md5=hashlib.md5(content, usedforsecurity=False).hexdigest())
    assert file.has_hash_of(io.BytesIO(content))
    assert not file.has_hash_of(io.BytesIO(b"the Right file"))
    assert file.hash_name == "MD5"
    for sha256, md5 in (("", ""), ("a" * 64, "b" * 32)):
        with pytest.raises(ValueError, match="needs a SHA-256"):
            CardFile("x", (), sha256, 3, md5=md5)


def hippocampus(folder: Path, names: list[str]) -> None:
    with tarfile.open(folder / "Task04_Hippocampus.tar", "w") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))


def test_hippocampus_is_unpacked_with_its_label_maps(tmp_path: Path) -> None:
    top = "Task04_Hippocampus"
    volumes = [
        f"{top}/{part}/hippocampus_{k:03d}.nii.gz" for k in (7, 3) for part in ("imagesTr", "labelsTr")
    ]
    more = [
        f"{top}/imagesTr/._hippocampus_003.nii.gz",
        f"{top}/imagesTs/hippocampus_009.nii.gz",
        f"{top}/dataset.json",
    ]
    hippocampus(tmp_path, volumes + more)
    made = dataset_folders.unpack_hippocampus(tmp_path)
    assert (made.n_rows, made.n_columns) == (2, 3)
    with made.path.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert [row["subject_id"] for row in rows] == ["hippocampus_003", "hippocampus_007"]
    for row in rows:
        assert (tmp_path / row["path"]).read_text() == row["path"]
        assert (tmp_path / row["mask"]).read_text() == row["mask"]
    assert len(list(tmp_path.rglob("*.nii.gz"))) == 4


def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    hippocampus(inner, ["../imagesTr/x.nii.gz", "../labelsTr/x.nii.gz"])
    with pytest.raises(RequestError, match="cannot be unpacked"):
        dataset_folders.unpack_hippocampus(inner)
    assert not list(tmp_path.rglob("*.nii.gz"))


def test_a_volume_without_label_map_is_refused(tmp_path: Path) -> None:
    hippocampus(tmp_path, ["t/imagesTr/a.nii.gz", "t/imagesTr/b.nii.gz", "t/labelsTr/a.nii.gz"])
    with pytest.raises(RequestError, match="2 volumes, 1 of them without"):
        dataset_folders.unpack_hippocampus(tmp_path)
