"""Neighbours: scikit-surprise's numbers, listings of the most similar, new subjects, and the contract."""

from __future__ import annotations

import numpy as np
import pytest
from tests.treatment.models import stars
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

from iatros.core.errors import InputError
from iatros.treatment.models.baseline import Baseline
from iatros.treatment.models.knn import Knn, KnnParams
from iatros.treatment.models.similarity import Similarity
from iatros.treatment.responses.schema import Ask, Outcome

AS_SURPRISE = {"n_neighbours": 2, "shrinkage": 5.0, "damping": 0.0, "n_sweeps": 10}


@pytest.mark.parametrize("neighbours", ["treatments", "subjects"])
@pytest.mark.parametrize("outcome", ["continuous", "binary"])
def test_the_contract(neighbours: str, outcome: Outcome) -> None:
    check_contract(Knn(KnnParams(neighbours=neighbours)), simulated(outcome))  # type: ignore[arg-type]


@pytest.mark.parametrize("similarity", ["cosine", "pearson"])
def test_the_contract_of_other_similarities(similarity: str) -> None:
    check_contract(Knn(KnnParams(similarity=similarity, neighbours="subjects")), simulated())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("neighbours", "expected"), [("treatments", stars.KNN_OF_ITEMS), ("subjects", stars.KNN_OF_USERS)]
)
def test_the_answers_are_those_of_surprise(neighbours: str, expected: list[float]) -> None:
    params = KnnParams(neighbours=neighbours, **AS_SURPRISE)  # type: ignore[arg-type]
    fitted, _ = Knn(params).fit(stars.responses(), newness="pairs", seed=0)
    np.testing.assert_allclose(fitted.predict(stars.asked()), expected, atol=1e-5)


def test_the_similarities_are_those_of_surprise_and_listed_from_the_likest() -> None:
    params = KnnParams(**AS_SURPRISE)  # type: ignore[arg-type]
    similarity = Knn(params).fit(stars.responses(), newness="pairs", seed=0)[0].similarity
    treatments = similarity.treatments(0, 9)
    assert [alike.place for alike in treatments] == [4]
    assert treatments[0].similarity == pytest.approx(stars.LIKE_FIRST_ITEM[4], abs=1e-5)
    assert treatments[0].in_common == 4
    subjects = similarity.subjects(known(np.arange(9)), 0, 5)
    assert [alike.place for alike in subjects] == [3, 1]
    expected = [stars.LIKE_FIRST_USER[3], stars.LIKE_FIRST_USER[1]]
    assert [alike.similarity for alike in subjects] == pytest.approx(expected, abs=1e-5)
    assert [alike.in_common for alike in subjects] == [2, 2]
    assert len(similarity.subjects(known(np.arange(9)), 0, 1)) == 1


def test_a_new_subject_is_most_like_the_one_whose_history_it_has() -> None:
    responses = simulated()
    similarity = Similarity.of(responses)
    listed = similarity.subjects(as_new(responses, np.array([7, 30])), 1, 3)
    assert listed[0].place == 30
    assert listed[0].in_common == int((responses.subject == 30).sum())
    assert [alike.similarity for alike in listed] == sorted(
        (alike.similarity for alike in listed), reverse=True
    )
    # the known subject itself is not listed
    assert 30 not in [alike.place for alike in similarity.subjects(known(np.array([30])), 0, 90)]
    assert similarity.subjects(nobody(), 0, 5) == []
    with pytest.raises(InputError, match="17 treatments"):
        similarity.treatments(17, 3)


@pytest.mark.parametrize("likeness", ["cosine", "pearson", "pearson-baseline"])
def test_a_stored_similarity_lists_the_same(likeness: str) -> None:
    responses = simulated()
    similarity = Similarity.of(responses, likeness, 3.0)  # type: ignore[arg-type]
    document, files = similarity.save()
    again = Similarity.load(document, files.__getitem__)
    assert again.subjects(known(np.array([2])), 0, 9) == similarity.subjects(known(np.array([2])), 0, 9)
    assert again.treatments(2, 9) == similarity.treatments(2, 9)
    mixed = Similarity.of(responses.take(np.arange(len(responses))[::-1]), likeness, 3.0)  # type: ignore[arg-type]
    ours, theirs = (each.treatments(2, 9) for each in (similarity, mixed))
    assert [alike.place for alike in ours] == [alike.place for alike in theirs]


@pytest.mark.parametrize("outcome", ["continuous", "binary"])
@pytest.mark.parametrize("neighbours", ["treatments", "subjects"])
def test_neighbours_beat_the_baseline(outcome: Outcome, neighbours: str) -> None:
    responses = simulated(outcome)
    train, unseen = split(responses)
    learned = responses.take(train)
    baseline, _ = Baseline().fit(learned, newness="pairs", seed=0)
    fitted, notes = Knn(KnnParams(neighbours=neighbours)).fit(learned, newness="pairs", seed=0)  # type: ignore[arg-type]
    assert error(fitted, responses, unseen) < 0.9 * error(baseline, responses, unseen)
    assert notes["stores_responses"]


def test_a_new_subject_is_answered_from_its_treatments_as_if_it_were_known() -> None:
    responses = simulated()
    fitted, _ = Knn(KnnParams(n_sweeps=200)).fit(responses, newness="subjects", seed=0)
    places = np.array([8, 2])
    new = fitted.predict(Ask.every(as_new(responses, places), all_treatments()))
    np.testing.assert_allclose(new, fitted.predict(Ask.every(known(places), all_treatments())), atol=1e-5)


@pytest.mark.parametrize(
    "changed",
    [
        {"neighbours": "subjects"},
        {"similarity": "cosine"},
        {"shrinkage": 1.0},
        {"n_neighbours": 2},
        {"least_neighbours": 7},
        {"damping": 3.0},
    ],
)
def test_each_parameter_changes_the_answer(changed: dict[str, object]) -> None:
    responses = simulated()
    usual, _ = Knn().fit(responses, newness="pairs", seed=0)
    other, _ = Knn(KnnParams(**changed)).fit(responses, newness="pairs", seed=0)  # type: ignore[arg-type]
    rows = np.arange(50)
    assert not np.allclose(
        usual.predict(responses.pairs(rows)), other.predict(responses.pairs(rows)), atol=1e-4
    )
