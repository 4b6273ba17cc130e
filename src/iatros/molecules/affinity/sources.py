"""Pairs of compounds and proteins with their affinities, read from a table and a FASTA file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from iatros.core.engine import Engine, SerialEngine
from iatros.core.errors import OutcomeError, RequestError, TableError
from iatros.core.progress import SilentProgress
from iatros.learners.proteins.fasta import read_fasta
from iatros.learners.proteins.sequences import SequenceError, clean
from iatros.molecules.affinity.schema import Pairs
from iatros.molecules.curation.measuring import Scale
from iatros.molecules.curation.reconciling import Measured
from iatros.molecules.schema import BLANK, Entry, Judged
from iatros.molecules.sources import open_compounds
from iatros.molecules.sources.columns import Wanted

_BATCH = 500
_BOUNDS = {"exact": 0, "above": 1, "below": -1}
_MAX_SPREAD_OF_P = 1.0
MIN_RESIDUES = 10
"""Fewer letters in a column of sequences are taken for the name of a protein: EGFR is also four residues."""


@dataclass(frozen=True)
class Columns:
    """Which column holds what. `protein` holds sequences, or with a `fasta` file the names of its records.

    `unit` is of all affinities (`iatros.molecules.curation.measuring`), `unit_column` holds each line's; with neither
    the numbers are taken as they stand. A `target` column names the target apart from its sequence.
    Measurements of one pair further apart than `max_spread` are a conflict (None: ten-fold for concentrations, and no
    limit on another scale), which is kept, or with `conflicts` refuse left out. `tautomer` is that of curation.
    """

    smiles: str | None
    protein: str
    affinity: str | None = None
    identifier: str | None = None
    target: str | None = None
    relation: str | None = None
    unit: str | None = None
    unit_column: str | None = None
    fasta: Path | None = None
    max_spread: float | None = None
    conflicts: Literal["keep", "refuse"] = "keep"
    tautomer: bool = False


@dataclass
class Account:
    """What became of every line: `n_lines` = `n_blank` + `n_unmeasured` + `n_refused` + pairs + `n_merged`."""

    n_lines: int = 0
    n_blank: int = 0
    n_unmeasured: int = 0
    n_merged: int = 0
    n_conflicts: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def reasons(self) -> dict[str, int]:
        """How many lines were refused for each reason, by the words before its colon."""
        return dict(Counter(reason.partition(":")[0] for _, reason in self.refused).most_common())


class Line(NamedTuple):
    """A line as it was read: the place of its pair in the result, or -1 with the reason why it has none."""

    number: int
    name: str
    place: int
    reason: str


@dataclass(frozen=True)
class ReadPairs:
    """The pairs of `source`, the lines that each stands on first (n,), the account of all lines, and each of them."""

    pairs: Pairs
    lines: np.ndarray
    account: Account
    source: str
    every: tuple[Line, ...]


def read_pairs(reference: Any, columns: Columns, *, engine: Engine | None = None) -> ReadPairs:
    """The distinct measured pairs of a table; with no `affinity` column, the pairs that are asked about, `y` nan.

    A drug is one standardised structure and bears its InChIKey; a target is one sequence, under the name that the
    table gives. Measurements of one pair are reconciled as in curation: the median of exact ones, of bounds the
    tightest. TableError or OutcomeError where nothing is left to learn or judge by; where pairs are only asked about,
    every line may have been refused.
    """
    if columns.unit is not None and columns.unit_column is not None:
        raise RequestError("give either unit, for all lines, or unit_column")
    proteins = read_fasta(columns.fasta) if columns.fasta is not None else None
    account = Account()
    if proteins is not None and columns.fasta is not None:
        account.notes += [
            f"{columns.fasta.name}, line {line}: {name}: {why}" for line, name, why in proteins.refused
        ]
    known = None if proteins is None else proteins.sequences
    gathered = _Gathered(known, columns)
    more = (columns.protein, *(() if columns.target is None else (columns.target,)))
    wanted = Wanted(
        columns.smiles, columns.identifier, columns.affinity, columns.relation, columns.unit_column, more
    )
    source = open_compounds(reference, wanted)
    for entry, judged in _judged(source.entries, columns, engine or SerialEngine()):
        account.n_lines += 1
        gathered.add(entry, judged, account)
    account.notes += source.notes
    nothing = not gathered.measured and (columns.affinity is not None or not account.refused)
    if nothing:
        raise TableError(
            "holds no pair that can be used",
            where=source.name,
            hint="; ".join(f"{n} lines: {why}" for why, n in account.reasons.items()) or "it has no lines",
        )
    return gathered.result(account, source.name)


class _Gathered:
    """The pairs so far; targets by name, drugs by InChIKey."""

    def __init__(self, known: dict[str, str] | None, columns: Columns) -> None:
        self.known, self.columns = known, columns
        self.smiles: dict[str, str] = {}
        self.sequences: dict[str, str] = {}
        self.measured: dict[tuple[str, str], Measured] = {}
        self.lines: dict[tuple[str, str], int] = {}
        self.every: list[tuple[int, str, tuple[str, str] | None, str]] = []

    def add(self, entry: Entry, judged: Judged, account: Account) -> None:
        if judged.refusal == BLANK:
            account.n_blank += 1
            self.every.append((entry.line, entry.name, None, "the line is blank"))
            return
        try:
            if judged.structure is None:
                raise SequenceError(judged.refusal)
            target, sequence = self._protein(entry.more)
        except SequenceError as error:
            account.refused.append((entry.line, str(error)))
            self.every.append((entry.line, entry.name, None, str(error)))
            return
        if self.columns.affinity is not None and judged.measurement is None:
            account.n_unmeasured += 1
            return
        key = (judged.structure.inchikey, target)
        self.every.append((entry.line, entry.name, key, ""))
        if key in self.measured:
            account.n_merged += 1
        else:
            self.lines[key] = entry.line
        shortest = self.smiles.get(key[0], judged.structure.smiles)
        self.smiles[key[0]] = min(shortest, judged.structure.smiles, key=lambda text: (len(text), text))
        self.sequences[target] = sequence
        held = self.measured.setdefault(key, Measured())
        if judged.measurement is not None:
            held.add(judged.measurement)

    def _protein(self, cells: tuple[str, ...]) -> tuple[str, str]:
        """The name of the target and its sequence."""
        given = cells[0]
        if self.known is None:
            sequence = clean(given)
            if len(sequence) < MIN_RESIDUES:
                raise SequenceError(
                    f"protein: {len(sequence)} letters are no protein; where the column holds names, give a FASTA file"
                )
            target = cells[1] if len(cells) > 1 and cells[1] else sequence
        elif given not in self.known:
            raise SequenceError(f"protein: {given[:40]!r} is no record of the FASTA file")
        else:
            sequence = self.known[given]
            target = cells[1] if len(cells) > 1 and cells[1] else given
        if self.sequences.get(target, sequence) != sequence:
            raise SequenceError(
                f"protein: the target {target[:40]!r} has another sequence on an earlier line"
            )
        return target, sequence

    def result(self, account: Account, source: str) -> ReadPairs:
        """The pairs in the order of their first lines."""
        drugs = {key: place for place, key in enumerate(self.smiles)}
        targets = {key: place for place, key in enumerate(self.sequences)}
        y, bound, kept = [], [], []
        for key, measured in self.measured.items():
            if self.columns.affinity is None:
                y.append(np.nan)
                bound.append(0)
                kept.append(key)
                continue
            one = measured.reconciled(self._max_spread())
            account.n_conflicts += bool(one.conflict)
            if one.value is None or (one.conflict and self.columns.conflicts == "refuse"):
                account.refused.append((self.lines[key], f"measurement: {one.conflict}"))
                continue
            y.append(one.value)
            bound.append(_BOUNDS.get(one.relation, 0))
            kept.append(key)
        if not kept and self.columns.affinity is not None:
            raise OutcomeError("no pair has an affinity that can be used")
        pairs = Pairs(
            tuple(drugs),
            tuple(self.smiles.values()),
            tuple(targets),
            tuple(self.sequences.values()),
            np.array([drugs[drug] for drug, _ in kept], dtype=np.int64),
            np.array([targets[target] for _, target in kept], dtype=np.int64),
            np.array(y, dtype=float),
            np.array(bound, dtype=np.int8),
        )
        place = {key: at for at, key in enumerate(kept)}
        every = tuple(
            Line(number, name, place.get(key, -1) if key else -1, reason)
            for number, name, key, reason in self.every
        )
        lines = np.array([self.lines[key] for key in kept], dtype=np.int64)
        return ReadPairs(pairs.take(np.arange(len(pairs))), lines, account, source, every)

    def _max_spread(self) -> float | None:
        is_p = self.columns.unit_column is not None or self.columns.unit not in (None, "none")
        return _MAX_SPREAD_OF_P if is_p and self.columns.max_spread is None else self.columns.max_spread


def _judged(entries: Iterator[Entry], columns: Columns, engine: Engine) -> Iterator[tuple[Entry, Judged]]:
    from iatros.molecules.curation.preparing import Settings, prepare
    from iatros.molecules.curation.standardising import Rules

    scale = None
    if columns.affinity is not None:
        if columns.unit == "class":
            raise RequestError("an affinity is a number, not a class")
        scale = Scale(columns.unit, per_line=columns.unit_column is not None)
    settings = Settings(Rules(columns.tautomer), (), scale)
    while wave := list(islice(entries, _BATCH * max(1, engine.workers) * 4)):
        batches = [wave[at : at + _BATCH] for at in range(0, len(wave), _BATCH)]
        chosen = engine if len(batches) > 1 else SerialEngine()
        done = chosen.map(prepare, batches, settings, progress=SilentProgress(), label="lines")
        for batch, judged in zip(batches, done, strict=True):
            yield from zip(batch, judged, strict=True)
