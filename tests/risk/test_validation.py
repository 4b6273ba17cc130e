"""Five ways of keeping patients away from the procedure that is judged on them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.errors import RequestError, SplitError
from iatros.engines import open_engine
from iatros.risk.evaluation import Evaluator
from iatros.risk.recipe import make_recipe
from iatros.risk.requests import TrainRequest
from iatros.risk.study import open_study
from iatros.risk.validation import validate


def validated(frame: pl.DataFrame, context: Context | None = None, **fields):
    given = {"outcome": "died", "subject": "patient", "exclude": "days", "model": "logistic", **fields}
    request = TrainRequest(table=frame, site="site", time="visit", **given)
    study = open_study(request)
    return study, validate(study, request, make_recipe(request), context or Context(), Checkpoint(None))


def test_held_out_patients_are_not_developed_on(cohort: pl.DataFrame) -> None:
    study, found = validated(cohort)
    (judged,) = found.judged
    assert not set(study.groups[judged.rows]) & set(study.groups[found.development])
    assert len(judged.rows) + len(found.development) == study.n
    assert 0.15 < len(judged.rows) / study.n < 0.25


def test_late_patients_are_judged_by_a_model_of_early_ones(cohort: pl.DataFrame) -> None:
    study, found = validated(cohort, validation="time")
    (judged,) = found.judged
    assert study.times[found.development].max() < study.times[judged.rows].min()
    assert not set(study.groups[judged.rows]) & set(study.groups[found.development])
    assert any("developed on patients first seen before" in note for note in found.notes)


def test_each_repeat_of_cross_validation_judges_each_row_once(cohort: pl.DataFrame) -> None:
    study, found = validated(cohort, validation="cross-validation", folds=4, repeats=2)
    assert len(found.judged) == 2
    for judged in found.judged:
        assert sorted(judged.rows.tolist()) == list(range(study.n))
    first, second = (judged.prediction[np.argsort(judged.rows)] for judged in found.judged)
    assert not np.array_equal(first, second)
    metrics = Evaluator(study, 0.95, 0).by_split(found)["cross_validation"]
    assert metrics["auroc"]["low"] < 0.75 < metrics["auroc"]["high"]
    assert "mean of 2 repeats" in metrics["auroc"]["interval"]


def test_sites_are_judged_by_the_others_and_averaged_without_weights(cohort: pl.DataFrame) -> None:
    study, found = validated(cohort, validation="site")
    assert [judged.name for judged in found.judged] == ["east", "north", "south"]
    for judged in found.judged:
        assert set(study.sites[judged.rows]) == {judged.name}
    evaluator = Evaluator(study, 0.95, 0)
    table, pooled = evaluator.sites(found)
    mean = evaluator.by_split(found)["site"]["auroc"]["value"]
    assert mean == pytest.approx(np.mean([table[site]["auroc"]["value"] for site in table]))
    assert pooled["auroc"]["k"] == 3
    benefit = table["north"]["net_benefit"]
    assert benefit["low"] <= benefit["value"] <= benefit["high"]
    assert 0 < benefit["threshold"] < 1


def test_validation_by_site_needs_two_sites_and_a_site_column(cohort: pl.DataFrame) -> None:
    with pytest.raises(SplitError, match="at least two sites"):
        validated(cohort.with_columns(site=pl.lit("north")), validation="site")
    with pytest.raises(ValueError, match="needs the hospital column"):
        TrainRequest(table=cohort, outcome="died", validation="site")


def test_more_folds_than_events_is_refused(cohort: pl.DataFrame) -> None:
    few = pl.concat([cohort.filter(pl.col("died") == "no"), cohort.filter(pl.col("died") == "yes").head(3)])
    with pytest.raises(SplitError, match="folds"):
        validated(few, validation="cross-validation", folds=5)


def noise(n: int = 120, p: int = 12) -> pl.DataFrame:
    rng = np.random.default_rng(5)
    columns = {f"x{k}": rng.normal(size=n) for k in range(p)}
    return pl.DataFrame({**columns, "died": rng.permutation(np.repeat(["yes", "no"], [n // 3, n - n // 3]))})


def optimism(frame: pl.DataFrame, model: str) -> dict:
    few_trees = ("forest.n_estimators=20",) if model == "forest" else ()
    request = TrainRequest(
        table=frame,
        outcome="died",
        model=model,
        validation="optimism",
        bootstraps=10,
        param=few_trees,
        calibration="none",
    )
    study = open_study(request)
    found = validate(study, request, make_recipe(request), Context(), Checkpoint(None))
    return Evaluator(study, 0.95, 0).by_split(found)


def test_a_forest_on_pure_noise_is_seen_through() -> None:
    """Harrell's correction would leave it far above chance, because it remembers its patients."""
    found = optimism(noise(), "forest")
    assert found["apparent"]["auroc"]["value"] > 0.95
    corrected = found["optimism"]["auroc"]
    assert corrected["interval"].startswith(".632+")
    assert 0.35 < corrected["value"] < 0.62


def test_logistic_regression_on_pure_noise_is_corrected_by_harrell() -> None:
    found = optimism(noise(), "logistic")
    corrected = found["optimism"]["auroc"]
    assert corrected["interval"].startswith("Harrell")
    assert corrected["value"] < found["apparent"]["auroc"]["value"]
    assert corrected["optimism"] == pytest.approx(found["apparent"]["auroc"]["value"] - corrected["value"])
    assert 0.35 < corrected["value"] < 0.65


def test_processes_answer_as_the_plain_loop_does(cohort: pl.DataFrame) -> None:
    engine = open_engine("processes", workers=2)
    try:
        _, parallel = validated(
            cohort, Context(engine=engine), validation="site", model="forest", param="forest.n_estimators=10"
        )
    finally:
        engine.close()
    _, plain = validated(cohort, validation="site", model="forest", param="forest.n_estimators=10")
    assert parallel.final.model.save() == plain.final.model.save()
    for one, other in zip(parallel.judged, plain.judged, strict=True):
        assert np.array_equal(one.prediction, other.prediction)


def test_unknown_parameters_are_named_before_any_work(cohort: pl.DataFrame) -> None:
    with pytest.raises(RequestError, match=r"did you mean forest\.n_estimators"):
        validated(cohort, model="forest", param="forest.n_estimator=8")
