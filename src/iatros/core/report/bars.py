"""Horizontal bars, drawn."""

from __future__ import annotations

from iatros.core.report.figures import BarChart
from iatros.core.report.markup import Markup, element, join
from iatros.core.report.numbers import number
from iatros.core.report.scales import Scale, fit, limits, text_width, tick_labels, ticks
from iatros.core.report.style import INK, MUTED
from iatros.core.report.style import SERIES as PALETTE

_ROW, _BOTTOM = 23, 42


def draw_bars(chart: BarChart) -> tuple[Markup, float]:
    """The bars and their axis, and the height in pixels."""
    label_width = min(max((text_width(bar.label) for bar in chart.bars), default=0.0) + 12, chart.width * 0.4)
    value_width = (
        max((text_width(number(bar.value, chart.digits), 11.5) for bar in chart.bars), default=0.0) + 12
    )
    bottom = 4.0 + _ROW * len(chart.bars)
    values = [value for bar in chart.bars for value in (bar.value, bar.low, bar.high)]
    low, high = limits([*values, 0.0], chart.x.low, chart.x.high, room=0.0)
    scale = Scale(low, high, label_width, chart.width - value_width)
    bars = [_bar(chart, k, scale, 4.0 + _ROW * k) for k in range(len(chart.bars))]
    zero = scale(0.0)
    line = element("line", x1=zero, x2=zero, y1=2, y2=bottom, stroke=MUTED)
    return join([_axis(chart, scale, bottom), *bars, line]), bottom + _BOTTOM


def _axis(chart: BarChart, scale: Scale, bottom: float) -> Markup:
    parts = []
    values = ticks(scale.low, scale.high, 4)
    for value, label in zip(values, tick_labels(values, percent=chart.x.percent), strict=True):
        x = scale(value)
        parts.append(element("line", x1=x, x2=x, y1=2, y2=bottom, stroke="#e9edf1"))
        parts.append(
            element("text", label, x=x, y=bottom + 15, fill=MUTED, font_size=11.5, text_anchor="middle")
        )
    middle = (scale.start + scale.end) / 2
    parts.append(element("text", chart.x.label, x=middle, y=bottom + 34, fill=INK, text_anchor="middle"))
    return join(parts)


def _bar(chart: BarChart, position: int, scale: Scale, top: float) -> Markup:
    bar, middle, zero = chart.bars[position], top + _ROW / 2, scale(0.0)
    end = scale(bar.value)
    colour = PALETTE[chart.colour % len(PALETTE)]
    shown = fit(bar.label, scale.start - 12)
    parts = [
        element(
            "text",
            element("title", bar.label),
            shown,
            x=scale.start - 8,
            y=middle + 4,
            fill=INK,
            text_anchor="end",
        ),
        element(
            "rect",
            x=min(zero, end),
            y=top + 4,
            width=abs(end - zero),
            height=_ROW - 8,
            fill=colour,
            fill_opacity=0.85,
        ),
        element(
            "text",
            number(bar.value, chart.digits),
            x=scale.end + 8,
            y=middle + 4,
            fill=MUTED,
            font_size=11.5,
        ),
    ]
    if bar.low is not None and bar.high is not None:
        left, right = scale(bar.low), scale(bar.high)
        parts.append(
            element("path", d=_whisker(left, right, middle), stroke=INK, stroke_width=1.2, fill="none")
        )
    return join(parts)


def _whisker(left: float, right: float, y: float) -> str:
    return f"M{left:.1f} {y:.1f}H{right:.1f}M{left:.1f} {y - 3:.1f}v6M{right:.1f} {y - 3:.1f}v6"
