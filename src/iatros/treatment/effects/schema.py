"""What an effect is estimated from: subjects in two or more arms, what was known before, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from iatros.core.errors import InputError

Kind = Literal["continuous", "binary", "time-to-event"]
Design = Literal["trial", "observational"]
Better = Literal["higher", "lower"]
Measure = Literal["survival", "restricted-mean"]
"""Of a time-to-event outcome: being free of the event at the horizon (0 or 1), or the time until then without it."""


@dataclass(frozen=True)
class EffectCohort:
    """n subjects, each in one of k arms.

    `X` (n, p) float64, without gaps, is what was known before treatment, in features `names`. `arm` (n,) int64 are
    places in `arms`, whose first is the reference. `y` (n,) float64 is the outcome: a value, 0.0 or 1.0, or for
    time-to-event the measure at the horizon, NaN where the subject was censored before it could be known. `groups`
    (n,) int64 is the patient of each row. `assignment` (n, k) holds the known probabilities of the arms in a trial.
    `time` and `event` (n,) are given for time-to-event outcomes only, with `horizon` in the unit of `time`.
    """

    X: np.ndarray
    names: tuple[str, ...]
    arm: np.ndarray
    arms: tuple[str, ...]
    y: np.ndarray
    groups: np.ndarray
    kind: Kind = "continuous"
    design: Design = "observational"
    better: Better = "higher"
    assignment: np.ndarray | None = None
    time: np.ndarray | None = None
    event: np.ndarray | None = None
    horizon: float | None = None
    measure: Measure = "survival"

    def __post_init__(self) -> None:
        n = len(self.arm)
        if self.X.shape != (n, len(self.names)) or not np.isfinite(self.X).all():
            raise InputError("covariates are a finite matrix with one named column for each feature")
        if len(self.y) != n or len(self.groups) != n:
            raise InputError("each subject needs an arm, an outcome and a group")
        if len(self.arms) < 2 or (n and not 0 <= self.arm.min() <= self.arm.max() < len(self.arms)):
            raise InputError("arms are places among two or more names")
        timed = self.kind == "time-to-event"
        if timed != (self.time is not None and self.event is not None and self.horizon is not None):
            raise InputError("time, event and horizon belong to a time-to-event outcome, and to no other")
        if not timed and not np.isfinite(self.y).all():
            raise InputError("outcomes are finite numbers")
        if self.assignment is not None and self.assignment.shape != (n, len(self.arms)):
            raise InputError("known probabilities are given for each subject and arm")

    def __len__(self) -> int:
        return len(self.arm)

    @property
    def n_arms(self) -> int:
        """How many arms there are, the reference included."""
        return len(self.arms)

    @property
    def known(self) -> np.ndarray:
        """Whether the outcome is known (n,); all of them, but for subjects censored before the horizon."""
        return np.isfinite(self.y)

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which values any outcome lies."""
        if self.kind == "continuous":
            return -np.inf, np.inf
        if self.kind == "time-to-event" and self.measure == "restricted-mean":
            return 0.0, float(self.horizon or 0.0)
        return 0.0, 1.0

    @property
    def is_probability(self) -> bool:
        """Whether the outcome is 0 or 1, so that its expectation is a probability."""
        return self.kind == "binary" or (self.kind == "time-to-event" and self.measure == "survival")

    def take(self, rows: np.ndarray) -> EffectCohort:
        """The subjects at `rows`, with the same arms."""

        def part(values: np.ndarray | None) -> np.ndarray | None:
            return None if values is None else values[rows]

        return replace(
            self, X=self.X[rows], arm=self.arm[rows], y=self.y[rows], groups=self.groups[rows],
            assignment=part(self.assignment), time=part(self.time), event=part(self.event),
        )  # fmt: skip


def outcome_at_horizon(time: np.ndarray, event: np.ndarray, horizon: float, measure: Measure) -> np.ndarray:
    """The measure of each subject at the horizon (n,), NaN where censored before it could be known.

    An event at the horizon itself has happened; one who was censored there was free of it.
    """
    had_event = (event == 1) & (time <= horizon)
    known = had_event | (time >= horizon)
    free = np.where(had_event, 0.0, 1.0) if measure == "survival" else np.minimum(time, horizon)
    return np.where(known, free, np.nan)
