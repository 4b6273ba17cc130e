"""Residual network over numbers and categories, several members trained at once and averaged (torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from iatros.core.errors import FitError
from iatros.core.task import Target
from iatros.learners.tabular.estimators.network import build_network, network_to_onnx, prepare_inputs
from iatros.learners.tabular.estimators.params import ModelParams
from iatros.learners.tabular.estimators.pipeline import (
    Design,
    Fitted,
    derived_seed,
    fit_pipeline,
    inner_folds,
)
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import OnnxScorer, apply_link, as_float32
from iatros.learners.tabular.table import Table
from iatros.learners.training import Schedule, cross_entropy, one_thread, squared_error, train_members

if TYPE_CHECKING:
    import torch

_N_FOLDS = 5


class MlpParams(ModelParams):
    """Parameters of the network."""

    impute: Literal["simple", "iterative", "multiple"] = Field(
        default="iterative",
        description="how missing values are filled: simple (median), iterative (chained equations), multiple "
        "(several chained draws, predictions averaged)",
    )
    width: int = Field(default=64, ge=4, le=1024, description="units of a hidden layer")
    n_blocks: int = Field(default=2, ge=0, le=16, description="residual blocks")
    dropout: float = Field(default=0.4, ge=0, lt=0.9, description="share of units left out while training")
    embedding: Literal["piecewise", "none"] = Field(
        default="piecewise",
        description="how a number enters beside itself: piecewise (its place between quantiles) or none",
    )
    n_bins: int = Field(default=4, ge=2, le=64, description="intervals between the quantiles of a number")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="step size of AdamW")
    weight_decay: float = Field(default=0.03, ge=0, le=10, description="decay of the weights by AdamW")
    batch_size: int | None = Field(
        default=None,
        ge=8,
        le=65_536,
        description="rows of a step; where not given, 32 to 1024 by their number",
    )
    max_epochs: int = Field(default=200, ge=1, le=10_000, description="passes over the training rows at most")
    patience: int = Field(
        default=12, ge=1, le=1000, description="passes without a smaller loss before it stops"
    )
    n_members: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="networks that are averaged; where not given, 5 below 10 000 rows, else 2",
    )


class Mlp:
    """Residual network; each member is stopped early on a fifth of the patients, another one for each."""

    name: ClassVar[str] = "mlp"
    Params: ClassVar[type[MlpParams]] = MlpParams
    interpolates: ClassVar[bool] = True

    def __init__(self, params: MlpParams | None = None) -> None:
        self.params = params or MlpParams()

    def fit(
        self, table: Table, y: np.ndarray, target: Target, *, groups: np.ndarray | None, seed: int
    ) -> Fitted:
        """The fitted members; notes: their number, when each stopped, and the number of weights."""
        return fit_pipeline(
            self.params, fit_mlp, table, y, target, groups=groups, seed=seed, categories="codes", scale=True
        )

    @staticmethod
    def search_space(trial: Any, base: MlpParams) -> MlpParams:
        """Size, regularisation and step size."""
        drawn = {
            "width": trial.suggest_categorical("width", [32, 64, 128]),
            "n_blocks": trial.suggest_int("n_blocks", 1, 4),
            "dropout": trial.suggest_float("dropout", 0.0, 0.5),
            "learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-4, 0.3, log=True),
        }
        return base.model_copy(update=drawn)


def fit_mlp(design: Design, params: MlpParams) -> tuple[OnnxScorer, dict[str, Any]]:
    """The members fitted on one feature matrix, stored as one ONNX graph, with their notes."""
    import torch

    target = design.target
    continuous = target.task == "continuous"
    if not continuous and len(np.unique(design.y)) < 2:
        raise FitError(
            "the training rows have one class only", hint="use a larger or a stratified training side"
        )
    n_bins = params.n_bins if params.embedding == "piecewise" else 0
    X = as_float32(design.X)
    inputs = prepare_inputs(X, design.cardinalities, n_bins=n_bins)
    centre, spread = _scale(design.y) if continuous else (0.0, 1.0)
    labels = _labels(design, centre, spread)
    tuning = _tuning(design, params.n_members or _members(len(X)))
    seed = derived_seed(design.seed, 2)
    with one_thread(seed):
        network = build_network(
            inputs,
            n_members=len(tuning),
            width=params.width,
            n_blocks=params.n_blocks,
            dropout=params.dropout,
            n_outputs=len(target.classes) if target.task == "multiclass" else 1,
        )
    trained = train_members(
        network,
        torch.from_numpy(X),
        labels,
        row_loss=squared_error if continuous else cross_entropy,
        tuning=tuning,
        schedule=_schedule(params, len(X)),
        seed=seed,
    )
    onnx = network_to_onnx(network, inputs, task=target.task, centre=centre, spread=spread)
    scorer = OnnxScorer(onnx, normalise=not continuous)
    sample = X[:64]
    assert_equal(_expected(network, sample, target, centre, spread), scorer.score(sample), tolerance=1e-5)
    return scorer, {
        "n_members": len(tuning),
        "epochs": trained.epochs,
        "tuning_loss": [round(loss, 6) for loss in trained.losses],
        "n_weights": sum(value.numel() for value in network.parameters()),
    }


def _scale(y: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the outcome; a constant one keeps its unit."""
    spread = float(np.std(y))
    return float(np.mean(y)), spread if spread > 0 else 1.0


def _labels(design: Design, centre: float, spread: float) -> torch.Tensor:
    import torch

    if design.target.task == "continuous":
        return torch.from_numpy(((design.y - centre) / spread).astype(np.float32))
    return torch.from_numpy(design.y.astype(np.int64))


def _members(n: int) -> int:
    return _N_FOLDS if n < 10_000 else 2


def _tuning(design: Design, n_members: int) -> np.ndarray:
    """The rows (n_members, n) that each member is stopped on: one inner fold, in turn, over several deals."""
    masks: list[np.ndarray] = []
    while len(masks) < n_members:
        seed = derived_seed(design.seed, 1, len(masks))
        fold = inner_folds(design.y, design.target, design.groups, n_folds=_N_FOLDS, seed=seed)
        masks += [fold == index for index in np.unique(fold)]
    return np.stack(masks[:n_members])


def _schedule(params: MlpParams, n: int) -> Schedule:
    batch = params.batch_size or int(np.clip(2 ** round(np.log2(max(n, 1) / 20)), 32, 1024))
    return Schedule(params.max_epochs, params.patience, batch, params.learning_rate, params.weight_decay)


def _expected(
    network: torch.nn.Module, X: np.ndarray, target: Target, centre: float, spread: float
) -> np.ndarray:
    """torch's own predictions, averaged over the members, in the shapes of `core.task.Target`."""
    import torch

    with torch.no_grad():
        margins = network(torch.from_numpy(X)).to(torch.float64).numpy()
    if target.task == "continuous":
        return np.asarray(margins[:, :, 0].mean(axis=0) * spread + centre)
    link: Any = "sigmoid" if target.task == "binary" else "softmax"
    return np.mean([apply_link(link, margin) for margin in margins], axis=0)
