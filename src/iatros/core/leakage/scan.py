"""The leakage audit of a table: every check, and the score with and without what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.core.intervals import bootstrap_label, delong, group_codes, group_weights, percentile_interval
from iatros.core.leakage.columns import CHECKS, AuditColumn, Coded, Suspect, each
from iatros.core.leakage.constant_outcome import constant_outcome
from iatros.core.leakage.quick_model import MAX_ROWS, out_of_fold, sample_rows
from iatros.core.leakage.rows import (
    calendar_dates,
    duplicates,
    groups_on_two_sides,
    identifiers,
    recorded_after,
)
from iatros.core.leakage.rules import arithmetic_rules, column_rules, explains_outcome
from iatros.core.metrics.binary import discrimination
from iatros.core.metrics.result import Metric
from iatros.core.task import Target

_ORDER = {"certain": 0, "likely": 1, "look": 2}
_MIN_ROWS = 50
_N_BOOTSTRAP = 200
HEADLINE = {"binary": "auroc", "multiclass": "auroc", "continuous": "r2"}


def audit(
    columns: Sequence[AuditColumn],
    y: np.ndarray,
    target: Target,
    *,
    groups: np.ndarray | None = None,
    sides: Mapping[str, np.ndarray] | None = None,
    prediction_time: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """What in the table may give the outcome away, JSON-ready, the gravest first.

    `columns` are the predictors, each of shape (n,); `y` as in `core.task`; `sides` maps a side's name to
    its row indices; `prediction_time` (n,) is in days since 1970-01-01. Severity: "certain" fixes the
    outcome in every row that it touches, or the data dictionary says so; "likely" almost does; "look" is
    for a person to judge. `score` holds a quick model's cross-validated performance with all columns and
    without those that are certain or likely. A clean list is no proof: a proxy that is merely strong
    cannot be told from a good predictor by its numbers, and needs the recording time in the dictionary.

    >>> y = np.arange(90) % 3 == 0
    >>> status = AuditColumn("status", "categorical", np.where(y, "dead", "alive").astype(object))
    >>> report = audit([status], y.astype(int), Target("death", "binary", ("no", "yes")))
    >>> report["suspects"][0]["columns"], report["suspects"][0]["severity"]
    (['status'], 'certain')
    """
    y = np.asarray(y)
    _check(columns, y, groups)
    coded = [Coded(column) for column in columns]
    found = [
        *recorded_after(coded),
        *each(coded, lambda column: explains_outcome(column, y, target, seed)),
        *column_rules(coded, y, target),
        *arithmetic_rules(coded, y, target, seed),
        *identifiers(coded, groups),
        *calendar_dates(coded, prediction_time),
        *groups_on_two_sides(groups, sides),
        *duplicates(coded, y, groups, sides),
    ]
    told = {s.columns[0] for s in found if len(s.columns) == 1 and s.severity == "certain"}
    named = {s.columns[0] for s in found if s.check == "identifier"}
    quiet = [c for c in coded if c.name not in told | named and not c.missing.all()]
    if len(y) >= _MIN_ROWS:
        found += constant_outcome(quiet, y, target, groups, seed)
    found.sort(key=lambda s: (_ORDER[s.severity], -s.statistic, s.columns))
    return {
        "suspects": [s.document() for s in found],
        "n_suspects": len(found),
        "n_by_severity": {level: sum(s.severity == level for s in found) for level in _ORDER},
        "checks": [{"name": name, "looks_for": words} for name, words in CHECKS.items()],
        "score": _scores(coded, found, y, target, groups, seed),
    }


def _check(columns: Sequence[AuditColumn], y: np.ndarray, groups: np.ndarray | None) -> None:
    for name, length in [(c.name, len(c.values)) for c in columns] + (
        [("groups", len(groups))] if groups is not None else []
    ):
        if length != len(y):
            raise InputError(f"{name} has {length} entries, but there are {len(y)} outcomes")


def _scores(
    coded: Sequence[Coded],
    found: Sequence[Suspect],
    y: np.ndarray,
    target: Target,
    groups: np.ndarray | None,
    seed: int,
) -> dict[str, Any]:
    """The headline metric of the quick model with all columns, and without the certain and likely ones."""
    grave = sorted({name for s in found if s.severity != "look" for name in s.columns})
    metric = HEADLINE[target.task]
    model = f"gradient boosting, five grouped folds, at most {MAX_ROWS} rows"
    answer: dict[str, Any] = {
        "metric": metric,
        "model": model,
        "left_out": grave,
        "with": None,
        "without": None,
    }
    if len(y) < _MIN_ROWS or not coded:
        return answer
    kept = [c for c in coded if c.name not in grave]
    answer["with"] = _score(coded, y, target, groups, seed).document()
    if kept:
        answer["without"] = answer["with"] if not grave else _score(kept, y, target, groups, seed).document()
    return answer


def _score(
    columns: Sequence[Coded],
    y: np.ndarray,
    target: Target,
    groups: np.ndarray | None,
    seed: int,
) -> Metric:
    rows = sample_rows(len(y), seed)
    prediction = out_of_fold(columns, y, target, groups, seed)[rows]
    patients = None if groups is None else groups[rows]
    if target.task == "binary":
        return _auroc(y[rows], prediction, patients, seed)
    from iatros.core.metrics import evaluate

    metrics = evaluate(target, y[rows], prediction, groups=patients, n_bootstrap=_N_BOOTSTRAP, seed=seed)
    return metrics[HEADLINE[target.task]]


def _auroc(y: np.ndarray, p: np.ndarray, groups: np.ndarray | None, seed: int) -> Metric:
    """AUROC alone: the calibration regressions of a whole evaluation would take longer than the audit."""
    n, n_events = len(y), int(y.sum())
    value, low, high = delong(y, p)
    label = "DeLong"
    if groups is not None and group_codes(groups, n)[1] < n:
        order = np.argsort(p, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(p[order]) > 0])
        events = y[order].astype(np.float64)
        replicates = []
        for weights in group_weights(groups, _N_BOOTSTRAP, seed):
            ordered = weights[:, order]
            happened = np.add.reduceat(ordered * events, starts, axis=1)
            absent = np.add.reduceat(ordered * (1.0 - events), starts, axis=1)
            replicates.append(discrimination(happened, absent)["auroc"])
        values = np.concatenate(replicates)
        low, high, label = percentile_interval(values, 0.95, label=bootstrap_label(groups, n))
    return Metric(value, low, high, n, n_events, label)
