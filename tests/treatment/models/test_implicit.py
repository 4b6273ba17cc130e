"""Factors of exposures: what is withheld comes first, new subjects like known ones, and the contract."""

from __future__ import annotations

import numpy as np
import pytest
from tests.treatment.models.matrices import (
    all_treatments,
    as_new,
    check_contract,
    known,
    names,
    nobody,
    simulated,
)

from iatros.core.errors import RequestError
from iatros.treatment.models.implicit import Als, AlsParams, Bpr, BprParams
from iatros.treatment.responses.schema import Ask, Responses, Treatments

KINDS = [Als, Bpr]


def _blocks(withheld: bool = True) -> Responses:
    """Two kinds of subject (30 and 14) and of treatment (7 and 4): each subject takes its kind's, but one."""
    kind = np.repeat([0, 1], [30, 14])
    of = np.repeat([0, 1], [7, 4])
    taken = kind[:, None] == of[None, :]
    if withheld:
        for subject in range(len(kind)):
            own = np.flatnonzero(taken[subject])
            taken[subject, own[subject % len(own)]] = False
    subject, treatment = np.nonzero(taken)
    return Responses(names("s", 44), names("t", 11), subject, treatment, np.ones(len(subject)), "implicit")


def _withheld(subject: int) -> int:
    return subject % 7 if subject < 30 else 7 + subject % 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract(kind: type[Als] | type[Bpr]) -> None:
    check_contract(kind(), simulated("implicit"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_withheld_ranks_first_among_what_was_not_taken(kind: type[Als] | type[Bpr]) -> None:
    responses = _blocks()
    fitted, _ = kind(kind.Params(n_factors=3)).fit(responses, newness="pairs", seed=0)
    scores = fitted.predict(Ask.every(known(np.arange(44)), Treatments(np.arange(11)))).reshape(44, 11)
    scores[responses.subject, responses.treatment] = -np.inf
    right = scores.argmax(axis=1) == [_withheld(subject) for subject in range(44)]
    assert right.mean() > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_subject_is_ranked_from_its_history(kind: type[Als] | type[Bpr]) -> None:
    responses = _blocks()
    fitted, _ = kind(kind.Params(n_factors=3)).fit(responses, newness="subjects", seed=0)
    places = np.array([2, 40, 33, 29])
    scores = fitted.predict(Ask.every(as_new(responses, places), Treatments(np.arange(11)))).reshape(4, 11)
    for row, place in enumerate(places):
        others = np.setdiff1d(np.arange(11), responses.treatment[responses.subject == place])
        assert others[scores[row, others].argmax()] == _withheld(place)


def test_a_subject_learned_from_is_folded_in_where_it_was() -> None:
    responses = simulated("implicit")
    fitted, _ = Als(AlsParams(n_sweeps=300, n_factors=4)).fit(responses, newness="subjects", seed=0)
    places = np.array([3, 60])
    new = fitted.predict(Ask.every(as_new(responses, places), all_treatments()))
    np.testing.assert_allclose(new, fitted.predict(Ask.every(known(places), all_treatments())), atol=0.02)


def test_exposures_at_random_leave_no_factor() -> None:
    rng = np.random.default_rng(2)
    subject, treatment = np.nonzero(rng.random((80, 25)) < 0.2)
    taken = Responses(names("s", 80), names("t", 25), subject, treatment, np.ones(len(subject)), "implicit")
    fitted, notes = Als().fit(taken, newness="pairs", seed=0)
    scores = fitted.predict(Ask.every(known(np.arange(80)), Treatments(np.arange(25)))).reshape(80, 25)
    assert notes["penalty"] == pytest.approx(2.0 * 0.4 * (80**0.5 + 5.0), rel=0.05)
    # what remains is one factor, the shares: all subjects are ranked alike
    assert np.linalg.matrix_rank(scores, tol=1e-2 * np.linalg.norm(scores)) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_of_nobody_the_ranking_is_that_of_the_mean_subject(kind: type[Als] | type[Bpr]) -> None:
    responses = _blocks(withheld=False)
    fitted, _ = kind().fit(responses, newness="subjects", seed=0)
    scores = fitted.predict(Ask.every(nobody(), Treatments(np.append(np.arange(11), -1))))
    assert scores[:7].min() > scores[7:11].max()  # taken by 30 subjects, and by 14
    assert scores[7:11].min() < scores[11] < scores[:7].max()


def test_a_subject_that_took_everything_is_answered() -> None:
    responses = _blocks()
    fitted, _ = Bpr().fit(responses, newness="subjects", seed=0)
    everything = Responses(
        names("s", 1), names("t", 11), np.zeros(11, int), np.arange(11), np.ones(11), "implicit"
    )
    assert np.isfinite(
        fitted.predict(Ask.every(as_new(everything, np.array([0])), Treatments(np.arange(11))))
    ).all()


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        (Als, {"n_factors": 2}),
        (Als, {"n_sweeps": 1}),
        (Als, {"penalty": 50.0}),
        (Als, {"confidence": 5.0}),
        (Bpr, {"n_factors": 2}),
        (Bpr, {"n_sweeps": 3}),
        (Bpr, {"penalty": 0.5}),
        (Bpr, {"learning_rate": 0.001}),
    ],
)
def test_each_parameter_changes_the_answer(kind: type[Als] | type[Bpr], changed: dict[str, float]) -> None:
    responses = simulated("implicit")
    params = (AlsParams if kind is Als else BprParams)(**changed)
    usual, _ = kind().fit(responses, newness="pairs", seed=0)
    other, _ = kind(params).fit(responses, newness="pairs", seed=0)  # type: ignore[arg-type]
    rows = np.arange(40)
    assert not np.allclose(
        usual.predict(responses.pairs(rows)), other.predict(responses.pairs(rows)), atol=1e-4
    )


@pytest.mark.parametrize("kind", KINDS)
def test_outcomes_with_values_are_refused(kind: type[Als] | type[Bpr]) -> None:
    with pytest.raises(RequestError, match="learns implicit outcomes, not continuous ones"):
        kind().fit(simulated(), newness="pairs", seed=0)
