"""References and training sets: read once, kept by content, refused where they are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iatros.core.context import Context
from iatros.core.errors import TableError
from iatros.molecules.distribution import novelty, reference
from iatros.molecules.distribution.published import KNOWN, TEST
from iatros.molecules.distribution.reference import digest, read_reference

SMILES = ["CCO", "c1ccccc1C(=O)NC1CC1", "OCC", "C1CC", "CC(=O)[O-].[Na+]"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "test.smi"
    path.write_text("SMILES\n" + "\n".join(SMILES) + "\n\n")
    return path


def test_a_reference_holds_what_can_be_read(source: Path) -> None:
    made = read_reference(source, Context(), role="reference")
    assert made.smiles == ("CCO", "O=C(NC1CC1)c1ccccc1", "CCO", "CC(=O)[O-].[Na+]")
    assert (len(made), made.n_refused) == (4, 1)
    assert made.words.shape == (4, 16)
    assert made.values[0] == pytest.approx([-0.0014, 1.98, 0.4068, 46.069], abs=1e-2)
    assert made.scaffolds == {"O=C(NC1CC1)c1ccccc1": 1}
    assert made.fragments["CCO"] == 2
    assert made.fragments["[Na+]"] == 1


def test_it_is_computed_once_for_each_content(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_reference(source, Context(), role="reference")
    calls = []
    whole = reference._built
    monkeypatch.setattr(reference, "_built", lambda *given: (calls.append(1), whole(*given))[1])
    again = read_reference(source, Context(), role="reference")
    assert not calls
    assert again.smiles == first.smiles
    assert again.fragments == first.fragments
    assert np.array_equal(again.words, first.words)
    assert np.array_equal(again.values, first.values)
    source.write_text("SMILES\nCCN\n")
    assert read_reference(source, Context(), role="reference").smiles == ("CCN",)
    assert calls == [1]


def test_what_was_kept_and_is_damaged_is_computed_anew(source: Path, tmp_path: Path) -> None:
    read_reference(source, Context(), role="reference")
    (kept,) = (tmp_path / "iatros-home" / "cache" / "references").glob("*/arrays.safetensors")
    content = bytearray(kept.read_bytes())
    content[-3] ^= 255
    kept.write_bytes(content)
    assert read_reference(source, Context(), role="reference").values[0, 3] == pytest.approx(46.069)


def test_a_bundle_is_no_reference(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(TableError, match="is a bundle, and reference is a file of compounds"):
        read_reference(tmp_path, Context(), role="reference")


@pytest.mark.parametrize("content", ["C1CC\nxx\n", "\n\n"])
def test_a_reference_without_compounds_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.smi"
    path.write_text(content)
    with pytest.raises(TableError, match="no compound that can be read"):
        read_reference(path, Context(), role="reference")


def test_the_digest_depends_on_the_compounds_and_not_on_their_order() -> None:
    assert digest({"b", "a"}) == digest({"a", "b"}) != digest({"a"})


def test_the_test_set_of_moses_is_recognised(shared_data: Path) -> None:
    import gzip

    with gzip.open(shared_data / "moses" / "test.csv.gz", "rt") as file:
        lines = {line.strip() for line in file if line.strip()}
    assert len(lines) == 176_074
    assert KNOWN[digest(lines)] == KNOWN[TEST] == "moses-test"


def test_known_compounds_are_found_however_they_are_written(source: Path) -> None:
    known = novelty.read_known(source, Context())
    assert known.n == 5
    assert known.holds(["CCO", "CCN", "O=C(NC1CC1)c1ccccc1"]).tolist() == [True, False, True]
    again = novelty.read_known(source, Context())
    assert np.array_equal(again.exact, known.exact)


def test_known_compounds_are_compared_with_and_without_stereochemistry() -> None:
    known = novelty.read_known(["C[C@H](N)C(=O)O"], Context())
    assert known.holds(["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "CC(N)C(=O)O"]).tolist() == [
        True,
        False,
        False,
    ]
    assert known.holds(["CC(N)C(=O)O"], flat=True).tolist() == [True]


@pytest.mark.parametrize("source_of", [["C1CC"], []])
def test_a_training_set_without_compounds_is_refused(source_of: list[str]) -> None:
    with pytest.raises(TableError):
        novelty.read_known(source_of, Context())


def test_a_hash_is_of_the_text_alone() -> None:
    assert novelty.hashes(["CCO", "CCO", "CCN"]).tolist()[:2] == [novelty.hashes(["CCO"])[0]] * 2
    assert len(novelty.hashes([])) == 0


def test_kept_arrays_hold_no_pickle(source: Path, tmp_path: Path) -> None:
    read_reference(source, Context(), role="reference")
    files = {path.suffix for path in (tmp_path / "iatros-home" / "cache").rglob("*") if path.is_file()}
    assert files == {".safetensors", ".smi", ".json"}


def test_the_engine_changes_nothing(source: Path) -> None:
    from iatros.engines import open_engine

    alone: Any = reference._built(source, Context(), "reference")
    with open_engine("processes", 2) as engine:
        shared: Any = reference._built(source, Context(engine=engine), "reference")
    assert alone.smiles == shared.smiles
    assert alone.words.tobytes() == shared.words.tobytes()
