"""How a trained model does on responses that were observed elsewhere or later."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import polars as pl

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError, TableError, unknown_name
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.learners.tabular.reading import read_table
from iatros.treatment.requests import EvaluateRequest
from iatros.treatment.responses import evaluation
from iatros.treatment.responses.bundle import ResponseModel, model_of
from iatros.treatment.responses.evaluation import Judged, observed_lists
from iatros.treatment.responses.features import described_by, read_features
from iatros.treatment.responses.names import names_of
from iatros.treatment.responses.report import build
from iatros.treatment.responses.schema import Ask, Features, Responses
from iatros.treatment.responses.sources import Columns, ReadResponses, read_responses
from iatros.treatment.responses.splits import first_of_each
from iatros.treatment.responses.study import covariates_of
from iatros.treatment.responses.training import LIBRARIES
from iatros.treatment.responses.trust import ProbabilityIntervals, ValueIntervals
from iatros.treatment.responses.validation import answers

_RESAMPLES = 500


def evaluate_responses(bundle: Bundle, request: EvaluateRequest, context: Context) -> Produced:
    """The metrics of a training on other responses, whose subjects are taken as new: their covariates are known."""
    model = model_of(bundle)
    columns = _columns(bundle)
    with context.progress.step("reading the responses"):
        read = read_responses(request.table, columns, kind=model.outcome)
    found, notes = _known_treatments(model, read)
    features = _features(bundle, model, read, found, request)
    judged, responses = _judge(model, found, features, request)
    with context.progress.step("metrics and intervals"):
        result = _result(bundle, model, read, judged, responses, request, notes)
    report = render(build(result)).encode()
    return Produced(plain(result), documents={"report.html": report})


def _columns(bundle: Bundle) -> Columns:
    said = bundle.manifest["columns"]
    known = {one.name for one in fields(Columns)}
    kept = {name: value for name, value in said.items() if name in known}
    scale = kept.get("scale")
    return Columns(**{**kept, "scale": None if scale is None else (float(scale[0]), float(scale[1]))})


def _known_treatments(model: ResponseModel, read: ReadResponses) -> tuple[Responses, list[str]]:
    """The responses to treatments that were learned from, at their places in the model; the others are counted."""
    places = {name: k for k, name in enumerate(model.treatments)}
    r = read.responses
    own = np.array([places.get(name, -1) for name in r.treatments], dtype=np.int64)
    kept = np.flatnonzero(own[r.treatment] >= 0)
    if len(kept) < 2:
        raise TableError(
            "has no two responses to treatments that were learned from", where=read.source,
            hint="the names must be spelled as in the training",
        )  # fmt: skip
    lost = sorted({r.treatments[k] for k in np.flatnonzero(own < 0)})
    notes = (
        [f"{len(r) - len(kept)} responses to {len(lost)} treatments that were never seen are not judged"]
        if lost
        else []
    )
    found = replace(r.take(kept), treatments=model.treatments, treatment=own[r.treatment[kept]])
    return found, notes


def _judge(
    model: ResponseModel, responses: Responses, features: Features | None, request: EvaluateRequest
) -> tuple[Judged, Responses]:
    told = first_of_each(responses, request.given, np.random.default_rng(request.seed))
    rows = np.flatnonzero(~told)
    if len(rows) < 2:
        raise TableError(
            "has no two responses beyond those that the model is told", hint="give less with given"
        )
    given = np.flatnonzero(told)
    histories = [(np.empty(0, dtype=np.int64), np.empty(0))] * len(responses.subjects)
    for k in np.unique(responses.subject[given]):
        own = given[responses.subject[given] == k]
        histories[k] = (responses.treatment[own], responses.y[own])
    subject, treatment, y = _pairs(responses, rows, told)
    ask = Ask(model.new(histories, features), model.every_treatment(), subject, treatment)
    prediction = answers(model.predictor, ask, "the model")
    fold = np.zeros(len(y), dtype=np.int64)
    return Judged(subject, treatment, y, prediction, _means(model)[treatment], fold), responses.take(rows)


def _pairs(
    responses: Responses, rows: np.ndarray, told: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The judged pairs: those observed; of exposures also every treatment that the subject was not seen to have."""
    subject, treatment, y = responses.subject[rows], responses.treatment[rows], responses.y[rows]
    if responses.outcome != "implicit":
        return subject, treatment, y
    free = np.ones(responses.shape, dtype=bool)
    free[responses.subject, responses.treatment] = False
    who, what = np.nonzero(free)
    inside = np.isin(who, subject)
    return (
        np.concatenate([subject, who[inside]]),
        np.concatenate([treatment, what[inside]]),
        np.concatenate([np.ones(len(subject)), np.zeros(int(inside.sum()))]),
    )


def _features(
    bundle: Bundle, model: ResponseModel, read: ReadResponses, responses: Responses, request: EvaluateRequest
) -> Features | None:
    """What the tables tell of the subjects, read as in the training; None where nothing was learned of subjects."""
    reader, columns = model.of_subjects, bundle.manifest["columns"]
    if reader is None:
        return None
    key, covariates = columns["subject"], columns["covariates"]
    parts = [covariates_of(read.table, key, covariates).frame] if covariates else []
    if set(reader.schema.names) - set(covariates):
        if request.subjects is None:
            raise RequestError(
                "the model learned from a table of subjects, and none is given", hint="give subjects"
            )
        frame = read_table(request.subjects).frame
        if key not in frame.columns:
            raise unknown_name("column", key, frame.columns, where="subjects")
        parts.append(frame.with_columns(pl.Series(key, names_of(frame[key]), dtype=pl.String)))
    whole = parts[0] if len(parts) == 1 else parts[1].join(parts[0], on=key, how="left")
    kept = whole.select([key, *(name for name in reader.schema.names if name in whole.columns)])
    table = read_features(kept, reader, key)
    return described_by(reader, table, key, responses.subjects, what="subjects")


def _means(model: ResponseModel) -> np.ndarray:
    """The mean outcome of each treatment as it was learned; of all where it has none."""
    r = model.responses
    n = np.bincount(r.treatment, minlength=r.shape[1])
    means = np.bincount(r.treatment, r.y, minlength=r.shape[1]) / np.maximum(n, 1)
    return np.where(n > 0, means, r.y.mean())


def _result(
    bundle: Bundle,
    model: ResponseModel,
    read: ReadResponses,
    judged: Judged,
    responses: Responses,
    request: EvaluateRequest,
    notes: list[str],
) -> dict[str, Any]:
    manifest = bundle.manifest
    lists = observed_lists(responses, judged, manifest["better"], manifest["k"])
    found = evaluation.evaluate(
        judged, model.outcome, lists,
        n_bootstrap=_RESAMPLES, confidence_level=request.confidence_level, seed=request.seed,
    )  # fmt: skip
    n_subjects = len(np.unique(judged.subject))
    account = read.account
    result = {
        "domain": "treatment",
        "question": manifest["question"],
        "model": manifest["model"],
        "task": manifest["task"],
        "outcome_kind": manifest["outcome_kind"],
        "target": manifest["target"],
        "validation": "external",
        "headline_split": "judged",
        "better": manifest["better"],
        "standing": manifest["standing"],
        "k": manifest["k"],
        "given": request.given,
        "coverage": manifest["coverage"],
        "confidence_level": request.confidence_level,
        "metrics": {"judged": {key: metric.document() for key, metric in found.items()}},
        "n_responses": len(judged),
        "n_subjects": n_subjects,
        "n_treatments": len(np.unique(judged.treatment)),
        "density": len(judged) / (n_subjects * len(model.treatments)),
        "scatter": judged.drawn(request.seed),
        "data": {
            "source": read.source, "n": len(judged), "n_read": account.n_lines, "n_merged": account.n_merged,
            "n_used": len(judged), "n_refused": len(account.refused), "reasons": account.reasons,
            "fingerprint": None,
        },
        "bundle_sha256": bundle.manifest_sha256,
        "request": request.model_dump(mode="json"),
        "seed": request.seed,
        "versions": versions(LIBRARIES),
        "parent": bundle.parent_reference,
        "notes": [*account.notes, *notes],
    }  # fmt: skip
    return result | _trust(model, judged, request)


def _trust(model: ResponseModel, judged: Judged, request: EvaluateRequest) -> dict[str, Any]:
    """Whether the stored intervals held what they promise here."""
    from iatros.core.intervals import proportion

    if isinstance(model.intervals, ValueIntervals):
        low, high = model.intervals.apply(judged.prediction, judged.treatment)
        held = (low <= judged.y) & (judged.y <= high)
        share = proportion(held, groups=judged.subject, confidence_level=request.confidence_level).document()
        return {"intervals": {"coverage": share, "mean_width": float((high - low).mean())}}
    assert isinstance(model.intervals, ProbabilityIntervals)
    probability = model.intervals.apply(judged.prediction)[0]
    parts = np.array_split(np.argsort(probability, kind="stable"), 10)
    return {
        "prevalence": float(judged.y.mean()),
        "calibration_table": [
            {
                "predicted": float(probability[rows].mean()),
                "observed": float(judged.y[rows].mean()),
                "n": len(rows),
            }
            for rows in parts
            if len(rows)
        ],
    }
