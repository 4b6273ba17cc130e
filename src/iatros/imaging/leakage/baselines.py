"""What can be guessed without looking at the patient: from the image's border, or without any image at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.core.leakage.scan import HEADLINE
from iatros.core.metrics import evaluate
from iatros.core.task import Target
from iatros.imaging.inputs import resize_plane
from iatros.imaging.schema import ImageRecord

BORDER = 0.1
"""Share of the rows or columns at each side that counts as border."""
_RING_SIDE = 20
_TREES = 300
_MAX_ROWS = 6000
_N_BOOTSTRAP = 200
_MAX_LEVELS = 20
_EDGES = (0.15, 0.35)
_NAMES = ("manufacturer", "scanner", "modality", "body_part", "site", "sex")


def border_baseline(
    images: np.ndarray, y: np.ndarray, groups: np.ndarray | None, folds: np.ndarray, seed: int
) -> dict[str, Any]:
    """How well the outermost tenth of the image tells the outcome, each fold predicted from the others.

    `images` (n, rows, columns) from 0 to 255, such as `thumbnails` gives them, without padding; `y` (n,) class
    numbers from 0, or floats for a quantity; `groups` (n,) the patients; `folds` (n,) the fold of each image, no
    group on two. Keys: `metric` (auroc, or r2 for a quantity), `value`, `low`, `high`, `n`, `n_events`,
    `interval`, `model` and `features` (words).
    """
    features = border_features(np.asarray(images, dtype=np.float32))
    said = f"brightness, histogram, edges and a {_RING_SIDE} x {_RING_SIDE} px ring of the outermost {BORDER:.0%}"
    return _guessed(features, y, groups, folds, seed, [said])


def metadata_baseline(
    records: Sequence[ImageRecord],
    y: np.ndarray,
    groups: np.ndarray | None,
    folds: np.ndarray,
    seed: int,
    *,
    columns: Sequence[str] = (),
) -> dict[str, Any]:
    """How well size, spacing, scanner, site, sex, age and the named `columns` tell the outcome, without a pixel.

    Arguments and keys as `border_baseline`; `features` names what varies among the images. Where nothing does,
    `value` is None and `interval` says so.
    """
    features, names = metadata_features(records, columns)
    if not names:
        why = "not defined: nothing but the pixels differs between the images"
        document = {"metric": _metric(y), "value": None, "low": None, "high": None, "n": len(y)}
        return {**document, "n_events": None, "interval": why, "model": None, "features": []}
    return _guessed(features, y, groups, folds, seed, names)


def border_features(images: np.ndarray) -> np.ndarray:
    """Numbers (n, f) that depend on the border of `images` (n, rows, columns; 0 to 255) alone."""
    if images.ndim != 3 or min(images.shape[1:]) < 10:
        raise InputError(
            f"the border needs grey images (n, rows, columns) of at least 10 x 10, got shape {images.shape}"
        )
    rows, columns = images.shape[1:]
    high, wide = max(1, round(BORDER * rows)), max(1, round(BORDER * columns))
    strips = (images[:, :high], images[:, -high:], images[:, :, :wide], images[:, :, -wide:])
    parts = [_strip_features(strip / np.float32(255.0)) for strip in strips]
    hidden = images.copy()
    hidden[:, high : rows - high, wide : columns - wide] = 0.0
    small = resize_plane(hidden, _RING_SIDE, _RING_SIDE) / np.float32(255.0)
    edge = round(BORDER * _RING_SIDE)
    ring = np.ones((_RING_SIDE, _RING_SIDE), dtype=bool)
    ring[edge:-edge, edge:-edge] = False
    return np.concatenate([*parts, small[:, ring]], axis=1)


def _strip_features(strip: np.ndarray) -> np.ndarray:
    flat = strip.reshape(len(strip), -1)
    levels = np.quantile(flat, [0.05, 0.25, 0.5, 0.75, 0.95, 1.0], axis=1).T
    histogram = [((flat >= k / 16) & (flat < (k + 1) / 16)).mean(axis=1) for k in range(15)]
    steps = [np.abs(np.diff(strip, axis=axis)).reshape(len(strip), -1) for axis in (1, 2)]
    step = np.concatenate(steps, axis=1)
    edges = [(step > limit).mean(axis=1) for limit in _EDGES]
    return np.column_stack(
        [flat.mean(axis=1), flat.std(axis=1), levels, *histogram, *edges, step.mean(axis=1)]
    )


def metadata_features(records: Sequence[ImageRecord], columns: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Numbers (n, f) and the names of what varies; NaN where unknown."""
    numbers = _numbers(records, columns)
    words: dict[str, list[str | None]] = {name: [getattr(r, name) for r in records] for name in _NAMES}
    for name in columns:
        cells = [record.columns.get(name) for record in records]
        if any(isinstance(cell, str) for cell in cells):
            words[name] = [None if cell is None else str(cell) for cell in cells]
    parts, names = [], []
    for name, values in numbers.items():
        if len(np.unique(values)) > 1:
            parts.append(values[:, None])
            names.append(name)
    for name, labels in words.items():
        coded = _indicators(labels)
        if coded.shape[1]:
            parts.append(coded)
            names.append(name)
    return (np.concatenate(parts, axis=1) if parts else np.zeros((len(records), 0))), names


def _numbers(records: Sequence[ImageRecord], columns: Sequence[str]) -> dict[str, np.ndarray]:
    rows = [
        {
            "channels": float(r.shape[0]),
            "slices": float(r.shape[1]) if r.is_volume else np.nan,
            "rows": float(r.shape[-2]),
            "columns": float(r.shape[-1]),
            "proportions": r.shape[-1] / r.shape[-2],
            "spacing_mm": r.spacing_mm[-1] if r.spacing_mm else np.nan,
            "slice_spacing_mm": r.spacing_mm[0] if r.spacing_mm and r.is_volume else np.nan,
            "age": np.nan if r.age is None else r.age,
        }
        for r in records
    ]
    found = {name: np.array([row[name] for row in rows]) for name in rows[0]} if rows else {}
    for name in columns:
        cells = [record.columns.get(name) for record in records]
        if not any(isinstance(cell, str) for cell in cells):
            found[name] = np.array([np.nan if cell is None else float(cell) for cell in cells])
    return found


def _indicators(labels: Sequence[str | None]) -> np.ndarray:
    """One column for each of the commonest labels, missing being one too; none where all are alike."""
    known, code, count = np.unique([label or "" for label in labels], return_inverse=True, return_counts=True)
    if len(known) < 2:
        return np.zeros((len(labels), 0))
    kept = np.argsort(-count, kind="stable")[:_MAX_LEVELS]
    return (code[:, None] == kept[None]).astype(np.float64)


def _metric(y: np.ndarray) -> str:
    return HEADLINE[_target(np.asarray(y)).task]


def _target(y: np.ndarray) -> Target:
    if y.dtype.kind == "f":
        return Target("outcome", "continuous")
    classes = tuple(str(k) for k in range(int(y.max()) + 1))
    return Target("outcome", "binary" if len(classes) == 2 else "multiclass", classes)


def _guessed(
    features: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray | None,
    folds: np.ndarray,
    seed: int,
    names: list[str],
) -> dict[str, Any]:
    y, folds = np.asarray(y), np.asarray(folds)
    if y.dtype.kind == "b":
        y = y.astype(np.int64)
    target = _target(y)
    rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:_MAX_ROWS])
    features, y, folds = features[rows], y[rows], folds[rows]
    patients = None if groups is None else np.asarray(groups)[rows]
    prediction = _out_of_fold(features, y, folds, target, seed)
    metric = evaluate(target, y, prediction, groups=patients, n_bootstrap=_N_BOOTSTRAP, seed=seed)[_metric(y)]
    model = f"{_TREES} extremely randomised trees, {len(np.unique(folds))} folds by patient"
    return {"metric": _metric(y), **metric.document(), "model": model, "features": names}


def _out_of_fold(
    features: np.ndarray, y: np.ndarray, folds: np.ndarray, target: Target, seed: int
) -> np.ndarray:
    """Predictions in the shape that `Target` promises; a class absent from a fold's training rows gets 0."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    shape = (len(y), len(target.classes)) if target.classes else (len(y),)
    prediction = np.zeros(shape)
    kind = ExtraTreesRegressor if target.task == "continuous" else ExtraTreesClassifier
    for fold in np.unique(folds):
        inside = folds == fold
        model = kind(_TREES, min_samples_leaf=2, max_features=0.3, random_state=seed, n_jobs=1)
        model.fit(features[~inside], y[~inside])
        if target.task == "continuous":
            prediction[inside] = model.predict(features[inside])
        else:
            prediction[np.ix_(inside, model.classes_)] = model.predict_proba(features[inside])
    return prediction[:, 1] if target.task == "binary" else prediction
