"""Predictions drawn: against measurements, as ranking curves, and as calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Grid,
    Heading,
    LineChart,
    Paragraph,
    Points,
    Section,
    Series,
    Strip,
)
from iatros.core.report.numbers import count
from iatros.core.report_sections.reading import Result
from iatros.molecules.report_sections.words import endpoints, words, written

_MOST = 6
"""Endpoints that are drawn; the table of endpoints has all."""


def pictures_section(result: Result) -> Section:
    """Section: what was predicted against what was measured, for the first endpoints."""
    parts = {
        str(name): part
        for name, part in result.mapping("by_endpoint").items()
        if isinstance(part, Mapping) and isinstance(part.get("curves"), Mapping)
    }
    if not parts:
        return Section("Predictions against measurements", (result.absent("by_endpoint"),), "pictures")
    units = {str(one.get("name")): one.get("unit") for one in endpoints(result)}
    found: list[Block] = [
        Paragraph(
            "Left, whether compounds are ordered rightly; right, whether a prediction can be taken at its word: on the "
            "dashed line it can, above it the truth is higher than predicted.",
            "lead",
        )
    ]
    for name, part in list(parts.items())[:_MOST]:
        if len(parts) > 1:
            found.append(Heading(name))
        metrics = result.mapping("endpoint_metrics").get(name) or {}
        curves = part["curves"]
        if result.task == "binary":
            charts = (_roc(curves.get("roc"), metrics), _calibration(curves, metrics, "", binary=True))
        else:
            unit = f" ({units[name]})" if units.get(name) else ""
            charts = (
                _against(curves.get("points"), metrics, unit),
                _calibration(curves, metrics, unit, binary=False),
            )
        drawn = tuple(chart for chart in charts if chart is not None)
        if drawn:
            found.append(Grid(drawn))
    if len(parts) > _MOST:
        found.append(Paragraph(f"{count(len(parts) - _MOST)} more endpoints are not drawn.", "small"))
    return Section("Predictions against measurements", tuple(found), "pictures")


def _against(points: Any, metrics: Mapping[str, Any], unit: str) -> LineChart | None:
    if not isinstance(points, Mapping) or not points.get("observed"):
        return None
    both = [*points["observed"], *points["predicted"]]
    low, high = min(both), max(both)
    pad = 0.03 * (high - low or 1.0)
    ends = (low - pad, high + pad)
    corner = tuple(
        f"{words(name).label} {written(metrics[name], name)}" for name in ("rmse", "r2") if name in metrics
    )
    return LineChart(
        "Measured against predicted",
        f"Each of {count(len(points['observed']))} judged compounds. " + "; ".join(corner),
        Axis(f"predicted{unit}", *ends),
        Axis(f"measured{unit}", *ends),
        (Series("", ends, ends, dash="dashed", role="reference"),),
        points=(Points("compounds", points["predicted"], points["observed"], hollow=True),),
        corner=corner,
        height=400,
    )


def _roc(curve: Any, metrics: Mapping[str, Any]) -> LineChart | None:
    if not isinstance(curve, Mapping) or "fpr" not in curve:
        return None
    corner = tuple(
        f"{words(name).label} {written(metrics[name], name)}"
        for name in ("auroc", "auprc")
        if name in metrics
    )
    return LineChart(
        "ROC curve",
        "Share of actives found against share of inactives flagged. " + "; ".join(corner),
        Axis("1 − specificity (inactives flagged)", 0, 1),
        Axis("sensitivity (actives found)", 0, 1),
        (
            Series("", (0, 1), (0, 1), dash="dashed", role="reference"),
            Series("", curve["fpr"], curve["tpr"], curve.get("low") or (), curve.get("high") or ()),
        ),
        corner=corner,
        height=400,
    )


def _calibration(
    curves: Mapping[str, Any], metrics: Mapping[str, Any], unit: str, *, binary: bool
) -> LineChart | None:
    curve = curves.get("calibration")
    if not isinstance(curve, Mapping):
        return None
    smooth = curve.get("smooth") or {}
    bins = [row for row in curve.get("reliability") or [] if isinstance(row, Mapping)]
    grid = list(smooth.get("grid") or ())
    reach = [*grid, *(row.get("mean_predicted") for row in bins)]
    if not reach:
        return None
    ends = (0.0, 1.0) if binary else (min(reach), max(reach))
    series = [Series("ideal", ends, ends, dash="dashed", role="reference")]
    if grid:
        observed, low, high = (smooth.get(name) or () for name in ("observed", "low", "high"))
        series.append(Series("smooth curve", grid, observed, low, high))
    groups = Points(
        "groups of compounds",
        [row.get("mean_predicted") for row in bins],
        [row.get("observed") for row in bins],
        [row.get("low") for row in bins],
        [row.get("high") for row in bins],
        colour=1,
    )
    corner = tuple(
        f"{words(name).label} {written(metrics[name], name)}"
        for name in ("calibration_slope", "calibration_intercept")
        if name in metrics
    )
    axes = ("predicted probability", "observed share of actives") if binary else ("predicted", "measured")
    limits = (0.0, 1.0) if binary else (None, None)
    return LineChart(
        "Calibration",
        "Observed against predicted. " + "; ".join(corner),
        Axis(axes[0] + unit, *limits),
        Axis(axes[1] + unit, *limits),
        tuple(series),
        points=(groups,) if bins else (),
        strip=_strip(curve.get("histogram")),
        corner=corner,
        corner_at="top-left",
        height=400,
    )


def _strip(found: Any) -> Strip | None:
    """How the predictions are spread: actives above the line, inactives below."""
    if not isinstance(found, Mapping) or len(found.get("edges") or ()) < 2:
        return None
    if found.get("events") is not None:
        return Strip(found["edges"], found["events"], found.get("non_events") or (), "active", "inactive")
    counts = found.get("counts")
    return Strip(found["edges"], counts, upper_name="compounds") if counts is not None else None
