"""Cutting responses: what is judged was not learned from, in the way that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import SplitError
from iatros.treatment.responses.schema import Responses
from iatros.treatment.responses.splits import cut


def _responses(seed: int = 0, subjects: int = 30, treatments: int = 8) -> Responses:
    rng = np.random.default_rng(seed)
    who, what = np.nonzero(rng.random((subjects, treatments)) < 0.6)
    return Responses(
        tuple(f"s{k}" for k in range(subjects)), tuple(f"t{k}" for k in range(treatments)), who, what,
        rng.normal(size=len(who)), time=rng.permutation(len(who)).astype(float),
    )  # fmt: skip


@pytest.mark.parametrize("newness", ["pairs", "subjects", "treatments"])
def test_every_response_is_judged_once_by_what_did_not_learn_from_it(newness: str) -> None:
    r = _responses()
    sides = cut(r, newness, 4, 0)  # type: ignore[arg-type]
    assert np.array_equal(np.sort(np.concatenate([side.held_out for side in sides])), np.arange(len(r)))
    for side in sides:
        assert not set(side.train) & set(side.held_out)
        if newness != "pairs":
            names = r.subject if newness == "subjects" else r.treatment
            assert not set(names[side.train]) & set(names[side.held_out])


def test_given_responses_are_the_first_and_are_not_judged() -> None:
    r = _responses()
    assert r.time is not None
    for side in cut(r, "subjects", 3, 0, given=2):
        for subject in np.unique(r.subject[side.given]):
            told = r.time[side.given[r.subject[side.given] == subject]]
            judged = r.time[side.held_out[r.subject[side.held_out] == subject]]
            assert len(told) <= 2
            assert len(judged) == 0 or told.max() < judged.min()


def test_by_time_the_latest_are_judged() -> None:
    r = _responses()
    assert r.time is not None
    (side,) = cut(r, "time", 5, 0, later=0.25)
    assert r.time[side.train].max() < r.time[side.held_out].min()
    assert 0.2 < len(side.held_out) / len(r) < 0.3


def test_more_folds_than_treatments_are_refused() -> None:
    with pytest.raises(SplitError, match="8 treatments"):
        cut(_responses(), "treatments", 9, 0)


def test_one_time_for_all_is_refused() -> None:
    r = _responses()
    same = Responses(r.subjects, r.treatments, r.subject, r.treatment, r.y, time=np.zeros(len(r)))
    with pytest.raises(SplitError, match="one time"):
        cut(same, "time", 5, 0)


def test_the_same_seed_cuts_alike() -> None:
    one, two = (cut(_responses(), "pairs", 5, 7) for _ in range(2))
    assert all(np.array_equal(a.held_out, b.held_out) for a, b in zip(one, two, strict=True))
