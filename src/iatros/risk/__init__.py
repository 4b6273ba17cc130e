"""Risk: what will happen to this patient?"""

from iatros.core.domain import Action, Domain
from iatros.risk.models import MODELS

DOMAIN = Domain(
    name="risk",
    question="What will happen to this patient?",
    record="one row of a table per patient",
    sources=("csv", "parquet", "frame"),
    models=MODELS,
    actions=(
        Action(
            "train",
            "learn from a table of patients",
            "iatros.risk.requests:TrainRequest",
            "iatros.risk.training:train",
            writes="bundle",
        ),
        Action(
            "predict",
            "the risk of each patient",
            "iatros.risk.requests:PredictRequest",
            "iatros.risk.prediction:predict",
            needs_model=True,
            writes="table",
        ),
        Action(
            "evaluate",
            "external validation on other patients",
            "iatros.risk.requests:EvaluateRequest",
            "iatros.risk.external:evaluate",
            needs_model=True,
            writes="documents",
        ),
        Action(
            "explain",
            "what moved the prediction",
            "iatros.risk.requests:ExplainRequest",
            "iatros.risk.explain:explain",
            needs_model=True,
        ),
        Action(
            "recalibrate",
            "refit the probabilities to local patients",
            "iatros.risk.requests:RecalibrateRequest",
            "iatros.risk.recalibration:recalibrate",
            needs_model=True,
            writes="bundle",
        ),
    ),
    metrics={
        "binary": (
            "auroc",
            "auprc",
            "brier",
            "calibration_slope",
            "calibration_intercept",
            "oe_ratio",
            "ici",
        ),
        "multiclass": ("auroc", "log_loss", "brier", "accuracy"),
        "continuous": ("mae", "rmse", "r2", "calibration_slope"),
    },
    baseline="logistic",
    datasets="iatros.risk.datasets:CARDS",
)
