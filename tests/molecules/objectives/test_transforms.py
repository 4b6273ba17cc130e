"""Transforms: values by hand, bounds, direction, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from iatros.molecules.objectives.transforms import TRANSFORMS, Transform

ANY: TypeAdapter[Any] = TypeAdapter(Transform)
EXAMPLES: dict[str, dict[str, float]] = {
    "identity": {},
    "linear": {"low": 1.0, "high": 5.0},
    "threshold": {"at": 0.8},
    "step": {"at_least": 2.0},
    "sigmoid": {"low": 5.0, "high": 8.0},
    "reverse-sigmoid": {"low": 2.5, "high": 4.5},
    "double-sigmoid": {"low": 200.0, "high": 500.0, "width": 50.0},
    "gaussian": {"mean": 2.5, "spread": 1.0},
    "min-gaussian": {"mean": 4.0, "spread": 1.0},
    "max-gaussian": {"mean": 90.0, "spread": 10.0},
}


def made(kind: str, **fields: float) -> Any:
    return ANY.validate_python({"kind": kind, **fields})


def at(value: float, kind: str, **fields: float) -> float:
    return float(made(kind, **fields)(np.array([value]))[0])


@pytest.mark.parametrize(
    ("value", "kind", "fields", "expected"),
    [
        (0.3, "identity", {}, 0.3),
        (-2.0, "identity", {}, 0.0),
        (3.0, "linear", {"low": 1, "high": 5}, 0.5),
        (2.0, "linear", {"low": 5, "high": 1}, 0.75),
        (0.4, "threshold", {"at": 0.8}, 0.5),
        (0.9, "threshold", {"at": 0.8}, 1.0),
        (500.0, "step", {"at_most": 500}, 1.0),
        (500.1, "step", {"at_most": 500}, 0.0),
        (1.0, "step", {"at_least": 2, "at_most": 3}, 0.0),
        (5.0, "sigmoid", {"low": 5, "high": 8}, 0.05),
        (8.0, "sigmoid", {"low": 5, "high": 8}, 0.95),
        (6.5, "sigmoid", {"low": 5, "high": 8}, 0.5),
        (2.5, "reverse-sigmoid", {"low": 2.5, "high": 4.5}, 0.95),
        (4.5, "reverse-sigmoid", {"low": 2.5, "high": 4.5}, 0.05),
        (200.0, "double-sigmoid", {"low": 200, "high": 500, "width": 50}, 0.5),
        (350.0, "double-sigmoid", {"low": 200, "high": 500, "width": 50}, 1.0),
        (525.0, "double-sigmoid", {"low": 200, "high": 500, "width": 50}, 0.05),
        (3.5, "gaussian", {"mean": 2.5, "spread": 1}, math.exp(-0.5)),
        (1.0, "min-gaussian", {"mean": 4, "spread": 1}, 1.0),
        (6.0, "min-gaussian", {"mean": 4, "spread": 1}, math.exp(-2)),
        (100.0, "max-gaussian", {"mean": 90, "spread": 10}, 1.0),
        (80.0, "max-gaussian", {"mean": 90, "spread": 10}, math.exp(-0.5)),
    ],
)
def test_values_by_hand(value: float, kind: str, fields: dict[str, float], expected: float) -> None:
    assert at(value, kind, **fields) == pytest.approx(expected, abs=1e-7)


@given(st.sampled_from(sorted(TRANSFORMS)), st.floats(-1e9, 1e9))
def test_what_comes_out_lies_between_0_and_1(kind: str, value: float) -> None:
    assert 0.0 <= at(value, kind, **EXAMPLES[kind]) <= 1.0


@pytest.mark.parametrize("kind", sorted(TRANSFORMS))
def test_no_value_stays_no_value_and_a_value_does_not_depend_on_its_neighbours(kind: str) -> None:
    assert math.isnan(at(math.nan, kind, **EXAMPLES[kind]))
    values = np.linspace(-3, 700, 1001)
    one_by_one = [at(value, kind, **EXAMPLES[kind]) for value in values.tolist()]
    assert made(kind, **EXAMPLES[kind])(values).tolist() == one_by_one


@given(st.floats(-50, 50), st.floats(0, 50))
def test_direction(value: float, more: float) -> None:
    for rising in ("sigmoid", "max-gaussian", "linear", "threshold", "step"):
        assert at(value, rising, **EXAMPLES[rising]) <= at(value + more, rising, **EXAMPLES[rising])
    for falling in ("reverse-sigmoid", "min-gaussian"):
        assert at(value, falling, **EXAMPLES[falling]) >= at(value + more, falling, **EXAMPLES[falling])


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("sigmoid", {"low": 8, "high": 5}, "low must be less than high"),
        ("linear", {"low": 1, "high": 1}, "must differ"),
        ("step", {}, "at_least, at_most or both"),
        ("step", {"at_least": 3, "at_most": 2}, "nothing is at least 3 and at most 2"),
        ("gaussian", {"mean": 1, "spread": 0}, "greater than 0"),
        ("gaussian", {"mean": float("inf"), "spread": 1}, "finite"),
        ("threshold", {"at": 0}, "greater than 0"),
        ("gaussian", {"mean": 1, "spread": 1, "sigma": 2}, "Extra inputs"),
    ],
)
def test_what_is_refused(kind: str, fields: dict[str, float], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        made(kind, **fields)
