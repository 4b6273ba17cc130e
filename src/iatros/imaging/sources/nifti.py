"""NIfTI volumes, turned so that slices run to the head, rows to the back and columns to the left, like axial DICOM."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iatros.imaging.sources.grey import one_channel_if_grey, stretched, to_uint16, windowed
from iatros.imaging.sources.limits import MAX_FILE_BYTES, UnreadableError, check_size

_HEADER_BYTES = 544
_AXIS = 0.9995
_ORDER = "LPS"
"""Positive directions of column, row and slice: left, back (posterior) and head (superior)."""


def decode(
    paths: Sequence[str], plan: dict[str, Any], window: tuple[float, float] | None
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """One volume (channels, slices, rows, columns), or an image where there is one slice only.

    Black and white are percentiles of the volume, or `window`: NIfTI says nothing about how it is to be shown.
    """
    image = _opened(paths[0])
    values, affine = _turned(image)
    flags = [] if np.isfinite(values).all() else ["values that are not numbers"]
    if image.header["qform_code"] == 0 and image.header["sform_code"] == 0:
        flags.append("no orientation in the file")
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    if np.abs(directions).max(axis=0).min() < _AXIS:
        flags.append("oblique")
    spacing = [round(float(length), 6) for length in np.linalg.norm(affine[:3, :3], axis=0)]
    noticed: dict[str, Any] = {"flags": flags, "spacing_mm": spacing, "affine": (affine + 0.0).tolist()}
    shown = _colour(values) if values.ndim == 4 else _grey(values, window)
    if shown.shape[1] == 1:
        return [shown[:, 0]], {"flags": flags, "spacing_mm": spacing[1:]}
    return [shown], noticed


def _opened(path: str) -> Any:
    """The volume, of which no more is unpacked than its header says."""
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        with _stream(path) as file:
            head = file.read(_HEADER_BYTES)
            kind, header = _header(head)
            size = _checked_size(header)
            content = head + file.read(max(0, size - len(head)))
        if len(content) < size:
            raise UnreadableError(f"the volume is cut short: {len(content):,} of {size:,} bytes are there")
        return kind.from_bytes(content)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UnreadableError(f"the NIfTI file is damaged or cut short ({type(error).__name__})") from None
    except (HeaderDataError, ImageFileError):
        raise UnreadableError("the header of the NIfTI file is damaged") from None


def _stream(path: str) -> Any:
    with Path(path).open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else Path(path).open("rb")


def _header(head: bytes) -> tuple[Any, Any]:
    import nibabel

    if head[344:347] == b"ni1" or head[4:7] == b"ni2":
        raise UnreadableError(
            "a NIfTI volume in two files (.hdr and .img), which is not read; convert it to .nii"
        )
    kind = nibabel.Nifti2Image if head[4:7] == b"n+2" else nibabel.Nifti1Image
    length = 540 if kind is nibabel.Nifti2Image else 348
    return kind, kind.header_class(head[:length])


def _checked_size(header: Any) -> int:
    """Bytes that the file must have, once its dimensions were looked at."""
    shape = [int(n) for n in header.get_data_shape()]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    if len(shape) > 3:
        reason = "several volumes in one file, over time or of several contrasts; split it into one file each"
        raise UnreadableError(f"{reason}: {shape[3]} volumes")
    if len(shape) < 2:
        raise UnreadableError(f"it has {len(shape)} dimensions, an image has two or three")
    shape += [1] * (3 - len(shape))
    check_size(shape[1], shape[0], shape[2])
    size = int(header["vox_offset"]) + int(np.prod(shape, dtype=object)) * header.get_data_dtype().itemsize
    if not 0 < size <= MAX_FILE_BYTES:
        raise UnreadableError(f"it would have {size:,} bytes; at most {MAX_FILE_BYTES:,} are allowed")
    return size


def _turned(image: Any) -> tuple[np.ndarray, np.ndarray]:
    """Values (slices, rows, columns), or (..., 3) for colour, and the affine of these axes."""
    from nibabel import orientations

    stored = np.asanyarray(image.dataobj)
    if stored.dtype.names is not None:
        stored = np.stack([stored[name] for name in stored.dtype.names[:3]], axis=-1)
    elif np.iscomplexobj(stored):
        raise UnreadableError("the volume holds complex numbers")
    colour = stored.shape[3:] if stored.ndim > 3 and stored.shape[-1] == 3 else ()
    values = stored.reshape(*(*stored.shape, 1)[:3], *colour)
    affine = np.asarray(image.affine, dtype=float)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise UnreadableError("the affine of the volume is no map into space")
    turn = orientations.ornt_transform(
        orientations.io_orientation(affine), orientations.axcodes2ornt(tuple(_ORDER))
    )
    turned = orientations.apply_orientation(values, turn)
    placed = affine @ orientations.inv_ornt_aff(turn, values.shape[:3])
    return np.swapaxes(turned, 0, 2), placed[:, [2, 1, 0, 3]]


def _grey(values: np.ndarray, window: tuple[float, float] | None) -> np.ndarray:
    measured = values.astype(np.float32)
    shown = windowed(measured, *window) if window is not None else stretched(measured)
    return to_uint16(np.nan_to_num(shown, nan=0.0))[np.newaxis]


def _colour(values: np.ndarray) -> np.ndarray:
    return one_channel_if_grey(np.moveaxis(values, -1, 0).astype(np.uint8))
