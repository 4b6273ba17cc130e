"""What can be asked when answers are to be judged: of a bundle, or of compounds that something generated."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from iatros.core.request import CompoundsRef, ModelRef, Names
from iatros.molecules.requests import ACTIVE_FROM, COMPOUNDS, POSITIONAL, ReadsProteins, UsesModel

LEAVABLE = ("fcd", "kl")
"""Metrics of a comparison that can be left out."""


class EvaluateRequest(ReadsProteins, UsesModel):
    """External validation: how the model does on compounds, or pairs, that were measured elsewhere or later.

    With a reference no bundle is asked: the compounds, whoever wrote them, are compared with it by the metrics of MOSES
    and of GuacaMol, and COMPOUNDS is the only input.
    """

    model: ModelRef | None = Field(
        None, description="the bundle; left out with reference", json_schema_extra=POSITIONAL
    )
    compounds: CompoundsRef | None = Field(None, description=COMPOUNDS, json_schema_extra=POSITIONAL)
    outcome: Names = Field(
        (),
        description="the columns with the measurements, in the order of the model's endpoints; those that it was "
        "trained on where not given",
    )
    relation: str | None = Field(
        None, description="the column that holds =, > or < for each measurement; otherwise read off its cell"
    )
    unit_column: str | None = Field(None, description="the column that holds the unit of each measurement")
    unit: Literal["M", "mM", "uM", "nM", "pM", "p", "none"] | None = Field(
        None, description="the unit of all measurements; as in training where neither is given"
    )
    active_from: float | None = Field(None, description=ACTIVE_FROM)
    reference: CompoundsRef | None = Field(
        None,
        description="compounds that the given ones are compared with, such as a test set, in any of the same formats",
        json_schema_extra={"address": True},
    )
    scaffolds: CompoundsRef | None = Field(
        None,
        description="a second reference, of scaffolds that were not learned from; FCD, SNN, Frag and Scaf are given "
        "for both",
        json_schema_extra={"address": True},
    )
    training: CompoundsRef | None = Field(
        None,
        description="the compounds that the generator learned from; what is not among them is novel",
        json_schema_extra={"address": True},
    )
    leave_out: Names = Field(
        (), description=f"metrics of a comparison that take the most time: {' and '.join(LEAVABLE)}"
    )
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of the intervals of metrics")
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")

    @model_validator(mode="before")
    @classmethod
    def _only_compounds_with_a_reference(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("reference") is not None and given.get("compounds") is None:
            return {**given, "model": None, "compounds": given.get("model")}
        return given

    @model_validator(mode="after")
    def _fields_agree(self) -> EvaluateRequest:
        if self.reference is None:
            missing = [name for name in ("model", "compounds") if getattr(self, name) is None]
            if missing:
                raise ValueError(
                    f"{' and '.join(missing)} is missing: give a bundle and measured compounds, or compounds and a "
                    "reference"
                )
            needless = [name for name in ("scaffolds", "training") if getattr(self, name) is not None]
            needless += ["leave_out"] if self.leave_out else []
            if needless:
                raise ValueError(f"{needless[0]} is about a comparison: give reference as well")
        else:
            self._check_comparison()
        if self.unit is not None and self.unit_column is not None:
            raise ValueError("give either unit, for all lines, or unit_column")
        return self

    def _check_comparison(self) -> None:
        if self.compounds is None:
            raise ValueError("compounds is missing: give the ones that are compared with reference")
        if self.model is not None:
            raise ValueError("with reference compounds are compared and no bundle is asked: leave model out")
        for name in (
            "protein",
            "target",
            "fasta",
            "outcome",
            "relation",
            "unit",
            "unit_column",
            "active_from",
        ):
            if getattr(self, name) != EvaluateRequest.model_fields[name].get_default():
                raise ValueError(f"{name} is about measurements, and with reference there are none")
        unknown = sorted(set(self.leave_out) - set(LEAVABLE))
        if unknown:
            raise ValueError(f"leave_out: {', '.join(unknown)} is none of {', '.join(LEAVABLE)}")
