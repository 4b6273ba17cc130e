"""Tuning: inside the rows it may see, the same under a seed, and resumable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.task import Target
from iatros.risk.recipe import make_recipe
from iatros.risk.requests import TrainRequest
from iatros.risk.study import open_study
from iatros.risk.tuning import score, tune


def prepared(cohort: pl.DataFrame, **fields):
    request = TrainRequest(
        table=cohort,
        outcome="died",
        subject="patient",
        exclude="days,site,visit",
        model="logistic",
        tune_trials=4,
        **fields,
    )
    return open_study(request), make_recipe(request)


def search(study, recipe, checkpoint=None, context=None):
    rows = np.flatnonzero(study.groups % 4 != 0)
    base = recipe.candidates["logistic"]
    return tune(
        study,
        rows,
        rows[:0],
        "logistic",
        base,
        recipe.budget,
        context or Context(),
        checkpoint or Checkpoint(None),
        "t",
    )


def test_the_same_seed_finds_the_same_parameters(cohort: pl.DataFrame) -> None:
    study, recipe = prepared(cohort)
    assert search(study, recipe) == search(study, recipe)


def test_rows_outside_are_never_seen(cohort: pl.DataFrame) -> None:
    study, recipe = prepared(cohort)
    seen: set[int] = set()

    class Watching:
        name, workers = "watching", 1

        def map(self, function, items, shared, *, progress, label):
            for item in items:
                seen.update(item.fit_rows.tolist(), item.predict_rows.tolist())
            return [function(shared, item) for item in items]

        def close(self) -> None: ...

    search(study, recipe, context=Context(engine=Watching()))
    assert seen == set(np.flatnonzero(study.groups % 4 != 0).tolist())


def test_a_resumed_search_ends_where_an_unbroken_one_does(cohort: pl.DataFrame, tmp_path: Path) -> None:
    study, recipe = prepared(cohort)
    checkpoint = Checkpoint(tmp_path)
    whole = search(study, recipe, checkpoint)
    kept = sorted(tmp_path.iterdir())
    for path in kept[len(kept) // 2 :]:
        path.unlink()
    fitted = []

    class Counting:
        name, workers = "counting", 1

        def map(self, function, items, shared, *, progress, label):
            fitted.extend(items)
            return [function(shared, item) for item in items]

        def close(self) -> None: ...

    assert search(study, recipe, checkpoint, Context(engine=Counting())) == whole
    assert 0 < len(fitted) <= len(kept) - len(kept) // 2


def test_no_budget_keeps_the_defaults(cohort: pl.DataFrame) -> None:
    study, recipe = prepared(cohort)
    request = TrainRequest(table=cohort, outcome="died", model="logistic")
    assert search(study, make_recipe(request)) == recipe.candidates["logistic"]


@pytest.mark.parametrize(
    ("target", "y", "prediction", "expected"),
    [
        (Target("t", "binary", ("a", "b")), [0, 0, 1, 1, 1], [0.1, 0.6, 0.5, 0.7, 0.9], 5 / 6),
        (Target("t", "continuous"), [1.0, 2.0, 4.0], [1.0, 4.0, 3.0], -1.0),
        (
            Target("t", "multiclass", ("a", "b", "c")),
            [0, 1, 2, 0],
            [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.6, 0.2, 0.2]],
            1.0,
        ),
    ],
)
def test_scores_by_hand(target, y, prediction, expected) -> None:
    assert score(target, np.array(y), np.array(prediction)) == pytest.approx(expected)
