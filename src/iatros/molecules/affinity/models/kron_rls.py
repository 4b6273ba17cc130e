"""Kernel ridge regression over pairs (Pahikkala and others 2015), in closed form where every pair was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.completion.table import Completion, Settings, complete
from iatros.learners.tabular.scorers import Read, Saved
from iatros.learners.threads import one_blas_thread
from iatros.molecules.affinity.estimator import AffinityParams, Newness
from iatros.molecules.affinity.schema import Pairs
from iatros.molecules.affinity.similarity import KNOWN, Known
from iatros.molecules.affinity.stored import restored, stored

_ARRAYS = "arrays.safetensors"


class KronRlsParams(AffinityParams):
    """Parameters of the regression."""

    profiles: bool = Field(
        default=False,
        description="add to the kernels how alike the measured profiles are (Gaussian interaction profiles)",
    )
    ridge: float = Field(default=0.2, gt=0, le=1e4, description="penalty on the size of the regression")
    identity: float = Field(
        default=0.1, ge=0, le=10, description="what a drug or target has in common with none, beside 1"
    )
    target_power: float = Field(
        default=0.7, gt=0, le=4, description="power to which similarities of sequences enter"
    )


class KronRls:
    """A regression on the product of the kernels; where no side will be new, after offsets of drugs and targets."""

    name: ClassVar[str] = "kron-rls"
    Params: ClassVar[type[KronRlsParams]] = KronRlsParams

    def __init__(self, params: KronRlsParams | None = None) -> None:
        self.params = params or KronRlsParams()

    def fit(
        self, pairs: Pairs, *, newness: Newness, groups: np.ndarray, seed: int
    ) -> tuple[KronRlsPredictor, dict[str, Any]]:
        """The regression of all pairs; notes: drugs, targets, share of the table that was measured."""
        known = Known.of(pairs)
        settings = Settings(
            ridge=self.params.ridge,
            identity=self.params.identity,
            column_power=self.params.target_power,
            with_offsets=newness == "pairs",
        )
        values, mask = pairs.table()
        with one_blas_thread():
            completion = complete(values, mask, *known.similarities(), settings, seed=seed)
        notes = {"n_drugs": len(known.drugs), "n_targets": len(known.targets), "share_measured": mask.mean()}
        return KronRlsPredictor(known, completion, self.params.profiles), notes


@dataclass(frozen=True)
class KronRlsPredictor:
    """Dual coefficients, and the drugs and targets that they belong to."""

    kind: ClassVar[str] = "kron-rls"
    known: Known
    completion: Completion
    profiles: bool

    def predict(self, pairs: Pairs) -> np.ndarray:
        """The affinity of each pair (n,)."""
        answered = self.completion.ask(self.known.ask(pairs))
        table = answered.second if self.profiles else answered.first
        return table[pairs.drug, pairs.target]

    def save(self) -> Saved:
        """The document, and the arrays."""
        settings, table = stored(self.completion)
        document = {"kind": self.kind, "profiles": self.profiles, "settings": settings}
        arrays = table | {"words": self.known.words}
        return document, {_ARRAYS: pack_arrays(arrays), KNOWN: self.known.file()}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> KronRlsPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        known = Known.load(read, arrays.pop("words"))
        return cls(known, restored(document["settings"], arrays), document["profiles"])
