"""The domain of applicability: which compounds are so unlike all that was learned from that no answer should count.

A compound lies outside where it is less similar to its nearest training compounds, or the fits of the model disagree
more about it, than all but a small share of the development compounds when they were unseen.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.core.intervals import finite
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.learners.compounds.tanimoto import build_index, search
from iatros.molecules.attribution import rank_correlation

N_NEAREST = 3
SHARE = 0.05
"""Share of the development compounds that lies beyond each limit."""
_FEWEST = 3
"""Compounds from which a correlation is given."""


@dataclass(frozen=True)
class Assessment:
    """Where n compounds lie. `reason` is empty for those inside."""

    similarity: np.ndarray
    """Mean Tanimoto similarity to the nearest training compounds (n,), 0 to 1; nan where fingerprints are not kept."""
    nearest: np.ndarray
    """Row of the most similar development compound (n,); -1 where there is none to name."""
    inside: np.ndarray
    reason: tuple[str, ...]


@dataclass(frozen=True)
class Domain:
    """The limits, and the fingerprints (n, words) of the development compounds, which can be left out.

    A folded fingerprint is no structure, but whoever has a structure can see whether it was learned from, and parts of
    small structures can be guessed. Where that must not be, `fit` with `keep_fingerprints=False`: then only the
    spread is judged.
    """

    fingerprint: Fingerprint
    words: np.ndarray | None
    k: int
    least_similarity: float
    most_spread: float
    """Infinite where the fits disagree no more about the compounds that were predicted worst."""
    evidence: dict[str, Any]
    """How well the limits tell good from bad predictions among the development compounds."""

    @classmethod
    def fit(
        cls,
        compounds: Compounds,
        errors: np.ndarray,
        spread: np.ndarray,
        folds: np.ndarray,
        *,
        share: float = SHARE,
        k: int = N_NEAREST,
        fingerprint: Fingerprint | None = None,
        similarity: np.ndarray | None = None,
        keep_fingerprints: bool = True,
    ) -> Domain:
        """The limits beyond which `share` of the development compounds lie.

        `errors` (n,) are absolute errors of predictions for unseen compounds, nan where nothing was measured; `spread`
        (n,) is how far the fits disagree; `folds` (n,) names the part of each compound. The similarity of a compound
        is measured to the other parts alone, as its prediction was made: so a series that was kept together is
        as far from the rest as a new series is; `similarity` (n,) holds it where it is known already. The limit of the
        similarity is its quantile, since beyond it the model extrapolates; that of the spread is one only if the errors
        beyond it are greater than the others.
        """
        n = len(compounds)
        errors, spread, folds = np.asarray(errors, float), np.asarray(spread, float), np.asarray(folds)
        if not errors.shape == spread.shape == folds.shape == (n,):
            raise InputError(
                f"errors, spread and folds need one entry for each of {n} compounds,"
                f" got {errors.shape}, {spread.shape} and {folds.shape}"
            )
        if len(np.unique(folds)) < 2:
            raise InputError("the domain is measured between parts, and there is one part only")
        if not 0 < share < 0.5:
            raise InputError(f"share must lie between 0 and 0.5, got {share}")
        fingerprint = fingerprint or Fingerprint()
        words = compounds.values(fingerprint)
        if similarity is None:
            similarity = similarity_to_other_folds(words, folds, k)
        least, most = float(np.quantile(similarity, share)), float(np.quantile(spread, 1 - share))
        evidence = {
            "n": n,
            "share": share,
            "similarity": told_apart(errors, similarity < least, -similarity),
            "spread": told_apart(errors, spread > most, spread),
            "similarity_quantiles": np.quantile(similarity, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist(),
        }
        useful = evidence["spread"]["error_grows"]
        evidence["both"] = told_apart(errors, (similarity < least) | (useful & (spread > most)), None)
        return cls(
            fingerprint, words if keep_fingerprints else None, k, least, most if useful else np.inf, evidence
        )

    def assess(self, compounds: Compounds, spread: np.ndarray) -> Assessment:
        """Where each compound lies, for the `spread` (n,) of the fits about it.

        >>> known = Compounds(["CCO", "CCN", "CCCO", "CCCN"])
        >>> domain = Domain.fit(known, np.ones(4), np.zeros(4), np.array([0, 1, 0, 1]))
        >>> domain.assess(Compounds(["CCO", "c1ccncc1"]), np.zeros(2)).inside.tolist()
        [True, False]
        """
        spread = np.asarray(spread, dtype=float)
        if spread.shape != (len(compounds),):
            raise InputError(f"a spread is needed for each of {len(compounds)} compounds, got {spread.shape}")
        similarity, nearest = np.full(len(compounds), np.nan), np.full(len(compounds), -1)
        if self.words is not None and len(compounds):
            found = search(
                build_index(self.words), compounds.values(self.fingerprint), min(self.k, len(self.words))
            )
            similarity, nearest = found.similarities.mean(axis=1), found.rows[:, 0]
        far, split = similarity < self.least_similarity, spread > self.most_spread
        reasons = tuple(
            "; ".join(said for said, holds in ((_FAR, a), (_SPLIT, b)) if holds)
            for a, b in zip(far, split, strict=True)
        )
        return Assessment(similarity, nearest, ~(far | split), reasons)

    def document(self) -> dict[str, Any]:
        """What a report and a manifest tell of the domain."""
        return {
            "fingerprint": asdict(self.fingerprint),
            "n_nearest": self.k,
            "least_similarity": self.least_similarity,
            "most_spread": finite(self.most_spread),
            "fingerprints_kept": self.words is not None,
            "evidence": self.evidence,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """What is stored beside the document."""
        return {} if self.words is None else {"fingerprints": self.words}

    @classmethod
    def load(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Domain:
        """The domain that `document` and `arrays` describe."""
        most = document["most_spread"]
        return cls(
            Fingerprint(**document["fingerprint"]),
            arrays.get("fingerprints"),
            int(document["n_nearest"]),
            float(document["least_similarity"]),
            np.inf if most is None else float(most),
            document["evidence"],
        )


OUTSIDE = "outside the domain of applicability"
"""How the refusal of an answer begins where abstaining is asked for."""
_FAR = "unlike the compounds that the model learned from"
_SPLIT = "the fits of the model disagree"


def similarity_to_other_folds(words: np.ndarray, folds: np.ndarray, k: int = N_NEAREST) -> np.ndarray:
    """Mean Tanimoto similarity of each compound to its `k` nearest in other folds (n,), of packed `words` (n, w)."""
    if k < 1:
        raise InputError(f"at least one neighbour is needed, got {k}")
    similarity = np.empty(len(words))
    for fold in np.unique(folds):
        inside, outside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        found = search(build_index(words[outside]), words[inside], min(k, len(outside)))
        similarity[inside] = found.similarities.mean(axis=1)
    return similarity


def told_apart(errors: np.ndarray, beyond: np.ndarray, signal: np.ndarray | None) -> dict[str, Any]:
    """The mean error on both sides of a limit, and how the errors rise with the signal."""
    known = np.isfinite(errors)
    outer, inner = errors[known & beyond], errors[known & ~beyond]
    told = {
        "n_beyond": int(beyond.sum()),
        "mean_error_beyond": float(outer.mean()) if len(outer) else None,
        "mean_error_within": float(inner.mean()) if len(inner) else None,
        "error_grows": bool(len(outer) and len(inner) and outer.mean() > inner.mean()),
    }
    if signal is None:
        return told
    rises = rank_correlation(signal[known], errors[known]) if known.sum() >= _FEWEST else None
    return {**told, "rank_correlation": rises}
