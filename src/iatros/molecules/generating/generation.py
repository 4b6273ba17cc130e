"""Generate: new compounds from a trained generator, sifted, described and drawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.bundle import Bundle, open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, RequestError
from iatros.core.intervals import finite
from iatros.molecules.diverse import mark_diverse
from iatros.molecules.generating.documents import documents
from iatros.molecules.generating.examining import PROPERTIES
from iatros.molecules.generating.funnel import RINGS, Funnel, Sieve, sift
from iatros.molecules.generating.known import HASHES, Known
from iatros.molecules.generating.known import RINGS as RINGS_FILE
from iatros.molecules.generating.opened import open_generator
from iatros.molecules.generation_requests import GenerateRequest
from iatros.molecules.generators.generator import Draw, Generator

SHOWN = 100


def generate(request: GenerateRequest, context: Context) -> Produced:
    """`funnel` tells what every step left; `compounds` holds the first 100 of those that came through.

    They are ordered by the prediction of `activity` where it is given, else by drug-likeness (QED), the best first;
    `diverse` names the ranks that were picked by greatest distance, in the order of picking.
    """
    bundle = open_bundle(request.model)
    generator = open_generator(bundle)
    known = _known(bundle)
    sieve = _sieve(request, known)
    with context.progress.step("writing"):
        texts = _written(generator, request)
    funnel = sift(texts, sieve, known, context)
    with context.progress.step("ordering and picking"):
        rows = _rows(funnel, request)
        picked = mark_diverse(rows, request.diverse)
    result: dict[str, Any] = {
        "domain": "molecules",
        "question": "generation",
        "model": bundle.manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "learned_from": bundle.manifest["data"]["source"],
        "funnel": funnel.steps,
        "n_kept": len(rows),
        "n_scaffolds": len({one.scaffold for one in funnel.examined}),
        "compounds": rows[:SHOWN],
        "diverse": picked,
        "seed": request.seed,
        "notes": _notes(request, funnel, known),
    }
    return Produced(result, documents=documents(result, rows, texts))


def _known(bundle: Bundle) -> Known | None:
    if HASHES not in bundle.manifest["files"]:
        return None
    return Known.load(bundle.read(HASHES), bundle.read(RINGS_FILE))


def _sieve(request: GenerateRequest, known: Known | None) -> Sieve:
    filters = () if "none" in request.filters else tuple(dict.fromkeys(request.filters))
    return Sieve(
        request.unique,
        request.novel,
        request.novel,
        tuple(name for name in filters if name != RINGS or known is not None),
        "" if request.scaffold is None else _structure(request.scaffold, "scaffold"),
        request.most_difficult,
    )


def _structure(text: str, where: str) -> str:
    """Canonical SMILES; InputError with the reason where the text is no structure."""
    from rdkit import Chem, rdBase

    from iatros.molecules.curation.parsing import StructureError, parse

    with rdBase.BlockLogs():
        try:
            return str(Chem.MolToSmiles(parse(text)))
        except StructureError as error:
            raise InputError(str(error), where=where) from None


def _written(generator: Generator, request: GenerateRequest) -> list[str]:
    rng, draw = np.random.default_rng(request.seed), Draw(request.temperature, request.nucleus)
    if request.scaffold is not None:
        around = getattr(generator, "sample_around", None)
        if around is None:
            raise RequestError(
                "this generator cannot write around a scaffold",
                where="scaffold",
                hint="use an rnn or transformer",
            )
        return list(around(_structure(request.scaffold, "scaffold"), request.n, rng=rng, draw=draw))
    if request.near is not None:
        near = getattr(generator, "near", None)
        if near is None:
            raise RequestError("this generator has no neighbourhoods", where="near", hint="use a vae")
        return list(
            near(_structure(request.near, "near"), request.n, radius=request.radius, rng=rng, draw=draw)
        )
    return generator.sample(request.n, rng=rng, draw=draw)


def _rows(funnel: Funnel, request: GenerateRequest) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"smiles": smiles, **dict(zip(PROPERTIES, one.values, strict=True)), "scaffold": one.scaffold}
        for smiles, one in zip(funnel.smiles, funnel.examined, strict=True)
    ]
    if request.activity is not None and rows:
        for row, told in zip(rows, _predicted(request.activity, funnel.smiles), strict=True):
            row |= told
    by = "qed" if request.activity is None else "predicted"
    rows.sort(key=lambda row: -row[by])
    return [{"rank": rank, **row, "diverse": None} for rank, row in enumerate(rows, start=1)]


def _predicted(reference: Any, smiles: list[str]) -> list[dict[str, Any]]:
    """The first endpoint of a bundle of activity for each compound, with its interval and domain."""
    from iatros.learners.compounds.compounds import Compounds
    from iatros.molecules.questions import refuse_pairs
    from iatros.molecules.scoring import ActivityModel

    bundle = open_bundle(reference)
    refuse_pairs(bundle, "new compounds come without a protein")
    answers = ActivityModel.from_bundle(bundle).answer(Compounds(smiles))
    return [
        {
            "predicted": float(answers.value[row, 0]),
            "low": finite(answers.low[row, 0]),
            "high": finite(answers.high[row, 0]),
            "in_domain": bool(answers.inside[row]),
        }
        for row in range(len(smiles))
    ]


def _notes(request: GenerateRequest, funnel: Funnel, known: Known | None) -> list[str]:
    notes = []
    steps = {step["step"]: step["n"] for step in funnel.steps}
    if steps["valid"] < 0.8 * steps["written"]:
        notes.append(
            f"only {steps['valid']:,} of {steps['written']:,} texts are molecules: the generator has learned too "
            "little, or temperature is too high"
        )
    if known is None and (request.novel or RINGS in request.filters):
        notes.append(
            "the bundle does not remember what was learned from, so nothing is left out for being known, and ring "
            "systems are not looked at"
        )
    if not funnel.smiles:
        notes.append("no compound came through: see the funnel, and loosen filters or write more")
    if request.activity is not None and funnel.smiles:
        notes.append(
            "the best of many predictions are partly so by luck: expect less of them than is predicted"
        )
    return notes
