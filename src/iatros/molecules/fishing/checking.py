"""How often a known target is found for compounds whose scaffold the ranking has never seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.errors import OutcomeError
from iatros.core.intervals import effective_rows, finite, group_codes, wilson
from iatros.core.splits import folds
from iatros.molecules.fishing.background import fit_background
from iatros.molecules.fishing.ranking import RANKINGS, Ligands, score
from iatros.molecules.splitting.scaffolds import scaffold

FIRST = (1, 5, 10)
"""Among how many of the first targets a known one is looked for."""
N_FOLDS = 5
MOST_ASKED = 1000
"""Most compounds that are asked about: a share is then known to three in a hundred."""
_AT_ONCE = 64


def check_ranking(
    ligands: Ligands, scaffolds: np.ndarray, threshold: float, seed: int
) -> dict[str, Any] | None:
    """Shares of compounds with a known target among the first 1, 5 and 10, by ranking; plain values.

    The compounds are cut into five parts by `scaffolds` (n,); each part is asked about with a background and ligands
    that know nothing of it. Only compounds count that have a known target with another ligand. Intervals take
    scaffolds, not compounds, for independent. None where there are too few compounds or scaffolds to check.
    """
    n = len(ligands.words)
    codes, n_groups = group_codes(scaffolds, n)
    if n_groups < 2 * N_FOLDS:
        return None
    part = folds(groups=codes, n_folds=N_FOLDS, seed=seed)
    asked = np.sort(np.random.default_rng([seed, n]).permutation(n)[:MOST_ASKED])
    places: list[tuple[int, list[int]]] = []
    for fold in range(N_FOLDS):
        rows = asked[part[asked] == fold]
        try:
            places += _places(ligands, part != fold, rows, threshold, seed)
        except OutcomeError:  # too few compounds are left to tell chance
            return None
    if not places:
        return None
    groups = codes[[row for row, _ in places]]
    best = np.array([found for _, found in places])
    return {
        "split": f"{N_FOLDS} parts by scaffold",
        "n_compounds": len(places),
        "n_scaffolds": len(np.unique(groups)),
        "first": list(FIRST),
        "rankings": {
            name: [_share(best[:, column] < first, groups) for first in FIRST]
            for column, name in enumerate(RANKINGS)
        },
    }


def _places(
    ligands: Ligands, known: np.ndarray, rows: np.ndarray, threshold: float, seed: int
) -> list[tuple[int, list[int]]]:
    """For each of `rows` the place, from 0, of its best known target by each ranking, learned from `known` alone."""
    owner = np.repeat(np.arange(len(ligands.sizes)), ligands.sizes)
    inside = known[ligands.members]
    sizes = np.bincount(owner[inside], minlength=len(ligands.sizes))
    there = np.flatnonzero(sizes)
    number = np.full(len(sizes), -1)
    number[there] = np.arange(len(there))
    kept = np.flatnonzero(known)
    place = np.cumsum(known) - 1
    left = Ligands(
        ligands.words[kept], place[ligands.members[inside]], np.concatenate([[0], np.cumsum(sizes[there])])
    )
    background = fit_background(left.words, threshold, seed)
    truth = {int(row): number[owner[ligands.members == row]] for row in rows}
    found = []
    for begin in range(0, len(rows), _AT_ONCE):
        some = rows[begin : begin + _AT_ONCE]
        scores = score(left, background, ligands.words[some])
        for query, row in enumerate(some.tolist()):
            right = truth[row][truth[row] >= 0]
            if len(right):
                orders = [order(scores, query, left.sizes) for order in RANKINGS.values()]
                found.append((row, [int(np.flatnonzero(np.isin(one, right))[0]) for one in orders]))
    return found


def _share(hits: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    codes, n_groups = group_codes(groups, len(hits))
    n = effective_rows(hits, codes, n_groups)
    low, high = wilson(float(hits.mean()) * n, n)
    return {"value": float(hits.mean()), "low": finite(low), "high": finite(high)}


def best_ranking(check: dict[str, Any] | None) -> str:
    """The ranking that found most, popularity aside; ensemble where nothing could be checked.

    Counted is among the first ten, then five, then one; of equals the one that comes first in `RANKINGS`.
    """
    if check is None:
        return "ensemble"
    found = {
        name: [one["value"] for one in reversed(shares)]
        for name, shares in check["rankings"].items()
        if name != "popularity"
    }
    return max(found, key=lambda name: found[name])


def scaffolds_of(_: None, smiles: Sequence[str]) -> list[str]:
    """The scaffold of each compound, the compound itself where it has no ring; what a worker runs."""
    return [scaffold(text) or text for text in smiles]
