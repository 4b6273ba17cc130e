"""What the model listens to: SHAP, permutation importance, partial dependence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Bar,
    BarChart,
    Block,
    Grid,
    Heading,
    LineChart,
    Paragraph,
    Section,
    Series,
)
from iatros.core.report.numbers import is_number
from iatros.core.report.scales import limits
from iatros.core.report_sections.reading import Result, blocks, number_or_none

_BARS = 15
_SELECTED = 25
_CURVES = 9
_LEVELS = 24


def explanation_section(result: Result) -> Section:
    """Section: which columns move the prediction, and how."""
    found = result.explanation
    charts = [chart for chart in (_shap(found), _importance(result, found)) if chart]
    curves = _dependence(result, found)
    if not charts and not curves:
        return Section("Explanation", (result.absent("explanation"),), "explanation", "TRIPOD+AI 12e, 22")
    lead = (
        "What the model uses, not what causes the outcome. Columns that carry the same information share the credit in "
        "ways that depend on the sample."
    )
    return Section(
        "Explanation",
        blocks(Paragraph(lead, "lead"), Grid(tuple(charts)) if charts else None, *_selected(result), *curves),
        "explanation",
        "TRIPOD+AI 12e, 22",
    )


def _selected(result: Result) -> tuple[Block, ...]:
    """Which columns each model chose, how often each was chosen over resamples, and how stable the choice is."""
    found: list[Block] = []
    for entry in result.items("models"):
        selection = (entry.get("notes") or {}).get("selection") if isinstance(entry, Mapping) else None
        if isinstance(selection, Mapping):
            found.append(_selection_chart(str(entry.get("name")), selection))
    return (Heading("Selected columns"), *found) if found else ()


def _selection_chart(model: str, selection: Mapping[str, Any]) -> BarChart:
    kept = set(selection.get("columns") or ())
    bars = [
        Bar(f"{name} (kept)" if name in kept else str(name), float(share))
        for name, share in list((selection.get("frequency") or {}).items())[:_SELECTED]
    ]
    stability = selection.get("stability")
    said = (
        f"stability {stability:.2f} (1 is always the same choice)"
        if is_number(stability)
        else "stability not defined"
    )
    return BarChart(
        f"{model}: {len(kept)} of {selection.get('n_columns')} columns by {selection.get('method')} selection",
        f"Share of {selection.get('n_resamples')} resamples of patients in which each column was chosen; {said}.",
        Axis("share of resamples", 0.0, 1.0),
        tuple(bars),
        caption=f"Chosen inside the training patients over {selection.get('n_resamples')} resamples; {said}.",
    )


def _shap(found: Mapping[str, Any]) -> BarChart | None:
    rows = [
        row
        for row in found.get("shap") or []
        if isinstance(row, Mapping) and is_number(row.get("mean_absolute"))
    ]
    rows = sorted(rows, key=lambda row: -row["mean_absolute"])[:_BARS]
    if not rows:
        return None
    return BarChart(
        "SHAP: how far a column moves a prediction",
        f"Mean absolute SHAP value by column; the largest is {rows[0].get('column')}.",
        Axis("mean |SHAP value|" + _scale(found), 0.0),
        tuple(Bar(str(row.get("column", "")), row["mean_absolute"]) for row in rows),
        caption="Averaged over patients, in the unit of the model's own scale.",
    )


def _scale(found: Mapping[str, Any]) -> str:
    unit = found.get("unit") or found.get("scale")
    return f" ({unit})" if isinstance(unit, str) else ""


def _importance(result: Result, found: Mapping[str, Any]) -> BarChart | None:
    rows = [
        row
        for row in found.get("importance") or []
        if isinstance(row, Mapping) and is_number(row.get("value"))
    ]
    rows = sorted(rows, key=lambda row: -row["value"])[:_BARS]
    if not rows:
        return None
    loss = next((str(row["loss"]) for row in rows if isinstance(row.get("loss"), str)), "loss")
    return BarChart(
        "Permutation importance: what is lost without it",
        f"What a shuffled column adds to the {loss}; the most is by {rows[0].get('column')}.",
        Axis(f"added {loss} when shuffled"),
        tuple(
            Bar(
                str(row.get("column", "")),
                row["value"],
                number_or_none(row.get("low")),
                number_or_none(row.get("high")),
            )
            for row in rows
        ),
        caption="With intervals; on patients that the model "
        + ("has not seen." if result.validation in ("held-out", "time") else "was developed on, too."),
        colour=2,
    )


def _dependence(result: Result, found: Mapping[str, Any]) -> tuple[Block, ...]:
    curves = [curve for curve in found.get("partial_dependence") or [] if isinstance(curve, Mapping)]
    curves = [curve for curve in curves if curve.get("grid") and curve.get("mean")][:_CURVES]
    means = [value for curve in curves for _, means in _by_class(curve) for value in means]
    if not [value for value in means if is_number(value)]:
        return ()
    low, high = limits(means)
    if result.task != "continuous":
        low, high = max(low, 0.0), min(high, 1.0)
    label = "mean prediction" if result.task == "continuous" else "mean risk"
    charts = tuple(_curve(curve, Axis(label, low, high), result) for curve in curves)
    lead = Paragraph(
        "The mean prediction when a column is set to each value for every patient, all else as it is. All charts "
        "have the same axis for the prediction.",
        "lead",
    )
    return Heading("Partial dependence"), lead, Grid(charts, 3)


def _by_class(curve: Mapping[str, Any]) -> list[tuple[str, list[float]]]:
    """The means over the grid, as one list or as one for each class."""
    mean = list(curve["mean"])
    if mean and isinstance(mean[0], (list, tuple)):
        names = curve.get("classes") or [f"class {k}" for k in range(len(mean))]
        return [(str(name), list(values)) for name, values in zip(names, mean, strict=False)]
    return [("", mean)]


def _curve(curve: Mapping[str, Any], axis: Axis, result: Result) -> LineChart | BarChart:
    name, grid, parts = str(curve.get("column", "")), list(curve["grid"]), _by_class(curve)
    description = f"Mean prediction by {name}."
    if all(is_number(value) for value in grid):
        label = f"{name} ({_unit(result, name)})" if _unit(result, name) else name
        low, high = curve.get("low") or (), curve.get("high") or ()
        drawn = tuple(Series(part, grid, mean, *((low, high) if not part else ())) for part, mean in parts)
        return LineChart(name, description, Axis(label), axis, drawn, width=262, height=220)
    bars = tuple(
        Bar(f"{level}, {part}" if part else str(level), value)
        for part, mean in parts
        for level, value in zip(grid, mean, strict=False)
        if is_number(value)
    )
    caption = f"{_LEVELS} of {len(bars)} levels are shown." if len(bars) > _LEVELS else ""
    drawn_axis = Axis(axis.label, 0.0, axis.high)
    return BarChart(name, description, drawn_axis, bars[:_LEVELS], caption=caption, width=262)


def _unit(result: Result, name: str) -> str:
    columns = result.mapping("schema").get("columns") or ()
    return next(
        (
            str(c["unit"])
            for c in columns
            if isinstance(c, Mapping) and c.get("name") == name and c.get("unit")
        ),
        "",
    )
