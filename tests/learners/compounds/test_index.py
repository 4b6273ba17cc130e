"""Libraries on disk: found as in memory, shown with name and line, refused when they cannot be trusted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from iatros.core.errors import InputError, NotABundleError, StorageError
from iatros.engines.processes import ProcessEngine
from iatros.learners.compounds import fingerprints, index
from iatros.learners.compounds.fingerprints import Fingerprint, compute
from iatros.learners.compounds.index import Entry, Library, build_library, open_library
from iatros.learners.compounds.tanimoto import build_index, search


def _entries(smiles: list[str]) -> list[Entry]:
    return [Entry(text, f"compound α{number}", 2 * number + 3) for number, text in enumerate(smiles)]


@pytest.fixture
def library(tmp_path: Path, smiles: list[str]) -> Library:
    broken = _entries(smiles)
    broken[4:4] = [Entry("C1CC", "ring left open", 900)]
    return build_library(iter(broken), tmp_path / "library", source={"file": "some.smi"})


def test_what_is_found_on_disk_is_what_is_found_in_memory(library: Library, words: np.ndarray) -> None:
    on_disk = search(library.search, words[::40], 6)
    in_memory = search(build_index(words), words[::40], 6)
    assert np.array_equal(on_disk.rows, in_memory.rows)
    assert np.array_equal(on_disk.similarities, in_memory.similarities)


def test_rows_lead_back_to_the_file(library: Library, smiles: list[str]) -> None:
    assert len(library) == len(smiles)
    for row in (0, 3, 4, len(smiles) - 1):
        assert library.entry(row) == Entry(smiles[row], f"compound α{row}", 2 * row + 3)
    for row in (-1, len(smiles)):
        with pytest.raises(InputError, match="rows from 0"):
            library.entry(row)


def test_what_was_refused_is_told_with_its_line(library: Library) -> None:
    assert library.n_refused == 1
    assert library.refused == ((900, "not a valid SMILES"),)
    assert library.source == {"file": "some.smi"}


def test_what_a_reader_refused_is_told_in_its_words(tmp_path: Path) -> None:
    refused = [Entry("", "", 2, "the record is broken"), Entry("CC", "", 3, "too long")]
    made = build_library([Entry("C", "", 1), *refused, Entry("N", "", 4)], tmp_path / "few")
    assert made.refused == ((2, "the record is broken"), (3, "too long"))
    assert [made.entry(row).line for row in range(len(made))] == [1, 4]


def test_portions_and_engine_do_not_change_the_files(
    tmp_path: Path, smiles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build_library(_entries(smiles[:100]), tmp_path / "one")
    for module in (fingerprints, index):
        monkeypatch.setattr(module, "BATCH", 9)
    monkeypatch.setattr(index, "_ROWS", 7)
    with ProcessEngine(2) as engine:
        build_library(_entries(smiles[:100]), tmp_path / "many", engine=engine)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted([*(f"{name}.npy" for name in index._ARRAYS), "text.bin", "index.json"])
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes(), name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many", "one"]


@pytest.mark.parametrize("smiles_of_few", [[], ["nothing that can be read"], ["CCO"]])
def test_small_libraries(tmp_path: Path, smiles_of_few: list[str]) -> None:
    made = build_library(_entries(smiles_of_few), tmp_path / "few", Fingerprint("maccs"))
    found = search(made.search, compute(["CCN"], Fingerprint("maccs")).values, 2)
    assert found.rows.tolist() == [[0, -1] if smiles_of_few == ["CCO"] else [-1, -1]]


def test_only_so_many_refused_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MOST_REFUSED", 2)
    made = build_library(_entries(["C", "x", "x", "x", "N"]), tmp_path / "few")
    assert (made.n_refused, len(made.refused), len(made)) == (3, 2, 2)


def test_an_older_library_is_replaced_whole(tmp_path: Path) -> None:
    build_library(_entries(["CCO", "CCN"]), tmp_path / "library")
    made = build_library(_entries(["c1ccccc1"]), tmp_path / "library")
    assert len(made) == 1
    assert made.entry(0).smiles == "c1ccccc1"


def test_counts_cannot_be_indexed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not by morgan-counts"):
        build_library([], tmp_path / "library", Fingerprint("morgan-counts"))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        build_library(_entries(["CCO"]), tmp_path / "file" / "library")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 99}, "another version"),
        ({"rdkit": "1999.09.1"}, "another version"),
        ({"n": 5}, "damaged"),
        ({"fingerprint": {"kind": "morgan", "n_bits": 1024}}, "damaged"),
        ({"fingerprint": {"kind": "morgan", "colour": 1}}, "cannot be read"),
        ({"refused": None}, "cannot be read"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(
    library: Library, tmp_path: Path, change: dict, said: str
) -> None:
    path = tmp_path / "library" / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(NotABundleError, match=said):
        open_library(path.parent)


@pytest.mark.parametrize("name", [*(f"{name}.npy" for name in index._ARRAYS), "text.bin", "index.json"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_files_are_refused(library: Library, tmp_path: Path, name: str, damage: str) -> None:
    path = tmp_path / "library" / name
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(NotABundleError, match=r"cannot be read|damaged"):
        open_library(path.parent)


@pytest.mark.parametrize(
    "starts", [[0, 3, 2, 1259], [1, 1259], [0, 1258], [0], [0, 2000, 1259], [0] * 3000 + [1259]]
)
def test_places_that_would_lead_outside_are_refused(
    library: Library, tmp_path: Path, starts: list[int]
) -> None:
    path = tmp_path / "library" / "starts.npy"
    path.unlink()
    np.save(path, np.array(starts))
    with pytest.raises(NotABundleError, match="damaged"):
        open_library(path.parent)


def test_no_library_says_where(tmp_path: Path) -> None:
    with pytest.raises(NotABundleError, match=re.escape(str(tmp_path / "nowhere"))):
        open_library(tmp_path / "nowhere")


def test_arrays_of_python_objects_are_not_opened(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "library" / "rows.npy"
    path.unlink()
    np.save(path, np.array([print] * 3, dtype=object), allow_pickle=True)
    with pytest.raises(NotABundleError, match="cannot be read"):
        open_library(path.parent)
