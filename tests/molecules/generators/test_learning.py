"""The loop: buckets, the rate, shards, time, and a kill after which the result is exactly the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.molecules.generators.small import KilledError, Killing, training

from iatros.molecules.generators.training import learning
from iatros.molecules.generators.training.learning import Schedule, batches_of, learn

torch = pytest.importorskip("torch")

X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
Y = (X @ np.array([[1.0], [-2.0], [0.5]])).astype(np.float32)
LENGTHS = np.arange(50) % 7


def fitted(
    schedule: Schedule, means: Any = None, *, seed: int = 0, noise: float = 0.1
) -> tuple[dict[str, np.ndarray], list[dict[str, float]]]:
    """Weights and history of a small regression whose loss draws from the generator."""
    torch.manual_seed(4)
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))

    def loss(rows: np.ndarray, rng: np.random.Generator) -> Any:
        moved = X[rows] + noise * rng.normal(size=(len(rows), 3)).astype(np.float32)
        return ((network(torch.from_numpy(moved)) - torch.from_numpy(Y[rows])) ** 2).mean()

    def tuning_loss() -> float:
        return float(((network(torch.from_numpy(X)) - torch.from_numpy(Y)) ** 2).mean())

    history = learn(
        network, np.arange(50), LENGTHS, loss, tuning_loss, schedule, means or training(), seed=seed
    )
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}, history


def equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=400),
    batch_size=st.integers(2, 9),
    epoch=st.integers(0, 5),
)
def test_batches_hold_each_row_once(lengths: list[int], batch_size: int, epoch: int) -> None:
    batches = batches_of(np.array(lengths), batch_size, seed=1, epoch=epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert max(map(len, batches)) <= batch_size


def test_batches_are_of_like_lengths_and_differ_by_epoch() -> None:
    lengths = np.random.default_rng(0).integers(10, 60, size=4000)
    first, second = (batches_of(lengths, 32, seed=1, epoch=epoch) for epoch in (0, 1))
    assert np.mean([np.ptp(lengths[batch]) for batch in first]) < 3
    assert [batch.tolist() for batch in first] != [batch.tolist() for batch in second]
    assert np.corrcoef(np.arange(len(first)), [lengths[batch].mean() for batch in first])[0, 1] < 0.3


def test_the_rate_rises_and_falls_to_nothing() -> None:
    rates = [Schedule(1, 2, 1.0).rate(share) for share in (0.0, 0.01, 0.02, 0.51, 1.0)]
    np.testing.assert_allclose(rates, [0.02, 0.5, 1.0, 0.5, 0.0], atol=1e-12)


def test_it_learns_and_tells_of_each_epoch() -> None:
    _, history = fitted(Schedule(40, 8, 0.02), noise=0.0)
    assert [one["epoch"] for one in history] == list(range(1, 41))
    assert history[-1]["tuning_loss"] < 0.05 * history[0]["tuning_loss"]


def test_shards_give_the_gradient_of_the_whole() -> None:
    one, _ = fitted(Schedule(1, 50, 0.01), noise=0.0)
    two, _ = fitted(Schedule(1, 50, 0.01, shards=2), noise=0.0)
    assert all(np.allclose(one[name], two[name], atol=1e-6) for name in one)


def test_shards_are_the_same_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone, _ = fitted(Schedule(3, 8, 0.02, shards=3))
    monkeypatch.setattr(learning, "fit_threads", lambda: 3)
    before = torch.get_num_threads()
    assert equal(alone, fitted(Schedule(3, 8, 0.02, shards=3))[0])
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("after", [1, 9, 14, 15])
def test_a_killed_training_goes_on_to_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int, after: int
) -> None:
    schedule = Schedule(3, 8, 0.02, 1e-3, shards=shards)
    whole, history = fitted(schedule)
    monkeypatch.setattr(learning, "_BETWEEN_CHECKPOINTS", -1.0)
    with pytest.raises(KilledError):
        fitted(schedule, training(tmp_path, Killing("learning", after)))
    weights, again = fitted(schedule, training(tmp_path))
    assert equal(whole, weights)
    assert again == history


def test_a_kill_between_an_epoch_and_its_losses_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = Schedule(3, 8, 0.02, told_every=3)
    whole, history = fitted(schedule)
    assert [one["epoch"] for one in history[:4]] == [3 / 7, 6 / 7, 1.0, 10 / 7]
    monkeypatch.setattr(learning, "_BETWEEN_CHECKPOINTS", -1.0)
    with monkeypatch.context() as patch:
        patch.setattr(learning._State, "tell", _killed_at(7))
        with pytest.raises(KilledError):
            fitted(schedule, training(tmp_path))
    weights, again = fitted(schedule, training(tmp_path))
    assert equal(whole, weights)
    assert again == history


def _killed_at(step: int) -> Any:
    tell = learning._State.tell

    def killed(self: Any, tuning_loss: Any) -> None:
        if self.step == step:
            raise KilledError
        tell(self, tuning_loss)

    return killed


def test_what_is_finished_is_not_learned_again(tmp_path: Path) -> None:
    first, history = fitted(Schedule(2, 8, 0.02), training(tmp_path))
    second, again = fitted(Schedule(2, 8, 0.02), training(tmp_path, Killing("learning", 15)))
    assert equal(first, second)
    assert again == history


def test_time_ends_a_training(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(np.arange(0.0, 1000.0, 0.5))
    monkeypatch.setattr(learning.time, "monotonic", lambda: float(next(clock)))
    means = learning.Training(training().checkpoint, training().progress, seconds=10.0)
    _, history = fitted(Schedule(1000, 8, 0.02), means)
    assert 1 <= len(history) <= 4


def test_another_seed_is_another_training() -> None:
    assert not equal(fitted(Schedule(1, 8, 0.02), seed=1)[0], fitted(Schedule(1, 8, 0.02), seed=2)[0])
