"""The index of ligands on disk: whole and equal, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from iatros.core.engine import SerialEngine
from iatros.core.errors import NotABundleError
from iatros.core.progress import SilentProgress
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.molecules.fishing.pairs import Active
from iatros.molecules.fishing.reference import Reference, Settings, build_reference, open_reference
from iatros.molecules.schema import Entry
from iatros.molecules.sources import Opened


def build(folder: Path, seed: int = 0) -> Reference:
    entries = (
        Entry(n, f"{'C' * n}c1ccc({'O' if n % 2 else 'N'})cc1", more=(f"T{n % 3}",)) for n in range(1, 40)
    )
    settings = Settings(Active(), Fingerprint(), 0.3, seed)
    return build_reference(
        Opened("pairs", "inline", entries), settings, folder, SerialEngine(), SilentProgress()
    )


def test_what_is_opened_is_what_was_built(tmp_path: Path) -> None:
    built, opened = build(tmp_path / "index"), open_reference(tmp_path / "index")
    assert opened.smiles == built.smiles
    assert opened.targets == ("T0", "T1", "T2")
    assert opened.background == built.background
    assert opened.ligands.sizes.tolist() == [13, 13, 13]
    assert opened.counts == {"n_lines": 39, "n_inactive": 0, "n_refused": 0}


def test_the_same_table_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        build(tmp_path / name)
    build(tmp_path / "seeded", seed=1)

    def content(name: str) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}

    assert content("one") == content("other")
    assert content("one") != content("seeded")


@pytest.mark.parametrize("name", ["index.json", "words.npy", "members.npy", "starts.npy", "smiles.txt"])
def test_what_lacks_a_file_or_holds_half_of_it_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "index"
    build(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(NotABundleError):
        open_reference(folder)
    (folder / name).unlink()
    with pytest.raises(NotABundleError):
        open_reference(folder)


def test_members_beyond_the_compounds_and_other_versions_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    made = build(folder)
    np.save(folder / "members.npy", made.ligands.members + 1)
    with pytest.raises(NotABundleError, match="damaged"):
        open_reference(folder)
    np.save(folder / "members.npy", made.ligands.members)
    assert open_reference(folder).targets == made.targets
    head = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**head, "rdkit": "0"}))
    with pytest.raises(NotABundleError, match="another version"):
        open_reference(folder)
