"""Train: from a table to a bundle with the evidence that comes with it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import BundleDraft
from iatros.core.checkpoint import Checkpoint
from iatros.core.conformal import reached
from iatros.core.context import Context, Produced
from iatros.core.evidence import curves
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.learners.tabular.schema import Column, TableSchema
from iatros.risk import evidence
from iatros.risk.attributions import explanation
from iatros.risk.description import table_one
from iatros.risk.evaluation import Evaluator
from iatros.risk.explain import BACKGROUND, pack_background
from iatros.risk.leakage import audit_study, without_suspects
from iatros.risk.model_card import model_card
from iatros.risk.recipe import BASELINE, Recipe, make_recipe
from iatros.risk.report import build
from iatros.risk.requests import TrainRequest
from iatros.risk.study import Study, open_study
from iatros.risk.validation import Validated, outer_sides, validate
from iatros.version import __version__

_EVIDENCE = "evidence.json"
_IN_MANIFEST = (
    "domain", "model", "task", "target", "validation", "seed", "metrics", "sites", "pooled", "splits",
    "chosen_thresholds", "calibration", "conformal", "data", "request", "versions", "parent", "notes", "other_columns",
)  # fmt: skip
_LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "polars",
    "lightgbm",
    "torch",
    "onnxruntime",
    "shap",
    "optuna",
)


def train(request: TrainRequest, context: Context) -> Produced:
    """Audit the table, validate the whole procedure as asked, and keep the final model with its evidence."""
    recipe = make_recipe(request)
    progress = context.progress
    checkpoint = Checkpoint(context.checkpoint)
    with progress.step("reading the table"):
        study = open_study(request)
    for note in study.notes:
        progress.note(note)
    with progress.step("leakage audit"):
        leakage = audit_study(study, outer_sides(study, request), request.seed)
    _warn(study, leakage, request, context)
    if request.drop_suspects:
        study = without_suspects(study, leakage)
    validated = validate(study, request, recipe, context, checkpoint)
    result = _result(study, request, recipe, validated, context, checkpoint)
    result["leakage"] = leakage
    result["notes"] += _site_warning(study, validated)
    return _produced(study, validated, plain(result), request)


def _result(
    study: Study,
    request: TrainRequest,
    recipe: Recipe,
    validated: Validated,
    context: Context,
    checkpoint: Checkpoint,
) -> dict[str, Any]:
    evaluator = Evaluator(study, request.confidence_level, request.seed)
    judged = validated.shown
    with context.progress.step("metrics and intervals"):
        metrics = evaluator.by_split(validated)
        models = evaluator.models(validated, BASELINE)
        sites, pooled = evaluator.sites(validated)
        y, groups = study.y[judged.rows], study.groups[judged.rows]
        drawn = curves(study.target, y, judged.prediction, groups, request.seed)
        thresholds = evidence.thresholds(study, judged)
        subgroups = evidence.subgroups(study, judged, request.seed)
        calibration = evidence.calibration_change(study, validated, judged, request.seed)
        conformal = reached(study.target, recipe.coverage, judged.covered, judged.extent, groups)
    instability = None
    if request.instability:
        instability = evidence.individual_instability(
            study, validated, recipe, request.instability, context, checkpoint
        )
    with context.progress.step("explanations"):
        attributions = explanation(study, validated, judged, request.seed)
    headline = metrics[validated.split]
    return {
        "domain": "risk",
        "model": validated.final.selected,
        "task": study.target.task,
        "target": {
            "name": study.target.name,
            "task": study.target.task,
            "classes": list(study.target.classes),
            "unit": study.target.unit,
        },
        "validation": request.validation,
        "headline_split": validated.split,
        "seed": request.seed,
        "metrics": metrics,
        "sites": sites,
        "pooled": pooled,
        "models": models,
        "splits": _split_sizes(study, validated),
        "flow": list(study.flow),
        "table_one": table_one(study.features, study.target, study.y),
        "curves": drawn,
        "chosen_thresholds": validated.final.thresholds(study),
        "thresholds": thresholds,
        "subgroups": subgroups,
        "calibration": calibration,
        "conformal": conformal,
        "explanation": attributions,
        "instability": instability,
        "sample_size": evidence.sample_size(
            study, n_parameters(study.features.schema), validated.development, headline
        ),
        "data": study.data,
        "schema": study.features.schema.model_dump(mode="json"),
        "other_columns": _other_columns(study),
        "notes": [*study.notes, *validated.notes, *_stored_patients(validated)],
        "request": request.model_dump(mode="json"),
        "versions": versions(_LIBRARIES),
        "parent": None,
    }


def _produced(study: Study, validated: Validated, result: dict[str, Any], request: TrainRequest) -> Produced:
    document, files = validated.final.model.save()
    background = validated.background(study, request.seed)
    seconds = {entry["name"]: entry.pop("seconds") for entry in result["models"]}
    files = {
        **files,
        BACKGROUND: pack_background(background),
        _EVIDENCE: json.dumps(
            {k: v for k, v in result.items() if k not in _IN_MANIFEST}, sort_keys=True
        ).encode(),
    }
    manifest = (
        {"iatros": __version__}
        | {key: result[key] for key in _IN_MANIFEST}
        | {
            "schema": result["schema"],
            "predictor": document,
        }
    )
    manifest["created"] = {"fit_seconds": seconds}
    documents = {
        "report.html": render(build(result)).encode(),
        "model_card.md": model_card(result).encode(),
    }
    return Produced(result, bundle=BundleDraft(manifest, files, documents))


def n_parameters(schema: TableSchema) -> int:
    """Candidate predictor parameters offered to a model: one per number, levels less one per category."""
    return sum(_parameters(column) for column in schema.columns)


def _parameters(column: Column) -> int:
    return max(len(column.levels) - 1, 1) if column.kind == "categorical" else 1


def _split_sizes(study: Study, validated: Validated) -> dict[str, Any]:
    final = validated.final
    sides = {name: rows for name, rows in final.sides.items() if len(rows)}
    sides["unseen"] = final.unseen_rows
    if validated.split in ("held_out", "time"):
        sides[validated.split] = validated.judged[0].rows
    sizes = {name: study.sizes(np.asarray(rows)) for name, rows in sides.items() if name != "unseen"}
    if final.cross_fitted:
        for name in ("tuning", "calibration"):
            sizes[name] = {**study.sizes(final.unseen_rows), "cross_fitted": True}
    return sizes


def _other_columns(study: Study) -> list[str]:
    return sorted(set(study.all_columns) - set(study.features.schema.names))


def _warn(study: Study, leakage: dict[str, Any], request: TrainRequest, context: Context) -> None:
    suspects = [name for name in leakage["score"]["left_out"] if name in study.features.schema.names]
    if suspects:
        what = "left out" if request.drop_suspects else "still learned from; see drop_suspects, exclude, keep"
        context.progress.note(f"leakage audit: {', '.join(suspects)} may give the outcome away ({what})")


def _stored_patients(validated: Validated) -> list[str]:
    """Say where a bundle holds records of patients: a kernel machine is made of its support vectors."""
    notes = validated.final.notes[validated.final.selected]
    parts = [notes, *notes.get("members", {}).values()]
    stored = sum(part.get("n_training_rows_stored", 0) for part in parts if isinstance(part, dict))
    if not stored:
        return []
    return [f"the bundle holds {stored} encoded training records (support vectors): treat it as patient data"]


def _site_warning(study: Study, validated: Validated) -> list[str]:
    """Say where a site's share of one class is too small for its AUROC to mean much."""
    if validated.split != "site" or study.target.task != "binary":
        return []
    notes = []
    for judged in validated.judged:
        y = study.y[judged.rows]
        fewest = int(min(y.sum(), len(y) - y.sum()))
        if fewest < 20:
            which = "without" if fewest == len(y) - y.sum() else "with"
            notes.append(
                f"{judged.name} has {fewest} patients {which} the event: "
                "its AUROC, and so the mean over sites, is known only roughly"
            )
    return notes
