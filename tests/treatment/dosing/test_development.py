"""Candidates, their weights, and the scale on which they learn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from iatros.core.context import Context
from iatros.core.errors import RequestError, UnknownNameError
from iatros.engines.processes import ProcessEngine
from iatros.learners.tabular.estimators.params import check_overrides
from iatros.treatment.dosing.development import develop, weigh
from iatros.treatment.dosing.models import MODELS
from iatros.treatment.dosing.scale import backward, forward
from iatros.treatment.dosing.schema import Columns
from iatros.treatment.dosing.settings import DoseSettings, make_estimator
from iatros.treatment.dosing.sources import read_doses

LINEAR = {"linear": {}}


def test_weights_go_to_who_errs_less() -> None:
    rng = np.random.default_rng(1)
    root = rng.uniform(3, 8, 500)
    good, bad = root + rng.normal(0, 0.2, 500), root + rng.normal(0, 2.0, 500)
    y = root**2
    blend, best = DoseSettings(), DoseSettings(combine="best")
    weights = weigh(y, np.stack([bad, good]), blend)
    assert weights[1] > 0.9
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(weigh(y, np.stack([bad, good]), best), [0.0, 1.0])
    # Errors that cancel: together they do better than either alone.
    noise = rng.normal(0, 0.5, 500)
    np.testing.assert_allclose(weigh(y, np.stack([root + noise, root - noise]), blend), [0.5, 0.5])
    np.testing.assert_array_equal(weigh(y, good[None], blend), [1.0])
    assert weigh(y, np.stack([good, good, good]), blend) == pytest.approx(1 / 3)


def test_a_known_rule_is_found(patients: pl.DataFrame) -> None:
    doses = read_doses(patients, Columns("dose", subject="patient_id")).doses
    developed = develop(doses, DoseSettings(models=LINEAR, inner_folds=3), Context(), "found")
    coefficients = developed.notes["linear"]["coefficients"]
    assert coefficients["gene=GG"] - coefficients["gene=AA"] == pytest.approx(1.5, abs=0.25)
    assert coefficients["gene=GG"] - coefficients["gene=AG"] == pytest.approx(0.8, abs=0.25)
    dose, low, high = developed.model.answer(doses.features.frame)
    assert (low >= 0).all()
    assert (low < dose).all()
    assert (dose < high).all()
    assert np.mean((low <= doses.y) & (doses.y <= high)) > 0.85
    assert developed.inner_error["blend"] == developed.inner_error["linear"]
    assert developed.weights == {"linear": 1.0}


@pytest.mark.parametrize("scale", ["sqrt", "log", "none"])
def test_scales_lead_there_and_back(scale: str) -> None:
    doses = np.array([0.5, 7.0, 21.0, 315.0])
    np.testing.assert_allclose(backward(scale, forward(scale, doses)), doses)  # type: ignore[arg-type]
    steps = backward(scale, np.linspace(-3, 3, 50))  # type: ignore[arg-type]
    assert (np.diff(steps) >= 0).all()
    assert (steps >= 0).all()


def test_scale_and_candidates_change_the_answer(patients: pl.DataFrame) -> None:
    doses = read_doses(patients.head(90), Columns("dose")).doses
    answers = []
    for scale, models in (("sqrt", LINEAR), ("log", LINEAR), ("sqrt", {"boosting": {"n_estimators": 20}})):
        settings = DoseSettings(models=models, scale=scale, inner_folds=2)  # type: ignore[arg-type]
        answers.append(develop(doses, settings, Context(), "scale").model.answer(doses.features.frame)[0])
    assert np.abs(answers[0] - answers[1]).max() > 0.5
    assert np.abs(answers[0] - answers[2]).max() > 0.5


def test_candidates_are_named_and_set_as_anywhere() -> None:
    names = ("linear", "boosting", "iwpc-clinical")
    given = check_overrides(names, ("linear.C=0.5", "iwpc-clinical.ancestry=origin"), MODELS)
    set_by_hand = {name: one.model_dump(exclude_unset=True) for name, one in given.items()}
    assert set_by_hand == {"linear": {"C": 0.5}, "boosting": {}, "iwpc-clinical": {"ancestry": "origin"}}
    assert make_estimator("linear", set_by_hand["linear"]).params.C == 0.5  # type: ignore[attr-defined]
    assert make_estimator("boosting", {}).params.num_leaves == 8  # type: ignore[attr-defined]
    with pytest.raises(UnknownNameError, match="did you mean linear"):
        make_estimator("liner", {})
    with pytest.raises(RequestError, match="C"):
        make_estimator("linear", {"C": -1})


def test_wrong_settings_are_refused() -> None:
    for wrong, said in (
        ({"scale": "cubic"}, "sqrt, log, none"),
        ({"combine": "vote"}, "blend, best"),
        ({"models": {}}, "name at least one"),
        ({"coverage": 1.0}, "coverage"),
        ({"n_folds": 1}, "n_folds"),
        ({"bands": (49.0, 21.0)}, "the smaller first"),
        ({"bands": (0.0, 21.0)}, "above zero"),
        ({"n_bootstrap": -1}, "n_bootstrap"),
        ({"confidence_level": 0.2}, "confidence_level"),
        ({"models": {"iwpc-clinical": {}}, "scale": "log"}, "scale sqrt"),
    ):
        with pytest.raises(RequestError, match=said):
            DoseSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_two_workers_give_the_bytes_of_one(patients: pl.DataFrame) -> None:
    doses = read_doses(patients.head(120), Columns("dose")).doses
    settings = DoseSettings(models={"linear": {}, "boosting": {"n_estimators": 30}}, inner_folds=2)
    sample = doses.features.frame.head(5)
    alone = develop(doses, settings, Context(), "same").model.save(sample)
    engine = ProcessEngine(workers=2)
    try:
        shared = develop(doses, settings, Context(engine=engine), "same").model.save(sample)
    finally:
        engine.close()
    assert alone == shared
