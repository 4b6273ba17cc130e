"""What a reader of a report of the next medications must weigh, and the words of its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import Estimate, Finding

WORDS = {
    "jaccard": (
        "Jaccard index",
        "shared medications over all in either set, mean over visits; 1 is the same set",
    ),
    "f1": ("F1", "harmonic mean of precision and recall of a visit's set, mean over visits"),
    "precision": ("Precision", "share of the predicted set that was prescribed"),
    "recall": ("Recall", "share of what was prescribed that is in the predicted set"),
    "prauc": ("PRAUC", "average precision of a visit's ranking, mean over visits"),
    "recall_at_k": ("Recall at k", "share of what was prescribed among the first k"),
    "ndcg_at_k": ("NDCG at k", "gain of the first k of the ranking, over the best possible"),
    "brier": ("Brier score", "mean squared error of a medication's probability; lower is better"),
    "oe_ratio": ("Observed / expected", "1 is ideal; above 1 probabilities are too low on the whole"),
    "calibration_slope": ("Calibration slope", "1 is ideal; below 1 probabilities are too extreme"),
    "interaction_rate": ("Interaction rate, predicted", "share of the pairs in predicted sets that interact"),
    "interaction_rate_prescribed": ("Interaction rate, prescribed", "the same of what was prescribed"),
    "set_size": ("Medications predicted", "mean size of the predicted set"),
    "set_size_prescribed": ("Medications prescribed", "mean over the same visits"),
    "missed_share": ("Missed by the set with a promise", "share of known medications that the set lacks"),
    "controlled_size": ("Size of the set with a promise", "mean number of medications"),
}
"""The label of each metric and what it tells."""
NEW = {
    "held-out": "visits of subjects that were held out",
    "cross-validation": "every subject's visits, by models that had not learned from that subject",
    "time": "visits of subjects who were first seen last",
    "external": "visits that were observed elsewhere or later",
}
_FEW = 200


def estimate(metric: Mapping[str, Any]) -> Estimate:
    """The metric document as a cell."""
    return Estimate(metric["value"], metric["low"], metric["high"])


def headline(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metrics on visits that the model had not seen."""
    found: Mapping[str, Any] = result["metrics"][result["headline_split"]]
    return found


def findings(result: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What a careful reader would want to know first."""
    checks = (
        _imitation, _beside, _interactions, _unknown_drugs, _promise, _calibration, _outside, _few, _current, _chosen,
        _refused,
    )  # fmt: skip
    return tuple(found for found in (check(result) for check in checks) if found)


def _imitation(result: Mapping[str, Any]) -> Finding:
    return Finding("Watch", "watch", f"Every answer is {result['statement']}.")


def _beside(result: Mapping[str, Any]) -> Finding | None:
    own: Mapping[str, Any] = next((one for one in result.get("models", ()) if one["selected"]), {})
    found = own.get("differences", {}).get("logistic", {}).get("jaccard")
    if found is None:
        return None
    said = f"Jaccard index {Estimate(found['value'], found['low'], found['high'])} above logistic regression, paired"
    if found["low"] is not None and found["low"] > 0:
        return Finding("Good", "good", f"{said}.")
    if found["high"] is not None and found["high"] < 0:
        return Finding("Watch", "watch", f"{said}: it does worse, so use logistic regression.")
    return Finding(
        "Note", "neutral",
        f"{said}; the interval holds 0. Six years of deep models added about 0.06 on MIMIC-III, so little is usual.",
    )  # fmt: skip


def _interactions(result: Mapping[str, Any]) -> Finding | None:
    metrics = headline(result)
    if "interaction_rate" not in metrics:
        return Finding(
            "Watch", "watch",
            "No table of interactions was given: nothing here keeps interacting medications apart, and none is known "
            "to be absent.",
        )  # fmt: skip
    predicted, prescribed = metrics["interaction_rate"], metrics["interaction_rate_prescribed"]
    more = (predicted["value"] or 0.0) > (prescribed["value"] or 0.0)
    return Finding(
        "Watch" if more else "Note", "watch" if more else "neutral",
        f"Of the pairs in predicted sets {estimate(predicted)} interact by the table that was given, of those in "
        f"prescribed sets {estimate(prescribed)}. The penalty makes them rarer and forbids none.",
    )  # fmt: skip


def _unknown_drugs(result: Mapping[str, Any]) -> Finding | None:
    found = (result.get("interactions") or {}).get("unknown") or []
    if not found:
        return None
    shown = ", ".join(found[:10]) + (f" and {len(found) - 10} more" if len(found) > 10 else "")
    return Finding(
        "Watch",
        "watch",
        f"{len(found)} names of the table of interactions are no medication of the model: {shown}.",
    )


def _promise(result: Mapping[str, Any]) -> Finding | None:
    control = result.get("conformal") or {}
    if not control:
        return None
    reached = control["reached"]
    if not control["threshold"]:
        return Finding(
            "Watch", "watch",
            f"No set short of every medication could promise to miss at most {100 * control['missed']:.0f} %: too few "
            "subjects to calibrate on.",
        )  # fmt: skip
    good = reached["low"] is None or reached["low"] <= control["missed"]
    return Finding(
        "Good" if good else "Watch", "good" if good else "watch",
        f"Sets that promise to miss at most {100 * control['missed']:.0f} % of known medications miss "
        f"{estimate(reached)}; they hold {estimate(control['mean_size'])} of {control['n_medications']} medications.",
    )  # fmt: skip


def _calibration(result: Mapping[str, Any]) -> Finding | None:
    slope = headline(result)["calibration_slope"]
    if slope["low"] is None or slope["low"] <= 1.0 <= slope["high"]:
        return None
    why = " The penalty on interactions moves probabilities on purpose." if result.get("interactions") else ""
    return Finding(
        "Watch", "watch", f"Calibration slope {estimate(slope)}: its interval does not hold 1.{why}"
    )


def _outside(result: Mapping[str, Any]) -> Finding | None:
    share = result["outside_percent"]
    if share < 1.0:
        return None
    return Finding(
        "Watch", "watch",
        f"{share:.1f} % of what was prescribed is too rare for the model to know; it counts as missed.",
    )  # fmt: skip


def _few(result: Mapping[str, Any]) -> Finding | None:
    n = (
        result["splits"][result["headline_split"]]["n_patients"]
        if result.get("splits")
        else result["n_subjects"]
    )
    return (
        Finding("Watch", "watch", f"Only {n} subjects are judged on: intervals are rough.")
        if n < _FEW
        else None
    )


def _current(result: Mapping[str, Any]) -> Finding | None:
    if result["known"] != "current":
        return None
    return Finding(
        "Watch", "watch",
        "The other codes of a visit are taken as known when its medications are asked for. Codes that are written at "
        "discharge are not.",
    )  # fmt: skip


def _chosen(result: Mapping[str, Any]) -> Finding | None:
    n = result.get("n_candidates", 1)
    if n < 2:
        return None
    return Finding(
        "Note", "neutral", f"The model is the best of {n} on the tuning side, which it is not judged on."
    )


def _refused(result: Mapping[str, Any]) -> Finding | None:
    n, lines = result["data"].get("n_refused", 0), result["data"].get("n_lines", 0)
    return (
        Finding("Note", "neutral", f"{n:,} of {lines:,} lines were refused, with a reason each.")
        if n
        else None
    )
