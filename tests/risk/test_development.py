"""The procedure: sides, disjoint patients, fits as tasks, and the same answer whatever runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.risk.conftest import make_cohort

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.risk.development import CROSS_FIT_FOLDS, develop, split
from iatros.risk.recipe import make_recipe
from iatros.risk.requests import TrainRequest
from iatros.risk.study import Study, open_study

NOTHING = Checkpoint(None)


def prepared(frame: pl.DataFrame, **fields):
    request = TrainRequest(
        table=frame,
        **{
            "outcome": "died",
            "subject": "patient",
            "exclude": "days,site,visit",
            "model": "logistic",
            **fields,
        },
    )
    return open_study(request), make_recipe(request)


@pytest.fixture(scope="module")
def large() -> tuple[Study, object]:
    return prepared(make_cohort(7000, seed=8), model="logistic,forest", param="forest.n_estimators=20")


def patients(study: Study, rows: np.ndarray) -> set[int]:
    return set(study.groups[rows].tolist())


def test_small_studies_are_cross_fitted(cohort: pl.DataFrame) -> None:
    study, recipe = prepared(cohort)
    sides = split(study, np.arange(study.n), recipe, "final")
    assert len(sides["tuning"]) == len(sides["calibration"]) == 0
    assert len(sides["train"]) == study.n


def test_large_studies_have_disjoint_sides_of_patients(large) -> None:
    study, recipe = large
    sides = split(study, np.arange(study.n), recipe, "final")
    parts = [patients(study, rows) for rows in sides.values()]
    assert all(len(part) > 400 for part in parts)
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert set.union(*parts) == patients(study, np.arange(study.n))


def test_one_model_without_tuning_needs_no_tuning_side(large) -> None:
    study, _ = large
    _, alone = prepared(make_cohort(60), model="logistic")
    assert len(split(study, np.arange(study.n), alone, "final")["tuning"]) == 0


def test_unseen_predictions_never_come_from_a_model_that_saw_the_patient(cohort: pl.DataFrame) -> None:
    study, recipe = prepared(cohort)
    tasks = []

    class Watching:
        name, workers = "watching", 1

        def map(self, function, items, shared, *, progress, label):
            tasks.extend(items)
            return [function(shared, item) for item in items]

        def close(self) -> None: ...

    developed = develop(study, np.arange(study.n), recipe, Context(engine=Watching()), NOTHING, "final")
    folds = [task for task in tasks if not task.keep]
    assert len(folds) == CROSS_FIT_FOLDS
    for task in folds:
        assert not patients(study, task.fit_rows) & patients(study, task.predict_rows)
    judged = np.concatenate([task.predict_rows for task in folds])
    assert sorted(judged.tolist()) == list(range(study.n))
    assert not np.isnan(developed.unseen_raw).any()


def test_only_given_rows_are_touched(cohort: pl.DataFrame) -> None:
    """Nothing outside the development rows may change the model: here their labels are flipped."""
    study, recipe = prepared(cohort)
    inside = np.flatnonzero(study.groups % 3 != 0)
    flipped = Study(
        **{**study.__dict__, "y": np.where(np.isin(np.arange(study.n), inside), study.y, 1 - study.y)}
    )
    one = develop(study, inside, recipe, Context(), NOTHING, "final")
    other = develop(flipped, inside, recipe, Context(), NOTHING, "final")
    assert one.model.save() == other.model.save()


def test_the_better_model_is_selected_and_the_baseline_cannot_be(cohort: pl.DataFrame) -> None:
    study, recipe = prepared(cohort, model="forest", param="forest.n_estimators=10")
    developed = develop(study, np.arange(study.n), recipe, Context(), NOTHING, "final")
    assert set(developed.models) == {"forest", "logistic"}
    assert developed.selection["logistic"] > developed.selection["forest"]
    assert developed.selected == "forest"


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_folds(cohort: pl.DataFrame) -> None:
    study, recipe = prepared(cohort, model="forest", param="forest.n_estimators=10")
    _, other = prepared(cohort, model="forest", param="forest.n_estimators=10", seed=1)
    rows = np.arange(study.n)
    first, again, different = (
        develop(study, rows, r, Context(), NOTHING, "final") for r in (recipe, recipe, other)
    )
    assert first.model.save() == again.model.save()
    assert not np.array_equal(first.unseen_raw, different.unseen_raw)


def test_a_resumed_run_does_not_fit_again_and_answers_the_same(cohort: pl.DataFrame, tmp_path: Path) -> None:
    study, recipe = prepared(cohort, model="forest", param="forest.n_estimators=10")
    rows = np.arange(study.n)
    fresh = develop(study, rows, recipe, Context(), NOTHING, "final")

    class Dying:
        """An engine that stops, as a killed process does, after four fits."""

        name, workers, left = "dying", 1, 4

        def map(self, function, items, shared, *, progress, label):
            answers = []
            for item in items:
                if self.left == 0:
                    raise KeyboardInterrupt
                self.left -= 1
                answers.append(function(shared, item))
            return answers

        def close(self) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        develop(study, rows, recipe, Context(engine=Dying()), Checkpoint(tmp_path / "kept"), "final")
    kept = len(list((tmp_path / "kept").iterdir()))
    assert kept == 4
    resumed = develop(study, rows, recipe, Context(), Checkpoint(tmp_path / "kept"), "final")
    assert resumed.model.save() == fresh.model.save()
    assert np.array_equal(resumed.unseen_raw, fresh.unseen_raw)
