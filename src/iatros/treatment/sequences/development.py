"""The whole procedure on some subjects: vocabulary, covariates, fit, threshold, promise; and judging it on others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.errors import FitError
from iatros.core.splits import task_seed
from iatros.treatment.sequences.bundle import SequenceModel
from iatros.treatment.sequences.control import fit_control
from iatros.treatment.sequences.estimator import Learning, make_estimator
from iatros.treatment.sequences.evaluation import Judged
from iatros.treatment.sequences.settings import SequenceSettings
from iatros.treatment.sequences.splits import Sides
from iatros.treatment.sequences.study import Study
from iatros.treatment.sequences.vocabulary import Encoded, fit_vocabulary


@dataclass(frozen=True)
class Developed:
    """A fitted model, its notes, and the mean Jaccard index of its sets on the tuning side."""

    model: SequenceModel
    notes: dict[str, Any]
    tuning_jaccard: float


@dataclass(frozen=True)
class Answers:
    """What one model says of held-out visits: `probability` and `spread` (n, m) of its own medications."""

    medications: tuple[str, ...]
    probability: np.ndarray
    spread: np.ndarray
    chosen: np.ndarray
    controlled: np.ndarray


@dataclass(frozen=True)
class Part:
    """A model developed on some sides, and its answers for the held-out one, None where there is none."""

    developed: Developed
    answers: Answers | None


def develop(
    study: Study, sides: Sides, name: str, params: dict[str, Any], settings: SequenceSettings
) -> Developed:
    """The model called `name`, learned on train, stopped and cut on tuning, its promise learned on calibration."""
    histories = study.histories
    learned = np.zeros(histories.n_visits, dtype=bool)
    subjects = np.unique(histories.owner[sides.train])
    learned[sides.train] = True
    vocabulary = fit_vocabulary(histories, learned, min_subjects=settings.min_subjects, known=settings.known)
    reader = study.reader(subjects)
    encoded = vocabulary.encode(histories, study.static(reader))
    pairs = None
    if study.interactions is not None:
        pairs = study.interactions.matrix(vocabulary.medications)
    predictor, notes = make_estimator(name, params).fit(
        Learning(encoded, sides.train, sides.tuning, pairs), seed=task_seed(settings.seed, name)
    )
    probability = _mean(predictor.each(encoded, sides.calibration), name)
    control = fit_control(
        probability, encoded.targets(sides.calibration), histories.owner[sides.calibration],
        missed=settings.missed, certainty=settings.certainty,
    )  # fmt: skip
    tuned = predictor.each(encoded, sides.tuning).mean(axis=0) >= predictor.threshold
    truth = encoded.targets(sides.tuning)
    score = float(np.mean((tuned & truth).sum(axis=1) / np.maximum((tuned | truth).sum(axis=1), 1)))
    model = SequenceModel(vocabulary, predictor, control, reader, _support(encoded, sides.train))
    return Developed(model, notes, score)


def judge_all(
    study: Study, judged: Sequence[Sides], final: Sides, models: dict[str, dict[str, Any]], kept_from: Sequence[str],
    settings: SequenceSettings, context: Context,
) -> tuple[dict[str, Judged], str, Developed]:  # fmt: skip
    """Every model on every held-out side; of those in `kept_from` the best by tuning sides, developed on `final`."""
    tasks = [(name, number) for name in models for number in range(len(judged))]
    store = Checkpoint(context.checkpoint)
    open_tasks = [task for task in tasks if store.get(_key(*task)) is None]
    found = context.engine.map(
        _run,
        open_tasks,
        (study, tuple(judged), models, settings),
        progress=context.progress,
        label="models on sides",
    )
    parts = dict(zip(open_tasks, found, strict=True))
    for task, part in parts.items():
        store.put(_key(*task), _packed(part))
    for task in tasks:
        if task not in parts:
            kept = store.get(_key(*task))
            assert kept is not None
            parts[task] = _unpacked(kept)
    rows = {name: [parts[name, number] for number in range(len(judged))] for name in models}
    scores = {
        name: float(np.mean([part.developed.tuning_jaccard for part in rows[name]])) for name in kept_from
    }
    best = max(scores, key=lambda name: scores[name])
    together = {name: join(study, judged, [part.answers for part in of]) for name, of in rows.items()}
    if len(judged) == 1 and judged[0] is final:
        return together, best, rows[best][0].developed
    with context.progress.step(f"{best}: all subjects"):
        return together, best, develop(study, final, best, models[best], settings)


def answer(study: Study, model: SequenceModel, rows: np.ndarray, name: str = "the model") -> Answers:
    """What a model says of the visits at `rows`."""
    each = model.predictor.each(model.encode(study.histories, study.static(model.reader)), rows)
    probability = _mean(each, name)
    return Answers(
        model.vocabulary.medications, probability, each.std(axis=0),
        probability >= model.predictor.threshold, model.control.sets(probability),
    )  # fmt: skip


def join(study: Study, sides: Sequence[Sides], found: Sequence[Answers | None]) -> Judged:
    """The answers of all sides over the medications that any of the models knew, by rising visit."""
    return joined(study, [side.held_out for side in sides], [one for one in found if one is not None])


def joined(study: Study, rows: Sequence[np.ndarray], found: Sequence[Answers]) -> Judged:
    """As `join`, from the visits of each part."""
    histories = study.histories
    medications = tuple(sorted({name for one in found for name in one.medications}))
    every = np.concatenate(rows)
    shape = (len(every), len(medications))
    probability, spread = np.zeros(shape), np.zeros(shape)
    chosen, controlled, known = (np.zeros(shape, dtype=bool) for _ in range(3))
    place = {name: k for k, name in enumerate(medications)}
    at = 0
    for own, one in zip(rows, found, strict=True):
        block = np.ix_(
            np.arange(at, at + len(own)), np.array([place[name] for name in one.medications], dtype=np.int64)
        )
        probability[block], spread[block], chosen[block] = one.probability, one.spread, one.chosen
        controlled[block], known[block] = one.controlled, True
        at += len(own)
    codes = histories.codes[histories.medication]
    lookup = np.array([place.get(name, -1) for name in codes.names], dtype=np.int64)
    truth, outside = np.zeros(shape, dtype=bool), np.zeros(len(every), dtype=np.int64)
    for row, visit in enumerate(every):
        given = lookup[codes.code[codes.start[visit] : codes.start[visit + 1]]]
        truth[row, given[given >= 0]] = True
        outside[row] = (given < 0).sum()
    order = np.argsort(every, kind="stable")
    return Judged(
        every[order], histories.owner[every[order]], medications, truth[order], outside[order], probability[order],
        spread[order], chosen[order], controlled[order], known[order],
    )  # fmt: skip


def _run(
    shared: tuple[Study, tuple[Sides, ...], dict[str, dict[str, Any]], SequenceSettings],
    task: tuple[str, int],
) -> Part:
    study, sides, models, settings = shared
    name, number = task
    developed = develop(study, sides[number], name, models[name], settings)
    return Part(developed, answer(study, developed.model, sides[number].held_out, name))


def _mean(each: np.ndarray, name: str) -> np.ndarray:
    probability: np.ndarray = each.mean(axis=0)
    if not np.isfinite(probability).all():
        raise FitError(
            f"{int((~np.isfinite(probability)).sum())} probabilities of {name} are not finite numbers",
            hint="lower its learning_rate",
        )
    return probability


def _support(encoded: Encoded, rows: np.ndarray) -> np.ndarray:
    """How many subjects were given each medication in the visits at `rows` (m,)."""
    truth, owner = encoded.targets(rows), encoded.owner[rows]
    starts = np.flatnonzero(np.r_[True, np.diff(owner) > 0])
    counts: np.ndarray = np.logical_or.reduceat(truth, starts, axis=0).sum(axis=0)
    return counts


def _key(name: str, number: int) -> str:
    return f"sequences-{name}-{number}"


def _packed(part: Part) -> dict[str, np.ndarray]:
    """A part as arrays, for a checkpoint."""
    assert part.answers is not None
    document, files = part.developed.model.save()
    said = {"model": document, "notes": part.developed.notes, "score": part.developed.tuning_jaccard}
    arrays = {f"file/{name}": np.frombuffer(content, dtype=np.uint8) for name, content in files.items()}
    arrays["document"] = np.frombuffer(json.dumps(said).encode(), dtype=np.uint8)
    for name in ("probability", "spread", "chosen", "controlled"):
        arrays[name] = getattr(part.answers, name)
    return arrays


def _unpacked(arrays: dict[str, np.ndarray]) -> Part:
    """The reverse of `_packed`."""
    said = json.loads(arrays["document"].tobytes())
    model = SequenceModel.load(said["model"], lambda name: arrays[f"file/{name}"].tobytes())
    answers = Answers(
        model.vocabulary.medications,
        *(arrays[name] for name in ("probability", "spread", "chosen", "controlled")),
    )
    return Part(Developed(model, said["notes"], said["score"]), answers)
