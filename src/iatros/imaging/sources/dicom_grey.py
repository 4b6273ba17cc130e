"""The grey scale of DICOM: Modality LUT to measured values, VOI LUT or window to black and white (PS3.3 C.11)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.imaging.sources.grey import windowed


@dataclass(frozen=True)
class Lut:
    """A table of values; what lies before or after it takes its first or last value."""

    first: int
    bits: int
    values: tuple[int, ...]

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Looked-up values, float32."""
        table = np.asarray(self.values, dtype=np.float32)
        index = np.clip(np.rint(values).astype(np.int64) - self.first, 0, len(table) - 1)
        return table[index]


@dataclass(frozen=True)
class Modality:
    """From stored to measured values, of one frame."""

    slope: float = 1.0
    intercept: float = 0.0
    lut: Lut | None = None

    @property
    def is_identity(self) -> bool:
        """Whether stored values are the measured ones."""
        return self.lut is None and self.slope == 1.0 and self.intercept == 0.0

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Measured values, float32."""
        if self.lut is not None:
            return self.lut.apply(values)
        if self.is_identity:
            return values.astype(np.float32)
        return (values.astype(np.float64) * self.slope + self.intercept).astype(np.float32)


@dataclass(frozen=True)
class Voi:
    """What of the measured values is shown: a window, or a table."""

    centre: float = 0.0
    width: float = 0.0
    function: str = "LINEAR"
    lut: Lut | None = None

    def apply(self, values: np.ndarray) -> np.ndarray:
        """0 (black) to 1 (white), float32."""
        if self.lut is None:
            return windowed(values, self.centre, self.width, self.function)
        return np.clip(self.lut.apply(values) / np.float32(2**self.lut.bits - 1), 0, 1)


def modality_of(dataset: Any, frame: int) -> Modality:
    """The Modality LUT of a frame: its own, the one shared by all frames, or the file's."""
    item = _lut_item(dataset, "ModalityLUTSequence")
    if item is not None:
        lut = _lut(item, signed=bool(dataset.get("PixelRepresentation")))
        if lut is not None:
            return Modality(lut=lut)
    holder = _group(dataset, frame, "PixelValueTransformationSequence") or dataset
    slope, intercept = _number(holder, "RescaleSlope"), _number(holder, "RescaleIntercept")
    return Modality(1.0 if slope is None or slope == 0 else slope, 0.0 if intercept is None else intercept)


def voi_of(dataset: Any, frame: int) -> Voi | None:
    """The first VOI LUT of a frame or, where there is none, its first window; None where there is neither."""
    item = _lut_item(dataset, "VOILUTSequence")
    if item is not None:
        # the table takes measured values, which are signed once anything was subtracted
        signed = bool(dataset.get("PixelRepresentation")) or modality_of(dataset, frame).intercept < 0
        lut = _lut(item, signed=signed)
        if lut is not None:
            return Voi(lut=lut)
    holder = _group(dataset, frame, "FrameVOILUTSequence") or dataset
    centre, width = _number(holder, "WindowCenter"), _number(holder, "WindowWidth")
    if centre is None or width is None or width <= 0:
        return None
    function = str(holder.get("VOILUTFunction") or "LINEAR").strip().upper()
    return Voi(centre, width, function if function in ("LINEAR", "LINEAR_EXACT", "SIGMOID") else "LINEAR")


def padding_of(dataset: Any, stored: np.ndarray) -> np.ndarray | None:
    """Which stored values are padding, or None where the file names no padding value."""
    value = _number(dataset, "PixelPaddingValue")
    if value is None:
        return None
    limit = _number(dataset, "PixelPaddingRangeLimit")
    ends = sorted((value, value if limit is None else limit))
    found = (stored >= ends[0]) & (stored <= ends[1])
    return found if found.any() else None


def _group(dataset: Any, frame: int, name: str) -> Any:
    """The item of a functional group of one frame: its own or the shared one."""
    each = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for holder in ([each[frame]] if frame < len(each) else []) + ([shared[0]] if len(shared) else []):
        item = holder.get(name)
        if item:
            return item[0]
    return None


def _lut_item(dataset: Any, name: str) -> Any:
    found = dataset.get(name)
    return found[0] if found else None


def _lut(item: Any, *, signed: bool) -> Lut | None:
    """A table from its descriptor (entries, first value, bits) and data, which may be words or bytes."""
    descriptor = item.get("LUTDescriptor")
    data = item.get("LUTData")
    if descriptor is None or len(descriptor) != 3 or data is None:
        return None
    n, first, bits = (int(part) for part in descriptor)
    n = n or 65536
    if signed and first >= 32768:
        first -= 65536
    if isinstance(data, (bytes, bytearray)):
        data = (
            struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])
            if bits > 8 or len(data) >= 2 * n
            else tuple(data)
        )
    values = tuple(int(value) for value in (data if hasattr(data, "__iter__") else [data]))[:n]
    return Lut(first, min(max(bits, 1), 16), values) if len(values) else None


def _number(holder: Any, name: str) -> float | None:
    """The first value of an element as a finite number, or None."""
    value = holder.get(name)
    if value is None or isinstance(value, (bytes, bytearray)):
        return None
    if hasattr(value, "__iter__") and not isinstance(value, str):
        value = next(iter(value), None)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
