"""Gates for images unlike any in training: by the network's own features, and by the picture itself.

Both are Mahalanobis distances in principal components, what these leave counting as one more variance (Tipping and
Bishop 1999; Lee et al. 2018). On a network trained on chest radiographs the features alone found 92 % of ultrasound
images; the cosine distance to the nearest training images, measured beside it, found none, because a network sends
images that it does not understand towards the middle of what it knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.imaging.quality.finding import Finding

FALSE_ALARMS = (0.01, 0.001)
"""Stated share of images like those in training that are flagged, and refused, by both gates together."""
_EACH = (FALSE_ALARMS[0] / 2, FALSE_ALARMS[1] / 2)
_EXPLAINED = 0.995
_COMPONENTS = 64
_STEPS = 201
_TAIL = 0.05


@dataclass(frozen=True)
class Outliers:
    """A distance learned from some images, and limits from others."""

    arrays: dict[str, np.ndarray]
    """`centre` and `scale` (f,), `axes` (f, k), `variance` (k,) and `rest` (1,)."""
    percentiles: np.ndarray
    """Distances of the images that set the limits at 201 even percentiles, smallest to largest."""
    flag: float
    refuse: float
    n: int
    """Images that set the limits."""
    unseen: bool
    """Whether these were unknown to the network, too."""

    @staticmethod
    def learned(values: np.ndarray, held: np.ndarray, *, unseen: bool) -> Outliers:
        """From `values` (n, f); the limits are where half of `FALSE_ALARMS` of `held` (m, f) lie further out.

        They are read off an exponential tail beyond the 95th percentile: the largest of a few hundred distances
        say more about odd images than about the rate.
        """
        arrays = _fitted(np.asarray(values, dtype=np.float64))
        distance = np.sort(_distance(held, arrays))
        start = float(np.quantile(distance, 1.0 - _TAIL))
        beyond = float((distance[distance >= start] - start).mean())
        flag, refuse = (start + beyond * float(np.log(_TAIL / rate)) for rate in _EACH)
        percentiles = np.quantile(distance, np.linspace(0.0, 1.0, _STEPS))
        return Outliers(arrays, percentiles, flag, refuse, len(held), unseen)

    def distance(self, values: np.ndarray) -> np.ndarray:
        """How far out each row of `values` (n, f) lies, (n,); 0 or more."""
        return _distance(values, self.arrays)

    def check(self, values: np.ndarray, code: str, what: str) -> list[Finding]:
        """Findings of one image from its values (f,); `what` begins the message."""
        distance = float(self.distance(values[None])[0])
        if distance <= self.flag:
            return []
        severe = not distance <= self.refuse
        limit = self.refuse if severe else self.flag
        said = f"{what}: {self._place(distance)}, {distance / self.flag:.1f} times the limit"
        return [Finding(code, "refuse" if severe else "flag", said, distance, limit)]

    def _place(self, distance: float) -> str:
        """How far out, in words."""
        share = float(np.searchsorted(self.percentiles, distance) / (len(self.percentiles) - 1))
        if not share < 1.0:
            return f"further out than all {self.n} images held back in training"
        return f"further out than {share:.1%} of {self.n} images held back in training"

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "flag": self.flag,
            "refuse": self.refuse,
            "false_alarms_stated": {"flag": _EACH[0], "refuse": _EACH[1]},
            "n": self.n,
            "unseen": self.unseen,
            "components": int(self.arrays["axes"].shape[1]),
        }

    def stored(self) -> dict[str, np.ndarray]:
        """The arrays to keep."""
        return {**self.arrays, "percentiles": self.percentiles}

    @staticmethod
    def load(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Outliers:
        """The reverse of `document` and `stored`."""
        kept = {name: values for name, values in arrays.items() if name != "percentiles"}
        names = ("flag", "refuse", "n", "unseen")
        return Outliers(kept, arrays["percentiles"], *(document[name] for name in names))


def _fitted(values: np.ndarray) -> dict[str, np.ndarray]:
    centre = values.mean(axis=0)
    spread = values.std(axis=0)
    # What never varied in training says much when it does, but not infinitely much.
    scale = np.maximum(spread, 0.05 * float(spread.mean()) + 1e-9)
    return {"centre": centre, "scale": scale, **_components((values - centre) / scale)}


def _components(centred: np.ndarray) -> dict[str, np.ndarray]:
    """Principal axes with shrunk variances, and the mean variance of what they leave (Ledoit and Wolf 2004)."""
    n, f = centred.shape
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    variance = singular**2 / n
    share = np.cumsum(variance) / max(float(variance.sum()), 1e-12)
    k = int(min(np.searchsorted(share, _EXPLAINED) + 1, _COMPONENTS, max(1, n // 10), len(variance)))
    level = float(variance.sum()) / f
    shrinkage = _shrinkage(centred, variance, level)
    shrunk = (1.0 - shrinkage) * variance[:k] + shrinkage * level
    rest = (1.0 - shrinkage) * float(variance[k:].sum()) / max(f - k, 1) + shrinkage * level
    return {
        "axes": np.ascontiguousarray(axes[:k].T),
        "variance": shrunk,
        "rest": np.array([max(rest, 1e-6)]),
    }


def _shrinkage(centred: np.ndarray, variance: np.ndarray, level: float) -> float:
    """Ledoit and Wolf's weight of the multiple of the identity, from the sample covariance's eigenvalues."""
    n, f = centred.shape
    apart = float((variance**2).sum()) / f - level**2
    noise = (float(((centred**2).sum(axis=1) ** 2).mean()) - float((variance**2).sum())) / (n * f)
    return float(np.clip(noise / apart, 0.0, 1.0)) if apart > 0 else 1.0


def _distance(values: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
    centred = (np.asarray(values, dtype=np.float64) - arrays["centre"]) / arrays["scale"]
    inside = centred @ arrays["axes"]
    outside = np.maximum((centred**2).sum(axis=1) - (inside**2).sum(axis=1), 0.0)
    return np.sqrt((inside**2 / arrays["variance"]).sum(axis=1) + outside / arrays["rest"][0])
