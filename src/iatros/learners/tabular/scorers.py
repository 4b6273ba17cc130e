"""What turns a complete feature matrix into predictions when a model is used: numpy arrays and ONNX graphs.

A scorer takes X of shape (n, n_features), float64, and answers in the shapes of `core.task.Target`.
Nothing here needs scikit-learn or torch; onnxruntime is loaded only by a model that is stored as ONNX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import BundleFormatError

Saved = tuple[dict[str, Any], dict[str, bytes]]
"""A JSON-ready document, and the files that it names."""
Read = Callable[[str], bytes]
"""The content of one of those files."""
Link = Literal["identity", "sigmoid", "softmax", "one-vs-rest"]
"""How margins (n, k) become predictions; one-vs-rest: sigmoids, made to sum to one over the classes."""

_ARRAYS = "arrays.safetensors"
_BLOCK = 2_000_000  # kernel values held at once: 16 MB


class Scorer(Protocol):
    """The fitted core of a model."""

    def score(self, X: np.ndarray) -> np.ndarray:
        """Predictions for X (n, n_features); see `core.task.Target` for their shape."""
        ...

    def save(self) -> Saved:
        """What `load_scorer` needs to give the same scorer back."""
        ...


def nest(prefix: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """`files` renamed so that several parts can lie in one flat folder."""
    return {f"{prefix}.{name}": content for name, content in files.items()}


def within(prefix: str, read: Read) -> Read:
    """The reader of the files that were renamed by `nest(prefix, ...)`."""
    return lambda name: read(f"{prefix}.{name}")


def sigmoid(margin: np.ndarray) -> np.ndarray:
    """The logistic function, without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * margin))


def softmax(margin: np.ndarray) -> np.ndarray:
    """Rows of (n, k) margins as probabilities."""
    shifted = np.exp(margin - margin.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def apply_link(link: Link, margin: np.ndarray) -> np.ndarray:
    """Predictions from margins (n, k); with k = 1 the answer has shape (n,)."""
    if link == "softmax":
        return softmax(margin)
    if link == "one-vs-rest":
        each = np.maximum(sigmoid(margin), 1e-12)
        return each / each.sum(axis=1, keepdims=True)
    return (sigmoid(margin) if link == "sigmoid" else margin)[:, 0]


@dataclass(frozen=True)
class SplineBasis:
    """Restricted cubic splines of some features (Harrell, Regression Modeling Strategies, 2nd ed., eq. 2.25).

    `columns` (s,) are the features, `knots` (s, k) their knots, lowest first: each feature gains k - 2 terms.
    """

    columns: np.ndarray
    knots: np.ndarray

    def expand(self, X: np.ndarray) -> np.ndarray:
        """X (n, p) with its spline terms behind it, (n, p + s (k - 2))."""
        parts = [X]
        for column, knots in zip(self.columns, self.knots, strict=True):
            x = X[:, int(column), None]
            last, before = knots[-1], knots[-2]
            cube = np.maximum(x - knots[None, :-2], 0.0) ** 3
            tail = np.maximum(x - before, 0.0) ** 3 * (last - knots[None, :-2])
            tail -= np.maximum(x - last, 0.0) ** 3 * (before - knots[None, :-2])
            parts.append((cube - tail / (last - before)) / (last - knots[0]) ** 2)
        return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class LinearScorer:
    """`link(X coefficients' + intercept)`, with spline terms appended to X where there are any.

    `coefficients` (k, p): one row per margin; `intercept` (k,).
    """

    kind: ClassVar[str] = "linear"
    coefficients: np.ndarray
    intercept: np.ndarray
    link: Link
    splines: SplineBasis | None = None

    def margin(self, X: np.ndarray) -> np.ndarray:
        """Log-odds, class margins or the outcome itself, (n, k)."""
        expanded = self.splines.expand(X) if self.splines else X
        return expanded @ self.coefficients.T + self.intercept

    def score(self, X: np.ndarray) -> np.ndarray:
        """Predictions for X (n, p)."""
        return apply_link(self.link, self.margin(X))

    def save(self) -> Saved:
        """The document, and its arrays."""
        arrays = {"coefficients": self.coefficients, "intercept": self.intercept}
        if self.splines:
            arrays |= {"spline_columns": self.splines.columns, "spline_knots": self.splines.knots}
        return {"kind": self.kind, "link": self.link}, {_ARRAYS: pack_arrays(arrays)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> LinearScorer:
        """The scorer that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        splines = None
        if "spline_knots" in arrays:
            splines = SplineBasis(arrays["spline_columns"], arrays["spline_knots"])
        return cls(arrays["coefficients"], arrays["intercept"], document["link"], splines)


@dataclass(frozen=True)
class KernelScorer:
    """Support vector machines: `link(slope * (K(X, support) dual' + intercept) + offset)`.

    `support` (s, p) are encoded training rows; `dual` (k, s), `intercept`, `slope` and `offset` (k,), one per
    machine; slope and offset are the machine's probability calibration (Platt), or the outcome's scale.
    """

    kind: ClassVar[str] = "kernel"
    kernel: Literal["rbf", "poly", "sigmoid"]
    support: np.ndarray
    dual: np.ndarray
    intercept: np.ndarray
    slope: np.ndarray
    offset: np.ndarray
    link: Link
    gamma: float
    degree: int = 3
    coef0: float = 0.0

    def margin(self, X: np.ndarray) -> np.ndarray:
        """Calibrated margins, (n, k)."""
        rows = max(1, _BLOCK // max(1, len(self.support)))
        blocks = [self._kernel(X[at : at + rows]) @ self.dual.T for at in range(0, len(X), rows)]
        decision = np.concatenate(blocks) if blocks else np.zeros((0, len(self.dual)))
        return (decision + self.intercept) * self.slope + self.offset

    def score(self, X: np.ndarray) -> np.ndarray:
        """Predictions for X (n, p)."""
        return apply_link(self.link, self.margin(X))

    def _kernel(self, X: np.ndarray) -> np.ndarray:
        """K(X, support) of shape (n, s), with scikit-learn's definitions of the kernels."""
        inner = X @ self.support.T
        if self.kernel == "rbf":
            square = (X**2).sum(axis=1)[:, None] + (self.support**2).sum(axis=1)[None, :] - 2.0 * inner
            return np.exp(-self.gamma * np.maximum(square, 0.0))
        scaled = self.gamma * inner + self.coef0
        return scaled**self.degree if self.kernel == "poly" else np.tanh(scaled)

    def save(self) -> Saved:
        """The document, and its arrays."""
        document: dict[str, Any] = {"kind": self.kind, "link": self.link, "kernel": self.kernel}
        document |= {"gamma": self.gamma, "degree": self.degree, "coef0": self.coef0}
        names = ("support", "dual", "intercept", "slope", "offset")
        return document, {_ARRAYS: pack_arrays({name: getattr(self, name) for name in names})}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> KernelScorer:
        """The scorer that `save` described."""
        fields = {name: value for name, value in document.items() if name != "kind"}
        return cls(**fields, **unpack_arrays(read(_ARRAYS)))


@dataclass(frozen=True)
class OnnxScorer:
    """An ONNX graph with one input (n, p) and one output: (n,), (n, 1) or (n, n_classes).

    X is rounded to float32 first, whether the graph takes float32 or float64, and values beyond it are held
    at its largest; NaN goes through (missing, where the graph takes it). With `normalise` (probabilities)
    answers are kept in [0, 1] and rows of (n, n_classes) divided by their sum, which float32 leaves a hair
    off one.
    """

    kind: ClassVar[str] = "onnx"
    model: bytes = field(repr=False)
    normalise: bool = False

    def score(self, X: np.ndarray) -> np.ndarray:
        """Predictions for X (n, p), float64."""
        session = self.__dict__.get("session")
        if session is None:
            session = open_session(self.model)
            object.__setattr__(self, "session", session)
        entry = session.get_inputs()[0]
        given = as_float32(X)
        if entry.type == "tensor(double)":
            given = given.astype(np.float64)
        (answer,) = session.run(None, {entry.name: given})
        prediction = np.asarray(answer, dtype=np.float64)
        if prediction.ndim == 2 and prediction.shape[1] == 1:
            prediction = prediction[:, 0]
        if self.normalise:
            prediction = np.clip(prediction, 0.0, 1.0)
            if prediction.ndim == 2:
                prediction = prediction / prediction.sum(axis=1, keepdims=True)
        return prediction

    def __getstate__(self) -> dict[str, Any]:
        """Without the session, which cannot cross a process boundary."""
        return {"model": self.model, "normalise": self.normalise}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def save(self) -> Saved:
        """The document, and the graph."""
        return {"kind": self.kind, "normalise": self.normalise}, {"model.onnx": self.model}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> OnnxScorer:
        """The scorer that `save` described."""
        return cls(read("model.onnx"), document["normalise"])


@dataclass(frozen=True)
class MeanScorer:
    """The plain average of several scorers (bags, seeds)."""

    kind: ClassVar[str] = "mean"
    scorers: tuple[Scorer, ...]

    def score(self, X: np.ndarray) -> np.ndarray:
        """Predictions for X (n, p)."""
        return np.mean([scorer.score(X) for scorer in self.scorers], axis=0)

    def save(self) -> Saved:
        """The documents and files of all."""
        documents: list[dict[str, Any]] = []
        files: dict[str, bytes] = {}
        for index, scorer in enumerate(self.scorers):
            document, inner = scorer.save()
            documents.append(document)
            files |= nest(str(index), inner)
        return {"kind": self.kind, "scorers": documents}, files

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> MeanScorer:
        """The scorer that `save` described."""
        inner = (
            load_scorer(each, within(str(index), read)) for index, each in enumerate(document["scorers"])
        )
        return cls(tuple(inner))


SCORERS: dict[str, Any] = {each.kind: each for each in (LinearScorer, KernelScorer, OnnxScorer, MeanScorer)}


def load_scorer(document: dict[str, Any], read: Read) -> Scorer:
    """The scorer that was saved as `document`, its files read through `read`."""
    kind = document.get("kind")
    if kind not in SCORERS:
        raise BundleFormatError(
            f"the bundle holds a scorer of kind {kind!r}; this version reads {', '.join(sorted(SCORERS))}",
            hint="open it with the version of iatros that wrote it",
        )
    scorer: Scorer = SCORERS[kind].load(document, read)
    return scorer


def as_float32(X: np.ndarray) -> np.ndarray:
    """X as float32 in C order, infinite nowhere (NaN stays): what trees learn from and ONNX graphs take."""
    limit = float(np.finfo(np.float32).max)
    return np.ascontiguousarray(np.clip(X, -limit, limit), dtype=np.float32)


def open_session(model: bytes) -> Any:
    """An onnxruntime session on one thread, so that the answer does not depend on the machine's cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
