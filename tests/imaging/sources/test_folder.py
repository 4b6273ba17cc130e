"""Folders: a folder per class, mixtures, links, and files that come with a request."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.imaging.sources.made_dicom import dicom, ramp
from tests.imaging.sources.reading import opened, reasons
from tests.imaging.sources.test_manifest import pictures

from iatros.core.context import Context
from iatros.core.errors import InputError, LimitError


def test_a_folder_per_class(tmp_path: Path) -> None:
    pictures(tmp_path, "benign/1.png", "benign/deep/2.png", "malignant/1.png")
    found = opened(tmp_path)
    assert found.source == "folders"
    assert [(r.name, r.columns, r.split) for r in found.records] == [
        ("benign/1.png", {"label": "benign"}, None),
        ("benign/deep/2.png", {"label": "benign"}, None),
        ("malignant/1.png", {"label": "malignant"}, None),
    ]


def test_sides_above_the_classes(tmp_path: Path) -> None:
    pictures(tmp_path, "train/no/1.png", "train/yes/2.png", "val/no/3.png", "Test/yes/4.png")
    assert [(r.columns["label"], r.split) for r in opened(tmp_path).records] == [
        ("yes", "held_out"), ("no", "train"), ("yes", "train"), ("no", "tuning"),
    ]  # fmt: skip


def test_images_in_one_folder_have_no_class(tmp_path: Path) -> None:
    pictures(tmp_path, "all/1.png", "all/2.png")
    assert [record.columns for record in opened(tmp_path).records] == [{}, {}]


def test_busi_pictures_have_the_class_of_their_folder(shared_data: Path) -> None:
    found = opened(shared_data / "busi" / "png256")
    labels = [record.columns["label"] for record in found.records]
    assert {label: labels.count(label) for label in labels} == {"benign": 8, "malignant": 8, "normal": 8}
    # all are stored as colour; benign (6) alone is, having coloured marks drawn on it
    coloured = [record.name for record in found.records if record.shape == (3, 256, 256)]
    assert coloured == ["benign/benign (6).png"]


def test_a_mixture_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    pictures(tmp_path, "photo.png")
    dicom(tmp_path / "no_suffix", ramp())
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / ".hidden").write_text("passed over")
    found = opened(tmp_path)
    assert [record.name for record in found.records] == ["no_suffix", "photo.png"]
    assert reasons(found) == {
        "notes.txt": "neither DICOM, NIfTI, PNG, JPEG nor TIFF",
        "report.pdf": "a PDF document, not an image",
    }


def test_links_that_lead_away_are_not_followed(tmp_path: Path) -> None:
    pictures(tmp_path, "in/a.png", "out/b.png")
    (tmp_path / "in" / "b.png").symlink_to(tmp_path / "out" / "b.png")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "again.png").symlink_to(tmp_path / "in" / "a.png")
    found = opened(tmp_path / "in")
    assert [record.name for record in found.records] == ["a.png", "again.png"]
    assert reasons(found) == {
        "b.png": "a link that leads out of the folder, which is not followed",
        "folder": "a link to a folder, which is not followed",
    }


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="the folder is empty"):
        opened(tmp_path / "empty")
    with pytest.raises(InputError, match="there is no such file or folder"):
        opened(tmp_path / "absent")


def inline(name: Any, content: bytes) -> dict[str, Any]:
    return {"name": name, "content": base64.b64encode(content).decode()}


def test_files_of_a_request(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(values).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    files = [
        inline("study/a.png", content), inline("../b.png", content), inline("/c.png", content),
        inline("study/a.png", content), inline("study/a.png/d", content), inline(".e.png", content),
        inline("f.png", b"no image"), {"name": "g.png", "content": "not base64!"}, inline("h\n.png", content),
    ]  # fmt: skip
    found = opened(files)
    assert found.source == "inline"
    assert [record.name for record in found.records] == ["study/a.png"]
    assert np.array_equal(found.pixels(found.records[0])[0], values)
    assert [(one.name, one.reason) for one in found.refused] == [
        ("file 2", "its name has a part that begins with a dot, or too many parts"),
        ("file 3", "its name is not the relative path of a file"),
        ("file 4", "another file has the same name"),
        ("file 5", "its name lies below that of another file"),
        ("file 6", "its name has a part that begins with a dot, or too many parts"),
        ("g.png", "its content is not base64"),
        ("file 9", "its name is not the relative path of a file"),
        ("f.png", "neither DICOM, NIfTI, PNG, JPEG nor TIFF"),
    ]


def test_files_of_a_request_go_with_their_collection(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(tmp_path / "a.png")
    cache = tmp_path_factory.mktemp("kept")
    found = opened([inline("a.png", (tmp_path / "a.png").read_bytes())], cache=cache)
    root = Path(found.root)
    assert (root / "a.png").is_file()
    assert (root.parent.stat().st_mode & 0o777) == 0o700
    assert list(cache.iterdir()) == []
    del found
    assert not root.parent.exists()


def test_a_request_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="there are no images"):
        opened([])
    monkeypatch.setattr("iatros.imaging.sources.inline.MAX_INLINE_FILES", 2)
    with pytest.raises(LimitError, match="3 files are more than the 2 of one request"):
        opened([inline("a", b"1")] * 3)
    monkeypatch.setattr("iatros.imaging.sources.inline.MAX_INLINE_BYTES", 100)
    with pytest.raises(LimitError, match="one request may bring 100"):
        opened([inline("a", b"1" * 200)])


def test_a_dicomweb_address_is_fetched_into_a_folder_that_goes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(address: str, folder: Path, context: Context) -> list[Path]:
        assert address == "https://pacs/dicom-web?Modality=CT"
        return [dicom(folder / "study" / "one.dcm", ramp())]

    monkeypatch.setattr("iatros.imaging.sources.dicomweb.fetch_dicomweb", fetch)
    found = opened("https://pacs/dicom-web?Modality=CT")
    assert (found.source, [record.name for record in found.records]) == ("dicomweb", ["study/one.dcm"])
    root = Path(found.root)
    assert (root / "study" / "one.dcm").is_file()
    del found
    assert not root.exists()
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(_made(root)))
    with pytest.raises(AssertionError):
        opened("https://elsewhere/dicom-web")
    assert not root.parent.exists()


def _made(root: Path) -> Path:
    root.parent.mkdir()
    return root.parent
