"""The procedure around a model of affinity: judged on pairs that it had not learned from, then fitted on all."""

from __future__ import annotations

import numpy as np

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.errors import FitError
from iatros.core.splits import task_seed
from iatros.molecules.affinity.evaluation import Judged
from iatros.molecules.affinity.schema import Pairs
from iatros.molecules.affinity.settings import AffinitySettings, make_estimator
from iatros.molecules.affinity.splits import Sides, cut


def judge(
    pairs: Pairs, groups: np.ndarray, name: str, settings: AffinitySettings, context: Context
) -> Judged:
    """Every pair predicted by a model that learned without its fold; the folds are the same for every model."""
    kept, key = Checkpoint(context.checkpoint), f"judged-{name}"
    if (done := kept.get(key)) is not None:
        return Judged(done["rows"], done["prediction"], done["fold"])
    params = settings.candidates.get(name, {})
    sides = cut(pairs, settings.validation, groups, settings.n_folds, settings.seed)
    tasks = [(number, side) for number, side in enumerate(sides)]
    found = context.engine.map(
        _predict_fold,
        tasks,
        (pairs, groups, name, params, settings),
        progress=context.progress,
        label=f"{name}: folds",
    )
    rows = np.concatenate([side.held_out for side in sides])
    fold = np.repeat(np.arange(len(sides)), [len(side.held_out) for side in sides])
    order = np.argsort(rows, kind="stable")
    judged = Judged(rows[order], np.concatenate(found)[order], fold[order])
    kept.put(key, {"rows": judged.rows, "prediction": judged.prediction, "fold": judged.fold})
    return judged


def fit_and_predict(
    pairs: Pairs,
    groups: np.ndarray,
    side: Sides,
    name: str,
    params: dict[str, object],
    settings: AffinitySettings,
) -> np.ndarray:
    """Predictions (n,) for the held-out rows of `side` by a model that learned from its training rows."""
    train = pairs.take(side.train)
    places = {target: group for target, group in zip(pairs.targets, groups.tolist(), strict=True)}
    own = np.array([places[target] for target in train.targets], dtype=np.int64)
    predictor, _ = make_estimator(name, params).fit(
        train, newness=settings.validation, groups=own, seed=task_seed(settings.seed, name)
    )
    prediction = predictor.predict(pairs.take(side.held_out))
    if not np.isfinite(prediction).all():
        raise FitError(
            f"{int((~np.isfinite(prediction)).sum())} predictions of {name} are not finite numbers"
        )
    return prediction


def _predict_fold(
    common: tuple[Pairs, np.ndarray, str, dict[str, object], AffinitySettings], task: tuple[int, Sides]
) -> np.ndarray:
    pairs, groups, name, params, settings = common
    return fit_and_predict(pairs, groups, task[1], name, params, settings)
