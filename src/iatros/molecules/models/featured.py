"""What the models over feature matrices share: which features, on which scale, and the stored predictor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import FitError
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import BIT_KINDS, COUNT_KINDS, Fingerprint, Kind
from iatros.learners.tabular.scorers import Read, Saved, Scorer, load_scorer, nest, within
from iatros.molecules.assay import Assay
from iatros.molecules.models.estimator import CompoundParams
from iatros.molecules.models.hiding import each_atom_hidden

_ARRAYS = "arrays.safetensors"
_FAR = 5.0
"""Standard deviations beyond which a number enters as if it lay there: no answer grows without bound."""


class FeatureParams(CompoundParams):
    """The parameters of every model over features; a model gives them its own defaults."""

    features: tuple[Kind, ...] = Field(
        default=("morgan",),
        min_length=1,
        description="kinds of fingerprints and descriptors, side by side",
    )
    n_bits: int = Field(
        default=2048,
        ge=64,
        le=65536,
        multiple_of=64,
        description="length of each circular or Avalon fingerprint",
    )
    radius: int = Field(default=2, ge=0, le=8, description="bonds around the centre, circular kinds")

    @field_validator("features")
    @classmethod
    def _once(cls, features: tuple[Kind, ...]) -> tuple[Kind, ...]:
        if len(set(features)) < len(features):
            raise ValueError("a kind of feature is named twice")
        return features

    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """The features, with their numbers."""
        return tuple(Fingerprint(kind, n_bits=self.n_bits, radius=self.radius) for kind in self.features)


def prepare(compounds: Compounds, fingerprints: tuple[Fingerprint, ...]) -> None:
    """Compute the features once, so that whatever is taken from `compounds` has them."""
    for one in fingerprints:
        compounds.values(one)


@dataclass(frozen=True)
class Inputs:
    """What a scorer sees of a compound: the columns `kept` (p,) of the features side by side.

    Where they are scaled, the columns `counted` (p,), bool, enter as log(1 + count), the others less `centre` (p,) and
    over `spread` (p,), held within five.
    """

    fingerprints: tuple[Fingerprint, ...]
    kept: np.ndarray
    counted: np.ndarray | None = None
    centre: np.ndarray | None = None
    spread: np.ndarray | None = None

    def of(self, compounds: Compounds) -> np.ndarray:
        """X (n, p), float32, finite."""
        X = compounds.matrix(self.fingerprints)[:, self.kept]
        if self.counted is None or self.centre is None or self.spread is None:
            return X
        X[:, self.counted] = np.log1p(X[:, self.counted])
        numbers = ~self.counted
        standard = (X[:, numbers] - self.centre[numbers]) / self.spread[numbers]
        X[:, numbers] = np.clip(standard, -_FAR, _FAR)
        return X

    def arrays(self) -> dict[str, np.ndarray]:
        """What is stored beside the document."""
        named = {"kept": self.kept, "counted": self.counted, "centre": self.centre, "spread": self.spread}
        return {f"inputs.{name}": array for name, array in named.items() if array is not None}

    def document(self) -> list[dict[str, Any]]:
        """The fingerprints, JSON-ready."""
        return [asdict(one) for one in self.fingerprints]

    @classmethod
    def load(cls, document: list[dict[str, Any]], arrays: dict[str, np.ndarray]) -> Inputs:
        """The inputs that `document` and `arrays` describe."""
        own = {
            name.removeprefix("inputs."): array
            for name, array in arrays.items()
            if name.startswith("inputs.")
        }
        return cls(tuple(Fingerprint(**each) for each in document), **own)


def fit_inputs(
    compounds: Compounds, fingerprints: tuple[Fingerprint, ...], *, scale: bool
) -> tuple[Inputs, np.ndarray]:
    """The columns that vary over `compounds`, scaled where asked for, and X (n, p) of the compounds.

    FitError where no column varies.
    """
    X = compounds.matrix(fingerprints)
    kept = np.flatnonzero(X.min(axis=0) < X.max(axis=0)) if len(X) else np.arange(0)
    if not len(kept):
        raise FitError(
            "the compounds do not differ in any feature", hint="use other features, or more compounds"
        )
    if not scale:
        return Inputs(fingerprints, kept), np.ascontiguousarray(X[:, kept])
    counting = [one.kind in (*BIT_KINDS, *COUNT_KINDS) for one in fingerprints]
    widths = [compounds.take([0]).matrix([one]).shape[1] for one in fingerprints]
    counted = np.repeat(counting, widths)[kept]
    numbers = X[:, kept].astype(np.float64)
    centre = np.where(counted, 0.0, numbers.mean(axis=0)).astype(np.float32)
    spread = np.where(counted, 1.0, numbers.std(axis=0)).astype(np.float32)
    spread[spread == 0.0] = 1.0
    inputs = Inputs(fingerprints, kept, counted, centre, spread)
    return inputs, inputs.of(compounds)


@dataclass(frozen=True)
class FeaturedPredictor:
    """Scorers over a feature matrix: one for each endpoint, or one that answers for all of them.

    A scorer gives probabilities, or a value on the scale in which it learned: the answer is
    `spread * score + centre`, both (k,), which are 1 and 0 for probabilities.
    """

    kind: ClassVar[str] = "features"
    inputs: Inputs
    scorers: tuple[Scorer, ...]
    centre: np.ndarray
    spread: np.ndarray

    def predict(self, compounds: Compounds) -> np.ndarray:
        """(n, k), see `CompoundPredictor`."""
        if not len(compounds):
            return np.empty((0, len(self.centre)))
        X = self.inputs.of(compounds).astype(np.float64)
        scores = [scorer.score(X).reshape(len(X), -1) for scorer in self.scorers]
        return np.concatenate(scores, axis=1) * self.spread + self.centre

    def hidden(self, smiles: str) -> np.ndarray:
        """(atoms, k); what hiding means is told in `hiding`."""
        return self.predict(each_atom_hidden(smiles))

    def save(self) -> Saved:
        """The document, its arrays, and the scorers' files."""
        arrays = {**self.inputs.arrays(), "centre": self.centre, "spread": self.spread}
        files = {_ARRAYS: pack_arrays(arrays)}
        documents = []
        for index, scorer in enumerate(self.scorers):
            document, inner = scorer.save()
            documents.append(document)
            files |= nest(f"scorer-{index}", inner)
        return {"kind": self.kind, "inputs": self.inputs.document(), "scorers": documents}, files

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> FeaturedPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        scorers = tuple(
            load_scorer(each, within(f"scorer-{index}", read))
            for index, each in enumerate(document["scorers"])
        )
        inputs = Inputs.load(document["inputs"], arrays)
        return cls(inputs, scorers, arrays["centre"], arrays["spread"])


def check_learnable(assay: Assay) -> None:
    """FitError where an endpoint has no exact value, or one class only."""
    if not len(assay):
        raise FitError("there are no compounds to learn from")
    for column, endpoint in enumerate(assay.endpoints):
        exact = assay.measured[:, column]
        if assay.task == "continuous":
            exact = exact & (assay.bound[:, column] == 0)
        values = np.unique(assay.y[exact, column])
        if not len(values):
            raise FitError(
                f"no training compound has a value of {endpoint.name}",
                hint="leave the endpoint out, or use more compounds",
            )
        if assay.task != "continuous" and len(values) < 2:
            raise FitError(
                f"the training compounds have one class only of {endpoint.name}",
                hint="leave the endpoint out, or use more compounds",
            )


def outcome_scale(assay: Assay) -> tuple[np.ndarray, np.ndarray]:
    """Centre and spread (k,) of what was measured; 0 and 1 for classes, and 1 where nothing varies."""
    k = len(assay.endpoints)
    if assay.task != "continuous":
        return np.zeros(k), np.ones(k)
    spread = np.nanstd(assay.y, axis=0)
    return np.nanmean(assay.y, axis=0), np.where(spread > 0.0, spread, 1.0)
