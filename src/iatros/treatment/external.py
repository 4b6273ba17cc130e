"""Evaluate: how a trained model does on data that it has not seen."""

from __future__ import annotations

from iatros.core.bundle import open_bundle
from iatros.core.context import Context, Produced
from iatros.treatment.requests import EvaluateRequest


def evaluate(request: EvaluateRequest, context: Context) -> Produced:
    """The metrics of the training, with intervals, on other responses."""
    from iatros.treatment.responses.external import evaluate_responses

    return evaluate_responses(open_bundle(request.model), request, context)
