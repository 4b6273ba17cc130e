"""The action `optimise`: compounds that an objective scores high."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import open_bundle
from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context, Produced
from iatros.core.errors import OutcomeError
from iatros.core.progress import Progress
from iatros.core.runs import versions
from iatros.learners.tabular.estimators.params import check_overrides
from iatros.molecules.generating.opened import open_generator
from iatros.molecules.generation_requests import OptimiseRequest
from iatros.molecules.generators.generator import Generator
from iatros.molecules.generators.library import Library, read_library
from iatros.molecules.objectives.objective import Objective
from iatros.molecules.objectives.reading import load_objective
from iatros.molecules.optimisers import OPTIMISERS
from iatros.molecules.optimisers.describing import Found, described
from iatros.molecules.optimisers.diversity import ScaffoldFilter
from iatros.molecules.optimisers.documents import documents
from iatros.molecules.optimisers.forewarning import AFTER, look_again, look_at_start
from iatros.molecules.optimisers.ledger import Budget, Ledger
from iatros.molecules.optimisers.optimiser import Means
from iatros.molecules.optimisers.record import Record
from iatros.molecules.optimisers.starting import flat
from iatros.molecules.sources.columns import Wanted

SHOWN = 100
"""Most compounds that the result lists; the documents have all that were asked for."""
_WRITTEN = 1000
"""Texts that a prior writes where no start compounds are given."""
_LIBRARIES = ("numpy", "rdkit", "torch")


def optimise(request: OptimiseRequest, context: Context) -> Produced:
    """`ledger` tells what was asked, `best` holds the first 100 of the best compounds, `curve` how they were found."""
    name = OPTIMISERS.entry(request.model).name
    params = check_overrides((name,), request.param, OPTIMISERS)[name]
    objective = load_objective(request.objective)
    bundle = None if request.prior is None else open_bundle(request.prior)
    prior = None if bundle is None else open_generator(bundle)
    library = _start(request, prior, context)
    record = Record(context.checkpoint, _key(objective, request))
    ledger = _ledger(request, objective, context, record)
    start = list(library.smiles) if request.stereo else flat(library.smiles, context.engine)
    try:
        with context.progress.step("looking at the objective"):
            checked = look_at_start(objective, ledger, start, seed=request.seed)
        for said in checked.notes:
            context.progress.note(said)
        ledger.watch(AFTER, lambda one: look_again(objective, one))
        means = Means(request.seed, prior, Checkpoint(context.checkpoint), context.progress)
        with _shown(ledger, request.calls, context.progress):
            OPTIMISERS.load(name)(params).run(ledger, start, means)
    finally:
        record.close()
    found = described(ledger, start, request.top, context, threshold=request.scaffold_threshold)
    result: dict[str, Any] = plain(
        {
            "domain": "molecules",
            "question": "optimisation",
            "optimiser": name,
            "params": params.model_dump(),
            "objective": objective.document(),
            "start": {"source": library.source, **library.counts, "checked": checked.document()},
            "prior_sha256": None if bundle is None else bundle.manifest_sha256,
            "ledger": _accounts(ledger),
            **found.document(),
            "best": found.rows[:SHOWN],
            "seed": request.seed,
            "request": request.model_dump(mode="json"),
            "versions": versions(_LIBRARIES),
            "notes": [*library.notes, *checked.notes, *_notes(ledger, found)],
        }
    )
    return Produced(result, documents=documents(result, ledger, found))


def _start(request: OptimiseRequest, prior: Generator | None, context: Context) -> Library:
    """The start compounds, or what the prior writes where there are none."""
    if request.start is not None:
        with context.progress.step("reading the start compounds"):
            return read_library(request.start, Wanted(request.smiles, request.identifier), context, fewest=1)
    assert prior is not None
    from iatros.molecules.generating.samples import judge

    written = judge(prior.sample(_WRITTEN, rng=np.random.default_rng([request.seed, 3])))
    if not written.smiles:
        raise OutcomeError(
            f"none of {_WRITTEN:,} texts that the prior wrote is a molecule",
            where="prior",
            hint="train it longer, or give start compounds",
        )
    return Library(tuple(written.smiles), "written by the prior", {"n_used": len(written.smiles)})


def _key(objective: Objective, request: OptimiseRequest) -> str:
    """What scores are kept under: those of another objective are not taken up."""
    told = json.dumps([objective.document(), request.stereo], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _ledger(request: OptimiseRequest, objective: Objective, context: Context, record: Record) -> Ledger:
    diversity = (
        ScaffoldFilter(request.per_scaffold, request.scaffold_threshold) if request.per_scaffold else None
    )
    budget = Budget(request.calls, request.seconds, request.charge)
    return Ledger(
        objective, budget, context=context, record=record, diversity=diversity, stereo=request.stereo
    )


@contextmanager
def _shown(ledger: Ledger, calls: int, progress: Progress) -> Iterator[None]:
    """Count the calls in a step of the progress, and tell about ten times how far the search is."""
    said: list[int] = []

    def tell(one: Ledger) -> None:
        if one.counts.calls not in said:
            said.append(one.counts.calls)
            progress.note(told(one))

    for tenth in range(1, 10):
        if calls * tenth // 10:
            ledger.watch(calls * tenth // 10, tell)
    with progress.step("calls", calls) as step:
        ledger.show(step)
        yield


def told(ledger: Ledger) -> str:
    """Where a search stands, in a line."""
    best = ledger.best(10)
    if not best:
        return f"{ledger.counts.calls:,} calls, nothing scored yet, {ledger.left:,} calls left"
    mean = sum(row.score for row in best) / len(best)
    return (
        f"{ledger.counts.calls:,} calls: best {best[0].score:.3f}, mean of the best 10 {mean:.3f}, "
        f"{ledger.left:,} calls left"
    )


def _accounts(ledger: Ledger) -> dict[str, Any]:
    counts, budget = ledger.counts, ledger.budget
    return {
        "budget_calls": budget.calls,
        "budget_seconds": budget.seconds,
        "charge": budget.charge,
        "n_asked": counts.asked,
        "n_calls": counts.calls,
        "n_repeated": counts.repeated,
        "n_invalid": counts.invalid,
        "n_prescreened": counts.prescreened,
        "n_passed_over": counts.passed_over,
        "n_zero_with_reason": sum(bool(row.scored.reason) for row in ledger.rows.values()),
        "n_without_score": counts.without_score,
        "n_penalised": 0 if ledger.diversity is None else ledger.diversity.n_penalised,
        "charged_unique": counts.calls,
        "charged_all": counts.asked + counts.prescreened,
        "n_recalled": counts.recalled,
        "objective_seconds": round(ledger.objective_seconds, 3),
        "search_seconds": round(ledger.seconds, 3),
    }


def _notes(ledger: Ledger, found: Found) -> list[str]:
    counts = ledger.counts
    notes = [
        f"{counts.calls:,} calls; {counts.asked:,} texts were asked, of which {counts.repeated:,} were repeated and "
        f"{counts.invalid:,} invalid; {counts.prescreened:,} compounds were prescreened"
    ]
    if ledger.left:
        notes.append(f"the search ended with {ledger.left:,} calls left: it found nothing new to ask for")
    if counts.recalled:
        notes.append(f"{counts.recalled:,} scores were taken from the run that was broken off")
    if counts.without_score:
        notes.append(f"{counts.without_score:,} compounds have no score (nan): see reason in scored.csv")
    if found.rows and ledger.counts.calls > 1000:
        notes.append("the best of very many are partly so by luck: expect less of them than the score says")
    return notes
