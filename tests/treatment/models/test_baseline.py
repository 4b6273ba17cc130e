"""The baseline: scikit-surprise's numbers, a penalised logistic regression, shares, and the contract."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from tests.treatment.models import stars
from tests.treatment.models.matrices import (
    all_treatments,
    as_new,
    check_contract,
    known,
    names,
    nobody,
    simulated,
)

from iatros.core.errors import OutcomeError, RequestError
from iatros.treatment.models.baseline import Baseline, BaselineParams
from iatros.treatment.models.factors import Svd
from iatros.treatment.responses.schema import Ask, Outcome, Responses, Treatments


@pytest.mark.parametrize("outcome", ["continuous", "binary", "implicit"])
def test_the_contract(outcome: Outcome) -> None:
    check_contract(Baseline(), simulated(outcome))


def test_the_offsets_are_those_of_surprise() -> None:
    fitted, _ = Baseline(BaselineParams(n_sweeps=10)).fit(stars.responses(), newness="pairs", seed=0)
    np.testing.assert_allclose(fitted.predict(stars.asked()), stars.BASELINE_ONLY, atol=1e-8)


def test_log_odds_are_those_of_a_penalised_logistic_regression() -> None:
    """scipy minimises the cross-entropy with both ridge penalties over all offsets at once."""
    responses = simulated("binary", share=0.3)
    s, t = responses.shape
    fitted, _ = Baseline(BaselineParams(n_sweeps=300)).fit(responses, newness="pairs", seed=0)
    weight = np.tanh(abs(fitted.mean) / 2) / (2 * abs(fitted.mean))
    penalty = weight * np.append(np.full(s, 15.0), np.full(t, 10.0))

    def loss(offsets: np.ndarray) -> tuple[float, np.ndarray]:
        odds = fitted.mean + offsets[responses.subject] + offsets[s + responses.treatment]
        wrong = 1.0 / (1.0 + np.exp(-odds)) - responses.y
        slope = penalty * offsets
        np.add.at(slope, responses.subject, wrong)
        np.add.at(slope, s + responses.treatment, wrong)
        value = np.logaddexp(0.0, odds).sum() - responses.y @ odds + penalty @ offsets**2 / 2
        return value, slope

    best = minimize(
        loss, np.zeros(s + t), jac=True, method="L-BFGS-B", options={"gtol": 1e-9, "maxiter": 5000}
    ).x
    np.testing.assert_allclose(np.append(fitted.subjects, fitted.treatments), best, atol=1e-3)


def test_exposures_are_scored_by_the_share_that_took_the_treatment() -> None:
    responses = Responses(
        names("s", 4), names("t", 3), np.array([0, 0, 1, 3]), np.array([0, 2, 0, 0]), np.ones(4), "implicit"
    )
    fitted, notes = Baseline().fit(responses, newness="pairs", seed=0)
    answer = fitted.predict(Ask.every(nobody(), Treatments(np.array([0, 1, 2, -1]))))
    np.testing.assert_allclose(answer, [1.0, 0.0, 1 / 3, 4 / 9])
    assert notes["mean"] == pytest.approx(4 / 9)


@pytest.mark.parametrize("outcome", ["continuous", "binary"])
def test_a_new_subject_with_the_same_history_gets_the_same_answers(outcome: Outcome) -> None:
    responses = simulated(outcome)
    fitted, _ = Baseline(BaselineParams(n_sweeps=200)).fit(responses, newness="pairs", seed=0)
    places = np.array([3, 50])
    new = fitted.predict(Ask.every(as_new(responses, places), all_treatments()))
    np.testing.assert_allclose(new, fitted.predict(Ask.every(known(places), all_treatments())), atol=1e-6)


def test_of_nobody_and_of_a_new_treatment_the_rest_is_said() -> None:
    responses = simulated()
    fitted, _ = Baseline().fit(responses, newness="pairs", seed=0)
    answer = fitted.predict(Ask.every(nobody(), all_treatments()))
    np.testing.assert_allclose(answer, np.append(fitted.mean + fitted.treatments, fitted.mean))


@pytest.mark.parametrize("field", ["shrink_treatments", "shrink_subjects", "n_sweeps"])
def test_each_parameter_changes_the_answer(field: str) -> None:
    responses = simulated()
    usual, _ = Baseline().fit(responses, newness="pairs", seed=0)
    other, _ = Baseline(BaselineParams(**{field: 1})).fit(responses, newness="pairs", seed=0)
    rows = np.arange(50)
    assert not np.array_equal(usual.predict(responses.pairs(rows)), other.predict(responses.pairs(rows)))


def test_what_cannot_be_learned_is_refused() -> None:
    responses = simulated()
    with pytest.raises(OutcomeError, match="all outcomes are the same"):
        Baseline().fit(responses.take([3]), newness="pairs", seed=0)
    with pytest.raises(OutcomeError, match="no response"):
        Baseline().fit(responses.take([]), newness="pairs", seed=0)
    with pytest.raises(RequestError, match="svd learns continuous and binary outcomes, not implicit ones"):
        Svd().fit(simulated("implicit"), newness="pairs", seed=0)
    y = responses.y.copy()
    for value, outcome, said in ((np.nan, "continuous", "missing"), (0.5, "binary", "0 or 1")):
        y[:2] = value, 1.0
        wrong = Responses(responses.subjects, responses.treatments, responses.subject[:2], responses.treatment[:2],
                          y[:2], outcome)  # type: ignore[arg-type] # fmt: skip
        with pytest.raises(OutcomeError, match=said):
            Baseline().fit(wrong, newness="pairs", seed=0)
