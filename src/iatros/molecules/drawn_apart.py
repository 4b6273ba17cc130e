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
    largest_p = LARGEST_P / max(1, len(kinds) * len(cohort.endpoints))
    found = []
    for place, target in enumerate(cohort.endpoints):
        y = cohort.y[:, place]
        known = ~np.isnan(y) & (cohort.bound[:, place] == 0)
        cut, (below, above) = _sides(target, y[known])
        low, high = known & (y <= cut), known & (y > cut)
        if not low.any() or not high.any():
            continue
        for kind, hit in changed.items():
            p_value = float(
                fisher_exact([[(hit & side).sum(), (~hit & side).sum()] for side in (low, high)]).pvalue
            )
            share_low, share_high = float(hit[low].mean()), float(hit[high].mean())
            if abs(share_low - share_high) >= LEAST_DIFFERENCE and p_value <= largest_p:
                found.append(
                    {
                        "endpoint": target.name,
                        "change": kind,
                        "low": {"label": below, "n": int(low.sum()), "share": share_low},
                        "high": {"label": above, "n": int(high.sum()), "share": share_high},
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
