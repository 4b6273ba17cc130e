"""Imaging: what does this study show?"""

from iatros.core.domain import Action, Domain
from iatros.imaging.models import MODELS

_REQUESTS = "iatros.imaging.requests"

DOMAIN = Domain(
    name="imaging",
    question="What does this study show?",
    record="one image, series or volume",
    sources=("dicom", "folders", "manifest", "nifti", "archive", "dicomweb", "inline"),
    models=MODELS,
    actions=(
        Action(
            "read",
            "what can be read, and what is refused and why",
            f"{_REQUESTS}:ReadRequest",
            "iatros.imaging.reading:read",
            writes="table",
        ),
        Action(
            "train",
            "learn from images",
            f"{_REQUESTS}:TrainRequest",
            "iatros.imaging.training:train",
            writes="bundle",
        ),
        Action(
            "predict",
            "what each image or study shows",
            f"{_REQUESTS}:PredictRequest",
            "iatros.imaging.prediction:predict",
            needs_model=True,
            writes="table",
        ),
        Action(
            "evaluate",
            "external validation on other images",
            f"{_REQUESTS}:EvaluateRequest",
            "iatros.imaging.external:evaluate",
            needs_model=True,
            writes="documents",
        ),
        Action(
            "explain",
            "where in the image the answer comes from",
            f"{_REQUESTS}:ExplainRequest",
            "iatros.imaging.explaining:explain",
            needs_model=True,
            writes="documents",
        ),
        Action(
            "findings",
            "the answer as DICOM SR, Secondary Capture, SEG and FHIR",
            f"{_REQUESTS}:FindingsRequest",
            "iatros.imaging.reporting:findings",
            needs_model=True,
            writes="documents",
        ),
        Action(
            "deidentify",
            "copies of DICOM files without what identifies the patient",
            f"{_REQUESTS}:DeidentifyRequest",
            "iatros.imaging.deidentifying:deidentify",
            writes="documents",
        ),
    ),
    metrics={
        "binary": ("auroc", "auprc", "accuracy", "sensitivity", "specificity", "brier", "calibration_slope"),
        "multiclass": ("auroc", "log_loss", "brier", "accuracy"),
        "continuous": ("mae", "rmse", "r2", "calibration_slope"),
        "segmentation": ("dice", "surface_distance_mm"),
    },
    baseline="cnn",
    datasets="iatros.imaging.datasets:CARDS",
)
