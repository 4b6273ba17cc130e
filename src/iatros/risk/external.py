"""Evaluate: a trained model on patients from elsewhere or from later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle, open_bundle
from iatros.core.conformal import reached
from iatros.core.context import Context, Produced
from iatros.core.decision import threshold_table
from iatros.core.errors import OutcomeError, unknown_name
from iatros.core.evidence import curves
from iatros.core.metrics import evaluate as evaluate_metrics
from iatros.core.report import render
from iatros.core.subgroups import subgroup_metrics
from iatros.core.task import Target
from iatros.learners.tabular.table import Table
from iatros.risk.conformal import conformal_answer
from iatros.risk.outcome import relabel
from iatros.risk.prediction import naming, read_for
from iatros.risk.report import build
from iatros.risk.requests import EvaluateRequest
from iatros.risk.scoring import RiskModel
from iatros.risk.study import subgroup_labels


def evaluate(request: EvaluateRequest, context: Context) -> Produced:
    """Metrics, calibration, thresholds and subgroups of a bundle on a table with known outcomes."""
    bundle = open_bundle(request.model)
    model = RiskModel.from_bundle(bundle)
    local = read_labelled(bundle, model, request.table, request.subject, request.subgroup)
    with context.progress.step("predicting"):
        prediction = model.predict(local.table.frame)
    with context.progress.step("metrics and intervals"):
        result = {**_naming(bundle), **_judge(bundle, model, local, prediction, request)}
    result = plain(result)
    return Produced(result, documents={"report.html": render(build(result)).encode()})


@dataclass(frozen=True)
class Local:
    """A labelled table for an existing model: rows with a known outcome, and who they are."""

    table: Table
    y: np.ndarray
    groups: np.ndarray
    subgroups: dict[str, np.ndarray]
    data: dict[str, Any]

    def sizes(self, target: Target) -> dict[str, int | None]:
        """Rows, patients and events."""
        n_events = int(self.y.sum()) if target.task == "binary" else None
        return {"n_rows": len(self.y), "n_patients": len(np.unique(self.groups)), "n_events": n_events}


def read_labelled(
    bundle: Bundle, model: RiskModel, reference: Any, subject: str | None, subgroup: tuple[str, ...] = ()
) -> Local:
    """Read features by the schema, the outcome by the classes, and leave out patients without an outcome."""
    asked = bundle.manifest["request"]
    outcome = asked["outcome"]
    carried = tuple(name for name in (subject, *subgroup) if name)
    table = read_for(bundle, model, reference, carry=carried)
    for name in (outcome, *((subject,) if subject else ())):
        if name not in table.schema.names:
            raise unknown_name("column", name, table.schema.names, where=table.source)
    y = relabel(
        table.frame[outcome], model.target, asked["positive"], where=f"{table.source}, column {outcome}"
    )
    known = np.flatnonzero(np.isfinite(y))
    if not len(known):
        raise OutcomeError("every outcome is missing", where=f"{table.source}, column {outcome}")
    y = y[known] if model.target.task == "continuous" else y[known].astype(np.int64)
    rows = table.take(known)
    groups = np.arange(len(y))
    if subject:
        groups = rows.frame[subject].cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int64)
    missing = table.n_rows - len(known)
    data = {
        "source": table.source,
        "fingerprint": rows.fingerprint(),
        "n_read": table.n_read,
        "n_used": len(known),
        "n_refused": missing,
        "refused": [],
    }
    return Local(rows, y, groups, subgroup_labels(rows.frame, subgroup, source=table.source), data)


def _naming(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        **naming(bundle),
        "task": manifest["task"],
        "validation": "external",
        "headline_split": "external",
        "parent": bundle.parent_reference,
    }


def _judge(
    bundle: Bundle, model: RiskModel, local: Local, prediction: np.ndarray, request: EvaluateRequest
) -> dict[str, Any]:
    target, y, groups = model.target, local.y, local.groups
    found = evaluate_metrics(
        target, y, prediction, groups=groups, confidence_level=request.confidence_level, seed=request.seed
    )
    thresholds = None
    if target.task == "binary":
        thresholds = threshold_table(y, prediction, bundle.manifest["chosen_thresholds"], groups=groups)
    return {
        "metrics": {"external": {name: metric.document() for name, metric in found.items()}},
        "splits": {"external": local.sizes(target)},
        "data": local.data,
        "subgroups": subgroup_metrics(
            target, y, prediction, local.subgroups, groups=groups, seed=request.seed
        ),
        "curves": curves(target, y, prediction, groups, request.seed),
        "thresholds": thresholds,
        "conformal": _conformal(model, y, prediction, groups),
        "request": request.model_dump(mode="json"),
        "seed": request.seed,
        "notes": list(local.table.notes),
    }


def _conformal(
    model: RiskModel, y: np.ndarray, prediction: np.ndarray, groups: np.ndarray
) -> dict[str, Any] | None:
    if model.conformal is None:
        return None
    covered, extent = conformal_answer(model, y, prediction)
    return reached(model.target, model.conformal.confidence_level, covered, extent, groups)
