"""What a reader of a report of doses must weigh, each with its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from iatros.core.report import Estimate, Finding
from iatros.core.report_sections import findings as of_core
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.words import metric_words

_TIMES = {"within_20_percent": 100.0, "coverage": 100.0}
_WORSE = 1.25
"""A group whose mean absolute error is larger than that of all by this factor is named."""


def estimate(name: str, metric: Mapping[str, Any] | None) -> Estimate:
    """The metric document as a cell, shares in per cent."""
    if not metric:
        return Estimate(None)
    times = _TIMES.get(name, 1.0)
    value, low, high = (
        None if metric[key] is None else times * metric[key] for key in ("value", "low", "high")
    )
    return Estimate(
        value, low, high, digits=1 if name in _TIMES else 2, suffix=" %" if name in _TIMES else ""
    )


def label(name: str) -> str:
    """The metric's name for people."""
    return metric_words(name).label


def findings(result: Mapping[str, Any]) -> tuple[Finding, ...]:
    """What a careful reader would want to know first."""
    reading = Result(result)
    checks: tuple[Callable[[Mapping[str, Any]], Finding | None], ...] = (
        _groups, _coverage_of_groups, _left_out, _high, _reference, _chosen, _refused,
    )  # fmt: skip
    found = [check(result) for check in checks]
    found += [of_core.calibration(reading), of_core.coverage(reading)]
    return tuple(one for one in found if one)


def levels_of(result: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Column, level and document of each group that was judged."""
    for column, found in result.get("subgroups", {}).items():
        for level, part in found["levels"].items():
            if not part.get("suppressed"):
                yield column, level, part


def headline(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metrics of the patients who were judged."""
    found: Mapping[str, Any] = result["metrics"][result["headline_split"]]
    return found


def _groups(result: Mapping[str, Any]) -> Finding | None:
    whole = headline(result)["mae"]["value"]
    found = [
        f"{column} {level} {estimate('mae', part['metrics']['mae'])} (n = {part['n']:,})"
        for column, level, part in levels_of(result)
        if part["metrics"]["mae"]["value"] > _WORSE * whole
    ]
    if not found:
        return None
    unit = result["target"]["unit"]
    return Finding(
        "Watch", "watch",
        f"Mean absolute error is {whole:.2f} {unit} for all, and far larger for {'; '.join(found)}.",
    )  # fmt: skip


def _coverage_of_groups(result: Mapping[str, Any]) -> Finding | None:
    promised = result["coverage"]
    low = [
        f"{column} {level} {estimate('coverage', part['coverage'])}"
        for column, level, part in levels_of(result)
        if part["coverage"]["high"] < promised
    ]
    if not low:
        return None
    return Finding(
        "Watch", "watch",
        f"Intervals promise {100 * promised:.0f} % over all patients, not in every group: {', '.join(low)}.",
    )  # fmt: skip


def _left_out(result: Mapping[str, Any]) -> Finding | None:
    worst = [
        (part["metrics"]["mae"]["value"], f"{column} {level}", part)
        for column, parts in result.get("left_out", {}).items()
        for level, part in parts.items()
        if not part.get("suppressed")
    ]
    if not worst:
        return None
    _, name, part = max(worst, key=lambda one: one[0])
    return Finding(
        "Note", "neutral",
        f"Of the groups left out in turn, {name} does worst: mean absolute error "
        f"{estimate('mae', part['metrics']['mae'])}, intervals hold {100 * part['coverage']['value']:.1f} %.",
    )  # fmt: skip


def _high(result: Mapping[str, Any]) -> Finding | None:
    part = result["by_predicted_dose"]["high"]
    if part.get("suppressed"):
        return None
    within = part["metrics"].get("within_20_percent")
    whole = headline(result)["mae"]["value"]
    if part["metrics"]["mae"]["value"] <= _WORSE * whole:
        return None
    return Finding(
        "Watch", "watch",
        f"Predicted doses from {result['bands'][1]:g} {result['target']['unit']} on (n = {part['n']:,}) are far off: "
        f"mean absolute error {estimate('mae', part['metrics']['mae'])}, within 20 % "
        f"{estimate('within_20_percent', within)}.",
    )  # fmt: skip


def _reference(result: Mapping[str, Any]) -> Finding | None:
    """Against the best reference: a published equation, or the median dose."""
    others = [one for one in result.get("models", ()) if one.get("reference")]
    if not others:
        return None
    best = min(others, key=lambda one: one["metrics"]["mae"]["value"])
    gap = best["difference"]["mae"]
    said = (
        f"Mean absolute error less that of {best['name']}, the best reference, on the same patients: "
        f"{estimate('mae', gap)}"
    )
    if gap["low"] is None or gap["low"] <= 0.0 <= gap["high"]:
        return Finding("Note", "neutral", f"{said}; the interval holds 0, so the reference may do as well.")
    if gap["high"] < 0.0:
        return Finding("Good", "good", f"{said}.")
    return Finding("Watch", "watch", f"{said}; it does worse.")


def _chosen(result: Mapping[str, Any]) -> Finding | None:
    weights = result.get("weights", {})
    if len(weights) < 2:
        return None
    said = ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items())
    return Finding("Note", "neutral", f"Weights of the candidates, found on inner folds: {said}.")


def _refused(result: Mapping[str, Any]) -> Finding | None:
    data = result["data"]
    if not data["n_refused"]:
        return None
    reasons = "; ".join(f"{n:,}: {why}" for why, n in data["reasons"].items())
    return Finding(
        "Note", "neutral", f"{data['n_refused']:,} of {data['n_read']:,} rows were refused ({reasons})."
    )
