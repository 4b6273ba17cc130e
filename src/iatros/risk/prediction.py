"""Predict: the risk of each patient, its conformal answer, and what is unusual about the patient."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.bundle import Bundle, open_bundle
from iatros.core.conformal import ConformalInterval, ConformalSet
from iatros.core.context import Context, Produced
from iatros.core.errors import unknown_name
from iatros.learners.tabular.ranges import out_of_range
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table
from iatros.risk.requests import PredictRequest
from iatros.risk.scoring import RiskModel


def predict(request: PredictRequest, context: Context) -> Produced:
    """One answer per patient, in the order of the table."""
    bundle = open_bundle(request.model)
    model = RiskModel.from_bundle(bundle)
    table = read_for(bundle, model, request.table, carry=(request.subject,) if request.subject else ())
    if request.subject and request.subject not in table.frame.columns:
        raise unknown_name("column", request.subject, table.frame.columns, where=table.source)
    flags = out_of_range(table, model.schema)
    prediction = model.predict(table.frame)
    answers = _answers(model, prediction)
    answers["flags"] = ["; ".join(found) for found in flags]
    if request.subject:
        answers = {"subject": table.frame[request.subject].to_list(), **answers}
    answers = {"row": list(range(len(prediction))), **answers}
    unusual = sum(bool(found) for found in flags)
    notes = [*table.notes]
    if unusual:
        notes.append(
            f"{unusual} of {len(prediction)} patients have a value that the model was not trained on; see flags"
        )
    for note in notes:
        context.progress.note(note)
    result = {
        **naming(bundle),
        "n": len(prediction),
        "n_flagged": unusual,
        "predictions": [
            dict(zip(answers, values, strict=True)) for values in zip(*answers.values(), strict=True)
        ],
        "notes": notes,
    }
    return Produced(result, table=answers)


def read_for(bundle: Bundle, model: RiskModel, reference: Any, *, carry: tuple[str, ...] = ()) -> Table:
    """A table read by the schema of a bundle; columns of the training table that are no features may be there."""
    manifest = bundle.manifest
    extra = (*manifest["other_columns"], *carry)
    codes = tuple(manifest["request"]["missing"])
    return read_table(reference, missing_codes=codes, schema=model.schema, allowed_extra=extra)


def naming(bundle: Bundle) -> dict[str, Any]:
    """How an answer names the model that gave it."""
    manifest = bundle.manifest
    return {
        "domain": manifest["domain"],
        "model": manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "target": manifest["target"],
    }


def _answers(model: RiskModel, prediction: np.ndarray) -> dict[str, list[Any]]:
    if model.target.task == "continuous":
        answers = {"prediction": prediction.tolist()}
        if isinstance(model.conformal, ConformalInterval):
            low, high = model.interval(prediction)
            answers |= {"low": _finite(low), "high": _finite(high)}
        return answers
    answers = {}
    if model.target.task == "binary":
        answers["risk"] = prediction.tolist()
    else:
        classes = model.target.classes
        answers["prediction"] = [classes[index] for index in prediction.argmax(axis=1)]
        answers |= {f"probability_{name}": prediction[:, k].tolist() for k, name in enumerate(classes)}
    if isinstance(model.conformal, ConformalSet):
        sets = model.sets(prediction)
        answers["conformal_set"] = [
            " | ".join(name for name, held in zip(model.target.classes, row, strict=True) if held)
            for row in sets
        ]
    return answers


def _finite(values: np.ndarray) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
