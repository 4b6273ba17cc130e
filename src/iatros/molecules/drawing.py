"""Whether compounds were drawn in different ways depending on what was measured of them.

Classes that come from two sources are often drawn in two ways, one as salts and the other as free bases. A model that
reads structures as drawn then learns the source. In ClinTox 41 % of the compounds without toxicity, and none of those
with it, have a protonated amine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.task import Target
from iatros.molecules.cohort import Cohort

LEAST_DIFFERENCE = 0.25
"""Difference between two shares below which nothing is said: basic compounds may well act differently."""
LARGEST_P = 0.001
"""Of Fisher's exact test, over the number of tests."""


def drawn_apart(cohort: Cohort) -> list[dict[str, Any]]:
    """Changes of standardising that one side of an endpoint needed more often than the other, largest first.

    Sides are the classes, or the values up to the median and those above it; bounds are left out. Each entry has the
    `endpoint`, the `change`, `low` and `high` (`label`, `n` compounds, `share` of them that were changed) and the
    `p_value` of Fisher's exact test. Listed is what differs by 0.25 or more, with a p-value of at most 0.001 over the
    number of endpoints times the kinds of change.
    """
    from scipy.stats import fisher_exact

    kinds = sorted(set().union(*cohort.changes))
    changed = {kind: np.array([kind in of for of in cohort.changes], dtype=bool) for kind in kinds}
    found = []
    for place, target in enumerate(cohort.endpoints):
        y = cohort.y[:, place]
        known = ~np.isnan(y) & (cohort.bound[:, place] == 0)
        cut, labels = _sides(target, y[known])
        high, low = known & (y > cut), known & (y <= cut)
        if not high.any() or not low.any():
            continue
        for kind in kinds:
            counts = [
                [int(changed[kind][side].sum()), int((~changed[kind])[side].sum())] for side in (low, high)
            ]
            shares = [hit / (hit + missed) for hit, missed in counts]
            p_value = float(fisher_exact(counts).pvalue)
            if abs(shares[0] - shares[1]) >= LEAST_DIFFERENCE and p_value <= LARGEST_P / (
                len(kinds) * len(cohort.endpoints)
            ):
                sides = (
                    {"label": label, "n": sum(of), "share": share}
                    for label, of, share in zip(labels, counts, shares, strict=True)
                )
                found.append(
                    {
                        "endpoint": target.name,
                        "change": kind,
                        **dict(zip(("low", "high"), sides, strict=True)),
                        "p_value": p_value,
                    }
                )
    return sorted(found, key=lambda one: -abs(one["low"]["share"] - one["high"]["share"]))


def _sides(target: Target, y: np.ndarray) -> tuple[float, tuple[str, str]]:
    """The value up to which a compound is on the low side, and what both sides are called."""
    if target.task == "binary":
        return 0.5, (str(target.classes[0]), str(target.classes[1]))
    cut = float(np.median(y)) if len(y) else 0.0
    return cut, (f"up to {cut:.4g}", f"above {cut:.4g}")
