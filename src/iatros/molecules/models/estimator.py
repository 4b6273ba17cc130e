"""What a model of activity is: something that learns from an assay, and something that answers for compounds.

An estimator is a class with `name`, `Params` (a frozen pydantic model) and `fit`. What it returns can be stored in a
bundle and answers with numpy, RDKit and onnxruntime alone: no torch, scikit-learn, lightgbm or chemprop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from iatros.core.errors import BundleFormatError
from iatros.core.registry import Registry
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.tabular.scorers import Read, Saved
from iatros.molecules.assay import Assay


class CompoundParams(BaseModel):
    """The base of every model's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CompoundPredictor(Protocol):
    """A fitted model as it is stored and used."""

    def predict(self, compounds: Compounds) -> np.ndarray:
        """(n, k): the probability of the second class, or the value in the endpoint's unit; always finite."""
        ...

    def hidden(self, smiles: str) -> np.ndarray:
        """(atoms, k): what it would say of the compound if each atom in turn were hidden from it.

        Atoms are counted as RDKit reads them from `smiles`.
        """
        ...

    def save(self) -> Saved:
        """A JSON-ready document with `kind`, and files, from which `load_predictor` gives an equal predictor."""
        ...


class Estimator(Protocol):
    """A model that can be trained. Nothing it does may depend on the number of threads or workers."""

    name: ClassVar[str]
    Params: ClassVar[type[CompoundParams]]

    def fit(self, assay: Assay, *, seed: int) -> tuple[CompoundPredictor, dict[str, Any]]:
        """The fitted predictor, and plain notes about the fit (rounds, epochs, sizes).

        FitError where an endpoint has no value, or one class only.
        """
        ...


PREDICTORS = Registry("predictor", group="iatros.molecules.predictors")


def load_predictor(document: dict[str, Any], read: Read) -> CompoundPredictor:
    """The predictor that was saved as `document`; `read` gives the content of a file by its name."""
    kind = document.get("kind")
    if kind not in PREDICTORS.names():
        raise BundleFormatError(
            f"the bundle holds a predictor of kind {kind!r}; known: {', '.join(PREDICTORS.names())}",
            hint="open it with the version of iatros that wrote it",
        )
    load: Callable[[dict[str, Any], Read], CompoundPredictor] = PREDICTORS.load(kind).load
    return load(document, read)


_HERE = "iatros.molecules.models"
PREDICTORS.add(
    "features", f"{_HERE}.featured:FeaturedPredictor", "a scorer over fingerprints and descriptors"
)
PREDICTORS.add("svm", f"{_HERE}.svm:SvmPredictor", "kernels of fingerprints with support vectors")
PREDICTORS.add("tokens", f"{_HERE}.tokens:TokenPredictor", "a network over the letters of SMILES")
PREDICTORS.add("graph", f"{_HERE}.dmpnn:GraphPredictor", "messages along the bonds")
PREDICTORS.add("bag", f"{_HERE}.combined:BagPredictor", "several fits of one model, averaged")
PREDICTORS.add("stack", f"{_HERE}.combined:StackPredictor", "several models, weighed")
