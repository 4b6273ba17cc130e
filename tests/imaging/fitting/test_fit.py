"""Training as a whole: it learns, repeats itself, goes on after a kill to the same bits, and says what is wrong."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from iatros.core.arrays import pack_arrays
from iatros.core.errors import ConflictError, FitError, RequestError
from iatros.core.progress import Progress, SilentProgress
from iatros.imaging.fitting import Fitted, Settings, TrainingData, fit, network_outputs
from iatros.imaging.fitting.scores import auroc
from iatros.imaging.heads import grade_probabilities
from iatros.imaging.models import MODELS
from iatros.imaging.schema import InputSpec

SPEC = InputSpec("image", 1, (16, 12))
SETTINGS = Settings(
    objective="cross-entropy",
    epochs=4,
    patience=0,
    batch_size=16,
    learning_rate=0.0,
    weight_decay=0.05,
    class_balanced=True,
    label_smoothing=0.05,
    augment=("flip", "shift", "contrast", "noise"),
    ema=0.9,
    seed=7,
    test_time=True,
)


class KilledError(Exception):
    """Stands for the end of the process."""


class Counter(SilentProgress):
    """Counts steps, and ends the training after `most` of them."""

    def __init__(self, most: int = 10**9) -> None:
        self.most, self.done, self.total, self.notes = most, 0, 0, []

    @contextmanager
    def step(self, label: str, total: int | None = None) -> Iterator[Any]:
        self.total = total or 0
        yield self

    def advance(self, count: int = 1) -> None:
        self.done += count
        if self.done >= self.most:
            raise KilledError

    def note(self, message: str) -> None:
        self.notes.append(message)


def spotted(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grey noise (n, 1, 16, 12), a third with a bright spot, and where there is one."""
    random = np.random.default_rng(seed)
    images = random.normal(90, 25, (n, 1, 16, 12))
    y = (random.random(n) < 1 / 3).astype(int)
    for image, has in zip(images, y, strict=True):
        row, column = random.integers(1, 11), random.integers(1, 7)
        if has:
            image[0, row : row + 4, column : column + 4] += 90
    return images.clip(0, 255).astype(np.uint8), y


def data_of(n: int = 110, *, n_tuning: int = 30, **changes: Any) -> TrainingData:
    images, y = spotted(n)
    rows = np.random.default_rng(1).permutation(n)
    return dataclasses.replace(TrainingData(images, y, rows[n_tuning:], rows[:n_tuning]), **changes)


def run(
    data: TrainingData,
    settings: Settings = SETTINGS,
    *,
    model: str = "cnn",
    spec: InputSpec = SPEC,
    n_outputs: int = 2,
    params: dict[str, Any] | None = None,
    weights: Path | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Fitted:
    kind = MODELS.load(model)
    small = {"width": 8, "dense": 16} if model == "cnn" else {"width": 4}
    return fit(
        model,
        kind.Params(**(small if params is None else params)),
        spec,
        n_outputs,
        data,
        settings,
        weights=weights,
        checkpoint=checkpoint,
        progress=progress or Counter(),
        label=model,
    )


def changed(**changes: Any) -> Settings:
    return dataclasses.replace(SETTINGS, **changes)


def assert_same(one: Fitted, other: Fitted) -> None:
    """The same bits in every weight, and the same history but for the time it took."""
    assert one.best_epoch == other.best_epoch
    for (name, value), again in zip(
        one.network.state_dict().items(), other.network.state_dict().values(), strict=True
    ):
        assert torch.equal(value, again), name
    histories = [[{**entry, "seconds": 0.0} for entry in fitted.history] for fitted in (one, other)]
    assert json.dumps(histories[0]) == json.dumps(histories[1])


def test_it_learns_and_tells_how() -> None:
    data = data_of(200, n_tuning=60)
    progress = Counter()
    fitted = run(data, changed(epochs=12), progress=progress)
    new, y = spotted(150, seed=9)
    logits = np.asarray(network_outputs(fitted.network, new, test_time=True)["logits"])
    assert auroc(y == 1, logits[:, 1] - logits[:, 0]) > 0.97
    assert [entry["epoch"] for entry in fitted.history] == list(range(1, 13))
    assert fitted.history[-1]["train_loss"] < fitted.history[0]["train_loss"]
    assert fitted.history[0]["learning_rate"] > fitted.history[-1]["learning_rate"] > 0
    assert progress.done == progress.total == 12 * 9
    assert fitted.threads >= 1
    assert fitted.images_per_second > 0
    assert not fitted.network.training
    # the best epoch is the one with the highest score, among equals the one with the smallest loss
    keys = [(entry["tuning_score"], -entry["tuning_loss"]) for entry in fitted.history]
    assert fitted.best_epoch == keys.index(max(keys)) + 1
    assert fitted.tuning_score == max(keys)[0]
    # and the network that comes back is the one that was scored then
    again = np.asarray(network_outputs(fitted.network, data.inputs[data.tuning], test_time=True)["logits"])
    assert auroc(data.y[data.tuning] == 1, again[:, 1] - again[:, 0]) == pytest.approx(fitted.tuning_score)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    data = data_of()
    state = torch.random.get_rng_state()
    first = run(data)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(3)
    assert_same(first, run(data))
    other = run(data, changed(seed=8))
    assert not torch.equal(first.network.head.weight, other.network.head.weight)


@pytest.mark.parametrize(("model", "steps"), [("cnn", 12), ("resnet", 17), ("resnet", 3)])
def test_a_killed_training_goes_on_to_the_same_bits(model: str, steps: int, tmp_path: Path) -> None:
    data = data_of()
    whole = run(data, model=model)
    with pytest.raises(KilledError):
        run(data, model=model, checkpoint=tmp_path / "c", progress=Counter(steps))
    progress = Counter()
    resumed = run(data, model=model, checkpoint=tmp_path / "c", progress=progress)
    assert_same(whole, resumed)
    assert progress.done == progress.total == 4 * 5
    # one that had ended is not trained again
    assert_same(whole, run(data, model=model, checkpoint=tmp_path / "c"))
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["epoch-4.safetensors", "state.json"]


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    data = data_of()
    run(data, changed(epochs=1), checkpoint=tmp_path)
    with pytest.raises(ConflictError, match="begun with other data or other settings"):
        run(data, changed(epochs=1, label_smoothing=0.1), checkpoint=tmp_path)
    with pytest.raises(ConflictError, match="begun with other data"):
        run(data_of(y=1 - data.y), changed(epochs=1), checkpoint=tmp_path)
    (tmp_path / "epoch-1.safetensors").write_bytes(b"cut off")
    with pytest.raises(ConflictError, match="cannot be read"):
        run(data, changed(epochs=1), checkpoint=tmp_path)


def test_every_setting_changes_the_weights() -> None:
    data = data_of()
    base = changed(epochs=2)
    weight = run(data, base).network.head.weight
    for changes in (
        {"batch_size": 11},
        {"learning_rate": 0.01},
        {"weight_decay": 0.9},
        {"class_balanced": False},
        {"label_smoothing": 0.3},
        {"augment": ("none",)},
        {"ema": 0.0},
        {"objective": "ordinal"},
    ):
        settings = dataclasses.replace(base, **changes)
        other = run(data, settings, n_outputs=1 if settings.objective == "ordinal" else 2)
        assert other.network.head.weight.shape != weight.shape or not torch.equal(
            other.network.head.weight, weight
        ), changes


def test_patience_ends_it_and_without_a_tuning_side_the_last_epoch_is_kept() -> None:
    data = data_of()
    # labels that nothing can be learned about: the score soon stops rising
    shuffled = data_of(y=np.random.default_rng(2).permutation(data.y))
    fitted = run(shuffled, changed(epochs=40, patience=3))
    assert len(fitted.history) == fitted.best_epoch + 3 < 40
    last = run(data_of(tuning=np.array([], dtype=int)), changed(epochs=3))
    assert last.best_epoch == 3
    assert np.isnan(last.tuning_score)


def test_a_quantity_is_answered_in_its_own_unit() -> None:
    random = np.random.default_rng(3)
    level = random.random(160)
    images = (level[:, None, None, None] * 160 + random.normal(40, 10, (160, 1, 16, 12))).clip(0, 255)
    y = 500 + 300 * level
    data = TrainingData(images.astype(np.uint8), y, np.arange(120), np.arange(120, 160))
    settings = changed(objective="squared-error", epochs=25, augment=("flip", "shift"))
    fitted = run(data, settings, n_outputs=1)
    answer = np.asarray(network_outputs(fitted.network, data.inputs[120:])["logits"])[:, 0]
    assert np.corrcoef(answer, y[120:])[0, 1] > 0.97
    assert np.abs(answer - y[120:]).mean() < 30
    best = fitted.history[fitted.best_epoch - 1]
    assert fitted.tuning_score == -best["tuning_loss"]
    assert best["tuning_loss"] == pytest.approx(np.mean((answer - y[120:]) ** 2), rel=0.05)


def test_grades_and_several_labels_are_learned() -> None:
    images, spot = spotted(200)
    images[::2] = 255 - images[::2]
    inverted = (np.arange(200) % 2 == 0).astype(int)
    y = np.column_stack([spot, inverted]).astype(float)
    y[np.random.default_rng(4).random(y.shape) < 0.2] = np.nan
    data = TrainingData(images, y, np.arange(140), np.arange(140, 200))
    several = run(data, changed(objective="binary-cross-entropy", epochs=12))
    assert several.tuning_score > 0.9
    random = np.random.default_rng(6)
    grade = random.choice(3, 200, p=[0.6, 0.3, 0.1])
    images = (random.normal(60, 20, (200, 1, 16, 12)) + 60 * grade[:, None, None, None]).clip(0, 255)
    data = TrainingData(images.astype(np.uint8), grade, np.arange(140), np.arange(140, 200))
    fitted = run(data, changed(objective="ordinal", epochs=12, augment=("flip",)))
    share = grade_probabilities(np.asarray(network_outputs(fitted.network, data.inputs[140:])["logits"]))
    assert (share.argmax(axis=1) == grade[140:]).mean() > 0.95


def test_studies_volumes_and_tables_are_learned_from() -> None:
    random = np.random.default_rng(5)
    y = (np.arange(60) % 3 == 0).astype(int)
    studies = [
        (random.random((random.integers(1, 5), 1, 12, 9)) * 0.3 + 0.5 * has).astype(np.float32) for has in y
    ]
    rows = np.arange(40), np.arange(40, 60)
    settings = changed(epochs=4, augment=("flip", "rotate"))
    sequences = InputSpec("sequence", 1, (12, 9))
    fitted = run(TrainingData(studies, y, *rows), settings, model="cnn-rnn", spec=sequences)
    assert fitted.tuning_score == 1.0
    found = network_outputs(fitted.network, studies[40:])
    assert [len(weights) for weights in found["slice_weights"]] == [len(study) for study in studies[40:]]
    volumes = (random.random((60, 1, 6, 12, 9)) * 0.3 + 0.5 * y[:, None, None, None, None]).astype(np.float32)
    spec = InputSpec("volume", 1, (6, 12, 9))
    fitted = run(TrainingData(volumes, y, *rows), settings, model="resnet", spec=spec)
    assert fitted.tuning_score == 1.0
    assert fitted.precision == "32-true"
    assert_same(fitted, run(TrainingData(volumes, y, *rows), settings, model="resnet", spec=spec))
    table = np.column_stack([y + random.normal(0, 0.2, 60), random.random(60)]).astype(np.float32)
    blank = random.integers(0, 99, (60, 1, 16, 12), dtype=np.uint8)
    fitted = run(TrainingData(blank, y, *rows, table), changed(epochs=12), model="fusion")
    assert fitted.tuning_score > 0.95


def test_it_starts_from_weights_whose_head_differs(tmp_path: Path) -> None:
    data = data_of()
    first = run(data, changed(epochs=12))
    arrays = {name: value.numpy() for name, value in first.network.state_dict().items()}
    path = tmp_path / "first.safetensors"
    path.write_bytes(pack_arrays(arrays))
    progress = Counter()
    once = changed(epochs=1, learning_rate=1e-6)
    second = run(data, once, n_outputs=3, weights=path, progress=progress)
    assert torch.allclose(second.network.encoder[0].weight, first.network.encoder[0].weight, atol=1e-4)
    assert any("the head was drawn anew" in note for note in second.notes)
    assert progress.notes == [f"cnn: {note}" for note in second.notes]
    same = run(data, once, weights=path)
    assert same.tuning_score == pytest.approx(first.tuning_score, abs=0.02)
    assert torch.equal(same.network.mean, first.network.mean)


def test_weights_that_do_not_fit_are_listed(tmp_path: Path) -> None:
    data = data_of(40, n_tuning=10)
    path = tmp_path / "other.safetensors"
    path.write_bytes(pack_arrays({"encoder.0.weight": np.zeros((8, 1, 5, 5), dtype=np.float32)}))
    with pytest.raises(RequestError) as caught:
        run(data, weights=path)
    assert "only 0 of the network's" in str(caught.value)
    assert "encoder.0.weight (8 x 1 x 3 x 3, in the file 8 x 1 x 5 x 5)" in str(caught.value)
    assert "neck.3.bias (16)" in str(caught.value)
    path.write_bytes(b"\x80\x04pickled")
    with pytest.raises(RequestError, match=r"other\.safetensors is not a \.safetensors file"):
        run(data, weights=path)
    with pytest.raises(RequestError, match="cannot be read"):
        run(data, weights=tmp_path / "absent.safetensors")


def test_what_cannot_be_trained_is_refused() -> None:
    data = data_of(40, n_tuning=10)
    with pytest.raises(RequestError, match="cnn-rnn takes series of slices, and these are single images"):
        run(data, model="cnn-rnn")
    with pytest.raises(RequestError, match="patient table"):
        run(data, model="fusion")
    with pytest.raises(FitError, match="at least two training images"):
        run(data_of(40, train=np.array([3])))
    with pytest.raises(FitError, match="the same value"):
        run(data_of(40, y=np.full(40, 2.5)), changed(objective="squared-error"), n_outputs=1)
    broken = np.where(np.arange(40)[:, None, None, None] == data.train[4], np.nan, 0.5)
    broken = np.broadcast_to(broken, (40, 1, 16, 12)).astype(np.float32)
    with pytest.raises(FitError, match="no longer a number in epoch 1"):
        run(data_of(40, n_tuning=10, inputs=broken), changed(augment=("none",)))


def test_answers_are_those_of_the_network_in_full_precision() -> None:
    images, _ = spotted(9)
    kind = MODELS.load("resnet")
    network = kind.build(kind.Params(width=4), SPEC, 2).train()
    found = network_outputs(network, images, batch_size=4)
    assert network.training
    scaled = torch.from_numpy(images / np.float32(255))
    with torch.no_grad():
        parts = network.eval().parts(scaled)
        mirrored = network.parts(scaled.flip(-1))
    np.testing.assert_allclose(found["logits"], parts["logits"], atol=1e-6)
    np.testing.assert_allclose(found["features"], parts["features"], atol=1e-6)
    both = network_outputs(network, scaled.numpy(), test_time=True)
    np.testing.assert_allclose(both["logits"], (parts["logits"] + mirrored["logits"]) / 2, atol=1e-6)
    np.testing.assert_allclose(both["features"], parts["features"], atol=1e-6)
