"""Train: from measured compounds to a bundle with the evidence that comes with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import BundleDraft
from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.learners.compounds.store import FeatureStore
from iatros.molecules import evidence
from iatros.molecules.assay import Assay
from iatros.molecules.chance import y_scrambling
from iatros.molecules.cohort import Cohort, Reading, open_cohort
from iatros.molecules.comparison import beside_each_other
from iatros.molecules.curation.standardising import Rules
from iatros.molecules.drawn_apart import drawn_apart
from iatros.molecules.duplicates import FIRST, near_duplicates
from iatros.molecules.evaluation import Evaluator, documents
from iatros.molecules.generating.asked import is_generator
from iatros.molecules.model_card import model_card
from iatros.molecules.models import AFFINITY, MODELS
from iatros.molecules.recipe import make_recipe
from iatros.molecules.report import build
from iatros.molecules.requests import TrainRequest
from iatros.molecules.scoring import endpoint_documents
from iatros.molecules.splitting.scaffolds import groups_of
from iatros.molecules.splitting.splits import Splits, split
from iatros.molecules.trust.cliffs import errors_at_cliffs, find_cliffs
from iatros.molecules.validation import Validated, validate
from iatros.version import __version__

_EVIDENCE = "evidence.json"
_IN_MANIFEST = (
    "domain", "model", "task", "target", "endpoints", "validation", "seed", "metrics", "splits", "chosen_thresholds",
    "calibrators", "domain_of_applicability", "data", "request", "versions", "parent", "notes", "standardisation",
)  # fmt: skip
_LIBRARIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "rdkit",
    "lightgbm",
    "torch",
    "onnxruntime",
)


def train(request: TrainRequest, context: Context) -> Produced:
    """Read and reconcile the compounds, validate the whole procedure as asked, and keep the model with its evidence."""
    if request.protein is not None:
        from iatros.molecules.affinity.requested import train_pairs

        return train_pairs(request, context)
    if is_generator(request.model):
        from iatros.molecules.generating.learned import train_space

        return train_space(request, context)
    _refuse_models_of_pairs(request.model)
    recipe = make_recipe(request)
    with context.progress.step("reading the compounds"):
        cohort = open_cohort(request.compounds, reading_of(request), context, store=FeatureStore())
    for note in cohort.notes:
        context.progress.note(note)
    with context.progress.step("splitting"):
        splits = split(
            cohort,
            request.validation,
            fraction=request.held_out_fraction,
            seed=request.seed,
            folds=request.folds or None,
            similarity=request.cluster_similarity,
        )
    assay = cohort.assay(splits.groups)
    parts = [(part.development, part.test) for part in splits]
    validated = validate(assay, parts, recipe, context, Checkpoint(context.checkpoint))
    result = _result(cohort, assay, splits, validated, request, context)
    return _produced(validated, result)


def _refuse_models_of_pairs(names: Sequence[str]) -> None:
    for name in names:
        if name in AFFINITY.names() and name not in MODELS.names():
            raise RequestError(
                f"{name} is a model of pairs of a compound and a protein",
                where="model",
                hint=f"give protein, the column with the protein of each pair, or use one of "
                f"{', '.join(MODELS.names())}",
            )


def reading_of(request: TrainRequest) -> Reading:
    """How the compounds of a training are read."""
    return Reading(
        outcomes=request.outcome,
        smiles=request.smiles,
        identifier=request.identifier,
        positive=request.positive,
        task=request.task,
        relation=request.relation,
        unit=request.unit,
        unit_column=request.unit_column,
        max_spread=request.max_spread,
        conflicts=request.conflicts,
        time=request.time,
        split=request.split,
        tautomer=request.tautomer,
    )


def _result(
    cohort: Cohort,
    assay: Assay,
    splits: Splits,
    validated: Validated,
    request: TrainRequest,
    context: Context,
) -> dict[str, Any]:
    judged, final = validated.judged, validated.final
    with context.progress.step("metrics and intervals"):
        grouping, noun = (
            ("cluster", "clusters") if request.validation == "cluster" else ("scaffold", "scaffolds")
        )
        same = (
            splits.groups if request.validation in ("cluster", "scaffold", "scaffold-deterministic") else None
        )
        groups = groups_of(assay.compounds, grouping) if same is None else same
        tested = cohort.assay(groups).take(judged.rows)
        evaluator = Evaluator(tested, request.confidence_level, request.seed, noun, request.active_from)
        whole = evaluator.judge(judged.value)
        models = beside_each_other(evaluator, validated)
        shown = evidence.by_endpoint(
            tested,
            judged.answers,
            judged.cuts,
            coverage=request.coverage,
            confidence_level=request.confidence_level,
            noun=noun,
            seed=request.seed,
        )
    with context.progress.step("domain, cliffs and chance"):
        developed = assay.take(validated.development)
        domain = {
            **final.model.domain.document(),
            **evidence.by_domain(tested, judged.answers, request.confidence_level, request.seed, noun),
        }
        cliffs = _cliffs(tested, judged.value, request)
        near = _near_duplicates(cohort, splits)
        scrambled = (
            y_scrambling(developed, final.fold, n=request.y_scrambling, seed=request.seed)
            if request.y_scrambling
            else None
        )
    result = {
        "domain": "molecules",
        "model": final.selected,
        "task": cohort.task,
        "target": evidence.target_document(cohort.endpoints),
        "endpoints": endpoint_documents(cohort.endpoints),
        "validation": request.validation,
        "headline_split": validated.split,
        "noun": noun,
        "seed": request.seed,
        "metrics": {validated.split: documents(evaluator.overall(whole))},
        "endpoint_metrics": {name: documents(found) for name, found in evaluator.by_endpoint(whole).items()},
        "models": models,
        "splits": _sizes(assay, splits, validated),
        "flow": list(cohort.flow),
        "by_endpoint": shown,
        "measured": evidence.measured(assay),
        "chosen_thresholds": {
            target.name: table
            for target, table in zip(cohort.endpoints, final.thresholds, strict=True)
            if table
        },
        "calibrators": {
            target.name: calibrator.document()
            for target, calibrator in zip(cohort.endpoints, final.model.calibrators, strict=True)
        },
        "domain_of_applicability": domain,
        "cliffs": cliffs,
        "drawn_apart": drawn_apart(cohort),
        "near_duplicates": near,
        "y_scrambling": scrambled,
        "data": evidence.data_of(cohort),
        "standardisation": asdict(Rules(request.tautomer)),
        "notes": [*cohort.notes, *splits.notes, *_notes(tested, validated)],
        "request": request.model_dump(mode="json"),
        "versions": versions(_LIBRARIES),
        "parent": None,
    }
    return plain(result)


def _near_duplicates(cohort: Cohort, splits: Splits) -> dict[str, Any]:
    """Judged compounds that nearly were learned from; of several parts, all of them counted together."""
    found = [near_duplicates(cohort, part.development, part.test) for part in splits]
    whole = found[0]
    for other in found[1:]:
        for name in ("n_test", "n_near", "n_identical", "n_same_connectivity", "n_pairs"):
            whole[name] += other[name]
        whole["histogram"]["counts"] = np.add(whole["histogram"]["counts"], other["histogram"]["counts"])
        whole["pairs"] += other["pairs"]
    if len(found) > 1:
        whole["share_near"] = whole["n_near"] / whole["n_test"]
        del whole["median_similarity"]
        whole["pairs"] = sorted(whole["pairs"], key=lambda pair: -pair["similarity"])[:FIRST]
    return whole


def _cliffs(tested: Assay, value: np.ndarray, request: TrainRequest) -> list[dict[str, Any]]:
    """Where similar compounds act differently among those that were judged, and how wrong the model is there."""
    cliffs = find_cliffs(tested)
    errors = errors_at_cliffs(
        tested, value, cliffs, seed=request.seed, confidence_level=request.confidence_level
    )
    return [{**one.document(most=0), **wrong} for one, wrong in zip(cliffs, errors, strict=True)]


def _sizes(assay: Assay, splits: Splits, validated: Validated) -> dict[str, Any]:
    sides = {"development": validated.development, validated.split: validated.judged.rows}
    return {
        name: {
            "n_rows": len(rows),
            "n_groups": len(np.unique(splits.groups[rows])),
            "n_values": [int(column.sum()) for column in assay.measured[rows].T],
        }
        for name, rows in sides.items()
    }


def _notes(tested: Assay, validated: Validated) -> list[str]:
    notes = evidence.bounds_left_out(tested)
    if validated.final.model.domain.words is not None:
        notes.append(
            f"the bundle holds fingerprints of {len(validated.development):,} training compounds; keep_fingerprints "
            "leaves them out"
        )
    return notes


def _produced(validated: Validated, result: dict[str, Any]) -> Produced:
    document, files = validated.final.model.save()
    seconds = {entry["name"]: entry.pop("seconds") for entry in result["models"]}
    kept = {key: value for key, value in result.items() if key not in _IN_MANIFEST}
    files = {**files, _EVIDENCE: json.dumps(kept, sort_keys=True).encode()}
    manifest = {
        "iatros": __version__,
        **{key: result[key] for key in _IN_MANIFEST},
        "predictor": document,
        "created": {"fit_seconds": seconds},
    }
    documents_for_people = {
        "report.html": render(build(result)).encode(),
        "model_card.md": model_card(result).encode(),
    }
    return Produced(result, bundle=BundleDraft(manifest, files, documents_for_people))
