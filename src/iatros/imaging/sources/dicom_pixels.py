"""Stored pixel values of one DICOM file, by whichever of the installed decoders can read them."""

from __future__ import annotations

import os
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from iatros.imaging.sources.dicom_header import cut_short, frames_of, transfer_syntax
from iatros.imaging.sources.limits import UnreadableError, check_size

GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_FASTEST = ("pylibjpeg", "pillow", "gdcm")
"""Measured on JPEG 2000 (1.0, 1.2, 1.7 times) and on a JPEG film (pillow 1, gdcm 5 times); all give the same values."""
_EXTENDED = "1.2.840.10008.1.2.4.51"
"""JPEG with 12 bits: pydicom leaves it out, GDCM reads it from a file of its own."""


def stored_values(dataset: Any, path: str) -> np.ndarray:
    """Values as stored: (frames, rows, columns), or (frames, rows, columns, 3) in RGB.

    Unused high bits (old overlays lie there) are dropped, signed values have their sign. UnreadableError where the
    pixels are cut short, damaged, or compressed in a way that no decoder here reads.
    """
    kind = str(dataset.PhotometricInterpretation)
    if kind not in (*GREY, *_COLOUR, "PALETTE COLOR"):
        raise UnreadableError(f"the photometric interpretation {kind[:20]} is not read")
    frames = frames_of(dataset)
    check_size(int(dataset.Rows), int(dataset.Columns), frames)
    short = cut_short(dataset)
    if short is not None:
        raise UnreadableError(short)
    values = _decoded(dataset, path)
    values = values.reshape(frames, *values.shape[1 if frames > 1 else 0 :])
    if kind in _COLOUR and (values.ndim != 4 or values.shape[-1] != 3):
        raise UnreadableError(f"a colour image ({kind}) has three samples per pixel, this one has not")
    if kind == "PALETTE COLOR":
        return _from_palette(dataset, values)
    if values.ndim != 3 and kind in GREY:
        raise UnreadableError("a grey image has one sample per pixel, this one has more")
    return values if kind in _COLOUR else _used_bits(dataset, values)


def _decoded(dataset: Any, path: str) -> np.ndarray:
    from pydicom.pixels import get_decoder

    syntax = transfer_syntax(dataset)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise UnreadableError(f"the transfer syntax is not read: {_name(syntax)}") from None
    failure = ""
    for plugin in _plugins(decoder):
        try:
            with _no_output() if plugin == "gdcm" else nullcontext():
                return np.asarray(decoder.as_array(dataset, raw=False, decoding_plugin=plugin)[0])
        except MemoryError:
            raise
        except Exception as error:  # each decoder fails in its own way, and may quote the file
            failure = type(error).__name__
    if syntax == _EXTENDED:
        return _by_gdcm(dataset, path)
    if syntax.is_encapsulated:
        raise UnreadableError(f"no decoder could read the compressed pixels ({_name(syntax)})")
    raise UnreadableError(f"the description of the pixels contradicts itself ({failure})")


def _plugins(decoder: Any) -> list[str]:
    """The installed decoders of a transfer syntax, the fastest first; one empty name where it needs none."""
    known = list(decoder.available_plugins)
    return sorted(known, key=lambda name: _FASTEST.index(name) if name in _FASTEST else len(_FASTEST)) or [""]


def _name(syntax: Any) -> str:
    return f"{syntax.name}, {syntax}" if syntax.name != str(syntax) else str(syntax)


def _by_gdcm(dataset: Any, path: str) -> np.ndarray:
    """12-bit JPEG, which GDCM decodes from a whole file only."""
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(Path(path)))
    with _no_output():
        good = reader.Read()
        content = reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape") if good else b""
    samples = int(dataset.get("SamplesPerPixel") or 1)
    shape = [frames_of(dataset), int(dataset.Rows), int(dataset.Columns)] + ([samples] if samples > 1 else [])
    size = int(dataset.BitsAllocated) // 8
    if not good or len(content) != int(np.prod(shape)) * size:
        raise UnreadableError("no decoder could read the compressed pixels (JPEG Extended)")
    values = np.frombuffer(content, dtype=f"<{'i' if dataset.get('PixelRepresentation') else 'u'}{size}")
    return values.reshape(shape if shape[0] > 1 else shape[1:])


class _no_output:  # noqa: N801 - used as a function is
    """Keeps what a C library prints on the error stream off the screen."""

    def __enter__(self) -> None:
        self._kept = os.dup(2)
        self._sink = tempfile.TemporaryFile()
        os.dup2(self._sink.fileno(), 2)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._kept, 2)
        os.close(self._kept)
        self._sink.close()


def _used_bits(dataset: Any, values: np.ndarray) -> np.ndarray:
    """Values of the stored bits alone: what lies above the high bit is dropped, what lies below is shifted out."""
    if values.dtype.kind == "f":
        return values
    allocated = values.dtype.itemsize * 8
    stored = int(dataset.get("BitsStored") or allocated)
    high = int(dataset.get("HighBit") or stored - 1)
    if not 0 < stored <= allocated or stored == allocated:
        return values
    low = high + 1 - stored
    if low > 0 and high < allocated and not transfer_syntax(dataset).is_encapsulated:
        return (values.astype(values.dtype) << (allocated - 1 - high)) >> (allocated - stored)
    return (values << (allocated - stored)) >> (allocated - stored)


def _from_palette(dataset: Any, values: np.ndarray) -> np.ndarray:
    from pydicom.pixels import apply_color_lut

    try:
        colours = np.asarray(apply_color_lut(values, dataset))[..., :3]
    except Exception as error:
        raise UnreadableError(f"the colour palette cannot be used ({type(error).__name__})") from None
    if (
        colours.dtype == np.uint16
    ):  # many palettes of 8 bits are written as 16, with the lower byte empty or repeated
        high, low = colours >> 8, colours & 255
        if not low.any() or np.array_equal(high, low):
            return high.astype(np.uint8)
    return colours
