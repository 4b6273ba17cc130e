"""Calibrators of predictions, and how calibration is shown. Applying a calibrator needs only numpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from iatros.core.calibration_curves import reliability, smooth_curve
from iatros.core.curves import expit, fit_linear, fit_logistic, logit, softmax
from iatros.core.errors import FitError, OutcomeError, unknown_name
from iatros.core.intervals import group_codes
from iatros.core.task import Target

__all__ = [
    "KINDS",
    "Calibrator",
    "CalibratorKind",
    "choose_calibrator",
    "fit_calibrator",
    "reliability",
    "row_losses",
    "smooth_curve",
]

CalibratorKind = Literal["none", "intercept", "slope", "isotonic"]
KINDS: tuple[CalibratorKind, ...] = ("none", "intercept", "slope", "isotonic")
"""From the simplest to the most flexible."""

MIN_ROWS_ISOTONIC = 1000
MIN_EVENTS_ISOTONIC = 200
_FLOOR = 1e-6
_DESCRIPTIONS = {
    ("none", "probability"): "probabilities as the model gives them",
    ("intercept", "probability"): "logit shifted by a constant",
    ("slope", "probability"): "logit shifted and scaled (Platt)",
    ("isotonic", "probability"): "monotone step curve",
    ("none", "classes"): "probabilities as the model gives them",
    ("intercept", "classes"): "log-probabilities shifted by a constant for each class",
    (
        "slope",
        "classes",
    ): "log-probabilities divided by a temperature and shifted by a constant for each class",
    ("isotonic", "classes"): "a monotone curve for each class, then divided by their sum",
    ("none", "value"): "values as the model gives them",
    ("intercept", "value"): "shifted by a constant",
    ("slope", "value"): "shifted and scaled",
    ("isotonic", "value"): "monotone curve",
}


@dataclass(frozen=True)
class Calibrator:
    """A map from a model's prediction to a calibrated one, stored as named arrays.

    `arrays` is empty for "none". "intercept" and "slope" hold `intercept` and `slope`, (1,) or for classes
    `intercept` (k,); "isotonic" holds `x`, `y` and, for classes, `lengths` (k,), the points of each class.
    `scale` (0 probability, 1 classes, 2 value) says on which scale they act.
    """

    kind: str
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def apply(self, prediction: np.ndarray) -> np.ndarray:
        """Calibrated predictions, of the same shape."""
        if self.kind == "none":
            return prediction
        scale = _scale(self.arrays)
        if self.kind == "isotonic":
            return self._apply_curves(prediction, scale)
        intercept, slope = self.arrays["intercept"], self.arrays["slope"]
        if scale == "probability":
            return expit(intercept[0] + slope[0] * logit(prediction))
        if scale == "classes":
            return softmax(intercept + slope[0] * _log(prediction))
        calibrated: np.ndarray = intercept[0] + slope[0] * prediction
        return calibrated

    def _apply_curves(self, prediction: np.ndarray, scale: str) -> np.ndarray:
        x, y = self.arrays["x"], self.arrays["y"]
        if scale != "classes":
            return np.interp(prediction, x, y)
        ends = np.cumsum(self.arrays["lengths"].astype(int))
        begins = np.r_[0, ends[:-1]]
        curves = [
            np.interp(prediction[:, k], x[begin:end], y[begin:end])
            for k, (begin, end) in enumerate(zip(begins, ends, strict=True))
        ]
        stacked = np.column_stack(curves)
        return stacked / stacked.sum(axis=1, keepdims=True)

    def document(self) -> dict[str, Any]:
        """The kind and what it does in words, with the coefficients where there are few."""
        scale = _scale(self.arrays)
        document: dict[str, Any] = {"kind": self.kind, "description": _DESCRIPTIONS[self.kind, scale]}
        if self.kind in ("intercept", "slope"):
            document["intercept"] = [float(value) for value in self.arrays["intercept"]]
            document["slope"] = float(self.arrays["slope"][0])
        if float(self.arrays.get("smoothed", np.zeros(1))[0]):
            document["description"] += (
                "; the outcome was separated perfectly, so Platt's smoothed labels were fitted"
            )
        return document

    @staticmethod
    def load(kind: str, arrays: dict[str, np.ndarray]) -> Calibrator:
        """The calibrator with these arrays; the reverse of reading its fields."""
        if kind not in KINDS:
            raise unknown_name("calibrator", kind, KINDS)
        return Calibrator(kind, dict(arrays))


def _scale(arrays: dict[str, np.ndarray]) -> str:
    return (
        ("probability", "classes", "value")[int(arrays["scale"][0])] if "scale" in arrays else "probability"
    )


def _log(prediction: np.ndarray) -> np.ndarray:
    return np.log(np.clip(prediction, _FLOOR, 1.0))


def fit_calibrator(
    kind: str, target: Target, y: np.ndarray, prediction: np.ndarray, *, weights: np.ndarray | None = None
) -> Calibrator:
    """The calibrator of `kind` fitted by maximum likelihood (least squares for a continuous outcome).

    `prediction` must come from patients that the model was not trained on. Raises OutcomeError where a
    class is missing from `y`.
    """
    if kind not in KINDS:
        raise unknown_name("calibrator", kind, KINDS)
    if kind == "none":
        return Calibrator("none")
    rows = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    _check_classes(target, y, rows)
    fitters: dict[str, Callable[..., dict[str, np.ndarray]]] = {
        "binary": _fit_binary, "multiclass": _fit_classes, "continuous": _fit_value,
    }  # fmt: skip
    arrays = fitters[target.task](kind, np.asarray(y), np.asarray(prediction, dtype=float), rows)
    scale = ("binary", "multiclass", "continuous").index(target.task)
    return Calibrator(kind, {**arrays, "scale": np.array([float(scale)])})


def _check_classes(target: Target, y: np.ndarray, weights: np.ndarray) -> None:
    if target.task == "continuous":
        if np.count_nonzero(weights) < 2:
            raise OutcomeError("calibration needs at least two patients", where=target.name)
        return
    n_classes = 2 if target.task == "binary" else len(target.classes)
    found = np.unique(np.asarray(y)[weights > 0])
    if len(found) < n_classes:
        raise OutcomeError(
            f"calibration needs patients of every class: got {len(found)} of {n_classes}",
            where=target.name, hint="use more patients, or calibration none",
        )  # fmt: skip


def _coefficients(intercept: np.ndarray, slope: float, **more: np.ndarray) -> dict[str, np.ndarray]:
    return {"intercept": np.asarray(intercept, dtype=float), "slope": np.array([float(slope)]), **more}


def _fit_binary(kind: str, y: np.ndarray, p: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    if kind == "isotonic":
        return _monotone(p, y, weights, bounded=True)
    x = logit(p)
    events, others = (weights * y)[None], (weights * (1 - y))[None]
    if kind == "intercept" or np.ptp(x) < 1e-9:
        intercept = fit_logistic(np.ones((len(x), 1)), events, others, offset=x)[0]
        if not np.isfinite(intercept[0]):
            raise FitError("the calibration intercept did not converge")
        return _coefficients(intercept, 1.0)
    design = np.column_stack([np.ones_like(x), x])
    start = np.array([[0.0, 1.0]])
    beta = fit_logistic(design, events, others, start=start)[0]
    if np.isfinite(beta).all():
        return _coefficients(beta[:1], beta[1])
    # Platt 1999, section 2.2: labels moved off 0 and 1 have a finite fit even where they are separated.
    n_events, n_others = events.sum(), others.sum()
    label = np.where(y == 1, (n_events + 1) / (n_events + 2), 1 / (n_others + 2))
    beta = fit_logistic(design, (weights * label)[None], (weights * (1 - label))[None], start=start)[0]
    if not np.isfinite(beta).all():
        raise FitError("the calibration slope did not converge", hint="use calibration intercept or none")
    return _coefficients(beta[:1], beta[1], smoothed=np.ones(1))


def _fit_classes(kind: str, y: np.ndarray, p: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    n_classes = p.shape[1]
    if kind == "isotonic":
        curves = [_monotone(p[:, k], (y == k).astype(float), weights, bounded=True) for k in range(n_classes)]
        return {
            "x": np.concatenate([curve["x"] for curve in curves]),
            "y": np.concatenate([curve["y"] for curve in curves]),
            "lengths": np.array([float(len(curve["x"])) for curve in curves]),
        }
    from scipy.optimize import minimize

    log_p, truth = _log(p), np.eye(n_classes)[y]
    free_slope = kind == "slope"
    total = weights.sum()

    def negative(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope = parameters[0] if free_slope else 1.0
        fitted = softmax(parameters[1:] + slope * log_p)
        residual = weights[:, None] * (fitted - truth)
        value = -(weights * np.log(np.clip(fitted[np.arange(len(y)), y], 1e-300, 1.0))).sum()
        gradient = np.r_[(residual * log_p).sum() if free_slope else 0.0, residual.sum(axis=0)]
        # Biases are defined up to a constant: a tiny ridge picks the one that sums to zero.
        ridge = 1e-9 * total * parameters[1:]
        return float((value + 0.5 * parameters[1:] @ ridge) / total), (gradient + np.r_[0.0, ridge]) / total

    start = np.r_[1.0, np.zeros(n_classes)]
    best = minimize(negative, start, jac=True, method="BFGS", options={"gtol": 1e-8, "maxiter": 500})
    if not np.isfinite(best.x).all() or np.abs(best.jac).max() > 1e-4:
        raise FitError("the calibration of the classes did not converge", hint="use calibration none")
    return _coefficients(best.x[1:] - best.x[1:].mean(), best.x[0])


def _fit_value(kind: str, y: np.ndarray, value: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    if kind == "isotonic":
        return _monotone(value, y, weights, bounded=False)
    if kind == "intercept" or np.ptp(value) < 1e-12:
        return _coefficients(np.array([weights @ (y - value) / weights.sum()]), 1.0)
    centre = float(value.mean())
    design = np.column_stack([np.ones_like(value), value - centre])
    beta = fit_linear(design, y.astype(float), weights[None])[0]
    return _coefficients(beta[:1] - beta[1] * centre, beta[1])


def _monotone(x: np.ndarray, y: np.ndarray, weights: np.ndarray, *, bounded: bool) -> dict[str, np.ndarray]:
    """Corner points of the isotonic curve; probabilities stay off 0 and 1 by one patient in n + 2."""
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(out_of_bounds="clip").fit(x, y.astype(float), sample_weight=weights)
    steps = np.asarray(curve.y_thresholds_, dtype=float)
    if bounded:
        n = weights.sum()
        steps = np.clip(steps, 1 / (n + 2), (n + 1) / (n + 2))
    return {"x": np.asarray(curve.X_thresholds_, dtype=float), "y": steps}


def choose_calibrator(
    target: Target, y: np.ndarray, prediction: np.ndarray, *, groups: np.ndarray | None = None, seed: int = 0
) -> Calibrator:
    """The calibrator with the least cross-validated loss, fitted on all rows; ties go to the simpler.

    Log loss, or squared error for a continuous outcome, in five grouped folds. A more flexible kind is taken
    only where it wins by more than one standard error of the paired difference over groups. Isotonic
    is tried from 1,000 rows on, with 200 rows of each class.
    """
    y, prediction = np.asarray(y), np.asarray(prediction, dtype=float)
    codes, n_groups = group_codes(groups, len(y))
    fold = _folds(target, y, codes, n_groups, seed)
    if fold is None:
        return Calibrator("none")
    best, best_loss = "none", row_losses(target, y, prediction)
    for kind in _candidates(target, y):
        losses = np.empty(len(y))
        for k in np.unique(fold):
            test = fold == k
            fitted = fit_calibrator(kind, target, y[~test], prediction[~test])
            losses[test] = row_losses(target, y[test], fitted.apply(prediction[test]))
        gain = np.bincount(codes, weights=best_loss - losses, minlength=n_groups)
        if gain.mean() > gain.std(ddof=1) / np.sqrt(n_groups):
            best, best_loss = kind, losses
    return fit_calibrator(best, target, y, prediction)


def _candidates(target: Target, y: np.ndarray) -> tuple[str, ...]:
    enough = len(y) >= MIN_ROWS_ISOTONIC
    if target.task != "continuous":
        enough = enough and int(np.bincount(y).min()) >= MIN_EVENTS_ISOTONIC
    return KINDS[1:] if enough else KINDS[1:3]


def _folds(
    target: Target, y: np.ndarray, codes: np.ndarray, n_groups: int, seed: int, n_folds: int = 5
) -> np.ndarray | None:
    """Fold of each row (n,), groups whole and classes dealt out evenly; None where a class is too rare."""
    rng = np.random.default_rng(seed)
    place = rng.permutation(n_groups)
    if target.task == "continuous":
        if n_groups < 2 * n_folds:
            return None
        rank = np.argsort(np.argsort(place))
        return (rank % n_folds)[codes]
    n_classes = 2 if target.task == "binary" else len(target.classes)
    rarity = np.argsort(np.argsort(np.bincount(y, minlength=n_classes), kind="stable"))
    stratum = np.full(n_groups, n_classes)
    np.minimum.at(stratum, codes, rarity[y])
    if np.bincount(stratum, minlength=n_classes).min() < 2:
        return None
    rank = np.empty(n_groups, dtype=int)
    rank[np.lexsort((place, stratum))] = np.arange(n_groups)
    fold = (rank % n_folds)[codes]
    missing = any(len(np.unique(y[fold != k])) < n_classes for k in np.unique(fold))
    return None if missing else fold


def row_losses(target: Target, y: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Log loss of each row, or squared error for a continuous outcome, (n,)."""
    if target.task == "continuous":
        return np.asarray((y - prediction) ** 2, dtype=float)
    if target.task == "binary":
        p = np.clip(prediction, _FLOOR, 1 - _FLOOR)
        return -np.where(y == 1, np.log(p), np.log1p(-p))
    return -_log(prediction[np.arange(len(y)), y])
