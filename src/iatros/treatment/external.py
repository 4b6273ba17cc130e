"""Evaluate: how a trained model does on data that it has not seen."""

from __future__ import annotations

from iatros.core.bundle import Bundle, open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError
from iatros.treatment.requests import EvaluateRequest

_OF = {
    "responses": ("subjects", "given"),
    "dose": ("subject", "unit", "unit_column", "subgroup"),
    "sequences": ("subjects", "visits", "interactions"),
}
"""The fields that have a meaning for each question."""


def evaluate(request: EvaluateRequest, context: Context) -> Produced:
    """The metrics of the training, with intervals, on other data."""
    bundle = open_bundle(request.model)
    question = str(bundle.manifest.get("question"))
    _refuse_others(request, bundle, question)
    said = request.model_dump(mode="json")
    if question == "dose":
        from iatros.treatment.dosing.answers import evaluate_dose

        return evaluate_dose(
            request.model, request.table, context, subject=request.subject, unit=request.unit,
            unit_column=request.unit_column, subgroup=request.subgroup,
            confidence_level=request.confidence_level, seed=request.seed, request=said,
        )  # fmt: skip
    if question == "sequences":
        from iatros.treatment.sequences.answers import evaluate_next

        return evaluate_next(
            request.model, request.table, context, visits=request.visits, covariates=request.subjects,
            interactions=request.interactions,
            confidence_level=request.confidence_level, seed=request.seed, request=said,
        )  # fmt: skip
    from iatros.treatment.responses.external import evaluate_responses

    return evaluate_responses(bundle, request, context)


def _refuse_others(request: EvaluateRequest, bundle: Bundle, question: str) -> None:
    """RequestError for a field that has no meaning for what the bundle answers."""
    every = {name for names in _OF.values() for name in names}
    for name in sorted(every - set(_OF.get(question, ()))):
        if getattr(request, name) not in (None, 0, ()):
            raise RequestError(f"{name} has no meaning for the model in {bundle.name}", hint="leave it out")
