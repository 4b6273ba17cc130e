"""A fitted model as it is stored and used: encoder, imputers and scorers, or several such models combined.

Loading and predicting need numpy, polars, safetensors and, for some models, onnxruntime; no scikit-learn and
no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import BundleFormatError, FitError
from iatros.core.task import Task
from iatros.learners.tabular.encoding import Encoder
from iatros.learners.tabular.imputation import Imputer
from iatros.learners.tabular.scorers import Read, Saved, Scorer, load_scorer, nest, sigmoid, softmax, within

if TYPE_CHECKING:
    import polars as pl

_ARRAYS = "arrays.safetensors"
_FLOOR = 1e-7  # keeps the logit of a member's probability finite


class Predictor(Protocol):
    """What answers for a patient."""

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """Predictions in the shapes of `core.task.Target`; `frame` has the feature columns of the schema."""
        ...

    def save(self) -> Saved:
        """A JSON-ready document and files, from which `load_predictor` gives an equal predictor."""
        ...


@dataclass(frozen=True)
class PipelinePredictor:
    """One encoder, then one imputer and scorer for each completed table; their predictions are averaged."""

    kind: ClassVar[str] = "pipeline"
    encoder: Encoder
    imputers: tuple[Imputer, ...]
    scorers: tuple[Scorer, ...]

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """Predictions for the rows of `frame`."""
        X = self.encoder.transform(frame)
        parts = zip(self.imputers, self.scorers, strict=True)
        total = sum(scorer.score(imputer.transform(X)) for imputer, scorer in parts)
        return np.asarray(total) / len(self.scorers)

    def save(self) -> Saved:
        """The document, one file of arrays for encoder and imputers, and the scorers' files."""
        arrays = {f"encoder.{name}": array for name, array in self.encoder.arrays().items()}
        parts: list[dict[str, Any]] = []
        files: dict[str, bytes] = {}
        for index, (imputer, scorer) in enumerate(zip(self.imputers, self.scorers, strict=True)):
            arrays |= {f"imputer.{index}.{name}": array for name, array in imputer.arrays().items()}
            document, inner = scorer.save()
            parts.append({"imputer": imputer.kind, "scorer": document})
            files |= nest(f"scorer-{index}", inner)
        document = {"kind": self.kind, "encoder": self.encoder.document(), "parts": parts}
        return document, {_ARRAYS: pack_arrays(arrays), **files}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> PipelinePredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        encoder = Encoder.load(document["encoder"], _under("encoder.", arrays))
        imputers, scorers = [], []
        for index, part in enumerate(document["parts"]):
            imputers.append(Imputer.load(part["imputer"], _under(f"imputer.{index}.", arrays)))
            scorers.append(load_scorer(part["scorer"], within(f"scorer-{index}", read)))
        return cls(encoder, tuple(imputers), tuple(scorers))


@dataclass(frozen=True)
class StackPredictor:
    """Several predictors as one.

    On the scale "prediction" the answer is `sum_m weights[m] p_m` (weights sum to one); on the scale "logit"
    it is the sigmoid (binary) or softmax (multiclass) of `intercept + sum_m weights[m] link(p_m)`, with link
    the logit or the logarithm; a continuous outcome has `intercept + sum_m weights[m] p_m` on either.
    `weights` (m,) are not negative; `intercept` is (1,) or, for several classes, (k,).
    """

    kind: ClassVar[str] = "stack"
    names: tuple[str, ...]
    members: tuple[Predictor, ...]
    task: Task
    scale: Literal["prediction", "logit"]
    weights: np.ndarray
    intercept: np.ndarray

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """Predictions for the rows of `frame`."""
        return self.combine([member.predict(frame) for member in self.members])

    def combine(self, predictions: list[np.ndarray]) -> np.ndarray:
        """The answer from each member's predictions, in the order of `names`."""
        stacked = np.stack(predictions)
        if self.task == "continuous":
            return np.tensordot(self.weights, stacked, axes=1) + self.intercept[0]
        if self.scale == "prediction":
            return np.tensordot(self.weights, stacked, axes=1)
        clipped = np.clip(stacked, _FLOOR, 1.0 - _FLOOR)
        if self.task == "binary":
            margin = np.tensordot(self.weights, np.log(clipped) - np.log1p(-clipped), axes=1)
            return sigmoid(margin + self.intercept[0])
        return softmax(np.tensordot(self.weights, np.log(clipped), axes=1) + self.intercept)

    def save(self) -> Saved:
        """The document, the weights, and the members' files."""
        files = {_ARRAYS: pack_arrays({"weights": self.weights, "intercept": self.intercept})}
        members = []
        for name, member in zip(self.names, self.members, strict=True):
            document, inner = member.save()
            members.append({"name": name, "predictor": document})
            files |= nest(name, inner)
        return {"kind": self.kind, "task": self.task, "scale": self.scale, "members": members}, files

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> StackPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        names = tuple(member["name"] for member in document["members"])
        members = tuple(
            load_predictor(member["predictor"], within(member["name"], read))
            for member in document["members"]
        )
        return cls(
            names, members, document["task"], document["scale"], arrays["weights"], arrays["intercept"]
        )


PREDICTORS: dict[str, Any] = {each.kind: each for each in (PipelinePredictor, StackPredictor)}


def load_predictor(document: dict[str, Any], read: Read) -> Predictor:
    """The predictor that was saved as `document`; `read` gives the content of a file by its name."""
    kind = document.get("kind")
    if kind not in PREDICTORS:
        raise BundleFormatError(
            f"the bundle holds a predictor of kind {kind!r}; known: {', '.join(sorted(PREDICTORS))}",
            hint="open it with the version of iatros that wrote it",
        )
    predictor: Predictor = PREDICTORS[kind].load(document, read)
    return predictor


def save_checked(predictor: Predictor, frame: pl.DataFrame, *, rows: int = 64) -> Saved:
    """`predictor.save()`, after asserting that the stored form answers alike on the first `rows` rows."""
    document, files = predictor.save()
    sample = frame.head(rows)
    fitted = predictor.predict(sample)
    stored = load_predictor(document, files.__getitem__).predict(sample)
    assert_equal(fitted, stored)
    return document, files


def assert_equal(fitted: np.ndarray, stored: np.ndarray, *, tolerance: float = 1e-6) -> None:
    """Refuse a stored form that differs from the fitted model by more than `tolerance`, relative above 1."""
    gap = float(np.max(np.abs(fitted - stored) / np.maximum(1.0, np.abs(fitted)), initial=0.0))
    if fitted.shape != stored.shape or not gap <= tolerance:
        raise FitError(
            f"the stored form of the model differs from the fitted one by {gap:.1e}, allowed {tolerance:.0e}",
            hint="a value of the table may be too large for float32; rescale that column",
        )


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
