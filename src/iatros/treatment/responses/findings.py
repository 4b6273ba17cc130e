"""What a reader of a report of responses must weigh, each with its numbers, and the words of its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import Estimate, Finding

WORDS = {
    "rmse": ("Root mean squared error", "in the unit of the outcome; lower is better"),
    "mae": ("Mean absolute error", "in the unit of the outcome; lower is better"),
    "r2": ("R²", "share of the variance explained; 0 is no better than the mean"),
    "pearson": ("Correlation over all pairs", "mostly the difference between treatments: see the next rows"),
    "spearman": ("Rank correlation over all pairs", "likewise mostly the difference between treatments"),
    "within_treatment": (
        "Correlation within a treatment",
        "who responds better to the same treatment; 0 where the means of treatments are all that is known",
    ),
    "spearman_within_treatment": ("Rank correlation within a treatment", "the same by rank"),
    "within_subject": ("Correlation within a subject", "which treatment does better in the same subject"),
    "spearman_within_subject": ("Rank correlation within a subject", "the same by rank"),
    "normalised_pearson": (
        "Normalised correlation",
        "after the means of treatment and subject are taken from both sides; 0 is what means alone reach",
    ),
    "auroc": ("AUROC", "chance that of a pair with and one without a response the first is ranked higher"),
    "auprc": ("AUPRC", "mean precision; compare with the prevalence"),
    "brier": ("Brier score", "mean squared error of the probability; lower is better"),
    "log_loss": ("Log loss", "lower is better"),
    "calibration_slope": ("Calibration slope", "1 is right; below 1 predictions are too extreme"),
    "calibration_intercept": ("Calibration intercept", "0 is right"),
    "ndcg": ("NDCG at k", "gain of the first k of a subject's list, over the best possible"),
    "recall": ("Recall at k", "share of a subject's best treatments among the first k"),
    "list_coverage": ("Coverage of treatments", "share of treatments that stand in any list"),
}
"""The label of each metric and what it tells."""
NEW = {
    "pairs": "pairs of subjects and treatments that were each seen with others",
    "subjects": "subjects that the model had not seen",
    "treatments": "treatments that the model had not seen",
    "time": "later responses",
    "external": "responses that were observed elsewhere or later",
}
_FEW = 20


def estimate(metric: Mapping[str, Any]) -> Estimate:
    """The metric document as a cell."""
    return Estimate(metric["value"], metric["low"], metric["high"])


def main_of(result: Mapping[str, Any]) -> str:
    """The metric that decides between models of such outcomes."""
    return {"continuous": "rmse", "binary": "log_loss", "implicit": "auprc"}[result["outcome_kind"]]


def findings(result: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What a careful reader would want to know first."""
    checks = (_standing, _baseline, _within, _pooled, _chosen, _newness, _coverage, _few, _refused, _kept)
    return tuple(found for found in (check(result) for check in checks) if found)


def _standing(result: Mapping[str, Any]) -> Finding:
    return Finding("Watch", "watch", f"Every answer is {result['standing']}.")


def _baseline(result: Mapping[str, Any]) -> Finding | None:
    own: Mapping[str, Any] = next((one for one in result.get("models", ()) if one["selected"]), {})
    name = main_of(result)
    found = own.get("difference_to_baseline", {}).get(name)
    if found is None:
        return None
    label = WORDS[name][0]
    said = f"{label} differs by {Estimate(found['value'], found['low'], found['high'])} from that of the means alone"
    better = found["high"] < 0 if name != "auprc" else found["low"] > 0
    worse = found["low"] > 0 if name != "auprc" else found["high"] < 0
    if better:
        return Finding("Good", "good", f"{said}, on the same pairs: the model does better.")
    if worse:
        return Finding("Doubt", "bad", f"{said}, on the same pairs: the model does worse.")
    return Finding("Doubt", "bad", f"{said}; the interval holds 0, so the means may do as well.")


def _within(result: Mapping[str, Any]) -> Finding | None:
    metric = result["metrics"]["judged"].get("within_treatment")
    if metric is None or metric["value"] is None:
        return Finding(
            "Watch", "watch",
            "No treatment was judged on enough pairs to tell who responds better to it: nothing here is personal.",
        )  # fmt: skip
    said = f"Within a treatment, prediction and outcome correlate {estimate(metric)}"
    if metric["low"] is not None and metric["low"] > 0:
        return Finding(
            "Good", "good", f"{said}: who responds better to the same treatment is told to that degree."
        )
    return Finding("Doubt", "bad", f"{said}: whether anything personal was learned is not shown.")


def _pooled(result: Mapping[str, Any]) -> Finding | None:
    metrics = result["metrics"]["judged"]
    pooled, within = metrics.get("pearson"), metrics.get("within_treatment")
    if not pooled or not within or pooled["value"] is None or within["value"] is None:
        return None
    if pooled["value"] - within["value"] < 0.2:
        return None
    return Finding(
        "Note",
        "neutral",
        f"The correlation over all pairs, {pooled['value']:.2f}, is mostly the difference between treatments; "
        f"within one it is {within['value']:.2f}.",
    )


def _chosen(result: Mapping[str, Any]) -> Finding | None:
    n = result.get("n_candidates", 1)
    if n < 2:
        return None
    return Finding(
        "Note",
        "neutral",
        f"The model is the best of {n} on the pairs that it is judged on here, so its numbers are a little too good.",
    )


def _newness(result: Mapping[str, Any]) -> Finding | None:
    if result["validation"] != "pairs":
        return None
    return Finding(
        "Watch",
        "watch",
        "Subjects and treatments of the judged pairs were learned from in other pairs. For a new subject or treatment "
        "expect less: the validations subjects and treatments say how much.",
    )


def _coverage(result: Mapping[str, Any]) -> Finding | None:
    reached = (result.get("intervals") or {}).get("coverage")
    if not reached or reached["value"] is None:
        return None
    promised = result["coverage"]
    good = reached["value"] >= promised - 0.03
    return Finding(
        "Good" if good else "Watch",
        "good" if good else "watch",
        f"Intervals that promise {100 * promised:.0f} % held {100 * reached['value']:.1f} % of outcomes of subjects "
        "that they were not learned from.",
    )


def _few(result: Mapping[str, Any]) -> Finding | None:
    sides = {"subjects": result["n_subjects"], "treatments": result["n_treatments"]}
    few = [f"{n} {name}" for name, n in sides.items() if n < _FEW]
    if not few:
        return None
    return Finding("Watch", "watch", f"Only {' and '.join(few)}: intervals are rough.")


def _refused(result: Mapping[str, Any]) -> Finding | None:
    data = result["data"]
    if not data["n_refused"]:
        return None
    share = data["n_refused"] / max(data["n_read"], 1)
    word, tone = ("Watch", "watch") if share > 0.05 else ("Note", "neutral")
    reasons = "; ".join(f"{n:,}: {why}" for why, n in list(data["reasons"].items())[:3])
    return Finding(word, tone, f"{data['n_refused']:,} of {data['n_read']:,} lines were refused ({reasons}).")  # type: ignore[arg-type]


def _kept(result: Mapping[str, Any]) -> Finding | None:
    if result["validation"] == "external":
        return None
    return Finding(
        "Note", "neutral", "The bundle holds the responses that were learned from: treat it as patient data."
    )
