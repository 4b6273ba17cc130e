"""Evaluate: a trained model on compounds that were measured elsewhere or later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle, open_bundle
from iatros.core.context import Context, Produced
from iatros.core.report import render
from iatros.molecules import evidence
from iatros.molecules.assay import Assay
from iatros.molecules.cohort import Cohort, Reading, open_cohort
from iatros.molecules.duplicates import near_learned
from iatros.molecules.evaluation import Evaluator, documents
from iatros.molecules.evaluation_requests import EvaluateRequest
from iatros.molecules.prediction import naming
from iatros.molecules.questions import is_of_pairs, refuse_proteins
from iatros.molecules.report import build
from iatros.molecules.scoring import ActivityModel, Answers
from iatros.molecules.sources import header_of
from iatros.molecules.sources.columns import Wanted
from iatros.molecules.splitting.scaffolds import groups_of

_NOUN = "scaffolds"


def evaluate(request: EvaluateRequest, context: Context) -> Produced:
    """Metrics, calibration, coverage, thresholds and domain of a bundle on compounds with known measurements.

    With a reference, the metrics of generated compounds beside it.
    """
    if request.reference is not None:
        from iatros.molecules.distribution.comparison import evaluate_generated

        return evaluate_generated(request, context)
    assert request.model is not None
    bundle = open_bundle(request.model)
    if is_of_pairs(bundle):
        from iatros.molecules.affinity.requested import evaluate_pairs

        return evaluate_pairs(bundle, request, context)
    refuse_proteins(bundle, request)
    model = ActivityModel.from_bundle(bundle)
    with context.progress.step("reading the compounds"):
        cohort = open_cohort(request.compounds, _reading(request, bundle, model), context)
    for note in cohort.notes:
        context.progress.note(note)
    with context.progress.step("predicting"):
        answers = model.answer(cohort.compounds)
    with context.progress.step("metrics and intervals"):
        assay = cohort.assay(groups_of(cohort.compounds, "scaffold"))
        result = plain({**_naming(bundle), **_judge(bundle, model, cohort, assay, answers, request)})
    return Produced(result, documents={"report.html": render(build(result)).encode()})


def _reading(request: EvaluateRequest, bundle: Bundle, model: ActivityModel) -> Reading:
    """How the measurements are read: on the model's classes and scale, by its columns where none are named."""
    trained = bundle.manifest["request"]
    header = header_of(request.compounds, Wanted(request.smiles))
    asked_unit = request.unit is not None or request.unit_column is not None
    return Reading(
        outcomes=request.outcome or tuple(target.name for target in model.endpoints),
        smiles=request.smiles,
        identifier=request.identifier,
        relation=request.relation or (trained["relation"] if trained["relation"] in header else None),
        unit=request.unit if asked_unit else trained["unit"],
        unit_column=request.unit_column if asked_unit else trained["unit_column"],
        max_spread=trained["max_spread"],
        conflicts=trained["conflicts"],
        endpoints=model.endpoints,
        **bundle.manifest["standardisation"],
    )


def _learned_from(near: dict[str, Any] | None) -> list[str]:
    if near is None or near["n_identical"] * 10 < near["n_test"]:
        return []
    return [
        f"{near['n_identical']:,} of {near['n_test']:,} compounds have the fingerprint of one that the model learned "
        "from: the numbers are too good for compounds that are new"
    ]


def _naming(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        **naming(bundle),
        "task": manifest["task"],
        "validation": "external",
        "headline_split": "external",
        "noun": _NOUN,
        "parent": bundle.parent_reference,
    }


def _judge(
    bundle: Bundle,
    model: ActivityModel,
    cohort: Cohort,
    assay: Assay,
    answers: Answers,
    request: EvaluateRequest,
) -> dict[str, Any]:
    # Columns may be called otherwise here; the answers are about the model's endpoints.
    assay = replace(assay, endpoints=model.endpoints)
    evaluator = Evaluator(assay, request.confidence_level, request.seed, _NOUN, request.active_from)
    judged = evaluator.judge(answers.value)
    learned = model.domain.words
    near = (
        None if learned is None else near_learned(cohort.compounds.values(model.domain.fingerprint), learned)
    )
    chosen = bundle.manifest["chosen_thresholds"]
    cuts = tuple(
        {cut["name"]: np.full(len(assay), cut["threshold"]) for cut in chosen.get(target.name, [])}
        for target in model.endpoints
    )
    return {
        "metrics": {"external": documents(evaluator.overall(judged))},
        "endpoint_metrics": {name: documents(found) for name, found in evaluator.by_endpoint(judged).items()},
        "splits": {
            "external": {
                "n_rows": len(assay),
                "n_groups": len(np.unique(assay.groups)),
                "n_values": [int(column.sum()) for column in assay.measured.T],
            }
        },
        "flow": list(cohort.flow),
        "measured": evidence.measured(assay),
        "by_endpoint": evidence.by_endpoint(
            assay,
            answers,
            cuts,
            coverage=model.rules[0].confidence_level,
            confidence_level=request.confidence_level,
            noun=_NOUN,
            seed=request.seed,
        ),
        "domain_of_applicability": {
            **model.domain.document(),
            **evidence.by_domain(assay, answers, request.confidence_level, request.seed, _NOUN),
        },
        "near_duplicates": near,
        "data": evidence.data_of(cohort),
        "request": request.model_dump(mode="json"),
        "seed": request.seed,
        "notes": [*cohort.notes, *_learned_from(near), *evidence.bounds_left_out(assay)],
    }
