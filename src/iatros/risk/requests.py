"""What can be asked about risk: one frozen class per action. Defaults live here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator
from pydantic.config import JsonDict

from iatros.core.request import ModelRef, Names, Request, TableRef

Validation = Literal["held-out", "cross-validation", "optimism", "time", "site"]
Recalibration = Literal["intercept", "slope", "isotonic"]


DictionaryRef = Annotated[Path, PlainSerializer(lambda path: {"file": path.name})]

_POSITIONAL: JsonDict = {"positional": True}
_PATIENTS = "patients, one row each: a CSV or Parquet file, a DataFrame, or rows"


class TrainRequest(Request):
    """Learn from a table of patients what will happen to a patient, and show how far it can be trusted."""

    table: TableRef = Field(description=_PATIENTS, json_schema_extra=_POSITIONAL)
    outcome: str = Field(description="the column to predict")
    positive: str | None = Field(
        None,
        description="which values of the outcome count as the event: a value, or a comparison such as '>0'",
    )
    task: Literal["auto", "binary", "multiclass", "continuous"] = Field(
        "auto", description="kind of outcome; auto reads it off the column"
    )
    target_transform: Literal["none", "sqrt", "log"] = Field(
        "none", description="scale on which a continuous outcome is learned"
    )
    model: Names = Field(
        ("logistic", "forest", "boosting"),
        description="models to train (comma separated, or all); the best on the tuning side is kept",
    )
    param: Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)] = Field(
        (), description="a model parameter, as MODEL.NAME=VALUE; may be repeated"
    )
    features: Names = Field((), description="columns to learn from; all that remain where not given")
    exclude: Names = Field((), description="columns to leave out")
    subject: str | None = Field(None, description="the patient column: no patient stands on two sides")
    site: str | None = Field(None, description="the hospital column; never a feature")
    time: str | None = Field(None, description="the date column that orders patients; never a feature")
    subgroup: Names = Field(
        (), description="columns in which performance is compared; age_band is made from a column called age"
    )
    keep: tuple[str, ...] = Field(
        (), description="cohort rule, as 'column=value,value' or 'column!=value,value'; may be repeated"
    )
    validation: Validation = Field("held-out", description="how performance is estimated")
    held_out_fraction: float = Field(0.2, gt=0.0, lt=0.9, description="share of the patients held out")
    folds: int = Field(5, ge=2, le=50, description="folds of cross-validation")
    repeats: int = Field(
        1, ge=1, le=100, description="repetitions of cross-validation, each with other folds"
    )
    bootstraps: int = Field(100, ge=10, le=2000, description="resamples of the optimism correction")
    instability: int = Field(
        20,
        ge=0,
        le=1000,
        description="refits that show how far a patient's prediction moves (5 above 20,000 rows)",
    )
    impute: Literal["model", "none", "simple", "iterative", "multiple"] = Field(
        "model",
        description="how missing values are filled inside the resampling; model: each model's own way",
    )
    missing: Names = Field((), description="further codes that mean missing, such as -9 or unknown")
    dictionary: DictionaryRef | None = Field(
        None, description="data dictionary (YAML): kinds, units, levels, recording times"
    )
    calibration: Literal["auto", "none", "intercept", "slope", "isotonic"] = Field(
        "auto",
        description="calibration on patients the model has not seen; auto chooses by cross-validated loss",
    )
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of the intervals of metrics")
    coverage: float = Field(0.9, gt=0.5, lt=1.0, description="of conformal sets and prediction intervals")
    drop_suspects: bool = Field(
        False, description="leave out the columns that the leakage audit calls certain or likely"
    )
    tune_trials: int = Field(
        0, ge=0, le=10_000, description="Optuna trials for each model; 0 keeps the defaults"
    )
    tune_seconds: float | None = Field(
        None,
        gt=0,
        description="budget of the tuning in seconds for each model (not reproducible to the bit)",
        json_schema_extra={"unit": "s"},
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")

    @model_validator(mode="after")
    def _goes_together(self) -> TrainRequest:
        if self.validation == "site" and self.site is None:
            raise ValueError("validation site needs the hospital column: give site")
        if self.validation == "time" and self.time is None:
            raise ValueError("validation time needs the date column: give time")
        if self.target_transform != "none" and self.task in ("binary", "multiclass"):
            raise ValueError("target_transform is for continuous outcomes")
        return self


class _UsesModel(Request):
    """Fields of every request that asks a bundle about patients."""

    model: ModelRef = Field(description="the bundle", json_schema_extra=_POSITIONAL)
    table: TableRef = Field(description=_PATIENTS, json_schema_extra=_POSITIONAL)


class PredictRequest(_UsesModel):
    """The predicted risk of each patient, with its conformal set or interval and warnings."""

    subject: str | None = Field(
        None, description="a column to carry over into the answer, such as the patient's id"
    )


class EvaluateRequest(_UsesModel):
    """External validation: how the model does on these patients."""

    subject: str | None = Field(None, description="the patient column: intervals draw patients, not rows")
    subgroup: Names = Field((), description="columns in which performance is compared")
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of the intervals of metrics")
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")


class ExplainRequest(_UsesModel):
    """What raised and what lowered the prediction: for one patient (row) or over all of them."""

    row: int | None = Field(
        None, ge=0, description="the patient, counted from 0; the whole table where not given"
    )
    top: int = Field(10, ge=1, le=1000, description="columns to name, the strongest first")
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")


class RecalibrateRequest(_UsesModel):
    """A new bundle whose probabilities fit these patients; it names its parent."""

    method: Recalibration = Field(
        "slope", description="what is refitted: intercept, intercept and slope, or a monotone curve"
    )
    subject: str | None = Field(
        None, description="the patient column: no patient is both calibrated and judged on"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")
