"""What is computed of a new compound: properties, alerts, ring systems, and how hard it would be to make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from iatros.core.context import Context

PROPERTIES = (
    "molecular_weight_g_mol", "logp", "tpsa_square_angstrom", "hydrogen_bond_donors", "hydrogen_bond_acceptors",
    "rotatable_bonds", "qed", "synthetic_accessibility",
)  # fmt: skip
"""Columns of numbers. `qed` (0 to 1): Bickerton et al. 2012. `synthetic_accessibility` (1 easy to 10 hard): Ertl and
Schuffenhauer 2009, as RDKit ships it."""
_BATCH = 200


class Examined(NamedTuple):
    """A compound's numbers in the order of `PROPERTIES`, its alerts, its ring systems, and its lesser relatives."""

    values: tuple[float, ...]
    alerts: tuple[str, ...]
    rings: tuple[str, ...]
    lessened: tuple[str, ...]
    """Canonical SMILES with one carbon atom less; empty where they were not asked for."""
    scaffold: str


class Wanted(NamedTuple):
    """What is to be computed beside the properties."""

    alerts: tuple[str, ...]
    lessened: bool


def examine(smiles: Sequence[str], wanted: Wanted, context: Context) -> list[Examined]:
    """Each of the canonical SMILES, in their order, on the workers of the engine."""
    batches = [list(smiles[at : at + _BATCH]) for at in range(0, len(smiles), _BATCH)]
    found = context.engine.map(
        _examined, batches, wanted, progress=context.progress, label="properties and alerts"
    )
    return [one for part in found for one in part]


def canonical(texts: Sequence[str], context: Context) -> list[str]:
    """Canonical SMILES of each text, empty where it is no molecule."""
    batches = [list(texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
    found = context.engine.map(_canonical, batches, None, progress=context.progress, label="reading")
    return [one for part in found for one in part]


def _canonical(_: None, texts: list[str]) -> list[str]:
    from iatros.molecules.generators.texts.reading import read_all

    return read_all(texts)


def _examined(wanted: Wanted, smiles: list[str]) -> list[Examined]:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        return [_one(Chem.MolFromSmiles(text), wanted) for text in smiles]


def _one(molecule: Any, wanted: Wanted) -> Examined:
    from rdkit.Chem import QED
    from rdkit.Chem.Scaffolds import MurckoScaffold

    from iatros.molecules.curation.alerts import alerts
    from iatros.molecules.curation.druglikeness import properties
    from iatros.molecules.generating.lessened import one_carbon_less
    from iatros.molecules.generating.rings import ring_systems
    from iatros.molecules.objectives.properties import synthetic_accessibility

    found = properties(molecule)._asdict()
    found["qed"] = round(QED.qed(molecule), 4)
    found["synthetic_accessibility"] = round(synthetic_accessibility(molecule), 3)
    return Examined(
        tuple(found[name] for name in PROPERTIES),
        alerts(molecule, wanted.alerts),
        ring_systems(molecule),
        tuple(one_carbon_less(molecule)) if wanted.lessened else (),
        MurckoScaffold.MurckoScaffoldSmiles(mol=molecule),
    )
