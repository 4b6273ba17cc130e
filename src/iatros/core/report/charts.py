"""Figures drawn as SVG: lines with bands, points, counts under a plot, histograms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from iatros.core.report.bars import draw_bars
from iatros.core.report.figures import (
    Axis,
    BarChart,
    Figure,
    ForestPlot,
    Histogram,
    LineChart,
    Points,
    Series,
    Strip,
)
from iatros.core.report.flow import draw_flow
from iatros.core.report.forest import draw_forest
from iatros.core.report.markup import Markup, element, join
from iatros.core.report.numbers import is_number
from iatros.core.report.scales import Scale, limits, text_width, tick_labels, ticks
from iatros.core.report.style import FAINT, GREY, INK, MUTED, RULE
from iatros.core.report.style import SERIES as PALETTE

_DASHES = {"solid": None, "dashed": "6 4", "dotted": "1.5 3.5"}
_MANY = 60
_LEFT, _RIGHT, _BOTTOM, _STRIP = 54, 12, 44, 58


def draw(figure: Figure, identifier: str) -> Markup:
    """`figure` as one `<svg>` with a title and a description for screen readers; `identifier` is unique on the page."""
    if isinstance(figure, LineChart):
        body, height = _line_chart(figure, identifier)
    elif isinstance(figure, Histogram):
        body, height = _histogram(figure)
    elif isinstance(figure, BarChart):
        body, height = draw_bars(figure)
    elif isinstance(figure, ForestPlot):
        body, height = draw_forest(figure, identifier)
    else:
        body, height = draw_flow(figure)
    return element(
        "svg",
        element("title", figure.title, id=f"{identifier}-title"),
        element("desc", figure.description, id=f"{identifier}-desc"),
        body,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {figure.width} {round(height)}",
        role="img",
        aria_labelledby=f"{identifier}-title {identifier}-desc",
        style=f"max-width:{figure.width}px",
    )


@dataclass(frozen=True)
class _Frame:
    """The plot area: scales and its top and bottom in pixels."""

    x: Scale
    y: Scale
    top: float
    bottom: float


def _line_chart(chart: LineChart, identifier: str) -> tuple[Markup, float]:
    legend, legend_height = _legend(chart)
    top, strip = legend_height + 8, _STRIP if chart.strip else 0
    bottom = float(chart.height - _BOTTOM - strip)
    frame = _frame(chart, top, bottom)
    clip = element(
        "clipPath",
        element(
            "rect", x=frame.x.start, y=top - 3, width=frame.x.end - frame.x.start + 3, height=bottom - top + 6
        ),
        id=f"{identifier}-clip",
    )
    marks = [_band(series, frame, _colour(chart, k)) for k, series in enumerate(chart.series)]
    marks += [_line(series, frame, _colour(chart, k)) for k, series in enumerate(chart.series)]
    marks += [_points(points, frame) for points in chart.points]
    parts = [
        legend,
        clip,
        _axes(frame, chart.x, chart.y, strip),
        element("g", *marks, clip_path=f"url(#{identifier}-clip)"),
        _corner(chart, frame),
    ]
    if chart.strip:
        parts.append(_strip(chart.strip, frame, bottom + 8, bottom + strip - 2))
    return join(parts), chart.height


def _frame(chart: LineChart, top: float, bottom: float) -> _Frame:
    every: tuple[Series | Points, ...] = (*chart.series, *chart.points)
    xs = [value for drawn in every for value in drawn.x]
    ys = [value for drawn in every for values in (drawn.y, drawn.low, drawn.high) for value in values]
    x_low, x_high = limits(xs, chart.x.low, chart.x.high, room=0.0 if chart.series else 0.04)
    y_low, y_high = limits(ys, chart.y.low, chart.y.high)
    return _Frame(
        Scale(x_low, x_high, _LEFT, chart.width - _RIGHT), Scale(y_low, y_high, bottom, top), top, bottom
    )


def _colour(chart: LineChart, position: int) -> str:
    series = chart.series[position]
    if series.role == "reference":
        return GREY
    before = sum(other.role == "main" for other in chart.series[:position])
    return PALETTE[(before if series.colour is None else series.colour) % len(PALETTE)]


def _axes(frame: _Frame, x: Axis, y: Axis, strip: float) -> Markup:
    left, right, floor = frame.x.start, frame.x.end, frame.bottom + strip
    parts: list[Markup] = []
    y_ticks = ticks(frame.y.low, frame.y.high)
    for value, label in zip(y_ticks, tick_labels(y_ticks, percent=y.percent), strict=True):
        at = frame.y(value)
        parts.append(_rule(left, right, at, "#e9edf1"))
        parts.append(_text(label, left - 7, at + 4, anchor="end", size=11.5))
    x_ticks = ticks(frame.x.low, frame.x.high, 5 if right - left > 240 else 3)
    x_ticks = [value for value in x_ticks if value == round(value)] if x.whole else x_ticks
    for value, label in zip(x_ticks, tick_labels(x_ticks, percent=x.percent), strict=True):
        at = frame.x(value)
        parts.append(element("line", x1=at, x2=at, y1=floor, y2=floor + 4, stroke=MUTED))
        inside = right + _RIGHT - text_width(label) / 2  # the last label may be wide
        parts.append(_text(label, min(at, inside), floor + 16, anchor="middle", size=11.5))
    parts += [_rule(left, right, height, MUTED) for height in sorted({frame.bottom, floor})]
    parts.append(_text(x.label, (left + right) / 2, floor + 35, anchor="middle", fill=INK))
    middle = (frame.top + frame.bottom) / 2
    turned = f"rotate(-90 12 {middle:.1f})"
    parts.append(element("text", y.label, x=12, y=middle, fill=INK, text_anchor="middle", transform=turned))
    return join(parts)


def _rule(left: float, right: float, y: float, colour: str) -> Markup:
    return element("line", x1=left, x2=right, y1=y, y2=y, stroke=colour)


def _text(
    text: str, x: float, y: float, *, anchor: str = "start", size: float = 12.0, fill: str = MUTED
) -> Markup:
    return element("text", text, x=x, y=y, fill=fill, font_size=size, text_anchor=anchor)


def _segments(series: Series, frame: _Frame) -> list[list[tuple[float, float]]]:
    """Pixels of the line in unbroken pieces; points closer than half a pixel are merged."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(series.x, series.y, strict=False):
        if not is_number(x) or not is_number(y):
            pieces.append([])
            continue
        at = (frame.x(x), frame.y(y))
        piece = pieces[-1]
        if len(piece) > 1 and abs(at[0] - piece[-1][0]) + abs(at[1] - piece[-1][1]) < 0.5:
            continue
        piece.append(at)
    return [piece for piece in pieces if len(piece) > 1]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _line(series: Series, frame: _Frame, colour: str) -> Markup:
    main = series.role == "main"
    return join(
        [
            element(
                "path",
                d=_path(piece),
                fill="none",
                stroke=colour,
                stroke_width=2.0 if main else 1.2,
                stroke_dasharray=_DASHES[series.dash],
                stroke_linejoin="round",
            )
            for piece in _segments(series, frame)
        ]
    )


def _band(series: Series, frame: _Frame, colour: str) -> Markup:
    if not len(series.low) or not len(series.high):
        return Markup("")
    rows = [
        (x, low, high)
        for x, low, high in zip(series.x, series.low, series.high, strict=False)
        if is_number(x) and is_number(low) and is_number(high)
    ]
    if len(rows) < 2:
        return Markup("")
    upper = [(frame.x(x), frame.y(high)) for x, _, high in rows]
    lower = [(frame.x(x), frame.y(low)) for x, low, _ in reversed(rows)]
    return element("path", d=_path(upper + lower) + "Z", fill=colour, fill_opacity=0.14)


def _points(points: Points, frame: _Frame) -> Markup:
    """Marks with error bars; many of them are drawn small and see-through."""
    colour = PALETTE[points.colour % len(PALETTE)]
    many = len(points.x) > _MANY
    parts: list[Markup] = []
    for k, (x, y) in enumerate(zip(points.x, points.y, strict=False)):
        if not is_number(x) or not is_number(y):
            continue
        at_x, at_y = frame.x(x), frame.y(y)
        low, high = (ends[k] if k < len(ends) else None for ends in (points.low, points.high))
        if is_number(low) and is_number(high):
            d = f"M{at_x:.1f} {frame.y(low):.1f}V{frame.y(high):.1f}"
            parts.append(
                element("path", d=d, stroke=colour, stroke_width=1.2, opacity=0.45 if many else None)
            )
        fill = "#fff" if points.hollow else colour
        parts.append(
            element(
                "circle", cx=at_x, cy=at_y, r=1.5 if many else 3.6, fill=fill, stroke=colour, stroke_width=1.4
            )
        )
        if k < len(points.labels):
            parts.append(_text(points.labels[k], at_x + 8, at_y + 4, size=11, fill=INK))
    return join(parts)


def _legend(chart: LineChart) -> tuple[Markup, float]:
    """Swatches and names in rows above the plot; a chart of one line needs none."""
    swatches: list[tuple[str, Callable[[float, float], Markup]]] = [
        (series.name, partial(_line_swatch, series, _colour(chart, k)))
        for k, series in enumerate(chart.series)
        if series.name
    ]
    swatches += [(points.name, partial(_dot_swatch, points)) for points in chart.points if points.name]
    if len(swatches) < 2:
        return Markup(""), 0.0
    parts, x, y = [], float(_LEFT), 10.0
    for name, swatch in swatches:
        wide = 26 + text_width(name, 11.5)
        if x > _LEFT and x + wide > chart.width:
            x, y = float(_LEFT), y + 18
        parts += [swatch(x, y), _text(name, x + 26, y + 4, size=11.5, fill=INK)]
        x += wide + 16
    return join(parts), y + 10


def _line_swatch(series: Series, colour: str, x: float, y: float) -> Markup:
    dash = _DASHES[series.dash]
    return element("line", x1=x, x2=x + 20, y1=y, y2=y, stroke=colour, stroke_width=2, stroke_dasharray=dash)


def _dot_swatch(points: Points, x: float, y: float) -> Markup:
    colour = PALETTE[points.colour % len(PALETTE)]
    fill = "#fff" if points.hollow else colour
    return element("circle", cx=x + 10, cy=y, r=3.6, fill=fill, stroke=colour, stroke_width=1.4)


def _corner(chart: LineChart, frame: _Frame) -> Markup:
    if not chart.corner:
        return Markup("")
    right, low = chart.corner_at.endswith("right"), chart.corner_at.startswith("bottom")
    x = frame.x.end - 8 if right else frame.x.start + 10
    first = frame.bottom - 10 - 17 * (len(chart.corner) - 1) if low else frame.top + 18
    wide = max(text_width(line) for line in chart.corner) + 12
    box = element(
        "rect",
        x=x - wide + 6 if right else x - 6,
        y=first - 15,
        width=wide,
        height=17 * len(chart.corner) + 5,
        fill="#fff",
        fill_opacity=0.86,
    )
    lines = [
        _text(line, x, first + 17 * k, anchor="end" if right else "start", fill=INK)
        for k, line in enumerate(chart.corner)
    ]
    return join([box, *lines])


def _strip(strip: Strip, frame: _Frame, top: float, bottom: float) -> Markup:
    tallest = max((*strip.upper, *strip.lower, 1))
    middle = (top + bottom) / 2 if len(strip.lower) else bottom
    parts: list[Markup] = []
    for k, (left, right) in enumerate(zip(strip.edges[:-1], strip.edges[1:], strict=True)):
        x, wide = frame.x(left), max(frame.x(right) - frame.x(left) - 0.8, 0.6)
        up = (middle - top) * strip.upper[k] / tallest
        parts.append(element("rect", x=x, y=middle - up, width=wide, height=up, fill=PALETTE[1]))
        if len(strip.lower):
            down = (bottom - middle) * strip.lower[k] / tallest
            parts.append(element("rect", x=x, y=middle, width=wide, height=down, fill=GREY))
    if len(strip.lower):
        parts.append(element("line", x1=frame.x.start, x2=frame.x.end, y1=middle, y2=middle, stroke=RULE))
    parts.append(_text(strip.upper_name, frame.x.end, top + 8, anchor="end", size=10.5, fill="#a84a0b"))
    parts.append(_text(strip.lower_name, frame.x.end, bottom - 3, anchor="end", size=10.5))
    return join(parts)


def _histogram(chart: Histogram) -> tuple[Markup, float]:
    bottom = float(chart.height - _BOTTOM)
    x_low, x_high = limits(chart.edges, chart.x.low, chart.x.high, room=0.0)
    _, y_high = limits(chart.counts, 0.0)
    frame = _Frame(
        Scale(x_low, x_high, _LEFT, chart.width - _RIGHT), Scale(0.0, y_high, bottom, 8.0), 8.0, bottom
    )
    bars = [
        element(
            "rect",
            x=frame.x(left),
            y=frame.y(height),
            width=max(frame.x(right) - frame.x(left) - 1, 0.6),
            height=bottom - frame.y(height),
            fill=PALETTE[0],
        )
        for left, right, height in zip(chart.edges[:-1], chart.edges[1:], chart.counts, strict=True)
    ]
    ground = element(
        "rect", x=_LEFT, y=8, width=frame.x.end - _LEFT, height=bottom - 8, fill=FAINT, fill_opacity=0.4
    )
    return join([ground, _axes(frame, chart.x, Axis("patients"), 0), *bars]), chart.height
