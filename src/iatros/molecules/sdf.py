"""Compounds as records of an SDF file."""

from __future__ import annotations

from typing import Any


def sdf_record(row: dict[str, Any]) -> str:
    """The compound of `row` (`smiles`, perhaps `name`), drawn flat, with all else that is said of it as data fields."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    mol = Chem.MolFromSmiles(row["smiles"])
    AllChem.Compute2DCoords(mol)
    mol.SetProp("_Name", " ".join(str(row.get("name") or "").split()))
    fields = [
        f">  <{name}>\n{' '.join(str(value).split())}\n\n"
        for name, value in row.items()
        if name != "name" and value is not None and value != ""
    ]
    return f"{Chem.MolToMolBlock(mol)}{''.join(fields)}$$$$\n"
