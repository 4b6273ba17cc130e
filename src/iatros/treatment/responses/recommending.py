"""Recommend: for each patient the treatments in order, each with its interval, its reasons, and what safety said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle
from iatros.core.errors import InputError, RequestError, TableError, unknown_name
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table
from iatros.treatment.requests import RecommendRequest
from iatros.treatment.responses.bundle import ResponseModel
from iatros.treatment.responses.features import read_features
from iatros.treatment.responses.likeness import ResponseTable
from iatros.treatment.responses.names import names_of
from iatros.treatment.responses.reasons import Patient, factors, similar_who_had, similarity_to_all
from iatros.treatment.responses.schema import Ask, Features
from iatros.treatment.responses.sources import MIN_OF_TREATMENT
from iatros.treatment.responses.trust import ProbabilityIntervals
from iatros.treatment.safety.patient_table import columns_of

MOST_PATIENTS = 100_000


@dataclass(frozen=True)
class Ranked:
    """Of one patient: the places of the treatments, the best first, with prediction, low and high (t,) each."""

    places: np.ndarray
    prediction: np.ndarray
    low: np.ndarray
    high: np.ndarray


def patients_of(bundle: Bundle, model: ResponseModel, request: RecommendRequest) -> dict[str, Patient]:
    """Whom the request asks about, by the name that the answer gives them."""
    if request.subject is not None:
        return {request.subject: _known(model, request.subject)}
    columns = bundle.manifest["columns"]
    if request.patients is None and request.responses is None:
        history = _past(model, request.past, columns["positive"])
        features = _typed_in(model, request.covariate, columns["subject"])
        if not len(history[0]) and features is None:
            raise RequestError(
                "nothing is known of the patient",
                hint="give subject (a known one), past (NAME=OUTCOME), covariate (NAME=VALUE), or a table of patients",
            )
        return {"patient": Patient(-1, history[0], history[1], features)}
    return _from_tables(model, request, columns)


def rank(
    model: ResponseModel, patient: Patient, better: str, *, candidates: np.ndarray, taken_too: bool
) -> Ranked:
    """The candidates (places) in order; treatments that the patient has a response to stand only where `taken_too`."""
    places = candidates if taken_too else np.setdiff1d(candidates, patient.treatment)
    if len(places) == 0:
        return Ranked(places, *(np.empty(0) for _ in range(3)))
    ask = Ask(patient.subjects(model), model.every_treatment(), np.zeros(len(places), dtype=np.int64), places)
    score = model.predictor.predict(ask)
    if isinstance(model.intervals, ProbabilityIntervals):
        prediction, low, high = model.intervals.apply(score)
    else:
        prediction = score
        low, high = model.intervals.apply(score, places)
    order = np.argsort(score if better == "lower" else -score, kind="stable")
    return Ranked(places[order], prediction[order], low[order], high[order])


def candidates_of(model: ResponseModel, names: tuple[str, ...]) -> np.ndarray:
    """The places of the named treatments, or of all; UnknownNameError for one that was never seen."""
    if not names:
        return np.arange(len(model.treatments))
    return np.array(sorted({model.treatment(name) for name in names}), dtype=np.int64)


def listed(
    model: ResponseModel, patient: Patient, ranked: Ranked, table: ResponseTable, top: int
) -> list[dict[str, Any]]:
    """The first `top` with interval, number of subjects behind each, similar subjects and factors."""
    places = ranked.places[:top]
    similarity = similarity_to_all(model, table, patient)
    moved = factors(model, patient, places)
    n = np.bincount(model.responses.treatment, minlength=len(model.treatments))
    return [
        plain({
            "rank": k + 1,
            "treatment": model.treatments[place],
            "prediction": ranked.prediction[k],
            "low": ranked.low[k],
            "high": ranked.high[k],
            "n_subjects": int(n[place]),
            "few": bool(n[place] < MIN_OF_TREATMENT),
            "similar": similar_who_had(model, similarity, int(place)),
            "factors": moved[k],
        })
        for k, place in enumerate(places)
    ]  # fmt: skip


def _known(model: ResponseModel, subject: str) -> Patient:
    place = model.place(subject)
    if place < 0:
        raise InputError(
            "the subject is not among those that were learned from",
            hint="check the spelling, or ask for a new one with past or covariate",
        )
    treatment, y = model.past(place)
    features = model.responses.of_subjects
    return Patient(place, treatment, y, None if features is None else features.take([place]))


def _past(model: ResponseModel, past: dict[str, str], positive: str | None) -> tuple[np.ndarray, np.ndarray]:
    places, outcomes = [], []
    for name, text in past.items():
        places.append(model.treatment(name))
        outcomes.append(_outcome(positive, text, f"past {name}"))
    return np.array(places, dtype=np.int64), np.array(outcomes, dtype=float)


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise RequestError("the outcome of a past response is no number", where=where)
    return value


def _typed_in(model: ResponseModel, covariate: dict[str, str], subject: str) -> Features | None:
    if not covariate:
        return None
    if model.of_subjects is None:
        raise RequestError(
            "the model was trained without covariates, so it cannot use any", where="covariate"
        )
    unknown = sorted(set(covariate) - set(model.of_subjects.schema.names))
    if unknown:
        raise unknown_name("covariate", unknown[0], model.of_subjects.schema.names)
    row: dict[str, Any] = {name: None for name in model.of_subjects.schema.names}
    row |= {name: _typed(model, name, text) for name, text in covariate.items()}
    table = read_features([{subject: "patient", **row}], model.of_subjects, subject)
    return model.of_subjects.read(table)


def _typed(model: ResponseModel, name: str, text: str) -> Any:
    assert model.of_subjects is not None
    return _number(text, f"covariate {name}") if model.of_subjects.schema[name].kind == "numeric" else text


def _from_tables(
    model: ResponseModel, request: RecommendRequest, columns: dict[str, Any]
) -> dict[str, Patient]:
    subject = columns["subject"]
    histories = _histories(model, request, columns) if request.responses is not None else {}
    if request.patients is None:
        return {name: Patient(-1, *history, None) for name, history in histories.items()}
    if model.of_subjects is None:
        raise RequestError(
            "the model was trained without covariates, so a table of patients tells it nothing",
            where="patients", hint="give responses, their past responses",
        )  # fmt: skip
    table = read_features(request.patients, model.of_subjects, subject, others=columns_of(request))
    names = _distinct(table, subject)
    features = model.of_subjects.read(table)
    none = (np.empty(0, dtype=np.int64), np.empty(0))
    return {
        name: Patient(-1, *histories.get(name, none), features.take([row])) for row, name in enumerate(names)
    }


def _distinct(table: Table, subject: str) -> list[str]:
    if subject not in table.frame.columns:
        names: list[str | None] = [f"row {row}" for row in range(table.n_rows)]
    else:
        names = names_of(table.frame[subject])
    if len(names) > MOST_PATIENTS:
        raise TableError(
            f"holds {len(names)} patients, and {MOST_PATIENTS} are answered at once", where=table.source
        )
    if None in names or len(set(names)) < len(names):
        raise TableError(
            f"a patient has no name in the column {subject}, or two have the same", where=table.source
        )
    return [name for name in names if name is not None]


def _histories(
    model: ResponseModel, request: RecommendRequest, columns: dict[str, Any]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Past responses by patient; a treatment that was never seen raises, with its nearest names."""
    table = read_table(request.responses)
    needed = [columns["subject"], columns["treatment"], *([columns["outcome"]] if columns["outcome"] else [])]
    for name in needed:
        if name not in table.frame.columns:
            raise unknown_name("column", name, table.frame.columns, where=table.source)
    subjects, treatments = (
        names_of(table.frame[columns["subject"]]),
        names_of(table.frame[columns["treatment"]]),
    )
    outcomes: list[Any] = [1.0] * table.n_rows
    if columns["outcome"]:
        outcomes = list(names_of(table.frame[columns["outcome"]]))
    found: dict[str, tuple[list[int], list[float]]] = {}
    for row, (who, what, y) in enumerate(zip(subjects, treatments, outcomes, strict=True)):
        if who is None or what is None or y is None:
            raise TableError("a response lacks its subject, treatment or outcome",
                             where=f"{table.source}, line {int(table.rows[row])}")  # fmt: skip
        places, values = found.setdefault(who, ([], []))
        places.append(model.treatment(what))
        values.append(_outcome(columns["positive"], y, f"{table.source}, line {int(table.rows[row])}"))
    return {
        who: (np.array(places, dtype=np.int64), np.array(values, dtype=float))
        for who, (places, values) in found.items()
    }


def _outcome(positive: str | None, text: Any, where: str) -> float:
    """A past outcome as it was learned: 1 where it is the value that counts as a response."""
    return _number(str(text), where) if positive is None else float(str(text) == positive)
