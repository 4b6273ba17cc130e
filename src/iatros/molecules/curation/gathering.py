"""Lines brought together to compounds, with one value of each endpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from iatros.molecules.curation.accounting import ranked
from iatros.molecules.curation.endpoints import Endpoint
from iatros.molecules.curation.measuring import MeasurementError
from iatros.molecules.curation.occasions import read_times
from iatros.molecules.curation.reconciling import Measured, Reconciled
from iatros.molecules.schema import Entry, Identified, Measurement

FIRST = 200
"""Most refusals and conflicts that are listed; all are counted."""


class Refusals:
    """Lines that are not used and cells that are lost, counted by reason, the first of them listed."""

    def __init__(self) -> None:
        self.first: list[dict[str, Any]] = []
        self.reasons: Counter[str] = Counter()
        self.remarks: Counter[str] = Counter()
        """What is said of measurements that are used."""
        self.n_lines = self.n_cells = 0

    def add(self, line: int, reason: str, column: str | None = None) -> None:
        """Count a line, or where `column` is given its cell in that column."""
        self.reasons[reason.partition(":")[0]] += 1
        self.n_lines += column is None
        self.n_cells += column is not None
        if len(self.first) < FIRST:
            name = f"line {line}" if column is None else f"line {line}, {column}"
            self.first.append({"name": name, "line": line, "reason": reason})

    def most(self) -> str | None:
        """The most frequent reasons in words; None where nothing was refused."""
        listed = ", ".join(f"{reason} {n:,}" for reason, n in list(ranked(self.reasons).items())[:3])
        first = f"; first {self.first[0]['name']}: {self.first[0]['reason']}" if self.first else ""
        return f"refused: {listed}{first}" if listed else None

    def document(self) -> dict[str, Any]:
        """The counts of the result."""
        return {"n_refused": self.n_lines, "n_cells_refused": self.n_cells, "reasons": ranked(self.reasons)}


class Gathered(NamedTuple):
    """The columns of a cohort: one entry for each compound that has a value."""

    smiles: tuple[str, ...]
    names: tuple[str, ...]
    inchikeys: tuple[str, ...]
    lines: np.ndarray
    y: np.ndarray
    bound: np.ndarray
    spread: np.ndarray
    times: np.ndarray | None
    split: np.ndarray | None
    counts: dict[str, Any]


@dataclass
class _Compound:
    """A compound while its lines are taken in."""

    inchikey: str
    smiles: str
    name: str
    lines: list[int]
    measured: list[Measured | None]
    sides: set[str] = field(default_factory=set)
    conflicts: list[str] = field(default_factory=list)


def gather(
    entries: Sequence[Entry],
    identified: Sequence[Identified],
    endpoints: Sequence[Endpoint],
    refusals: Refusals,
    *,
    max_spread: float | None,
    refuse_conflicts: bool,
    time: int | None,
    split: int | None,
    curated: bool,
) -> Gathered:
    """The compounds of `entries`, whose `more` begins with the cells of the endpoints and has `time` and `split` there.

    The shortest SMILES, then the first by spelling, stands for a compound; its time is the earliest of its lines. A
    compound whose lines name two sides of a split is refused, because it would stand on both. What cannot be used is
    added to `refusals`.
    """
    times, wrong = read_times([entry.more[time] for entry in entries]) if time is not None else (None, None)
    found: dict[str, _Compound] = {}
    first_seen: dict[str, Any] = {}
    for place, (entry, one) in enumerate(zip(entries, identified, strict=True)):
        if wrong is not None and wrong[place]:
            refusals.add(entry.line, "time: the cell is neither a number nor a date such as 2019-05-31")
            continue
        cells = _cells(entry, endpoints, refusals, curated)
        if cells is None:
            continue
        compound = found.setdefault(
            one.inchikey, _Compound(one.inchikey, one.smiles, entry.name, [], [None] * len(endpoints))
        )
        _take_in(compound, entry, one.smiles, cells)
        if split is not None:
            compound.sides.add(entry.more[split])
        if curated and entry.more[-1]:
            compound.conflicts.append(entry.more[-1])
        if times is not None:
            seen = first_seen.get(one.inchikey)
            # A comparison with a missing time is false, so the one that is there stays.
            if seen is None or seen != seen or times[place] < seen:
                first_seen[one.inchikey] = times[place]
    kept = _on_one_side(list(found.values()), refusals)
    values = _values(kept, endpoints, max_spread, refuse_conflicts)
    rows = np.flatnonzero((~np.isnan(values.y)).any(axis=1))
    chosen = [kept[row] for row in rows]
    counts = {
        "n_compounds": len(chosen),
        "n_merged": sum(len(one.lines) - 1 for one in chosen),
        "n_without_value": len(kept) - len(chosen),
        "n_lines_without_value": sum(len(one.lines) for one in kept) - sum(len(one.lines) for one in chosen),
        "n_conflicts": values.n_conflicts,
        "conflicts": values.conflicts,
        "endpoints": [_counted(endpoint, values, rows, place) for place, endpoint in enumerate(endpoints)],
    }
    return Gathered(
        tuple(one.smiles for one in chosen),
        tuple(one.name for one in chosen),
        tuple(one.inchikey for one in chosen),
        np.array([one.lines[0] for one in chosen], dtype=np.int64),
        values.y[rows],
        values.bound[rows],
        values.spread[rows],
        None if times is None else np.array([first_seen[one.inchikey] for one in chosen], dtype=times.dtype),
        None if split is None else np.array([next(iter(one.sides)) for one in chosen], dtype=object),
        counts,
    )


def _cells(
    entry: Entry, endpoints: Sequence[Endpoint], refusals: Refusals, curated: bool
) -> list[tuple[Measurement, ...]] | None:
    """The measurements of a line by endpoint; None where its only one cannot be used, so the line is refused."""
    found: list[tuple[Measurement, ...]] = []
    for place, endpoint in enumerate(endpoints):
        try:
            measurements, remark = _measured(entry, endpoint, place, curated)
            found.append(measurements)
            if remark:
                refusals.remarks[remark] += 1
        except MeasurementError as error:
            if len(endpoints) == 1:
                refusals.add(entry.line, str(error))
                return None
            refusals.add(entry.line, str(error), endpoint.target.name)
            found.append(())
    return found


def _measured(
    entry: Entry, endpoint: Endpoint, place: int, curated: bool
) -> tuple[tuple[Measurement, ...], str]:
    """The measurements of a cell and a remark: two bounds where a curated file has an interval."""
    relation = entry.more[-4] if curated else entry.relation
    if curated and relation == "between":
        low, high = entry.more[-3], entry.more[-2]
        parts = [(low, "above"), (high, "below")]
    else:
        parts = [(entry.more[place], relation)]
    found = [endpoint.measured(entry._replace(activity=cell, relation=sign)) for cell, sign in parts]
    return tuple(one for one, _ in found if one is not None), found[0][1]


def _take_in(
    compound: _Compound, entry: Entry, smiles: str, cells: Sequence[tuple[Measurement, ...]]
) -> None:
    compound.lines.append(entry.line)
    compound.name = compound.name or entry.name
    if (len(smiles), smiles) < (len(compound.smiles), compound.smiles):
        compound.smiles = smiles
    for place, measurements in enumerate(cells):
        if not measurements:
            continue
        measured = compound.measured[place]
        if measured is None:
            measured = compound.measured[place] = Measured()
        for measurement in measurements:
            measured.add(measurement)


def _on_one_side(compounds: list[_Compound], refusals: Refusals) -> list[_Compound]:
    kept = []
    for compound in compounds:
        if len(compound.sides) < 2:
            kept.append(compound)
            continue
        for line in compound.lines:
            refusals.add(line, "split: the lines of this compound name two sides")
    return kept


class _Values(NamedTuple):
    y: np.ndarray
    bound: np.ndarray
    spread: np.ndarray
    relation: np.ndarray
    n_conflicts: int
    conflicts: list[dict[str, Any]]


def _values(
    compounds: Sequence[_Compound], endpoints: Sequence[Endpoint], max_spread: float | None, refuse: bool
) -> _Values:
    shape = (len(compounds), len(endpoints))
    y, spread = np.full(shape, np.nan), np.full(shape, np.nan)
    bound, relation = np.zeros(shape, dtype=np.int8), np.full(shape, "", dtype="<U10")
    n, conflicts = 0, []  # type: int, list[dict[str, Any]]
    for row, compound in enumerate(compounds):
        for place, endpoint in enumerate(endpoints):
            measured = compound.measured[place]
            if measured is None:
                continue
            found = measured.reconciled(max_spread)
            conflict = _conflict(compound, found)
            if conflict:
                n += 1
                if len(conflicts) < FIRST:
                    said = {"line": compound.lines[0], "endpoint": endpoint.target.name, "conflict": conflict}
                    conflicts.append(said)
                if refuse:
                    continue
            relation[row, place] = found.relation or "undecided"
            y[row, place], bound[row, place] = endpoint.value(found)
            if found.spread is not None:
                spread[row, place] = found.spread
    return _Values(y, bound, spread, relation, n, conflicts)


def _conflict(compound: _Compound, found: Reconciled) -> str:
    return found.conflict or (compound.conflicts[0] if compound.conflicts else "")


def _counted(endpoint: Endpoint, values: _Values, rows: np.ndarray, place: int) -> dict[str, Any]:
    """What is known of one endpoint, of the compounds at `rows` that are used."""
    y, bound = values.y[rows, place], values.bound[rows, place]
    relation = values.relation[:, place]
    there = ~np.isnan(y)
    spread = values.spread[rows, place]
    spread = spread[~np.isnan(spread)]
    counted: dict[str, Any] = {
        "name": endpoint.target.name,
        "n_measured": int(there.sum()),
        "n_missing": int((~there).sum()),
        "n_above": int((bound == 1).sum()),
        "n_below": int((bound == -1).sum()),
        "n_between": int(((relation[rows] == "between") & there & (endpoint.threshold is None)).sum()),
        "n_undecided": int(((relation != "") & np.isnan(values.y[:, place])).sum()),
        "n_replicated": len(spread),
        "median_spread": round(float(np.median(spread)), 6) if len(spread) else None,
    }
    if endpoint.target.task == "binary":
        counted["n_positive"] = int((y[there] == 1).sum())
    return counted
