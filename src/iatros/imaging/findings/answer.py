"""What a model answered about one image or study, as plain values that every hospital document is made from."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from iatros.core.task import Task

NOTICE = "Research software, not a medical device"


@dataclass(frozen=True)
class TargetAnswer:
    """The answer to one question.

    `probabilities` holds one calibrated probability per class, in the order of `classes`; for a continuous target
    both are empty and `value` is the answer in `unit`. `conformal_set` holds the classes that cannot be ruled out with
    `confidence_level`, `interval` the ends of a conformal interval. `threshold` is the probability of the last class
    from which a binary answer counts as positive, where the bundle names one.
    """

    name: str
    task: Task
    classes: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    value: float | None = None
    unit: str | None = None
    confidence_level: float | None = None
    conformal_set: tuple[str, ...] | None = None
    interval: tuple[float, float] | None = None
    threshold: float | None = None

    @property
    def crossed(self) -> bool | None:
        """Whether the probability of a binary target reaches its threshold; None where there is none."""
        if self.threshold is None or self.task != "binary":
            return None
        return self.probabilities[1] >= self.threshold

    @property
    def predicted(self) -> str | None:
        """The most probable class; None for a continuous target."""
        if not self.classes:
            return None
        return self.classes[int(np.argmax(self.probabilities))]


@dataclass(frozen=True)
class Quantity:
    """A number measured on a mask, such as a volume; `ucum` is the code of its unit and `unit` the word for it."""

    name: str
    value: float
    ucum: str
    unit: str


@dataclass(frozen=True)
class Software:
    """What gave the answer: the network, the bundle that holds it, and the version of iatros."""

    model: str
    bundle: str
    bundle_sha256: str
    version: str


@dataclass(frozen=True)
class Mask:
    """A label map on the grid of the source: (slices, rows, columns) or (rows, columns), 0 is background.

    `labels` names the values 1, 2, ... in their order. `affine` leads from (slice, row, column) to RAS+
    coordinates in mm, as in an `ImageRecord`; None for single images and where the source says no place.
    `file` is the label map as the ending and the bytes of a file of the source's kind, where that is not DICOM.
    """

    array: np.ndarray
    labels: tuple[str, ...]
    affine: tuple[tuple[float, ...], ...] | None = None
    file: tuple[str, bytes] | None = None


@dataclass(frozen=True)
class Answer:
    """Everything that one image or study was found to show.

    `sources` are the headers of the source instances in the order of the slices, without pixels and as
    `source.header` makes them; empty where the source is not DICOM. `overlay` is RGB, uint8 (rows, columns, 3).
    `key_slices` are indices into the slices, most important first.
    """

    record: str
    record_sha256: str
    run_id: str
    at: datetime
    software: Software
    targets: tuple[TargetAnswer, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    sources: tuple[Any, ...] = ()
    flags: tuple[str, ...] = ()
    overlay: np.ndarray | None = None
    overlay_method: str = ""
    mask: Mask | None = None
    key_slices: tuple[int, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def uuid(self, *parts: str) -> uuid.UUID:
        """A name for one part of this answer: the same in every document, another in every run."""
        return name_uuid(self.run_id, self.record_sha256, self.record, *parts)

    def uid(self, *parts: str) -> str:
        """`uuid` as a DICOM UID (PS3.5 B.2)."""
        return f"2.25.{self.uuid(*parts).int}"


def name_uuid(*parts: str) -> uuid.UUID:
    """The same UUID for the same words, from SHA-256."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=5)
