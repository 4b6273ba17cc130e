"""What the procedure of a training run does, read off its request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iatros.core.errors import RequestError
from iatros.learners.tabular.estimators.params import check_overrides
from iatros.molecules import DOMAIN
from iatros.molecules.models import MODELS
from iatros.molecules.requests import TrainRequest

BASELINE = DOMAIN.baseline
"""The model that every other is compared with."""
ENSEMBLE = "ensemble"
_FOLDS, _FOLDS_OF_MANY, _MANY = 5, 3, 20_000


@dataclass(frozen=True)
class Recipe:
    """What the procedure does, wherever it is run."""

    candidates: tuple[str, ...]
    """Models by name; the best by its predictions for compounds that it had not seen is kept."""
    fits: dict[str, Any]
    """Parameters of each model that is cross-fitted: candidates, members of the ensemble, the baseline."""
    members: tuple[str, ...]
    """Members of the ensemble, empty where it is not asked for."""
    inner_folds: int
    """0 leaves it to the number of compounds."""
    calibration: str
    coverage: float
    keep_fingerprints: bool
    """Whether the bundle holds those of the compounds that were learned from."""
    seed: int

    @property
    def judged(self) -> tuple[str, ...]:
        """Models that are compared: the candidates, and the baseline where it is none of them."""
        return (*self.candidates, *(() if BASELINE in self.candidates else (BASELINE,)))

    def folds_for(self, n: int) -> int:
        """How many times each model is fitted on `n` compounds."""
        return self.inner_folds or (_FOLDS_OF_MANY if n > _MANY else _FOLDS)


def make_recipe(request: TrainRequest) -> Recipe:
    """The procedure that a request describes; unknown models and parameters raise here, before any work."""
    candidates = _resolve(request.model)
    if any(one.replace(" ", "").startswith(f"{ENSEMBLE}.n_folds") for one in request.param):
        raise RequestError(f"{ENSEMBLE}.n_folds is the same for all models here", hint="give inner_folds")
    trained = (*candidates, *(() if BASELINE in candidates else (BASELINE,)))
    params = check_overrides(trained, request.param, MODELS)
    members: tuple[str, ...] = ()
    fits = {name: given for name, given in params.items() if name != ENSEMBLE}
    if ENSEMBLE in params:
        ensemble: Any = params[ENSEMBLE]
        members = ensemble.members
        for name in members:
            kind = MODELS.load(name).Params
            fits.setdefault(name, kind(**ensemble.member_params.get(name, {})))
    return Recipe(
        candidates=candidates,
        fits=fits,
        members=members,
        inner_folds=request.inner_folds,
        calibration=request.calibration,
        coverage=request.coverage,
        keep_fingerprints=request.keep_fingerprints,
        seed=request.seed,
    )


def _resolve(names: Sequence[str]) -> tuple[str, ...]:
    """`names` checked against the registry, each once; `all` stands for every model."""
    wanted = [
        known for name in names for known in (MODELS.names() if name == "all" else (MODELS.entry(name).name,))
    ]
    if not wanted:
        raise RequestError("model: name at least one", hint=f"known: {', '.join(MODELS.names())}")
    return tuple(dict.fromkeys(wanted))
