"""Train on doses: from a table of patients to a bundle with its evidence."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import BundleDraft
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError, unknown_name
from iatros.core.evidence import curves
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.core.sample_size import riley_continuous
from iatros.treatment.dosing.development import Developed, develop
from iatros.treatment.dosing.evaluation import (
    bands_of,
    beside,
    by_group,
    coverage_of,
    documents,
    group_document,
    judge_doses,
)
from iatros.treatment.dosing.model import QUESTION
from iatros.treatment.dosing.model_card import model_card
from iatros.treatment.dosing.report import build
from iatros.treatment.dosing.schema import Columns, Doses
from iatros.treatment.dosing.settings import DoseSettings, make_estimator
from iatros.treatment.dosing.sources import Account, read_doses
from iatros.treatment.dosing.validation import MEDIAN, Judged, judge, leave_out
from iatros.version import __version__

EVIDENCE = "evidence.json"
_IN_MANIFEST = (
    "domain", "question", "model", "task", "target", "validation", "seed", "metrics", "scale", "weights", "coverage",
    "bands", "seen", "columns", "data", "request", "versions", "parent", "notes", "other_columns", "schema",
)  # fmt: skip
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "polars", "lightgbm", "torch", "onnxruntime")
_SCATTER = 1000
_SAMPLE = 64


def train_dose(
    table: Any,
    columns: Columns,
    settings: DoseSettings,
    context: Context,
    *,
    request: dict[str, Any] | None = None,
) -> Produced:
    """Judge the procedure on patients that it had not learned from, beside a fixed dose, and learn from all of them.

    `table` and `columns` are as in `read_doses`; `request` is what the manifest names as the request. Where the columns
    of the published equations of warfarin are there, these are judged beside it. The bundle answers `dose`.
    """
    for name, params in settings.models.items():
        make_estimator(name, params)
    _check(columns, settings)
    with context.progress.step("reading the patients"):
        read = read_doses(table, columns)
    doses = read.doses
    for note in read.account.notes:
        context.progress.note(note)
    judged = judge(doses, settings, context)
    away = {
        column: leave_out(doses, labels, settings, context)
        for column, labels in _left_out(doses, columns, settings).items()
    }
    developed = develop(doses, settings, context, "final")
    with context.progress.step("metrics and intervals"):
        result = _result(doses, read.account, judged, away, developed, settings, columns, request or {})
    return _produced(plain(result), developed, doses)


def _check(columns: Columns, settings: DoseSettings) -> None:
    """RequestError where a column is to be left out in turn that is no subgroup."""
    for name in settings.leave_out:
        if name not in columns.subgroup:
            raise unknown_name("subgroup column", name, columns.subgroup, where="leave_out")
    if columns.site is not None and columns.site in columns.subgroup:
        raise RequestError("the site is left out in turn by itself: take it out of subgroup")


def _left_out(doses: Doses, columns: Columns, settings: DoseSettings) -> dict[str, np.ndarray]:
    found = {} if doses.sites is None or columns.site is None else {columns.site: doses.sites}
    return found | {name: doses.subgroups[name] for name in settings.leave_out}


def _result(
    doses: Doses,
    account: Account,
    judged: Judged,
    away: dict[str, dict[str, Judged]],
    developed: Developed,
    settings: DoseSettings,
    columns: Columns,
    request: dict[str, Any],
) -> dict[str, Any]:
    shown = doses.take(judged.rows)
    covered = judged.covered(doses.y)
    models = _beside_each_other(shown, judged, settings)
    measured = models[0]["metrics"]
    return {
        "domain": "treatment",
        "question": QUESTION,
        "model": settings.label,
        "task": "continuous",
        "target": {"name": doses.name, "task": "continuous", "classes": [], "unit": doses.unit},
        "validation": "cross-validation",
        "headline_split": "judged",
        "n_folds": settings.n_folds,
        "seed": settings.seed,
        "scale": settings.scale,
        "metrics": {"judged": measured},
        "models": models,
        "splits": {
            "judged": {"n_rows": len(doses), "n_patients": len(np.unique(doses.groups)), "n_events": None}
        },
        "flow": flow(account),
        "weights": developed.weights,
        "inner_error": developed.inner_error,
        "fit": developed.notes,
        "bands": list(settings.bands),
        "by_predicted_dose": bands_of(shown, judged.dose, judged.dose, settings),
        "by_needed_dose": bands_of(shown, judged.dose, shown.y, settings),
        "subgroups": by_group(shown, judged.dose, covered, settings),
        "left_out": (left := {column: _away(doses, parts, settings) for column, parts in away.items()}),
        **_sites(doses, away, left, columns.site, settings),
        "coverage": settings.coverage,
        "conformal": _conformal(shown, judged, covered, settings, developed),
        "curves": curves(shown.target, shown.y, judged.dose, shown.groups, settings.seed),
        "scatter": scatter(shown.y, judged.dose, settings.seed),
        "sample_size": _sample_size(doses, measured),
        "seen": _seen(doses),
        "columns": _columns(columns),
        "data": account.document(),
        "schema": developed.model.schema.model_dump(mode="json"),
        "other_columns": list(account.other_columns),
        "notes": [*account.notes, *_stored(developed)],
        "request": {**request, "confidence_level": settings.confidence_level},
        "versions": versions(_LIBRARIES),
        "parent": None,
        "seconds": developed.seconds,
    }


def flow(account: Account) -> list[dict[str, Any]]:
    """Rows that were read, and those that remained with a usable dose."""
    known = account.n_read - account.n_without_dose
    return [
        {"step": "read", "n_rows": account.n_read},
        {"step": "with a known dose", "n_rows": known},
        {"step": "with a dose that can be used", "n_rows": account.n_used},
    ]


def _beside_each_other(doses: Doses, judged: Judged, settings: DoseSettings) -> list[dict[str, Any]]:
    """What is kept, each candidate by itself, and the references, with how much better the kept one does than each."""
    models: list[dict[str, Any]] = []
    for name, dose in {settings.label: judged.dose, **judged.others}.items():
        own = not models
        found = judge_doses(
            doses,
            dose,
            confidence_level=settings.confidence_level,
            n_bootstrap=settings.n_bootstrap,
            seed=settings.seed,
        )
        entry: dict[str, Any] = {
            "name": name,
            "selected": own,
            "reference": name not in settings.models and not own,
            "metrics": documents(found),
        }
        if not own:
            entry["difference"] = beside(doses, judged.dose, dose, settings)
        models.append(entry)
    chosen = next(one for one in models if one["name"] == MEDIAN)
    models[0]["difference_to_baseline"] = {
        "metric": "mae", "baseline": "the median dose for everyone", **chosen["difference"]["mae"],
    }  # fmt: skip
    return models


def _away(doses: Doses, parts: dict[str, Judged], settings: DoseSettings) -> dict[str, Any]:
    """Each level that was left out: n, metrics, coverage, and the references on the same patients."""
    answer = {}
    for level, judged in parts.items():
        part = doses.take(judged.rows)
        rows = np.arange(len(part))
        entry = group_document(part, judged.dose, rows, settings)
        if not entry.get("suppressed"):
            entry["coverage"] = coverage_of(part, judged.covered(doses.y), rows, settings)
            entry["others"] = {
                name: group_document(part, dose, rows, settings)["metrics"]
                for name, dose in judged.others.items()
                if name not in settings.models
            }
        answer[level] = entry
    return answer


def _sites(
    doses: Doses,
    away: dict[str, dict[str, Judged]],
    left: dict[str, Any],
    site: str | None,
    settings: DoseSettings,
) -> dict[str, Any]:
    """Each site that was left out, and all their patients together; nothing where there are no sites."""
    if site is None:
        return {}
    parts = list(away[site].values())
    rows = np.concatenate([part.rows for part in parts])
    dose = np.concatenate([part.dose for part in parts])
    pooled = group_document(doses.take(rows), dose, np.arange(len(rows)), settings)
    return {"sites": left[site], "pooled": pooled["metrics"]}


def _conformal(
    doses: Doses, judged: Judged, covered: np.ndarray, settings: DoseSettings, developed: Developed
) -> dict[str, Any]:
    width = judged.high - judged.low
    finite = width[np.isfinite(width)]
    return {
        **developed.model.rule.document(),
        "confidence_level": settings.coverage,
        "coverage": coverage_of(doses, covered, np.arange(len(doses)), settings),
        "mean_extent": float(finite.mean()) if len(finite) else None,
        "extent_unit": "outcome unit",
    }


def scatter(y: np.ndarray, dose: np.ndarray, seed: int) -> dict[str, list[float]]:
    """Predicted and needed doses of at most a thousand patients drawn at random, for a picture."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(y))[:_SCATTER])
    return {"predicted": dose[chosen].round(2).tolist(), "needed": y[chosen].round(2).tolist()}


def _sample_size(doses: Doses, metrics: dict[str, Any]) -> dict[str, Any] | None:
    """Riley's check, each column counted as one parameter and each further level as one more."""
    r2 = metrics["r2"]["value"]
    if r2 is None:
        return None
    schema = doses.features.schema
    n_parameters = sum(max(len(column.levels) - 1, 1) for column in schema.columns)
    return riley_continuous(
        len(np.unique(doses.groups)), n_parameters,
        r2=min(max(r2, 0.01), 0.99), mean=float(doses.y.mean()), sd=float(doses.y.std()),
    )  # fmt: skip


def _stored(developed: Developed) -> list[str]:
    """Say where the bundle holds records of patients: a kernel machine is made of its support vectors."""
    n = sum(
        notes.get("n_training_rows_stored", 0)
        for name, notes in developed.notes.items()
        if developed.weights[name] > 0
    )
    if not n:
        return []
    return [f"the bundle holds {n} encoded training records (support vectors): treat it as patient data"]


def _seen(doses: Doses) -> dict[str, Any]:
    """What the patients that were learned from were like, so that an answer can say who is not like them."""
    frame = doses.features.frame
    return {
        "n": len(doses),
        "low": float(doses.y.min()),
        "high": float(doses.y.max()),
        "groups": {
            column: {
                str(level): int(n)
                for level, n in zip(*np.unique(labels.astype(str), return_counts=True), strict=True)
            }
            for column, labels in doses.subgroups.items()
        },
        "missing": {name: frame[name].null_count() / max(len(doses), 1) for name in frame.columns},
    }


def _columns(columns: Columns) -> dict[str, Any]:
    return {
        "dose": columns.dose,
        "unit": columns.unit,
        "unit_column": columns.unit_column,
        "subject": columns.subject,
        "site": columns.site,
        "subgroup": list(columns.subgroup),
        "missing": list(columns.missing),
    }


def _produced(result: dict[str, Any], developed: Developed, doses: Doses) -> Produced:
    sample = doses.features.frame.head(_SAMPLE)
    document, files = developed.model.save(sample)
    seconds = result.pop("seconds")
    evidence = {key: value for key, value in result.items() if key not in _IN_MANIFEST}
    files = {**files, EVIDENCE: json.dumps(evidence, sort_keys=True).encode()}
    manifest = {"iatros": __version__} | {key: result[key] for key in _IN_MANIFEST} | {"predictor": document}
    manifest["created"] = {"fit_seconds": seconds}
    for_people = {
        "report.html": render(build(result)).encode(),
        "model_card.md": model_card(result).encode(),
    }
    return Produced(result, bundle=BundleDraft(manifest, files, for_people))
