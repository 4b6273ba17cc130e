"""The actions about doses: from their requests to the functions that answer."""

from __future__ import annotations

from iatros.core.context import Context, Produced
from iatros.treatment.dose_requests import DoseRequest
from iatros.treatment.dosing.answers import answer_dose


def dose(request: DoseRequest, context: Context) -> Produced:
    """One dose for each patient, in the order of the table."""
    return answer_dose(request.model, request.patients, context, subject=request.subject)
