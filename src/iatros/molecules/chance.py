"""What chance alone finds in an assay: a quick model judged on shuffled outcomes."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.splits import task_seed
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.learners.compounds.tanimoto import build_index, search
from iatros.molecules.assay import Assay
from iatros.molecules.evaluation import primary, score
from iatros.molecules.trust.scrambling import scramble

_NEIGHBOURS = 5
_POWER = 3
MOST = 5000
"""Compounds that are used at most, drawn by the seed."""


def y_scrambling(assay: Assay, fold: np.ndarray, *, n: int, seed: int) -> dict[str, Any]:
    """The document of `scramble` for `nearest_mean`, with the model, the metric and the number of compounds."""
    rows = np.arange(len(assay))
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(task_seed(seed, "scrambling")).permutation(rows)[:MOST])
    found = scramble(assay.take(rows), fold[rows], nearest_mean, score, n=n, seed=seed)
    sign = -1.0 if assay.task == "continuous" else 1.0
    for name in ("score", "mean_permuted", "best_permuted"):
        found[name] *= sign
    found["permuted"] = [sign * one for one in found["permuted"]]
    # RMSE over the spread, of one endpoint too: then 1 is what the mean of all compounds reaches.
    metric = "relative_rmse" if assay.task == "continuous" else primary(assay.endpoints)
    return {
        **found,
        "metric": metric,
        "model": "mean of the five nearest compounds",
        "n_compounds": len(rows),
    }


def nearest_mean(learned: Assay, asked: Assay, seed: int) -> np.ndarray:
    """For each compound the mean (n, k) of what its nearest compounds were measured to be, weighed by similarity.

    Weights are similarities to the power of three; where no neighbour was measured, the mean of all that were.
    Nothing is drawn, so `seed` has no part in it.
    """
    del seed
    kind = Fingerprint()
    found = search(
        build_index(learned.compounds.values(kind)),
        asked.compounds.values(kind),
        min(_NEIGHBOURS, len(learned)),
    )
    y = learned.y[found.rows]
    weight = np.where(np.isnan(y), 0.0, found.similarities[:, :, None] ** _POWER)
    total = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (np.nan_to_num(y) * weight).sum(axis=1) / total
    return np.where(total > 0.0, mean, np.nanmean(learned.y, axis=0))
