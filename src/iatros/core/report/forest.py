"""Forest plots, drawn: estimates with intervals under each other, one panel per estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from iatros.core.report.figures import ForestPanel, ForestPlot, ForestPoint, ForestRow
from iatros.core.report.markup import Markup, element, join
from iatros.core.report.numbers import interval, is_number, number
from iatros.core.report.scales import (
    Scale,
    fit,
    limits,
    log_limits,
    log_ticks,
    text_width,
    tick_labels,
    ticks,
)
from iatros.core.report.style import BLUE, FAINT, INK, MUTED, RULE

_ROW, _HEAD, _FOOT, _CELL, _GAP = 24.0, 26.0, 24.0, 50.0, 20.0
_BOLD = 1.18
"""How much wider bold letters are."""


@dataclass(frozen=True)
class _Panel:
    """A panel with its scale and the column in which its estimates are written."""

    panel: ForestPanel
    scale: Scale
    text_at: float


def draw_forest(plot: ForestPlot, identifier: str) -> tuple[Markup, float]:
    """The plot and its height in pixels."""
    labels = min(max((text_width(row.label) + 14 for row in plot.rows), default=60.0) + 8, plot.width * 0.3)
    start = labels + _CELL * len(plot.columns) + _GAP
    panels = _panels(plot, start)
    bottom = _HEAD + _ROW * len(plot.rows)
    parts = [_head(plot, panels, labels)]
    parts += [_panel_ground(panel, bottom, identifier, k) for k, panel in enumerate(panels)]
    for k, row in enumerate(plot.rows):
        parts.append(_row(plot, row, panels, labels, _HEAD + _ROW * k, identifier))
    return join(parts), bottom + _FOOT


def _panels(plot: ForestPlot, start: float) -> list[_Panel]:
    """Share the width left of `start` between the panels, each with its axis limits."""
    share = (plot.width - start) / max(len(plot.panels), 1)
    panels = []
    for k, panel in enumerate(plot.panels):
        written = [_written(row.points[k], panel.digits) for row in plot.rows if k < len(row.points)]
        # Spans are left out of the limits: they may be endless, and would squeeze all else to a dot.
        points = [row.points[k] for row in plot.rows if k < len(row.points) and row.kind != "span"]
        wider = _BOLD if any(_bold(row) for row in plot.rows) else 1.0
        text = wider * max((text_width(line, 11.5) for line in written), default=0.0) + 10
        left = start + share * k + (_GAP if k else 0)
        right = start + share * (k + 1) - text
        low, high = _panel_limits(panel, [point for point in points if point is not None])
        panels.append(
            _Panel(panel, Scale(low, high, left, max(right, left + 30), panel.log), start + share * (k + 1))
        )
    return panels


def _panel_limits(panel: ForestPanel, points: list[ForestPoint]) -> tuple[float, float]:
    values = [value for point in points for value in (point.value, point.low, point.high)]
    if panel.log:
        low, high = log_limits(values, panel.reference)
    else:
        low, high = limits([*values, panel.reference], panel.low, panel.high)
    return (low if panel.low is None else panel.low, high if panel.high is None else panel.high)


def _head(plot: ForestPlot, panels: list[_Panel], labels: float) -> Markup:
    columns = [
        _words(name, labels + _CELL * (k + 1), 15, size=11.5, fill=MUTED, end=True)
        for k, name in enumerate(plot.columns)
    ]
    titles = [_words(panel.panel.label, panel.scale.start, 15, size=12.5, bold=True) for panel in panels]
    rule = element("line", x1=0, x2=plot.width, y1=_HEAD - 3, y2=_HEAD - 3, stroke=INK, stroke_width=1.2)
    return join([*columns, *titles, rule])


def _words(
    text: str, x: float, y: float, *, size: float = 12, fill: str = INK, bold: bool = False, end: bool = False
) -> Markup:
    return element(
        "text",
        text,
        x=x,
        y=y,
        fill=fill,
        font_size=size,
        font_weight=600 if bold else None,
        text_anchor="end" if end else None,
    )


def _panel_ground(panel: _Panel, bottom: float, identifier: str, position: int) -> Markup:
    """Axis, ticks, the reference line, and the clip that keeps long intervals inside."""
    scale = panel.scale
    values = log_ticks(scale.low, scale.high) if scale.log else ticks(scale.low, scale.high, 3)
    labels = [_ratio(value) for value in values] if scale.log else tick_labels(values)
    parts = [
        element(
            "clipPath",
            element("rect", x=scale.start - 2, y=0, width=scale.end - scale.start + 4, height=bottom + 4),
            id=f"{identifier}-{position}",
        ),
        element("line", x1=scale.start, x2=scale.end, y1=bottom, y2=bottom, stroke=MUTED),
    ]
    for value, label in _apart(scale, values, labels, panel.panel.reference):
        x = scale(value)
        parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, stroke=MUTED))
        parts.append(
            element("text", label, x=x, y=bottom + 16, fill=MUTED, font_size=11, text_anchor="middle")
        )
    reference = panel.panel.reference
    if reference is not None and scale.holds(reference):
        x = scale(reference)
        parts.append(element("line", x1=x, x2=x, y1=_HEAD, y2=bottom, stroke=MUTED, stroke_dasharray="3 3"))
    return join(parts)


def _ratio(value: float) -> str:
    return number(value, 2).rstrip("0").rstrip(".")


def _apart(
    scale: Scale, values: list[float], labels: list[str], reference: float | None
) -> list[tuple[float, str]]:
    """The ticks whose labels do not touch; the reference's is placed first, then the outermost."""
    middle = scale.low if reference is None else reference
    order = sorted(
        range(len(values)), key=lambda k: (values[k] != middle, -abs(scale(values[k]) - scale(middle)))
    )
    kept: list[int] = []
    for k in order:
        room = text_width(labels[k], 11) / 2 + 7
        if all(abs(scale(values[k]) - scale(values[j])) > room + text_width(labels[j], 11) / 2 for j in kept):
            kept.append(k)
    return [(values[k], labels[k]) for k in sorted(kept)]


def _row(
    plot: ForestPlot, row: ForestRow, panels: list[_Panel], labels: float, top: float, identifier: str
) -> Markup:
    y = top + _ROW / 2 + 4
    inset = 12 if row.kind == "level" and any(other.kind == "heading" for other in plot.rows) else 0
    parts = [_ground(row, plot.width, top)]
    shown = fit(row.label, labels - inset - 6)
    parts.append(element("g", element("title", row.label), _words(shown, 4 + inset, y, bold=_bold(row))))
    parts += [
        _words(cell, labels + _CELL * (k + 1), y, size=11.5, end=True)
        for k, cell in enumerate(row.cells[: len(plot.columns)])
    ]
    if row.remark and panels:
        parts.append(_words(row.remark, panels[0].scale.start, y, size=11.5, fill=MUTED))
    parts += [
        _estimate(row, point, panel, top + _ROW / 2, f"{identifier}-{k}")
        for k, (panel, point) in enumerate(zip(panels, row.points, strict=False))
        if point is not None
    ]
    return join(parts)


def _bold(row: ForestRow) -> bool:
    return row.kind in ("heading", "pooled")


def _ground(row: ForestRow, width: float, top: float) -> Markup:
    if row.kind == "heading":
        return element("rect", x=0, y=top, width=width, height=_ROW, fill=FAINT)
    if row.kind == "pooled":
        return element("line", x1=0, x2=width, y1=top, y2=top, stroke=RULE)
    return Markup("")


def _estimate(row: ForestRow, point: ForestPoint, panel: _Panel, y: float, clip: str) -> Markup:
    scale, parts = panel.scale, []
    if is_number(point.low) and is_number(point.high):
        left, right = scale(point.low), scale(point.high)
        parts.append(element("line", x1=left, x2=right, y1=y, y2=y, stroke=BLUE, stroke_width=1.4))
        parts.append(_arrows(point, scale, y))
        if row.kind == "pooled" and is_number(point.value):
            parts.append(element("path", d=_diamond(left, scale(point.value), right, y), fill=BLUE))
    if row.kind == "level" and is_number(point.value):
        side = 5.0 + 6.0 * math.sqrt(min(max(row.weight, 0.0), 1.0))
        at = scale(point.value)
        parts.append(element("rect", x=at - side / 2, y=y - side / 2, width=side, height=side, fill=BLUE))
    written = _written(point, panel.panel.digits)
    return join(
        [
            element("g", *parts, clip_path=f"url(#{clip})"),
            _words(written, panel.text_at, y + 4, size=11.5, bold=_bold(row), end=True),
        ]
    )


def _diamond(left: float, middle: float, right: float, y: float) -> str:
    return f"M{left:.1f} {y:.1f}L{middle:.1f} {y - 7:.1f}L{right:.1f} {y:.1f}L{middle:.1f} {y + 7:.1f}Z"


def _arrows(point: ForestPoint, scale: Scale, y: float) -> Markup:
    """A head where an interval runs past the axis."""
    parts = []
    if point.low is not None and point.low < scale.low:
        parts.append(element("path", d=f"M{scale.start:.1f} {y}l7 -4v8Z", fill=BLUE))
    if point.high is not None and point.high > scale.high:
        parts.append(element("path", d=f"M{scale.end:.1f} {y}l-7 -4v8Z", fill=BLUE))
    return join(parts)


def _written(point: ForestPoint | None, digits: int) -> str:
    if point is None:
        return ""
    span = interval(point.low, point.high, digits)
    if point.value is None:
        return span or "not defined"
    return number(point.value, digits) + (f" ({span})" if span else "")
