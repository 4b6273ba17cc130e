"""Flow diagrams, drawn: boxes one under the other, what was lost beside the arrows, branches at the foot."""

from __future__ import annotations

from dataclasses import dataclass

from iatros.core.report.figures import FlowDiagram, FlowStep
from iatros.core.report.markup import Markup, element, join
from iatros.core.report.scales import fit, wrap
from iatros.core.report.style import BLUE, FAINT, GREY, INK, MUTED

_LINE, _PAD, _GAP, _MAIN, _SIDE = 17.0, 11.0, 30.0, 412.0, 330.0
_CENTRE = 0.5 + _MAIN / 2


@dataclass(frozen=True)
class _Box:
    """A box with its text already in lines; the first is its name."""

    x: float
    y: float
    width: float
    lines: tuple[tuple[str, str], ...]
    """(text, role), role one of name, line, lost."""

    @property
    def height(self) -> float:
        return 2 * _PAD + _LINE * len(self.lines) - 3


def draw_flow(diagram: FlowDiagram) -> tuple[Markup, float]:
    """The diagram and its height in pixels."""
    parts: list[Markup] = []
    y, previous = 2.0, None
    alone = len(diagram.branches) == 1
    for step in (*diagram.steps, *(diagram.branches if alone else ())):
        lost = _lost(step, y) if previous is not None and step.lost else None
        if previous is not None:
            y = (lost.y + lost.height + 10) if lost else y + _GAP
            parts.append(_arrow(_CENTRE, previous.y + previous.height, y))
        if lost:
            parts += [_branch_line(_CENTRE, diagram.width - _SIDE, lost.y + lost.height / 2), _draw(lost)]
        previous = _box(step, 0.5, y, _MAIN)
        parts.append(_draw(previous))
        y = previous.y + previous.height
    if diagram.branches and previous is not None and not alone:
        drawn, y = _branches(diagram, y)
        parts.append(drawn)
    return join(parts), y + 3


def _box(step: FlowStep, x: float, y: float, width: float) -> _Box:
    lines = [(line, "name") for line in wrap(step.name, width - 24, 13)]
    lines += [(part, "line") for line in step.lines for part in wrap(line, width - 24)]
    return _Box(x, y, width, tuple(lines))


def _lost(step: FlowStep, y: float) -> _Box:
    lines = tuple((part, "lost") for line in step.lost for part in wrap(line, _SIDE - 24))
    return _Box(840 - _SIDE - 0.5, y + 10, _SIDE, lines)


def _draw(box: _Box) -> Markup:
    aside = box.lines[0][1] == "lost"
    parts = [
        element(
            "rect",
            x=box.x,
            y=box.y,
            width=box.width,
            height=box.height,
            rx=3,
            fill="#fff" if aside else FAINT,
            stroke=GREY if aside else BLUE,
            stroke_dasharray="3 3" if aside else None,
        )
    ]
    for k, (line, role) in enumerate(box.lines):
        y = box.y + _PAD + 10 + _LINE * k
        bold = 600 if role == "name" else None
        fill = INK if role != "lost" else MUTED
        size = 13 if role == "name" else 12
        shown = fit(line, box.width - 20, size)
        parts.append(element("text", shown, x=box.x + 12, y=y, fill=fill, font_size=size, font_weight=bold))
    return join(parts)


def _arrow(x: float, top: float, bottom: float) -> Markup:
    return join(
        [
            element("line", x1=x, x2=x, y1=top, y2=bottom - 5, stroke=GREY, stroke_width=1.3),
            element("path", d=f"M{x:.1f} {bottom - 0.5:.1f}l-4 -7h8Z", fill=GREY),
        ]
    )


def _branch_line(left: float, right: float, y: float) -> Markup:
    return element("line", x1=left, x2=right, y1=y, y2=y, stroke=GREY, stroke_dasharray="3 3")


def _branches(diagram: FlowDiagram, top: float) -> tuple[Markup, float]:
    """Boxes in rows of up to four below a common line."""
    each_row = min(len(diagram.branches), 4)
    width = (diagram.width - 1 - 16.0 * (each_row - 1)) / each_row
    rail, y = top + 16, top + 34
    centres = [0.5 + k * (width + 16) + width / 2 for k in range(each_row)]
    ends = min(*centres, _CENTRE), max(*centres, _CENTRE)
    parts = [
        element(
            "path",
            d=f"M{_CENTRE:.1f} {top:.1f}V{rail:.1f}M{ends[0]:.1f} {rail:.1f}H{ends[1]:.1f}",
            stroke=GREY,
            fill="none",
            stroke_width=1.3,
        )
    ]
    for first in range(0, len(diagram.branches), each_row):
        row = diagram.branches[first : first + each_row]
        boxes = [_box(step, 0.5 + k * (width + 16), y, width) for k, step in enumerate(row)]
        if first == 0:
            parts += [_arrow(centre, rail, y) for centre in centres]
        parts += [_draw(box) for box in boxes]
        y += max(box.height for box in boxes) + 14
    return join(parts), y - 14
