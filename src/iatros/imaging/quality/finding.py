"""What a quality gate says about one image, and the view of the image that the gates share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from iatros.imaging.inputs import evenly, resize_plane
from iatros.imaging.schema import InputSpec

Severity = Literal["refuse", "flag"]
CODES: dict[str, str] = {
    "channels": "another number of channels, or a volume instead of an image",
    "modality": "another modality than in training",
    "body-part": "another part of the body than in training",
    "size": "far fewer or more pixels, slices or millimetres than in training",
    "proportions": "much wider or taller than in training",
    "blank": "nearly the same grey everywhere",
    "saturated": "far more pure black or white than in training",
    "noise": "far grainier than in training",
    "inverted": "black and white exchanged",
    "text": "letters burnt into the image",
    "unlike-picture": "coarse brightness and layout far from those of training images",
    "unlike-features": "the network's own features lie far from those of training images",
}
"""Every code that a finding can have, in words."""
_VIEWS = 3


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (`refuse`: no answer can be trusted) or unusual (`flag`) about an image."""

    code: str
    """One of `CODES`."""
    severity: Severity
    message: str
    """One line for a person, without patient data."""
    value: float | None = None
    """What was measured, in the unit of the message; None where it is not a number."""
    limit: float | None = None
    """The bound that was crossed."""

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "value": self.value,
            "limit": self.limit,
        }


def views(pixels: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Grey planes (k, rows, columns), 0 to 1: the image, or three slices of a volume; no larger than the input."""
    stack = pixels[:, None] if pixels.ndim == 3 else pixels[:, evenly(pixels.shape[1], _VIEWS)]
    top = np.float32(np.iinfo(pixels.dtype).max)
    grey = stack.mean(axis=0, dtype=np.float32) / top
    rows, columns = (min(have, most) for have, most in zip(grey.shape[1:], spec.size[-2:], strict=True))
    return resize_plane(np.ascontiguousarray(grey), rows, columns)
