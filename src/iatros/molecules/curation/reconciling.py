"""One measurement for each compound, from all that were made of it; contradictions are found, not averaged away."""

from __future__ import annotations

import math
import statistics
from array import array
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from iatros.molecules.schema import Measurement


class Reconciled(NamedTuple):
    """What is taken as the measurement of a compound.

    `relation` is exact, above, below or between (then `value` is the middle of `low` and `high`), or empty
    where there is no measurement. `low` and `high` are the lowest and the highest exact measurement, or the
    bounds. `spread` is their difference where there are several exact ones. `conflict` says what contradicts
    what; then `value` is still what would be kept.
    """

    value: float | None = None
    relation: str = ""
    label: str = ""
    low: float | None = None
    high: float | None = None
    spread: float | None = None
    n_exact: int = 0
    n_censored: int = 0
    conflict: str = ""


class Measured:
    """The measurements of one compound, taken in one by one; their order does not matter.

    >>> Measured([Measurement(5.0), Measurement(5.4), Measurement(6.9)]).reconciled(2.0)[:2]
    (5.4, 'exact')
    >>> Measured([Measurement(5.0, "below"), Measurement(4.7, "below")]).reconciled(1.0)[:2]
    (4.7, 'below')
    """

    def __init__(self, measurements: Iterable[Measurement] = ()) -> None:
        self.exact = array("d")
        self.above: float | None = None
        self.below: float | None = None
        self.n_censored = 0
        self.labels: Counter[str] = Counter()
        for measurement in measurements:
            self.add(measurement)

    def add(self, measurement: Measurement) -> None:
        """Take in one measurement."""
        value, relation, label = measurement
        if value is None:
            self.labels[label] += 1
        elif relation == "exact":
            self.exact.append(value)
        elif relation == "above":
            self.above = value if self.above is None else max(self.above, value)
            self.n_censored += 1
        else:
            self.below = value if self.below is None else min(self.below, value)
            self.n_censored += 1

    def reconciled(self, max_spread: float | None) -> Reconciled:
        """The one measurement that stands for all.

        Exact ones give their median, and a bound beside them is only checked against it. Bounds alone give
        the tightest one, or both as an interval. A conflict is a spread above `max_spread` (no limit where
        it is None), a bound that the median breaks by more than that, or bounds that exclude each other. Of
        classes the one that most name is taken, none where they tie; any contradiction is a conflict.
        """
        if self.labels:
            return self._from_labels()
        return self._from_exact(max_spread) if self.exact else self._from_bounds()

    def _from_exact(self, max_spread: float | None) -> Reconciled:
        middle = _without_noise(statistics.median(self.exact))
        low, high = min(self.exact), max(self.exact)
        allowed = max_spread or 0.0
        conflict = ""
        if max_spread is not None and _exceeds(high - low, allowed):
            conflict = f"measurements differ by {high - low:.3g}"
        elif self.above is not None and _exceeds(self.above - allowed, middle):
            conflict = f"the median {middle:.4g} lies below the bound {self.above:.4g}"
        elif self.below is not None and _exceeds(middle, self.below + allowed):
            conflict = f"the median {middle:.4g} lies above the bound {self.below:.4g}"
        n = len(self.exact)
        spread = _without_noise(high - low) if n > 1 else None
        return Reconciled(middle, "exact", "", low, high, spread, n, self.n_censored, conflict)

    def _from_bounds(self) -> Reconciled:
        above, below, n = self.above, self.below, self.n_censored
        if above is None:
            return Reconciled() if below is None else Reconciled(below, "below", high=below, n_censored=n)
        if below is None:
            return Reconciled(above, "above", low=above, n_censored=n)
        if _exceeds(above, below):
            said = f"the bounds exclude each other: above {above:.4g} and below {below:.4g}"
            return Reconciled(low=below, high=above, n_censored=n, conflict=said)
        return Reconciled(_without_noise((above + below) / 2), "between", low=above, high=below, n_censored=n)

    def _from_labels(self) -> Reconciled:
        n = self.labels.total()
        ranked = sorted(self.labels.items(), key=lambda item: (-item[1], item[0]))
        if len(ranked) == 1:
            return Reconciled(None, "exact", ranked[0][0], n_exact=n)
        said = "classes differ: " + ", ".join(f"{label} in {count}" for label, count in sorted(ranked))
        if ranked[0][1] == ranked[1][1]:
            return Reconciled(n_exact=n, conflict=said)
        return Reconciled(None, "exact", ranked[0][0], n_exact=n, conflict=said)


def _exceeds(one: float, other: float) -> bool:
    """Whether `one` is above `other` by more than the rounding of floating point."""
    return one > other and not math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def _without_noise(value: float) -> float:
    """`value` in twelve figures, which is more than any assay has."""
    return float(f"{value:.12g}")
