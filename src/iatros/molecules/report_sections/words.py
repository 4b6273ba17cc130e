"""What metrics, splits and validations are called in a report about compounds, and how a reader should take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iatros.core.report import Estimate
from iatros.core.report.numbers import is_number
from iatros.core.report_sections.reading import Result

LOWER_IS_BETTER = frozenset({"rmse", "mae", "relative_rmse", "brier", "log_loss"})


@dataclass(frozen=True)
class Words:
    """A metric's name for readers, what it tells, and with how many decimals it is written."""

    label: str
    tells: str
    digits: int = 3


METRICS: dict[str, Words] = {
    "rmse": Words("RMSE", "root mean squared error, in the endpoint's unit; lower is better"),
    "relative_rmse": Words(
        "Relative RMSE",
        "RMSE over the spread of the measured values; 1 is what their mean reaches, 0 perfect",
    ),
    "mae": Words("Mean absolute error", "in the endpoint's unit; lower is better"),
    "r2": Words("R²", "share of the variance explained; 0 is no better than the mean"),
    "pearson": Words("Pearson", "linear correlation of prediction and measurement"),
    "spearman": Words("Spearman", "rank correlation of prediction and measurement"),
    "concordance_index": Words(
        "Concordance",
        "chance that of two compounds the one measured higher is predicted higher; 0.5 is a coin",
    ),
    "bias": Words("Bias", "mean of prediction less measurement, in the endpoint's unit; 0 is ideal"),
    "auroc": Words("AUROC", "chance that an active compound is ranked above an inactive one; 0.5 is a coin"),
    "auprc": Words("AUPRC", "average precision; a coin reaches the share of actives"),
    "enrichment_factor": Words(
        "Enrichment at 1%", "how many times more actives the first hundredth holds than a random draw", 1
    ),
    "bedroc": Words("BEDROC", "early recognition (alpha 20); 1 where all actives come first"),
    "brier": Words("Brier score", "mean squared error of the probability; lower is better"),
    "log_loss": Words("Log loss", "mean negative log-likelihood; lower is better"),
    "calibration_slope": Words(
        "Calibration slope", "1 is ideal; below 1 predictions are too extreme, above 1 too timid", 2
    ),
    "calibration_intercept": Words("Calibration intercept", "0 is ideal; above 0 predictions are too low", 2),
    "balanced_accuracy": Words("Balanced accuracy", "mean over both classes of the share found, at 0.5"),
    "mcc": Words("MCC", "correlation of prediction and truth at 0.5"),
}
HEADLINE: dict[str, tuple[str, ...]] = {
    "binary": ("auroc", "auprc", "enrichment_factor", "bedroc", "brier"),
    "continuous": ("rmse", "relative_rmse", "mae", "r2", "spearman"),
}
"""The numbers that stand first, of those that there are."""

SPLITS = {
    "held_out": "held-out compounds",
    "cross_validation": "compounds of the folds left out",
    "external": "new compounds (external validation)",
    "development": "compounds that were learned from",
}
VALIDATIONS: dict[str, tuple[str, str]] = {
    "random": (
        "compounds drawn at random",
        "Judged compounds were drawn at random, so most have near relatives among those that were learned from: this "
        "says how the model does inside known series, and flatters it for new ones.",
    ),
    "scaffold": (
        "compounds with other scaffolds",
        "No Bemis-Murcko scaffold stands on both sides; scaffolds are dealt at random (balanced). This says how the "
        "model does on new chemical series like these. It is not the deterministic scaffold split of DeepChem, whose "
        "results do not belong in one table with these.",
    ),
    "scaffold-deterministic": (
        "compounds with the rarest scaffolds",
        "The deterministic scaffold split of DeepChem: common scaffolds are learned from, the rarest are judged, which "
        "is harder than new series usually are. Its results do not belong in one table with those of a balanced "
        "scaffold split.",
    ),
    "cluster": (
        "compounds of other clusters",
        "Compounds of one cluster of similar fingerprints (Butina) stand on one side.",
    ),
    "time": (
        "later compounds",
        "The model was developed on earlier compounds and judged on later ones, as in a project that goes on.",
    ),
    "given": ("compounds of the side that the file names", "The sides are those that the file itself names."),
    "external": (
        "new compounds",
        "A finished model was applied as it is to compounds that had no part in its development.",
    ),
}


def words(name: str) -> Words:
    """Words for a metric; one that is not in the table keeps its own name."""
    return METRICS.get(name) or Words(name.replace("_", " "), "")


def running(name: str) -> str:
    """A metric's name inside a sentence: `mean absolute error`, but `AUROC`."""
    label = words(name).label
    return label if label[1:2].isupper() or not label[1:2].isalpha() else label[:1].lower() + label[1:]


def written(document: Any, name: str) -> Estimate:
    """A metric document as a cell with its interval."""
    if not isinstance(document, Mapping):
        return Estimate(None)
    value, low, high = (document.get(key) for key in ("value", "low", "high"))
    size = max((abs(one) for one in (value, low, high) if is_number(one)), default=0.0)
    digits = words(name).digits
    if name in ("rmse", "mae", "bias") and size >= 10:
        digits = 2 if size < 100 else 1
    return Estimate(value, low, high, digits)


def split_label(name: str) -> str:
    """What a split is called in running text."""
    return SPLITS.get(name, name.replace("_", " "))


def judged_by(result: Result) -> str:
    """By which compounds the headline numbers are judged, in a few words."""
    return VALIDATIONS.get(result.validation, (split_label(result.split), ""))[0]


def headline(result: Result) -> list[str]:
    """Names of the headline metrics that the result has."""
    return [name for name in HEADLINE.get(result.task, ()) if isinstance(result.headline.get(name), Mapping)]


def endpoints(result: Result) -> list[Mapping[str, Any]]:
    """The endpoints' documents."""
    return [one for one in result.items("endpoints") if isinstance(one, Mapping)]


def active(endpoint: Mapping[str, Any]) -> str:
    """The second class in words: `pIC50 >=6.3`, or the outcome's name where its classes are plain."""
    classes: Any = endpoint.get("classes") or ()
    name = str(endpoint.get("name", ""))
    return f"{name} {classes[1]}" if len(classes) == 2 else name
