"""From values to pixels: scales, round ticks, and about how wide a text will be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iatros.core.report.numbers import number

_NARROW = frozenset("iljtfrI.,:;'|!()[]/ -")
_WIDE = frozenset("mwMW@%")


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic map of [low, high] to pixels [start, end]."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of `value`, kept within a screen of the plot so that far values stay drawable."""
        low, high, at = self.low, self.high, float(value)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(max(at, 1e-12))
        share = (at - low) / (high - low)
        return self.start + min(max(share, -1.0), 2.0) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether `value` lies on the axis."""
        slack = 1e-9 * (abs(self.low) + abs(self.high))
        return self.low - slack <= value <= self.high + slack


def finite(values: Iterable[float | None]) -> list[float]:
    """The values that are numbers."""
    return [float(value) for value in values if value is not None and math.isfinite(value)]


def limits(
    values: Iterable[float | None], low: float | None = None, high: float | None = None, *, room: float = 0.04
) -> tuple[float, float]:
    """Axis limits around `values`; a limit that is given is kept."""
    known = finite(values) or [0.0, 1.0]
    bottom = min(known) if low is None else low
    top = max(known) if high is None else high
    if top <= bottom:
        top = bottom + (abs(bottom) * 0.1 or 1.0) if high is None else high
        bottom = top - (abs(top) * 0.2 or 1.0) if low is None or top <= bottom else bottom
    span = top - bottom
    return (bottom - room * span if low is None else low, top + room * span if high is None else high)


def log_limits(values: Iterable[float | None], reference: float | None) -> tuple[float, float]:
    """Limits of a ratio axis, at least a factor 1.25 to each side of the reference and at most 20."""
    known = [value for value in finite(values) if value > 0] + [reference or 1.0]
    middle = reference or 1.0
    low = max(min(min(known) / 1.08, middle / 1.25), middle / 20)
    high = min(max(max(known) * 1.08, middle * 1.25), middle * 20)
    return low, high


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values within [low, high], about `count` of them.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    raw = (high - low) / max(count, 1)
    base = 10.0 ** math.floor(math.log10(raw))
    step = base * min((1, 2, 2.5, 5, 10), key=lambda factor: abs(math.log(factor * base / raw)))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Ratios that people name, within [low, high]."""
    named = (0.05, 0.1, 0.2, 0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 10, 20)
    within = [value for value in named if low <= value <= high]
    return within if len(within) <= 5 else [v for v in within if v in (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 10)]


def tick_labels(values: Sequence[float], *, percent: bool = False) -> list[str]:
    """Labels of one axis, all with the same number of decimals."""
    shown = [value * 100 for value in values] if percent else list(values)
    digits = 0
    while digits < 6 and any(
        abs(value - round(value, digits)) > 1e-9 * max(1.0, abs(value)) for value in shown
    ):
        digits += 1
    return [number(value, digits) + ("%" if percent else "") for value in shown]


def text_width(text: str, size: float = 12.0) -> float:
    """About how many pixels `text` takes in a sans-serif face."""
    return size * sum(_character(character) for character in text)


def fit(text: str, width: float, size: float = 12.0) -> str:
    """`text`, shortened with an ellipsis where it is wider than `width` pixels."""
    if text_width(text, size) <= width:
        return text
    kept = ""
    for character in text:
        if text_width(kept + character + "…", size) > width:
            break
        kept += character
    return kept.rstrip() + "…"


def wrap(text: str, width: float, size: float = 12.0) -> list[str]:
    """`text` in lines of at most `width` pixels; a word that is wider is shortened."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(fit(word, width, size))
    return lines


def _character(character: str) -> float:
    if character in _NARROW:
        return 0.32
    if character in _WIDE:
        return 0.88
    if ord(character) > 0x2E7F:
        return 1.0
    return 0.69 if character.isupper() else 0.556
