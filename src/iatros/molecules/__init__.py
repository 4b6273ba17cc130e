"""Molecules: which compound acts on which target, and what should be made next?"""

from iatros.core.domain import Action, Domain
from iatros.molecules.models import MODELS

DOMAIN = Domain(
    name="molecules",
    question="Which compound acts on which target, and what should be made next?",
    record="one compound",
    sources=("smiles", "table", "sdf", "parquet", "frame", "inline"),
    models=MODELS,
    actions=(
        Action(
            "curate",
            "one standard structure for each compound, its measurements reconciled, every line accounted for",
            "iatros.molecules.requests:CurateRequest",
            "iatros.molecules.curating:curate",
            writes="documents",
        ),
        Action(
            "neighbours",
            "the known compounds that are most similar to one",
            "iatros.molecules.requests:NeighboursRequest",
            "iatros.molecules.neighbours:neighbours",
            writes="table",
        ),
        Action(
            "targets",
            "the proteins that a compound is likely to act on",
            "iatros.molecules.requests:TargetsRequest",
            "iatros.molecules.targeting:targets",
            writes="table",
        ),
    ),
)
