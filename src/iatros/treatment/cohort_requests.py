"""The cohort that effects are estimated on and rules are valued on: what a request tells of its table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, model_validator

from iatros.core.request import Names, Request, TableRef

DictionaryRef = Annotated[Path, PlainSerializer(lambda path: {"file": path.name})]


class CohortFields(Request):
    """Fields of every request about subjects in arms, one row each."""

    table: TableRef = Field(
        description="subjects, one row each: a CSV or Parquet file, a DataFrame, or rows",
        json_schema_extra={"positional": True},
    )
    treatment: str = Field(description="the column of arms")
    reference: str | None = Field(
        None, description="the arm that the others are compared with; the first by name where not given"
    )
    arms: Names = Field((), description="arms to compare; subjects in others are left out")
    outcome: str | None = Field(None, description="the column of the outcome: a number, or two classes")
    positive: str | None = Field(None, description="the value of the outcome that counts as the event")
    time: str | None = Field(
        None, description="for an outcome in time: the column of the time until event or censoring"
    )
    event: str | None = Field(
        None, description="whether the time ends with the event (1) or with censoring (0)"
    )
    horizon: float | None = Field(
        None, gt=0, description="when an outcome in time is judged, in the unit of time"
    )
    measure: Literal["survival", "restricted-mean"] = Field(
        "survival",
        description="of an outcome in time: the probability of no event by the horizon, or the mean time without it",
    )
    better: Literal["higher", "lower"] = Field("higher", description="which outcomes are good for a subject")
    design: Literal["trial", "observational"] = Field(
        "observational", description="how subjects came into their arms: by chance, or by someone's choice"
    )
    propensity: Names = Field(
        (),
        description="columns with the known probability of each arm but the reference, by name; of trials alone",
    )
    covariates: Names = Field(
        (), description="columns known before treatment; all that remain where not given"
    )
    exclude: Names = Field((), description="columns to leave out, above all those recorded after treatment")
    subject: str | None = Field(None, description="the patient column: intervals draw patients, not rows")
    propensity_model: Literal["ridge", "boosting", "forest"] = Field(
        "ridge",
        description="the regression of the arm on covariates; ridge is a penalised logistic regression",
    )
    censoring: Literal["kaplan-meier", "cox"] = Field(
        "kaplan-meier", description="how the chance of being censored is learned; cox uses the covariates"
    )
    folds: int = Field(5, ge=2, le=20, description="folds of the cross-fitting")
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of every interval")
    missing: Names = Field((), description="further codes that mean missing, such as -9 or unknown")
    dictionary: DictionaryRef | None = Field(
        None, description="data dictionary (YAML): kinds, units, levels, recording times"
    )
    eligibility: str | None = Field(None, description="who could be in the study, in words, for the report")
    time_zero: str | None = Field(
        None, description="when follow-up began and arms were assigned, in words, for the report"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")

    @model_validator(mode="after")
    def _cohort_goes_together(self) -> CohortFields:
        timed = [self.time, self.event, self.horizon]
        if self.outcome is not None and any(part is not None for part in timed):
            raise ValueError("give outcome, or time with event and horizon, not both")
        if self.outcome is None and any(part is None for part in timed):
            raise ValueError("give outcome, or time with event and horizon")
        if self.propensity and self.design != "trial":
            raise ValueError("known propensities belong to a trial: give design trial")
        if self.positive is not None and self.outcome is None:
            raise ValueError("positive names a class of outcome: give outcome")
        return self

    @property
    def controls(self) -> tuple[str, ...]:
        """Outcomes that the treatment cannot change."""
        return ()

    @property
    def never_covariates(self) -> tuple[str, ...]:
        """Further columns with a role of their own."""
        return self.controls
