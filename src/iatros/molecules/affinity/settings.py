"""How a model of affinity is to be trained and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast, get_args

from pydantic import ValidationError

from iatros.core.errors import RequestError
from iatros.core.request import Request, request_error
from iatros.molecules.affinity.estimator import AffinityEstimator, Newness
from iatros.molecules.affinity.models import MODELS
from iatros.molecules.affinity.splits import SAME_GROUP

BASELINE = "kron-rls"
"""What every model is compared with, on the same folds (Pahikkala and others 2015)."""


@dataclass(frozen=True)
class AffinitySettings:
    """`validation` says what the predictions will be for; each pair is judged once in `n_folds` folds.

    `same_group` is the normalised Smith-Waterman score above which two targets stand on one side under leave-target
    and leave-both. `params` go to the model. `also` holds further models by name with their parameters: the best by
    its concordance on the folds is kept. `coverage` is the share of new pairs that intervals are to hold.
    """

    model: str = "dti-hybrid"
    validation: Newness = "leave-target"
    params: dict[str, Any] = field(default_factory=dict)
    also: dict[str, dict[str, Any]] = field(default_factory=dict)
    n_folds: int = 5
    same_group: float = SAME_GROUP
    seed: int = 0
    n_bootstrap: int = 500
    confidence_level: float = 0.95
    coverage: float = 0.9
    outcome: str = "affinity"
    unit: str = ""

    def __post_init__(self) -> None:
        if self.validation not in get_args(Newness):
            raise RequestError(
                f"validation must be one of {', '.join(get_args(Newness))}, got {self.validation!r}"
            )
        if not 2 <= self.n_folds <= 20:
            raise RequestError(f"n_folds must lie between 2 and 20, got {self.n_folds}")
        if not 0.0 < self.same_group <= 1.0:
            raise RequestError(f"same_group must lie above 0 and at most at 1, got {self.same_group}")
        if not 0.5 <= self.confidence_level < 1.0:
            raise RequestError(
                f"confidence_level must be at least 0.5 and below 1, got {self.confidence_level}"
            )
        if not 0.5 < self.coverage < 1.0:
            raise RequestError(f"coverage must lie above 0.5 and below 1, got {self.coverage}")
        if self.n_bootstrap < 0:
            raise RequestError(f"n_bootstrap must not be negative, got {self.n_bootstrap}")
        if self.model in self.also:
            raise RequestError(f"the model {self.model} is named twice")

    @property
    def candidates(self) -> dict[str, dict[str, Any]]:
        """The models of which the best is kept, with their parameters."""
        return {self.model: self.params, **self.also}


def make_estimator(name: str, params: dict[str, Any]) -> AffinityEstimator:
    """The model called `name` with `params`; UnknownNameError or RequestError for what is not known."""
    kind = MODELS.load(name)
    try:
        estimator: AffinityEstimator = kind(kind.Params(**params))
    except ValidationError as error:
        raise request_error(error, cast(type[Request], kind.Params)) from None
    return estimator
