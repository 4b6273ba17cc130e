"""Reading what was written: texts that need not be molecules, and of which RDKit says nothing on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def parsed(text: str) -> Any:
    """RDKit's molecule of one text, or None.

    The canonical SMILES of a few edited molecules cannot be read again, so this may be None for those too.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(text)


def canonical(text: str) -> str:
    """Canonical SMILES of one text, empty where it is no molecule, or one whose SMILES RDKit cannot read again.

    >>> canonical("OCC"), canonical("C1CC"), canonical("")
    ('CCO', '', '')
    """
    from rdkit import Chem

    molecule = parsed(text)
    smiles = Chem.MolToSmiles(molecule) if molecule is not None and molecule.GetNumAtoms() else ""
    return smiles if smiles and parsed(smiles) is not None else ""


def read_all(texts: Sequence[str]) -> list[str]:
    """The same of each text."""
    return [canonical(text) for text in texts]
