"""The account of a curation: every line and every compound, in a database on disk, so that memory stays bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from iatros.molecules.curation.reconciling import Measured, Reconciled
from iatros.molecules.schema import Judged, Measurement

CACHE_KIB = 64 * 1024
MAX_NAMES = 5
"""Most names of a compound that are kept; the first ones by spelling."""

READ, REFUSED = "read", "refused"

_LINES = """
CREATE TABLE lines (
    number INTEGER PRIMARY KEY, line INTEGER, name TEXT, given TEXT, status TEXT, reason TEXT, changes TEXT,
    smiles TEXT, inchikey TEXT, value REAL, relation TEXT, label TEXT, remark TEXT, flags TEXT, alerts TEXT,
    rules TEXT, weight REAL, logp REAL, donors INTEGER, acceptors INTEGER, tpsa REAL, rotatable INTEGER
)"""
_COMPOUNDS = """
CREATE TABLE compounds (
    inchikey TEXT PRIMARY KEY, first INTEGER, first_line INTEGER, representative INTEGER, n_lines INTEGER,
    names TEXT, value REAL, relation TEXT, label TEXT, low REAL, high REAL, spread REAL, n_exact INTEGER,
    n_censored INTEGER, conflict TEXT, refused INTEGER
) WITHOUT ROWID"""
_ADD_LINE = "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_COMPOUND = "INSERT INTO compounds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_TO_MERGE = """
SELECT inchikey, number, line, smiles, name, value, relation, label, flags, alerts, rules FROM lines
WHERE status = 'read' ORDER BY inchikey, number"""
_ACCOUNT = """
SELECT l.line,
    CASE WHEN l.status != 'read' THEN l.status WHEN c.refused THEN 'refused' WHEN c.first = l.number THEN 'kept'
        ELSE 'merged' END,
    CASE WHEN l.status = 'read' AND c.first != l.number THEN c.first_line END,
    CASE WHEN l.status != 'read' THEN l.reason WHEN c.refused THEN 'conflict: ' || c.conflict ELSE l.remark END,
    l.changes, l.name, l.given, l.smiles, l.inchikey, coalesce(l.value, l.label), l.relation, l.flags
FROM lines l LEFT JOIN compounds c ON c.inchikey = l.inchikey ORDER BY l.number"""
_KEPT = """
SELECT l.smiles, c.inchikey, c.names, coalesce(c.value, c.label), c.relation, c.low, c.high, c.spread, c.n_exact,
    c.n_censored, c.conflict, c.n_lines, c.first_line, l.weight, l.logp, l.donors, l.acceptors, l.tpsa, l.rotatable,
    l.flags, l.alerts, l.rules
FROM compounds c JOIN lines l ON l.number = c.representative WHERE NOT c.refused ORDER BY c.first"""

LINE_COLUMNS = (
    "line", "status", "same_as_line", "reason", "changes", "name", "given", "smiles", "inchikey", "measurement",
    "relation", "flags",
)  # fmt: skip
COMPOUND_COLUMNS = (
    "smiles", "inchikey", "name", "measurement", "relation", "low", "high", "spread", "n_exact", "n_censored",
    "conflict", "n_lines", "first_line", "molecular_weight_g_mol", "logp", "hydrogen_bond_donors",
    "hydrogen_bond_acceptors", "tpsa_square_angstrom", "rotatable_bonds", "flags", "alerts", "rules_broken",
)  # fmt: skip
MEASUREMENT_COLUMNS = frozenset(
    ("measurement", "relation", "low", "high", "spread", "n_exact", "n_censored", "conflict")
)


class Compound(NamedTuple):
    """A compound with all its lines: what is known of it when the lines are merged."""

    inchikey: str
    first_line: int
    n_lines: int
    found: Reconciled
    flags: tuple[str, ...]
    alerts: tuple[str, ...]
    rules: tuple[str, ...]


class Ledger:
    """Lines are added in their order, then merged once, then read back in their order."""

    def __init__(self, folder: Path) -> None:
        # The writers of documents may run in another thread than the action did.
        self._database = sqlite3.connect(
            folder / "lines.sqlite", isolation_level=None, check_same_thread=False
        )
        # Large pages, one owner and one transaction: few and large accesses, because on some systems each is slow.
        for setting in (
            "page_size = 16384", "journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE",
            "temp_store = FILE", f"cache_size = -{CACHE_KIB}",
        ):  # fmt: skip
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("BEGIN")
        self._database.execute(_LINES)
        self._database.execute(_COMPOUNDS)
        self._n = 0

    def add(self, judged: Iterable[tuple[Judged, str]]) -> None:
        """Write lines with their status."""
        rows = []
        for one, status in judged:
            self._n += 1
            rows.append(_row(self._n, one, status))
        self._database.executemany(_ADD_LINE, rows)

    def merge(
        self, max_spread: float | None, refuse: Callable[[Compound], bool], see: Callable[[Compound], None]
    ) -> None:
        """Bring the lines of each compound together; `refuse` says which ones are not kept, `see` is told of all."""
        reader = self._database.cursor()
        writer = self._database.cursor()
        for inchikey, lines in groupby(reader.execute(_TO_MERGE), key=itemgetter(0)):
            compound, row = _merged(inchikey, lines, max_spread)
            refused = refuse(compound)
            see(compound)
            writer.execute(_ADD_COMPOUND, (*row, refused))
        writer.execute("COMMIT")

    def lines(self) -> Iterator[tuple[Any, ...]]:
        """Each line in order, with `LINE_COLUMNS`."""
        yield from self._database.cursor().execute(_ACCOUNT)

    def compounds(self) -> Iterator[tuple[Any, ...]]:
        """Each compound that is kept, by its first line, with `COMPOUND_COLUMNS`."""
        yield from self._database.cursor().execute(_KEPT)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def _row(number: int, one: Judged, status: str) -> tuple[Any, ...]:
    reason = one.refusal if status == REFUSED else None
    head = (number, one.line, one.name or None, one.given or None, status, reason)
    if one.structure is None:
        return (*head, *([None] * 16))
    s, m = one.structure, one.measurement
    measured = (None, None, None) if m is None else (m.value, m.relation, m.label or None)
    texts = ("; ".join(part) or None for part in (s.flags, s.alerts, s.rules))
    changes = "; ".join(s.changes) or None
    return (*head, changes, s.smiles, s.inchikey, *measured, one.remark or None, *texts, *s.properties)


def _merged(
    inchikey: str, lines: Iterator[tuple[Any, ...]], max_spread: float | None
) -> tuple[Compound, tuple[Any, ...]]:
    """A compound and its row without the last cell.

    The shortest SMILES, then the first by spelling, stands for it, so that the order of lines does not matter.
    """
    measured = Measured()
    names: list[str] = []
    best: tuple[int, str] | None = None
    first = first_line = representative = n = 0
    unusual: tuple[Any, ...] = ()
    for _, number, line, smiles, name, value, relation, label, *rest in lines:
        n += 1
        if n == 1:
            first, first_line = number, line
        if best is None or (len(smiles), smiles) < best:
            best, representative, unusual = (len(smiles), smiles), number, tuple(rest)
        if name and name not in names:
            names = sorted([*names, name])[:MAX_NAMES]
        if relation is not None:
            measured.add(Measurement(value, relation, label or ""))
    found = measured.reconciled(max_spread)
    flags, alerts, rules = (tuple(text.split("; ")) if text else () for text in unusual)
    compound = Compound(inchikey, first_line, n, found, flags, alerts, rules)
    cells = (found.value, found.relation or None, found.label or None, *found[3:8], found.conflict or None)
    return compound, (inchikey, first, first_line, representative, n, "; ".join(names) or None, *cells)
