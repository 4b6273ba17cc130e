"""Whether there are enough patients to develop a prediction model (Riley et al., BMJ 2020;368:m441)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from iatros.core.errors import InputError

REFERENCE = "Riley et al., BMJ 2020;368:m441"
DEFAULT_R2_NAGELKERKE = 0.15
"""Assumed where nothing is known of the model's worth, as the reference advises."""
_MMOE_MAX = 1.1
_LEAST_R2 = 1e-6


def riley_binary(
    n: int,
    n_events: int,
    n_parameters: int,
    *,
    cox_snell_r2: float | None = None,
    c_statistic: float | None = None,
    shrinkage: float = 0.9,
) -> dict[str, Any]:
    """The patients that a model of a binary outcome needs, against the `n` with `n_events` at hand.

    `n_parameters` counts candidate regression parameters (a category with k levels has k - 1). The
    anticipated Cox-Snell R2 is given, or follows from an anticipated `c_statistic` (which should be
    corrected for optimism), or is 15 % of its maximum. Criteria: shrinkage of at least 0.9; apparent and
    adjusted R2 within 0.05 of each other (Nagelkerke's scale); overall risk within 0.05; and, up to 30
    parameters, a mean absolute error of predicted risks of 0.05 (van Smeden et al. 2019).
    """
    if n_parameters < 1 or not 0 < n_events < n:
        raise InputError(f"needs 0 < n_events < n and parameters: got {n_events}, {n} and {n_parameters}")
    prevalence = n_events / n
    maximum = 1 - math.exp(
        2 * (prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence))
    )
    source = "given"
    if cox_snell_r2 is None and c_statistic is not None:
        cox_snell_r2, source = cox_snell_from_c(c_statistic, prevalence), "from the c-statistic"
    if cox_snell_r2 is None:
        cox_snell_r2, source = DEFAULT_R2_NAGELKERKE * maximum, "15 % of the maximum"
    if not 0 <= cox_snell_r2 <= maximum or cox_snell_r2 >= shrinkage:
        raise InputError(f"Cox-Snell R2 must lie between 0 and {maximum:.3f}, got {cox_snell_r2:.3f}")
    criteria: dict[str, int | None] = {
        "shrinkage": _for_shrinkage(n_parameters, cox_snell_r2, shrinkage),
        "r2_difference": _for_shrinkage(
            n_parameters, cox_snell_r2, cox_snell_r2 / (cox_snell_r2 + 0.05 * maximum)
        ),
        "overall_risk": math.ceil((1.96 / 0.05) ** 2 * prevalence * (1 - prevalence)),
        "mean_absolute_error": _for_mean_absolute_error(n_parameters, prevalence),
    }
    anticipated = {
        "cox_snell_r2": cox_snell_r2,
        "max_r2": maximum,
        "source": source,
        "prevalence": prevalence,
    }
    return _document(criteria, n, n_parameters, anticipated) | {
        "events_per_parameter": n_events / n_parameters,
        "n_events": n_events,
    }


def _for_shrinkage(n_parameters: int, r2: float, shrinkage: float) -> int | None:
    """Riley et al. 2019 (Statistics in Medicine 38:1276), equation 11; None where R2 is practically zero."""
    if r2 < _LEAST_R2:
        return None
    return math.ceil(n_parameters / ((shrinkage - 1) * math.log(1 - r2 / shrinkage)) - 1e-9)


def _for_mean_absolute_error(n_parameters: int, prevalence: float, error: float = 0.05) -> int | None:
    if n_parameters > 30:
        return None
    minority = min(prevalence, 1 - prevalence)
    logged = -0.508 + 0.259 * math.log(minority) + 0.504 * math.log(n_parameters) - math.log(error)
    return math.ceil(math.exp(logged / 0.544))


def cox_snell_from_c(c_statistic: float, prevalence: float) -> float:
    """Cox-Snell R2 of a calibrated model with this c-statistic, for normal linear predictors in each class.

    The model of Riley, van Calster and Collins 2021 (Statistics in Medicine 40:859), integrated instead of
    simulated: the linear predictor is normal in events and in non-events, with equal variance.
    """
    if not 0 < prevalence < 1 or not 0 <= c_statistic <= 1:
        raise InputError(f"needs a prevalence and a c-statistic from 0 to 1: got {prevalence}, {c_statistic}")
    from scipy.special import ndtri

    null = prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)
    if c_statistic > 1 - 1e-9:
        return 1 - math.exp(2 * null)
    distance = math.sqrt(2) * float(ndtri(max(c_statistic, 0.5)))
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / weights.sum()
    gain = 0.0
    for mean, share, sign in ((distance, prevalence, 1.0), (0.0, 1 - prevalence, -1.0)):
        x = nodes + mean
        predictor = math.log(prevalence / (1 - prevalence)) + distance * x - distance**2 / 2
        gain += share * float(weights @ -np.log1p(np.exp(-sign * predictor)))
    return 1 - math.exp(-2 * (gain - null))


def riley_continuous(
    n: int, n_parameters: int, *, r2: float, mean: float, sd: float, shrinkage: float = 0.9
) -> dict[str, Any]:
    """The patients that a model of a continuous outcome needs, against the `n` at hand.

    `r2` is the anticipated adjusted R2; `mean` and `sd` those of the outcome. Criteria: shrinkage of at
    least 0.9; apparent and adjusted R2 within 0.05; residual standard deviation within 10 %; mean outcome
    within 10 % (left out where the mean is not positive: a ratio means nothing there).
    """
    if n_parameters < 1 or not 0 <= r2 < 1 or sd < 0:
        raise InputError(f"needs parameters, 0 <= r2 < 1 and sd >= 0: got {n_parameters}, {r2} and {sd}")
    first = None if r2 < _LEAST_R2 else _linear_shrinkage(n_parameters, r2, shrinkage)
    second = math.ceil(1 + n_parameters * (1 - r2) / 0.05 - 1e-9)
    third = 234 + n_parameters
    criteria = {
        "shrinkage": first,
        "r2_difference": second,
        "residual_sd": third,
        "mean_outcome": _for_mean(max(first or 0, second, third), n_parameters, r2, mean, sd),
    }
    return _document(criteria, n, n_parameters, {"r2": r2, "mean": mean, "sd": sd})


def _linear_shrinkage(n_parameters: int, r2: float, shrinkage: float) -> int:
    """The least n with Van Houwelingen's `shrinkage` (Riley et al. 2019, Statistics in Medicine 38:1262)."""

    def enough(n: int) -> bool:
        apparent = (r2 * (n - n_parameters - 1) + n_parameters) / (n - 1)
        return 1 + (n_parameters - 2) / (n * math.log(1 - apparent)) >= shrinkage

    low = n_parameters + 2
    if enough(low):
        return low
    high = low
    while not enough(high):
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _for_mean(start: int, n_parameters: int, r2: float, mean: float, sd: float) -> int | None:
    if mean <= 0:
        return None
    from scipy.special import stdtrit

    n = max(start, n_parameters + 3)
    while True:
        half = float(stdtrit(n - n_parameters - 1, 0.975)) * sd * math.sqrt((1 - r2) / n)
        if 1 + half / mean <= _MMOE_MAX:
            return n
        n = max(n + 1, math.ceil((half / mean / (_MMOE_MAX - 1)) ** 2 * n * 0.999))


def _document(
    criteria: dict[str, int | None], n: int, n_parameters: int, anticipated: dict[str, Any]
) -> dict[str, Any]:
    known = [value for value in criteria.values() if value is not None]
    required = None if criteria["shrinkage"] is None else max(known)
    return {
        "required": required,
        "criteria": criteria,
        "available": n,
        "enough": required is not None and n >= required,
        "n_parameters": n_parameters,
        "anticipated": anticipated,
        "reference": REFERENCE,
    }
