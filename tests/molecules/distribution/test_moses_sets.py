"""The sets of MOSES as datasets: taken from an installed package or a wheel, or else fetched."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from iatros.core import cards
from iatros.core.cards import Card, CardFile, get
from iatros.core.errors import StorageError
from iatros.molecules.datasets import CARDS

CONTENT = gzip.compress(b"SMILES\nCCO\nCCN\n", mtime=0)


@pytest.fixture
def card() -> Card:
    """The card of the training set, with a file of two compounds in place of the real one."""
    whole = CARDS["moses-train"]
    (file,) = whole.files
    return replace(
        whole, files=(replace(file, sha256=hashlib.sha256(CONTENT).hexdigest(), bytes=len(CONTENT)),)
    )


def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str) -> None:
        raise OSError("no network")

    monkeypatch.setattr(cards, "_open", refuse)


def _wheel(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("moses/dataset/data/train.csv.gz", content)


def test_the_set_is_taken_from_a_wheel_in_the_folder(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    _offline(monkeypatch)
    _wheel(cards.data_folder() / "moses-train" / "molsets-0.3.1-py3-none-any.whl", CONTENT)
    found = get(card)
    assert found["n_rows"] == 2
    assert Path(found["table"]).read_text() == "smiles\nCCO\nCCN\n"


def test_the_set_is_taken_from_the_installed_package(
    card: Card, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _offline(monkeypatch)
    file = tmp_path / "site" / "moses" / "dataset" / "data" / "train.csv.gz"
    file.parent.mkdir(parents=True)
    (tmp_path / "site" / "moses" / "__init__.py").write_text("raise RuntimeError('never imported')\n")
    file.write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert get(card)["n_rows"] == 2


@pytest.mark.parametrize("content", [b"another file", CONTENT + b"x"])
def test_another_file_in_a_wheel_is_not_taken(
    card: Card, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    _offline(monkeypatch)
    _wheel(cards.data_folder() / "moses-train" / "molsets.whl", content)
    with pytest.raises(StorageError, match="could not be fetched"):
        get(card)


def test_what_is_no_wheel_is_passed_over(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    _offline(monkeypatch)
    folder = cards.data_folder() / "moses-train"
    folder.mkdir(parents=True)
    (folder / "broken.whl").write_bytes(b"no archive")
    with pytest.raises(StorageError):
        get(card)


def test_every_set_names_the_address_of_its_publisher() -> None:
    for name in ("moses-train", "moses-test", "moses-test-scaffolds"):
        (file,) = CARDS[name].files
        assert file.urls[0].startswith("https://media.githubusercontent.com/media/molecularsets/moses/")
        assert file.urls[0].endswith(file.inside)
        assert len(file.sha256) == 64


def test_a_file_outside_a_package_is_looked_for_nowhere(tmp_path: Path) -> None:
    plain = CardFile("a.csv", ("https://example.org/a.csv",), "0" * 64, 1)
    assert cards._packaged(plain, tmp_path) is None
