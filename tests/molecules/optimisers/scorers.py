"""Objectives for tests: scores that can be told by heart, and that tell how often they were asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rdkit import Chem


@dataclass(frozen=True)
class Said:
    """What `Scored` of the objectives is."""

    smiles: str
    score: float
    parts: dict[str, float]
    values: dict[str, float]
    reason: str = ""


@dataclass
class Carbons:
    """The share of carbon among the heavy atoms; nan for what holds fluorine."""

    name: str = "carbons"
    asked: list[str] = field(default_factory=list)
    parts: tuple[Any, ...] = ()

    def score(self, smiles: Sequence[str]) -> list[Said]:
        self.asked += smiles
        return [_said(text) for text in smiles]


def _said(smiles: str) -> Said:
    symbols = [atom.GetSymbol() for atom in Chem.MolFromSmiles(smiles).GetAtoms()]
    share = symbols.count("C") / len(symbols)
    if "F" in symbols:
        return Said(smiles, math.nan, {"share": 0.0}, {"share": math.nan}, "share has no value")
    return Said(smiles, share, {"share": share}, {"share": share})
