"""DICOM planes to grey or colour: one grey scale for all slices of a series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iatros.imaging.sources.dicom_grey import Modality, Voi, modality_of, padding_of, voi_of
from iatros.imaging.sources.dicom_header import parse, quiet
from iatros.imaging.sources.dicom_pixels import GREY, stored_values
from iatros.imaging.sources.grey import black_and_white, one_channel_if_grey, scaled_between, to_uint16
from iatros.imaging.sources.limits import UnreadableError

WINDOWS_DIFFER = "windows differ between the slices; that of the middle one is used"


class _Plane:
    """One decoded plane and what it takes to show it."""

    def __init__(self, dataset: Any, values: np.ndarray, frame: int) -> None:
        self.stored = values[frame]
        self.grey = str(dataset.PhotometricInterpretation) in GREY
        self.inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
        palette = dataset.PhotometricInterpretation == "PALETTE COLOR"
        allocated = values.dtype.itemsize * 8
        self.bits = allocated if palette else min(int(dataset.get("BitsStored") or allocated), allocated)
        self.modality: Modality = modality_of(dataset, frame)
        self.voi: Voi | None = voi_of(dataset, frame)
        self.padding = padding_of(dataset, self.stored) if self.grey else None

    @property
    def is_plain(self) -> bool:
        """Whether stored values of at most 8 bits are shown as they are."""
        return (
            self.bits <= 8
            and self.stored.dtype.kind == "u"
            and self.modality.is_identity
            and self.voi is None
        )


def decode(
    paths: Sequence[str], plan: dict[str, Any], window: tuple[float, float] | None
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """One image (channels, rows, columns), or a volume (channels, slices, rows, columns).

    `plan["members"]` lists (file, frame) in the order of the slices; `plan["volume"]` says whether there are
    slices. Where no file has a window, black and white are percentiles of the whole series without padding.
    """
    try:
        with quiet():
            planes = _planes(paths, plan["members"])
            if len({(plane.stored.shape, plane.grey) for plane in planes}) > 1:
                raise UnreadableError("the slices of the series differ in size or colour")
            flags: list[str] = []
            shown = _grey(planes, window, flags) if planes[0].grey else _colour(planes)
    except (UnreadableError, MemoryError):
        raise
    except Exception as error:  # a damaged file can fail in any way; what it says may hold patient data
        raise UnreadableError(f"the image is damaged ({type(error).__name__})") from None
    return [shown if plan["volume"] else shown[:, 0]], {"flags": flags}


def _planes(paths: Sequence[str], members: Sequence[Sequence[int]]) -> list[_Plane]:
    uses = Counter(file for file, _ in members)
    opened: dict[int, tuple[Any, np.ndarray]] = {}
    planes = []
    for file, frame in members:
        if file not in opened:
            opened[file] = _opened(paths[file], alone=len(paths) == 1)
        planes.append(_Plane(*opened[file], frame))
        uses[file] -= 1
        if not uses[file]:
            del opened[file]
    return planes


def _opened(path: str, *, alone: bool) -> tuple[Any, np.ndarray]:
    try:
        dataset = parse(Path(path).read_bytes())
        return dataset, stored_values(dataset, path)
    except UnreadableError as error:
        reason = error.message if alone else f"{Path(path).name}: {error.message}"
        raise UnreadableError(reason) from None


def _grey(planes: list[_Plane], window: tuple[float, float] | None, flags: list[str]) -> np.ndarray:
    if window is None and all(plane.is_plain for plane in planes):
        return np.stack([_plain(plane) for plane in planes])[np.newaxis]
    voi = Voi(*window) if window is not None else _common(planes, flags)
    measured = [plane.modality.apply(plane.stored) for plane in planes]
    if voi is None:
        low, high = black_and_white(_counted(planes, measured))
        shown = [scaled_between(values, low, high) for values in measured]
    else:
        shown = [voi.apply(values) for values in measured]
    stack = np.empty((1, len(planes), *planes[0].stored.shape), dtype=np.uint16)
    for place, (plane, values) in enumerate(zip(planes, shown, strict=True)):
        values = np.nan_to_num(values, nan=0.0)
        stack[0, place] = to_uint16(np.float32(1) - values if plane.inverted else values)
    return stack


def _plain(plane: _Plane) -> np.ndarray:
    top = 2**plane.bits - 1
    values = np.minimum(plane.stored, top).astype(np.uint16)
    values = top - values if plane.inverted else values
    return (values if top == 255 else np.rint(values * (255 / top))).astype(np.uint8)


def _common(planes: list[_Plane], flags: list[str]) -> Voi | None:
    """One window for all slices: that of the middle one of those that have one."""
    said = [plane.voi for plane in planes if plane.voi is not None]
    if not said:
        return None
    if len(set(said)) > 1 or len(said) < len(planes):
        flags.append(WINDOWS_DIFFER)
    return said[len(said) // 2]


def _counted(planes: list[_Plane], measured: list[np.ndarray]) -> np.ndarray:
    """All finite measured values that are not padding, or all of them where nothing else is left."""
    kept = [
        values if plane.padding is None else values[~plane.padding]
        for plane, values in zip(planes, measured, strict=True)
    ]
    flat = np.concatenate([values.ravel() for values in kept])
    return flat if flat.size else np.concatenate([values.ravel() for values in measured])


def _colour(planes: list[_Plane]) -> np.ndarray:
    stack = np.moveaxis(np.stack([plane.stored for plane in planes]), -1, 0)
    bits = planes[0].bits
    if bits > 8:
        top = 2**bits - 1
        stack = to_uint16(np.minimum(stack, top).astype(np.float32) / np.float32(top))
    return one_channel_if_grey(stack.astype(np.uint8) if bits <= 8 else stack)
