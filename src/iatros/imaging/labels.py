"""From label columns to targets: what is asked of an image, which classes there are, and which is the finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iatros.core.errors import OutcomeError, RequestError
from iatros.core.task import Target
from iatros.imaging.schema import ImageRecord, Objective

DEFAULT_LABEL = "label"
_YES = {"1", "yes", "y", "true", "positive", "present", "abnormal", "malignant", "disease", "diseased"}
_NO = {
    "0",
    "no",
    "n",
    "false",
    "negative",
    "absent",
    "normal",
    "clear",
    "benign",
    "healthy",
    "control",
    "no finding",
    "none",
}
_MAX_CLASSES = 200
_FEW_NUMBERS = 20

Value = str | float | None


@dataclass(frozen=True)
class Labels:
    """What is known of each record: one target, or one for each label of a multi-label task."""

    targets: tuple[Target, ...]
    objective: Objective
    y: tuple[np.ndarray, ...]
    """One array per target, each in the shape of core/task.py as float64; NaN where not known."""
    note: str

    def known(self) -> np.ndarray:
        """Which records have at least one label, bool (n,)."""
        return np.isfinite(np.column_stack(self.y)).any(axis=1)


def read_labels(
    records: Sequence[ImageRecord],
    columns: Sequence[str],
    *,
    task: str = "auto",
    positive: str | None = None,
    loss: str = "auto",
) -> Labels:
    """The targets that the label columns give; one class only, or an unclear finding, raises OutcomeError."""
    names = tuple(columns) or (DEFAULT_LABEL,)
    _check_columns(records, names)
    if len(names) > 1 or task == "multilabel":
        if task not in ("auto", "multilabel"):
            raise RequestError(f"several label columns make a multi-label task, but task is {task}")
        labels = _several(records, names)
    else:
        labels = _one([record.columns.get(names[0]) for record in records], names[0], task, positive)
    return _with_loss(labels, loss)


def relabel(
    records: Sequence[ImageRecord], columns: Sequence[str], targets: Sequence[Target], positive: str | None
) -> list[np.ndarray]:
    """Labels of other records in the classes of a trained model: NaN where unknown, -1 where the class is new to it."""
    names = tuple(columns) or (DEFAULT_LABEL,)
    _check_columns(records, names)
    answer = []
    for name, target in zip(names, targets, strict=True):
        values = [_text(record.columns.get(name)) for record in records]
        if target.task == "continuous":
            answer.append(np.array([np.nan if value is None else float(value) for value in values]))
            continue
        if positive is not None and target.classes[0] == _rest(positive):
            values = [value if value is None else target.classes[int(value == positive)] for value in values]
        index = {label: float(k) for k, label in enumerate(target.classes)}
        answer.append(np.array([np.nan if value is None else index.get(value, -1.0) for value in values]))
    return answer


def _check_columns(records: Sequence[ImageRecord], names: Sequence[str]) -> None:
    for name in names:
        if not any(name in record.columns for record in records):
            known = sorted({column for record in records[:1000] for column in record.columns})
            raise OutcomeError(
                f"no image has a label: there is no column called {name!r}",
                hint=f"known columns: {', '.join(known)}; name one with label"
                if known
                else "give a folder per class, a manifest with a column label, or a table of labels",
            )


def _several(records: Sequence[ImageRecord], names: Sequence[str]) -> Labels:
    targets, y = [], []
    for name in names:
        values = [_text(record.columns.get(name)) for record in records]
        classes = _event_last(sorted({v for v in values if v is not None}), name)
        targets.append(Target(name, "binary", tuple(classes)))
        y.append(_indices(values, classes))
    return Labels(
        tuple(targets), "binary-cross-entropy", tuple(y), f"{len(names)} labels, each present or absent"
    )


def _one(values: Sequence[Value], name: str, task: str, positive: str | None) -> Labels:
    texts = [_text(value) for value in values]
    seen = sorted({text for text in texts if text is not None}, key=_order)
    if not seen:
        raise OutcomeError("every label is missing", where=f"column {name}")
    if positive is not None:
        return _finding(texts, seen, name, task, positive)
    chosen = _guess(seen, len(texts)) if task == "auto" else task
    if chosen == "continuous":
        return _continuous(texts, name)
    if len(seen) < 2:
        raise OutcomeError(
            f"all images are of one class, {seen[0]!r}, so there is nothing to tell apart",
            where=f"column {name}",
        )
    if len(seen) > _MAX_CLASSES:
        raise OutcomeError(
            f"there are {len(seen)} classes, at most {_MAX_CLASSES} are allowed", where=f"column {name}"
        )
    if chosen == "binary":
        classes = _event_last(seen, name)
        note = f"{name} is read as binary: {classes[1]!r} is the finding"
        return Labels(
            (Target(name, "binary", tuple(classes)),), "cross-entropy", (_indices(texts, classes),), note
        )
    if len(seen) == 2:
        raise OutcomeError(
            f"task {chosen} needs three classes or more, {name} has two", hint="leave out task"
        )
    objective: Objective = "ordinal" if chosen == "ordinal" else "cross-entropy"
    note = f"{name} is read as {chosen}: {', '.join(seen[:10])}" + (" ..." if len(seen) > 10 else "")
    return Labels((Target(name, "multiclass", tuple(seen)),), objective, (_indices(texts, seen),), note)


def _finding(texts: list[str | None], seen: list[str], name: str, task: str, positive: str) -> Labels:
    if task not in ("auto", "binary"):
        raise RequestError(f"positive makes the task binary, but task is {task}")
    if positive not in seen:
        raise OutcomeError(
            f"no image is of the class {positive!r}",
            where=f"column {name}",
            hint=f"classes seen: {', '.join(seen[:20])}",
        )
    others = [label for label in seen if label != positive]
    if not others:
        raise OutcomeError(f"every image is of the class {positive!r}", where=f"column {name}")
    rest = others[0] if len(others) == 1 else _rest(positive)
    y = np.array([np.nan if text is None else float(text == positive) for text in texts])
    return Labels(
        (Target(name, "binary", (rest, positive)),),
        "cross-entropy",
        (y,),
        f"{positive!r} is the finding, against {rest!r}",
    )


def _rest(positive: str) -> str:
    """The name of all other classes together."""
    return f"not {positive}"


def _continuous(texts: list[str | None], name: str) -> Labels:
    try:
        y = np.array([np.nan if text is None else float(text) for text in texts])
    except ValueError:
        raise OutcomeError("a continuous label must be a number", where=f"column {name}") from None
    if np.nanmax(y) == np.nanmin(y):
        raise OutcomeError("the label never varies", where=f"column {name}")
    return Labels((Target(name, "continuous"),), "squared-error", (y,), f"{name} is read as a quantity")


def _with_loss(labels: Labels, loss: str) -> Labels:
    """Another training objective where it suits the targets."""
    if loss in ("auto", labels.objective):
        return labels
    suits = {
        "ordinal": labels.objective == "cross-entropy" and labels.targets[0].task == "multiclass",
        "cross-entropy": labels.objective == "ordinal",
        "binary-cross-entropy": labels.objective == "cross-entropy" and labels.targets[0].task == "binary",
    }
    if not suits.get(loss, False):
        raise RequestError(
            f"the loss {loss} does not suit the labels, which are learned with {labels.objective}"
        )
    return Labels(labels.targets, loss, labels.y, labels.note)  # type: ignore[arg-type]


def _indices(texts: Sequence[str | None], classes: Sequence[str]) -> np.ndarray:
    index = {label: float(k) for k, label in enumerate(classes)}
    return np.array([np.nan if text is None else index[text] for text in texts])


def _guess(seen: Sequence[str], n: int) -> str:
    if len(seen) <= 2:
        return "binary"
    numbers = [_number(text) for text in seen]
    if all(number is not None for number in numbers):
        whole = all(number == round(number) for number in numbers if number is not None)
        if not whole or len(seen) > min(_FEW_NUMBERS, max(n // 10, 3)):
            return "continuous"
    return "multiclass"


def _event_last(classes: list[str], name: str) -> list[str]:
    """Of two classes, the one that plainly is the finding last; otherwise the user must say."""
    if len(classes) == 1:
        raise OutcomeError(f"all images have the same label, {classes[0]!r}", where=f"column {name}")
    if len(classes) != 2:
        raise OutcomeError(
            f"a binary label has two values, this one has {len(classes)}",
            where=f"column {name}",
            hint="give positive",
        )
    first, second = classes
    if first.lower() in _YES or second.lower() in _NO:
        return [second, first]
    if second.lower() in _YES or first.lower() in _NO or _number(first) is not None:
        return classes
    raise OutcomeError(
        f"which of {first!r} and {second!r} is the finding?",
        where=f"column {name}",
        hint=f"give positive, for example {second!r}",
    )


def _text(value: Value) -> str | None:
    """A label as text, numbers in their shortest form; None where it is missing."""
    if value is None or value == "" or value != value:
        return None
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _order(text: str) -> tuple[bool, float, str]:
    number = _number(text)
    return number is None, number or 0.0, text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
