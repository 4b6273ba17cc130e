"""How strong a confounder that nobody measured would have to be: the E-value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from iatros.core.intervals import Metric


@dataclass(frozen=True)
class EValue:
    """Smallest risk ratio that an unmeasured confounder must have with both treatment and outcome, given what was
    measured, to explain the estimate away (`point`), or to move its interval to no effect (`interval`; 1 where the
    interval holds no effect already). `ratio` is the risk ratio it was computed from."""

    point: float
    interval: float
    ratio: float
    scale: str


def e_value(ratio: float) -> float:
    """RR + sqrt(RR (RR - 1)), of 1/RR where RR is below 1 (VanderWeele and Ding 2017).

    >>> round(e_value(3.9), 2), round(e_value(0.5), 2)
    (7.26, 3.41)
    """
    above = ratio if ratio >= 1 else 1 / ratio
    return above + math.sqrt(above * (above - 1))


def e_value_of_ratio(ratio: Metric, scale: str = "ratio of the two means") -> EValue:
    """The E-value of a ratio of probabilities or of mean times and of its interval."""
    nearest = ratio.low if ratio.value >= 1 else ratio.high
    crosses = ratio.low <= 1 <= ratio.high
    return EValue(e_value(ratio.value), 1.0 if crosses else e_value(nearest), ratio.value, scale)


def e_value_of_difference(difference: Metric, standard_deviation: float) -> EValue:
    """The E-value of a difference of means by RR = exp(0.91 d), with d in standard deviations of the outcome.

    VanderWeele and Ding 2017, after Chinn 2000. An outcome that does not vary has no E-value: all are nan.
    """
    scale = "exp(0.91 x standardised difference)"
    if not standard_deviation > 0:
        return EValue(math.nan, math.nan, math.nan, scale)
    value, low, high = (
        math.exp(0.91 * one / standard_deviation)
        for one in (difference.value, difference.low, difference.high)
    )
    return e_value_of_ratio(Metric(value, low, high, difference.n, None, difference.interval), scale)
