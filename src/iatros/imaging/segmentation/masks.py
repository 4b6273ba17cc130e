"""Label maps: read beside the image, put into the image's own voxel order, and refused where the two do not fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iatros.core.errors import InputError, OutcomeError
from iatros.imaging.schema import ImageRecord

MOST_STRUCTURES = 64
"""Highest label value; more values than that are a grey image, not a label map."""

_CLOSE = 0.05
"""How far the corners of an image and its label map may lie apart, in voxels."""


class MaskError(InputError):
    """A label map that cannot be used with its image; the message is fit for a table of refused files."""


@dataclass(frozen=True)
class Case:
    """An image with its label map (rows, columns) or (slices, rows, columns), uint8, 0 for background."""

    record: ImageRecord
    mask: np.ndarray


def read_mask(record: ImageRecord, root: str | Path) -> np.ndarray:
    """The label map of `record`, uint8, in the shape and voxel order of the record's pixels.

    NIfTI maps are turned to the image's axes by the two affines. In PNG and other raster maps each grey
    value is a label; a map of 0 and 255 alone is read as 0 and 1. Raises MaskError where the map is missing,
    has another geometry than the image, or holds values that are no labels.
    """
    assert record.mask is not None
    path = Path(root) / record.mask
    if not path.is_file():
        raise MaskError("the label map is not there", where=record.mask)
    if path.name.lower().endswith((".nii", ".nii.gz")):
        return _labels(_nifti(path, record), record.mask)
    values = _raster(path, record)
    if set(np.unique(values).tolist()) == {0, 255}:
        values = (values == 255).astype(np.uint8)
    return _labels(values, record.mask)


def structure_names(cases: Iterable[Case], given: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the labels 1, 2, ...: `given`, or `structure 1` and so on as far as labels go.

    Raises OutcomeError where a label has no name, or no map holds any structure.
    """
    seen: dict[int, str] = {}
    for case in cases:
        for value in np.unique(case.mask).tolist():
            seen.setdefault(int(value), case.record.name)
    highest = max(seen, default=0)
    if highest == 0:
        raise OutcomeError(
            "no label map holds a structure", hint="a label map holds 0 for background and 1, 2 ..."
        )
    if not given:
        return tuple(f"structure {value}" for value in range(1, highest + 1))
    if highest > len(given):
        raise OutcomeError(
            f"the label {highest} has no name, names are given for 1 to {len(given)}",
            where=seen[highest],
            hint="name every structure, in the order of the labels",
        )
    return given


def _nifti(path: Path, record: ImageRecord) -> np.ndarray:
    import nibabel

    try:
        image = nibabel.load(path)
        values = np.asarray(image.dataobj)
    except Exception as error:  # nibabel raises its own, OSError, EOFError and zlib's
        raise MaskError("the label map cannot be read as NIfTI", where=record.mask) from error
    values = values.reshape(values.shape[:3]) if values.ndim == 4 and values.shape[3] == 1 else values
    if values.ndim != 3 or not record.is_volume:
        raise MaskError(
            f"the label map has shape {values.shape}, the image {record.shape[1:]}", where=record.mask
        )
    if record.affine is None:
        raise MaskError("the image has no place in space to fit the label map to", where=record.mask)
    affine, wanted = np.asarray(image.affine, dtype=np.float64), np.asarray(record.affine, dtype=np.float64)
    return aligned(values, affine, record.shape[1:], wanted, where=record.mask)


def aligned(
    values: np.ndarray,
    affine: np.ndarray,
    shape: tuple[int, ...],
    wanted: np.ndarray,
    *,
    where: str | None = None,
) -> np.ndarray:
    """`values` on the grid of `affine` (voxel to mm, 4 x 4), in the voxel order of a grid `shape` with affine `wanted`.

    The two grids must be the same voxels but for the order and direction of the axes; raises MaskError
    otherwise. Nothing is interpolated.
    """
    to_values = np.linalg.inv(affine) @ wanted
    turn = np.round(to_values[:3, :3])
    is_turn = (np.abs(turn).sum(axis=0) == 1).all() and (np.abs(turn).sum(axis=1) == 1).all()
    if not is_turn or tuple(np.abs(turn) @ np.array(shape)) != values.shape:
        raise MaskError(
            f"the label map has {_spoken(values.shape)} voxels on another grid than the image's {_spoken(shape)}",
            where=where,
            hint="resample it to the image",
        )
    corners = np.array(np.meshgrid(*[(0, length - 1) for length in shape], indexing="ij")).reshape(3, -1)
    found = to_values[:3, :3] @ corners + to_values[:3, 3:]
    start = np.where(turn.sum(axis=1) < 0, np.array(values.shape) - 1, 0)[:, None]
    apart = float(np.abs(found - (turn @ corners + start)).max())
    if not apart <= _CLOSE:
        raise MaskError(
            f"the label map lies {apart:.1f} voxels away from the image",
            where=where,
            hint="the two files need the same affine",
        )
    axes = [int(np.flatnonzero(turn[:, axis])[0]) for axis in range(3)]
    steps = tuple(slice(None, None, -1 if turn[axes[axis], axis] < 0 else 1) for axis in range(3))
    return np.ascontiguousarray(values.transpose(axes)[steps])


def _raster(path: Path, record: ImageRecord) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            values = np.asarray(image)  # of a palette image, the indices
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise MaskError("the label map cannot be read as an image", where=record.mask) from error
    if values.ndim == 3:
        if not (values[..., :1] == values[..., :3]).all():
            raise MaskError(
                "the label map is coloured; each label must be a grey value or a palette index",
                where=record.mask,
            )
        values = values[..., 0]
    if values.shape != record.shape[1:]:
        raise MaskError(
            f"the label map has {_spoken(values.shape)} pixels, the image {_spoken(record.shape[1:])}",
            where=record.mask,
        )
    return values.astype(np.uint8) if values.dtype == bool else values


def _labels(values: np.ndarray, where: str) -> np.ndarray:
    whole = values.dtype.kind in "iub" or bool(
        np.isfinite(values).all() and (values == np.round(values)).all()
    )
    if not whole:
        raise MaskError("the label map holds values that are no whole numbers", where=where)
    lowest, highest = float(values.min()), float(values.max())
    if lowest < 0 or highest > MOST_STRUCTURES:
        raise MaskError(
            f"labels must lie between 0 and {MOST_STRUCTURES}, the map holds {lowest:g} to {highest:g}",
            where=where,
        )
    return np.ascontiguousarray(values, dtype=np.uint8)


def _spoken(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
