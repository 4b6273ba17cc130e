"""Whether an objective can be optimised at all, seen on the compounds that a search would start from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.molecules.objectives.objective import Objective, Scored

MOST = 1000
"""Compounds on which constraints are tried."""
_SHOWN = 5


@dataclass(frozen=True)
class Range:
    """What a part gave: `values` before the transform and `suited` after it, each lowest and highest; nan for none."""

    name: str
    unit: str
    values: tuple[float, float]
    suited: tuple[float, float]
    n_unknown: int

    def said(self) -> str:
        """One line about it."""
        if np.isnan(self.values[0]):
            return f"{self.name} has no value for any compound"
        unit = f" {self.unit}" if self.unit else ""
        unknown = f", no value for {self.n_unknown:,}" if self.n_unknown else ""
        return (
            f"{self.name} {self.values[0]:.4g} to {self.values[1]:.4g}{unit}, "
            f"after the transform {self.suited[0]:.3g} to {self.suited[1]:.3g}{unknown}"
        )


@dataclass(frozen=True)
class Checked:
    """What is known of an objective before a search begins."""

    n: int
    n_above_zero: int
    scores: tuple[float, float]
    ranges: tuple[Range, ...]
    problems: tuple[str, ...]
    """Why no search could get anywhere; empty where one can."""
    notes: tuple[str, ...]
    """What is odd and does not forbid a search."""

    def refuse(self) -> None:
        """InputError that says the problems and each part's range, where there is a problem."""
        if self.problems:
            ranges = "; ".join(one.said() for one in self.ranges)
            raise InputError(
                f"{'; '.join(self.problems)}; on {self.n:,} compounds: {ranges}",
                where="objective",
                hint="widen a transform, take a constraint away, or start from other compounds",
            )

    def document(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "n": self.n,
            "n_above_zero": self.n_above_zero,
            "scores": list(self.scores),
            "parts": [
                {"name": one.name, "unit": one.unit, "values": list(one.values), "suited": list(one.suited),
                 "n_unknown": one.n_unknown}
                for one in self.ranges
            ],
            "problems": list(self.problems),
            "notes": list(self.notes),
        }  # fmt: skip


def check(objective: Objective, smiles: Sequence[str]) -> Checked:
    """The objective tried on the first 1,000 valid SMILES of a library."""
    return check_scored(objective, objective.score(smiles[:MOST]))


def check_scored(objective: Objective, scored: Sequence[Scored]) -> Checked:
    """The same on compounds that were scored already; InputError for none."""
    if not scored:
        raise InputError("an objective is checked on compounds, and there are none", where="objective")
    scores = np.array([one.score for one in scored])
    ranges = tuple(_range(part.name, part.unit(), scored) for part in objective.parts)
    met = _met(objective, scored[:MOST])
    contradictions = _contradictions(met, min(MOST, len(scored)))
    problems = list(contradictions)
    if scores.max() == 0.0:
        if not contradictions:
            problems.append(f"the score of every compound is 0{_why(scored)}")
    elif scores.max() == scores.min() and len({one.smiles for one in scored}) > 1:
        problems.append(f"the score of every compound is the same, {scores[0]:.4g}")
    return Checked(
        len(scored),
        int((scores > 0.0).sum()),
        (float(scores.min()), float(scores.max())),
        ranges,
        tuple(problems),
        tuple(_notes(objective, scored, ranges, met)),
    )


def _range(name: str, unit: str, scored: Sequence[Scored]) -> Range:
    values = np.array([one.values[name] for one in scored])
    known = np.isfinite(values)
    if not known.any():
        return Range(name, unit, (np.nan, np.nan), (np.nan, np.nan), len(scored))
    suited = np.array([one.parts[name] for one in scored])[known]
    return Range(name, unit, _ends(values[known]), _ends(suited), int((~known).sum()))


def _ends(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _met(objective: Objective, scored: Sequence[Scored]) -> dict[str, np.ndarray]:
    """By constraint, which compounds meet it: hard parts, and domains that are required."""
    met: dict[str, np.ndarray] = {}
    for part in objective.parts:
        if part.hard:
            met[part.name] = np.array([one.parts[part.name] > 0.0 for one in scored])
        if getattr(part, "domain", "") == "require":
            inside = [one.values.get(f"{part.name} in domain") == 1.0 for one in scored]
            met[f"the domain of {part.name}"] = np.array(inside)
    return met


def _contradictions(met: dict[str, np.ndarray], n: int) -> list[str]:
    """Why no compound meets all constraints; nothing where one does."""
    if not met or np.logical_and.reduce(list(met.values())).any():
        return []
    never = [name for name, found in met.items() if not found.any()]
    if never:
        return [f"no one of {n:,} compounds meets the constraint: {', '.join(never)}"]
    pairs = [
        f"{one} (met by {met[one].sum():,}) and {other} (met by {met[other].sum():,})"
        for one, other in combinations(met, 2)
        if not (met[one] & met[other]).any()
    ]
    shown = ", ".join(pairs[:_SHOWN]) + (
        f" and {len(pairs) - _SHOWN} more pairs" if len(pairs) > _SHOWN else ""
    )
    said = f"no one of {n:,} compounds meets all constraints"
    return [f"{said}; these exclude each other: {shown}" if pairs else said]


def _why(scored: Sequence[Scored]) -> str:
    reasons = Counter(one.reason.partition("; ")[0] for one in scored if one.reason)
    if reasons:
        said, n = reasons.most_common(1)[0]
        return f"; most often ({n:,}): {said}"
    zero = Counter(name for one in scored for name, value in one.parts.items() if value == 0.0)
    return (
        f"; the part that is 0 most often ({zero.most_common(1)[0][1]:,}): {zero.most_common(1)[0][0]}"
        if zero
        else ""
    )


def _notes(
    objective: Objective, scored: Sequence[Scored], ranges: tuple[Range, ...], met: dict[str, np.ndarray]
) -> list[str]:
    notes = [
        f"{one.name} is {one.suited[0]:.3g} for every compound, so it tells none from another"
        for one, part in zip(ranges, objective.parts, strict=True)
        if not part.hard and len(scored) > 1 and one.suited[0] == one.suited[1]
    ]
    notes += [
        f"{one.name} has no value for {one.n_unknown:,} of {len(scored):,} compounds, which score 0"
        for one in ranges
        if one.n_unknown
    ]
    rare = [f"{name} ({found.mean():.1%})" for name, found in met.items() if 0.0 < found.mean() < 0.01]
    if rare:
        notes.append(f"few compounds meet: {', '.join(rare)}")
    return notes
