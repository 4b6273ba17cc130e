"""What a search found, in numbers: its course, the best compounds with their parts, how unlike the start they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.molecules.generating.examining import PROPERTIES, Wanted, examine
from iatros.molecules.optimisers.diversity import internal_diversity, n_scaffolds
from iatros.molecules.optimisers.ledger import Ledger, Row

NEW = 0.4
"""Similarity to every start compound (ECFP4, 2048 bits) below which a compound is called novel."""
_POINTS = 200
"""Points of the curve."""


@dataclass(frozen=True)
class Found:
    """`rows` are the best compounds; `curve` has the number of calls, the best score and the mean of the best ten."""

    rows: list[dict[str, Any]]
    scores: dict[str, float | None]
    quality: dict[str, Any]
    above: dict[str, Any]
    curve: list[dict[str, float]]

    def document(self) -> dict[str, Any]:
        """The same in the result, but for the rows."""
        return {**self.scores, "quality": self.quality, "above_threshold": self.above, "curve": self.curve}


def described(ledger: Ledger, start: Sequence[str], top: int, context: Context, *, threshold: float) -> Found:
    """The `top` best compounds of `ledger`, described; `threshold` is a score."""
    from iatros.molecules.objectives.pmo import pmo_auc

    best = ledger.best(top)
    rows = _rows(best, start, context)
    every = [row.score for row in ledger.best(max(100, top))]
    scores: dict[str, float | None] = {
        "auc_top_10": pmo_auc(_known(ledger), calls=ledger.budget.calls),
        **{f"top_{n}": float(np.mean(every[:n])) if every else None for n in (1, 10, 100)},
    }
    good = [smiles for smiles, row in ledger.rows.items() if row.call and row.score >= threshold]
    above = {"threshold": threshold, "n_compounds": len(good), "n_scaffolds": n_scaffolds(good)}
    return Found(rows, scores, _quality(rows), above, curve(_known(ledger)))


def curve(history: Sequence[float]) -> list[dict[str, float]]:
    """At up to 200 calls, evenly spaced: the best score until then, and the mean of the best ten."""
    if not len(history):
        return []
    stops = np.unique(np.linspace(1, len(history), min(_POINTS, len(history))).astype(int))
    points, held, before = [], np.empty(0), 0
    for stop in stops.tolist():
        held = np.sort(np.concatenate([held, history[before:stop]]))[::-1][:10]
        before = stop
        points.append({"calls": stop, "best": float(held[0]), "best_10": float(held.mean())})
    return points


def _known(ledger: Ledger) -> list[float]:
    """The score of each call; 0 where there is none."""
    return [score if np.isfinite(score) else 0.0 for score in ledger.history]


def _rows(best: list[Row], start: Sequence[str], context: Context) -> list[dict[str, Any]]:
    smiles = [row.scored.smiles for row in best]
    examined = examine(smiles, Wanted((), False), context)
    near = _nearest(smiles, start)
    rows = []
    for rank, (row, one, similarity) in enumerate(zip(best, examined, near, strict=True), start=1):
        told = {
            "rank": rank,
            "smiles": row.scored.smiles,
            "score": row.score,
            "call": row.call,
            "origin": row.origin,
            **{f"{name} (part)": value for name, value in row.scored.parts.items()},
            **{f"{name} (value)": _plain(value) for name, value in row.scored.values.items()},
            **dict(zip(PROPERTIES, one.values, strict=True)),
            "scaffold": one.scaffold,
            "similarity_to_start": similarity,
        }
        rows.append(told)
    return rows


def _nearest(smiles: list[str], start: Sequence[str]) -> list[float]:
    from iatros.learners.compounds.compounds import Compounds
    from iatros.learners.compounds.fingerprints import Fingerprint
    from iatros.learners.compounds.tanimoto import nearest

    if not smiles:
        return []
    found = nearest(Compounds(smiles).values(Fingerprint()), Compounds(start).values(Fingerprint()))
    return [float(value) for value in found[1]]


def _quality(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the best compounds: how unlike each other and the start, and how easy to make and drug-like on average."""

    def mean(name: str) -> float | None:
        return float(np.mean([row[name] for row in rows])) if rows else None

    new = [row["similarity_to_start"] < NEW for row in rows]
    return {
        "n": len(rows),
        "n_scaffolds": len({row["scaffold"] for row in rows}),
        "internal_diversity": internal_diversity([row["smiles"] for row in rows]),
        "novel": float(np.mean(new)) if rows else None,
        "novel_below_similarity": NEW,
        "synthetic_accessibility": mean("synthetic_accessibility"),
        "qed": mean("qed"),
    }


def _plain(value: float) -> float | None:
    return value if np.isfinite(value) else None
