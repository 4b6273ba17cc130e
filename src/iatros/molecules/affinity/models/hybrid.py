"""The model for every case: boosted trees over what a table of affinities tells of a pair, and what the pair is.

While it learns, each pair is described by a table from which it was hidden, in the way in which it will be new: alone,
or with its whole drug, its whole group of targets, or both. So the trees learn how far each hint can be trusted
for the predictions that they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.completion.table import Asked, Completion, Settings, complete
from iatros.learners.export_lightgbm import lightgbm_to_onnx
from iatros.learners.proteins.features import describe
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import OnnxScorer, Read, Saved, as_float32
from iatros.learners.threads import fit_threads, one_blas_thread
from iatros.molecules.affinity.estimator import AffinityParams, Newness
from iatros.molecules.affinity.pair_features import pair_features
from iatros.molecules.affinity.schema import Pairs
from iatros.molecules.affinity.similarity import KNOWN, Known
from iatros.molecules.affinity.splits import Sides, cut
from iatros.molecules.affinity.stored import restored, stored

_ARRAYS = "arrays.safetensors"
_TREES = "trees.onnx"
_BLOCK = 20_000  # pairs described at once
N_AXES = 12


class HybridParams(AffinityParams):
    """Parameters of the regressions and of the trees."""

    n_estimators: int = Field(default=500, ge=1, le=20_000, description="rounds of the trees")
    learning_rate: float = Field(default=0.03, gt=0, le=1, description="share of each tree that is added")
    num_leaves: int = Field(default=31, ge=2, le=1024, description="leaves of a tree at most")
    min_child_samples: int = Field(default=20, ge=1, le=100_000, description="pairs in a leaf at least")
    reg_lambda: float = Field(default=10.0, ge=0, le=10_000, description="L2 penalty on the leaves")
    feature_fraction: float = Field(
        default=0.3, gt=0, le=1, description="share of the features drawn per tree"
    )
    bagging_fraction: float = Field(default=0.8, gt=0, le=1, description="share of the pairs drawn per round")
    tree_weight: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="share of the trees in the answer; the rest is the kernel regression's",
    )
    ridge: float = Field(
        default=0.2, gt=0, le=1e4, description="penalty on the size of the kernel regressions"
    )
    profile_weight: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of the measured profiles in the kernels, beside the structures",
    )
    n_hidden_folds: int = Field(
        default=5, ge=2, le=20, description="parts into which the pairs are cut to be hidden in turn"
    )


class Hybrid:
    """Kernel regressions, neighbours and factors, described without the pair itself, and trees over them."""

    name: ClassVar[str] = "dti-hybrid"
    Params: ClassVar[type[HybridParams]] = HybridParams

    def __init__(self, params: HybridParams | None = None) -> None:
        self.params = params or HybridParams()

    def fit(
        self, pairs: Pairs, *, newness: Newness, groups: np.ndarray, seed: int
    ) -> tuple[HybridPredictor, dict[str, Any]]:
        """Regressions of all pairs, and trees that saw each pair only through what others tell of it."""
        known = Known.of(pairs)
        settings = Settings(
            ridge=self.params.ridge,
            profile_weight=self.params.profile_weight,
            with_offsets=newness == "pairs",
        )
        values, mask = pairs.table()
        sides = cut(pairs, newness, groups, self._folds(pairs, newness, groups), seed)
        with one_blas_thread():
            similarities = known.similarities()
            asked = Asked.known(*similarities)
            described: list[np.ndarray] = []
            for side in sides:
                hidden = _masked(mask.shape, pairs, side)
                table = complete(values * hidden, hidden, *similarities, settings, seed=seed)
                rows = side.held_out
                lines, names = pair_features(table, asked, pairs.drug[rows], pairs.target[rows])
                described.append(lines)
            completion = complete(values, mask, *similarities, settings, seed=seed)
            what = What.of(*similarities, newness)
        rows = np.concatenate([side.held_out for side in sides])
        told = np.concatenate(described)
        regression, errors = _better(told, names, pairs.y[rows])
        X = what.beside(told, asked, pairs, pairs.drug[rows], pairs.target[rows])
        trees = self._trees(as_float32(X), pairs.y[rows], seed)
        notes = {
            "n_drugs": len(known.drugs),
            "n_targets": len(known.targets),
            "share_measured": float(mask.mean()),
            "n_hidden_blocks": len(sides),
            "n_features": X.shape[1],
            "rounds": self.params.n_estimators,
            "regression": regression,
            "hidden_mse": errors,
        }
        return HybridPredictor(known, completion, what, trees, self.params.tree_weight, regression), notes

    def _folds(self, pairs: Pairs, newness: Newness, groups: np.ndarray) -> int:
        """As many parts as asked for, where there are as many drugs and groups; leave-both squares them, so fewer."""
        most = {
            "pairs": len(pairs),
            "leave-drug": len(set(pairs.smiles)),
            "leave-target": len(np.unique(groups)),
        }.get(newness, min(len(set(pairs.smiles)), len(np.unique(groups)), 3))
        return min(self.params.n_hidden_folds, most)

    def _trees(self, X: np.ndarray, y: np.ndarray, seed: int) -> OnnxScorer:
        import lightgbm

        settings = {
            "objective": "regression",
            "verbosity": -1,
            "num_threads": fit_threads(),
            "deterministic": True,
            "force_col_wise": True,
            "seed": seed,
            "learning_rate": self.params.learning_rate,
            "num_leaves": self.params.num_leaves,
            "min_child_samples": self.params.min_child_samples,
            "lambda_l2": self.params.reg_lambda,
            "feature_fraction": self.params.feature_fraction,
            "bagging_fraction": self.params.bagging_fraction,
            "bagging_freq": 1,
        }
        given = X.astype(np.float64)
        booster = lightgbm.train(settings, lightgbm.Dataset(given, y), self.params.n_estimators)
        scorer = OnnxScorer(lightgbm_to_onnx([booster], X.shape[1], link="identity"))
        some = given[:2000]
        assert_equal(booster.predict(some), scorer.score(some), tolerance=1e-5)
        return scorer


@dataclass(frozen=True)
class What:
    """What a drug and a target are, in numbers that are the same for every pair of theirs.

    Of a side that will be known they are places along the axes (known, k) of its similarities (kernel principal
    components). Places of new ones are drawn towards the middle, so trees would learn from other numbers than they are
    asked with: a new target is described by its composition, and of a new drug there is what its likes tell. (RDKit's
    descriptors let trees learn the few drugs of DAVIS by heart: new ones were then predicted worse.)
    """

    drug_axes: np.ndarray | None
    target_axes: np.ndarray | None

    @classmethod
    def of(cls, of_drugs: np.ndarray, of_targets: np.ndarray, newness: Newness) -> What:
        """Axes of the sides that `newness` leaves known, from the similarities among the known ones."""
        return cls(
            _axes(of_drugs) if newness in ("pairs", "leave-target") else None,
            _axes(of_targets) if newness in ("pairs", "leave-drug") else None,
        )

    def beside(
        self, told: np.ndarray, asked: Asked, pairs: Pairs, drug: np.ndarray, target: np.ndarray
    ) -> np.ndarray:
        """What the table tells of each pair (n, p), and what its drug and target are beside it."""
        parts = [told]
        if self.drug_axes is not None:
            parts.append((asked.of_rows @ self.drug_axes)[drug])
        of_targets = (
            describe(pairs.sequences) if self.target_axes is None else asked.of_columns @ self.target_axes
        )
        return np.hstack([*parts, of_targets[target]])

    def arrays(self) -> dict[str, np.ndarray]:
        """The axes that there are."""
        named = {"drug_axes": self.drug_axes, "target_axes": self.target_axes}
        return {name: axes for name, axes in named.items() if axes is not None}


@dataclass(frozen=True)
class HybridPredictor:
    """The table that was learned from, and the trees over what it tells."""

    kind: ClassVar[str] = "dti-hybrid"
    known: Known
    completion: Completion
    what: What
    trees: OnnxScorer
    tree_weight: float
    regression: str
    """Which of the two kernel regressions stands beside the trees: first or second."""

    def predict(self, pairs: Pairs) -> np.ndarray:
        """The affinity of each pair (n,)."""
        asked = self.known.ask(pairs)
        parts = [self._predict(asked, pairs, slice(at, at + _BLOCK)) for at in range(0, len(pairs), _BLOCK)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _predict(self, asked: Asked, pairs: Pairs, rows: slice) -> np.ndarray:
        drug, target = pairs.drug[rows], pairs.target[rows]
        told, names = pair_features(self.completion, asked, drug, target)
        trees = self.trees.score(self.what.beside(told, asked, pairs, drug, target))
        regression = told[:, names.index(self.regression)]
        return self.tree_weight * trees + (1.0 - self.tree_weight) * regression

    def save(self) -> Saved:
        """The document, the arrays and the trees."""
        settings, table = stored(self.completion)
        document = {
            "kind": self.kind,
            "tree_weight": self.tree_weight,
            "regression": self.regression,
            "settings": settings,
        }
        arrays = table | {"words": self.known.words} | self.what.arrays()
        return document, {_ARRAYS: pack_arrays(arrays), _TREES: self.trees.model, KNOWN: self.known.file()}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> HybridPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        known = Known.load(read, arrays.pop("words"))
        what = What(arrays.pop("drug_axes", None), arrays.pop("target_axes", None))
        completion = restored(document["settings"], arrays)
        return cls(
            known, completion, what, OnnxScorer(read(_TREES)), document["tree_weight"], document["regression"]
        )


def _masked(shape: tuple[int, ...], pairs: Pairs, side: Sides) -> np.ndarray:
    mask = np.zeros(shape)
    mask[pairs.drug[side.train], pairs.target[side.train]] = 1.0
    return mask


def _better(told: np.ndarray, names: tuple[str, ...], y: np.ndarray) -> tuple[str, dict[str, float]]:
    """The kernel regression with the smaller error on pairs that were hidden from it, and both errors."""
    errors = {name: float(((told[:, names.index(name)] - y) ** 2).mean()) for name in ("first", "second")}
    return min(errors, key=lambda name: errors[name]), errors


def _axes(similarity: np.ndarray) -> np.ndarray:
    """What a row of similarities is multiplied by for its places along the `N_AXES` widest axes, (known, k)."""
    sizes, vectors = np.linalg.eigh(similarity)
    kept = np.flatnonzero(sizes > 1e-6 * sizes[-1])[::-1][:N_AXES]
    vectors = vectors[:, kept]
    # an axis may be turned round: its largest entry is made positive
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(len(kept))])
    axes: np.ndarray = vectors / np.sqrt(sizes[kept])
    return axes
