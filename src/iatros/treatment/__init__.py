"""Treatment: which therapy, at which dose, for this patient, and is it safe with the rest?"""

from iatros.core.domain import Action, Domain
from iatros.treatment.models import EVERY_MODEL

DOMAIN = Domain(
    name="treatment",
    question="Which therapy, at which dose, for this patient, and is it safe with the rest?",
    record="one response of a subject to a treatment",
    sources=("csv", "parquet", "frame"),
    models=EVERY_MODEL,
    actions=(
        Action(
            "train",
            "learn from responses how another subject or treatment would do",
            "iatros.treatment.requests:TrainRequest",
            "iatros.treatment.training:train",
            writes="bundle",
        ),
        Action(
            "train-dose",
            "learn which dose a patient needs",
            "iatros.treatment.training_requests:TrainDoseRequest",
            "iatros.treatment.training:train_dose",
            writes="bundle",
        ),
        Action(
            "train-next",
            "learn from visits what is usually prescribed next",
            "iatros.treatment.training_requests:TrainNextRequest",
            "iatros.treatment.training:train_next",
            writes="bundle",
        ),
        Action(
            "recommend",
            "the treatments in order for a patient, with reasons",
            "iatros.treatment.requests:RecommendRequest",
            "iatros.treatment.recommendation:recommend",
            needs_model=True,
            writes="table",
        ),
        Action(
            "dose",
            "the dose of each patient, with its interval",
            "iatros.treatment.dose_requests:DoseRequest",
            "iatros.treatment.dosing.requested:dose",
            needs_model=True,
            writes="table",
        ),
        Action(
            "evaluate",
            "external validation on other responses",
            "iatros.treatment.requests:EvaluateRequest",
            "iatros.treatment.external:evaluate",
            needs_model=True,
            writes="documents",
        ),
        Action(
            "effect",
            "what one treatment changes against another, and for whom",
            "iatros.treatment.effect_requests:EffectRequest",
            "iatros.treatment.effects.actions:effect",
            writes="documents",
        ),
        Action(
            "policy",
            "what rules of treatment are worth, learned and given ones",
            "iatros.treatment.policy_requests:PolicyRequest",
            "iatros.treatment.policies.actions:policy",
            writes="documents",
        ),
        Action(
            "check",
            "what a knowledge about safety says against medicines",
            "iatros.treatment.safety_requests:CheckRequest",
            "iatros.treatment.safety.actions:check",
            writes="table",
        ),
        Action(
            "similar",
            "the treatments or the subjects that are most like one",
            "iatros.treatment.requests:SimilarRequest",
            "iatros.treatment.similarity:similar",
            needs_model=True,
            writes="table",
        ),
    ),
    metrics={
        "continuous": ("rmse", "mae", "r2", "pearson", "spearman", "calibration_slope"),
        "binary": ("log_loss", "auroc", "auprc", "brier", "calibration_slope", "calibration_intercept"),
    },
    baseline="baseline",
    datasets="iatros.treatment.datasets:CARDS",
)
