"""Offsets and factors of drugs and targets; a new one has those of its likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.completion.factorisation import factorise
from iatros.learners.completion.table import offsets
from iatros.learners.tabular.scorers import Read, Saved
from iatros.learners.threads import one_blas_thread
from iatros.molecules.affinity.estimator import AffinityParams, Newness
from iatros.molecules.affinity.schema import Pairs
from iatros.molecules.affinity.similarity import KNOWN, Known

_ARRAYS = "arrays.safetensors"


class FactorParams(AffinityParams):
    """Parameters of the factorisation."""

    n_factors: int = Field(default=8, ge=1, le=500, description="factors of each drug and target")
    penalty: float = Field(default=4.0, gt=0, le=1e4, description="penalty on the squared factors")
    sharpness: float = Field(
        default=4.0,
        gt=0,
        le=100,
        description="power of the similarities by which a new one's likes are averaged",
    )
    n_likes: int = Field(default=5, ge=1, le=1000, description="known ones that a new one is averaged from")


class MatrixFactorisation:
    """The mean, offsets and a product of factors, by alternating least squares (Zhou and others 2008)."""

    name: ClassVar[str] = "matrix-factorisation"
    Params: ClassVar[type[FactorParams]] = FactorParams

    def __init__(self, params: FactorParams | None = None) -> None:
        self.params = params or FactorParams()

    def fit(
        self, pairs: Pairs, *, newness: Newness, groups: np.ndarray, seed: int
    ) -> tuple[FactorPredictor, dict[str, Any]]:
        """The factors of all pairs; notes: drugs, targets, share of the table that was measured."""
        known = Known.of(pairs)
        values, mask = pairs.table()
        with one_blas_thread():
            mean, drugs, targets = offsets(values, mask)
            residual = (values - mean - drugs[:, None] - targets[None, :]) * mask
            factors = factorise(residual, mask, self.params.n_factors, self.params.penalty, seed=seed)
        notes = {"n_drugs": len(known.drugs), "n_targets": len(known.targets), "share_measured": mask.mean()}
        fitted = FactorPredictor(
            known,
            mean,
            np.column_stack([drugs, factors.rows]),
            np.column_stack([targets, factors.columns]),
            self.params.sharpness,
            self.params.n_likes,
        )
        return fitted, notes


@dataclass(frozen=True)
class FactorPredictor:
    """`drugs` (drugs, 1 + k) and `targets` (targets, 1 + k): the offset, then the factors."""

    kind: ClassVar[str] = "matrix-factorisation"
    known: Known
    mean: float
    drugs: np.ndarray
    targets: np.ndarray
    sharpness: float
    n_likes: int

    def predict(self, pairs: Pairs) -> np.ndarray:
        """The affinity of each pair (n,)."""
        asked = self.known.ask(pairs)
        drugs = self._of(self.drugs, asked.of_rows, asked.rows)[pairs.drug]
        targets = self._of(self.targets, asked.of_columns, asked.columns)[pairs.target]
        product = (drugs[:, 1:] * targets[:, 1:]).sum(axis=1)
        answer: np.ndarray = self.mean + drugs[:, 0] + targets[:, 0] + product
        return answer

    def _of(self, known: np.ndarray, similarity: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The known rows, and of new ones the mean of their likes, shrunk to 0 as these are unlike."""
        found = known[np.maximum(places, 0)]
        for row in np.flatnonzero(places < 0):
            likes = np.argsort(-similarity[row], kind="stable")[: self.n_likes]
            similar = similarity[row, likes]
            weights = similar**self.sharpness
            found[row] = 0.0
            if weights.sum() > 0:
                found[row] = similar.max() * (weights @ known[likes]) / weights.sum()
        return found

    def save(self) -> Saved:
        """The document, and the arrays."""
        document = {
            "kind": self.kind,
            "sharpness": self.sharpness,
            "n_likes": self.n_likes,
        }
        arrays = {
            "mean": np.asarray(self.mean),
            "drugs": self.drugs,
            "targets": self.targets,
            "words": self.known.words,
        }
        return document, {_ARRAYS: pack_arrays(arrays), KNOWN: self.known.file()}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> FactorPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        known = Known.load(read, arrays["words"])
        return cls(
            known, float(arrays["mean"]), arrays["drugs"], arrays["targets"], document["sharpness"], document["n_likes"]
        )  # fmt: skip
