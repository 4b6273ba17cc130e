"""How well predictions rank: concordance, early recognition of actives, and r_m^2, for many weightings at once.

Every class takes row weights (b, n) as the other metrics do; a whole weight is a repetition of the row.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from iatros.core.errors import InputError

FRACTION = 0.01
ALPHA = 20.0
Form = Literal["deepdta", "roy"]


def concordance_index(y: np.ndarray, prediction: np.ndarray, bound: np.ndarray | None = None) -> float:
    """Of all pairs that differ in `y`, the share whose predictions stand in the same order; nan where there is no pair.

    Equal predictions count half; pairs with equal `y` are left out (Harrell 1982). `bound` (n,) says what is known of
    the true value: 0 that it is `y`, 1 that it lies above, -1 that it lies below. Then only pairs count of which one
    is known to be greater: a value of 5 and one above 5 do, two above 5 do not. Takes n log n steps.

    >>> concordance_index(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.3, 0.2]))
    0.6666666666666666
    """
    y, prediction = _numbers(y, prediction)
    return float(Concordance(y, prediction, bound)(np.ones((1, len(y))))[0])


def enrichment_factor(y: np.ndarray, prediction: np.ndarray, fraction: float = FRACTION) -> float:
    """How many times more actives the highest predictions hold than as many compounds drawn at random.

    `y` (n,) is 1 of an active compound and 0 of another; the highest are `fraction` of n, rounded up. Where equal
    predictions straddle that line, the value is its expectation over their orders, so it does not depend on the order
    of the rows. Between 0 and 1 / `fraction`; nan where there is no active compound.

    >>> enrichment_factor(np.array([1, 0, 0, 1]), np.array([0.9, 0.2, 0.1, 0.3]), fraction=0.5)
    2.0
    """
    y, prediction = _classes(y, prediction)
    metrics = EarlyRecognition(y, prediction, fraction=fraction)
    return float(metrics(np.ones((1, len(y))))["enrichment_factor"][0])


def bedroc(y: np.ndarray, prediction: np.ndarray, alpha: float = ALPHA) -> float:
    """Early recognition: 1 where all actives come first, 0 where all come last; nan where there is only one class.

    Truchon and Bayly 2007, equation 36: the first ranks count exponentially more, at `alpha` 20 the first 8 in a
    hundred make up 80 in a hundred of it. Of equal predictions each has the mean weight of the ranks that they share.

    >>> round(bedroc(np.array([1, 0, 0, 1]), np.array([0.9, 0.2, 0.1, 0.3])), 4)
    1.0
    """
    y, prediction = _classes(y, prediction)
    return float(EarlyRecognition(y, prediction, alpha=alpha)(np.ones((1, len(y))))["bedroc"][0])


def rm2(y: np.ndarray, prediction: np.ndarray, form: Form = "deepdta") -> float:
    """r_m^2 of predicted affinities: at most 1, the squared correlation less what a line through zero loses.

    With the squared correlation r^2, and r0^2 = 1 - sum (y - k p)^2 / sum (y - mean y)^2 of the line through zero of
    slope k = sum y p / sum p^2, Roy and Roy 2008 have

        roy:      r_m^2 = r^2 (1 - sqrt |r^2 - r0^2|)
        deepdta:  r_m^2 = r^2 (1 - sqrt |(r^2)^2 - (r0^2)^2|)

    DeepDTA (Ozturk and others 2018) prints the first and its program computes the second, as all tables do that
    compare with it; so the second is the default. nan where `y` or the predictions do not vary.

    >>> round(rm2(np.array([5.0, 6.0, 7.0, 9.0]), np.array([5.5, 5.5, 7.5, 8.0])), 4)
    0.6966
    """
    y, prediction = _numbers(y, prediction)
    return float(AffinityMetrics(y, prediction, form=form)(np.ones((1, len(y))))["rm2"][0])


class AffinityMetrics:
    """`concordance_index` and `rm2` of predictions `p` (n,) for affinities `y` (n,), called with weights (b, n).

    `bound` is as in `concordance_index`; r_m^2 takes every `y` for a value.
    """

    def __init__(
        self, y: np.ndarray, p: np.ndarray, bound: np.ndarray | None = None, *, form: Form = "deepdta"
    ) -> None:
        self.y, self.p = _numbers(y, p)
        if form not in ("deepdta", "roy"):
            raise InputError(f"r_m^2 has the forms deepdta and roy, got {form!r}")
        self.form = form
        self.concordance = Concordance(self.y, self.p, bound)

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric (b,) under the row weights (b, n)."""
        return {"concordance_index": self.concordance(weights), "rm2": self._rm2(weights)}

    def _rm2(self, weights: np.ndarray) -> np.ndarray:
        y, p = self.y, self.p
        dy, dp = y - y.mean(), p - p.mean()
        with np.errstate(divide="ignore", invalid="ignore"):
            n = weights.sum(axis=1)
            my, mp = weights @ dy / n, weights @ dp / n
            vy, vp = weights @ dy**2 / n - my**2, weights @ dp**2 / n - mp**2
            covariance = weights @ (dy * dp) / n - my * mp
            r2 = covariance**2 / (vy * vp)
            through_zero = weights @ y**2 / n - (weights @ (y * p) / n) ** 2 / (weights @ p**2 / n)
            r02 = 1 - through_zero / vy
            gap = np.abs(r2 - r02) if self.form == "roy" else np.abs(r2**2 - r02**2)
            varies = (vy > 1e-12 * (dy @ dy) / len(y)) & (vp > 1e-12 * (dp @ dp) / len(p))
            return np.where(varies, r2 * (1 - np.sqrt(gap)), np.nan)


class EarlyRecognition:
    """`enrichment_factor` and `bedroc` of scores `p` (n,) for classes `y` (n,), called with weights (b, n)."""

    def __init__(
        self, y: np.ndarray, p: np.ndarray, *, fraction: float = FRACTION, alpha: float = ALPHA
    ) -> None:
        y, p = _classes(y, p)
        if not 0 < fraction <= 1:
            raise InputError(f"fraction must lie above 0 and at most at 1, got {fraction}")
        if not 0 < alpha <= 500:
            raise InputError(f"alpha must lie above 0 and at most at 500, got {alpha}")
        self.fraction, self.alpha = fraction, alpha
        self.order = np.argsort(-p, kind="stable")
        self.active = y[self.order].astype(float)
        falls = np.diff(p[self.order]) < 0
        self.starts = np.flatnonzero(np.r_[True, falls])

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Each metric (b,) under the row weights (b, n)."""
        sorted_weights = weights[:, self.order]
        tied = np.add.reduceat(sorted_weights, self.starts, axis=1)
        actives = np.add.reduceat(sorted_weights * self.active, self.starts, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            density = np.where(tied > 0, actives / tied, 0.0)
            return {
                "enrichment_factor": self._enrichment(tied, actives, density),
                "bedroc": self._bedroc(tied, actives, density),
            }

    def _enrichment(self, tied: np.ndarray, actives: np.ndarray, density: np.ndarray) -> np.ndarray:
        n = tied.sum(axis=1)
        # 0.07 * 100 is 7.000000000000001, which is seven compounds and not eight
        first = np.ceil(n * self.fraction - 1e-9)
        before = np.cumsum(tied, axis=1) - tied
        within = np.clip(first[:, None] - before, 0.0, tied)
        found: np.ndarray = (within * density).sum(axis=1) / first / (actives.sum(axis=1) / n)
        return found

    def _bedroc(self, tied: np.ndarray, actives: np.ndarray, density: np.ndarray) -> np.ndarray:
        n, a = tied.sum(axis=1), self.alpha
        share = actives.sum(axis=1) / n
        after = np.cumsum(tied, axis=1) / n[:, None]
        before = after - tied / n[:, None]
        # the sum of exp(-alpha rank / n) over the ranks that a block of equal predictions holds
        blocks = (np.exp(-a * before) - np.exp(-a * after)) / np.expm1(a / n)[:, None]
        drawn = -np.expm1(-a) / n / np.expm1(a / n)
        rie = (density * blocks).sum(axis=1) / actives.sum(axis=1) / drawn
        highest = np.expm1(-a * share) / (share * np.expm1(-a))
        lowest = np.exp(a * (share - 1)) * np.expm1(-a * share) / (share * np.expm1(-a))
        found: np.ndarray = np.where(share < 1, (rie - lowest) / (highest - lowest), np.nan)
        return found


class Concordance:
    """The concordance index as `concordance_index` has it, called with weights (b, n); nan where no pair counts.

    Rows are halved by `y` again and again. Two rows that differ in `y` are parted in exactly one of the halvings, and
    there the pairs in the right order are counted for all rows at once by running sums along the predictions, which
    stay sorted within each half. Only the sums depend on the weights.
    """

    def __init__(self, y: np.ndarray, p: np.ndarray, bound: np.ndarray | None = None) -> None:
        y, p = _numbers(y, p)
        side = np.zeros(len(y), dtype=np.int8) if bound is None else np.asarray(bound)
        if side.shape != y.shape or not np.isin(side, (-1, 0, 1)).all():
            raise InputError("bound must be 0 (a value), 1 (above it) or -1 (below it), one for each row")
        # of what is only known to lie above y nothing is less for certain, and the other way round
        self.lesser, self.greater = side <= 0, side >= 0
        place = np.lexsort((side, y))
        steps = (np.diff(y[place]) > 0) | (np.diff(side[place]) != 0)
        self.codes = np.empty(len(y), dtype=np.int64)
        self.codes[place] = np.r_[0, np.cumsum(steps)]
        self.by_y = np.argsort(self.codes, kind="stable")
        self.ranks = np.unique(p, return_inverse=True)[1].reshape(-1).astype(np.int64)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """The index (b,) under the row weights (b, n)."""
        lesser, greater = weights * self.lesser, weights * self.greater
        right = np.zeros(len(weights))
        order = np.argsort(self.ranks, kind="stable")
        for level in reversed(range(int(self.codes.max()).bit_length())):
            right += self._parted(order, level, lesser, greater)
            order = _halved(order, self.codes, level)
        with np.errstate(divide="ignore", invalid="ignore"):
            found: np.ndarray = right / self._pairs(lesser, greater)
            return found

    def _parted(self, order: np.ndarray, level: int, lesser: np.ndarray, greater: np.ndarray) -> np.ndarray:
        """The weight of the pairs that this level parts and the predictions order rightly, equal ones by half."""
        upper = (self.codes[order] >> level) & 1 == 1
        block = self.codes[order] >> (level + 1)
        starts = _starts(block)
        ties = np.flatnonzero(np.r_[True, (np.diff(block) > 0) | (np.diff(self.ranks[order]) > 0)])
        below = lesser[:, order] * ~upper
        above = greater[:, order] * upper
        tied_below = np.add.reduceat(below, ties, axis=1)
        tied_above = np.add.reduceat(above, ties, axis=1)
        running = np.cumsum(tied_below, axis=1) - tied_below
        first = np.searchsorted(ties, starts)
        running -= np.repeat(running[:, first], np.diff(np.r_[first, len(ties)]), axis=1)
        counted: np.ndarray = (tied_above * (running + tied_below / 2)).sum(axis=1)
        return counted

    def _pairs(self, lesser: np.ndarray, greater: np.ndarray) -> np.ndarray:
        """The weight of all pairs of which one is known to be greater."""
        starts = _starts(self.codes[self.by_y])
        less = np.add.reduceat(lesser[:, self.by_y], starts, axis=1)
        more = np.add.reduceat(greater[:, self.by_y], starts, axis=1)
        counted: np.ndarray = ((np.cumsum(less, axis=1) - less) * more).sum(axis=1)
        return counted


def _starts(sorted_codes: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.r_[True, np.diff(sorted_codes) > 0])


def _halved(order: np.ndarray, codes: np.ndarray, level: int) -> np.ndarray:
    """`order` with each block cut in two by the bit `level` of the codes, the order within each half kept."""
    upper = (codes[order] >> level) & 1 == 1
    starts = _starts(codes[order] >> (level + 1))
    sizes = np.diff(np.r_[starts, len(order)])
    ones = np.cumsum(upper) - upper
    ones_here = ones - np.repeat(ones[starts], sizes)
    here = np.arange(len(order)) - np.repeat(starts, sizes)
    zeros = np.repeat(np.add.reduceat(~upper, starts, dtype=np.int64), sizes)
    place = np.repeat(starts, sizes) + np.where(upper, zeros + ones_here, here - ones_here)
    answer = np.empty_like(order)
    answer[place] = order
    return answer


def _numbers(y: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, prediction = np.asarray(y, dtype=float), np.asarray(prediction, dtype=float)
    if y.ndim != 1 or y.shape != prediction.shape or len(y) == 0:
        raise InputError(
            f"outcomes and predictions must be of one length and not empty, got {y.shape} and {prediction.shape}"
        )
    if not (np.isfinite(y).all() and np.isfinite(prediction).all()):
        raise InputError("outcomes and predictions must be finite numbers")
    return y, prediction


def _classes(y: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y, prediction = _numbers(y, prediction)
    if not np.isin(y, (0, 1)).all():
        raise InputError("classes must be 0 (inactive) or 1 (active)")
    return y, prediction
