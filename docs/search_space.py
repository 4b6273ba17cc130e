"""What tuning searches, read off a model's own search space without running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class _Trial:
    """Stands in for an Optuna trial: takes given choices, else the first or lowest, and notes every range."""

    def __init__(self, taken: Mapping[str, Any]) -> None:
        self.taken = taken
        self.choices: dict[str, list[Any]] = {}
        self.ranges: dict[str, str] = {}

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Note the choices."""
        self.choices[name] = list(choices)
        self.ranges[name] = ", ".join(map(str, choices))
        return self.taken.get(name, choices[0])

    def suggest_int(self, name: str, low: int, high: int, **how: Any) -> int:
        """Note the range."""
        self.ranges[name] = f"{low} to {high}" + (", log scale" if how.get("log") else "")
        return low

    def suggest_float(self, name: str, low: float, high: float, **how: Any) -> float:
        """Note the range."""
        self.ranges[name] = f"{low:g} to {high:g}" + (", log scale" if how.get("log") else "")
        return low


def tuned_ranges(estimator: Any) -> dict[str, str]:
    """What the search space of a model draws, by parameter; every choice is tried, since some open others."""
    base, found = estimator.Params(), {}
    seen: list[Mapping[str, Any]] = [{}]
    for taken in seen:
        trial = _Trial(taken)
        estimator.search_space(trial, base)
        for name, said in trial.ranges.items():
            found.setdefault(name, said)
        if not taken:
            seen += [{name: choice} for name, choices in trial.choices.items() for choice in choices[1:]]
    return found
