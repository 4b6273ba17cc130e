"""An objective: named parts, each from 0 to 1, joined to one score from 0 to 1.

| `combine` | score of parts v with weights w |
|---|---|
| `geometric` | the weighted geometric mean: one part at 0 makes it 0 |
| `arithmetic` | the weighted mean |
| `product` | the product of v to the power of w |

A compound scores 0, with a reason, where a constraint is not met, a part has no value (nan), or it lies outside the
domain of a model whose domain is required.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from iatros.molecules.objectives.molecule import Molecule, molecules
from iatros.molecules.objectives.part import Measured, Part

Combine = Literal["geometric", "arithmetic", "product"]


@dataclass(frozen=True)
class Scored:
    """What an objective says of one compound."""

    smiles: str
    score: float
    """0 to 1, and finite."""
    parts: dict[str, float]
    """Each part after its transform, 0 to 1; constraints among them. 0 where there is no value."""
    values: dict[str, float]
    """Each part before its transform, nan where there is no value; beside a model's, its interval and domain."""
    reason: str
    """Why the score was set to 0, empty where it was not."""


@dataclass(frozen=True)
class Objective:
    """What is wanted of a compound. It holds plain data, so workers can take it."""

    name: str
    parts: tuple[Part, ...]
    combine: Combine = "geometric"

    def score(self, smiles: Sequence[str]) -> list[Scored]:
        """Each compound, in order; the same compound always scores the same.

        The SMILES should be valid: what RDKit cannot read scores 0, so that one such text does not end a search.
        """
        read = molecules(smiles)
        found = iter(self.score_molecules([one for one in read if one is not None]))
        return [
            self._unread(text) if one is None else next(found) for text, one in zip(smiles, read, strict=True)
        ]

    def score_molecules(self, read: Sequence[Molecule]) -> list[Scored]:
        """The same of compounds that were read already, which several objectives can share."""
        measured = {part.name: part.measure(read) for part in self.parts}
        suited = {part.name: _suited(part, measured[part.name]) for part in self.parts}
        scores = self._joined(suited, len(read)).tolist()
        reasons = self._reasons(measured, suited, len(read))
        parts = {name: np.nan_to_num(found).tolist() for name, found in suited.items()}
        values = {name: found.tolist() for name, found in _told(measured).items()}
        return [
            Scored(
                one.smiles,
                0.0 if reasons[place] else scores[place],
                {name: found[place] for name, found in parts.items()},
                {name: found[place] for name, found in values.items()},
                reasons[place],
            )
            for place, one in enumerate(read)
        ]

    def _unread(self, smiles: str) -> Scored:
        parts = {part.name: 0.0 for part in self.parts}
        values = {part.name: float("nan") for part in self.parts}
        return Scored(smiles, 0.0, parts, values, "not a valid SMILES")

    def document(self) -> dict[str, Any]:
        """The objective as YAML holds it, for results and reports."""
        parts = [{**part.document(), "name": part.name} for part in self.parts]
        return {"name": self.name, "combine": self.combine, "parts": parts}

    def _joined(self, suited: dict[str, np.ndarray], n: int) -> np.ndarray:
        soft = [part for part in self.parts if not part.hard]
        if not soft:
            return np.ones(n)
        whole = 1.0 if self.combine == "product" else sum(part.weight for part in soft)
        joined = np.zeros(n)
        # Part by part: a matrix product would add in an order that depends on the number of compounds.
        for part in soft:
            found = suited[part.name]
            if self.combine != "arithmetic":
                with np.errstate(divide="ignore"):
                    found = np.log(found)
            joined = joined + part.weight / whole * found
        return joined if self.combine == "arithmetic" else np.exp(joined)

    def _reasons(self, measured: dict[str, Measured], suited: dict[str, np.ndarray], n: int) -> list[str]:
        said: list[list[str]] = [[] for _ in range(n)]
        for part in self.parts:
            found = measured[part.name]
            for place, reason in found.refused.items():
                said[place].append(reason)
            for place in np.flatnonzero(np.isnan(suited[part.name])).tolist():
                if place not in found.refused:
                    said[place].append(f"{part.name} has no value")
            if part.hard:
                for place in np.flatnonzero(suited[part.name] == 0.0).tolist():
                    said[place].append(f"constraint not met: {part.name}")
        return ["; ".join(dict.fromkeys(reasons)) for reasons in said]


def _suited(part: Part, found: Measured) -> np.ndarray:
    """How well each compound suits a part, 0 to 1, nan where it has no value."""
    with np.errstate(over="ignore", invalid="ignore"):
        suited = np.asarray(part.transform(found.values), dtype=np.float64)
    suited = np.where(np.isfinite(found.values), suited, np.nan)
    return suited if found.factor is None else suited * found.factor


def _told(measured: dict[str, Measured]) -> dict[str, np.ndarray]:
    told: dict[str, np.ndarray] = {}
    for name, found in measured.items():
        told[name] = found.values
        told |= {f"{name} {beside}": numbers for beside, numbers in found.beside.items()}
    return told
