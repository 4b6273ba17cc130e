"""The whole way from measured compounds to a calibrated model, as one procedure that every validation can repeat.

Each model is fitted several times, each time without one part of the compounds, and every compound is predicted by the
fit that never saw it. These predictions choose the model, weigh the members of the ensemble, and set calibration,
conformal rules and thresholds. What is set on them and then judged by them is set once more for each part on the
others, so that nothing is judged on compounds that it was set on.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.calibration import choose_calibrator, fit_calibrator
from iatros.core.checkpoint import Checkpoint
from iatros.core.conformal import fit_conformal_interval, fit_conformal_set
from iatros.core.context import Context
from iatros.core.decision import choose_thresholds
from iatros.core.splits import task_seed
from iatros.core.task import Target
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.molecules.assay import Assay
from iatros.molecules.evaluation import exact_rows, score
from iatros.molecules.models import MODELS
from iatros.molecules.models.combined import StackPredictor, combine, weigh
from iatros.molecules.models.crossfit import cross_fit, grouped_folds
from iatros.molecules.models.estimator import CompoundPredictor, load_predictor
from iatros.molecules.recipe import ENSEMBLE, Recipe
from iatros.molecules.scoring import ActivityModel, Rule
from iatros.molecules.trust.difficulty import Difficulty
from iatros.molecules.trust.domain import Domain, similarity_to_other_folds


@dataclass(frozen=True)
class Fitted:
    """One model, and what it says of compounds that it had not seen (n, k), before calibration.

    `disagreement` (n, k) is how far the members of an ensemble differ about them, 0 for one model.
    """

    predictor: CompoundPredictor
    unseen: np.ndarray
    disagreement: np.ndarray
    notes: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Developed:
    """What the procedure made of the assay that it was given."""

    selected: str
    models: dict[str, ActivityModel]
    """Every judged model, calibrated."""
    selection: dict[str, float]
    """Score on unseen compounds by model, higher is better."""
    fold: np.ndarray
    """The part that each compound was in."""
    unseen: np.ndarray
    """Predictions (n, k) of the selected model for compounds that neither it nor its calibration had seen."""
    thresholds: tuple[list[dict[str, Any]], ...]
    """By endpoint; empty lists where it is not one of classes."""
    notes: dict[str, dict[str, Any]]
    seconds: dict[str, float]

    @property
    def model(self) -> ActivityModel:
        """The selected model."""
        return self.models[self.selected]


def develop(assay: Assay, recipe: Recipe, context: Context, checkpoint: Checkpoint, key: str) -> Developed:
    """Run the procedure of `recipe` on `assay`; `key` names the run in the checkpoint and seeds it."""
    fold = grouped_folds(assay, recipe.folds_for(len(assay)), task_seed(recipe.seed, f"{key}-folds"))
    fitted = {
        name: _fit(assay, fold, name, params, recipe, context, checkpoint, key)
        for name, params in recipe.fits.items()
    }
    if recipe.members:
        fitted[ENSEMBLE] = _combined(assay, fold, {name: fitted[name] for name in recipe.members})
    selection = {name: score(assay, fitted[name].unseen) for name in recipe.judged}
    selected = max(recipe.candidates, key=selection.__getitem__)
    finished = {name: _finished(assay, fold, name, fitted[name], recipe, key) for name in recipe.judged}
    model, unseen = finished[selected]
    return Developed(
        selected=selected,
        models={name: made for name, (made, _) in finished.items()},
        selection=selection,
        fold=fold,
        unseen=unseen,
        thresholds=tuple(
            _thresholds(assay, column, unseen[:, column]) for column in range(len(model.endpoints))
        ),
        notes={name: fitted[name].notes for name in recipe.judged},
        seconds={name: fitted[name].seconds for name in recipe.judged},
    )


def _fit(
    assay: Assay,
    fold: np.ndarray,
    name: str,
    params: Any,
    recipe: Recipe,
    context: Context,
    checkpoint: Checkpoint,
    key: str,
) -> Fitted:
    """The fits of one model, from the checkpoint where it holds them."""
    stored = checkpoint.get(f"{key}-{name}")
    if stored is not None:
        return _unpack(stored)
    started = time.perf_counter()
    bag, unseen, notes = cross_fit(
        MODELS.load(name)(params),
        assay,
        fold,
        task_seed(recipe.seed, f"{key}-{name}"),
        context.engine,
        progress=context.progress,
    )
    fitted = Fitted(bag, unseen, np.zeros(unseen.shape), notes, time.perf_counter() - started)
    if checkpoint.folder is not None:
        checkpoint.put(f"{key}-{name}", _pack(fitted))
    return fitted


def _combined(assay: Assay, fold: np.ndarray, members: dict[str, Fitted]) -> Fitted:
    """The ensemble; what it says of each part is weighed by the other parts alone."""
    parts = np.stack([member.unseen for member in members.values()])
    binary = assay.task == "binary"
    unseen = np.empty(assay.y.shape)
    for k in np.unique(fold):
        inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        weights, intercept = weigh(list(parts[:, inside]), assay.take(inside))
        unseen[outside] = combine(parts[:, outside], weights, intercept, binary=binary)
    weights, intercept = weigh(list(parts), assay)
    predictor = StackPredictor(
        tuple(members), tuple(member.predictor for member in members.values()), binary, weights, intercept
    )
    notes = {
        "weights": {
            name: [round(float(weight), 6) for weight in each]
            for name, each in zip(members, weights, strict=True)
        },
        "members": {name: member.notes for name, member in members.items()},
    }
    seconds = sum(member.seconds for member in members.values())
    return Fitted(predictor, unseen, parts.std(axis=0), notes, seconds)


def _finished(
    assay: Assay, fold: np.ndarray, name: str, fitted: Fitted, recipe: Recipe, key: str
) -> tuple[ActivityModel, np.ndarray]:
    """The model with its calibrators and conformal rules, and its calibrated predictions for unseen compounds."""
    calibrators, difficulties, unseen = [], [], np.empty(assay.y.shape)
    rules: list[Rule] = []
    similarity = similarity_to_other_folds(assay.compounds.values(Fingerprint()), fold)
    seen = similarity if recipe.keep_fingerprints else np.full(len(assay), np.nan)
    for column, target in enumerate(assay.endpoints):
        known, raw = exact_rows(assay, column), fitted.unseen[:, column]
        y = _labels(target, assay.y[known, column])
        groups = assay.groups[known]
        if recipe.calibration == "auto":
            seed = task_seed(recipe.seed, f"{key}-calibration-{target.name}")
            calibrator = choose_calibrator(target, y, raw[known], groups=groups, seed=seed)
        else:
            calibrator = fit_calibrator(recipe.calibration, target, y, raw[known])
        for k in np.unique(fold):
            others = known[fold[known] != k]
            refitted = fit_calibrator(
                calibrator.kind, target, _labels(target, assay.y[others, column]), raw[others]
            )
            unseen[fold == k, column] = refitted.apply(raw[fold == k])
        calibrators.append(calibrator)
        expected, difficulty = _difficulty(
            target, y - unseen[known, column], seen[known], fitted.disagreement[known, column], fold[known]
        )
        difficulties.append(difficulty)
        if target.task == "continuous":
            residual = (y - unseen[known, column]) / expected
            rules.append(fit_conformal_interval(residual, np.zeros(len(y)), recipe.coverage, groups=groups))
        else:
            rules.append(fit_conformal_set(target, y, unseen[known, column], recipe.coverage, groups=groups))
    scale = _scale(assay)
    model = ActivityModel(
        name,
        assay.endpoints,
        fitted.predictor,
        tuple(calibrators),
        tuple(rules),
        tuple(difficulties),
        domain=_domain(assay, fold, unseen / scale, fitted.disagreement / scale, scale, similarity, recipe),
        scale=scale,
    )
    return model, unseen


def _difficulty(
    target: Target, residual: np.ndarray, similarity: np.ndarray, disagreement: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, Difficulty]:
    """The error to expect of each compound, judged by the other parts, and what says so of any; of classes 1."""
    if target.task != "continuous":
        return np.ones(len(residual)), Difficulty.load({})
    errors, expected = np.abs(residual), np.empty(len(residual))
    for k in np.unique(fold):
        inside, others = fold == k, fold != k
        found = Difficulty.fit(errors[others], similarity[others], disagreement[others])
        expected[inside] = found.of(similarity[inside], disagreement[inside])
    return expected, Difficulty.fit(errors, similarity, disagreement)


def _scale(assay: Assay) -> np.ndarray:
    """By endpoint, the spread of the exact values; 1 for classes and for values that do not vary."""
    if assay.task == "binary":
        return np.ones(len(assay.endpoints))
    spread = np.array([assay.y[exact_rows(assay, k), k].std() for k in range(len(assay.endpoints))])
    return np.where(spread > 0.0, spread, 1.0)


def _domain(
    assay: Assay,
    fold: np.ndarray,
    unseen: np.ndarray,
    disagreement: np.ndarray,
    scale: np.ndarray,
    similarity: np.ndarray,
    recipe: Recipe,
) -> Domain:
    """The domain, set on predictions and disagreement in units of `scale`."""
    exact = assay.measured & (assay.bound == 0)
    errors = np.abs(np.where(exact, assay.y / scale - unseen, np.nan))
    known = exact.any(axis=1)
    mean = np.full(len(assay), np.nan)
    mean[known] = np.nanmean(errors[known], axis=1)
    return Domain.fit(
        assay.compounds,
        mean,
        disagreement.mean(axis=1),
        fold,
        similarity=similarity,
        keep_fingerprints=recipe.keep_fingerprints,
    )


def _labels(target: Target, y: np.ndarray) -> np.ndarray:
    return y if target.task == "continuous" else y.astype(np.int64)


def _thresholds(assay: Assay, column: int, prediction: np.ndarray) -> list[dict[str, Any]]:
    if assay.task != "binary":
        return []
    known = exact_rows(assay, column)
    return choose_thresholds(assay.y[known, column].astype(int), prediction[known])


def _pack(fitted: Fitted) -> dict[str, np.ndarray]:
    document, files = fitted.predictor.save()
    meta = {"document": document, "notes": fitted.notes, "seconds": fitted.seconds}
    arrays = {"unseen": fitted.unseen, "meta": _bytes(json.dumps(meta).encode())}
    return arrays | {f"file:{name}": _bytes(content) for name, content in files.items()}


def _unpack(arrays: dict[str, np.ndarray]) -> Fitted:
    meta = json.loads(arrays["meta"].tobytes())
    files = {key[5:]: value.tobytes() for key, value in arrays.items() if key.startswith("file:")}
    predictor = load_predictor(meta["document"], files.__getitem__)
    unseen = arrays["unseen"]
    return Fitted(predictor, unseen, np.zeros(unseen.shape), meta["notes"], meta["seconds"])


def _bytes(content: bytes) -> np.ndarray:
    return np.frombuffer(content, dtype=np.uint8)
