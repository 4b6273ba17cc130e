"""Compounds to start from."""

from __future__ import annotations

import pytest

START = (
    "CCO", "CCN", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "CN1CCC[C@H]1c1cccnc1", "OCC1CCNCC1",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "CC(=O)Oc1ccccc1C(=O)O", "CCN(CC)CC(=O)Nc1c(C)cccc1C", "COc1ccc2cc(C(C)C(=O)O)ccc2c1",
    "O=C(O)c1ccccc1Nc1ccccc1", "NS(=O)(=O)c1ccc(N)cc1", "CCOC(=O)c1ccc(N)cc1", "CC1=CC(=O)c2ccccc2C1=O",
)  # fmt: skip


@pytest.fixture
def start() -> list[str]:
    """A few drugs, canonical and without stereochemistry."""
    from rdkit import Chem

    return [Chem.MolToSmiles(Chem.MolFromSmiles(text), isomericSmiles=False) for text in START]
