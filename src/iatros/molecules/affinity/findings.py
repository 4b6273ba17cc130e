"""What a reader of a report of affinity must weigh, each with its numbers, and the words of its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import Estimate, Finding

WORDS = {
    "mse": ("Mean squared error", "in the square of the unit; lower is better"),
    "rmse": ("Root mean squared error", "in the unit; lower is better"),
    "concordance_index": (
        "Concordance index",
        "chance that of two pairs the stronger is predicted to be stronger; 0.5 is a coin",
    ),
    "rm2": ("r_m²", "squared correlation, lowered by what a line through the origin fits worse"),
    "spearman": ("Spearman correlation", "rank correlation of prediction and measurement"),
    "mae": ("Mean absolute error", "in the unit; lower is better"),
    "r2": ("R²", "share of the variance explained; 0 is no better than the mean"),
}
"""The label of each metric and what it tells."""
NEW = {
    "pairs": "pairs of drugs and targets that were each measured with others",
    "leave-drug": "drugs that were never measured",
    "leave-target": "targets that were never measured, nor any like them",
    "leave-both": "drugs and targets neither of which was ever measured",
    "external": "pairs that were measured elsewhere or later",
}
SETS = {"all": "All pairs", "uncensored": "Without censored pairs"}
_FEW = 20


def estimate(metric: Mapping[str, Any]) -> Estimate:
    """The metric document as a cell."""
    return Estimate(metric["value"], metric["low"], metric["high"])


def findings(result: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What a careful reader would want to know first."""
    checks = (_chance, _baseline, _censored, _chosen, _newness, _coverage, _few, _conflicts, _refused, _kept)
    return tuple(found for found in (check(result) for check in checks) if found)


def _chance(result: Mapping[str, Any]) -> Finding | None:
    metric = result["metrics"]["all"]["concordance_index"]
    if metric["low"] is None or metric["low"] > 0.5:
        return None
    return Finding(
        "Doubt", "bad", f"Concordance index {estimate(metric)}: the interval holds 0.5, the value of a coin."
    )


def _baseline(result: Mapping[str, Any]) -> Finding | None:
    own: Mapping[str, Any] = next((one for one in result.get("models", ()) if one["selected"]), {})
    found = own.get("difference_to_baseline", {}).get("concordance_index")
    if found is None:
        return None
    said = f"Concordance index {Estimate(found['value'], found['low'], found['high'])} above that of kron-rls"
    if found["low"] > 0.0:
        return Finding("Good", "good", f"{said}, on the same pairs.")
    if found["high"] < 0.0:
        return Finding("Watch", "watch", f"{said}, on the same pairs; it does worse.")
    return Finding("Note", "neutral", f"{said}; the interval holds 0, so the baseline may do as well.")


def _censored(result: Mapping[str, Any]) -> Finding | None:
    share = result["share_censored"]
    if not share:
        return None
    said = (
        f"{100 * share:.1f} % of the pairs are censored: their assay ended before their affinity was reached. A model "
        "that tells weak from strong looks good over all pairs, however little it knows of the strong ones"
    )
    without = result["metrics"].get("uncensored")
    if without is None:
        return Finding("Watch", "watch", f"{said}; too few others are left to judge by.")
    return Finding(
        "Watch",
        "watch",
        f"{said}. Without them the concordance index is {estimate(without['concordance_index'])} and the mean squared "
        f"error {estimate(without['mse'])}.",
    )


def _chosen(result: Mapping[str, Any]) -> Finding | None:
    n = result.get("n_candidates", 1)
    if n < 2:
        return None
    return Finding(
        "Note",
        "neutral",
        f"The model is the best of {n} by the concordance index on the pairs that it is judged on here, so its numbers "
        "are a little too good.",
    )


def _newness(result: Mapping[str, Any]) -> Finding | None:
    if result["validation"] != "pairs":
        return None
    return Finding(
        "Watch",
        "watch",
        "Every drug and target of the judged pairs was also learned from, in other pairs. For a new drug or a new "
        "target expect less: the validations leave-drug and leave-target say how much.",
    )


def _coverage(result: Mapping[str, Any]) -> Finding | None:
    reached = result.get("reached_coverage")
    if reached is None:
        return None
    good = reached >= result["coverage"] - 0.05
    return Finding(
        "Good" if good else "Watch",
        "good" if good else "watch",
        f"Intervals that promise {100 * result['coverage']:.0f} % hold {100 * reached:.1f} % of these pairs.",
    )


def _few(result: Mapping[str, Any]) -> Finding | None:
    sides = {"drugs": result["n_drugs"], "groups of targets": result.get("n_groups", result["n_sequences"])}
    few = [f"{n} {name}" for name, n in sides.items() if n < _FEW]
    if not few:
        return None
    return Finding("Watch", "watch", f"Only {' and '.join(few)}: intervals are rough.")


def _conflicts(result: Mapping[str, Any]) -> Finding | None:
    n = result["n_conflicts"]
    return Finding("Note", "neutral", f"Measurements of {n:,} pairs contradict each other.") if n else None


def _refused(result: Mapping[str, Any]) -> Finding | None:
    n, lines = result["n_refused"], result["n_lines"]
    return (
        Finding("Note", "neutral", f"{n:,} of {lines:,} lines were refused, with a reason each.")
        if n
        else None
    )


def _kept(result: Mapping[str, Any]) -> Finding | None:
    if result["validation"] == "external":
        return None
    return Finding(
        "Watch",
        "watch",
        "The bundle holds every structure and every sequence that was learned from: whoever has the bundle has them.",
    )
