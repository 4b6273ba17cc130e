"""Records and pixels turned as the network sees them, for what compares whole images: quality gates and copies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from iatros.imaging.schema import Collection, ImageRecord
from iatros.imaging.segmentation.grids import canonical


def turned(record: ImageRecord) -> ImageRecord:
    """The record with shape and spacing in the order of the turned axes; its affine stays that of the source."""
    turn = canonical(record.affine, len(record.shape) - 1)
    return replace(
        record,
        shape=(record.shape[0], *(record.shape[1 + axis] for axis in turn.axes)),
        spacing_mm=None if record.spacing_mm is None else turn.spacing(record.spacing_mm),
    )


def turned_pixels(collection: Collection, record: ImageRecord) -> np.ndarray:
    """Decoded pixels (channels, *shape) of a record, turned; the record may be given as it is or turned."""
    return canonical(record.affine, len(record.shape) - 1).apply(collection.pixels(record))
