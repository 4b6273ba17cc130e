"""Molecules: which compound acts on which target, and what should be made next?"""

from iatros.core.domain import Action, Domain
from iatros.molecules.models import EVERY_MODEL

DOMAIN = Domain(
    name="molecules",
    question="Which compound acts on which target, and what should be made next?",
    record="one compound",
    sources=("smiles", "table", "sdf", "parquet", "frame", "inline"),
    models=EVERY_MODEL,
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
            "iatros.molecules.search_requests:NeighboursRequest",
            "iatros.molecules.neighbours:neighbours",
            writes="table",
        ),
        Action(
            "targets",
            "the proteins that a compound is likely to act on",
            "iatros.molecules.search_requests:TargetsRequest",
            "iatros.molecules.targeting:targets",
            writes="table",
        ),
        Action(
            "screen",
            "the best compounds of a library, and a diverse choice among them",
            "iatros.molecules.search_requests:ScreenRequest",
            "iatros.molecules.screening:screen",
            writes="documents",
        ),
        Action(
            "train",
            "learn from measured compounds",
            "iatros.molecules.requests:TrainRequest",
            "iatros.molecules.training:train",
            writes="bundle",
        ),
        Action(
            "generate",
            "new compounds like those that a generator learned from",
            "iatros.molecules.generation_requests:GenerateRequest",
            "iatros.molecules.generating.generation:generate",
            needs_model=True,
            writes="documents",
        ),
        Action(
            "optimise",
            "compounds that an objective of several parts scores high",
            "iatros.molecules.generation_requests:OptimiseRequest",
            "iatros.molecules.optimisers.optimisation:optimise",
            writes="documents",
            resumes=True,
        ),
        Action(
            "predict",
            "the activity of each compound",
            "iatros.molecules.requests:PredictRequest",
            "iatros.molecules.prediction:predict",
            needs_model=True,
            writes="table",
        ),
        Action(
            "evaluate",
            "external validation on other compounds",
            "iatros.molecules.evaluation_requests:EvaluateRequest",
            "iatros.molecules.external:evaluate",
            needs_model=True,
            writes="documents",
        ),
        Action(
            "explain",
            "what each atom contributes to the answer",
            "iatros.molecules.requests:ExplainRequest",
            "iatros.molecules.explaining:explain",
            needs_model=True,
            writes="documents",
        ),
    ),
    metrics={
        "binary": (
            "auroc",
            "auprc",
            "enrichment_factor",
            "bedroc",
            "brier",
            "calibration_slope",
            "calibration_intercept",
        ),
        "continuous": ("rmse", "mae", "r2", "pearson", "spearman", "concordance_index", "calibration_slope"),
    },
    baseline="forest",
    datasets="iatros.molecules.datasets:CARDS",
)
