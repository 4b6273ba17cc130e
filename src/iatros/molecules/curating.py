"""The action `curate`: one standard structure for each compound, and what became of every line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from iatros.core.context import Context, Produced
from iatros.core.errors import MissingExtraError, TableError
from iatros.molecules.curation.accounting import Tally, ranked, tables
from iatros.molecules.curation.batching import in_batches
from iatros.molecules.curation.ledger import Ledger
from iatros.molecules.curation.measuring import Scale
from iatros.molecules.requests import CurateRequest
from iatros.molecules.schema import Judged
from iatros.molecules.sources import Opened, open_compounds
from iatros.molecules.sources.columns import Wanted

CONFLICT_OF_P = 1.0
"""Ten-fold: beyond it, measurements of one compound are reported as a conflict."""


def curate(request: CurateRequest, context: Context) -> Produced:
    """Compounds with their reconciled measurements, and the account of every line.

    `n_lines` = `n_blank_lines` + `n_compounds` + `n_merged` + `n_refused`. `reasons` counts refused lines by the words
    before the colon of their reason, `flags`, `alerts` and `rules_broken` count compounds. The documents are
    compounds.csv and lines.csv.
    """
    _check_extra()
    scale = _scale(request)
    source = open_compounds(request.compounds, _wanted(request))
    tally = Tally(refuse_conflicts=request.conflicts == "refuse")
    ledger = Ledger(context.scratch.folder())
    context.scratch.call_first(ledger.close)
    with context.progress.step("lines") as step:
        for judged in _judged(request, source, scale, context):
            ledger.add((one, tally.line(one)) for one in judged)
            step.advance(len(judged))
    if tally.n_lines == tally.n_blank:
        raise TableError("holds no compounds", where=source.name, hint="one compound a line is needed")
    max_spread = _max_spread(request, scale)
    ledger.merge(max_spread, tally.refuses, tally.compound)
    result: dict[str, Any] = {"domain": "molecules", "source": source.name, "format": source.format}
    result |= tally.document()
    if scale is not None:
        result["measurement"] = {
            "column": request.activity,
            "scale": _scale_words(scale),
            "max_spread": max_spread,
            **tally.measurements(),
        }
        result["conflicts"] = tally.first_conflicts()
    result["refused"] = tally.refused
    result["notes"] = [_summary(tally), *source.notes, *_notes(request, tally)]
    return Produced(result, documents=tables(ledger, measured=scale is not None))


def _check_extra() -> None:
    if find_spec("rdkit") is None:
        raise MissingExtraError("molecules need the package rdkit", hint="pip install 'iatros[molecules]'")


def _wanted(request: CurateRequest) -> Wanted:
    return Wanted(request.smiles, request.identifier, request.activity, request.relation, request.unit_column)


def _scale(request: CurateRequest) -> Scale | None:
    if request.activity is None:
        return None
    return Scale(request.unit, per_line=request.unit_column is not None)


def _scale_words(scale: Scale) -> str:
    if scale.is_class:
        return "class"
    return "minus log10 of mol/L" if scale.is_p else "as given"


def _max_spread(request: CurateRequest, scale: Scale | None) -> float | None:
    if request.max_spread is None and scale is not None and scale.is_p:
        return CONFLICT_OF_P
    return request.max_spread


def _judged(
    request: CurateRequest, source: Opened, scale: Scale | None, context: Context
) -> Iterator[list[Judged]]:
    """The lines of the source in order, a batch at a time."""
    from iatros.molecules.curation.preparing import Settings, prepare
    from iatros.molecules.curation.standardising import Rules

    sets = () if "none" in request.alerts else tuple(dict.fromkeys(request.alerts))
    settings = Settings(Rules(request.tautomer, request.max_heavy_atoms), sets, scale)
    for _, judged in in_batches(prepare, settings, source.entries, context.engine):
        yield judged


def _summary(tally: Tally) -> str:
    n, k = tally.n_lines - tally.n_blank, tally.n_compounds
    return (
        f"{n:,} line{'' if n == 1 else 's'}: {k:,} compound{'' if k == 1 else 's'}, "
        f"{tally.n_merged:,} more line{'' if tally.n_merged == 1 else 's'} merged into them, "
        f"{tally.n_refused:,} refused"
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in ranked(counts).items())


def _notes(request: CurateRequest, tally: Tally) -> list[str]:
    counted = {
        "refused": tally.reasons,
        "changed": tally.changes,
        "flagged": tally.flags,
        "alerts": tally.alerts,
    }
    notes = [f"{word}: {_listed(counts)}" for word, counts in counted.items() if counts]
    notes += [f"{n:,} lines: {remark}" for remark, n in sorted(tally.remarks.items())]
    if request.activity is None:
        return notes
    if request.unit is None and request.unit_column is None:
        notes.append("no unit was given: measurements are taken as they stand")
    if tally.n_exact + tally.n_censored == 0:
        wrong = "unit" if tally.reasons["unit"] > tally.reasons["measurement"] else "measurement"
        column = request.unit_column if wrong == "unit" and request.unit_column else request.activity
        notes.append(f"no line has a {wrong} that can be used: is {column} the right column?")
    if tally.n_conflicts:
        became = "refused" if request.conflicts == "refuse" else "kept"
        notes.append(f"compounds with conflicting measurements, which were {became}: {tally.n_conflicts:,}")
    return notes
