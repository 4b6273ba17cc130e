"""Small matrices of responses for the tests of the models, lopsided and with known structure."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.treatment.responses.estimator import ResponsePredictor, load_predictor
from iatros.treatment.responses.schema import Ask, Outcome, Responses, Subjects, Treatments

SHAPE = (90, 17)


def names(letter: str, n: int) -> tuple[str, ...]:
    return tuple(f"{letter}{number}" for number in range(n))


def simulated(outcome: Outcome = "continuous", *, share: float = 0.6, seed: int = 0) -> Responses:
    """Offsets and two factors; of subject 4 and treatment 6 there is no response. Times are a random order."""
    rng = np.random.default_rng(seed)
    s, t = SHAPE
    level = 40.0 + 6.0 * rng.normal(size=(s, 1)) + 9.0 * rng.normal(size=(1, t))
    suits = 9.0 * rng.normal(size=(s, 2)) @ rng.normal(size=(2, t))
    known = rng.random(SHAPE) < share
    known[4], known[:, 6] = False, False
    if outcome == "implicit":
        known &= suits + 4.0 * rng.normal(size=SHAPE) > 4.0
    subject, treatment = np.nonzero(known)
    y = (level + suits + 2.0 * rng.normal(size=SHAPE))[subject, treatment]
    if outcome == "binary":
        y = (y > 40.0).astype(float)
    if outcome == "implicit":
        y = rng.integers(1, 4, len(y)).astype(float)
    time = np.argsort(np.argsort(rng.random(len(y)))).astype(float)
    return Responses(names("s", s), names("t", t), subject, treatment, y, outcome, time)


def as_new(responses: Responses, places: np.ndarray) -> Subjects:
    """The subjects at `places` as if they were new, with their responses as history."""
    rows = [np.flatnonzero(responses.subject == place) for place in places]
    every = np.concatenate(rows)
    start = np.concatenate([[0], np.cumsum([len(part) for part in rows])])
    return Subjects(np.full(len(places), -1), start, responses.treatment[every], responses.y[every])


def known(places: np.ndarray) -> Subjects:
    return Subjects(places, np.zeros(len(places) + 1, np.int64), np.empty(0, np.int64), np.empty(0))


def nobody() -> Subjects:
    """One new subject without a history."""
    return Subjects(np.array([-1]), np.zeros(2, np.int64), np.empty(0, np.int64), np.empty(0))


def all_treatments(n: int = SHAPE[1]) -> Treatments:
    """Every treatment learned from, then a new one."""
    return Treatments(np.append(np.arange(n), -1))


def stored(predictor: ResponsePredictor) -> ResponsePredictor:
    """The predictor after it went through its files."""
    document, files = predictor.save()
    return load_predictor(document, files.__getitem__)


def check_contract(model: Any, responses: Responses) -> None:
    """What every model keeps: finite answers, each pair on its own, the same after storing, the same bytes again."""
    fitted, notes = model.fit(responses, newness="pairs", seed=3)
    again, _ = model.fit(responses, newness="pairs", seed=3)
    assert isinstance(notes, dict)
    for subjects in (known(np.array([4, 0, 11])), as_new(responses, np.array([7, 30])), nobody()):
        ask = Ask.every(subjects, all_treatments(responses.shape[1]))
        answer = fitted.predict(ask)
        assert answer.shape == (len(ask),)
        assert np.isfinite(answer).all()
        np.testing.assert_array_equal(stored(fitted).predict(ask), answer)
        np.testing.assert_array_equal(again.predict(ask), answer)
        some = np.arange(len(ask))[::-3]
        part = Ask(ask.subjects, ask.treatments, ask.subject[some], ask.treatment[some])
        np.testing.assert_array_equal(fitted.predict(part), answer[some])
    assert fitted.save()[1] == again.save()[1]
    nothing = responses.pairs(np.empty(0, int))
    assert fitted.predict(nothing).shape == (0,)


def split(responses: Responses, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and a quarter of all rows to be judged by."""
    mixed = np.random.default_rng(seed).permutation(len(responses))
    cut = len(responses) // 4
    return np.sort(mixed[cut:]), np.sort(mixed[:cut])


def error(predictor: ResponsePredictor, responses: Responses, rows: np.ndarray) -> float:
    """Root mean squared error, or mean cross-entropy of a binary outcome, at `rows`."""
    answer, y = predictor.predict(responses.pairs(rows)), responses.y[rows]
    if responses.outcome == "binary":
        return float(-np.log(np.where(y > 0.5, answer, 1.0 - answer)).mean())
    return float(np.sqrt(np.mean((answer - y) ** 2)))
