"""Train a generator: from a library of compounds to a bundle that writes more of their kind."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle, BundleDraft, open_bundle
from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError
from iatros.core.runs import versions
from iatros.learners.tabular.estimators.params import check_overrides
from iatros.molecules.generating.asked import check
from iatros.molecules.generating.known import Known
from iatros.molecules.generating.opened import open_generator
from iatros.molecules.generating.report import model_card, report
from iatros.molecules.generating.samples import Judged, judge
from iatros.molecules.generators import GENERATORS
from iatros.molecules.generators.generator import Generator, Training
from iatros.molecules.generators.language.finetuning import FEWEST, finetune
from iatros.molecules.generators.language.fitting import LanguageParams
from iatros.molecules.generators.language.model import LanguageModel
from iatros.molecules.generators.library import Library, read_library
from iatros.molecules.requests import TrainRequest
from iatros.molecules.sources.columns import Wanted
from iatros.version import __version__

CHECKED = 1000
"""Compounds that are written after training to see what was learned."""
_EXAMPLES = 20
_FEW = 10_000
"""Compounds below which the library is said to be small."""
_MANY_REFUSED = 0.1
_EVIDENCE = "evidence.json"
_IN_MANIFEST = (
    "domain", "question", "model", "seed", "metrics", "data", "request", "versions", "parent", "notes",
)  # fmt: skip
_LIBRARIES = ("numpy", "rdkit", "torch", "selfies")


def train_space(request: TrainRequest, context: Context) -> Produced:
    """Read the library, learn it, learn the actives where there are some, and show what the generator writes.

    `metrics.sample` judges 1,000 written texts: `valid` of all, `unique` of the valid, `novel` of the unique (in
    neither library nor actives); where actives were learned, also how similar to them it writes, and wrote before.
    `training` holds the losses of each epoch and the sizes, `finetuning` the same of the actives.
    """
    name = check(request)
    params = check_overrides((name,), request.param, GENERATORS)[name]
    start = _start(request, name)
    actives = _actives(request, params, context)
    with context.progress.step("reading the library"):
        library = read_library(request.compounds, Wanted(request.smiles, request.identifier), context)
    notes = [*library.notes, *_about(library)]
    for note in notes:
        context.progress.note(note)
    training = Training(Checkpoint(context.checkpoint), context.progress, request.seconds, context.engine)
    begun = time.monotonic()
    generator, learned = GENERATORS.load(name)(params).fit(
        library, training, seed=request.seed, start=None if start is None else open_generator(start)
    )
    tuned = None
    if actives is not None:
        assert isinstance(generator, LanguageModel)
        generator, tuned = finetune(
            generator, actives.smiles, training, seed=request.seed, where=actives.source
        )
    seconds = time.monotonic() - begun
    notes += _about_learning(learned)
    known = library.smiles + (actives.smiles if actives is not None else ())
    with context.progress.step("writing a sample"):
        written = generator.sample(CHECKED, rng=np.random.default_rng([request.seed, 1]))
        judged = judge(written, set(known))
    result = plain(
        {
            "domain": "molecules",
            "question": "generation",
            "model": name,
            "seed": request.seed,
            "metrics": _metrics(judged, tuned),
            "params": learned.pop("params", params.model_dump()),
            "training": learned,
            "finetuning": tuned,
            "examples": judged.smiles[:_EXAMPLES],
            "data": _data(library),
            "actives": None if actives is None else _data(actives),
            "notes": notes,
            "request": request.model_dump(mode="json"),
            "versions": versions(_LIBRARIES),
            "parent": None if start is None else start.parent_reference,
        }
    )
    remembered = Known.of(known, context).save() if request.keep_fingerprints else {}
    return Produced(result, bundle=_bundle(result, generator, remembered, seconds))


def _bundle(
    result: dict[str, Any], generator: Generator, remembered: dict[str, bytes], seconds: float
) -> BundleDraft:
    document, files = generator.save()
    kept = {key: value for key, value in result.items() if key not in _IN_MANIFEST}
    manifest = {
        "iatros": __version__,
        **{key: result[key] for key in _IN_MANIFEST},
        "predictor": document,
        "created": {"fit_seconds": {result["model"]: seconds}},
    }
    files = {**files, **remembered, _EVIDENCE: json.dumps(kept, sort_keys=True).encode()}
    for_people = {"report.html": report(result).encode(), "model_card.md": model_card(result).encode()}
    return BundleDraft(manifest, files, for_people)


def _start(request: TrainRequest, name: str) -> Bundle | None:
    """The bundle that learning goes on from; RequestError where it was trained as another model."""
    if request.start is None:
        return None
    start = open_bundle(request.start)
    open_generator(start)
    if start.manifest["model"] != name:
        raise RequestError(
            f"{start.name} was trained as {start.manifest['model']}, and {name} is asked for",
            where="start",
            hint=f"train --model {start.manifest['model']}, or leave start out",
        )
    return start


def _actives(request: TrainRequest, params: Any, context: Context) -> Library | None:
    """The compounds to learn last; RequestError where the model is no language model."""
    if request.finetune is None:
        return None
    if not isinstance(params, LanguageParams):
        raise RequestError(
            f"{request.model[0]} is no language model, and only they are led to few compounds",
            where="finetune",
            hint="train rnn or transformer",
        )
    with context.progress.step("reading the actives"):
        return read_library(request.finetune, Wanted(), context, fewest=FEWEST)


def _metrics(judged: Judged, tuned: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    if tuned is None:
        return {"sample": judged.metrics()}
    before, after = ({"similarity_to_actives": tuned[side]["similarity"]} for side in ("before", "after"))
    return {"before_finetuning": before, "sample": {**judged.metrics(), **after}}


def _data(library: Library) -> dict[str, Any]:
    told = asdict(library)
    del told["smiles"], told["notes"]
    return told


def _about(library: Library) -> list[str]:
    counts, notes = library.counts, []
    if len(library) < _FEW:
        notes.append(
            f"Learned from {len(library):,} compounds. From fewer than {_FEW:,} a generator repeats what it has seen "
            "or writes what is no molecule: begin with a larger library, and give the few to finetune."
        )
    n_filled = counts["n_lines"] - counts["n_blank"]
    if counts["n_refused"] > _MANY_REFUSED * n_filled:
        reason = next(iter(library.reasons))
        notes.append(
            f"{counts['n_refused']:,} of {n_filled:,} lines were refused, most often because: {reason}."
        )
    return notes


def _about_learning(learned: dict[str, Any]) -> list[str]:
    told = {
        "n_unknown_tokens": "hold a token that start never learned, and were left out",
        "n_too_long": "are longer than max_length, and were left out",
        "n_unwritten": "cannot be written as SELFIES, and were left out",
    }
    return [f"{learned[name]:,} compounds {what}." for name, what in told.items() if learned.get(name)]
