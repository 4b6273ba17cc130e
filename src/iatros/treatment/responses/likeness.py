"""Which subjects are like one, and which treatments like another, by how the same ones went with both: for reasons.

The model `knn` compares for predictions (`models.similarity`): by what is in common alone, two responses at least. That
tells nothing of exposures, which are all alike where they are in common; here what is not in common counts too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from iatros.treatment.responses.schema import Features, Responses

SHRINK = 5.0
"""A similarity of n common responses counts n / (n + this): two in common prove little (Koren 2010)."""


@dataclass(frozen=True)
class Likeness:
    """Similarity of each known one (m,) to the one asked about, and how many responses they have in common (m,)."""

    similarity: np.ndarray
    common: np.ndarray


class ResponseTable:
    """Responses as a sparse table of what each subject did better or worse by than others with the treatment."""

    def __init__(self, responses: Responses) -> None:
        r = responses
        n = np.bincount(r.treatment, minlength=r.shape[1])
        means = np.bincount(r.treatment, r.y, minlength=r.shape[1]) / np.maximum(n, 1)
        self.means = np.zeros_like(means) if r.outcome == "implicit" else means
        values = r.y - self.means[r.treatment]
        self.table = sparse.csr_matrix((values, (r.subject, r.treatment)), shape=r.shape)
        self.seen = sparse.csr_matrix((np.ones(len(r)), (r.subject, r.treatment)), shape=r.shape)
        self.exposures = r.outcome == "implicit"

    def subjects_like(self, treatment: np.ndarray, y: np.ndarray) -> Likeness:
        """Known subjects beside one with outcomes `y` (h,) of `treatment` (h,)."""
        own, mask = np.zeros(self.table.shape[1]), np.zeros(self.table.shape[1])
        own[treatment], mask[treatment] = y - self.means[treatment], 1.0
        return self._cosine(self.table, self.seen, own, mask)

    def treatments_like(self, treatment: int) -> Likeness:
        """Known treatments beside one of them."""
        own = self.table[:, [treatment]].toarray()[:, 0]
        mask = self.seen[:, [treatment]].toarray()[:, 0]
        return self._cosine(self.table.T.tocsr(), self.seen.T.tocsr(), own, mask)

    def _cosine(
        self, table: sparse.csr_matrix, seen: sparse.csr_matrix, own: np.ndarray, mask: np.ndarray
    ) -> Likeness:
        """The cosine over common responses, shrunk; of exposures over all of them."""
        common = seen @ mask
        product = table @ own
        if self.exposures:
            sizes = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).reshape(-1) * float(own @ own))
            found = product / np.maximum(sizes, 1e-12)
        else:
            squares = np.sqrt((table.multiply(table) @ mask) * (seen @ (own * own)))
            found = product / np.maximum(squares, 1e-12)
        return Likeness(np.clip(found, -1.0, 1.0) * common / (common + SHRINK), common.astype(int))


def alike_by_features(features: Features, one: np.ndarray) -> np.ndarray:
    """Similarity in 0 to 1 of each row of `features` to `one` (k,): a Gaussian of the mean squared difference."""
    spread = features.values.std(axis=0)
    kept = spread > 1e-9
    if not kept.any():
        return np.ones(len(features.values))
    difference = (features.values[:, kept] - one[kept]) / spread[kept]
    answer: np.ndarray = np.exp(-0.5 * (difference**2).mean(axis=1))
    return answer
