"""The cohort: which compounds are learned from, and what was measured of each.

Lines are standardised, merged by InChIKey and their measurements reconciled exactly as `curate` does it, so that an
export of a database trains as it is. What `curate` has written is recognised by its columns and trains to the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import OutcomeError, RequestError, TableError
from iatros.core.request import fingerprint
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.store import FeatureStore
from iatros.molecules.assay import Assay
from iatros.molecules.curation.accounting import change_kind
from iatros.molecules.curation.batching import in_batches
from iatros.molecules.curation.endpoints import Asked, Endpoint, endpoint_of, trained_endpoint
from iatros.molecules.curation.gathering import Gathered, Refusals, gather
from iatros.molecules.schema import BLANK, Entry, Identified
from iatros.molecules.sources import header_of, open_compounds
from iatros.molecules.sources.columns import Wanted

FEWEST = 20
"""Fewest compounds with a value that anything is learned from."""

CURATED = frozenset(
    ("smiles", "inchikey", "measurement", "relation", "low", "high", "conflict", "first_line")
)
"""Columns by which the compounds.csv of a curation is recognised."""
_CURATED_MORE = ("relation", "low", "high", "conflict")
_CONFLICT_OF_P = 1.0


@dataclass(frozen=True)
class Reading:
    """Which columns are read, and how: the fields of a request, with the words of `TrainRequest`.

    `outcomes` may be empty for the compounds.csv of a curation. `endpoints` are those of a trained model, on whose
    classes and scale other measurements are to be read; then any number of compounds and one class will do.
    """

    outcomes: tuple[str, ...] = ()
    smiles: str | None = None
    identifier: str | None = None
    positive: str | None = None
    task: str = "auto"
    relation: str | None = None
    unit: str | None = None
    unit_column: str | None = None
    max_spread: float | None = None
    conflicts: str = "keep"
    time: str | None = None
    split: str | None = None
    tautomer: bool = False
    max_heavy_atoms: int = 200
    endpoints: tuple[Target, ...] | None = None


@dataclass(frozen=True)
class Cohort:
    """n compounds with at least one value of k endpoints, in the order of their first lines.

    `y` (n, k) float64 and `bound` (n, k) int8 are those of `Assay`; `spread` (n, k) is the range of several exact
    measurements, else nan. In `counts`, `n_lines` = `n_compounds` + `n_merged` + `n_refused` + `n_lines_without_value`.
    `times` (n,) are float64 or datetime64[D], missing where not known; `split` (n,) is the text
    of the split column.
    """

    compounds: Compounds
    names: tuple[str, ...]
    inchikeys: tuple[str, ...]
    lines: np.ndarray
    y: np.ndarray
    bound: np.ndarray
    spread: np.ndarray
    endpoints: tuple[Target, ...]
    times: np.ndarray | None = None
    split: np.ndarray | None = None
    changes: tuple[frozenset[str], ...] = ()
    """What standardising did to the first line of each compound, as kinds of change."""
    refused: tuple[dict[str, Any], ...] = ()
    """The first refusals, each `name` (line 5; where one cell is lost, line 5, IC50), `line` and `reason`; in order."""
    counts: dict[str, Any] = field(default_factory=dict)
    flow: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    source: str = ""
    fingerprint: str = ""
    """SHA-256 of the compounds, values and endpoints."""

    def __len__(self) -> int:
        return len(self.y)

    @property
    def smiles(self) -> tuple[str, ...]:
        """The standard structures."""
        return self.compounds.smiles

    @property
    def task(self) -> str:
        """binary or continuous, of all endpoints."""
        return self.endpoints[0].task

    def assay(self, groups: np.ndarray) -> Assay:
        """What models learn from; `groups` (n,) says what must stay together."""
        return Assay(self.compounds, self.y, self.bound, self.endpoints, np.asarray(groups, dtype=np.int64))

    def take(self, rows: np.ndarray) -> Cohort:
        """Only the compounds at `rows`, in that order; counts, notes and fingerprint stay those of the whole."""
        return replace(
            self,
            compounds=self.compounds.take(rows),
            names=tuple(self.names[row] for row in rows),
            inchikeys=tuple(self.inchikeys[row] for row in rows),
            lines=self.lines[rows],
            y=self.y[rows],
            bound=self.bound[rows],
            spread=self.spread[rows],
            times=None if self.times is None else self.times[rows],
            split=None if self.split is None else self.split[rows],
            changes=tuple(self.changes[row] for row in rows) if self.changes else (),
        )


class _Lines(NamedTuple):
    """Lines whose structure was read, and what became of all others."""

    entries: list[Entry]
    identified: list[Identified]
    refusals: Refusals
    n_lines: int
    notes: list[str]
    source: str


def open_cohort(
    compounds: Any, wanted: Reading, context: Context | None = None, *, store: FeatureStore | None = None
) -> Cohort:
    """The compounds of a path, DataFrame or list with their measurements.

    TableError for a file without compounds, RequestError or UnknownNameError for columns that are not there,
    OutcomeError where an endpoint cannot be learned from or fewer than 20 compounds have a value.
    """
    context = context or Context()
    _check(wanted)
    wanted, curated = _completed(compounds, wanted)
    lines = _read(compounds, wanted, curated, context)
    asked = Asked(wanted.task, wanted.positive, wanted.unit, wanted.unit_column is not None)
    endpoints = _endpoints(lines.entries, wanted, asked)
    found = gather(
        lines.entries,
        lines.identified,
        endpoints,
        lines.refusals,
        max_spread=_max_spread(wanted, endpoints),
        refuse_conflicts=wanted.conflicts == "refuse",
        time=None if wanted.time is None else len(wanted.outcomes),
        split=None if wanted.split is None else len(wanted.outcomes) + (wanted.time is not None),
        curated=curated,
    )
    targets = tuple(one.target for one in endpoints)
    if wanted.endpoints is None:
        _check_enough(found, targets, lines.refusals)
    elif not len(found.y):
        raise OutcomeError("no compound has a value that can be used", hint=lines.refusals.most())
    return _cohort(found, targets, lines, wanted, context, store)


def _check(wanted: Reading) -> None:
    if len(set(wanted.outcomes)) < len(wanted.outcomes):
        raise RequestError("outcomes: a column is named twice")
    if wanted.unit is not None and wanted.unit_column is not None:
        raise RequestError("give either unit, for all lines, or unit_column")
    if len(wanted.outcomes) > 1 and (wanted.relation or wanted.unit_column):
        raise RequestError(
            f"{'relation' if wanted.relation else 'unit_column'} belongs to one outcome, and there are "
            f"{len(wanted.outcomes)}",
            hint="write the signs into the cells and one unit for all, or train on one outcome",
        )
    if wanted.positive is not None and wanted.task == "continuous":
        raise RequestError("positive makes classes of the outcome, so task cannot be continuous")


def _completed(compounds: Any, wanted: Reading) -> tuple[Reading, bool]:
    """The reading with what the columns of a curated file say by themselves, and whether it is one."""
    header = header_of(compounds, Wanted(wanted.smiles))
    curated = (
        set(header) >= CURATED
        and wanted.outcomes in ((), ("measurement",))
        and wanted.relation in (None, "relation")
        and wanted.unit_column is None
    )
    if curated and wanted.unit not in (None, "p", "none", "class"):
        raise RequestError(
            f"measurements of a curated file are no longer in {wanted.unit}", hint="leave out unit, or say p"
        )
    if curated:
        wanted = replace(wanted, outcomes=("measurement",), relation=None)
    if not wanted.outcomes:
        raise RequestError("no outcome is named", hint=f"columns: {', '.join(header[:20]) or 'none'}")
    return wanted, curated


def _read(compounds: Any, wanted: Reading, curated: bool, context: Context) -> _Lines:
    from iatros.molecules.curation.preparing import identify
    from iatros.molecules.curation.standardising import Rules

    further = [one for one in (wanted.time, wanted.split) if one is not None]
    more = (*wanted.outcomes, *further, *(_CURATED_MORE if curated else ()))
    columns = Wanted(wanted.smiles, wanted.identifier, None, wanted.relation, wanted.unit_column, more)
    source = open_compounds(compounds, columns)
    lines = _Lines([], [], Refusals(), 0, source.notes, source.name)
    n = 0
    rules = Rules(wanted.tautomer, wanted.max_heavy_atoms)
    with context.progress.step("lines") as step:
        for batch, answers in in_batches(identify, rules, source.entries, context.engine):
            for entry, found in zip(batch, answers, strict=True):
                n += found.refusal != BLANK
                if not found.refusal:
                    lines.entries.append(entry._replace(structure=""))
                    lines.identified.append(found)
                elif found.refusal != BLANK:
                    lines.refusals.add(entry.line, found.refusal)
            step.advance(len(batch))
    if not n:
        raise TableError("holds no compounds", where=source.name, hint="one compound a line is needed")
    if not lines.entries:
        raise TableError(
            f"none of {n:,} lines holds a structure that can be used",
            where=source.name,
            hint=lines.refusals.most(),
        )
    return lines._replace(n_lines=n)


def _endpoints(entries: Sequence[Entry], wanted: Reading, asked: Asked) -> tuple[Endpoint, ...]:
    if wanted.endpoints is not None:
        if len(wanted.endpoints) != len(wanted.outcomes):
            raise RequestError(
                f"the model has {len(wanted.endpoints)} endpoints, {len(wanted.outcomes)} columns were named",
                hint=f"its endpoints: {', '.join(one.name for one in wanted.endpoints)}",
            )
        return tuple(trained_endpoint(target, asked) for target in wanted.endpoints)
    found = tuple(
        endpoint_of(name, (entry.more[place] for entry in entries), asked)
        for place, name in enumerate(wanted.outcomes)
    )
    tasks = {one.target.task: one.target.name for one in found}
    if len(tasks) > 1:
        raise OutcomeError(
            f"endpoints learned together are all classes or all numbers: {tasks['binary']} is of classes and "
            f"{tasks['continuous']} of numbers",
            hint="train them one by one, or make classes of all with positive, such as >=6.5",
        )
    return found


def _max_spread(wanted: Reading, endpoints: Sequence[Endpoint]) -> float | None:
    is_p = wanted.max_spread is None and endpoints[0].scale.is_p
    return _CONFLICT_OF_P if is_p else wanted.max_spread


def _check_enough(found: Gathered, targets: Sequence[Target], refusals: Refusals) -> None:
    if len(found.y) < FEWEST:
        raise OutcomeError(
            f"{len(found.y)} compounds have a value that can be used, at least {FEWEST} are needed",
            hint=refusals.most(),
        )
    for place, target in enumerate(targets):
        y = found.y[:, place]
        exact = y[~np.isnan(y) & (found.bound[:, place] == 0)]
        where = f"column {target.name}"
        if not len(exact):
            raise OutcomeError("no compound has a value that can be used, beyond a bound", where=where)
        if exact.min() == exact.max():
            label = (
                repr(target.classes[int(exact[0])]) if target.task == "binary" else f"the value {exact[0]:g}"
            )
            raise OutcomeError(
                f"all {len(exact):,} compounds are of one class, {label}, so there is nothing to tell apart"
                if target.task == "binary"
                else f"all {len(exact):,} compounds have {label}, so there is nothing to learn",
                where=where,
            )


def _cohort(
    found: Gathered,
    targets: tuple[Target, ...],
    lines: _Lines,
    wanted: Reading,
    context: Context,
    store: FeatureStore | None,
) -> Cohort:
    rows = zip(found.inchikeys, found.smiles, found.y.tolist(), found.bound.tolist(), strict=True)
    content = "\n".join([repr(targets), *map(repr, rows)])
    n_used = lines.n_lines - lines.refusals.n_lines
    return Cohort(
        Compounds(found.smiles, engine=context.engine, progress=context.progress, store=store),
        found.names,
        found.inchikeys,
        found.lines,
        found.y,
        found.bound,
        found.spread,
        targets,
        found.times,
        found.split,
        _changes(found.lines, lines),
        tuple(sorted(lines.refusals.first, key=itemgetter("line"))),
        {"n_lines": lines.n_lines, **found.counts, **lines.refusals.document(), **_counted(lines.identified)},
        (
            {"step": "lines read", "n_rows": lines.n_lines},
            {"step": "lines that can be used", "n_rows": n_used, "less": "refused"},
            {
                "step": "compounds with a value",
                "n_rows": len(found.y),
                "less": "compounds named again, or without a value",
            },
        ),
        (*lines.notes, *_notes(found, targets, wanted, lines.refusals)),
        lines.source,
        fingerprint(content.encode()),
    )


def _changes(first: np.ndarray, lines: _Lines) -> tuple[frozenset[str], ...]:
    by_line = {e.line: one.changes for e, one in zip(lines.entries, lines.identified, strict=True)}
    return tuple(frozenset(map(change_kind, by_line[line])) for line in first.tolist())


def _counted(identified: Sequence[Identified]) -> dict[str, Any]:
    flags = Counter(flag for one in identified for flag in one.flags)
    return {"n_changed": sum(bool(one.changes) for one in identified), "flags": dict(sorted(flags.items()))}


def _notes(found: Gathered, targets: Sequence[Target], wanted: Reading, refusals: Refusals) -> list[str]:
    notes = []
    if refusals.n_lines:
        notes.append(f"{refusals.n_lines:,} lines cannot be used; {refusals.most()}")
    for target, counted in zip(targets, found.counts["endpoints"], strict=True):
        if target.task == "binary":
            notes.append(
                f"{target.name} is read as classes: {target.classes[1]!r} against {target.classes[0]!r}"
            )
        if counted["n_undecided"]:
            notes.append(
                f"{target.name}: {counted['n_undecided']:,} compounds have a bound or conflicting measurements that "
                "leave the class or the value open; these are missing"
            )
        if counted["n_between"]:
            notes.append(f"{target.name}: {counted['n_between']:,} values are the middle of two bounds")
    notes += [f"{n:,} values: {remark}" for remark, n in sorted(refusals.remarks.items())]
    if targets[0].task == "continuous" and wanted.unit is None and wanted.unit_column is None:
        notes.append("no unit was given: measurements are taken as they stand")
    if found.counts["n_conflicts"]:
        became = "left out" if wanted.conflicts == "refuse" else "kept"
        notes.append(
            f"values from conflicting measurements, which were {became}: {found.counts['n_conflicts']:,}"
        )
    if refusals.n_cells:
        notes.append(f"cells that cannot be used, whose line is used without them: {refusals.n_cells:,}")
    return notes
