"""What can be asked about effects."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from iatros.core.request import Names, TableRef
from iatros.treatment.cohort_requests import CohortFields


class EffectRequest(CohortFields):
    """What one treatment changes against another: on average, for each subject, and what that rests on."""

    negative_control: Names = Field(
        (), description="columns of outcomes that the treatment cannot change; never covariates"
    )
    patients: TableRef | None = Field(None, description="new patients whose effects are asked for")
    learner: Literal["auto", "constant", "s", "t", "x", "dr", "causal-forest"] = Field(
        "auto", description="how individual effects are learned; auto takes the least loss on unseen subjects"
    )
    base: Literal["auto", "ridge", "gp", "boosting", "forest"] = Field(
        "auto", description="the regression that a learner is built from; auto as for learner"
    )
    outcome_model: Literal["auto", "ridge", "gp", "boosting", "forest"] = Field(
        "auto", description="the regression of the outcome in each arm that scores are made from"
    )
    resamples: int = Field(
        100,
        ge=20,
        le=2000,
        description="halves of the patients behind the intervals of learners that need them",
    )
    placebos: int = Field(20, ge=0, le=1000, description="repeats with arms dealt anew, whose effect is none")

    @property
    def controls(self) -> tuple[str, ...]:
        """Outcomes that the treatment cannot change."""
        return self.negative_control
