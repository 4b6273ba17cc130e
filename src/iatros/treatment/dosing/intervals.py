"""Conformal intervals of a dose, each band of predicted doses with a rule of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.conformal import ConformalInterval, fit_conformal_interval

LEAST_IN_BAND = 200
"""Fewer patients cannot tell the ends of an interval of their own."""
_MOST_BANDS = 4


@dataclass(frozen=True)
class BandedInterval:
    """Intervals on the learning scale: `rules[k]` holds for predictions from `edges[k - 1]` up to `edges[k]` (k - 1,).

    Mondrian conformal prediction (Vovk, Gammerman and Shafer 2005, section 4.5) with the prediction as category: the
    promise holds in each band by itself, so that small doses do not pay for large ones.
    """

    edges: np.ndarray
    rules: tuple[ConformalInterval, ...]

    @property
    def confidence_level(self) -> float:
        """The share of new patients that an interval is to hold."""
        return self.rules[0].confidence_level

    def apply(self, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Low and high (n,) for predictions (n,), all on the learning scale; infinite where too few were seen."""
        band = np.searchsorted(self.edges, prediction, side="right")
        quantiles = np.stack([rule.quantiles for rule in self.rules])[band]
        return prediction + quantiles[:, 0], prediction + quantiles[:, 1]

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for a bundle."""
        return {
            "edges": self.edges,
            "quantiles": np.stack([rule.quantiles for rule in self.rules]),
            "confidence_level": np.array([self.confidence_level]),
        }

    @classmethod
    def load(cls, arrays: dict[str, np.ndarray]) -> BandedInterval:
        """The reverse of `arrays`."""
        level = float(arrays["confidence_level"][0])
        return cls(arrays["edges"], tuple(ConformalInterval(level, one) for one in arrays["quantiles"]))

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "kind": "conformal, two-sided, by band of predicted dose",
            "confidence_level": self.confidence_level,
            "n_bands": len(self.rules),
        }


def fit_banded(
    y: np.ndarray, prediction: np.ndarray, coverage: float, *, groups: np.ndarray
) -> BandedInterval:
    """The rule from doses and predictions (n,) on the learning scale, of patients that the model had not learned from.

    At most four bands, as many patients in each, and none with fewer than `LEAST_IN_BAND`.
    """
    n = len(np.unique(groups))
    n_bands = int(min(_MOST_BANDS, max(1, n // LEAST_IN_BAND)))
    edges = np.unique(np.quantile(prediction, np.arange(1, n_bands) / n_bands))
    band = np.searchsorted(edges, prediction, side="right")
    counts = np.bincount(band, minlength=len(edges) + 1)
    if n_bands > 1 and counts.min() < LEAST_IN_BAND // 2:  # predictions that heap on few values
        edges, band = edges[:0], np.zeros(len(y), dtype=np.int64)
    rules = [
        fit_conformal_interval(y[band == k], prediction[band == k], coverage, groups=groups[band == k])
        for k in range(len(edges) + 1)
    ]
    return BandedInterval(edges, tuple(rules))
