"""Train a generator: from a library of compounds to a bundle that writes more of their kind."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import BundleDraft, open_bundle
from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context, Produced
from iatros.core.runs import versions
from iatros.learners.tabular.estimators.params import check_overrides
from iatros.molecules.generating.asked import check
from iatros.molecules.generating.known import Known
from iatros.molecules.generating.opened import open_generator
from iatros.molecules.generating.samples import judge
from iatros.molecules.generators import GENERATORS
from iatros.molecules.generators.generator import Training
from iatros.molecules.generators.library import Library, read_library
from iatros.molecules.requests import TrainRequest
from iatros.molecules.sources.columns import Wanted
from iatros.version import __version__

CHECKED = 1000
"""Compounds that are written after training to see what was learned."""
_EVIDENCE = "evidence.json"
_IN_MANIFEST = (
    "domain", "question", "model", "seed", "metrics", "data", "request", "versions", "parent", "notes",
)  # fmt: skip
_LIBRARIES = ("numpy", "rdkit", "torch", "selfies")


def train_space(request: TrainRequest, context: Context) -> Produced:
    """Read the library, learn it, and show what the generator writes."""
    name = check(request)
    params = check_overrides((name,), request.param, GENERATORS)[name]
    start = None if request.start is None else open_bundle(request.start)
    with context.progress.step("reading the library"):
        library = read_library(request.compounds, Wanted(request.smiles, request.identifier), context)
    for note in library.notes:
        context.progress.note(note)
    training = Training(Checkpoint(context.checkpoint), context.progress, request.seconds)
    begun = time.monotonic()
    generator, notes = GENERATORS.load(name)(params).fit(
        library, training, seed=request.seed, start=None if start is None else open_generator(start)
    )
    seconds = time.monotonic() - begun
    with context.progress.step("writing a sample"):
        written = generator.sample(CHECKED, rng=np.random.default_rng([request.seed, 1]))
        judged = judge(written, set(library.smiles))
    result = plain(
        {
            "domain": "molecules",
            "question": "generation",
            "model": name,
            "seed": request.seed,
            "metrics": {"sample": judged.metrics()},
            "training": notes,
            "params": params.model_dump(),
            "examples": judged.smiles[:20],
            "data": _data(library),
            "notes": list(library.notes),
            "request": request.model_dump(mode="json"),
            "versions": versions(_LIBRARIES),
            "parent": None if start is None else start.parent_reference,
        }
    )
    document, files = generator.save()
    kept = {key: value for key, value in result.items() if key not in _IN_MANIFEST}
    manifest = {
        "iatros": __version__,
        **{key: result[key] for key in _IN_MANIFEST},
        "predictor": document,
        "created": {"fit_seconds": {name: seconds}},
    }
    if request.keep_fingerprints:
        files |= Known.of(library.smiles, context).save()
    files = {**files, _EVIDENCE: json.dumps(kept, sort_keys=True).encode()}
    return Produced(result, bundle=BundleDraft(manifest, files, {}))


def _data(library: Library) -> dict[str, Any]:
    told = asdict(library)
    del told["smiles"], told["notes"]
    return told
