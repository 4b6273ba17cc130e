"""Cutting responses: what those that a model is judged on have in common with those that it learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.errors import SplitError
from iatros.treatment.responses.estimator import Newness
from iatros.treatment.responses.schema import Responses


@dataclass(frozen=True)
class Sides:
    """Rows to learn from, and rows to be judged on; `given` are rows of the judged subjects that a model is told."""

    train: np.ndarray
    held_out: np.ndarray
    given: np.ndarray


def cut(
    responses: Responses, newness: Newness, n_folds: int, seed: int, *, given: int = 0, later: float = 0.2
) -> list[Sides]:
    """Sides in which every response is judged at most once.

    Under `pairs` rows are dealt at random; under `subjects` all rows of a subject, under `treatments` all of a
    treatment are judged together, and nothing of them is learned from, but for the first `given` responses of each
    judged subject (by time, else drawn), which the model is told as history. Under `time` the latest share `later` is
    judged, once.

    SplitError where there are fewer subjects, treatments or responses than folds, or a side would be empty.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(len(responses))
    none = np.empty(0, dtype=np.int64)
    if newness == "time":
        return _checked([_by_time(responses, later)])
    if n_folds < 2:
        raise SplitError(f"at least two folds are needed, got {n_folds}")
    if newness == "pairs":
        fold = _dealt(np.ones(len(rows)), n_folds, rng, "responses")
    else:
        block = responses.subject if newness == "subjects" else responses.treatment
        codes = np.unique(block, return_inverse=True)[1].reshape(-1)
        fold = _dealt(np.bincount(codes).astype(float), n_folds, rng, newness)[codes]
    told = (
        first_of_each(responses, given, rng)
        if newness == "subjects" and given
        else np.zeros(len(rows), dtype=bool)
    )
    sides = []
    for k in range(n_folds):
        inside = fold == k
        sides.append(
            Sides(
                np.flatnonzero(~inside),
                np.flatnonzero(inside & ~told),
                np.flatnonzero(inside & told) if told.any() else none,
            )
        )
    return _checked(sides)


def _by_time(responses: Responses, later: float) -> Sides:
    if responses.time is None:
        raise SplitError("validation time needs the column with the time of each response")
    cut_at = np.quantile(responses.time, 1.0 - later, method="higher")
    after = responses.time >= cut_at
    if after.all():
        raise SplitError("all responses have one time, so none is later than others")
    return Sides(np.flatnonzero(~after), np.flatnonzero(after), np.empty(0, dtype=np.int64))


def first_of_each(responses: Responses, given: int, rng: np.random.Generator) -> np.ndarray:
    """Which rows are the first `given` of their subject, bool (n,)."""
    order = rng.permutation(len(responses))
    if responses.time is not None:
        order = order[np.argsort(responses.time[order], kind="stable")]
    order = order[np.argsort(responses.subject[order], kind="stable")]
    subject = responses.subject[order]
    starts = np.flatnonzero(np.r_[True, subject[1:] != subject[:-1]])
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    first = np.zeros(len(order), dtype=bool)
    first[order] = rank < given
    return first


def _dealt(sizes: np.ndarray, n_folds: int, rng: np.random.Generator, words: str) -> np.ndarray:
    """The fold of each block (n,): in random order, the largest first, each to the fold that has the least."""
    if len(sizes) < n_folds:
        raise SplitError(
            f"{len(sizes)} {words} cannot be cut into {n_folds} folds",
            hint="use fewer folds, or another validation",
        )
    if sizes.max() == sizes.min():
        fold = np.empty(len(sizes), dtype=np.int64)
        fold[rng.permutation(len(sizes))] = np.arange(len(sizes)) % n_folds
        return fold
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    fold, held = np.empty(len(sizes), dtype=np.int64), np.zeros(n_folds)
    for block in order:
        chosen = int(held.argmin())
        fold[block] = chosen
        held[chosen] += sizes[block]
    return fold


def _checked(sides: list[Sides]) -> list[Sides]:
    if any(len(side.train) == 0 or len(side.held_out) == 0 for side in sides):
        raise SplitError(
            "a side of the validation has no responses", hint="use fewer folds, or another validation"
        )
    return sides
