"""A model fitted on all folds but one in turn, so that every compound is predicted by a fit that never saw it."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.engine import Engine
from iatros.core.errors import SplitError
from iatros.core.progress import Progress, SilentProgress
from iatros.learners.tabular.scorers import Saved
from iatros.molecules.assay import Assay
from iatros.molecules.models.combined import BagPredictor
from iatros.molecules.models.estimator import Estimator, load_predictor
from iatros.molecules.models.featured import check_learnable


def cross_fit(
    estimator: Estimator,
    assay: Assay,
    folds: np.ndarray,
    seed: int,
    engine: Engine,
    *,
    progress: Progress | None = None,
) -> tuple[BagPredictor, np.ndarray, dict[str, Any]]:
    """The fits, averaged; what each compound was predicted to be by the fit that lacks it, (n, k); and notes.

    `folds` (n,) names the fold of each compound; there is one fit for each, on `engine`, from the seed that belongs to
    the fold. The estimator's `prepare`, where it has one, computes the features once before. Predictions are those of
    the stored form. Notes: the number of fits, the size of each fold, and what each fit has to say.
    """
    names, sizes = np.unique(folds, return_counts=True)
    if len(folds) != len(assay) or len(names) < 2:
        raise SplitError(
            f"cross-fitting needs a fold for each of {len(assay)} compounds, and two folds at least; "
            f"got {len(names)} folds for {len(folds)}",
            hint="make them with grouped_folds",
        )
    prepare = getattr(estimator, "prepare", None)
    if prepare is not None:
        prepare(assay.compounds)
    told = engine.map(
        _fit_without,
        names.tolist(),
        (estimator, assay, folds, seed),
        progress=progress or SilentProgress(),
        label=f"fit {estimator.name}",
    )
    unseen = np.empty(assay.y.shape)
    for name, (_, predictions, _) in zip(names, told, strict=True):
        unseen[folds == name] = predictions
    members = tuple(load_predictor(document, files.__getitem__) for (document, files), _, _ in told)
    notes = {"n_fits": len(names), "fold_sizes": sizes.tolist(), "fits": [note for _, _, note in told]}
    return BagPredictor(members), unseen, notes


def _fit_without(
    shared: tuple[Estimator, Assay, np.ndarray, int], fold: int
) -> tuple[Saved, np.ndarray, dict[str, Any]]:
    """The stored form of the fit that lacks `fold`, what it says of that fold, and its notes."""
    from iatros.learners.tabular.estimators.pipeline import derived_seed

    estimator, assay, folds, seed = shared
    learned = assay.take(np.flatnonzero(folds != fold))
    predictor, notes = estimator.fit(learned, seed=derived_seed(seed, int(fold)))
    document, files = predictor.save()
    stored = load_predictor(document, files.__getitem__)
    return (document, files), stored.predict(assay.compounds.take(np.flatnonzero(folds == fold))), notes


def grouped_folds(assay: Assay, n_folds: int, seed: int) -> np.ndarray:
    """The fold of each compound (n,), 0 to `n_folds` - 1: groups kept together, folds alike.

    Alike in size and, for each endpoint, in how many compounds were measured and how many are of each class, as far as
    the groups allow; groups that weigh most, large or of a rare class, are dealt first. SplitError where there are
    fewer groups than folds, or where no two folds can have a class: then some fit would have never met it. FitError
    where an endpoint has no value, or one class only.
    """
    check_learnable(assay)
    names, codes = np.unique(assay.groups, return_inverse=True)
    if len(names) < n_folds:
        raise SplitError(
            f"{len(names)} groups of compounds cannot fill {n_folds} folds",
            hint=f"use at most {len(names)} folds, or groups of fewer compounds",
        )
    kinds, words = _kinds(assay)
    counts = np.zeros((len(names), kinds.shape[1]))
    np.add.at(counts, codes, kinds)
    fold = _deal(counts, n_folds, seed)[codes]
    for kind, word in enumerate(words):
        if len(np.unique(fold[kinds[:, kind]])) < 2:
            raise SplitError(
                f"{word} are all in one group of compounds, so a fit without it never meets them",
                hint="leave the endpoint out, use more compounds, or smaller groups",
            )
    return fold


def _kinds(assay: Assay) -> tuple[np.ndarray, list[str]]:
    """What every fold should have its share of, bool (n, kinds), and what each is called."""
    columns, words = [np.ones(len(assay), dtype=bool)], ["all compounds"]
    for column, endpoint in enumerate(assay.endpoints):
        y, measured = assay.y[:, column], assay.measured[:, column]
        if assay.task == "binary":
            for label, name in enumerate(endpoint.classes):
                columns.append(y == label)
                words.append(f"compounds of class {name} of {endpoint.name}")
        else:
            columns.append(measured & (assay.bound[:, column] == 0))
            words.append(f"compounds with a value of {endpoint.name}")
    return np.stack(columns, axis=1), words


def _deal(counts: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """The fold of each group, so that each column of `counts` (groups, kinds) is spread evenly.

    The heaviest group first, each to the fold where it leaves the least chi-square distance from even shares.
    """
    rng = np.random.default_rng(seed)
    totals = np.maximum(counts.sum(axis=0), 1.0)
    shuffled = rng.permutation(len(counts))
    weight = (counts**2 / totals).sum(axis=1)[shuffled]
    load = np.zeros((n_folds, counts.shape[1]))
    fold = np.empty(len(counts), dtype=np.int64)
    for group in shuffled[np.argsort(-weight, kind="stable")]:
        # what is added to the squared distance from even shares differs between folds by this alone
        cost = (2.0 * counts[group] * load / totals).sum(axis=1)
        best = np.flatnonzero(cost <= cost.min() + 1e-12)
        fold[group] = rng.choice(best)
        load[fold[group]] += counts[group]
    return fold
