"""Compounds and the targets they are known to act on, from a table of one measured pair a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from iatros.core.engine import Engine
from iatros.core.errors import OutcomeError, TableError
from iatros.core.progress import Progress
from iatros.molecules.curation.measuring import MeasurementError, Scale, measure
from iatros.molecules.curation.reconciling import Measured
from iatros.molecules.schema import BLANK, Entry, Measurement
from iatros.molecules.sources import Opened

BATCH = 200
"""Structures in one task."""
MOST_REFUSED = 1000
"""So many refused lines are listed; the rest is only counted."""


class Active(NamedTuple):
    """When a measured pair counts as active: on `scale`, at least `from_value`; without either every pair is."""

    scale: Scale | None = None
    from_value: float | None = None


@dataclass(frozen=True)
class Pairs:
    """n compounds in standard form, t targets by name, and which acts on which.

    Target j has the ligands `members[starts[j] : starts[j + 1]]`, rows of `smiles`, rising; every target has one and
    every compound has a target. `n_inactive` pairs were measured and are not known to be active; `refused` are lines
    with their reason, the first of `n_refused`.
    """

    smiles: tuple[str, ...]
    targets: tuple[str, ...]
    members: np.ndarray
    starts: np.ndarray
    n_lines: int
    n_inactive: int
    n_refused: int
    refused: tuple[tuple[int, str], ...]


def read_pairs(opened: Opened, active: Active, engine: Engine, progress: Progress) -> Pairs:
    """The pairs of `opened`, whose entries carry the name of the target as the first of their `more` cells.

    Several measurements of one compound on one target are reconciled as curation does. TableError where there is no
    line, OutcomeError where no pair is active.
    """
    read = _Read(active)
    with progress.step("lines") as step:
        for number, entry in enumerate(opened.entries, start=1):
            read.add(entry)
            if number % 1000 == 0:
                step.advance(1000)
    if not read.n_lines:
        raise TableError(
            "holds no compounds", where=opened.name, hint="one pair of compound and target a line"
        )
    batches = list(_batches(list(read.structures), BATCH))
    found = [
        one
        for part in engine.map(standard_forms, batches, None, progress=progress, label="structures")
        for one in part
    ]
    return read.pairs(found, opened.name)


def standard_forms(_: None, structures: Sequence[tuple[str, bool]]) -> list[tuple[str, str]]:
    """SMILES of the standard form of each structure, or nothing and the reason; what a worker runs."""
    from rdkit import rdBase

    with rdBase.BlockLogs():
        return [_standard_form(text, molblock=molblock) for text, molblock in structures]


def _standard_form(text: str, *, molblock: bool) -> tuple[str, str]:
    from iatros.molecules.curation.parsing import StructureError, parse
    from iatros.molecules.curation.standardising import Rules, standardise

    try:
        return standardise(parse(text, molblock=molblock), Rules()).smiles, ""
    except StructureError as error:
        return "", str(error)
    except (RuntimeError, ValueError):  # what RDKit raises where its own checks fail
        return "", "the structure cannot be processed"


def _batches(items: list[tuple[str, bool]], size: int) -> Iterator[list[tuple[str, bool]]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


class _Read:
    """The lines so far: each structure and each target held once, each line as four numbers and its measurement."""

    def __init__(self, active: Active) -> None:
        self._active = active
        self.structures: dict[tuple[str, bool], int] = {}
        self._targets: dict[str, int] = {}
        self._lines: list[tuple[int, int, int, Measurement | None]] = []
        self.n_lines = 0
        self._refused: list[tuple[int, str]] = []
        self._n_refused = 0

    def add(self, entry: Entry) -> None:
        if entry.refusal == BLANK:
            return
        self.n_lines += 1
        target = " ".join(entry.more[0].split()) if entry.more else ""
        if entry.refusal or not target:
            self._refuse(entry.line, entry.refusal or "target: none is named")
            return
        measurement = None
        if self._active.scale is not None:
            try:
                measurement, _ = measure(entry, self._active.scale)
            except MeasurementError as error:
                self._refuse(entry.line, str(error))
                return
            if measurement is None:
                self._refuse(entry.line, "measurement: the cell is empty")
                return
        place = self.structures.setdefault((entry.structure, entry.molblock), len(self.structures))
        number = self._targets.setdefault(target, len(self._targets))
        self._lines.append((entry.line, place, number, measurement))

    def _refuse(self, line: int, reason: str) -> None:
        self._n_refused += 1
        if len(self._refused) < MOST_REFUSED:
            self._refused.append((line, reason))

    def pairs(self, found: list[tuple[str, str]], source: str) -> Pairs:
        """What the lines say, once the standard form of each structure is known."""
        names = list(self._targets)
        measured: dict[tuple[str, str], Measured] = {}
        for line, place, number, measurement in self._lines:
            smiles, reason = found[place]
            if reason:
                self._refuse(line, reason)
                continue
            held = measured.setdefault((names[number], smiles), Measured())
            if measurement is not None:
                held.add(measurement)
        kept = sorted(pair for pair, held in measured.items() if self._is_active(held))
        if not kept:
            raise OutcomeError(
                f"of {self.n_lines:,} lines none is a compound that is known to act on its target",
                where=source,
                hint="is active_from right for the unit? concentrations are compared as minus log10 of mol/L",
            )
        compounds = tuple(sorted({smiles for _, smiles in kept}))
        targets = tuple(sorted({target for target, _ in kept}))
        row = {text: place for place, text in enumerate(compounds)}
        sizes = dict.fromkeys(targets, 0)
        for target, _ in kept:
            sizes[target] += 1
        return Pairs(
            compounds,
            targets,
            np.array([row[text] for _, text in kept], dtype=np.int64),
            np.cumsum([0, *sizes.values()]).astype(np.int64),
            self.n_lines,
            len(measured) - len(kept),
            self._n_refused,
            tuple(sorted(self._refused)),
        )

    def _is_active(self, held: Measured) -> bool:
        if self._active.from_value is None:
            return True
        one = held.reconciled(None)
        lowest = {"exact": one.value, "above": one.value, "between": one.low}.get(one.relation)
        return lowest is not None and lowest >= self._active.from_value
