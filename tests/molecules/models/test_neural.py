"""The loss by hand, and the step size against chemprop's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.assay import Assay
from iatros.molecules.models.neural import Course, answers, epochs_for, outcome_of

NAN = float("nan")


def assay_of(y: Any, task: Any, bound: Any = None) -> Assay:
    values = np.array(y, dtype=np.float64)
    classes = ("no", "yes") if task == "binary" else ()
    endpoints = tuple(Target(f"e{column}", task, classes) for column in range(values.shape[1]))
    bounds = np.zeros(values.shape, np.int8) if bound is None else np.array(bound, np.int8)
    return Assay(Compounds(["C"] * len(values)), values, bounds, endpoints, np.arange(len(values)))


def test_squared_error_by_hand() -> None:
    import torch

    # mean 6 and deviation 2 of the first endpoint, 0 and 10 of the second
    outcome = outcome_of(assay_of([[4.0, 10.0], [8.0, NAN], [NAN, -10.0]], "continuous"))
    np.testing.assert_allclose(outcome.labels.numpy(), [[-1, 1], [1, 0], [0, -1]], atol=1e-7)
    output = torch.tensor([[0.0, 1.0], [3.0, 99.0], [99.0, 1.0]])
    # errors 1, 0, 2 and 2 of four values: what was not measured costs nothing
    assert outcome.loss(output, torch.arange(3)).item() == pytest.approx((1 + 0 + 4 + 4) / 4)
    assert outcome.loss(output[1:2], torch.tensor([1])).item() == pytest.approx(4.0)
    twice = torch.stack([output, outcome.labels], dim=1)  # a second answer, which is right
    assert outcome.loss(twice, torch.arange(3)).item() == pytest.approx((1 + 0 + 4 + 4) / 8)
    found = answers(outcome.labels.numpy(), binary=False, centre=outcome.centre, spread=outcome.spread)
    np.testing.assert_allclose(found[0], [4.0, 10.0])
    np.testing.assert_allclose(outcome.start, 0.0, atol=1e-7)


def test_cross_entropy_by_hand() -> None:
    import torch

    outcome = outcome_of(assay_of([[1.0, 0.0], [0.0, NAN], [1.0, 1.0], [1.0, NAN]], "binary"))
    output = torch.tensor([[0.0, 2.0], [0.0, 50.0], [0.0, 2.0], [0.0, 50.0]])
    by_hand = (4 * np.log(2.0) + np.log1p(np.exp(2.0)) + np.log1p(np.exp(-2.0))) / 6
    assert outcome.loss(output, torch.arange(4)).item() == pytest.approx(by_hand)
    np.testing.assert_allclose(outcome.start, [np.log(3.0), 0.0], atol=1e-6)
    found = answers(np.array([[0.0, np.log(3.0)]]), binary=True, centre=np.zeros(2), spread=np.ones(2))
    np.testing.assert_allclose(found, [[0.5, 0.75]])


def test_a_bound_costs_nothing_on_its_own_side() -> None:
    import torch

    # standardised: -1, 1; then known to lie above -1 and below 1
    y, bound = [[4.0], [8.0], [4.0], [8.0]], [[0], [0], [1], [-1]]
    outcome = outcome_of(assay_of(y, "continuous", bound))

    def cost(*output: float) -> float:
        return float(outcome.loss(torch.tensor([output]).T, torch.arange(4)))

    assert cost(-1.0, 1.0, 7.0, -7.0) == pytest.approx(0.0)
    assert cost(-1.0, 1.0, -3.0, -7.0) == pytest.approx(4.0 / 4)
    assert cost(-1.0, 1.0, 7.0, 4.0) == pytest.approx(9.0 / 4)


def test_the_step_size_is_that_of_chemprop() -> None:
    schedulers = pytest.importorskip("chemprop.schedulers")
    import torch

    epochs, steps = 7, 5
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-4)
    theirs = schedulers.build_NoamLike_LRSched(optimiser, 2 * steps, 5 * steps, 1e-4, 1e-3, 1e-4)
    course = Course(epochs, 64, 1e-3)
    for step in range(epochs * steps):
        assert 1e-3 * course.rate(step, steps) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimiser.step()
        theirs.step()


def test_a_course_shorter_than_its_warm_up_only_rises() -> None:
    rates = [Course(1, 64, 1e-3).rate(step, 4) for step in range(4)]
    np.testing.assert_allclose(rates, [0.1, 0.325, 0.55, 0.775])


def test_large_assays_are_shown_fewer_times() -> None:
    assert [epochs_for(n, None, 50) for n in (1, 10_000, 20_000, 10**6)] == [50, 50, 25, 10]
    assert epochs_for(10**6, 80, 50) == 80
