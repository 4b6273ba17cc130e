"""What acting on the model would bring: decision curve, thresholds, alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Cell,
    Facts,
    LineChart,
    Paragraph,
    Points,
    Row,
    Section,
    Series,
    Table,
)
from iatros.core.report.numbers import count, is_number, number, percent
from iatros.core.report_sections.reading import Result, blocks, estimate

_APART = frozenset({"held-out", "time", "external", "site", "cross-validation"})
"""Validations whose judged patients had no part in the choice of thresholds."""
_MATTERS = 0.001
"""Net benefit below this, one event per thousand patients, counts as none."""


def decision_section(result: Result) -> Section:
    """Section: is acting on the model better than treating everyone, or no one?"""
    curve = result.curve("decision")
    lead = (
        "Net benefit weighs patients rightly acted on against those acted on needlessly, at the odds that the "
        "threshold implies (Vickers and Elkin 2006). Where the blue line is above both others, using the model beats "
        "acting on everyone and acting on no one."
    )
    if not isinstance(curve, Mapping) or not curve.get("thresholds"):
        return Section("Decision curve", (result.absent_curve("decision"),), "decision")
    found = blocks(
        Paragraph(lead, "lead"), result.drawn_note, _decision_chart(result, curve), _useful_range(curve)
    )
    return Section("Decision curve", found, "decision")


def _decision_chart(result: Result, curve: Mapping[str, Any]) -> LineChart:
    thresholds = list(curve["thresholds"])
    end = _last_useful(thresholds, curve.get("model") or [])
    kept = [k for k, value in enumerate(thresholds) if value <= end]

    def cut(name: str) -> list[float]:
        values = list(curve.get(name) or ())
        return [values[k] for k in kept if k < len(values)]

    x = [thresholds[k] for k in kept]
    model = cut("model")
    top = max([value for value in (*model, *cut("treat_all")) if is_number(value)] or [0.1])
    series = (
        Series("act on no one", x, [0.0 for _ in x], role="reference"),
        Series("act on everyone", x, cut("treat_all"), dash="dashed", colour=1),
        Series(result.model, x, model, cut("model_low"), cut("model_high"), colour=0),
    )
    return LineChart(
        "Net benefit by threshold",
        f"Net benefit of acting on {result.model}, on everyone and on no one, for thresholds up to {percent(end, 0)}.",
        Axis("risk threshold above which one would act", 0.0, end, percent=True),
        Axis("net benefit", -0.15 * top, top * 1.08),
        series,
        points=_marks(result, x, model),
        width=840,
        height=370,
        caption="Net benefit 0.05 is worth 5 events acted on per 100 patients with nobody acted on needlessly. "
        "Thresholds beyond the highest that are useful are not drawn.",
    )


def _last_useful(thresholds: Sequence[float], model: Sequence[float]) -> float:
    """A little beyond the last threshold at which the model has net benefit."""
    useful = [t for t, value in zip(thresholds, model, strict=False) if is_number(value) and value > 0.002]
    return min(max(thresholds), max(useful, default=0.5) + 0.08)


def _marks(result: Result, x: list[float], model: list[float]) -> tuple[Points, ...]:
    """The chosen thresholds on the model's curve."""
    at, height = [], []
    for row in result.items("thresholds"):
        threshold = row.get("threshold") if isinstance(row, Mapping) else None
        if not is_number(threshold) or not x or threshold > x[-1] or len(model) < len(x):
            continue
        nearest = min(range(len(x)), key=lambda k: abs(x[k] - threshold))
        at.append(x[nearest])
        height.append(model[nearest])
    return (Points("chosen thresholds", at, height, colour=0, hollow=True),) if at else ()


def _useful_range(curve: Mapping[str, Any]) -> Block:
    """In words: the longest unbroken range in which the model beats both simple policies."""
    rows = zip(curve["thresholds"], curve.get("model") or (), curve.get("treat_all") or (), strict=False)
    runs: list[list[float]] = [[]]
    for threshold, model, everyone in rows:
        if is_number(model) and model > max(everyone or 0.0, 0.0) + _MATTERS:
            runs[-1].append(threshold)
        elif runs[-1]:
            runs.append([])
    longest = max(runs, key=len)
    if not longest:
        return Paragraph("At no threshold does the model beat both acting on everyone and acting on no one.")
    return Paragraph(
        f"From thresholds of {percent(longest[0], 0)} to {percent(longest[-1], 0)} the model's net benefit is above "
        "both simple policies without a break; what matters is whether sensible thresholds lie in that range."
    )


def thresholds_section(result: Result) -> Section:
    """Section: what each threshold would mean at work."""
    rows = [row for row in result.items("thresholds") if isinstance(row, Mapping)]
    if not rows:
        return Section("Thresholds", (result.absent("thresholds"),), "thresholds")
    lead = (
        "Thresholds were chosen on patients other than those that they are judged on here, so a sensitivity that was "
        "aimed at is not always the one that was reached."
        if result.validation in _APART
        else "Thresholds were chosen from predictions that are cross-fitted on the development patients, who are "
        "judged here too: expect a little less elsewhere."
    )
    words = Facts(tuple((str(row.get("name", "")), _in_words(row)) for row in rows))
    found = blocks(Paragraph(lead, "lead"), result.drawn_note, _table(rows), words)
    return Section("Thresholds", found, "thresholds")


def _table(rows: list[Mapping[str, Any]]) -> Table:
    header = ("Chosen for", "Threshold", "TP", "FP", "TN", "FN", "Sensitivity", "Specificity", "PPV", "NPV")
    drawn = []
    for row in rows:
        cells: list[Cell] = [str(row.get("name", "")), number(row.get("threshold"))]
        cells += [count(row.get(name)) for name in ("tp", "fp", "tn", "fn")]
        cells += [estimate(row.get(name)) for name in ("sensitivity", "specificity", "ppv", "npv")]
        cells += [
            number(estimate(row.get("alerts_per_100")).value, 1),
            number(estimate(row.get("net_benefit")).value),
        ]
        drawn.append(Row(tuple(cells)))
    return Table(
        (*header, "Alerts per 100", "Net benefit"),
        tuple(drawn),
        right=tuple(range(1, 12)),
        stacked=True,
        compact=True,
    )


def _in_words(row: Mapping[str, Any]) -> str:
    counts = [value for value in (row.get(name) for name in ("tp", "fp", "tn", "fn")) if is_number(value)]
    total = sum(counts)
    if len(counts) < 4 or not total:
        return "counts were not recorded"
    tp, fp, _, fn = (100 * value / total for value in counts)
    return (
        f"of 100 patients {number(tp + fp, 1)} raise an alert, {number(tp, 1)} rightly and {number(fp, 1)} needlessly; "
        f"{number(fn, 1)} of {number(tp + fn, 1)} events are missed."
    )
