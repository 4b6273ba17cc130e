"""Train: from visits in time to a bundle that tells what is usually prescribed next, with its evidence."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import BundleDraft
from iatros.core.context import Context, Produced
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.treatment.sequences.bundle import QUESTION
from iatros.treatment.sequences.development import Developed, judge_all
from iatros.treatment.sequences.estimator import BASELINES, make_estimator
from iatros.treatment.sequences.evaluation import Judged, differences, documents, evaluate, reliability
from iatros.treatment.sequences.model_card import model_card
from iatros.treatment.sequences.report import build
from iatros.treatment.sequences.schema import IMITATION
from iatros.treatment.sequences.settings import SequenceSettings
from iatros.treatment.sequences.sources import Columns
from iatros.treatment.sequences.splits import Sides, cut
from iatros.treatment.sequences.study import Study, open_study
from iatros.version import __version__

_LIBRARIES = ("numpy", "scipy", "polars", "torch")
_IN_MANIFEST = (
    "domain", "question", "model", "task", "target", "validation", "headline_split", "seed", "statement", "metrics",
    "splits", "conformal", "known", "columns", "k", "data", "request", "versions", "parent", "notes",
)  # fmt: skip


def train_sequences(
    settings: SequenceSettings,
    table: Any,
    columns: Columns,
    context: Context,
    *,
    visits: Any = None,
    covariates: Any = None,
    interactions: Any = None,
    request: dict[str, Any] | None = None,
) -> Produced:
    """Judge the models on subjects that they had not learned from, beside the baselines, and keep the best.

    `table` and `visits` are as in `read_histories`; `covariates` has one row for each subject, under the same subject
    column; `interactions` has the columns drug_a and drug_b. `request` is what the manifest names as the request. Of
    several models the one with the best sets on the tuning side is kept, which is not what it is judged on.
    """
    models = {**{name: {} for name in BASELINES}, **settings.candidates}
    for name, params in models.items():
        make_estimator(name, params)
    with context.progress.step("reading the visits"):
        study = open_study(
            table, columns, min_history=settings.min_history, visits=visits, covariates=covariates,
            interactions=interactions,
        )  # fmt: skip
    for note in study.account.notes:
        context.progress.note(note)
    judged_sides, final = cut(
        study.histories, study.rows, settings.validation, fraction=settings.held_out_fraction,
        n_folds=settings.n_folds, seed=settings.seed,
    )  # fmt: skip
    judged, kept, developed = judge_all(
        study, judged_sides, final, models, list(settings.candidates), settings, context
    )
    with context.progress.step("metrics and intervals"):
        result = _result(study, judged, kept, developed, judged_sides, final, settings, request or {})
    return _produced(plain(result), developed)


def _result(
    study: Study,
    judged: dict[str, Judged],
    kept: str,
    developed: Developed,
    judged_sides: list[Sides],
    final: Sides,
    settings: SequenceSettings,
    request: dict[str, Any],
) -> dict[str, Any]:
    split, own, histories = settings.validation.replace("-", "_"), judged[kept], study.histories
    models = [
        _entry(study, judged, name, kept, settings) for name in sorted(judged, key=lambda name: name != kept)
    ]
    medications = developed.model.vocabulary.medications
    return {
        "domain": "treatment",
        "question": QUESTION,
        "statement": IMITATION,
        "model": kept,
        "task": "medication set",
        "target": {
            "name": f"next {histories.medication} set",
            "task": "medication set",
            "classes": [],
            "unit": None,
        },
        "validation": settings.validation,
        "headline_split": split,
        "known": settings.known,
        "k": settings.k,
        "seed": settings.seed,
        "n_candidates": len(settings.candidates),
        "metrics": {split: models[0]["metrics"]},
        "models": models,
        "fit": developed.notes,
        "n_subjects": len(histories),
        "n_visits": histories.n_visits,
        "n_asked": len(study.rows),
        "n_first": int((histories.place[study.rows] == 0).sum()),
        "vocabulary": {kind: len(names) for kind, names in developed.model.vocabulary.names.items()},
        "outside_percent": _outside_percent(own),
        "reliability": reliability(own),
        "conformal": _promise(own, developed, models[0]["metrics"]),
        "interactions": _interactions(study, medications, settings, developed),
        "splits": _sizes(histories.owner, judged_sides, final, split),
        "columns": _named(study.columns),
        "data": {
            "source": study.source,
            "fingerprint": study.fingerprint,
            "n": len(study.rows),
            **study.account.document(),
        },
        "request": request,
        "confidence_level": settings.confidence_level,
        "versions": versions(_LIBRARIES),
        "parent": None,
        "notes": [*study.account.notes, *_notes(study, settings)],
    }


def _entry(
    study: Study, judged: dict[str, Judged], name: str, kept: str, settings: SequenceSettings
) -> dict[str, Any]:
    """A model with its metrics, and what it differs by from every baseline on the same visits."""
    own = judged[name]
    given = {
        "n_bootstrap": settings.n_bootstrap,
        "confidence_level": settings.confidence_level,
        "seed": settings.seed,
    }
    pairs = None if study.interactions is None else study.interactions.matrix(own.medications)
    found = evaluate(own, k=settings.k, interactions=pairs, **given)  # type: ignore[arg-type]
    entry: dict[str, Any] = {"name": name, "selected": name == kept, "metrics": documents(found)}
    others = [other for other in BASELINES if other != name]
    if name not in BASELINES and settings.n_bootstrap:
        entry["differences"] = {
            other: differences(own, judged[other], k=settings.k, **given)  # type: ignore[arg-type]
            for other in others
        }
    return entry


def _outside_percent(judged: Judged) -> float:
    total = judged.truth.sum() + judged.outside.sum()
    return float(100 * judged.outside.sum() / max(total, 1))


def _promise(judged: Judged, developed: Developed, metrics: dict[str, Any]) -> dict[str, Any]:
    """What was promised about missed medications, and what was reached on held-out visits."""
    control = developed.model.control
    return control.document() | {
        "reached": metrics["missed_share"],
        "mean_size": metrics["controlled_size"],
        "n_medications": len(judged.medications),
    }


def _interactions(
    study: Study, medications: tuple[str, ...], settings: SequenceSettings, developed: Developed
) -> dict[str, Any] | None:
    if study.interactions is None:
        return None
    matrix = study.interactions.matrix(medications)
    return {
        "source": study.interactions.source,
        "n_pairs": len(study.interactions.pairs),
        "n_pairs_known": int(np.triu(matrix).sum()),
        "unknown": study.interactions.unknown(medications),
    }


def _sizes(
    owner: np.ndarray, judged_sides: list[Sides], final: Sides, split: str
) -> dict[str, dict[str, int]]:
    sides = {name: rows for name, rows in final.named().items() if name != "held_out"}
    sides[split] = np.concatenate([side.held_out for side in judged_sides])
    return {
        name: {"n_rows": len(rows), "n_patients": len(np.unique(owner[rows]))} for name, rows in sides.items()
    }


def _named(columns: Columns) -> dict[str, Any]:
    code = columns.code if isinstance(columns.code, str) else dict(columns.code)
    return {
        "subject": columns.subject, "visit": columns.visit, "time": columns.time, "kind": columns.kind, "code": code,
        "medication": columns.medication,
    }  # fmt: skip


def _notes(study: Study, settings: SequenceSettings) -> list[str]:
    notes = [IMITATION]
    if settings.known == "current" and len(study.histories.codes) > 1:
        notes.append(
            "the other codes of a visit are looked at when its medications are asked for; codes that are only written "
            "at discharge are not known by then: known=past looks at earlier visits alone"
        )
    if len(study.histories) < 500:
        notes.append(
            f"{len(study.histories)} subjects are few for a model of sequences: expect the baselines to be near"
        )
    return notes


def _produced(result: dict[str, Any], developed: Developed) -> Produced:
    document, files = developed.model.save()
    evidence = {key: value for key, value in result.items() if key not in _IN_MANIFEST}
    files = {**files, "evidence.json": json.dumps(evidence, sort_keys=True).encode()}
    manifest = {"iatros": __version__} | {key: result[key] for key in _IN_MANIFEST} | {"predictor": document}
    documents_for_people = {
        "report.html": render(build(result)).encode(),
        "model_card.md": model_card(result).encode(),
    }
    return Produced(result, bundle=BundleDraft(manifest, files, documents_for_people))
