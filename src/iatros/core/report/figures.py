"""What a chart shows, as data: the drawing is in `charts`, `forest`, `bars` and `flow`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Axis:
    """An axis; a limit left out is read off the data. `whole` marks whole numbers only, as of epochs."""

    label: str
    low: float | None = None
    high: float | None = None
    percent: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Series:
    """A line, with a band where `low` and `high` are given. `role` reference is grey and unobtrusive."""

    name: str
    x: Sequence[float | None]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    dash: Literal["solid", "dashed", "dotted"] = "solid"
    role: Literal["main", "reference"] = "main"
    colour: int | None = None
    """Place in the palette; by the order of the series where not given."""


@dataclass(frozen=True)
class Points:
    """Marks, with error bars where `low` and `high` are given and a word beside each where `labels` are."""

    name: str
    x: Sequence[float | None]
    y: Sequence[float | None]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    labels: Sequence[str] = ()
    colour: int = 0
    hollow: bool = False


@dataclass(frozen=True)
class Strip:
    """Counts under a chart that shares its x axis: `upper` bars upward, `lower` bars downward."""

    edges: Sequence[float]
    upper: Sequence[float]
    lower: Sequence[float] = ()
    upper_name: str = ""
    lower_name: str = ""


@dataclass(frozen=True)
class LineChart:
    """Lines, bands and points over two axes; `corner` is text in an empty corner of the plot."""

    title: str
    description: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    points: tuple[Points, ...] = ()
    strip: Strip | None = None
    corner: tuple[str, ...] = ()
    corner_at: Literal["bottom-right", "bottom-left", "top-left", "top-right"] = "bottom-right"
    caption: str = ""
    width: int = 404
    height: int = 340


@dataclass(frozen=True)
class Histogram:
    """Counts between edges."""

    title: str
    description: str
    x: Axis
    edges: Sequence[float]
    counts: Sequence[float]
    caption: str = ""
    width: int = 404
    height: int = 240


@dataclass(frozen=True)
class Bar:
    """One bar, its interval where known."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class BarChart:
    """Horizontal bars under each other, on one axis that holds zero."""

    title: str
    description: str
    x: Axis
    bars: tuple[Bar, ...]
    caption: str = ""
    digits: int = 3
    colour: int = 0
    width: int = 404


@dataclass(frozen=True)
class ForestPoint:
    """An estimate in one panel of a forest plot; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ForestRow:
    """A row: its label, one cell of text per text column, one estimate per panel.

    `kind`: level is a square sized by `weight`, pooled a diamond, span a bare line (a prediction
    interval), heading text alone.
    """

    label: str
    points: tuple[ForestPoint | None, ...] = ()
    cells: tuple[str, ...] = ()
    kind: Literal["level", "pooled", "span", "heading"] = "level"
    weight: float = 1.0
    remark: str = ""
    """Stands where the estimates would, such as why there are none."""


@dataclass(frozen=True)
class ForestPanel:
    """One estimate's axis; `reference` is the dashed line, `log` the scale of ratios."""

    label: str
    reference: float | None = None
    log: bool = False
    low: float | None = None
    high: float | None = None
    digits: int = 2


@dataclass(frozen=True)
class ForestPlot:
    """Estimates with intervals under each other, in one or more panels that share the rows."""

    title: str
    description: str
    panels: tuple[ForestPanel, ...]
    rows: tuple[ForestRow, ...]
    columns: tuple[str, ...] = ()
    caption: str = ""
    width: int = 840


@dataclass(frozen=True)
class FlowStep:
    """A box of a flow diagram: a name, then lines of counts and remarks. `lost` stands beside the arrow to it."""

    name: str
    lines: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class FlowDiagram:
    """Steps one under the other, then `branches` side by side."""

    title: str
    description: str
    steps: tuple[FlowStep, ...]
    branches: tuple[FlowStep, ...] = ()
    caption: str = ""
    width: int = 840


Figure = LineChart | Histogram | BarChart | ForestPlot | FlowDiagram
