"""What can be asked about rules of treatment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from iatros.core.request import Names
from iatros.treatment.cohort_requests import CohortFields


class PolicyRequest(CohortFields):
    """What rules of treatment are worth: one arm for all, rules learned from the table, and rules that you give."""

    reference: str | None = Field(
        None,
        description="the arm that costs nothing, such as no treatment; the first by name where not given",
    )
    rule: Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)] = Field(
        (),
        description="a rule to value, such as 'cd4 < 200 -> didanosine, else zidovudine'; may be repeated",
    )
    recommended: Names = Field((), description="columns that name the arm that a rule gives to each subject")
    least_benefit: float = Field(
        0.0,
        ge=0,
        description="by how much, in the outcome's unit, an arm must be better than the reference to be given",
    )
    asks: Names = Field((), description="covariates that the learned tree may ask about; all where not given")
    depth: Annotated[
        Literal["auto", "0", "1", "2"], BeforeValidator(lambda v: str(v) if type(v) is int else v)
    ] = Field(
        "auto", description="most questions of the learned tree; auto asks only what pays on unseen subjects"
    )
    smallest_share: float = Field(
        0.05, gt=0.0, le=0.5, description="least share of the subjects at each end of the learned tree"
    )
    learner: Literal["s", "t", "x", "dr", "causal-forest"] = Field(
        "dr", description="how individual effects are learned"
    )
    base: Literal["ridge", "gp", "boosting", "forest"] = Field(
        "ridge", description="the regression that individual effects are built from"
    )
    outcome_model: Literal["ridge", "gp", "boosting", "forest"] = Field(
        "ridge", description="the regression of the outcome in each arm that scores are made from"
    )
    bootstraps: int = Field(
        500, ge=100, le=10_000, description="resamples of subjects, for gain curves and as a cross-check"
    )

    @model_validator(mode="after")
    def _each_rule_once(self) -> PolicyRequest:
        if len(set(self.rule)) < len(self.rule):
            raise ValueError("a rule is given twice")
        return self

    @property
    def never_covariates(self) -> tuple[str, ...]:
        """Columns of recommended arms."""
        return self.recommended
