"""How a model of the next medications is to be trained and judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

from iatros.core.errors import RequestError
from iatros.treatment.sequences.splits import Validation
from iatros.treatment.sequences.vocabulary import Known


@dataclass(frozen=True)
class SequenceSettings:
    """`model` with `params`, and further candidates in `also`; the best on the tuning side is kept.

    `known` says whether the other codes of the visit that is asked about may be looked at (`current`) or earlier visits
    alone (`past`). A code that fewer than `min_subjects` subjects have is unknown. Visits with fewer than `min_history`
    earlier ones are not asked about. Of a ranking the first `k` count. Sets are made to miss a share of at most
    `missed` of the medications, on the mean over new subjects, or with `certainty` about the calibration side.
    """

    model: str = "gru"
    params: dict[str, Any] = field(default_factory=dict)
    also: dict[str, dict[str, Any]] = field(default_factory=dict)
    validation: Validation = "held-out"
    held_out_fraction: float = 0.2
    n_folds: int = 5
    known: Known = "current"
    min_subjects: int = 5
    min_history: int = 0
    k: int = 10
    missed: float = 0.1
    certainty: float | None = None
    seed: int = 0
    n_bootstrap: int = 500
    confidence_level: float = 0.95

    def __post_init__(self) -> None:
        for name, kinds in (("validation", Validation), ("known", Known)):
            if getattr(self, name) not in get_args(kinds):
                raise RequestError(
                    f"{name} must be one of {', '.join(get_args(kinds))}, got {getattr(self, name)!r}"
                )
        bounds = (
            ("held_out_fraction", 0.0, 0.9), ("missed", 0.0, 1.0), ("confidence_level", 0.5, 1.0),
            *((("certainty", 0.5, 1.0),) if self.certainty is not None else ()),
        )  # fmt: skip
        for name, low, high in bounds:
            if not low < getattr(self, name) < high:
                raise RequestError(
                    f"{name} must lie between {low:g} and {high:g}, got {getattr(self, name):g}"
                )
        counts = (("n_folds", 2), ("min_subjects", 1), ("min_history", 0), ("k", 1), ("n_bootstrap", 0))
        for name, least in counts:
            if getattr(self, name) < least:
                raise RequestError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.model in self.also:
            raise RequestError(f"the model {self.model} is named twice")

    @property
    def candidates(self) -> dict[str, dict[str, Any]]:
        """The models of which the best is kept, with their parameters."""
        return {self.model: self.params, **self.also}
