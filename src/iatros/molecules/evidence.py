"""The evidence beside the metrics: curves, calibration, coverage, thresholds, by endpoint."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core import evidence as core_evidence
from iatros.core.arrays import plain
from iatros.core.conformal import reached
from iatros.core.decision import threshold_table
from iatros.core.task import Target
from iatros.molecules.assay import Assay
from iatros.molecules.cohort import Cohort
from iatros.molecules.evaluation import RELATIVE, Evaluator, documents, exact_rows
from iatros.molecules.scoring import Answers

DRAWN = 2000
"""Compounds that a chart of observed against predicted shows at most."""
_FEWEST = 10
_OF_DOMAIN = ("rmse", "mae", "r2", RELATIVE, "auroc", "auprc", "brier")


def by_endpoint(
    assay: Assay,
    answers: Answers,
    cuts: tuple[dict[str, np.ndarray], ...],
    *,
    coverage: float,
    confidence_level: float,
    noun: str,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """For each endpoint that can be judged: `curves`, `calibration`, `conformal`, and of classes `thresholds`.

    `assay` holds the judged compounds in the order of `answers`.
    """
    found = {}
    for column, target in enumerate(assay.endpoints):
        rows = exact_rows(assay, column)
        y = assay.y[rows, column]
        if len(np.unique(y)) < 2:
            continue
        y = y if target.task == "continuous" else y.astype(np.int64)
        value, groups = answers.value[rows, column], assay.groups[rows]
        one: dict[str, Any] = {
            "curves": _curves(target, y, value, answers, rows, column, groups, seed),
            "calibration": core_evidence.calibration_change(
                target,
                y,
                answers.raw[rows, column],
                value,
                groups=groups,
                confidence_level=confidence_level,
                seed=seed,
            ),
            "conformal": _conformal(target, y, answers, rows, column, groups, coverage),
        }
        if target.task == "binary":
            one["thresholds"] = _thresholds(y, value, cuts[column], rows, groups, confidence_level)
        found[target.name] = said_of(one, noun)
    return found


def by_domain(
    assay: Assay, answers: Answers, confidence_level: float, seed: int, noun: str
) -> dict[str, Any]:
    """How many judged compounds lie inside and outside the domain, and the metrics of each side.

    A side with fewer than ten compounds has no metrics: they would say nothing.
    """
    sides = {"inside": np.flatnonzero(answers.inside), "outside": np.flatnonzero(~answers.inside)}
    found: dict[str, Any] = {}
    for name, rows in sides.items():
        found[name] = {"n": len(rows), "metrics": {}}
        if len(rows) >= _FEWEST:
            evaluator = Evaluator(assay.take(rows), confidence_level, seed, noun)
            metrics = documents(evaluator.overall(evaluator.judge(answers.value[rows])))
            found[name]["metrics"] = {key: metrics[key] for key in _OF_DOMAIN if key in metrics}
    return found


def measured(assay: Assay) -> list[dict[str, Any]]:
    """What was measured of each endpoint: how many values, bounds and actives, and how they are spread."""
    table = []
    for column, target in enumerate(assay.endpoints):
        rows = exact_rows(assay, column)
        y = assay.y[rows, column]
        row: dict[str, Any] = {
            "endpoint": target.name,
            "n_values": len(rows),
            "n_bounds": int((assay.bound[:, column] != 0).sum()),
        }
        if target.task == "binary":
            row["n_active"] = int(y.sum())
        else:
            names = ("lowest", "lower_quartile", "median", "upper_quartile", "highest")
            row |= dict(zip(names, np.quantile(y, [0, 0.25, 0.5, 0.75, 1]).tolist(), strict=True))
        table.append(row)
    return table


def data_of(cohort: Cohort) -> dict[str, Any]:
    """What was read, used and refused."""
    return {
        "source": cohort.source,
        "fingerprint": cohort.fingerprint,
        "n_read": cohort.counts["n_lines"],
        "n_used": len(cohort),
        "n_refused": cohort.counts["n_refused"],
        "refused": list(cohort.refused),
        "counts": cohort.counts,
    }


def bounds_left_out(assay: Assay) -> list[str]:
    """A note for each endpoint of which some judged compounds are known only as bounds."""
    notes = []
    for column, target in enumerate(assay.endpoints):
        n_bounds = int((assay.bound[:, column] != 0).sum())
        if n_bounds:
            notes.append(
                f"{target.name}: {n_bounds:,} of {int(assay.measured[:, column].sum()):,} judged compounds are known "
                "only to lie above or below a bound; they enter the concordance index and no other metric"
            )
    return notes


def target_document(endpoints: tuple[Target, ...]) -> dict[str, Any]:
    """The endpoints as the one target that every bundle names."""
    first = endpoints[0]
    if len(endpoints) == 1:
        return {"name": first.name, "task": first.task, "classes": list(first.classes), "unit": first.unit}
    return {"name": f"{len(endpoints)} endpoints", "task": first.task, "classes": [], "unit": None}


def said_of(document: Any, noun: str) -> Any:
    """`document` with the words of its intervals about groups of compounds, which core calls patients."""
    if isinstance(document, dict):
        return {
            key: value.replace("patients", noun)
            if key == "interval" and isinstance(value, str)
            else said_of(value, noun)
            for key, value in document.items()
        }
    if isinstance(document, list):
        return [said_of(one, noun) for one in document]
    return document


def _curves(
    target: Target,
    y: np.ndarray,
    value: np.ndarray,
    answers: Answers,
    rows: np.ndarray,
    column: int,
    groups: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    drawn = core_evidence.curves(target, y, value, groups, seed)
    drawn.pop("decision", None)
    if target.task == "continuous":
        shown = np.random.default_rng(seed).permutation(len(rows))[:DRAWN]
        drawn["points"] = {
            "observed": y[shown],
            "predicted": value[shown],
            "low": answers.low[rows, column][shown],
            "high": answers.high[rows, column][shown],
        }
    return plain(drawn)


def _conformal(
    target: Target,
    y: np.ndarray,
    answers: Answers,
    rows: np.ndarray,
    column: int,
    groups: np.ndarray,
    coverage: float,
) -> dict[str, Any]:
    """Coverage promised and reached, and how wide the intervals or large the sets are."""
    if target.task == "continuous":
        low, high = answers.low[rows, column], answers.high[rows, column]
        return reached(target, coverage, (low <= y) & (y <= high), high - low, groups)
    held = answers.held[rows, column]
    found = reached(target, coverage, held[np.arange(len(y)), y], held.sum(axis=1).astype(float), groups)
    found["by_class"] = {
        name: reached(
            target,
            coverage,
            held[y == label, label],
            held[y == label].sum(axis=1).astype(float),
            groups[y == label],
        )["coverage"]
        for label, name in enumerate(target.classes)
    }
    return found


def _thresholds(
    y: np.ndarray,
    value: np.ndarray,
    cuts: dict[str, np.ndarray],
    rows: np.ndarray,
    groups: np.ndarray,
    confidence_level: float,
) -> list[dict[str, Any]]:
    """What each threshold does on the judged compounds; every part of a validation brings thresholds of its own."""
    table = []
    for name, each in cuts.items():
        mean = float(each.mean())
        # Where parts differ, moving each part's values by its own distance to the mean leaves every decision as it is.
        moved = value - each[rows] + mean
        table += threshold_table(
            y, moved, [{"name": name, "threshold": mean}], groups=groups, confidence_level=confidence_level
        )
    for row in table:
        del row["net_benefit"]
    return table
