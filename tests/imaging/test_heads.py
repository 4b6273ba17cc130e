"""From logits to predictions: hand calculations, and what must hold for any logits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from iatros.core.task import Target
from iatros.imaging.heads import grade_probabilities, n_outputs, predictions
from iatros.imaging.schema import Objective

BINARY = Target("pneumonia", "binary", ("no", "yes"))
GRADED = Target("retinopathy", "multiclass", ("none", "mild", "moderate", "severe"))
YEARS = Target("bone age", "continuous", unit="years")
LABELS = tuple(Target(name, "binary", ("no", name)) for name in ("a", "b", "c"))

LOGITS = st.floats(-80, 80, allow_nan=False, width=32)


def matrices(columns: int) -> st.SearchStrategy[np.ndarray]:
    return npst.arrays(np.float32, st.tuples(st.integers(1, 6), st.just(columns)), elements=LOGITS)


@pytest.mark.parametrize(
    ("objective", "targets", "outputs"),
    [
        ("cross-entropy", (BINARY,), 2),
        ("cross-entropy", (GRADED,), 4),
        ("ordinal", (GRADED,), 3),
        ("ordinal", (BINARY,), 1),
        ("binary-cross-entropy", LABELS, 3),
        ("binary-cross-entropy", (BINARY,), 1),
        ("squared-error", (YEARS,), 1),
    ],
)
def test_every_objective_has_as_many_outputs_as_it_reads(
    objective: Objective, targets: tuple[Target, ...], outputs: int
) -> None:
    assert n_outputs(objective, targets) == outputs
    found = predictions(objective, targets, np.full((5, outputs), 0.3, dtype=np.float32))
    assert len(found) == len(targets)
    for target, values in zip(targets, found, strict=True):
        assert values.shape == ((5, len(target.classes)) if target.task == "multiclass" else (5,))
        assert values.dtype == np.float64


def test_two_classes_give_the_probability_of_the_second() -> None:
    # the log-odds are 1.1 - 0.4 = 0.7
    (p,) = predictions("cross-entropy", (BINARY,), np.array([[0.4, 1.1], [2.0, 2.0]]))
    np.testing.assert_allclose(p, [1 / (1 + np.exp(-0.7)), 0.5])


def test_labels_are_answered_one_by_one() -> None:
    a, b, c = predictions("binary-cross-entropy", LABELS, np.log(np.array([[1 / 3, 1.0, 4.0]])))
    np.testing.assert_allclose([a[0], b[0], c[0]], [0.25, 0.5, 0.8])


def test_a_quantity_is_what_the_network_says() -> None:
    (value,) = predictions("squared-error", (YEARS,), np.array([[11.5], [-2.0]], dtype=np.float32))
    np.testing.assert_array_equal(value, [11.5, -2.0])


def test_grades_are_the_steps_between_the_odds_of_lying_above() -> None:
    # above none 0.9, above mild 0.6, above moderate 0.25
    logits = np.log(np.array([[0.9 / 0.1, 0.6 / 0.4, 0.25 / 0.75]]))
    np.testing.assert_allclose(grade_probabilities(logits), [[0.1, 0.3, 0.35, 0.25]])


def test_odds_that_cross_give_the_grade_between_them_nothing() -> None:
    logits = np.log(np.array([[0.6 / 0.4, 0.9 / 0.1, 0.25 / 0.75]]))
    np.testing.assert_allclose(grade_probabilities(logits), [[0.4, 0.0, 0.35, 0.25]], atol=1e-12)


def test_two_grades_are_one_probability() -> None:
    (p,) = predictions("ordinal", (BINARY,), np.log(np.array([[4.0], [0.25]])))
    np.testing.assert_allclose(p, [0.8, 0.2])


@given(matrices(4))
def test_classes_share_one_and_keep_the_order_of_their_logits(logits: np.ndarray) -> None:
    (p,) = predictions("cross-entropy", (GRADED,), logits)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    assert (p >= 0).all()
    order = np.argsort(logits, axis=1, kind="stable")
    assert (np.diff(np.take_along_axis(p, order, axis=1), axis=1) >= 0).all()


@given(matrices(3))
def test_grades_share_one_for_any_odds(logits: np.ndarray) -> None:
    (p,) = predictions("ordinal", (GRADED,), logits)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)
    assert (p >= 0).all()


@given(matrices(3), st.floats(0.0, 5.0))
def test_higher_odds_never_lower_the_grade(logits: np.ndarray, more: float) -> None:
    """The expected grade, and the chance of lying above each grade, rise with the log-odds."""
    lower, higher = (grade_probabilities(each.astype(np.float64)) for each in (logits, logits + more))
    assert (lower @ np.arange(4) <= higher @ np.arange(4) + 1e-9).all()
    above = [np.cumsum(p[:, ::-1], axis=1)[:, ::-1] for p in (lower, higher)]
    assert (above[0] <= above[1] + 1e-9).all()


@given(npst.arrays(np.float64, (7, 1), elements=LOGITS))
def test_a_probability_rises_with_its_logit(logits: np.ndarray) -> None:
    (p,) = predictions("binary-cross-entropy", (BINARY,), logits)
    assert ((p >= 0) & (p <= 1)).all()
    assert (np.diff(p[np.argsort(logits[:, 0])]) >= 0).all()
