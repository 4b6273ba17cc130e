"""Judging label maps: every measure by structure and over structures, with intervals that draw patients."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.intervals import NAN, Metric, finite, group_weights
from iatros.core.metrics.bootstrap import bootstrap_interval
from iatros.imaging.segmentation.masks import Case
from iatros.imaging.segmentation.overlap import TOLERANCE_MM, Agreement, agreement

MEASURES = {
    "dice": "dice",
    "surface_distance_mm": "surface_distance_mm",
    "hausdorff95_mm": "hausdorff95_mm",
    f"surface_dice_{TOLERANCE_MM:g}mm": "surface_dice",
}
"""Names of the metrics and the fields of `Agreement` they are taken from."""

_N_BOOTSTRAP = 1000
_LIMITS = 1.96


@dataclass(frozen=True)
class Judged:
    """Agreement of each case (in the order of `rows`) and structure."""

    rows: np.ndarray
    agreements: tuple[tuple[Agreement, ...], ...]

    def values(self, field: str) -> np.ndarray:
        """One measure, (cases, structures)."""
        return np.array([[getattr(one, field) for one in case] for case in self.agreements], dtype=np.float64)

    def first(self, most: int) -> Judged:
        """The first `most` cases."""
        return Judged(self.rows[:most], self.agreements[:most])


def judge_case(labels: np.ndarray, case: Case, n_structures: int) -> tuple[Agreement, ...]:
    """Agreement of a predicted label map with the true one on the image's own grid, structure by structure."""
    return tuple(
        agreement(labels == value, case.mask == value, case.record.spacing_mm)
        for value in range(1, n_structures + 1)
    )


def metrics(
    judged: Judged,
    structures: Sequence[str],
    groups: np.ndarray,
    *,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Each measure as a document: over structures (`dice`) and of each (`dice_anterior`).

    A measure over structures is the mean of each image's mean over the structures in which it is defined. `n` counts
    the images that have a value. `groups` is the patient of each judged case; the interval is from resamples of
    patients. Measures that no image has are left out.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, field in MEASURES.items():
        columns = _columns(name, judged.values(field), structures)
        found |= _documents(columns, groups, confidence_level, seed)
    bias = judged.values("volume_ml") - judged.values("true_volume_ml")
    columns = {f"volume_bias_ml_{slug(one)}": bias[:, k] for k, one in enumerate(structures)}
    return found | _documents(columns, groups, confidence_level, seed)


def by_site(
    judged: Judged,
    structures: Sequence[str],
    groups: np.ndarray,
    sites: np.ndarray | None,
    *,
    confidence_level: float = 0.95,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Dice at each of `sites` (n,), None where none is named: `n` images, `n_patients`, and documents as `metrics`.

    Empty where fewer than two sites are named.
    """
    named = [] if sites is None else sorted({site for site in sites if site is not None})
    if sites is None or len(named) < 2:
        return {}
    columns = _columns("dice", judged.values("dice"), structures)
    found = {}
    for site in named:
        here = sites == site
        own = {name: values[here] for name, values in columns.items()}
        found[site] = {
            "n": int(here.sum()),
            "n_patients": len(np.unique(groups[here])),
            **_documents(own, groups[here], confidence_level, seed),
        }
    return found


def volumes(judged: Judged, structures: Sequence[str]) -> list[dict[str, Any]]:
    """Predicted against true volumes of each structure (Bland and Altman, 1986); empty where voxels have no size.

    `bias_ml` is the mean of predicted minus true, `limits_ml` that mean less and plus 1.96 deviations, between which
    about 95 of 100 differences lie; `pairs` are mean and difference of each image.
    """
    predicted, true = judged.values("volume_ml"), judged.values("true_volume_ml")
    if not np.isfinite(true).any():
        return []
    parts = []
    for k, name in enumerate(structures):
        known = np.isfinite(true[:, k])
        difference = predicted[known, k] - true[known, k]
        mean = float(difference.mean())
        spread = float(difference.std(ddof=1)) if len(difference) > 1 else NAN
        middle = (predicted[known, k] + true[known, k]) / 2
        parts.append(
            {
                "structure": name,
                "n": int(known.sum()),
                "mean_true_ml": float(true[known, k].mean()),
                "bias_ml": mean,
                "limits_ml": [finite(mean - _LIMITS * spread), finite(mean + _LIMITS * spread)],
                "pairs": [[float(m), float(d)] for m, d in zip(middle, difference, strict=True)],
            }
        )
    return parts


def mean_metric(
    name: str, values: np.ndarray, groups: np.ndarray, *, confidence_level: float = 0.95, seed: int = 0
) -> Metric:
    """The mean of `values` (n,) where they are defined, with an interval from resamples of `groups` (n,)."""
    known = np.isfinite(values)
    n = int(known.sum())
    if n == 0:
        return Metric(NAN, NAN, NAN, 0, None, "not defined: in no image")
    kept, whose = values[known], groups[known]
    value = float(kept.mean())
    if n > 1 and kept.min() == kept.max():
        # resamples would all be the same, which is no proof that the next patient is
        return Metric(value, NAN, NAN, n, None, "not defined: the same in every image")
    blocks = [
        weights @ kept / np.maximum(weights.sum(axis=1), 1)
        for weights in group_weights(whose, _N_BOOTSTRAP, seed)
    ]
    n_groups = len(np.unique(whose))
    low, high, label = bootstrap_interval(
        name,
        value,
        {name: np.concatenate(blocks)},
        groups=whose,
        n=n,
        n_smaller=n_groups,
        confidence_level=confidence_level,
    )
    low, high = _within(name, low, high)
    return Metric(value, low, high, n, None, label)


def means(values: np.ndarray) -> list[float]:
    """The mean of each column of (cases, structures) over the cases where it is defined; NaN where it is in none."""
    return mean_over_structures(values.T).tolist()


def mean_over_structures(values: np.ndarray) -> np.ndarray:
    """The mean of each row of (cases, structures) over the structures where it is defined; NaN where it is in none."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), NAN)


def slug(name: str) -> str:
    """The name of a structure inside the name of a metric.

    >>> slug("Left Ventricle")
    'left_ventricle'
    """
    return re.sub(r"\W+", "_", name.lower()).strip("_") or "structure"


def _documents(
    columns: dict[str, np.ndarray], groups: np.ndarray, confidence_level: float, seed: int
) -> dict[str, dict[str, Any]]:
    found = {}
    for name, values in columns.items():
        metric = mean_metric(name, values, groups, confidence_level=confidence_level, seed=seed)
        if metric.n:
            found[name] = metric.document()
    return found


def _columns(name: str, values: np.ndarray, structures: Sequence[str]) -> dict[str, np.ndarray]:
    """A measure over structures, and of each where there are several."""
    columns = {name: mean_over_structures(values)}
    if len(structures) > 1:
        columns |= {f"{name}_{slug(one)}": values[:, k] for k, one in enumerate(structures)}
    return columns


def _within(name: str, low: float, high: float) -> tuple[float, float]:
    """The interval within what the measure can be: shares up to 1, distances from 0."""
    if name.startswith(("volume_bias", "difference")):
        return low, high
    low = max(low, 0.0) if np.isfinite(low) else low
    if "dice" in name:
        high = min(high, 1.0) if np.isfinite(high) else high
    return low, high
