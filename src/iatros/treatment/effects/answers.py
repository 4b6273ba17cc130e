"""One line for each subject: who is ranked, by which effect, and who is not and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.treatment.effects.individual import IndividualEffects
from iatros.treatment.effects.overlap import HIGH, LOW, has_overlap
from iatros.treatment.effects.schema import EffectCohort


def answers(
    cohort: EffectCohort,
    effects: IndividualEffects,
    e: np.ndarray,
    *,
    refusal: str | None,
    row: Sequence[int],
    subject: Sequence[str] | None,
    arm: Sequence[str] | None,
) -> dict[str, list[Any]]:
    """Columns of the table of individual effects, by name; one set of effect columns for each arm but the reference.

    A subject without overlap (`e` (n, k) outside [LOW, HIGH] for some arm) has no effect and no rank, and neither has
    anyone where `refusal` says why. Rank 1 has the most to gain; equal effects share a rank, and where all are equal
    nobody has one.
    """
    inside = has_overlap(e) if refusal is None else np.zeros(len(e), dtype=bool)
    table: dict[str, list[Any]] = {"row": [int(number) for number in row]}
    if subject is not None:
        table["subject"] = list(subject)
    if arm is not None:
        table["arm"] = list(arm)
    table["compared"] = inside.tolist()
    why = refusal or f"a probability of some arm lies outside [{LOW}, {HIGH}]"
    table["reason"] = [None if held else why for held in inside]
    for k, name in enumerate(cohort.arms):
        table[f"propensity_{name}"] = e[:, k].tolist()
    sign = 1.0 if cohort.better == "higher" else -1.0
    for k, name in enumerate(cohort.arms[1:]):
        for column, values in (("effect", effects.value), ("low", effects.low), ("high", effects.high)):
            table[f"{column}_{name}"] = _where(inside, values[:, k])
        table[f"rank_{name}"] = _ranks(inside, sign * effects.value[:, k])
    return table


def _where(inside: np.ndarray, values: np.ndarray) -> list[float | None]:
    return [float(value) if held else None for held, value in zip(inside, values, strict=True)]


def _ranks(inside: np.ndarray, gain: np.ndarray) -> list[int | None]:
    """1 for the greatest gain among those inside; None for the others, and for all where no gain differs."""
    ranks: list[int | None] = [None] * len(gain)
    known = np.flatnonzero(inside)
    if len(known) < 2 or np.ptp(gain[known]) <= 1e-12 * max(1.0, float(np.abs(gain[known]).max())):
        return ranks
    ordered = np.sort(-gain[known])
    for place in known:
        ranks[place] = int(np.searchsorted(ordered, -gain[place], side="left")) + 1
    return ranks


def summary(cohort: EffectCohort, table: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """For each arm but the reference how the individual effects are spread, and how many intervals leave out 0."""
    found = []
    sign = 1.0 if cohort.better == "higher" else -1.0
    for name in cohort.arms[1:]:
        columns = [np.array([value for value in table[f"{part}_{name}"] if value is not None], dtype=float)
                   for part in ("effect", "low", "high")]  # fmt: skip
        value, low, high = columns
        gains, losses = (low > 0, high < 0) if sign > 0 else (high < 0, low > 0)
        quantiles = np.quantile(value, [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]).tolist() if len(value) else []
        counts, edges = np.histogram(value, 30) if len(value) else (np.zeros(0), np.zeros(0))
        found.append(
            {
                "arm": name, "reference": cohort.arms[0], "n": len(value), "quantiles": quantiles,
                "standard_deviation": float(value.std()) if len(value) else None,
                "n_gain": int(gains.sum()), "n_lose": int(losses.sum()),
                "edges": edges.tolist(), "counts": counts.tolist(),
            }
        )  # fmt: skip
    return found
