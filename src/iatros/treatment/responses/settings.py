"""How a model of responses is to be trained and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, cast

from pydantic import ValidationError

from iatros.core.errors import RequestError
from iatros.core.request import Request, request_error
from iatros.treatment.models import MODELS
from iatros.treatment.responses.estimator import Newness, ResponseEstimator
from iatros.treatment.responses.schema import Outcome

BASELINE = "baseline"
"""What every model is compared with, on the same folds: means of treatment and subject."""


@dataclass(frozen=True)
class Settings:
    """`candidates` are the models with their parameters; the best on the folds is kept.

    `newness` says what the predictions will be for. `given` is how many past responses of a held-out subject a model is
    told. `better` says whether more or less of the outcome is wanted; `k` how many of a list count.
    """

    candidates: dict[str, dict[str, Any]] = field(default_factory=lambda: {"ensemble": {}})
    newness: Newness = "pairs"
    n_folds: int = 5
    given: int = 0
    later: float = 0.2
    better: Literal["higher", "lower"] = "higher"
    k: int = 5
    coverage: float = 0.9
    confidence_level: float = 0.95
    n_bootstrap: int = 500
    seed: int = 0

    @property
    def judged(self) -> dict[str, dict[str, Any]]:
        """The candidates, and the baseline where it is none of them."""
        return {**self.candidates, **({} if BASELINE in self.candidates else {BASELINE: {}})}


def make_estimator(name: str, params: dict[str, Any], outcome: Outcome) -> ResponseEstimator:
    """The model called `name` with `params`; RequestError where it cannot learn such outcomes."""
    kind = MODELS.load(name)
    if outcome not in kind.outcomes:
        able = [one.name for one in MODELS if outcome in MODELS.load(one.name).outcomes]
        raise RequestError(
            f"{name} does not learn {outcome} outcomes", where="model", hint=f"these do: {', '.join(able)}"
        )
    try:
        estimator: ResponseEstimator = kind(kind.Params(**params))
    except ValidationError as error:
        raise request_error(error, cast(type[Request], kind.Params)) from None
    return estimator
