"""Intervals of metrics of pairs, such as of drugs and targets: both kinds are drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from iatros.core.errors import InputError
from iatros.core.intervals import NAN, Metric, group_codes
from iatros.core.metrics.bootstrap import NOISE, bootstrap_interval

_BLOCK_CELLS = 1_000_000


def two_way_weights(
    first: np.ndarray, second: np.ndarray, n_bootstrap: int, seed: int
) -> Iterator[np.ndarray]:
    """Blocks (b, n) of how often each pair is drawn in b resamples, n_bootstrap in all.

    Row i is the pair of `first[i]` and `second[i]`. Each resample draws the kinds independently, with replacement,
    and a pair counts as often as its first times its second was drawn (the pigeonhole bootstrap of Owen 2007).

    >>> blocks = list(two_way_weights(np.array([0, 0, 1]), np.array([0, 1, 1]), 4, seed=0))
    >>> blocks[0].shape
    (4, 3)
    """
    n = len(first)
    if n == 0 or len(second) != n:
        raise InputError(
            f"each pair needs two names: got {n} of the first kind and {len(second)} of the second"
        )
    kinds = [group_codes(np.asarray(names), n) for names in (first, second)]
    rng = np.random.default_rng(seed)
    block = max(1, min(n_bootstrap, _BLOCK_CELLS // n))
    for begin in range(0, n_bootstrap, block):
        size = min(block, n_bootstrap - begin)
        weights = np.ones((size, n))
        for codes, many in kinds:
            drawn = rng.multinomial(many, np.full(many, 1 / many), size=size)
            weights *= drawn[:, codes]
        yield weights


def two_way_evaluate(
    metrics: Callable[[np.ndarray], dict[str, np.ndarray]],
    first: np.ndarray,
    second: np.ndarray,
    *,
    names: tuple[str, str] = ("drugs", "targets"),
    n_bootstrap: int = 500,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> dict[str, Metric]:
    """Each metric of `metrics`, a function of row weights (b, n), with an interval for new drugs and new targets.

    The interval has the middle of the resampled values as its width, even on the metric's own scale, with Student's
    factor of the rarer kind. It errs towards too wide: what is random of the pair alone is counted up to three
    times (Owen 2007, section 3). A kind of which there is one only gives no interval.

    >>> from iatros.core.metrics.ranking import AffinityMetrics
    >>> rng = np.random.default_rng(0)
    >>> drugs, targets = np.repeat(np.arange(8), 6), np.tile(np.arange(6), 8)
    >>> y = rng.normal(size=8)[drugs] + rng.normal(size=6)[targets]
    >>> found = two_way_evaluate(AffinityMetrics(y, y + rng.normal(size=48)), drugs, targets, n_bootstrap=50)
    >>> found["concordance_index"].interval
    'two-way bootstrap over 8 drugs and 6 targets'
    """
    n = len(first)
    blocks = [metrics(weights) for weights in two_way_weights(first, second, n_bootstrap, seed)]
    replicates = {
        name: np.concatenate([one[name] for one in blocks]) for name in (blocks[0] if blocks else {})
    }
    counts = [group_codes(np.asarray(kind), n)[1] for kind in (first, second)]
    label = f"two-way bootstrap over {counts[0]} {names[0]} and {counts[1]} {names[1]}"
    rarer = np.asarray(first if counts[0] <= counts[1] else second)
    answer = {}
    for name, values in metrics(np.ones((1, n))).items():
        if name in NOISE.values():
            continue
        value = float(values[0])
        if not np.isfinite(value):
            answer[name] = Metric(NAN, NAN, NAN, n, None, "not defined: no variation")
        elif min(counts) < 2:
            alone = names[int(counts[1] < counts[0])]
            answer[name] = Metric(value, NAN, NAN, n, None, f"not defined: one only of the {alone}")
        else:
            low, high, said = bootstrap_interval(
                name, value, replicates,
                groups=rarer, n=n, n_smaller=min(counts), confidence_level=confidence_level, label=label,
            )  # fmt: skip
            answer[name] = Metric(value, low, high, n, None, said)
    return answer
