"""Sets of real compounds that ship with a dependency, cut the same way every time."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from rdkit import Chem, rdBase

from iatros.core.cards import read
from iatros.molecules.datasets import CARDS

INVALID = ["C1CC", "c1ccc", "CC(", "N(C)(C)(C)C"]


class Sets(NamedTuple):
    """Canonical SMILES of approved drugs: what is judged (with repeats and broken texts) and what it is judged by."""

    generated: list[str]
    reference: list[str]
    scaffolds: list[str]
    training: list[str]


@pytest.fixture(scope="session")
def drugs() -> Sets:
    """Every third approved drug of at most 120 characters for each set."""
    with rdBase.BlockLogs():
        known = [
            Chem.MolToSmiles(molecule)
            for text in read(CARDS["approved-drugs"], Path())["smiles"]
            if text and len(text) <= 120 and (molecule := Chem.MolFromSmiles(text)) is not None
        ]
    known = list(dict.fromkeys(known))
    return Sets(known[0::3] + known[0:30:3] + INVALID, known[1::3], known[2::3], known[0::6])
