"""One fit of one model on some rows, as a task that any engine can run and a checkpoint can keep."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.splits import task_seed
from iatros.learners.tabular.predictor import load_predictor, save_checked
from iatros.risk.models import MODELS
from iatros.risk.study import Study


@dataclass(frozen=True)
class FitTask:
    """Fit `model` on `fit_rows` and predict `predict_rows`; `key` names the task in a checkpoint and seeds it."""

    key: str
    model: str
    params: Any
    fit_rows: np.ndarray
    predict_rows: np.ndarray
    seed: int
    keep: bool = False
    """Whether the fitted model itself is wanted, not only its predictions."""


@dataclass(frozen=True)
class FitAnswer:
    """Raw predictions on the learning scale; the stored model where it was to be kept."""

    prediction: np.ndarray
    seconds: float
    notes: dict[str, Any]
    document: dict[str, Any] | None = None
    files: dict[str, bytes] | None = None

    def predictor(self) -> Any:
        """The kept model, read back from its stored form."""
        assert self.document is not None, "the task was not asked to keep its model"
        assert self.files is not None
        return load_predictor(self.document, self.files.__getitem__)


def run_fits(
    study: Study, tasks: Sequence[FitTask], context: Context, checkpoint: Checkpoint, label: str
) -> list[FitAnswer]:
    """Answers in the order of `tasks`; those that the checkpoint holds are not computed again."""
    answers: dict[str, FitAnswer] = {}
    for task in tasks:
        stored = checkpoint.get(task.key)
        if stored is not None:
            answers[task.key] = _unpack(stored)
    open_tasks = [task for task in tasks if task.key not in answers]
    if open_tasks:
        fresh = context.engine.map(
            _fit, open_tasks, (study, checkpoint), progress=context.progress, label=label
        )
        answers |= {task.key: answer for task, answer in zip(open_tasks, fresh, strict=True)}
    return [answers[task.key] for task in tasks]


def _fit(shared: tuple[Study, Checkpoint], task: FitTask) -> FitAnswer:
    study, checkpoint = shared
    started = time.perf_counter()
    estimator = MODELS.load(task.model)(task.params)
    fitted = estimator.fit(
        study.features.take(task.fit_rows),
        study.learned[task.fit_rows],
        study.target,
        groups=study.groups[task.fit_rows],
        seed=task_seed(task.seed, task.key),
    )
    prediction = fitted.predictor.predict(study.features.take(task.predict_rows).frame)
    document, files = None, None
    if task.keep:
        document, files = save_checked(fitted.predictor, study.features.take(task.fit_rows).frame)
    answer = FitAnswer(prediction, time.perf_counter() - started, fitted.notes, document, files)
    checkpoint.put(task.key, _pack(answer))
    return answer


def _pack(answer: FitAnswer) -> dict[str, np.ndarray]:
    meta = {"seconds": answer.seconds, "notes": answer.notes, "document": answer.document}
    arrays = {"prediction": answer.prediction, "meta": _bytes(json.dumps(meta).encode())}
    for name, content in (answer.files or {}).items():
        arrays[f"file:{name}"] = _bytes(content)
    return arrays


def _unpack(arrays: dict[str, np.ndarray]) -> FitAnswer:
    meta = json.loads(arrays["meta"].tobytes())
    files = {key[5:]: value.tobytes() for key, value in arrays.items() if key.startswith("file:")}
    return FitAnswer(arrays["prediction"], meta["seconds"], meta["notes"], meta["document"], files or None)


def _bytes(content: bytes) -> np.ndarray:
    return np.frombuffer(content, dtype=np.uint8)
