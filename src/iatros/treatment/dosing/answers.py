"""Ask and judge a bundle of doses: from a table of patients to doses with intervals and warnings, or to metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import OutcomeError, unknown_name
from iatros.core.intervals import proportion
from iatros.core.report import render
from iatros.learners.tabular.ranges import out_of_range
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table
from iatros.treatment.dosing.model import QUESTION, DoseModel, open_dose
from iatros.treatment.dosing.schema import Columns
from iatros.treatment.dosing.settings import DoseSettings
from iatros.treatment.dosing.sources import as_text, read_doses

FEW = 100
"""A subgroup of which fewer patients were learned from is warned about."""
_USUALLY_KNOWN = 0.2
"""A missing value is warned about where at most this share of the patients learned from lacked it."""
WARNING = (
    "a predicted dose is a starting point for a clinician who follows the patient's response, no prescription"
)


def answer_dose(model: Any, table: Any, context: Context, *, subject: str | None = None) -> Produced:
    """One dose for each patient, in the order of the table, with its conformal interval and warnings.

    Flags say which values lie outside what was learned from, which usual values are missing and were filled, whether
    few patients of a subgroup were learned from, and whether the dose lies beyond those that were seen.
    """
    bundle, trained = open_dose(model)
    with context.progress.step("reading the patients"):
        patients = _read(bundle, trained, table, subject)
    with context.progress.step("answering"):
        dose, low, high = trained.answer(patients.frame)
    flags = _flags(bundle, trained, patients, dose)
    unit = bundle.manifest["target"]["unit"]
    answers: dict[str, list[Any]] = {"row": list(range(len(dose)))}
    if subject is not None:
        answers["subject"] = patients.frame[subject].to_list()
    answers |= {
        "dose": dose.tolist(),
        "low": _finite(low),
        "high": _finite(high),
        "unit": [unit] * len(dose),
        "flags": ["; ".join(found) for found in flags],
    }
    n_flagged = sum(bool(found) for found in flags)
    notes = [*patients.notes]
    if n_flagged:
        notes.append(
            f"{n_flagged} of {len(dose)} patients are unlike those that were learned from; see flags"
        )
    for note in notes:
        context.progress.note(note)
    result = {
        **naming(bundle),
        "n": len(dose),
        "n_flagged": n_flagged,
        "coverage": bundle.manifest["coverage"],
        "warning": WARNING,
        "predictions": [
            dict(zip(answers, values, strict=True)) for values in zip(*answers.values(), strict=True)
        ],
        "notes": notes,
    }
    return Produced(plain(result), table=answers)


def naming(bundle: Bundle) -> dict[str, Any]:
    """How an answer names the model that gave it."""
    manifest = bundle.manifest
    return {
        "domain": manifest["domain"],
        "question": QUESTION,
        "model": manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "target": manifest["target"],
    }


def _read(bundle: Bundle, trained: DoseModel, table: Any, subject: str | None) -> Table:
    manifest = bundle.manifest
    carried = () if subject is None else (subject,)
    patients = read_table(
        table,
        missing_codes=tuple(manifest["columns"]["missing"]),
        schema=trained.schema,
        allowed_extra=(*manifest["other_columns"], *carried),
    )
    if subject is not None and subject not in patients.frame.columns:
        raise unknown_name("column", subject, patients.frame.columns, where=patients.source)
    return patients


def _flags(bundle: Bundle, trained: DoseModel, patients: Table, dose: np.ndarray) -> list[list[str]]:
    """For each patient a sentence for everything that is unlike the patients learned from."""
    seen, unit = bundle.manifest["seen"], bundle.manifest["target"]["unit"]
    flags = out_of_range(patients, trained.schema)
    usual = [name for name, share in seen["missing"].items() if share <= _USUALLY_KNOWN]
    for name in usual:
        for row in np.flatnonzero(patients.frame[name].is_null().to_numpy()).tolist():
            flags[row].append(f"{name} is missing and was filled as in training")
    for column, levels in seen["groups"].items():
        if column in patients.frame.columns:
            for row, level in enumerate(as_text(patients.frame[column])):
                if 0 < levels.get(str(level), 0) < FEW:
                    flags[row].append(
                        f"only {levels[str(level)]} patients with this {column} were learned from"
                    )
    beyond = (dose < seen["low"]) | (dose > seen["high"])
    for row in np.flatnonzero(beyond).tolist():
        flags[row].append(
            f"the dose is beyond those that were seen ({seen['low']:g} to {seen['high']:g} {unit})"
        )
    return flags


def _finite(values: np.ndarray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def evaluate_dose(
    model: Any,
    table: Any,
    context: Context,
    *,
    subject: str | None = None,
    unit: str | None = None,
    unit_column: str | None = None,
    subgroup: tuple[str, ...] = (),
    confidence_level: float = 0.95,
    n_bootstrap: int = 500,
    seed: int = 0,
    request: dict[str, Any] | None = None,
) -> Produced:
    """How a bundle does on patients from elsewhere or later, whose needed dose stands in the column of training.

    Doses in another `unit`, or one by line in `unit_column`, are brought to that of the bundle.
    """
    from iatros.treatment.dosing import evaluation
    from iatros.treatment.dosing.actions import flow, scatter
    from iatros.treatment.dosing.report import build

    bundle, trained = open_dose(model)
    manifest = bundle.manifest
    said = manifest["columns"]
    settings = DoseSettings(
        coverage=manifest["coverage"], bands=tuple(manifest["bands"]), confidence_level=confidence_level,
        n_bootstrap=n_bootstrap, seed=seed,
    )  # fmt: skip
    own = manifest["target"]["unit"]
    columns = Columns(
        said["dose"], unit=unit or own, unit_column=unit_column, subject=subject,
        subgroup=subgroup, exclude=tuple(manifest["other_columns"]), missing=tuple(said["missing"]),
    )  # fmt: skip
    with context.progress.step("reading the patients"):
        read = read_doses(table, columns, schema=trained.schema)
    doses = replace(read.doses, y=read.doses.y * _to_own(unit or own, own), unit=own)
    if len(doses) < 2:
        raise OutcomeError("one patient has a dose that can be used, at least 2 are needed to judge")
    with context.progress.step("answering"):
        dose, low, high = trained.answer(doses.features.frame)
    covered = (low <= doses.y) & (doses.y <= high)
    width = (high - low)[np.isfinite(high - low)]
    with context.progress.step("metrics and intervals"):
        found = evaluation.judge_doses(
            doses, dose, confidence_level=confidence_level, n_bootstrap=n_bootstrap, seed=seed
        )
        result = {
            **naming(bundle),
            "task": "continuous",
            "validation": "external",
            "headline_split": "external",
            "metrics": {"external": evaluation.documents(found)},
            "splits": {
                "external": {
                    "n_rows": len(doses),
                    "n_patients": len(np.unique(doses.groups)),
                    "n_events": None,
                }
            },
            "flow": flow(read.account),
            "bands": list(settings.bands),
            "by_predicted_dose": evaluation.bands_of(doses, dose, dose, settings),
            "by_needed_dose": evaluation.bands_of(doses, dose, doses.y, settings),
            "subgroups": evaluation.by_group(doses, dose, covered, settings),
            "coverage": settings.coverage,
            "conformal": {
                "kind": "conformal, two-sided, by band of predicted dose",
                "confidence_level": settings.coverage,
                "coverage": proportion(
                    covered, groups=doses.groups, confidence_level=confidence_level
                ).document(),
                "mean_extent": float(width.mean()) if len(width) else None,
                "extent_unit": "outcome unit",
            },
            "scatter": scatter(doses.y, dose, seed),
            "data": read.account.document(),
            "request": request or {},
            "seed": seed,
            "parent": bundle.parent_reference,
            "notes": list(read.account.notes),
        }
    result = plain(result)
    return Produced(result, documents={"report.html": render(build(result)).encode()})


def _to_own(unit: str, own: str) -> float:
    from iatros.core.errors import RequestError
    from iatros.treatment.dosing.units import factor

    times = factor(unit, own)
    if times is None:
        raise RequestError(
            f"doses in {unit} cannot be brought to {own}, the unit of the bundle", where="unit"
        )
    return times
