"""What metrics, splits and validations are called in a report, and how a reader should take them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricWords:
    """A metric's name for readers, what it tells, and how it is written."""

    label: str
    tells: str
    digits: int = 3
    ideal: float | None = None
    ratio: bool = False
    in_unit: bool = False
    """Written in the outcome's unit, so the number of decimals follows its size."""

    @property
    def running(self) -> str:
        """The label inside a sentence: `mean absolute error`, but `AUROC`."""
        return (
            self.label
            if self.label[1:2].isupper() or self.label[:2] == "R²"
            else self.label[:1].lower() + self.label[1:]
        )


METRICS: dict[str, MetricWords] = {
    "auroc": MetricWords(
        "AUROC", "chance that a patient with the event gets the higher risk; 0.5 is a coin, 1 perfect"
    ),
    "auprc": MetricWords("AUPRC", "average precision; a coin reaches the share of events"),
    "brier": MetricWords("Brier score", "mean squared error of the probability; lower is better"),
    "brier_skill": MetricWords(
        "Brier skill", "gain over predicting the share of events for everyone; 0 is no gain"
    ),
    "log_loss": MetricWords("Log loss", "mean negative log-likelihood; lower is better"),
    "calibration_slope": MetricWords(
        "Calibration slope", "1 is ideal; below 1 predictions are too extreme, above 1 too timid", 2, 1.0
    ),
    "calibration_intercept": MetricWords(
        "Calibration intercept", "0 is ideal; above 0 risks are too low on the whole", 2, 0.0
    ),
    "oe_ratio": MetricWords(
        "Observed / expected", "1 is ideal; above 1 risks are too low on the whole", 2, 1.0, True
    ),
    "ece": MetricWords("ECE", "mean gap between predicted and observed over bins; lower is better"),
    "ici": MetricWords(
        "ICI", "mean gap between predicted risk and the smooth calibration curve; lower is better"
    ),
    "accuracy": MetricWords("Accuracy", "share classified rightly"),
    "balanced_accuracy": MetricWords("Balanced accuracy", "mean over classes of the share found"),
    "sensitivity": MetricWords("Sensitivity", "share of events found"),
    "specificity": MetricWords("Specificity", "share of non-events left in peace"),
    "ppv": MetricWords("PPV", "share of alerts that are right"),
    "npv": MetricWords("NPV", "share of all-clears that are right"),
    "f1": MetricWords("F1", "harmonic mean of sensitivity and PPV"),
    "mcc": MetricWords("MCC", "correlation of prediction and truth at the threshold"),
    "mae": MetricWords("Mean absolute error", "in the outcome's unit; lower is better", in_unit=True),
    "medae": MetricWords("Median absolute error", "in the outcome's unit; lower is better", in_unit=True),
    "rmse": MetricWords(
        "RMSE", "root mean squared error, in the outcome's unit; lower is better", in_unit=True
    ),
    "r2": MetricWords("R²", "share of the variance explained; 0 is no better than the mean"),
    "spearman": MetricWords("Spearman", "rank correlation of prediction and truth"),
    "pearson": MetricWords("Pearson", "linear correlation of prediction and truth"),
    "bias": MetricWords(
        "Bias", "mean of prediction minus truth, in the outcome's unit; 0 is ideal", 3, 0.0, in_unit=True
    ),
    "within_20_percent": MetricWords("Within 20 %", "share of predictions within 20 % of the truth"),
    "quadratic_kappa": MetricWords(
        "Quadratic-weighted kappa",
        "agreement of grades beyond chance, far misses counting more; 1 is perfect",
    ),
    "within_one_grade": MetricWords("Within one grade", "share of images answered at most one grade off"),
    "net_benefit": MetricWords(
        "Net benefit", "true alerts per patient less false ones at the threshold's odds"
    ),
}

HEADLINE: dict[str, tuple[str, ...]] = {
    "binary": ("auroc", "auprc", "brier", "calibration_slope", "oe_ratio"),
    "multiclass": ("auroc", "accuracy", "balanced_accuracy", "log_loss", "ece"),
    "ordinal": ("auroc", "quadratic_kappa", "accuracy", "within_one_grade", "log_loss"),
    "multilabel": ("auroc", "auprc", "accuracy", "brier"),
    "continuous": ("mae", "rmse", "r2", "calibration_slope", "within_20_percent"),
}
GROUPS: dict[str, tuple[str, ...]] = {
    "binary": ("auroc", "oe_ratio", "calibration_slope"),
    "multiclass": ("auroc", "accuracy", "log_loss"),
    "ordinal": ("auroc", "accuracy", "log_loss"),
    "multilabel": ("auroc", "auprc"),
    "continuous": ("mae", "bias", "calibration_slope"),
}
"""Metrics that are compared between sites and between subgroups."""

SPLITS: dict[str, str] = {
    "held_out": "held-out patients",
    "cross_validation": "patients of the folds left out",
    "optimism": "corrected for optimism",
    "apparent": "its own training patients (apparent)",
    "time": "later patients",
    "site": "mean over sites left out",
    "site_pooled": "all sites left out, taken together",
    "external": "new patients (external validation)",
    "local": "local patients",
    "local_before": "local patients, before recalibration",
    "local_after": "local patients, after recalibration (cross-fitted)",
    "train": "training patients",
    "tuning": "tuning patients",
    "calibration": "calibration patients",
    "development": "development patients",
}
OWN_PATIENTS = frozenset({"apparent", "train", "tuning", "calibration", "development"})
"""Splits whose patients the model has seen: never the headline."""

VALIDATIONS: dict[str, tuple[str, str]] = {
    "held-out": (
        "held-out patients",
        "Part of the patients was set aside before anything was fitted, and used once. They come from the same "
        "source as the others, so this says how the model does for patients like these, not how it travels.",
    ),
    "cross-validation": (
        "repeated grouped cross-validation",
        "The whole procedure (tuning, choice of model, calibration) was repeated with each fold of patients left "
        "out in turn. It judges the procedure; the model in the bundle is developed on all patients.",
    ),
    "optimism": (
        "bootstrap correction for optimism",
        "The whole procedure was repeated on resampled patients, and the optimism measured there was taken off "
        "the apparent performance (.632+ for models that remember their training patients, Harrell's otherwise).",
    ),
    "time": (
        "later patients",
        "The model was developed on earlier patients and judged on later ones, which shows whether it holds as "
        "practice changes.",
    ),
    "site": (
        "leaving each site out in turn",
        "For each site the whole procedure was repeated on the other sites and judged there (internal-external "
        "validation): the closest that a single data set comes to showing how the model travels.",
    ),
    "external": (
        "new patients",
        "A finished model was applied as it is to patients who had no part in its development.",
    ),
    "recalibration": (
        "local patients, cross-fitted",
        "The calibration of a finished model was refitted to local patients; each was judged by a calibration "
        "fitted on the others.",
    ),
}
NO_TRAINING = frozenset({"external", "recalibration"})
"""Validations of a model that exists: what belongs to a training is in the report of that training."""


def metric_words(name: str) -> MetricWords:
    """Words for a metric; one that is not in the table keeps its own name."""
    return METRICS.get(name) or MetricWords(name.replace("_", " "), "")


def split_label(name: str) -> str:
    """What a split is called in running text."""
    return SPLITS.get(name, name.replace("_", " "))
