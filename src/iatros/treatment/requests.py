"""What can be asked about treatments: one frozen class per action. Defaults live here and nowhere else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator
from pydantic.config import JsonDict

from iatros.core.request import ModelRef, Names, Request, TableRef
from iatros.treatment.safety_requests import SafetyFields, Values

POSITIONAL: JsonDict = {"positional": True}
Validation = Literal["pairs", "subjects", "treatments", "time"]
Parameters = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]
SubjectRef = Annotated[str, PlainSerializer(lambda _: "one subject")]
"""The name of a subject. Serialises to words without it: requests are logged."""


class TrainRequest(Request):
    """Learn from responses of subjects to treatments how another pair would do, and show how far it can be trusted.

    A line of the table is one subject, one treatment and the outcome; without outcome it is an exposure, and what is
    learned is what is given to whom. What is said is association, not the effect of the treatment.
    """

    table: TableRef = Field(
        description="responses, one line each: a CSV or Parquet file, a DataFrame, or rows",
        json_schema_extra=POSITIONAL,
    )
    subject: str = Field("subject_id", description="the column that names the subject")
    treatment: str = Field("treatment", description="the column that names the treatment")
    outcome: str | None = Field(
        None, description="the column with the outcome; without it each line is an exposure"
    )
    task: Literal["auto", "continuous", "binary", "implicit"] = Field(
        "auto", description="kind of outcome; auto reads it off the column (two values: binary)"
    )
    positive: str | None = Field(None, description="the value of the outcome that counts as a response")
    scale: Annotated[tuple[float, float] | None, BeforeValidator(lambda v: _bounds(v))] = Field(
        None, description="the range of the outcome, as LOW,HIGH; lines beyond it are refused"
    )
    unit: str | None = Field(None, description="the unit of the outcome, for the reports")
    better: Literal["higher", "lower"] = Field(
        "higher",
        description="whether more or less of the outcome is wanted; recommendations are ranked by it",
    )
    time: str | None = Field(None, description="the column with the time of the response, a date or a number")
    dose: str | None = Field(
        None, description="the column with the dose; each treatment at each dose is a treatment of its own"
    )
    repeats: Literal["latest", "mean"] = Field(
        "latest", description="what counts of several responses of a subject to a treatment"
    )
    covariates: Names = Field(
        (), description="columns of the responses that describe the subject, one value for each subject"
    )
    subjects: TableRef | None = Field(
        None, description="a table that describes the subjects, one row each, with the subject column"
    )
    treatments: TableRef | None = Field(
        None, description="a table that describes the treatments, one row each, with the treatment column"
    )
    smiles: str | None = Field(
        None,
        description="the column of treatments with the structure, as SMILES: its fingerprint is learned from",
    )
    model: Names = Field(
        (),
        description="models to train (comma separated, or all); the best on responses it has not seen is kept. Where "
        "not given ensemble, and for exposures kernel, or als where the table is large",
    )
    param: Parameters = Field((), description="a model parameter, as MODEL.NAME=VALUE; may be repeated")
    validation: Validation = Field(
        "pairs",
        description="what the predictions will be for: unseen pairs of known subjects and treatments, subjects or "
        "treatments without a response, or later responses (time)",
    )
    given: int = Field(
        0,
        ge=0,
        le=100,
        description="past responses of each held-out subject that a model is told, for validation subjects",
    )
    folds: int = Field(5, ge=2, le=50, description="folds of the validation")
    held_out_fraction: float = Field(
        0.2,
        gt=0.0,
        lt=0.9,
        description="share of the latest responses that is judged on, for validation time",
    )
    k: int = Field(5, ge=1, le=100, description="how many of a ranked list count")
    coverage: float = Field(0.9, gt=0.5, lt=1.0, description="of prediction intervals")
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of the intervals of metrics")
    design: Literal["observational", "trial"] = Field(
        "observational",
        description="whether treatments were assigned at random; changes what the report may say",
    )
    keep_names: bool = Field(
        False,
        description="keep the names of subjects in the bundle; otherwise a known subject is found by a hash, and "
        "similar ones are told by number",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")

    @model_validator(mode="after")
    def _goes_together(self) -> TrainRequest:
        if self.validation == "time" and self.time is None:
            raise ValueError("validation time needs the column with the time of each response: give time")
        if self.given and self.validation != "subjects":
            raise ValueError("given is for validation subjects")
        if self.smiles is not None and self.treatments is None:
            raise ValueError("smiles is a column of the table of treatments: give treatments")
        if self.outcome is None and (self.scale is not None or self.positive is not None):
            raise ValueError("scale and positive are about the outcome: give outcome")
        return self


def _bounds(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        parts = value.split(",")
        if len(parts) != 2:
            raise ValueError("the scale is LOW,HIGH")
        return tuple(float(part) for part in parts)
    return value


class EvaluateRequest(Request):
    """How the model does on responses, doses or visits that were observed elsewhere or later."""

    model: ModelRef = Field(description="the bundle", json_schema_extra=POSITIONAL)
    table: TableRef = Field(
        description="responses, patients with doses, or visits: with the columns that were learned from",
        json_schema_extra=POSITIONAL,
    )
    subjects: TableRef | None = Field(
        None, description="a table that describes the subjects of responses or visits, one row each"
    )
    visits: TableRef | None = Field(
        None, description="of next medications: a table of subject, visit and time, where the codes lack it"
    )
    interactions: TableRef | None = Field(
        None, description="of next medications: pairs of drugs that interact, with columns drug_a and drug_b"
    )
    subject: str | None = Field(
        None, description="of doses: the patient column, so that intervals draw patients, not rows"
    )
    unit: str | None = Field(
        None, description="of doses: their unit here, where it differs from the training"
    )
    unit_column: str | None = Field(None, description="of doses: the column with the unit of each line")
    subgroup: Names = Field((), description="of doses: columns in which errors are compared")
    given: int = Field(
        0,
        ge=0,
        le=100,
        description="past responses of each new subject that the model is told; not judged on",
    )
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of the intervals of metrics")
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")


class RecommendRequest(SafetyFields):
    """The treatments in order for a known patient, or for a new one from covariates or past responses.

    Each comes with its interval, the number of subjects behind it, and reasons. It is association, not effect; a model
    of exposures imitates what is usually given. What the knowledge stops is not listed, whatever its score.
    """

    model: ModelRef = Field(description="the bundle", json_schema_extra=POSITIONAL)
    subject: SubjectRef | None = Field(None, description="a subject that was learned from")
    past: Values = Field(
        {}, description="past responses of a new patient, as TREATMENT=OUTCOME, several with commas between"
    )
    covariate: Values = Field(
        {}, description="what is known of a new patient, as COLUMN=VALUE, several with commas between"
    )
    patients: TableRef | None = Field(
        None,
        description="a table of new patients, one row each, with the covariates that were learned from",
        json_schema_extra=POSITIONAL,
    )
    responses: TableRef | None = Field(
        None,
        description="past responses of new patients, or their visits where next medications were learned, with the "
        "columns that were learned from",
    )
    visits: TableRef | None = Field(
        None, description="of next medications: a table of subject, visit and time, where the codes lack it"
    )
    patient_subject: str | None = Field(
        None, description="of next medications: the column of the table of patients that names the subject"
    )
    candidates: Names = Field((), description="treatments to choose among; all where not given")
    include_taken: bool = Field(False, description="also list treatments that the patient has a response to")
    top: int = Field(5, ge=1, le=1000, description="how many to list")

    @model_validator(mode="after")
    def _one_way_to_ask(self) -> RecommendRequest:
        new = bool(self.past or self.covariate)
        tables = self.patients is not None or self.responses is not None
        if (self.subject is not None) + new + tables > 1:
            raise ValueError(
                "give a known subject, or past and covariate of one patient, or tables of several"
            )
        return self


class SimilarRequest(Request):
    """The treatments that are most like one by who responded to both, or the subjects most like a known one."""

    model: ModelRef = Field(description="the bundle", json_schema_extra=POSITIONAL)
    treatment: str | None = Field(None, description="the treatment; the similar ones are listed")
    subject: SubjectRef | None = Field(None, description="the known subject; the similar ones are listed")
    top: int = Field(10, ge=1, le=1000, description="how many to list")
