"""Train on responses: from a long table to a bundle with its evidence."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import BundleDraft
from iatros.core.context import Context, Produced
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.learners.tabular.estimators.params import check_overrides
from iatros.treatment.models import MODELS
from iatros.treatment.models.ensemble import members_for
from iatros.treatment.requests import TrainRequest
from iatros.treatment.responses import evaluation
from iatros.treatment.responses.bundle import QUESTION, ResponseModel
from iatros.treatment.responses.evaluation import Judged, main_metric, observed_lists, point_metrics
from iatros.treatment.responses.model_card import model_card
from iatros.treatment.responses.names import key_of
from iatros.treatment.responses.report import build
from iatros.treatment.responses.schema import Responses
from iatros.treatment.responses.settings import BASELINE, Settings, make_estimator
from iatros.treatment.responses.study import Study, data_document, open_study
from iatros.treatment.responses.trust import calibration_of, learn_intervals, reached_coverage
from iatros.treatment.responses.validation import fit_all, judge_all
from iatros.version import __version__

LIBRARIES = ("numpy", "scipy", "numba", "lightgbm", "torch", "implicit", "rdkit")
_IN_MANIFEST = (
    "domain", "question", "model", "task", "outcome_kind", "target", "validation", "seed", "metrics", "better",
    "design", "standing", "n_subjects", "n_treatments", "data", "request", "versions", "parent", "notes", "columns",
    "k", "coverage", "confidence_level",
)  # fmt: skip
ASSOCIATION = (
    "association, not effect: who was given what was not drawn by lot, and those given a treatment differ from the "
    "others in what it was given for (confounding by indication)"
)
IMITATION = (
    "imitation: the model says what is usually given to such subjects, and nothing of whether it helped them"
)
BY_LOT = "treatments were assigned at random: still a prediction for a subject, and no estimate of an effect"


def train_responses(request: TrainRequest, context: Context) -> Produced:
    """Judge the models on pairs that they had not learned from, beside the means, and fit the best on everything."""
    with context.progress.step("reading the responses"):
        study = open_study(request)
    settings = settings_of(request, study.responses)
    for name, params in settings.judged.items():
        make_estimator(name, params, study.responses.outcome)
    for note in study.notes:
        context.progress.note(note)
    judged = judge_all(study.responses, settings, context)
    kept = _best({name: judged[name] for name in settings.candidates}, study)
    with context.progress.step("metrics and intervals"):
        result = _result(study, judged, kept, settings, request)
    with context.progress.step(f"{kept}: all responses"):
        predictor, notes = fit_all(study.responses, kept, settings.candidates[kept], settings)
    result["fit"] = notes
    salt = study.fingerprint[:32]
    names = study.responses.subjects
    model = ResponseModel(
        predictor, study.responses,
        learn_intervals(judged[kept], study.responses.outcome, study.responses.shape[1], settings.coverage),
        study.of_subjects, study.of_treatments,
        names if request.keep_names else tuple(key_of(salt, name) for name in names),
        not request.keep_names, salt,
    )  # fmt: skip
    return _produced(plain(result), model)


def settings_of(request: TrainRequest, responses: Responses) -> Settings:
    """How a request wants its models trained and judged; unknown models and parameters raise here."""
    able = [one.name for one in MODELS if responses.outcome in MODELS.load(one.name).outcomes]
    wanted = request.model or (_usual(responses),)
    names = [name for asked in wanted for name in (able if asked == "all" else (asked,))]
    params = check_overrides(tuple(dict.fromkeys(names)), request.param, MODELS)
    return Settings(
        candidates={name: given.model_dump() for name, given in params.items()},
        newness=request.validation,
        n_folds=request.folds,
        given=request.given,
        later=request.held_out_fraction,
        better=request.better,
        k=request.k,
        coverage=request.coverage,
        confidence_level=request.confidence_level,
        seed=request.seed,
    )


def _usual(responses: Responses) -> str:
    """The model that a user gets who names none."""
    if responses.outcome != "implicit":
        return "ensemble"
    return "kernel" if "kernel" in members_for(responses) else "als"


def _best(judged: dict[str, Judged], study: Study) -> str:
    """The model with the best main metric; of equals the first that was named."""
    outcome = study.responses.outcome
    name = main_metric(outcome)
    sign = -1.0 if outcome == "implicit" else 1.0
    scores = {one: sign * point_metrics(found, outcome)[name] for one, found in judged.items()}
    return min(scores, key=lambda one: scores[one])


def _result(
    study: Study, judged: dict[str, Judged], kept: str, settings: Settings, request: TrainRequest
) -> dict[str, Any]:
    responses, own = study.responses, judged[kept]
    outcome = responses.outcome
    models = [
        _model(study, judged, name, kept, settings) for name in sorted(judged, key=lambda name: name != kept)
    ]
    n_treatments = responses.shape[1]
    result = {
        "domain": "treatment",
        "question": QUESTION,
        "model": kept,
        "task": "continuous" if outcome == "continuous" else "binary",
        "outcome_kind": outcome,
        "target": {
            "name": request.outcome or "exposure",
            "task": "continuous" if outcome == "continuous" else "binary",
            "classes": list(study.classes or (() if outcome == "continuous" else ("not given", "given"))),
            "unit": request.unit,
        },
        "validation": request.validation,
        "headline_split": "judged",
        "given": request.given,
        "n_folds": 1 if request.validation == "time" else settings.n_folds,
        "seed": settings.seed,
        "better": settings.better,
        "design": request.design,
        "standing": standing(outcome, request.design),
        "k": settings.k,
        "coverage": settings.coverage,
        "confidence_level": settings.confidence_level,
        "metrics": models[0]["metrics"],
        "models": models,
        "n_candidates": len(settings.candidates),
        "n_responses": len(responses),
        "n_subjects": responses.shape[0],
        "n_treatments": n_treatments,
        "density": len(responses) / (responses.shape[0] * n_treatments),
        "treatments": _by_treatment(study, own),
        "scatter": own.drawn(settings.seed),
        "columns": {
            "subject": request.subject, "treatment": request.treatment, "outcome": request.outcome,
            "time": request.time, "dose": request.dose, "positive": study.classes[1] if study.classes else None,
            "scale": request.scale,
            "repeats": request.repeats, "covariates": list(request.covariates),
        },
        "data": data_document(study),
        "request": request.model_dump(mode="json"),
        "versions": versions(LIBRARIES),
        "parent": None,
        "notes": [*study.notes, *_stored(study, request)],
    }  # fmt: skip
    if outcome == "continuous":
        result["intervals"] = reached_coverage(
            own,
            n_treatments,
            settings.coverage,
            seed=settings.seed,
            confidence_level=settings.confidence_level,
        )
    else:
        result["prevalence"] = float(own.y.mean())
        result["calibration_table"] = calibration_of(own, seed=settings.seed)
    return result


def standing(outcome: str, design: str) -> str:
    """What an answer of such a model is, in words that stand beside every answer."""
    if outcome == "implicit":
        return IMITATION
    return BY_LOT if design == "trial" else ASSOCIATION


def _model(
    study: Study, judged: dict[str, Judged], name: str, kept: str, settings: Settings
) -> dict[str, Any]:
    """A model with its metrics and what it differs by from the baseline on the same pairs."""
    n, level, seed = settings.n_bootstrap, settings.confidence_level, settings.seed
    outcome = study.responses.outcome
    one = judged[name]
    lists = observed_lists(study.responses, one, settings.better, settings.k)
    found = evaluation.evaluate(one, outcome, lists, n_bootstrap=n, confidence_level=level, seed=seed)
    entry: dict[str, Any] = {
        "name": name,
        "selected": name == kept,
        "metrics": {"judged": {key: metric.document() for key, metric in found.items()}},
    }
    if name != BASELINE:
        entry["difference_to_baseline"] = evaluation.difference(
            one, judged[BASELINE], outcome, n_bootstrap=n, confidence_level=level, seed=seed
        )
    return entry


def _by_treatment(study: Study, judged: Judged) -> list[dict[str, Any]]:
    """Of each treatment how many responses there are, their mean, and how far off its predictions were."""
    r = study.responses
    n = np.bincount(r.treatment, minlength=r.shape[1])
    mean = np.bincount(r.treatment, r.y, minlength=r.shape[1]) / np.maximum(n, 1)
    seen = np.bincount(judged.treatment, minlength=r.shape[1])
    error = np.bincount(judged.treatment, np.abs(judged.y - judged.prediction), minlength=r.shape[1])
    order = np.argsort(-n, kind="stable")
    return [
        {
            "treatment": r.treatments[k], "n": int(n[k]), "mean": float(mean[k]),
            "mean_error": float(error[k] / seen[k]) if seen[k] else None,
        }
        for k in order
    ]  # fmt: skip


def _stored(study: Study, request: TrainRequest) -> list[str]:
    what = "names" if request.keep_names else "hashes of the names"
    return [
        f"the bundle holds the responses of all {study.responses.shape[0]:,} subjects and {what}: treat it as patient "
        "data"
    ]


def _produced(result: dict[str, Any], model: ResponseModel) -> Produced:
    document, files = model.files()
    evidence = {key: value for key, value in result.items() if key not in _IN_MANIFEST}
    files["evidence.json"] = json.dumps(evidence, sort_keys=True).encode()
    manifest = {"iatros": __version__} | {key: result[key] for key in _IN_MANIFEST} | {"predictor": document}
    documents = {
        "report.html": render(build(result)).encode(),
        "model_card.md": model_card(result).encode(),
    }
    return Produced(result, bundle=BundleDraft(manifest, files, documents))
