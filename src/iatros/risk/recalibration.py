"""Recalibrate: the same model, its probabilities refitted to local patients, as a new bundle that names its parent."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle, BundleDraft, open_bundle
from iatros.core.calibration import Calibrator, fit_calibrator
from iatros.core.conformal import fit_conformal
from iatros.core.context import Context, Produced
from iatros.core.decision import choose_thresholds
from iatros.core.errors import SplitError
from iatros.core.metrics import evaluate as evaluate_metrics
from iatros.core.report import render
from iatros.core.splits import folds, split_held_out
from iatros.risk.explain import BACKGROUND
from iatros.risk.external import Local, read_labelled
from iatros.risk.model_card import model_card
from iatros.risk.prediction import naming
from iatros.risk.report import build
from iatros.risk.requests import RecalibrateRequest
from iatros.risk.scoring import RiskModel
from iatros.risk.transform import forward
from iatros.version import __version__

_FOLDS = 5
_CONFORMAL_SHARE = 1 / 3
_AT_LEAST = 30


def recalibrate(request: RecalibrateRequest, context: Context) -> Produced:
    """Refit the calibration on local patients; what it gains is measured by cross-fitting on them."""
    bundle = open_bundle(request.model)
    model = RiskModel.from_bundle(bundle)
    local = read_labelled(bundle, model, request.table, request.subject)
    _check(model, local)
    with context.progress.step("recalibrating"):
        before = model.calibrated(model.raw(local.table.frame))
        updated, side = _refit(model, local, before, request)
        after = _cross_fitted(model, local, before, request)
    metrics = {
        "local_before": _metrics(model, local, before, request),
        "local_after": _metrics(model, local, after, request),
    }
    result = plain(_result(bundle, model, local, metrics, request))
    if model.target.task == "binary":
        result["chosen_thresholds"] = plain(
            choose_thresholds(local.y[side], updated.predict(local.table.take(side).frame))
        )
    return Produced(result, bundle=_draft(bundle, updated, result))


def _check(model: RiskModel, local: Local) -> None:
    n = len(np.unique(local.groups))
    if n < _AT_LEAST:
        raise SplitError(
            f"recalibration needs at least {_AT_LEAST} patients, got {n}", where=local.table.source
        )
    if model.target.task != "continuous" and len(np.unique(local.y)) < len(model.target.classes):
        raise SplitError("recalibration needs patients of every class", where=local.table.source)


def _learned(model: RiskModel, local: Local) -> np.ndarray:
    return forward(model.transform, local.y) if model.target.task == "continuous" else local.y


def _fit(model: RiskModel, local: Local, rows: np.ndarray, before: np.ndarray, method: str) -> Calibrator:
    return fit_calibrator(method, model.target, _learned(model, local)[rows], before[rows])


def _strata(model: RiskModel, local: Local) -> np.ndarray | None:
    return None if model.target.task == "continuous" else local.y


def _refit(
    model: RiskModel, local: Local, before: np.ndarray, request: RecalibrateRequest
) -> tuple[RiskModel, np.ndarray]:
    """The new model and the rows that its calibrator saw: two thirds; the conformal rule has the other third."""
    fitted, other = split_held_out(
        len(local.y),
        groups=local.groups,
        strata=_strata(model, local),
        fraction=_CONFORMAL_SHARE,
        seed=request.seed,
    )
    calibrator = _fit(model, local, fitted, before, request.method)
    rule = None
    if model.conformal is not None:
        level = model.conformal.confidence_level
        rule = fit_conformal(
            model.target,
            _learned(model, local)[other],
            calibrator.apply(before[other]),
            level,
            groups=local.groups[other],
        )
    return model.recalibrated(calibrator, rule), fitted


def _cross_fitted(
    model: RiskModel, local: Local, before: np.ndarray, request: RecalibrateRequest
) -> np.ndarray:
    fold = folds(groups=local.groups, strata=_strata(model, local), n_folds=_FOLDS, seed=request.seed)
    after = np.empty_like(before)
    for k in range(_FOLDS):
        calibrator = _fit(model, local, np.flatnonzero(fold != k), before, request.method)
        after[fold == k] = calibrator.apply(before[fold == k])
    return after


def _metrics(
    model: RiskModel, local: Local, calibrated: np.ndarray, request: RecalibrateRequest
) -> dict[str, Any]:
    prediction = model.finish_uncalibrated(calibrated)
    found = evaluate_metrics(model.target, local.y, prediction, groups=local.groups, seed=request.seed)
    return {name: metric.document() for name, metric in found.items()}


def _result(
    bundle: Bundle, model: RiskModel, local: Local, metrics: dict[str, Any], request: RecalibrateRequest
) -> dict[str, Any]:
    manifest = bundle.manifest
    kept = {
        key: manifest[key] for key in ("task", "other_columns", "schema", "versions", "chosen_thresholds")
    }
    return {
        **naming(bundle),
        **kept,
        "validation": "recalibration",
        "headline_split": "local_after",
        "seed": request.seed,
        "metrics": metrics,
        "splits": {"local": local.sizes(model.target)},
        "calibration": {
            "kind": request.method,
            "cross_fitted": True,
            "before": metrics["local_before"],
            "after": metrics["local_after"],
        },
        "data": local.data,
        "notes": [
            f"recalibrated ({request.method}) from {bundle.name}; metrics are cross-fitted on the local patients"
        ],
        "request": {**manifest["request"], "recalibration": request.model_dump(mode="json")},
        "parent": bundle.parent_reference,
    }


def _draft(bundle: Bundle, updated: RiskModel, result: dict[str, Any]) -> BundleDraft:
    document, files = updated.save()
    left_out = ("bundle_sha256", "headline_split")
    manifest = {"iatros": __version__, **{key: value for key, value in result.items() if key not in left_out}}
    manifest |= {"predictor": document, "sites": None, "pooled": None, "conformal": None}
    files = {**files, BACKGROUND: bundle.read(BACKGROUND)}
    documents = {"report.html": render(build(result)).encode(), "model_card.md": model_card(result).encode()}
    return BundleDraft(manifest, files, documents)
