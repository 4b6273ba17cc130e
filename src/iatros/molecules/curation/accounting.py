"""What a curation tells: counts, the first refusals and conflicts, and the two tables for the disk."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from iatros.core.delimited import csv_line
from iatros.core.storage import Content
from iatros.molecules.curation.ledger import (
    COMPOUND_COLUMNS,
    LINE_COLUMNS,
    MEASUREMENT_COLUMNS,
    READ,
    REFUSED,
    Compound,
    Ledger,
)
from iatros.molecules.schema import BLANK, Judged

FIRST = 50
"""Most refusals and conflicts that the result lists; the table of lines has all."""

_CHUNK_ROWS = 5_000


class Tally:
    """Counts what is seen of lines and compounds."""

    def __init__(self, *, refuse_conflicts: bool) -> None:
        self.n_lines = self.n_blank = self.n_compounds = self.n_merged = 0
        self.refused: list[dict[str, Any]] = []
        self.reasons: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self.remarks: Counter[str] = Counter()
        self.flags: Counter[str] = Counter()
        self.alerts: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.relations: Counter[str] = Counter()
        self.conflicts: list[dict[str, Any]] = []
        self.n_conflicts = self.n_exact = self.n_censored = 0
        self.spreads = array("d")
        self._refuse_conflicts = refuse_conflicts

    @property
    def n_refused(self) -> int:
        """Lines that were refused, for any reason."""
        return self.reasons.total()

    def line(self, one: Judged) -> str:
        """Count a line; its status for the ledger."""
        self.n_lines += 1
        if one.refusal:
            return self._refused(one)
        assert one.structure is not None
        self.changes.update(map(change_kind, one.structure.changes))
        if one.remark:
            self.remarks[one.remark] += 1
        return READ

    def _refused(self, one: Judged) -> str:
        if one.refusal == BLANK:
            self.n_blank += 1
            return BLANK
        self.reasons[one.refusal.partition(":")[0]] += 1
        if len(self.refused) < FIRST:
            self.refused.append({"name": f"line {one.line}", "reason": one.refusal})
        return REFUSED

    def refuses(self, compound: Compound) -> bool:
        """Whether a compound is given up because its measurements conflict."""
        return self._refuse_conflicts and bool(compound.found.conflict)

    def compound(self, compound: Compound) -> None:
        """Count a compound and its lines."""
        if compound.found.conflict:
            self._conflict(compound)
        if self.refuses(compound):
            self.reasons["conflict"] += compound.n_lines
            return
        self.n_compounds += 1
        self.n_merged += compound.n_lines - 1
        self.flags.update(compound.flags)
        self.alerts.update({alert.partition(":")[0] for alert in compound.alerts})
        self.rules.update(compound.rules)
        found = compound.found
        self.relations[found.relation or "no measurement"] += 1
        self.n_exact += found.n_exact
        self.n_censored += found.n_censored
        if found.spread is not None:
            self.spreads.append(found.spread)

    def _conflict(self, compound: Compound) -> None:
        self.n_conflicts += 1
        self.conflicts.append(
            {"inchikey": compound.inchikey, "line": compound.first_line, "conflict": compound.found.conflict}
        )
        if len(self.conflicts) > 2 * FIRST:
            self.conflicts = self.first_conflicts()

    def first_conflicts(self) -> list[dict[str, Any]]:
        """The conflicts that stand first in the file."""
        return sorted(self.conflicts, key=lambda one: one["line"])[:FIRST]

    def document(self) -> dict[str, Any]:
        """The counts of the result."""
        return {
            "n_lines": self.n_lines,
            "n_blank_lines": self.n_blank,
            "n_compounds": self.n_compounds,
            "n_merged": self.n_merged,
            "n_refused": self.n_refused,
            "reasons": ranked(self.reasons),
            "changes": ranked(self.changes),
            "flags": ranked(self.flags),
            "alerts": ranked(self.alerts),
            "rules_broken": ranked(self.rules),
        }

    def measurements(self) -> dict[str, Any]:
        """The counts of the result that are about measurements."""
        return {
            "n_exact": self.n_exact,
            "n_censored": self.n_censored,
            "compounds": ranked(self.relations),
            "n_replicated": len(self.spreads),
            "median_spread": round(statistics.median(self.spreads), 6) if self.spreads else None,
            "n_conflicts": self.n_conflicts,
        }


def change_kind(change: str) -> str:
    """A change of standardising without what it was in this molecule.

    >>> change_kind("removed [Na+]")
    'fragments removed'
    """
    if change.startswith("removed "):
        return "fragments removed"
    return "copies removed" if change.endswith("copies kept") else change


def tables(ledger: Ledger, *, measured: bool) -> dict[str, Content]:
    """The two tables as writers, which read the ledger when they are called."""
    left_out = frozenset() if measured else MEASUREMENT_COLUMNS

    def compounds(file: BinaryIO) -> None:
        _write(file, COMPOUND_COLUMNS, ledger.compounds(), left_out)

    def lines(file: BinaryIO) -> None:
        _write(file, LINE_COLUMNS, ledger.lines(), left_out)

    return {"compounds.csv": compounds, "lines.csv": lines}


def _write(
    file: BinaryIO, columns: Sequence[str], rows: Iterator[tuple[Any, ...]], left_out: frozenset[str]
) -> None:
    places = [place for place, name in enumerate(columns) if name not in left_out]
    held = [csv_line(columns[place] for place in places)]
    for row in rows:
        held.append(csv_line(row[place] for place in places))
        if len(held) >= _CHUNK_ROWS:
            file.write("".join(held).encode())
            held = []
    file.write("".join(held).encode())


def ranked(counts: Counter[str]) -> dict[str, int]:
    """How often each word comes, the most frequent first."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
