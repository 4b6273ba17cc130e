"""What one image is, where it came from, and what a model takes: plain values without pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

Objective = Literal["cross-entropy", "binary-cross-entropy", "ordinal", "squared-error"]
"""What a network is trained with: one class, several labels at once, ordered grades, or a quantity."""


@dataclass(frozen=True)
class ImageRecord:
    """One image (rows x columns) or one volume or series (slices x rows x columns).

    `name` is unique in its collection and never an absolute path: a relative path in POSIX spelling, a series'
    folder and UID, or `train/17` of an archive. `shape` is (channels, rows, columns) or (channels, slices, rows,
    columns); `spacing_mm` goes with its spatial axes. Whatever the file does not say is None.
    """

    name: str
    sha256: str
    """Of the decoded pixels with their shape and type: the same image has the same hash in any file."""
    shape: tuple[int, ...]
    files: tuple[str, ...] = ()
    """Source files relative to the collection's root, in the order of the slices."""
    spacing_mm: tuple[float, ...] | None = None
    affine: tuple[tuple[float, ...], ...] | None = None
    """Voxel (slice, row, column) to patient coordinates in mm, 4 x 4, RAS+ as NIfTI has it."""
    modality: str | None = None
    body_part: str | None = None
    manufacturer: str | None = None
    scanner: str | None = None
    subject: str | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    site: str | None = None
    sex: str | None = None
    age: float | None = None
    """In years."""
    columns: Mapping[str, str | float | None] = field(default_factory=dict)
    """The row of the manifest or table that goes with the image, labels included; `label` for a folder per class."""
    split: str | None = None
    """train, tuning, calibration or held_out, where the source says so."""
    mask: str | None = None
    """The label map that belongs to a volume, relative to the collection's root."""
    flags: tuple[str, ...] = ()
    """What is unusual but no reason to refuse: oblique, duplicate slices left out, burnt-in annotation."""

    @property
    def is_volume(self) -> bool:
        """Whether there are slices."""
        return len(self.shape) == 4


@dataclass(frozen=True)
class Refused:
    """A file or series that was not read, and why, in one line without patient data."""

    name: str
    reason: str


class PixelStore(Protocol):
    """Decoded pixels by hash, memory-mapped."""

    def read(self, sha256: str) -> np.ndarray:
        """Pixels in the shape of the record: uint8 or uint16, 0 to the type's largest, black to white."""
        ...


@dataclass(frozen=True)
class Collection:
    """What one source holds: what can be read, what was refused, and the pixels."""

    source: str
    """dicom, folders, manifest, nifti, archive, dicomweb or inline."""
    records: tuple[ImageRecord, ...]
    refused: tuple[Refused, ...]
    store: PixelStore
    notes: tuple[str, ...] = ()
    root: str = ""
    """The folder on this machine that the names are relative to; never shown or stored."""

    def pixels(self, record: ImageRecord) -> np.ndarray:
        """Decoded pixels of one record, as `PixelStore.read`."""
        return self.store.read(record.sha256)


@dataclass(frozen=True)
class InputSpec:
    """The array that a network takes.

    `kind` image: (channels, *size) with size (rows, columns); volume: (channels, *size) with size (slices, rows,
    columns); sequence: (slices, channels, *size) with size (rows, columns) and as many slices as the study has,
    thinned evenly to `max_slices`. Values are float32 from 0 (black) to 1 (white).
    """

    kind: Literal["image", "volume", "sequence"]
    channels: int
    size: tuple[int, ...]
    fit: Literal["pad", "stretch"] = "pad"
    max_slices: int = 32

    def document(self) -> dict[str, object]:
        """Plain values for a manifest."""
        return {
            "kind": self.kind,
            "channels": self.channels,
            "size": list(self.size),
            "fit": self.fit,
            "max_slices": self.max_slices,
        }

    @staticmethod
    def load(document: Mapping[str, object]) -> InputSpec:
        """The reverse of `document`."""
        return InputSpec(**{**document, "size": tuple(document["size"])})  # type: ignore[arg-type]
