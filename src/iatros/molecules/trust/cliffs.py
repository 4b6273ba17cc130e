"""Activity cliffs: compounds that are nearly the same and act very differently, where similarity misleads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.core.intervals import finite, group_weights, percentile_interval
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.learners.compounds.tanimoto import pairs_above
from iatros.molecules.assay import Assay

SIMILAR = 0.85
"""Tanimoto similarity of circular fingerprints from which two compounds are nearly the same."""
SIMILAR_IN_SCAFFOLD = 0.6
"""The same for two compounds of one scaffold; a scaffold alone, such as benzene, says little."""
SAME_SIZE = 0.8
"""Least share of the heavy atoms of the larger that the smaller must have: bits do not count, so long chains of any
length are the same to them."""
LOG_UNITS = 2.0
"""How far two values on a scale of p (minus log10 of mol/L) must differ: a hundred-fold."""
DEVIATIONS = 2.0
"""The same in standard deviations, for values on another scale."""
P_UNITS = frozenset(("p", "minus log10 of mol/L"))
"""Units of a `Target` that are scales of p."""
N_BOOTSTRAP = 500


@dataclass(frozen=True)
class Cliffs:
    """The cliffs of one endpoint, the steepest first.

    `pairs` (m, 2) holds rows of the assay, `similarity` (m,), `gap` (m,) by how much their values differ at least, and
    `sali` (m,) the gap over 1 - similarity (Guha and Van Drie 2008), infinite where the fingerprints are equal.
    `n_similar` pairs are as similar, cliffs or not.
    """

    endpoint: Target
    limit: float
    pairs: np.ndarray
    similarity: np.ndarray
    gap: np.ndarray
    sali: np.ndarray
    n_similar: int

    @property
    def rows(self) -> np.ndarray:
        """The compounds that stand at a cliff, rising."""
        return np.unique(self.pairs)

    def document(self, most: int = 20) -> dict[str, Any]:
        """Counts, and the `most` steepest pairs as rows of the assay."""
        return {
            "endpoint": self.endpoint.name,
            "limit": self.limit,
            "similar_pairs": self.n_similar,
            "cliffs": len(self.pairs),
            "compounds": len(self.rows),
            "steepest": [
                {
                    "rows": [int(row) for row in self.pairs[place]],
                    "similarity": float(self.similarity[place]),
                    "gap": float(self.gap[place]),
                    "sali": finite(float(self.sali[place])),
                }
                for place in range(min(most, len(self.pairs)))
            ],
        }


def find_cliffs(assay: Assay, *, limits: tuple[float, ...] | None = None) -> tuple[Cliffs, ...]:
    """The cliffs of each endpoint.

    Two compounds are nearly the same at a similarity of 0.85, or of 0.6 where they share their Bemis-Murcko scaffold,
    if the smaller has at least 0.8 of the heavy atoms of the larger.
    They are a cliff where their values differ by more than the endpoint's of `limits`: if not given 2 on a scale of p,
    else two standard deviations; classes must differ. Of a bound only what is certain counts: more than 8 and 5
    differ by at least 3, and less than 5 and 5 by nothing.
    """
    if limits is not None and len(limits) != len(assay.endpoints):
        raise InputError(
            f"one limit for each of {len(assay.endpoints)} endpoints is needed, got {len(limits)}"
        )
    if len(assay) < 2:
        pairs, similarity = np.empty((0, 2), dtype=np.int64), np.empty(0)
    else:
        pairs, similarity = _similar(assay.compounds)
    return tuple(
        _cliffs(assay, column, pairs, similarity, None if limits is None else limits[column])
        for column in range(len(assay.endpoints))
    )


def errors_at_cliffs(
    assay: Assay,
    prediction: np.ndarray,
    cliffs: tuple[Cliffs, ...],
    *,
    seed: int = 0,
    confidence_level: float = 0.95,
) -> list[dict[str, Any]]:
    """For each endpoint the root mean squared error of the compounds at cliffs, and of the others.

    `prediction` (n, k) was made for unseen compounds. For classes it is the error of the probability, the root of
    the Brier score. `difference` is the first less the second, with an interval over resamples of the assay's groups;
    None where there is no compound with an exact value on one of the sides.
    """
    return [
        {
            "endpoint": one.endpoint.name,
            **_errors(assay, prediction[:, column], column, one, seed, confidence_level),
        }
        for column, one in enumerate(cliffs)
    ]


def _similar(compounds: Compounds) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows that are nearly the same (m, 2), and their similarity (m,)."""
    pairs, similarity = pairs_above(compounds.values(Fingerprint()), SIMILAR_IN_SCAFFOLD)
    rows, place = np.unique(pairs, return_inverse=True)
    place = place.reshape(pairs.shape)
    sizes, scaffolds = _described(compounds.take(rows).smiles)
    first, second = place[:, 0], place[:, 1]
    alike = (similarity >= SIMILAR) | ((scaffolds[first] == scaffolds[second]) & (scaffolds[first] >= 0))
    alike &= np.minimum(sizes[first], sizes[second]) >= SAME_SIZE * np.maximum(sizes[first], sizes[second])
    return pairs[alike], similarity[alike]


def _described(smiles: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Heavy atoms of each compound (n,), and the number of its scaffold (n,), -1 where it has no ring."""
    from rdkit import Chem, rdBase
    from rdkit.Chem.Scaffolds import MurckoScaffold

    sizes, scaffolds = np.empty(len(smiles), dtype=np.int64), np.full(len(smiles), -1)
    known: dict[str, int] = {}
    with rdBase.BlockLogs():
        for row, one in enumerate(smiles):
            molecule = Chem.MolFromSmiles(one)
            sizes[row] = molecule.GetNumHeavyAtoms()
            scaffold = str(MurckoScaffold.MurckoScaffoldSmiles(mol=molecule))
            if scaffold:
                scaffolds[row] = known.setdefault(scaffold, len(known))
    return sizes, scaffolds


def _cliffs(
    assay: Assay, column: int, pairs: np.ndarray, similarity: np.ndarray, limit: float | None
) -> Cliffs:
    target, y, bound = assay.endpoints[column], assay.y[:, column], assay.bound[:, column]
    known = assay.measured[pairs, column].all(axis=1) if len(pairs) else np.empty(0, dtype=bool)
    pairs, similarity = pairs[known], similarity[known]
    if limit is None:
        limit = (
            0.5 if target.task == "binary" else _limit(target, y[assay.measured[:, column] & (bound == 0)])
        )
    lowest, highest = np.where(bound < 0, -np.inf, y), np.where(bound > 0, np.inf, y)
    a, b = pairs[:, 0], pairs[:, 1]
    gap = np.maximum(lowest[a] - highest[b], lowest[b] - highest[a])
    steep = gap > limit
    with np.errstate(divide="ignore"):
        sali = gap[steep] / (1 - similarity[steep])
    order = np.lexsort((b[steep], a[steep], -gap[steep], -sali))
    return Cliffs(
        target,
        float(limit),
        pairs[steep][order],
        similarity[steep][order],
        gap[steep][order],
        sali[order],
        len(pairs),
    )


def _limit(target: Target, values: np.ndarray) -> float:
    if target.unit in P_UNITS:
        return LOG_UNITS
    return DEVIATIONS * float(values.std()) if len(values) else np.inf


def _errors(
    assay: Assay, prediction: np.ndarray, column: int, cliffs: Cliffs, seed: int, confidence_level: float
) -> dict[str, Any]:
    exact = assay.measured[:, column] & (assay.bound[:, column] == 0)
    at = np.isin(np.arange(len(assay)), cliffs.rows)
    squared = np.where(exact, prediction - np.where(exact, assay.y[:, column], 0.0), 0.0) ** 2
    sides = [(exact & at).astype(float), (exact & ~at).astype(float)]
    told: dict[str, Any] = {"n_at_cliffs": int(sides[0].sum()), "n_others": int(sides[1].sum())}
    if not all(side.any() for side in sides):
        return {**told, "rmse_at_cliffs": None, "rmse_others": None, "difference": None}

    def rmse(weights: np.ndarray, side: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            found: np.ndarray = np.sqrt(weights @ (squared * side) / (weights @ side))
            return found

    everyone = np.ones((1, len(assay)))
    values = [float(rmse(everyone, side)[0]) for side in sides]
    drawn = [
        rmse(weights, sides[0]) - rmse(weights, sides[1])
        for weights in group_weights(assay.groups, N_BOOTSTRAP, seed)
    ]
    low, high, label = percentile_interval(
        np.concatenate(drawn), confidence_level, label=f"bootstrap over {len(np.unique(assay.groups))} groups"
    )
    difference = {"value": values[0] - values[1], "low": finite(low), "high": finite(high), "interval": label}
    return {**told, "rmse_at_cliffs": values[0], "rmse_others": values[1], "difference": difference}
