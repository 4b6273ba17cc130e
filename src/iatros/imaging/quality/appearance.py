"""Gates for images that show nothing: blank, clipped to black and white, or mere noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.imaging.quality.finding import Finding

_BLANK = 0.01
"""Standard deviation (of 0 to 1) below which an image is blank, whatever training images are like."""
_NOTHING = 1e-6
_RARE = 0.005


@dataclass(frozen=True)
class Appearance:
    """Limits learned from training images. Each flags first and refuses further out."""

    contrast: tuple[float, float]
    """Standard deviation of the grey values: flagged below the first, refused below the second."""
    clipped: tuple[float, float]
    """Share of pixels that are black or white: flagged above the first, refused above the second."""
    grain: tuple[float, float]
    """Share of the contrast that lies between neighbouring pixels: flagged and refused above."""

    @staticmethod
    def learned(measured: np.ndarray) -> Appearance:
        """From `measure` of training images, (n, 3).

        The limits lie beyond the rarest half per cent, by a share of the room that is left up to the end of the
        scale: a quarter for a flag and 60 % for a refusal.
        """
        low = float(np.quantile(measured[:, 0], _RARE))
        upper = [float(np.quantile(measured[:, column], 1.0 - _RARE)) for column in (1, 2)]
        clipped, grain = ((at + 0.25 * (1.0 - at), at + 0.6 * (1.0 - at)) for at in upper)
        return Appearance((max(0.75 * low, _BLANK), max(0.4 * low, _BLANK)), clipped, grain)

    def check(self, measured: np.ndarray) -> list[Finding]:
        """Findings of one image from its `measure`, (3,)."""
        contrast, clipped, grain = (float(value) for value in measured)
        if contrast < self.contrast[0]:
            severe = contrast < self.contrast[1]
            limit = self.contrast[1 if severe else 0]
            said = f"nearly blank: the grey values vary by {contrast:.3f} of the scale, {limit:.3f} at least is needed"
            return [Finding("blank", "refuse" if severe else "flag", said, contrast, limit)]
        found = []
        for code, value, limits, what in (
            ("saturated", clipped, self.clipped, "of the pixels are pure black or white"),
            ("noise", grain, self.grain, "of the contrast lies between neighbouring pixels"),
        ):
            if value > limits[0]:
                severe = value > limits[1]
                limit = limits[1 if severe else 0]
                said = f"{value:.0%} {what}, {limit:.0%} at most is expected"
                found.append(Finding(code, "refuse" if severe else "flag", said, value, limit))
        return found

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {"contrast": list(self.contrast), "clipped": list(self.clipped), "grain": list(self.grain)}

    @staticmethod
    def load(document: dict[str, Any]) -> Appearance:
        """The reverse of `document`."""
        return Appearance(**{name: (values[0], values[1]) for name, values in document.items()})


def measure(planes: np.ndarray) -> np.ndarray:
    """Contrast, clipped share and grain (3,) of grey planes (k, rows, columns) from 0 to 1.

    Grain is the root mean square of a pixel's difference from the mean of its four neighbours, over the contrast and
    divided by what white noise has (sqrt(1.25)), so that white noise comes to 1.
    """
    contrast = float(planes.std())
    clipped = float(((planes <= 1 / 255) | (planes >= 254 / 255)).mean())
    inner = planes[:, 1:-1, 1:-1]
    around = planes[:, :-2, 1:-1] + planes[:, 2:, 1:-1] + planes[:, 1:-1, :-2] + planes[:, 1:-1, 2:]
    if not inner.size or contrast < _NOTHING:
        return np.array([contrast, clipped, 0.0])
    rough = float(np.sqrt(np.mean((inner - around / 4) ** 2) / 1.25))
    return np.array([contrast, clipped, min(rough / contrast, 1.0)])
