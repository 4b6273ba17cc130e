"""Factorisations of responses: better than the means, new subjects like known ones, and the contract."""

from __future__ import annotations

import numpy as np
import pytest
from tests.treatment.models.matrices import (
    all_treatments,
    as_new,
    check_contract,
    error,
    known,
    nobody,
    simulated,
    split,
)

from iatros.treatment.models import MODELS
from iatros.treatment.models.baseline import Baseline
from iatros.treatment.models.factors import Nmf, NmfParams, Svd, SvdParams, SvdPlusPlus
from iatros.treatment.responses.schema import Ask, Outcome

KINDS = [Svd, SvdPlusPlus, Nmf]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outcome", ["continuous", "binary"])
def test_the_contract(kind: type[Svd] | type[Nmf], outcome: Outcome) -> None:
    check_contract(kind(), simulated(outcome))


def test_the_names_are_registered() -> None:
    assert [MODELS.load(name) for name in ("svd", "svd++", "nmf")] == KINDS


@pytest.mark.parametrize(
    ("kind", "outcome", "share"),
    [
        (Svd, "continuous", 0.5),
        (SvdPlusPlus, "continuous", 0.5),
        (Nmf, "continuous", 0.8),
        (Svd, "binary", 0.85),
        (SvdPlusPlus, "binary", 0.85),
        (Nmf, "binary", 0.95),
    ],
)
def test_unseen_pairs_are_predicted_better_than_by_the_means(
    kind: type[Svd] | type[Nmf], outcome: Outcome, share: float
) -> None:
    responses = simulated(outcome, share=0.8)
    train, unseen = split(responses)
    baseline, _ = Baseline().fit(responses.take(train), newness="pairs", seed=0)
    fitted, _ = kind().fit(responses.take(train), newness="pairs", seed=0)
    assert error(fitted, responses, unseen) < share * error(baseline, responses, unseen)


def test_the_notes_tell_the_factors_and_what_they_leave() -> None:
    _, notes = Svd(SvdParams(n_sweeps=60)).fit(simulated(share=0.9), newness="pairs", seed=0)
    assert notes["n_factors"] == 2
    assert notes["residual_sd"] == pytest.approx(2.0, abs=0.4)  # the noise has a standard deviation of 2
    assert "residual_sd" not in Svd().fit(simulated("binary"), newness="pairs", seed=0)[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("outcome", ["continuous", "binary"])
def test_a_new_subject_with_the_same_history_gets_about_the_same_answers(
    kind: type[Svd] | type[Nmf], outcome: Outcome
) -> None:
    responses = simulated(outcome)
    fitted, _ = kind(kind.Params(n_sweeps=300)).fit(responses, newness="subjects", seed=0)
    places = np.array([3, 50, 89])
    new = fitted.predict(Ask.every(as_new(responses, places), all_treatments()))
    old = fitted.predict(Ask.every(known(places), all_treatments()))
    np.testing.assert_allclose(
        new, old, atol=0.02 if outcome == "binary" else 1.0
    )  # outcomes have a sd of 17


@pytest.mark.parametrize("kind", [Svd, SvdPlusPlus])
def test_of_nobody_and_of_a_new_treatment_the_rest_is_said(kind: type[Svd]) -> None:
    responses = simulated()
    fitted, _ = kind().fit(responses, newness="pairs", seed=0)
    answer = fitted.predict(Ask.every(nobody(), all_treatments()))
    level, columns = fitted.fitted.kind.level, fitted.fitted.columns.mean[:, 0]
    expected = fitted.scale.centre + fitted.scale.spread * (level + np.append(columns, 0.0))
    np.testing.assert_allclose(answer, expected, rtol=1e-6)
    silent = fitted.predict(
        Ask.every(known(np.array([4])), all_treatments())
    )  # known by name, without a response
    np.testing.assert_allclose(silent, answer, rtol=1e-6)


def test_no_answer_leaves_the_outcomes_that_were_seen() -> None:
    responses = simulated(share=0.3)
    fitted, _ = Svd().fit(responses, newness="pairs", seed=0)
    answer = fitted.predict(Ask.every(known(np.arange(90)), all_treatments()))
    assert answer.min() >= responses.y.min()
    assert answer.max() <= responses.y.max()


def test_outcomes_on_another_scale_give_the_same_answers_there() -> None:
    responses = simulated()
    moved = type(responses)(
        responses.subjects,
        responses.treatments,
        responses.subject,
        responses.treatment,
        1e4 + 256.0 * responses.y,
    )
    rows = np.arange(60)
    answers = [
        Svd().fit(each, newness="pairs", seed=0)[0].predict(each.pairs(rows)) for each in (responses, moved)
    ]
    np.testing.assert_allclose(answers[1], 1e4 + 256.0 * answers[0], rtol=1e-3)


@pytest.mark.parametrize("changed", [{"n_factors": 1}, {"n_sweeps": 4}])
@pytest.mark.parametrize("kind", KINDS)
def test_each_parameter_changes_the_answer(kind: type[Svd] | type[Nmf], changed: dict[str, int]) -> None:
    responses = simulated()
    usual, _ = kind().fit(responses, newness="pairs", seed=0)
    other, _ = kind(kind.Params(**changed)).fit(responses, newness="pairs", seed=0)
    rows = np.arange(50)
    assert not np.allclose(
        usual.predict(responses.pairs(rows)), other.predict(responses.pairs(rows)), atol=1e-3
    )


def test_factors_of_parts_are_not_negative() -> None:
    fitted, notes = Nmf(NmfParams(n_factors=3)).fit(simulated(), newness="pairs", seed=0)
    assert (fitted.fitted.rows >= 0).all()
    assert (fitted.fitted.columns.mean >= 0).all()
    assert notes["n_factors"] <= 3
