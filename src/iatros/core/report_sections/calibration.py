"""Whether predictions can be taken at their word: the calibration plot, and what the calibrator changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Grid,
    LineChart,
    Paragraph,
    Points,
    Row,
    Section,
    Series,
    Strip,
    Table,
)
from iatros.core.report.numbers import NONE, is_number, number, percent
from iatros.core.report_sections.reading import Result, blocks, estimate
from iatros.core.report_sections.words import metric_words


def calibration_section(result: Result) -> Section:
    """Section: does a predicted risk of 20 per cent mean 20 of 100 patients?"""
    lead = (
        "Whether the predictions can be taken at their word. On the dashed line they can; a curve above it means "
        "that the truth is higher than predicted. The band is a bootstrap interval of the smooth curve."
    )
    curves = _calibration_curves(result.curve("calibration"))
    charts: list[Block] = []
    if len(curves) == 1:
        chart = _calibration_chart(result, "", curves[0][1], wide=True)
        table = _reliability_table(result, curves[0][1])
        charts = [Grid((chart, table))] if table else [chart]
    elif curves:
        charts = [Grid(tuple(_calibration_chart(result, name, curve, wide=False) for name, curve in curves))]
    found = blocks(
        Paragraph(lead, "lead"),
        result.drawn_note if charts else None,
        *charts,
        None if curves else result.absent_curve("calibration"),
        *_calibrator(result),
    )
    return Section("Calibration", found, "calibration")


def _calibration_curves(curve: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(curve, Mapping):
        return []
    if any(key in curve for key in ("smooth", "smooth_curve", "reliability")):
        return [("", curve)]
    return [(str(name), part) for name, part in curve.items() if isinstance(part, Mapping)]


def _calibration_chart(result: Result, name: str, curve: Mapping[str, Any], *, wide: bool) -> LineChart:
    smooth = curve.get("smooth") or curve.get("smooth_curve") or {}
    bins = [row for row in curve.get("reliability") or [] if isinstance(row, Mapping)]
    grid = list(smooth.get("grid") or ())
    continuous = result.task == "continuous"
    reach = [value for value in (*grid, *(row.get("mean_predicted") for row in bins)) if is_number(value)]
    ends = (min(reach), max(reach)) if continuous and reach else (0.0, 1.0)
    series = [Series("ideal", ends, ends, dash="dashed", role="reference")]
    if grid:
        series.append(
            Series(
                "smooth curve",
                grid,
                smooth.get("observed", ()),
                smooth.get("low") or (),
                smooth.get("high") or (),
            )
        )
    groups = Points(
        "groups of patients",
        [row.get("mean_predicted") for row in bins],
        [row.get("observed") for row in bins],
        [row.get("low") for row in bins],
        [row.get("high") for row in bins],
        colour=1,
    )
    unit = f" ({result.unit})" if result.unit else ""
    axis = (
        ("predicted" + unit, "observed" + unit)
        if continuous
        else ("predicted risk", "observed share of events")
    )
    limits = (None, None) if continuous else (0.0, 1.0)
    corner = tuple(
        f"{metric_words(key).label} {estimate(result.drawn[key], key)}"
        for key in ("calibration_slope", "calibration_intercept")
        if key in result.drawn and not name
    )
    return LineChart(
        f"Calibration of {name}" if name else "Calibration plot",
        "Observed against predicted. " + "; ".join(corner),
        Axis(axis[0], *limits),
        Axis(axis[1], *limits),
        tuple(series),
        points=(groups,) if bins else (),
        strip=_histogram(result, curve, name),
        corner=corner,
        corner_at="top-left",
        height=470 if wide else 400,
        caption=_strip_caption(result, curve),
    )


def _histogram(result: Result, curve: Mapping[str, Any], name: str) -> Strip | None:
    """How the predictions are spread: events above the line, the others below."""
    found = curve.get("histogram")
    if not isinstance(found, Mapping) or len(found.get("edges") or ()) < 2:
        return None
    events, others = found.get("events"), found.get("non_events")
    if events is not None and others is not None:
        return Strip(found["edges"], events, others, name or result.event, "others")
    counts = found.get("counts")
    return Strip(found["edges"], counts, upper_name="patients") if counts is not None else None


def _strip_caption(result: Result, curve: Mapping[str, Any]) -> str:
    if _histogram(result, curve, "") is None:
        return ""
    return "Bars: number of patients by prediction" + (", events upward." if result.task == "binary" else ".")


def _reliability_table(result: Result, curve: Mapping[str, Any]) -> Table | None:
    bins = [row for row in curve.get("reliability") or [] if isinstance(row, Mapping)]
    if not bins:
        return None
    written = percent if result.task != "continuous" else number
    rows = []
    for row in bins:
        span = (
            f"{written(row.get('low'), 1)} to {written(row.get('high'), 1)}"
            if is_number(row.get("low"))
            else NONE
        )
        rows.append(
            Row(
                (
                    written(row.get("mean_predicted"), 1),
                    written(row.get("observed"), 1),
                    span,
                    number(row.get("n"), 0),
                )
            )
        )
    return Table(
        ("Predicted", "Observed", "Interval", "n"),
        tuple(rows),
        caption="Groups of patients by prediction",
        right=(1, 2, 3),
        compact=True,
    )


def _calibrator(result: Result) -> tuple[Block, ...]:
    found = result.mapping("calibration")
    if not found:
        return (result.absent("calibration"),)
    kinds = {
        "none": "none, predictions are the model's own",
        "intercept": "intercept, all predictions are moved by the same amount",
        "slope": "intercept and slope, predictions are moved and stretched",
        "isotonic": "isotonic, a monotone step curve",
    }
    kind = str(found.get("kind") or "not recorded")
    where = (
        "by cross-fitting on patients that the fit had not seen"
        if found.get("cross_fitted")
        else "on a side of its own"
    )
    words = Paragraph(
        f"Calibrator: {kinds.get(kind, kind)}; fitted {where}, never on patients that it is judged on here."
    )
    before, after = found.get("before"), found.get("after")
    if kind == "none":
        return (Paragraph(f"Calibrator: {kinds[kind]}."),)
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return (words,)
    rows = tuple(
        Row((metric_words(name).label, estimate(before[name], name), estimate(after.get(name), name)))
        for name in before
        if isinstance(before[name], Mapping)
    )
    if not rows:
        return (words,)
    table = Table(
        ("Metric", "Before calibration", "After"), rows, caption="What calibration changed", right=(1, 2)
    )
    return words, table
