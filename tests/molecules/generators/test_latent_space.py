"""Ways through a latent space."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.molecules.generators.latent.space import path_between


@given(st.integers(0, 2**31), st.integers(2, 9), st.sampled_from(["spherical", "linear"]))
def test_a_path_ends_at_its_ends(seed: int, steps: int, path: str) -> None:
    a, b = np.random.default_rng(seed).standard_normal((2, 16))
    points = path_between(a, b, steps, path)  # type: ignore[arg-type]
    assert points.shape == (steps, 16)
    np.testing.assert_allclose(points[0], a, atol=1e-12)
    np.testing.assert_allclose(points[-1], b, atol=1e-12)


def test_a_spherical_path_keeps_its_length_and_turns_evenly() -> None:
    a, b = np.array([3.0, 0.0, 0.0]), np.array([0.0, 0.0, 3.0])
    points = path_between(a, b, 4)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 3.0)
    np.testing.assert_allclose(np.degrees(np.arccos(points @ a / 9.0)), [0, 30, 60, 90], atol=1e-6)


def test_a_linear_path_is_even() -> None:
    points = path_between(np.array([0.0, 2.0]), np.array([4.0, 0.0]), 3, "linear")
    assert points.tolist() == [[0.0, 2.0], [2.0, 1.0], [4.0, 0.0]]


@pytest.mark.parametrize("b", [[2.0, 2.0], [-1.0, -1.0], [0.0, 0.0]])
def test_where_there_is_no_angle_the_path_is_linear(b: list[float]) -> None:
    points = path_between(np.array([1.0, 1.0]), np.array(b), 3)
    np.testing.assert_allclose(points[1], (np.array([1.0, 1.0]) + b) / 2)


def test_a_path_has_two_ends() -> None:
    with pytest.raises(InputError, match="got 1 steps"):
        path_between(np.zeros(2), np.ones(2), 1)
