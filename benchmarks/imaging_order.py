"""Does a recurrent network over slices help where their order tells, and only there? Measured on four tasks.

The structures of the simulated series are plain to see, so that what is measured is order and not reading. Where
they are hard to see (brightness .22 to .40 instead of .28 to .50), or stand in one or two slices of many, attention
also helps without any order: there the mean drowns the few slices that count.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from iatros.core.intervals import delong, delong_paired
from iatros.core.progress import SilentProgress
from iatros.imaging.fitting import Settings, TrainingData, fit, network_outputs
from iatros.imaging.inputs import resize_plane
from iatros.imaging.models import MODELS
from iatros.imaging.schema import InputSpec
from iatros.imaging.simulation import content_task, order_task, simulate_volumes

FOLDS = 5
_SIMULATED_SIZE = 24
_HIPPOCAMPUS_SIZE = 32
_KINDS: dict[str, dict[str, Any]] = {
    "cnn_rnn": {"cell": "gru", "pooling": "attention"},
    "mean": {"cell": "none", "pooling": "mean"},
}
"""The network that is claimed to help, and the same encoder with the mean over the slices."""


@dataclass(frozen=True)
class Task:
    """Studies with labels, and who is asked about whom."""

    data: str
    order_matters: bool
    size: int
    studies: list[np.ndarray]
    y: np.ndarray
    folds: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    """Rows of train, tuning and test; a study is tested once at most."""
    epochs: int


def order_experiment(only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Test AUROC of both networks on each task, and the paired difference with its interval (DeLong 1988).

    Networks differ in nothing but the cell and the pooling; epochs are chosen on the tuning side of each.
    """
    makers = {
        "simulated series, order tells": lambda: simulated(True),
        "simulated series, order says nothing": lambda: simulated(False),
        "hippocampus, front to back or back to front": lambda: hippocampus(True),
        "hippocampus, upright or upside down": lambda: hippocampus(False),
    }
    return {"tasks": {name: judged(make()) for name, make in makers.items() if not only or name in only}}


def judged(task: Task) -> dict[str, Any]:
    """Both networks on `task`: AUROC of each, difference, seconds."""
    tested = np.concatenate([test for _, _, test in task.folds])
    y = task.y[tested]
    scores, seconds = {}, {}
    for name, params in _KINDS.items():
        start = time.perf_counter()
        scores[name] = np.concatenate([_scores(task, params, *fold) for fold in task.folds])
        seconds[name] = round(time.perf_counter() - start, 1)
    difference, low, high, p_value = delong_paired(y, scores["cnn_rnn"], scores["mean"])
    aurocs = {
        name: dict(zip(("value", "low", "high"), delong(y, score), strict=True))
        for name, score in scores.items()
    }
    return {
        "data": task.data,
        "order_matters": task.order_matters,
        "n": len(y),
        "n_events": int(y.sum()),
        **aurocs,
        "difference": {"value": difference, "low": low, "high": high, "p_value": p_value},
        "seconds": seconds,
    }


def _scores(
    task: Task, params: dict[str, Any], train: np.ndarray, tuning: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Log-odds of label 1 among the studies `test`, less their median: folds have networks of their own."""
    model = MODELS.load("cnn-rnn")
    settings = Settings(
        objective="cross-entropy", epochs=task.epochs, patience=0, batch_size=32, learning_rate=0.0,
        weight_decay=0.05, class_balanced=True, label_smoothing=0.05, augment=("shift", "contrast", "noise"),
        ema=0.95, seed=0, test_time=False,
    )  # fmt: skip
    fitted = fit(
        "cnn-rnn",
        model.Params(width=8, units=32, stem="half", **params),
        InputSpec("sequence", 1, (task.size, task.size)),
        2,
        TrainingData(task.studies, task.y, train, tuning),
        settings,
        weights=None,
        checkpoint=None,
        progress=SilentProgress(),
        label="order",
    )
    logits = np.asarray(network_outputs(fitted.network, [task.studies[row] for row in test])["logits"])
    odds = logits[:, 1] - logits[:, 0]
    return np.asarray(odds - np.median(odds))


def simulated(order_matters: bool, n: int = 1100) -> Task:
    """A ring and a disc in series of 7 to 13 slices: which comes first, or of which there are more."""
    found = simulate_volumes(n, order_matters, seed=2026, size=_SIMULATED_SIZE)
    rows = np.arange(n)
    return Task(
        data=f"{n} simulated series",
        order_matters=order_matters,
        size=_SIMULATED_SIZE,
        studies=[volume[:, None].astype(np.float32) / 255 for volume in found.volumes],
        y=found.labels,
        folds=[(rows[: n - 500], rows[n - 500 : n - 400], rows[n - 400 :])],
        epochs=30,
    )


def hippocampus(order_matters: bool) -> Task:
    """Sixty real volumes in coronal slices: turned end to end or not, or each slice upside down or not.

    Every volume is tested once, in the form that `order_task` or `content_task` gave it, by a network that saw
    neither form of it; training sees both forms of its own volumes.
    """
    volumes = _coronal(data.hippocampus())
    n = len(volumes)
    make = order_task if order_matters else content_task
    studies, labels = make(volumes, seed=2026)
    # training sees both forms of its volumes; they stand behind the ones that are tested
    both = _both_forms(volumes, order_matters)
    fold = np.random.default_rng(2026).permutation(n) % FOLDS
    folds = []
    for held in range(FOLDS):
        tuning, test = (np.flatnonzero(fold == k) for k in ((held + 1) % FOLDS, held))
        train = np.flatnonzero((fold != held) & (fold != (held + 1) % FOLDS))
        folds.append((_forms(train, n), _forms(tuning, n), test))
    return Task(
        data=f"{n} volumes of the Decathlon's hippocampus, {FOLDS} folds",
        order_matters=order_matters,
        size=_HIPPOCAMPUS_SIZE,
        studies=[np.ascontiguousarray(study[:, None]) for study in (*studies, *both)],
        y=np.concatenate([labels, np.tile([0, 1], n)]),
        folds=folds,
        epochs=25,
    )


def _both_forms(volumes: list[np.ndarray], order_matters: bool) -> list[np.ndarray]:
    """Each volume with label 0 and then with label 1; where order says nothing, either way round."""
    if order_matters:
        return [form for volume in volumes for form in (volume, volume[::-1])]
    turned = np.random.default_rng(2027).random((len(volumes), 2)) < 0.5
    return [
        form[::-1] if turn else form
        for volume, turns in zip(volumes, turned, strict=True)
        for form, turn in zip((volume, volume[:, ::-1]), turns, strict=True)
    ]


def _forms(volumes: np.ndarray, n: int) -> np.ndarray:
    """Rows of both forms of `volumes` among the studies."""
    return np.sort(np.concatenate([n + 2 * volumes, n + 2 * volumes + 1]))


def _coronal(folder: Path) -> list[np.ndarray]:
    """Every second coronal slice of each volume, back to front, float32 (slices, size, size) from 0 to 1."""
    import nibabel

    made = []
    for path in sorted(folder.rglob("imagesTr/*.nii.gz")) or sorted(folder.rglob("*.nii.gz")):
        values = np.asarray(nibabel.as_closest_canonical(nibabel.load(path)).dataobj, dtype=np.float32)
        # axes are right, front and up; a slice has its top row first
        slices = values.transpose(1, 2, 0)[::2, ::-1]
        low, high = np.percentile(slices, [1, 99.5])
        grey = np.clip((slices - low) / max(float(high - low), 1e-6), 0.0, 1.0)
        made.append(resize_plane(grey, _HIPPOCAMPUS_SIZE, _HIPPOCAMPUS_SIZE))
    return made
