"""Instability of individual predictions, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.core.instability import instability


def test_by_hand() -> None:
    predictions = np.array([[0.1, 0.5, 0.9], [0.3, 0.5, 0.7], [0.2, 0.5, 0.8], [0.2, 0.5, 0.6]])
    original = np.array([0.2, 0.4, 0.8])
    answer = instability(predictions, original=original, threshold=0.45)
    each = np.abs(predictions - original).mean(axis=0)
    assert answer["mape"]["mean"] == pytest.approx(each.mean())
    assert answer["mape"]["p95"] == pytest.approx(np.quantile(each, 0.95))
    assert answer["changed_percent"]["mean"] == pytest.approx(100 / 3)
    assert (answer["n_resamples"], answer["n"]) == (4, 3)


def test_stable_predictions_have_none() -> None:
    answer = instability(np.tile(np.linspace(0, 1, 7), (5, 1)))
    assert answer["mape"]["mean"] == 0
    assert answer["interval_width"]["p95"] == 0


def test_predictions_not_made_are_left_out() -> None:
    predictions = np.array([[0.1, np.nan, 0.5], [0.3, np.nan, np.nan], [np.nan, 0.4, 0.7]])
    answer = instability(predictions, original=np.array([0.2, 0.4, 0.6]))
    assert answer["n"] == 2
    assert answer["mape"]["mean"] == pytest.approx(0.1)


def test_the_interval_holds_the_middle_of_the_resamples() -> None:
    predictions = np.random.default_rng(0).normal(0.5, 0.1, size=(2000, 1))
    answer = instability(predictions)
    assert answer["low"]["mean"] == pytest.approx(0.5 - 0.196, abs=0.02)
    assert answer["interval_width"]["mean"] == pytest.approx(0.392, abs=0.03)


@pytest.mark.parametrize("shape", [(1, 4), (4,)])
def test_too_few_resamples_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="at least two resamples"):
        instability(np.zeros(shape))


def test_nobody_with_two_predictions_is_refused() -> None:
    with pytest.raises(InputError, match="two predictions"):
        instability(np.array([[0.1, np.nan], [np.nan, 0.2]]))
