"""How a model of a dose is to be learned and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from pydantic import BaseModel, ValidationError

from iatros.core.errors import RequestError
from iatros.core.request import Request, request_error
from iatros.learners.tabular.estimators.pipeline import Estimator
from iatros.treatment.dosing.models import EQUATIONS, MODELS
from iatros.treatment.dosing.scale import Scale, check_scale

Combine = Literal["blend", "best"]


@dataclass(frozen=True)
class DoseSettings:
    """`models` holds the candidates by name with their parameters.

    With combine `blend` they answer together, with the weights whose mean absolute error is least on inner folds; with
    `best` the one with the least. They learn on `scale`. Each patient is judged once, in `n_folds` folds, by the whole
    procedure without that patient. Intervals hold `coverage` of new patients like these; they may be wider where larger
    doses are predicted. `bands` are the two bounds, in the unit of the dose, between low, middle and high doses.
    `leave_out` names subgroup columns (ancestry) whose levels are left out in turn, beside the site.
    """

    models: dict[str, dict[str, Any]] = field(default_factory=lambda: {"linear": {}, "boosting": {}})
    combine: Combine = "blend"
    scale: Scale = "sqrt"
    n_folds: int = 5
    inner_folds: int = 5
    coverage: float = 0.9
    bands: tuple[float, float] = (21.0, 49.0)
    leave_out: tuple[str, ...] = ()
    confidence_level: float = 0.95
    n_bootstrap: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        check_scale(self.scale)
        if self.combine not in get_args(Combine):
            raise RequestError(f"combine must be one of {', '.join(get_args(Combine))}, got {self.combine!r}")
        if not self.models:
            raise RequestError("model: name at least one", hint=f"known: {', '.join(MODELS.names())}")
        for name, most in (("n_folds", 20), ("inner_folds", 20)):
            if not 2 <= getattr(self, name) <= most:
                raise RequestError(f"{name} must lie between 2 and {most}, got {getattr(self, name)}")
        if not 0.5 < self.coverage < 1.0:
            raise RequestError(f"coverage must lie above 0.5 and below 1, got {self.coverage}")
        if not 0.5 <= self.confidence_level < 1.0:
            raise RequestError(
                f"confidence_level must be at least 0.5 and below 1, got {self.confidence_level}"
            )
        if self.n_bootstrap < 0:
            raise RequestError(f"n_bootstrap must not be negative, got {self.n_bootstrap}")
        if len(self.bands) != 2 or not 0.0 < self.bands[0] < self.bands[1]:
            raise RequestError(
                f"bands are two doses above zero, the smaller first, got {list(self.bands)}",
                hint="for warfarin in mg/week 21,49",
            )
        if self.scale != "sqrt" and any(name in EQUATIONS for name in self.models):
            raise RequestError(
                "the published equations give the square root of a dose",
                where="scale",
                hint="use scale sqrt, or leave them out",
            )

    @property
    def label(self) -> str:
        """What the model is called."""
        names = list(self.models)
        return names[0] if len(names) == 1 else f"{self.combine} of {', '.join(names)}"


def make_estimator(name: str, params: dict[str, Any]) -> Estimator:
    """The model called `name` with `params`; UnknownNameError or RequestError for what is not known."""
    kind = MODELS.load(name)
    try:
        settled: BaseModel = kind.Params(**params)
    except ValidationError as error:
        raise request_error(error, cast(type[Request], kind.Params)) from None
    estimator: Estimator = kind(settled)
    return estimator
