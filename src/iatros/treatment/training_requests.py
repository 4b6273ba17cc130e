"""What can be asked of a training on doses, and of one on visits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from iatros.core.request import Names, Request, TableRef
from iatros.treatment.cohort_requests import DictionaryRef
from iatros.treatment.requests import POSITIONAL, Parameters


def _two(value: Any) -> Any:
    """Accept `21,49`."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    return tuple(value.split(",")) if isinstance(value, str) else value


class TrainDoseRequest(Request):
    """Learn from patients and the doses that they needed which dose another patient will need.

    Warfarin's published equations stand beside the model where their columns are there.
    """

    table: TableRef = Field(
        description="patients, one row each: a CSV or Parquet file, a DataFrame, or rows",
        json_schema_extra=POSITIONAL,
    )
    outcome: str = Field(description="the column with the dose that the patient needed, above 0")
    unit: str = Field("mg/week", description="the unit of the dose")
    unit_column: str | None = Field(
        None, description="the column with the unit of each line; doses are brought to unit"
    )
    subject: str | None = Field(None, description="the patient column: no patient stands on two sides")
    site: str | None = Field(None, description="the hospital column, each left out in turn; never a feature")
    subgroup: Names = Field((), description="columns in which errors are compared, such as ancestry")
    leave_out: Names = Field((), description="subgroup columns whose levels are left out in turn")
    features: Names = Field((), description="columns to learn from; all that remain where not given")
    exclude: Names = Field((), description="columns to leave out")
    missing: Names = Field((), description="further codes that mean missing, such as -9 or unknown")
    dictionary: DictionaryRef | None = Field(
        None, description="data dictionary (YAML): kinds, units, levels, recording times"
    )
    model: Names = Field(
        ("linear", "boosting"), description="models to learn with (comma separated), see combine"
    )
    param: Parameters = Field((), description="a model parameter, as MODEL.NAME=VALUE; may be repeated")
    combine: Literal["blend", "best"] = Field(
        "blend", description="several models together, with weights of inner folds, or the best of them"
    )
    transform: Literal["sqrt", "log", "none"] = Field(
        "sqrt", description="scale on which the dose is learned"
    )
    bands: Annotated[tuple[float, float], BeforeValidator(_two)] = Field(
        (21.0, 49.0), description="the bounds between low, middle and high doses, in unit"
    )
    folds: int = Field(5, ge=2, le=20, description="folds in which the whole procedure is judged")
    coverage: float = Field(0.9, gt=0.5, lt=1.0, description="of the interval of a dose")
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of the intervals of metrics")
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")


class TrainNextRequest(Request):
    """Learn from visits in time what is usually prescribed next.

    It imitates what was prescribed and says nothing of whether it helped; every answer is labelled so.
    """

    table: TableRef = Field(
        description="codes of visits, one line each: subject, visit or time, kind (such as medication), code",
        json_schema_extra=POSITIONAL,
    )
    subject: str = Field("subject_id", description="the column that names the subject")
    visit: str | None = Field(
        None, description="the column that names the visit; where not given, its time does"
    )
    time: str | None = Field(None, description="the column with the time of the visit, a date or a number")
    kind: str = Field("kind", description="the column with the kind of the code")
    code: str = Field("code", description="the column with the code")
    medication: str = Field("medication", description="the kind that is to be predicted")
    visits: TableRef | None = Field(
        None, description="a table of subject, visit and time, where the codes lack it"
    )
    covariates: TableRef | None = Field(
        None, description="a table that describes the subjects, one row each, with the subject column"
    )
    interactions: TableRef | None = Field(
        None,
        description="pairs of drugs that interact, with columns drug_a and drug_b: sets with them are penalised",
    )
    model: Names = Field(
        ("gru",),
        description="models to train (comma separated): gru, cnn, logistic; the best on the tuning side is kept",
    )
    param: Parameters = Field((), description="a model parameter, as MODEL.NAME=VALUE; may be repeated")
    validation: Literal["held-out", "cross-validation", "time"] = Field(
        "held-out", description="how performance is estimated: on other subjects, or on later visits"
    )
    held_out_fraction: float = Field(0.2, gt=0.0, lt=0.9, description="share of the subjects held out")
    folds: int = Field(5, ge=2, le=20, description="folds of cross-validation")
    known: Literal["current", "past"] = Field(
        "current",
        description="whether the other codes of the visit may be looked at, or earlier visits alone",
    )
    min_subjects: int = Field(
        5, ge=1, le=10_000, description="subjects with a code below which it is unknown"
    )
    min_history: int = Field(
        0, ge=0, le=100, description="earlier visits that one must have to be asked about"
    )
    k: int = Field(10, ge=1, le=100, description="how many of a ranking count")
    missed: float = Field(0.1, gt=0.0, lt=1.0, description="share of the medications that a set may miss")
    certainty: float | None = Field(
        None,
        gt=0.5,
        lt=1.0,
        description="with it the sets miss no more than that with this probability, not on the mean",
    )
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of the intervals of metrics")
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")
