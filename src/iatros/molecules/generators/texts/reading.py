"""Reading what was written: canonical SMILES of texts that need not be molecules."""

from __future__ import annotations

from collections.abc import Sequence


def canonical(text: str) -> str:
    """Canonical SMILES of one text, empty where it is no molecule.

    >>> canonical("OCC"), canonical("C1CC"), canonical("")
    ('CCO', '', '')
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text)
    return Chem.MolToSmiles(molecule) if molecule is not None and molecule.GetNumAtoms() else ""


def read_all(texts: Sequence[str]) -> list[str]:
    """The same of each text."""
    return [canonical(text) for text in texts]
