"""The learned models of a dose, with what suits hundreds to thousands of patients and a skewed outcome."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from iatros.learners.tabular.estimators.boosting import Boosting, BoostingParams
from iatros.learners.tabular.estimators.logistic import Logistic, LogisticParams


class LinearParams(LogisticParams):
    """Parameters of the linear regression of the dose on the learning scale."""

    impute: Literal["simple", "iterative", "multiple"] = Field(
        default="simple",
        description="how missing values are filled: simple (median), iterative (chained equations), multiple "
        "(several chained draws, predictions averaged)",
    )
    C: float | None = Field(
        default=1.0,
        gt=0,
        le=1e6,
        description="inverse strength of the penalty; where null, chosen by inner cross-validation",
    )


class Linear(Logistic):
    """Linear regression, lightly penalised."""

    name: ClassVar[str] = "linear"
    Params: ClassVar[type[LogisticParams]] = LinearParams

    def __init__(self, params: LinearParams | None = None) -> None:
        super().__init__(params or LinearParams())


class SmallTreesParams(BoostingParams):
    """Parameters of the boosted trees: few leaves, so that two or three factors act together and no more."""

    n_estimators: int | None = Field(
        default=300, ge=1, le=20_000, description="rounds; where null, chosen by early stopping"
    )
    num_leaves: int = Field(default=8, ge=2, le=1024, description="leaves of a tree at most")
    n_bags: int = Field(
        default=1, ge=1, le=100, description="models with different draws, predictions averaged"
    )


class SmallTrees(Boosting):
    """Boosted trees of eight leaves."""

    name: ClassVar[str] = "boosting"
    Params: ClassVar[type[BoostingParams]] = SmallTreesParams

    def __init__(self, params: SmallTreesParams | None = None) -> None:
        super().__init__(params or SmallTreesParams())
