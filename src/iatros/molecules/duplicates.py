"""Compounds that are judged on although nearly the same compound was learned from."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.learners.compounds.tanimoto import nearest, similarities
from iatros.molecules.cohort import Cohort

THRESHOLD = 0.9
FIRST = 50
_FINGERPRINT = Fingerprint("morgan")
_EDGES = np.linspace(0.0, 1.0, 11)


def near_duplicates(
    cohort: Cohort,
    development: np.ndarray,
    test: np.ndarray,
    *,
    threshold: float = THRESHOLD,
    threads: int | None = None,
) -> dict[str, Any]:
    """How near the compounds at the rows `test` are to those at `development`, as plain data for a result.

    Compared are Morgan fingerprints (radius 2, 2048 bits) by Tanimoto similarity, exactly. `n_near` counts test
    compounds whose nearest is at least `threshold` similar, `n_identical` those of them with equal fingerprints,
    `n_same_connectivity` those that differ from a development compound at most in stereo, isotopes or the place of
    mobile hydrogens (equal first blocks of their InChIKeys), similar by fingerprint or not. `histogram` counts the
    nearest similarities of all test compounds in ten equal steps from 0 to 1, 1 included in the last. `pairs` lists
    the first, the most similar before the others, by line and name. InputError where a side is empty.
    """
    if not len(development) or not len(test):
        raise InputError("both sides need a compound to be compared")
    values = cohort.compounds.values(_FINGERPRINT)
    rows, similarity = nearest(values[test], values[development], threads=threads)
    partner = np.asarray(development)[rows]
    blocks: dict[str, int] = {}
    for row in development:
        blocks.setdefault(cohort.inchikeys[row][:14], int(row))
    # A compound that differs in stereo alone is the nearer relative, whatever the fingerprint prefers.
    twins = np.array([blocks.get(cohort.inchikeys[row][:14], -1) for row in test], dtype=np.int64)
    partner = np.where(twins >= 0, twins, partner)
    near = similarity >= threshold
    listed = np.flatnonzero(near | (twins >= 0))
    listed = listed[np.lexsort((np.asarray(test)[listed], -similarity[listed]))]
    pairs = [
        {
            "test": _named(cohort, int(test[k])),
            "development": _named(cohort, int(partner[k])),
            "similarity": round(_similarity(values, int(test[k]), int(partner[k])), 4),
            "same_connectivity": bool(twins[k] >= 0),
        }
        for k in listed[:FIRST]
    ]
    return {
        **_counted(similarity, threshold),
        "n_same_connectivity": int((twins >= 0).sum()),
        "pairs": pairs,
        "n_pairs": len(listed),
    }


def near_learned(values: np.ndarray, learned: np.ndarray, *, threshold: float = THRESHOLD) -> dict[str, Any]:
    """The counts of `near_duplicates` for packed fingerprints `values` (n, w) and those kept in a bundle (m, w).

    All that is known of the compounds that were learned from are their fingerprints: no pairs, no connectivity.
    """
    _, similarity = nearest(values, learned)
    return _counted(similarity, threshold)


def _counted(similarity: np.ndarray, threshold: float) -> dict[str, Any]:
    near, (counts, _) = similarity >= threshold, np.histogram(similarity, bins=_EDGES)
    return {
        "threshold": threshold,
        "n_test": len(similarity),
        "n_near": int(near.sum()),
        "share_near": round(float(near.mean()), 6),
        "n_identical": int((similarity == 1.0).sum()),
        "median_similarity": round(float(np.median(similarity)), 4),
        "histogram": {"edges": [round(float(edge), 1) for edge in _EDGES], "counts": counts.tolist()},
    }


def _similarity(values: np.ndarray, one: int, other: int) -> float:
    return float(similarities(values[[one]], values[[other]])[0, 0])


def _named(cohort: Cohort, row: int) -> dict[str, Any]:
    return {"line": int(cohort.lines[row]), "name": cohort.names[row]}
