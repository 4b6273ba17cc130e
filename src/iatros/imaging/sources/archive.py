"""NumPy archives: `train_images`, `train_labels`, `val_`, `test_` as MedMNIST has them, or `images` and `labels`.

Beside them may stand `names` (one per image) and `label_names` (one per column of labels).
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.imaging.cache import Pack
from iatros.imaging.schema import ImageRecord, Refused
from iatros.imaging.sources.decoding import Unit
from iatros.imaging.sources.grey import stretched, to_uint16, windowed
from iatros.imaging.sources.limits import MAX_FILE_BYTES, UnreadableError, check_size

SIDES = {"train": "train", "val": "tuning", "test": "held_out"}
"""Prefix of the arrays, and the side that their images are on."""


def unit(path: Path, name: str) -> Unit:
    """What decoding the archive takes."""
    return Unit(name=name, reader="archive", files=(str(path),), size=path.stat().st_size)


def decode(
    paths: Sequence[str], plan: dict[str, Any], window: tuple[float, float] | None
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Every image of the archive, in the order of `members`."""
    images: list[np.ndarray] = []
    with _opened(paths[0]) as arrays:
        for prefix, _ in _parts(arrays):
            name = f"{prefix}images"
            stack = _channels_first(_array(arrays, name), name)
            if stack.dtype == np.bool_:
                stack = stack.astype(np.uint8) * np.uint8(255)
            if stack.dtype not in (np.uint8, np.uint16):
                images += [_measured(one, window) for one in stack]
            elif window is not None and stack.shape[1] == 1:
                images += [to_uint16(windowed(one, *window)) for one in stack]
            else:
                images += list(stack)
    return images, {}


def records(path: Path, pack: Pack) -> tuple[list[ImageRecord], list[Refused]]:
    """A record per image: named `train/17` or by the archive's own names, with its label and side."""
    made: list[ImageRecord] = []
    with _opened(path) as arrays:
        for prefix, side in _parts(arrays):
            n = _shape(arrays, f"{prefix}images")[0]
            labels = _labels(arrays, prefix, n)
            for number, name in enumerate(_names(arrays, prefix, n)):
                image = pack.images[len(made)]
                made.append(
                    ImageRecord(
                        name=name,
                        sha256=image.sha256,
                        shape=image.shape,
                        files=(path.name,),
                        columns=labels[number],
                        split=side,
                    )
                )
    return made, []


class _Arrays:
    """The arrays of an archive, whose shapes are looked at before anything is unpacked."""

    def __init__(self, path: str | Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self.names = {
            info.filename[:-4]: info for info in self._zip.infolist() if info.filename.endswith(".npy")
        }

    def __enter__(self) -> _Arrays:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        with self._zip.open(self.names[name]) as file:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            if read is None:
                raise UnreadableError(f"the array {name} is in a format of NumPy that is not known")
            shape, _, dtype = read(file)
            return shape, dtype

    def read(self, name: str) -> np.ndarray:
        shape, dtype = self.header(name)
        if dtype.hasobject:
            raise UnreadableError(f"the array {name} holds Python objects, which are not read")
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > MAX_FILE_BYTES:
            raise UnreadableError(
                f"the array {name} would unpack to more than the {MAX_FILE_BYTES:,} bytes allowed"
            )
        with self._zip.open(self.names[name]) as file:
            return np.lib.format.read_array(file, allow_pickle=False)


def _opened(path: str | Path) -> _Arrays:
    try:
        return _Arrays(path)
    except (zipfile.BadZipFile, OSError, ValueError):
        raise UnreadableError("the archive is damaged or cut short") from None


def _parts(arrays: _Arrays) -> list[tuple[str, str | None]]:
    parts: list[tuple[str, str | None]] = [
        (f"{prefix}_", side) for prefix, side in SIDES.items() if f"{prefix}_images" in arrays.names
    ]
    if "images" in arrays.names:
        parts.append(("", None))
    if not parts:
        raise UnreadableError(
            "the archive has neither an array images nor train_images, val_images, test_images"
        )
    return parts


def _array(arrays: _Arrays, name: str) -> np.ndarray:
    try:
        return arrays.read(name)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile):
        raise UnreadableError(f"the array {name} is damaged or cut short") from None


def _shape(arrays: _Arrays, name: str) -> tuple[int, ...]:
    return arrays.header(name)[0]


def _channels_first(stack: np.ndarray, name: str) -> np.ndarray:
    """(n, rows, columns) | (n, rows, columns, 3) | (n, slices, rows, columns) with the channels as second axis."""
    if stack.dtype.kind not in "buif":
        raise UnreadableError(f"the array {name} holds {stack.dtype}, not numbers")
    if stack.ndim not in (3, 4, 5) or 0 in stack.shape:
        raise UnreadableError(f"the array {name} has the shape {stack.shape}, which is not that of images")
    check_size(stack.shape[1], stack.shape[2], stack.shape[3] if stack.ndim > 3 else 1)
    if stack.ndim == 5 and stack.shape[-1] not in (1, 3):
        raise UnreadableError(f"the array {name} has {stack.shape[-1]} channels; 1 or 3 can be read")
    if stack.ndim >= 4 and stack.shape[-1] in (1, 3):
        return np.moveaxis(stack, -1, 1)
    return stack[:, np.newaxis]


def _measured(values: np.ndarray, window: tuple[float, float] | None) -> np.ndarray:
    return to_uint16(windowed(values, *window) if window else stretched(values))


def _labels(arrays: _Arrays, prefix: str, n: int) -> list[dict[str, str | float | None]]:
    """One label as `label`, several by the names in the array `label_names`, else as `label_0`, `label_1` and so on."""
    name = f"{prefix}labels"
    if name not in arrays.names:
        return [{} for _ in range(n)]
    labels = _array(arrays, name)
    if labels.ndim not in (1, 2) or len(labels) != n:
        raise InputError(
            f"the array {name} has the shape {labels.shape} for {n} images",
            hint="one row per image is needed",
        )
    columns = labels.reshape(n, -1)
    names = _label_names(arrays, columns.shape[1])
    return [{key: _plain(value) for key, value in zip(names, row, strict=True)} for row in columns.tolist()]


def _label_names(arrays: _Arrays, n_labels: int) -> list[str]:
    if "label_names" in arrays.names:
        said = [str(_plain(name)) for name in _array(arrays, "label_names").ravel().tolist()]
        if len(said) != n_labels or len(set(said)) < n_labels:
            raise InputError(
                f"the array label_names holds {len(set(said))} names for {n_labels} labels",
                hint="one name per column of labels is needed",
            )
        return said
    return ["label"] if n_labels == 1 else [f"label_{k}" for k in range(n_labels)]


def _plain(value: Any) -> str | float | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        return value
    return None if value != value else float(value)


def _names(arrays: _Arrays, prefix: str, n: int) -> list[str]:
    folder = prefix.rstrip("_")
    plain = [f"{folder}/{number}" if folder else str(number) for number in range(n)]
    if f"{prefix}names" not in arrays.names:
        return plain
    said = [str(_plain(name)) for name in _array(arrays, f"{prefix}names").ravel().tolist()]
    return said if len(said) == n and len(set(said)) == n and not folder else plain
