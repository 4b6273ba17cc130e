"""The regressions that effects are built from: one line each, imported when asked for.

A base is a function `fit(X, y, *, weight, binary, seed) -> Surface`: covariates (n, p), outcomes (n,) that are 0 or 1
where `binary`, weights (n,) of at least 0. Nothing it does may depend on the number of threads.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from iatros.core.registry import Registry


class Surface(Protocol):
    """A fitted regression."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The expected outcome (n,) of covariates (n, p)."""
        ...


class Base(Protocol):
    """A regression that can be fitted."""

    def __call__(
        self, X: np.ndarray, y: np.ndarray, *, weight: np.ndarray, binary: bool, seed: int
    ) -> Surface:
        """The surface learned from X (n, p) and y (n,)."""
        ...


BASES = Registry("base", group="iatros.treatment.bases")

_HERE = "iatros.treatment.effects.bases"
BASES.add("ridge", f"{_HERE}.ridge:fit", "penalised regression, with squares and products where they help")
BASES.add("gp", f"{_HERE}.gp:fit", "Gaussian process: a linear and a smooth part")
BASES.add("boosting", f"{_HERE}.boosting:fit", "boosted trees (LightGBM)", extra="treatment")
BASES.add("forest", f"{_HERE}.forest:fit", "random forest")
