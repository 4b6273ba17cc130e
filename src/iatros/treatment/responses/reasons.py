"""Why a treatment stands where it does: the most similar subjects who had it, and what moved the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.treatment.responses.bundle import ResponseModel
from iatros.treatment.responses.likeness import ResponseTable, alike_by_features
from iatros.treatment.responses.schema import Ask, Features, Subjects

SIMILAR_SHOWN = 3
FACTORS_SHOWN = 5


@dataclass(frozen=True)
class Patient:
    """One subject who is asked about: its place (-1: new), past responses (h,) and features (1, k) or None."""

    place: int
    treatment: np.ndarray
    y: np.ndarray
    features: Features | None

    def subjects(self, model: ResponseModel) -> Subjects:
        """As a model is asked."""
        if self.place >= 0:
            return model.known([self.place])
        return model.new([(self.treatment, self.y)], self.features)


def similarity_to_all(model: ResponseModel, table: ResponseTable, patient: Patient) -> np.ndarray:
    """How like each known subject is (m,): by responses where there are any, else by features; itself counts -1."""
    if len(patient.treatment):
        answer = table.subjects_like(patient.treatment, patient.y).similarity
    elif patient.features is not None and model.responses.of_subjects is not None:
        answer = alike_by_features(model.responses.of_subjects, patient.features.values[0])
    else:
        answer = np.zeros(len(model.keys))
    if patient.place >= 0:
        answer[patient.place] = -1.0
    return answer


def similar_who_had(
    model: ResponseModel, similarity: np.ndarray, treatment: int, most: int = SIMILAR_SHOWN
) -> list[dict[str, Any]]:
    """The known subjects most like the patient, of those with a response to `treatment`, and how it went."""
    rows = np.flatnonzero(model.responses.treatment == treatment)
    who = model.responses.subject[rows]
    order = np.argsort(-similarity[who], kind="stable")[:most]
    return [
        {
            "subject": model.called(int(who[k])),
            "similarity": round(float(similarity[who[k]]), 3),
            "outcome": float(model.responses.y[rows[k]]),
        }
        for k in order
        if similarity[who[k]] > 0.0
    ]


def factors(
    model: ResponseModel, patient: Patient, places: np.ndarray, most: int = FACTORS_SHOWN
) -> list[list[dict[str, Any]]]:
    """For each treatment at `places` (t,) what moved its answer most: by how much it falls when that is not told.

    Each past response and each block of features is left out in turn, with the subject taken as a new one.
    """
    names, subjects = _without_each(model, patient)
    if not names:
        return [[] for _ in places]
    treatments = model.every_treatment()
    s = len(subjects)
    asked = Ask(subjects, treatments, np.repeat(np.arange(s), len(places)), np.tile(places, s))
    found = model.predictor.predict(asked).reshape(s, len(places))
    moved = found[0] - found[1:]
    answer = []
    for column in moved.T:
        order = np.argsort(-np.abs(column), kind="stable")[:most]
        answer.append(
            [{"factor": names[k], "change": float(column[k])} for k in order if abs(column[k]) > 1e-12]
        )
    return answer


def _without_each(model: ResponseModel, patient: Patient) -> tuple[list[str], Subjects]:
    """The patient as a new subject, then without each past response, then without each block of features."""
    treatment, y = patient.treatment, patient.y
    histories = [(treatment, y)]
    names = []
    for k in range(len(treatment)):
        keep = np.arange(len(treatment)) != k
        histories.append((treatment[keep], y[keep]))
        names.append(f"response to {model.treatments[treatment[k]]}")
    features = patient.features
    if features is None:
        return names, model.new(histories, None)
    assert model.of_subjects is not None
    nothing = model.of_subjects.neutral().values[0]
    values = [features.values[0]] * len(histories)
    for block in features.blocks:
        for start, stop, name in _parts(model, block.name, block.kind, block.start, block.stop):
            without = features.values[0].copy()
            without[start:stop] = nothing[start:stop]
            values.append(without)
            histories.append((treatment, y))
            names.append(name)
    return names, model.new(histories, Features(np.stack(values), features.blocks))


def _parts(model: ResponseModel, name: str, kind: str, start: int, stop: int) -> list[tuple[int, int, str]]:
    """A block of numbers column by column where they are few; other blocks whole."""
    if kind != "numbers" or stop - start > 100 or model.of_subjects is None:
        return [(start, stop, name)]
    encoder = model.of_subjects.encoder
    assert encoder is not None
    columns = [
        feature for form in encoder.forms if form.form not in ("one-hot", "empty") for feature in form.names()
    ]
    return [(start + k, start + k + 1, columns[k]) for k in range(stop - start)]
