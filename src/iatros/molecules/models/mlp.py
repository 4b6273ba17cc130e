"""Dense network over count fingerprints and descriptors, all endpoints at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Kind
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import OnnxScorer, sigmoid
from iatros.molecules.assay import Assay
from iatros.molecules.models.featured import FeaturedPredictor, FeatureParams, fit_inputs, prepare

if TYPE_CHECKING:
    import torch

_SAMPLE = 64


class MlpParams(FeatureParams):
    """Parameters of the dense network."""

    features: tuple[Kind, ...] = Field(
        default=("morgan-counts", "descriptors"),
        min_length=1,
        description="kinds of fingerprints and descriptors, side by side",
    )
    width: int = Field(default=512, ge=4, le=8192, description="units of a hidden layer")
    n_layers: int = Field(default=2, ge=1, le=8, description="hidden layers")
    dropout: float = Field(default=0.3, ge=0, lt=0.9, description="share of units left out while training")
    input_dropout: float = Field(
        default=0.1, ge=0, lt=0.9, description="share of features left out while training"
    )
    epochs: int = Field(default=50, ge=1, le=10_000, description="passes over the training compounds")
    batch_size: int | None = Field(
        default=None,
        ge=8,
        le=65_536,
        description="compounds of a step; where not given, 64 to 256 by their number",
    )
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="largest step size of AdamW")
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="decay of the weights by AdamW")


class Mlp:
    """Dense network; an endpoint that was not measured costs nothing, nor does a value that a bound allows."""

    name: ClassVar[str] = "mlp"
    Params: ClassVar[type[MlpParams]] = MlpParams

    def __init__(self, params: MlpParams | None = None) -> None:
        self.params = params or MlpParams()

    def prepare(self, compounds: Compounds) -> None:
        """Compute the features that `fit` needs."""
        prepare(compounds, self.params.fingerprints())

    def fit(self, assay: Assay, *, seed: int) -> tuple[FeaturedPredictor, dict[str, Any]]:
        """The network; notes: epochs, batch size, features and weights."""
        import torch

        from iatros.molecules.models.neural import Course, learn, outcome_of

        params = self.params
        outcome = outcome_of(assay)
        inputs, X = fit_inputs(assay.compounds, params.fingerprints(), scale=True)
        given = torch.from_numpy(np.ascontiguousarray(X))
        course = Course(
            epochs=params.epochs,
            batch_size=params.batch_size or _batch_size(len(X)),
            learning_rate=params.learning_rate,
            weight_decay=params.weight_decay,
            warmup=max(1, params.epochs // 5),
        )
        network = learn(
            lambda: self._network(X.shape[1], outcome.start),
            lambda rows, _: given[rows],
            outcome,
            course,
            seed=seed,
        )
        scorer = _stored(network, given[:_SAMPLE], binary=outcome.binary)
        notes = {
            "epochs": params.epochs,
            "batch_size": course.batch_size,
            "n_features": X.shape[1],
            "n_weights": sum(value.numel() for value in network.parameters()),
        }
        return FeaturedPredictor(inputs, (scorer,), outcome.centre, outcome.spread), notes

    def _network(self, n_features: int, start: np.ndarray) -> torch.nn.Module:
        """A fresh network from X (n, p) to margins (n, k), which begins by saying `start` (k,) of everyone."""
        import torch
        from torch import nn

        params = self.params
        layers: list[nn.Module] = [nn.Dropout(params.input_dropout)]
        width = n_features
        for _ in range(params.n_layers):
            layers += [nn.Linear(width, params.width), nn.ReLU(), nn.Dropout(params.dropout)]
            width = params.width
        last = nn.Linear(width, len(start))
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(torch.from_numpy(np.asarray(start, dtype=np.float32)))
        return nn.Sequential(*layers, last)


def _batch_size(n: int) -> int:
    """A power of two near a twentieth of the compounds, 64 to 256."""
    return int(np.clip(2 ** round(np.log2(max(n, 1) / 20)), 64, 256))


def _stored(network: torch.nn.Module, sample: torch.Tensor, *, binary: bool) -> OnnxScorer:
    """The network as ONNX, after asserting on `sample` that it answers alike."""
    import torch
    from torch import nn

    from iatros.learners.export_torch import Graph, add_linear

    graph = Graph()
    linear = [layer for layer in network.children() if isinstance(layer, nn.Linear)]
    x = "X"
    for layer in linear:
        x = graph.add("Relu", x) if x != "X" else x
        x = add_linear(graph, x, layer.weight.detach().numpy().T, layer.bias.detach().numpy())
    graph.add("Sigmoid" if binary else "Identity", x, output="prediction")
    scorer = OnnxScorer(graph.model(sample.shape[1], linear[-1].out_features, name="mlp"))
    with torch.no_grad():
        margin = network(sample).to(torch.float64).numpy()
    expected = sigmoid(margin) if binary else margin
    assert_equal(expected, scorer.score(sample.numpy()).reshape(expected.shape), tolerance=1e-5)
    return scorer
