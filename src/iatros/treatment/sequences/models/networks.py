"""Networks over the visits: what came before through gated units or convolutions, what is known now, and a wide part.

The state of the earlier visits (gated recurrent units, Cho and others 2014; or causal convolutions and their maximum
over the visits so far), the codes of the visit itself and what does not change go through one layer to the log-odds of
each medication. Beside it a wide part adds what each code of the visit, and each medication of the visit before, gives
by itself (Cheng and others 2016), so the networks start from where a linear model stands. They learn by cross-entropy,
and, where interactions are known, by the expected number of interacting pairs (Yang and others 2021, SafeDrug).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import Read, Saved, sigmoid
from iatros.learners.threads import one_blas_thread
from iatros.treatment.sequences.estimator import Learning, SequenceParams, best_threshold
from iatros.treatment.sequences.models.forward import margins
from iatros.treatment.sequences.vocabulary import Encoded

_FILE = "networks.safetensors"


class NetworkParams(SequenceParams):
    """Parameters of the networks."""

    embedding: int = Field(default=64, ge=2, le=1024, description="length of the vector of a code")
    units: int = Field(default=64, ge=2, le=1024, description="units of the state of the earlier visits")
    hidden: int = Field(default=128, ge=2, le=2048, description="units of the layer before the log-odds")
    dropout: float = Field(
        default=0.2, ge=0, lt=1, description="share of units hidden in each step of training"
    )
    learning_rate: float = Field(default=5e-3, gt=0, le=1, description="step of the optimiser")
    weight_decay: float = Field(
        default=1e-2, ge=0, le=10, description="shrinkage of the weights in each step"
    )
    batch_subjects: int = Field(default=16, ge=1, le=100_000, description="subjects in a step")
    max_epochs: int = Field(
        default=60, ge=1, le=10_000, description="times that every visit is learned from, at most"
    )
    patience: int = Field(
        default=12, ge=1, le=1000, description="epochs without a better tuning loss before the end"
    )
    members: int = Field(
        default=3, ge=1, le=50, description="networks trained from different seeds and averaged"
    )
    interaction_weight: float = Field(
        default=0.1,
        ge=0,
        le=100,
        description="weight of an expected interacting pair in the loss; 0 without a table",
    )


class CnnParams(NetworkParams):
    """Parameters of the convolutions."""

    width: int = Field(default=3, ge=1, le=10, description="visits that a filter spans")


class Gru:
    """An ensemble of networks with gated recurrent units."""

    name: ClassVar[str] = "gru"
    Params: ClassVar[type[NetworkParams]] = NetworkParams

    def __init__(self, params: NetworkParams | None = None) -> None:
        self.params = params or NetworkParams()

    def fit(self, learning: Learning, *, seed: int) -> tuple[NetworkPredictor, dict[str, Any]]:
        """Each member as it was when its loss on the tuning side was least; notes: those epochs and losses."""
        return _fit(self.name, learning, self.params, seed)


class Cnn:
    """An ensemble of networks with two convolutions over the visits."""

    name: ClassVar[str] = "cnn"
    Params: ClassVar[type[CnnParams]] = CnnParams

    def __init__(self, params: CnnParams | None = None) -> None:
        self.params = params or CnnParams()

    def fit(self, learning: Learning, *, seed: int) -> tuple[NetworkPredictor, dict[str, Any]]:
        """As `Gru.fit`."""
        return _fit(self.name, learning, self.params, seed)


@dataclass(frozen=True)
class NetworkPredictor:
    """Members as named float32 arrays; see `iatros.treatment.sequences.models.forward` for what they are.

    Log-odds are `slope` times those of the networks, and `offset`.
    """

    kind: ClassVar[str] = "network"
    encoder: str
    members: tuple[dict[str, np.ndarray], ...]
    threshold: float = 0.5
    slope: float = 1.0
    offset: float = 0.0

    def each(self, encoded: Encoded, rows: np.ndarray) -> np.ndarray:
        """The probability of each medication in the visits at `rows`, (members, n, medications)."""
        with one_blas_thread():
            found = [margins(self.encoder, member, encoded, rows) for member in self.members]
        return sigmoid(self.slope * np.stack(found).astype(float) + self.offset)

    def save(self) -> Saved:
        """The document, and the arrays."""
        arrays = {
            f"{k}.{name}": value for k, member in enumerate(self.members) for name, value in member.items()
        }
        document = {
            "kind": self.kind,
            "encoder": self.encoder,
            "members": len(self.members),
            "threshold": self.threshold,
            "slope": self.slope,
            "offset": self.offset,
        }
        return document, {_FILE: pack_arrays(arrays)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> NetworkPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_FILE))
        members = tuple(
            {name.partition(".")[2]: value for name, value in arrays.items() if name.startswith(f"{k}.")}
            for k in range(document["members"])
        )
        return cls(
            document["encoder"], members, *(document[name] for name in ("threshold", "slope", "offset"))
        )


def _fit(
    name: str, learning: Learning, params: NetworkParams, seed: int
) -> tuple[NetworkPredictor, dict[str, Any]]:
    from iatros.treatment.sequences.models.network_training import answers, train_member

    trained = [train_member(name, learning, params, seed * 1000 + k) for k in range(params.members)]
    members = tuple(one.weights for one in trained)
    some = learning.tuning[:200]
    assert_equal(
        answers(trained[0], learning.encoded, some),
        margins(name, members[0], learning.encoded, some),
        tolerance=1e-4,
    )
    truth = learning.encoded.targets(learning.tuning)
    with one_blas_thread():
        margin = np.mean([margins(name, one, learning.encoded, learning.tuning) for one in members], axis=0)
    # recalibrating would undo a penalty, which lowers probabilities on purpose
    penalised = learning.interactions is not None and params.interaction_weight > 0.0
    fitted = NetworkPredictor(name, members, 0.5, *((1.0, 0.0) if penalised else platt(margin, truth)))
    probability = fitted.each(learning.encoded, learning.tuning).mean(axis=0)
    threshold = best_threshold(probability, truth)
    notes = {
        "members": params.members,
        "epochs": [one.epoch for one in trained],
        "tuning_loss": [one.loss for one in trained],
        "slope": fitted.slope,
    }
    return replace(fitted, threshold=threshold), notes


def platt(margin: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the logistic regression of `truth` on the log-odds `margin`, over all cells (Platt 1999).

    1 and 0 where the truth does not vary; the slope is held between 0.2 and 5.
    """
    x, y = margin.astype(float).ravel(), truth.astype(float).ravel()
    if y.min() == y.max() or np.ptp(x) == 0.0:
        return 1.0, 0.0
    X = np.column_stack([x, np.ones(len(x))])
    w = np.array([1.0, 0.0])
    for _ in range(50):
        p = sigmoid(X @ w)
        curvature = (X * (p * (1 - p))[:, None]).T @ X + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, X.T @ (y - p))
        w = w + step * min(1.0, 1.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    return float(np.clip(w[0], 0.2, 5.0)), float(w[1])
