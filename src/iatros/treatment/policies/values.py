"""What a rule is worth: the mean outcome if every patient were given the arm that the rule names.

Three estimators of the same mean (Dudik, Langford and Li 2011; Athey and Wager 2021). Each is a ratio of sums over the
rows, so one dataclass holds all three, and a difference between two rules is taken row by row: it is paired.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from iatros.core.errors import InputError
from iatros.core.intervals import (
    NAN,
    Metric,
    bootstrap_label,
    group_codes,
    group_weights,
    percentile_interval,
    t_quantile,
)

Method = Literal["doubly-robust", "weighting", "self-normalised"]
METHODS: tuple[Method, ...] = ("doubly-robust", "weighting", "self-normalised")


@dataclass(frozen=True)
class Observed:
    """What is known of n rows and k arms.

    `arm` (n,) is the arm that each was given, `y` (n,) the outcome, `weight` (n,) what it counts for where some
    outcomes are censored (the inverse probability of being seen, 0 for those unseen; ones otherwise). `propensity`
    (n, k) is the probability of each arm, `gamma` (n, k) the doubly robust score of each arm, both by models that had
    not learned from the row, or known by design. `groups` (n,) names the patient of a row; None where each row is one.
    """

    arms: tuple[str, ...]
    arm: np.ndarray
    y: np.ndarray
    propensity: np.ndarray
    gamma: np.ndarray
    weight: np.ndarray | None = None
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        n, k = len(self.arm), len(self.arms)
        for name in ("y", "weight", "groups"):
            held = getattr(self, name)
            if held is not None and len(held) != n:
                raise InputError(f"{name} needs one entry for each row: got {len(held)} for {n}")
        if self.propensity.shape != (n, k) or self.gamma.shape != (n, k):
            raise InputError(
                f"propensity and gamma are of shape ({n}, {k}): one row a patient, one column an arm"
            )

    def __len__(self) -> int:
        return len(self.arm)

    def take(self, rows: np.ndarray) -> Observed:
        """The rows at `rows`."""
        return Observed(
            self.arms, self.arm[rows], self.y[rows], self.propensity[rows], self.gamma[rows],
            None if self.weight is None else self.weight[rows],
            None if self.groups is None else self.groups[rows],
        )  # fmt: skip


@dataclass(frozen=True)
class Ratio:
    """An estimate that is a ratio of two sums over the rows; `top` and `bottom` are (n,)."""

    top: np.ndarray
    bottom: np.ndarray
    groups: np.ndarray | None = None
    effective_n: float = NAN
    """Of a rule, as how many patients its value is known: (sum of weights)^2 / sum of their squares (Kish 1965)."""

    @property
    def value(self) -> float:
        """The estimate; nan where no row counts, such as none that was given the arm that a rule names."""
        total = float(self.bottom.sum())
        return float(self.top.sum()) / total if total > 0 and self.effective_n != 0 else NAN

    @property
    def influence(self) -> np.ndarray:
        """How far each row moves the estimate (n,): mean 0, variance n times that of the estimate."""
        centred: np.ndarray = (self.top - self.value * self.bottom) / float(np.mean(self.bottom))
        return centred


def value_of(observed: Observed, rule: np.ndarray, method: Method = "doubly-robust") -> Ratio:
    """The value of the rule that gives row i the arm `rule[i]` (n,), by one of METHODS.

    `doubly-robust`: the mean of the scores of the arms named (AIPW). `weighting`: the mean over all rows of the
    outcomes of those who were given what the rule names, over its probability. `self-normalised`: the same sum over
    the sum of the weights, which an outcome's origin does not move (Hajek).

    >>> one = np.array([[0.5, 0.5]])
    >>> seen = Observed(("a", "b"), np.array([0, 1]), np.array([1.0, 3.0]), one.repeat(2, 0), np.zeros((2, 2)))
    >>> value_of(seen, np.array([1, 1]), "weighting").value
    3.0
    """
    rule = _checked(rule, observed)
    at = np.arange(len(rule))
    weight = (observed.arm == rule) / observed.propensity[at, rule]
    if observed.weight is not None:
        weight = weight * observed.weight
    effective = effective_size(weight)
    ones = np.ones(len(rule))
    if method == "doubly-robust":
        return Ratio(observed.gamma[at, rule], ones, observed.groups, effective)
    # an outcome that nobody saw (weight 0) may be nan
    top = weight * np.where(weight > 0, observed.y, 0.0)
    return Ratio(top, ones if method == "weighting" else weight, observed.groups, effective)


def effective_size(weight: np.ndarray) -> float:
    """As how many equally weighted rows `weight` (n,) counts; 0 where all are 0."""
    square = float(weight @ weight)
    return float(weight.sum()) ** 2 / square if square > 0 else 0.0


def interval(value: Ratio, confidence_level: float = 0.95) -> Metric:
    """The estimate with the interval of its influence function, Student's t over groups."""
    return _metric(value.value, value.influence, value.groups, confidence_level, "influence function")


def difference(one: Ratio, other: Ratio, confidence_level: float = 0.95) -> Metric:
    """`one` less `other` with its interval: paired, both values are of the same rows."""
    gap = one.value - other.value
    return _metric(
        gap, one.influence - other.influence, one.groups, confidence_level, "paired influence function"
    )


def _metric(
    value: float, influence: np.ndarray, groups: np.ndarray | None, confidence_level: float, label: str
) -> Metric:
    n = len(influence)
    if not math.isfinite(value):
        return Metric(NAN, NAN, NAN, n, None, "not defined: no patient counts")
    error, n_groups = standard_error(influence, groups)
    if n_groups < 2:
        return Metric(value, NAN, NAN, n, None, "not defined: one patient")
    half = t_quantile(confidence_level, n_groups - 1) * error
    return Metric(value, value - half, value + half, n, None, f"{label} over {n_groups} patients")


def standard_error(influence: np.ndarray, groups: np.ndarray | None) -> tuple[float, int]:
    """The standard error of a mean whose rows move it by `influence` (n,), summed by group, and how many groups."""
    codes, n_groups = group_codes(groups, len(influence))
    sums = np.bincount(codes, weights=influence, minlength=n_groups)
    return math.sqrt(n_groups / max(n_groups - 1, 1) * float(sums @ sums)) / len(influence), n_groups


def bootstrapped(
    one: Ratio,
    other: Ratio | None = None,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
    confidence_level: float = 0.95,
) -> Metric:
    """The value (or `one` less `other`) with a percentile interval over resamples of whole groups.

    A cross-check of `interval`: what the scores were made by, and the rule, stay as they are.
    """
    values = [one] if other is None else [one, other]
    n = len(one.top)
    point = one.value - (other.value if other is not None else 0.0)
    columns = np.column_stack([part for value in values for part in (value.top, value.bottom)])
    drawn: list[float] = []
    for weights in group_weights(one.groups, n_bootstrap, seed, n=n):
        drawn.extend(_resampled(weights @ columns))
    label = ("paired " if other is not None else "") + bootstrap_label(one.groups, n)
    low, high, label = percentile_interval(np.array(drawn), confidence_level, label=label)
    return Metric(point, low, high, n, None, label)


def _resampled(sums: np.ndarray) -> Sequence[float]:
    """The statistic of each resample from its sums (b, 2) or (b, 4); nan where a resample has no weight."""
    bottom = np.where(sums[:, 1::2] > 0, sums[:, 1::2], np.nan)
    ratio = sums[:, 0::2] / bottom
    found: list[float] = (ratio[:, 0] - (ratio[:, 1] if ratio.shape[1] > 1 else 0.0)).tolist()
    return found


def _checked(rule: np.ndarray, observed: Observed) -> np.ndarray:
    rule = np.asarray(rule)
    if rule.shape != observed.arm.shape or rule.dtype.kind not in "iu":
        raise InputError(f"a rule is one arm (a whole number) for each of the {len(observed)} rows")
    if len(rule) and not 0 <= rule.min() <= rule.max() < len(observed.arms):
        raise InputError(f"a rule names an arm outside 0 to {len(observed.arms) - 1}")
    return rule
