"""Real molecules that ship with RDKit: a diverse part of the NCI set, and one series of analogues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rdkit")
pytest.importorskip("numba")


def _column(path: Path) -> list[str]:
    return [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@pytest.fixture(scope="session")
def smiles() -> list[str]:
    """1,259 molecules that RDKit reads: 858 of the NCI and 401 of a series from CHEMBL2321810."""
    from rdkit import Chem, RDConfig, rdBase

    nci = _column(Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi")[1::5]
    series = _column(Path(RDConfig.RDContribDir) / "FreeWilson" / "data" / "CHEMBL2321810.smi")[1:402]
    with rdBase.BlockLogs():
        return [text for text in [*nci[:859], *series] if Chem.MolFromSmiles(text) is not None]


@pytest.fixture(scope="session")
def vectors(smiles: list[str]) -> list[Any]:
    """RDKit's own fingerprints of them, 2,048 bits."""
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    return [generator.GetFingerprint(Chem.MolFromSmiles(text)) for text in smiles]


@pytest.fixture(scope="session")
def words(smiles: list[str]) -> np.ndarray:
    """The same as packed words (n, 32)."""
    from iatros.learners.compounds.fingerprints import Fingerprint, compute

    return compute(smiles, Fingerprint("morgan")).values
