"""From what was written to what deserves a look: each step, how many compounds it leaves, and why the others went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.molecules.generating.examining import Examined, Wanted, canonical, examine
from iatros.molecules.generating.known import Known

RINGS = "rings"
_MOST_REASONS = 10


@dataclass(frozen=True)
class Sieve:
    """What a compound must be to come through."""

    unique: bool = True
    novel: bool = True
    not_trivial: bool = True
    """Leaves out what is a known compound and one carbon atom."""
    filters: tuple[str, ...] = ()
    """Sets of alerts that must not hit, and `rings`: every ring system must occur among the known compounds."""
    scaffold: str = ""
    """SMILES that must be a part; `*` marks a place where it may grow."""
    most_difficult: float | None = None
    """Largest synthetic accessibility."""


@dataclass
class Funnel:
    """`smiles` came through, with what was examined of each; `steps` tells of all."""

    smiles: list[str] = field(default_factory=list)
    examined: list[Examined] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def _leave(self, step: str, n: int, reasons: Counter[str] | None = None) -> None:
        before = self.steps[-1]["n"] if self.steps else n
        entry: dict[str, Any] = {"step": step, "n": n, "share": n / before if before else None}
        if reasons:
            entry["reasons"] = dict(reasons.most_common(_MOST_REASONS))
        self.steps.append(entry)


def sift(texts: Sequence[str], sieve: Sieve, known: Known | None, context: Context) -> Funnel:
    """The texts that a generator wrote, in their order, through every step that is asked for.

    Without `known` compounds nothing is said of novelty, triviality and ring systems.
    """
    funnel = Funnel()
    funnel._leave("written", len(texts))
    smiles = [one for one in canonical(texts, context) if one]
    funnel._leave("valid", len(smiles))
    if sieve.unique:
        smiles = list(dict.fromkeys(smiles))
        funnel._leave("unique", len(smiles))
    if sieve.scaffold:
        smiles = _with_scaffold(smiles, sieve.scaffold)
        funnel._leave("with the scaffold", len(smiles))
    if sieve.novel and known is not None:
        new = ~known.holds(smiles)
        smiles = [one for one, is_new in zip(smiles, new, strict=True) if is_new]
        funnel._leave("not learned from", len(smiles))
    alerts = tuple(name for name in sieve.filters if name != RINGS)
    trivial = sieve.not_trivial and known is not None
    found = examine(smiles, Wanted(alerts, trivial), context)
    rows = np.arange(len(smiles))
    if trivial and known is not None:
        rows = rows[~_trivial(found, known)]
        funnel._leave("more than a known compound and one carbon atom", len(rows))
    for name in alerts:
        hits = {row: _hits(found[row], name) for row in rows.tolist()}
        reasons = Counter(hit for some in hits.values() for hit in some)
        rows = np.array([row for row in rows.tolist() if not hits[row]], dtype=np.int64)
        funnel._leave(f"no alert of {name}", len(rows), reasons)
    if RINGS in sieve.filters and known is not None:
        unseen = {row: [r for r in found[row].rings if r not in known.rings] for row in rows.tolist()}
        reasons = Counter(ring for some in unseen.values() for ring in some)
        rows = np.array([row for row in rows.tolist() if not unseen[row]], dtype=np.int64)
        funnel._leave("ring systems that are known", len(rows), reasons)
    if sieve.most_difficult is not None:
        rows = rows[[found[row].values[-1] <= sieve.most_difficult for row in rows.tolist()]]
        funnel._leave(f"synthetic accessibility at most {sieve.most_difficult:g}", len(rows))
    funnel.smiles = [smiles[row] for row in rows.tolist()]
    funnel.examined = [found[row] for row in rows.tolist()]
    return funnel


def _with_scaffold(smiles: list[str], scaffold: str) -> list[str]:
    from rdkit import Chem

    # An open place of the scaffold may have stayed empty: it is no part of what must be there.
    core = Chem.DeleteSubstructs(Chem.MolFromSmiles(scaffold), Chem.MolFromSmarts("[#0]"))
    return [one for one in smiles if Chem.MolFromSmiles(one).HasSubstructMatch(core)]


def _trivial(found: Sequence[Examined], known: Known) -> np.ndarray:
    lesser = [text for one in found for text in one.lessened]
    owner = np.repeat(np.arange(len(found)), [len(one.lessened) for one in found])
    trivial = np.zeros(len(found), dtype=bool)
    if lesser:
        trivial[owner[known.holds(lesser)]] = True
    return trivial


def _hits(one: Examined, name: str) -> list[str]:
    return [alert for alert in one.alerts if alert.startswith(f"{name}: ")]
