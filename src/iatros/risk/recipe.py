"""What the procedure of a training run does, read off its request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iatros.learners.tabular.estimators.params import check_overrides, with_impute
from iatros.risk import DOMAIN
from iatros.risk.models import MODELS, resolve
from iatros.risk.requests import TrainRequest
from iatros.risk.tuning import Budget

BASELINE = DOMAIN.baseline
"""The model that every other is compared with."""


@dataclass(frozen=True)
class Recipe:
    """What the procedure does, wherever it is run."""

    candidates: dict[str, Any]
    """Parameters by model name; the best on tuning patients is kept."""
    reference: dict[str, Any]
    """The baseline, trained for comparison only; empty where it is among the candidates."""
    calibration: str
    coverage: float
    budget: Budget
    seed: int

    @property
    def trained(self) -> dict[str, Any]:
        """Candidates and reference."""
        return {**self.candidates, **self.reference}


def make_recipe(request: TrainRequest) -> Recipe:
    """The procedure that a request describes; unknown models and parameters raise here, before any work."""
    names = resolve(request.model)
    trained = (*names, *(() if BASELINE in names else (BASELINE,)))
    params = check_overrides(trained, request.param, MODELS)
    if request.impute != "model":
        params = {name: with_impute(given, request.impute) for name, given in params.items()}
    return Recipe(
        candidates={name: params[name] for name in names},
        reference={name: params[name] for name in trained if name not in names},
        calibration=request.calibration,
        coverage=request.coverage,
        budget=Budget(request.tune_trials, request.tune_seconds, request.seed),
        seed=request.seed,
    )
