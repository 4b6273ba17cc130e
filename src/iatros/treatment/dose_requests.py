"""What can be asked about a dose: one frozen class per action. Defaults live here and nowhere else."""

from __future__ import annotations

from pydantic import Field

from iatros.core.request import ModelRef, Request, TableRef
from iatros.treatment.requests import POSITIONAL


class DoseRequest(Request):
    """The dose of each patient with its conformal interval, and what about the patient is unlike those learned from.

    A starting point for a clinician who follows the patient's response, no prescription.
    """

    model: ModelRef = Field(description="the bundle", json_schema_extra=POSITIONAL)
    patients: TableRef = Field(
        description="patients, one row each, with the columns learned from: a file, a DataFrame, or rows",
        json_schema_extra=POSITIONAL,
    )
    subject: str | None = Field(
        None, description="a column to carry over into the answer, such as the patient's id"
    )
