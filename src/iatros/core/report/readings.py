"""The numbers behind a figure, as a table: for screen readers, for copying, for checking."""

from __future__ import annotations

from collections.abc import Sequence

from iatros.core.report.document import Row, Table
from iatros.core.report.figures import BarChart, Figure, ForestPlot, Histogram, LineChart, Points, Series
from iatros.core.report.numbers import count, interval, number, rounded

_MOST = 26
"""Rows of one line in a table: enough to follow it, few enough to read."""


def readings(figure: Figure) -> Table | None:
    """What `figure` shows, in rows; None where the figure is text already (a flow diagram)."""
    if isinstance(figure, LineChart):
        return _lines(figure)
    if isinstance(figure, Histogram):
        rows = zip(figure.edges[:-1], figure.edges[1:], figure.counts, strict=True)
        return _table(
            (f"{figure.x.label}, from", "to", "patients"),
            [(rounded(low), rounded(high), count(n)) for low, high, n in rows],
        )
    if isinstance(figure, BarChart):
        cells = [
            (b.label, number(b.value, figure.digits), interval(b.low, b.high, figure.digits))
            for b in figure.bars
        ]
        return _table(("", figure.x.label, "interval"), cells)
    if isinstance(figure, ForestPlot):
        return _forest(figure)
    return None


def _lines(chart: LineChart) -> Table:
    rows = [row for series in chart.series if series.role == "main" for row in _line(series)]
    rows += [row for points in chart.points for row in _marks(points)]
    table = _table(("series", chart.x.label, chart.y.label, "interval"), rows)
    if any(len(series.x) > _MOST for series in chart.series):
        return Table(
            table.columns, table.rows, foot="Long lines are thinned evenly.", right=table.right, compact=True
        )
    return table


def _line(series: Series) -> list[tuple[str, ...]]:
    total = min(len(series.x), len(series.y))
    last = total - 1
    kept = range(total) if total <= _MOST else sorted({round(k * last / (_MOST - 1)) for k in range(_MOST)})
    return [_reading(series, k) for k in kept]


def _marks(points: Points) -> list[tuple[str, ...]]:
    return [_reading(points, k) for k in range(min(len(points.x), len(points.y)))]


def _reading(drawn: Series | Points, k: int) -> tuple[str, ...]:
    label = drawn.labels[k] if isinstance(drawn, Points) and k < len(drawn.labels) else ""
    span = interval(_at(drawn.low, k), _at(drawn.high, k))
    return (f"{drawn.name} {label}".strip(), rounded(drawn.x[k]), rounded(drawn.y[k]), span)


def _at(values: Sequence[float | None], k: int) -> float | None:
    return values[k] if k < len(values) else None


def _forest(plot: ForestPlot) -> Table:
    header = ("", *plot.columns, *(panel.label for panel in plot.panels))
    rows = []
    for row in plot.rows:
        cells = list(row.cells) + [""] * (len(plot.columns) - len(row.cells))
        for k, panel in enumerate(plot.panels):
            point = row.points[k] if k < len(row.points) else None
            span = interval(point.low, point.high, panel.digits) if point else ""
            cells.append(
                f"{number(point.value, panel.digits)} ({span})" if point else row.remark if k == 0 else ""
            )
        rows.append((row.label, *cells))
    return _table(header, rows)


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    return Table(columns, tuple(Row(row) for row in rows), right=tuple(range(1, len(columns))), compact=True)
