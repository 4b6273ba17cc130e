"""What stands beside the kernel model on GDSC: mean effects, the nearest drugs, and a tuned random forest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from iatros.learners.completion.kernels import tanimoto
from iatros.learners.completion.regression import Mix, Plan, fill
from iatros.learners.threads import fit_threads
from iatros.treatment.responses.schema import Features, Responses

N_AXES = 60
"""Components of the responses that the forest for new lines or drugs learns: the rest is noise, and takes long."""
N_TREES = 200
PAIRS_OF_A_TREE = 20_000
_LEAVES, _SHARES = (1, 5), (0.1, 0.33)
_NEAREST = (1, 3, 5, 10, 20)


def mean_effects(train: Responses, subject: np.ndarray, treatment: np.ndarray) -> np.ndarray:
    """The mean, the mean effect of the drug and that of the line, 0 of new ones (DrEval's NaiveMeanEffects)."""
    mean = train.y.mean()

    def effects(places: np.ndarray, n: int) -> np.ndarray:
        count = np.bincount(places, minlength=n)
        total = np.bincount(places, train.y - mean, minlength=n)
        return total / np.maximum(count, 1)

    s, t = train.shape
    answer: np.ndarray = mean + effects(train.subject, s)[subject] + effects(train.treatment, t)[treatment]
    return answer


def nearest_drugs(train: Responses, subject: np.ndarray, treatment: np.ndarray) -> np.ndarray:
    """For a new drug, the mean over the nearest ones of what the line did under each, as the line's mean beyond.

    Nearness is the mean of the Tanimoto similarities of fingerprints and of targets and of an equal pathway; how many
    are averaged is chosen by leaving training drugs out.
    """
    values, known, drugs = _table(train)
    mean = values[known].mean()
    lines = np.where(known, values - mean, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    left = np.where(known, values - mean - lines[:, None], 0.0)
    similarity = _similarity(train.of_treatments)
    errors = []
    for k in _NEAREST:
        alike = similarity[np.ix_(drugs, drugs)] - 2.0 * np.eye(len(drugs))
        told = _averaged(alike, k, left[:, drugs], known[:, drugs])
        errors.append(((told - left[:, drugs])[known[:, drugs]] ** 2).mean())
    k = _NEAREST[int(np.argmin(errors))]
    told = _averaged(similarity[:, drugs], k, left[:, drugs], known[:, drugs])
    answer: np.ndarray = mean + lines[subject] + told[subject, treatment]
    return answer


def _table(train: Responses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, known = np.zeros(train.shape), np.zeros(train.shape, dtype=bool)
    values[train.subject, train.treatment] = train.y
    known[train.subject, train.treatment] = True
    return values, known, np.flatnonzero(known.any(axis=0))


def _similarity(features: Features | None) -> np.ndarray:
    assert features is not None
    parts = []
    for block in features.blocks:
        own = features.values[:, block.start : block.stop]
        parts.append(tanimoto(own, own) if block.kind == "bits" else own @ own.T)
    total: np.ndarray = np.mean(parts, axis=0)
    return total


def _averaged(alike: np.ndarray, k: int, left: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Of each line with each asked drug (lines, q) the mean over the `k` nearest drugs that the line was given."""
    nearest = np.argsort(-alike, axis=1, kind="stable")[:, :k]
    weights = np.zeros_like(alike)
    np.put_along_axis(weights, nearest, 1.0, axis=1)
    answer: np.ndarray = (left @ weights.T) / np.maximum(known @ weights.T, 1.0)
    return answer


def forest(
    train: Responses, subject: np.ndarray, treatment: np.ndarray, *, new: str, tuned: dict[str, Any]
) -> np.ndarray:
    """A random forest. `tuned` holds its parameters from the first fold on, chosen on that fold's training rows."""
    if new == "pairs":
        return _pair_forest(train, subject, treatment, tuned)
    values, known, _ = _table(train)
    lines = new == "lines"
    if not lines:
        values, known = values.T, known.T
    features = train.of_subjects if lines else train.of_treatments
    assert features is not None
    rows = np.flatnonzero(known.any(axis=1))
    plan = Plan(Mix(), Mix(), row_offsets=False, whole=True)
    filled = fill(values[rows] * known[rows], known[rows].astype(float), plan, seed=0)
    _, vectors = np.linalg.eigh(filled.profiles.T @ filled.profiles)
    axes = vectors[:, ::-1][:, :N_AXES]
    X, Y = features.values[rows], filled.profiles @ axes
    if not tuned:
        tuned |= min(_settings(), key=lambda one: _out_of_bag(X, Y, one))
    told = _fitted(X, Y, tuned, N_TREES).predict(features.values) @ axes.T
    told = filled.mean + filled.scale * (filled.column_offsets[None, :] + told)
    answer: np.ndarray = told[subject, treatment] if lines else told[treatment, subject]
    return answer


def _pair_forest(
    train: Responses, subject: np.ndarray, treatment: np.ndarray, tuned: dict[str, Any]
) -> np.ndarray:
    """Learned from pairs: mean effects of line and drug, and the main axes of the features of both."""

    def described(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.column_stack([lines[rows], drugs[columns]])

    s, t = train.shape
    first = np.zeros(max(s, t), dtype=np.int64)
    effects = [
        mean_effects(train, np.arange(s), first[:s]), mean_effects(train, first[:t], np.arange(t))
    ]  # fmt: skip
    lines, drugs = (
        np.column_stack([effect, _main_axes(features)])
        for effect, features in zip(effects, (train.of_subjects, train.of_treatments), strict=True)
    )
    X, Y = described(train.subject, train.treatment), train.y[:, None]
    if not tuned:
        some = np.random.default_rng(0).permutation(len(Y))[: 2 * PAIRS_OF_A_TREE]
        tuned |= min(_settings((0.33, 0.7)), key=lambda one: _out_of_bag(X[some], Y[some], one))
    fitted = _fitted(X, Y, tuned, N_TREES // 2, samples=PAIRS_OF_A_TREE)
    answer: np.ndarray = fitted.predict(described(subject, treatment)).reshape(-1)
    return answer


def _main_axes(features: Features | None, k: int = 10) -> np.ndarray:
    assert features is not None
    values = features.values - features.values.mean(axis=0)
    left, sizes, _ = np.linalg.svd(values, full_matrices=False)
    return left[:, :k] * sizes[:k]


def _settings(shares: tuple[float, ...] = _SHARES) -> Iterator[dict[str, Any]]:
    return ({"min_samples_leaf": leaf, "max_features": share} for leaf, share in product(_LEAVES, shares))


def _out_of_bag(X: np.ndarray, Y: np.ndarray, settings: dict[str, Any]) -> float:
    fitted = _fitted(X, Y, settings, N_TREES // 2, out_of_bag=True)
    return float(((fitted.oob_prediction_.reshape(Y.shape) - Y) ** 2).mean())


def _fitted(
    X: np.ndarray,
    Y: np.ndarray,
    settings: dict[str, Any],
    trees: int,
    samples: int | None = None,
    *,
    out_of_bag: bool = False,
) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    samples = None if samples is None else min(samples, len(X))
    model = RandomForestRegressor(
        trees, max_samples=samples, oob_score=out_of_bag, random_state=0, n_jobs=fit_threads(), **settings
    )
    return model.fit(X, Y if Y.shape[1] > 1 else Y[:, 0])
