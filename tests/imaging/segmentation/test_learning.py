"""Training: it learns, it is the same every time, and it goes on where it was interrupted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from iatros.core.arrays import pack_arrays  # noqa: E402
from iatros.core.errors import ConflictError, FitError  # noqa: E402
from iatros.core.progress import SilentProgress  # noqa: E402
from iatros.imaging.models.unet import UNetParams  # noqa: E402
from iatros.imaging.segmentation import learning  # noqa: E402
from iatros.imaging.segmentation.learning import (  # noqa: E402
    Learned,
    Prepared,
    Settings,
    automatic_batch,
    learn,
    mean_dice,
)
from iatros.imaging.segmentation.plan import Plan  # noqa: E402

PLAN = Plan("image", 1, ("disc", "bar"), None, (24, 16), "image")
PARAMS = UNetParams(channels=(6, 8, 10))
SETTINGS = Settings(
    epochs=12,
    patience=0,
    batch_size=4,
    learning_rate=0.02,
    weight_decay=0.0,
    ema=0.9,
    augment=("shift", "noise"),
    flip_axis=None,
    seed=3,
)


def drawings(n: int = 20) -> Prepared:
    """Bright discs (1) and dark bars (2) in noise, of sizes that vary."""
    rng = np.random.default_rng(0)
    values, masks = [], []
    for _ in range(n):
        rows, columns = np.indices((26, 18))
        mask = np.zeros((26, 18), np.uint8)
        mask[rng.integers(15, 22) :][:3, 3:14] = 2
        mask[np.hypot(rows - rng.integers(5, 10), columns - rng.integers(5, 12)) < 4.2] = 1
        image = 2.0 * (mask == 1) - 2.0 * (mask == 2) + rng.normal(0, 0.3, mask.shape)
        values.append(((image - image.mean()) / image.std()).astype(np.float32)[None])
        masks.append(mask)
    return Prepared(values, masks, np.arange(0, n - 4), np.arange(n - 4, n))


def train(settings: Settings = SETTINGS, checkpoint: Path | None = None, **changes: object) -> Learned:
    given = {"weights": None, "checkpoint": checkpoint, "progress": SilentProgress(), "label": "network"}
    return learn(PLAN, PARAMS, drawings(), settings, **{**given, **changes})  # type: ignore[arg-type]


def weights_of(found: Learned) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in found.network.state_dict().items()}


@pytest.fixture(scope="module")
def trained() -> Learned:
    return train()


def test_discs_and_bars_are_learned(trained: Learned) -> None:
    assert trained.tuning_dice > 0.9
    assert trained.history[0]["train_loss"] > 2 * trained.history[-1]["train_loss"]
    assert [epoch["epoch"] for epoch in trained.history] == list(range(1, 13))
    best = trained.history[trained.best_epoch - 1]["tuning_dice"]
    assert best == max(epoch["tuning_dice"] for epoch in trained.history) == trained.tuning_dice
    assert not trained.network.training


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(trained: Learned) -> None:
    again, other = train(), train(replace(SETTINGS, seed=4))
    assert all((weights_of(again)[name] == value).all() for name, value in weights_of(trained).items())
    assert any((weights_of(other)[name] != value).any() for name, value in weights_of(trained).items())


def test_an_interrupted_training_goes_on_to_the_same_weights(
    trained: Learned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = learning._Training._epoch

    def interrupted(self: learning._Training, epoch: int, step: object) -> None:
        if epoch == 5:
            raise KeyboardInterrupt
        whole(self, epoch, step)  # type: ignore[arg-type]

    monkeypatch.setattr(learning._Training, "_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(checkpoint=tmp_path / "kept")
    monkeypatch.undo()
    assert {path.suffix for path in (tmp_path / "kept").iterdir()} == {".json", ".safetensors"}
    resumed = train(checkpoint=tmp_path / "kept")
    assert all((weights_of(resumed)[name] == value).all() for name, value in weights_of(trained).items())
    assert resumed.best_epoch == trained.best_epoch
    with pytest.raises(ConflictError, match="other data or other settings"):
        train(replace(SETTINGS, learning_rate=0.01), checkpoint=tmp_path / "kept")


def test_every_setting_changes_the_weights(trained: Learned) -> None:
    short = replace(SETTINGS, epochs=2)
    first = weights_of(train(short))
    for change in (
        {"batch_size": 8},
        {"learning_rate": 0.01},
        {"weight_decay": 0.3},
        {"ema": 0.0},
        {"augment": ()},
        {"augment": ("shift", "noise", "flip"), "flip_axis": 1},
    ):
        other = weights_of(train(replace(short, **change)))
        assert any((other[name] != value).any() for name, value in first.items()), change


def test_patience_stops_and_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.7, 0.6, 0.65, 0.9, 0.95, 0.96, 0.97])
    monkeypatch.setattr(learning._Training, "_judge", lambda self: next(scores))
    found = train(replace(SETTINGS, patience=2))
    assert len(found.history) == 4
    assert found.best_epoch == 2
    assert found.tuning_dice == 0.7


def test_weights_of_another_training_are_started_from(trained: Learned, tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(pack_arrays(weights_of(trained)))
    found = train(
        replace(SETTINGS, epochs=1, learning_rate=1e-6, ema=0.0), weights=tmp_path / "w.safetensors"
    )
    assert found.tuning_dice > 0.9


def test_a_loss_that_is_no_number_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning.Learner, "step", lambda *given: float("nan"))
    with pytest.raises(FitError, match="no longer a number in epoch 1"):
        train()


def test_mean_dice_leaves_out_what_is_neither_there_nor_found() -> None:
    true = [np.array([0, 1, 1, 2]), np.array([0, 1, 0, 0])]
    predicted = [np.array([0, 1, 0, 2]), np.array([0, 1, 0, 0])]
    assert mean_dice(predicted, true, 3) == pytest.approx(((2 / 3 + 1) / 2 + 1) / 2)
    assert np.isnan(mean_dice([true[0] * 0], [true[0] * 0], 2))


def test_steps_take_about_as_many_voxels_whatever_the_patch_but_an_epoch_has_enough_of_them() -> None:
    assert automatic_batch((40, 56, 40), 48) == 2
    assert automatic_batch((96, 128, 128), 1000) == 2
    assert automatic_batch((64, 64), 1000) == 32
    assert automatic_batch((160, 160), 1000) == 7
    assert automatic_batch((64, 64), 100) == 6
    assert automatic_batch((64, 64), 20) == 2
