"""A list of compounds, and the numbers that models learn from, each computed once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.engine import Engine, SerialEngine
from iatros.core.progress import Progress
from iatros.learners.compounds.fingerprints import BIT_KINDS, Fingerprint, compute, feature_names, require
from iatros.learners.compounds.packing import unpack
from iatros.learners.compounds.store import FeatureStore


class Compounds:
    """Structures as SMILES, and features of them on demand.

    What is computed is computed for all compounds of the list that this one was taken from, once, so that the folds of
    a validation share it. A compound that RDKit cannot read raises InputError when features are asked for.

    >>> two = Compounds(["CCO", "c1ccccc1", "CC(=O)O"]).take([0, 2])
    >>> two.smiles, two.values(Fingerprint("maccs")).shape
    (('CCO', 'CC(=O)O'), (2, 3))
    """

    def __init__(
        self,
        smiles: Sequence[str],
        *,
        engine: Engine | None = None,
        progress: Progress | None = None,
        store: FeatureStore | None = None,
    ) -> None:
        self._all = _All(tuple(smiles), engine or SerialEngine(), progress, store)
        self._rows: np.ndarray | None = None

    @property
    def smiles(self) -> tuple[str, ...]:
        """The structures, in order."""
        if self._rows is None:
            return self._all.smiles
        return tuple(self._all.smiles[row] for row in self._rows)

    def __len__(self) -> int:
        return len(self._all.smiles) if self._rows is None else len(self._rows)

    def take(self, rows: Sequence[int] | np.ndarray) -> Compounds:
        """The compounds at `rows`, in that order, repeats allowed; features are shared with this list."""
        taken = Compounds.__new__(Compounds)
        taken._all = self._all
        chosen = np.asarray(rows, dtype=np.int64)
        taken._rows = chosen if self._rows is None else self._rows[chosen]
        return taken

    def values(self, fingerprint: Fingerprint) -> np.ndarray:
        """One line for each compound as `fingerprints.Features.values` has it: packed bits, counts or numbers."""
        values = self._all.values(fingerprint)
        return values if self._rows is None else values[self._rows]

    def matrix(self, fingerprints: Sequence[Fingerprint]) -> np.ndarray:
        """The features side by side, float32 (n, p): bits as 0 and 1, counts, numbers."""
        parts = [_numbers(self.values(one), one) for one in fingerprints]
        return np.concatenate(parts, axis=1) if parts else np.empty((len(self), 0), np.float32)


def column_names(fingerprints: Sequence[Fingerprint]) -> tuple[str, ...]:
    """A name for each column of `Compounds.matrix`: a descriptor's own, else the kind and the number of the bit."""
    names: list[str] = []
    for one in fingerprints:
        width = Compounds(["C"]).matrix([one]).shape[1]
        names += feature_names(one) or [f"{one.kind}:{bit}" for bit in range(width)]
    return tuple(names)


class _All:
    """The whole list, with what was computed of it; only the numbers travel to a worker, not the means."""

    def __init__(
        self, smiles: tuple[str, ...], engine: Engine, progress: Progress | None, store: FeatureStore | None
    ) -> None:
        self.smiles = smiles
        self.engine, self.progress, self.store = engine, progress, store
        self._computed: dict[Fingerprint, np.ndarray] = {}

    def values(self, fingerprint: Fingerprint) -> np.ndarray:
        if fingerprint not in self._computed:
            found = compute(
                self.smiles, fingerprint, engine=self.engine, progress=self.progress, store=self.store
            )
            self._computed[fingerprint] = require(found, self.smiles)
        return self._computed[fingerprint]

    def __getstate__(self) -> dict[str, Any]:
        return {"smiles": self.smiles, "_computed": self._computed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, engine=SerialEngine(), progress=None, store=None)


def _numbers(values: np.ndarray, fingerprint: Fingerprint) -> np.ndarray:
    if fingerprint.kind in BIT_KINDS:
        return unpack(values, fingerprint.n_bits).astype(np.float32)
    return values.astype(np.float32)
