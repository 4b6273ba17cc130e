"""Generate: new compounds from a trained generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.bundle import open_bundle
from iatros.core.context import Context, Produced
from iatros.molecules.generating.opened import open_generator
from iatros.molecules.generating.samples import judge
from iatros.molecules.generation_requests import GenerateRequest
from iatros.molecules.generators.generator import Draw

SHOWN = 100


def generate(request: GenerateRequest, context: Context) -> Produced:
    """`compounds` holds the first 100 of them; the documents hold all."""
    bundle = open_bundle(request.model)
    generator = open_generator(bundle)
    draw = Draw(request.temperature, request.nucleus)
    with context.progress.step("writing"):
        written = generator.sample(request.n, rng=np.random.default_rng(request.seed), draw=draw)
    with context.progress.step("reading what was written"):
        judged = judge(written)
    result: dict[str, Any] = {
        "domain": "molecules",
        "model": bundle.manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "n_written": judged.n_written,
        "n_valid": judged.n_valid,
        "n_unique": len(judged.smiles),
        "compounds": [{"smiles": smiles} for smiles in judged.smiles[:SHOWN]],
        "seed": request.seed,
        "notes": [],
    }
    return Produced(result, documents={"compounds.smi": "".join(f"{s}\n" for s in judged.smiles).encode()})
