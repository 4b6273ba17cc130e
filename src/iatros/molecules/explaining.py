"""Explain: what each atom of a compound contributes to its answer, drawn on the structure, and checks of the maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.bundle import open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import TableError, unknown_name
from iatros.core.intervals import finite
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.attribution import (
    AGREEMENT_BOUND,
    EMPTY,
    EXCHANGE_BOUND,
    STRUCTURE_BOUND,
    Contributions,
    Hidden,
    agreement,
    contributions,
    likeness_after_exchange,
    likeness_to_structure,
)
from iatros.molecules.depicting import draw_contributions
from iatros.molecules.explanation_page import explanation_page
from iatros.molecules.models.estimator import CompoundPredictor
from iatros.molecules.prediction import naming, read_compounds
from iatros.molecules.questions import refuse_pairs
from iatros.molecules.requests import ExplainRequest, PredictRequest
from iatros.molecules.scoring import ActivityModel

_CHECKED = 4
"""Compounds on which the fits are compared: each is asked about once more by every fit."""
_FLAT = 1e-9
_SHOWN_REFUSED = 20


def explain(request: ExplainRequest, context: Context) -> Produced:
    """The contributions of the atoms of the first compounds, as numbers, as a page, and as one SVG for each compound.

    `compounds` has for each its `prediction`, its `atoms` in RDKit's order (element and contribution), the strongest of
    its `fragments`, their `sum`, and whether it is `in_domain`. A contribution is what the calibrated prediction of the
    endpoint loses when the atom is hidden. Contributions do not add up to the prediction, not even less `baseline`,
    that for methane. The first refused lines are in `refused`. Raises UnknownNameError for an endpoint that the model
    lacks, TableError where no line holds a compound.
    """
    bundle = open_bundle(request.model)
    refuse_pairs(bundle, "what single atoms contribute to that cannot be told")
    model = ActivityModel.from_bundle(bundle)
    column = _column(model, request.endpoint)
    with context.progress.step("reading the compounds"):
        asked = read_compounds(
            bundle,
            PredictRequest(
                model=request.model,
                compounds=request.compounds,
                smiles=request.smiles,
                identifier=request.identifier,
                protein=None,
                target=None,
                fasta=None,
                abstain=False,
            ),
            context,
        )
    names = _names(asked.names, asked.lines, asked.place, min(request.most, len(asked.compounds)))
    if not names:
        raise TableError("holds no compound that can be explained", where=asked.source)
    chosen = asked.compounds.take(np.arange(len(names)))
    answers = model.answer(chosen)
    found = attribute(model, chosen.smiles, answers.value[:, column], column, context)
    with context.progress.step("checking the maps"):
        checks = check(model, found, column)
    target = model.endpoints[column]
    documents, rows, drawings = {}, [], []
    scale = max(float(np.abs(one.atoms).max()) for one in found)
    for place, (name, one) in enumerate(zip(names, found, strict=True)):
        file = f"structures/{place + 1:04d}.svg"
        svg = draw_contributions(one.smiles, one.atoms, scale, title=name, unit=_unit(target))
        documents[file] = svg.encode()
        drawings.append(svg)
        where = {
            "similarity": finite(answers.similarity[place]),
            "in_domain": bool(answers.inside[place]),
        }
        rows.append({"name": name, **_described(one, request.top), **where, "document": file})
    result = {
        **naming(bundle),
        "source": asked.source,
        "endpoint": target.name,
        "task": target.task,
        "unit": _unit(target),
        "answer": f"probability of {target.classes[1]}" if target.task == "binary" else target.name,
        "n": len(rows),
        "n_refused": sum(bool(refusal) for refusal in asked.refusals),
        "baseline": float(_calibrated(model, model.predictor.predict(Compounds([EMPTY])), column)[0]),
        "scale": scale,
        "compounds": rows,
        "checks": checks,
        "refused": [
            {"line": line, "reason": refusal}
            for line, refusal in zip(asked.lines, asked.refusals, strict=True)
            if refusal
        ][:_SHOWN_REFUSED],
        "notes": _notes(len(asked.compounds), found, checks, int((~answers.inside).sum())),
    }
    for note in result["notes"]:
        context.progress.note(note)
    documents["explain.html"] = explanation_page(result, drawings, context.run_id).encode()
    return Produced(result, documents=documents)


def attribute(
    model: ActivityModel, smiles: tuple[str, ...], answers: np.ndarray, column: int, context: Context
) -> list[Contributions]:
    """The contributions of each compound to its answer (n,), calibrated, of the endpoint in `column`."""
    found = []
    with context.progress.step("contributions", total=len(smiles)) as step:
        for one, answer in zip(smiles, answers, strict=True):
            hidden = _calibrated(model, model.predictor.hidden(one), column)
            found.append(contributions(one, float(answer), hidden))
            step.advance()
    return found


def check(model: ActivityModel, found: list[Contributions], column: int) -> dict[str, Any]:
    """Whether the fits that make up the model draw the same maps, and whether the maps are more than the structure.

    `passes` is None where a check does not apply: of one fit only, or of a model that sees no fingerprints.
    """
    fits = getattr(model.predictor, "members", ())
    smiles = [one.smiles for one in found[:_CHECKED]]
    agreed = agreement(
        smiles,
        [_hiding(fit, column) for fit in fits],
        [fit.predict(Compounds(smiles))[:, column] for fit in fits],
    )
    alike = likeness_to_structure(found)
    exchanged = likeness_after_exchange(
        found[:_CHECKED], lambda shuffled: model.predictor.predict(shuffled)[:, column]
    )
    return {
        "agreement": {
            "n": len(smiles),
            "n_fits": len(fits),
            "rank_correlation": agreed,
            "bound": AGREEMENT_BOUND,
            "passes": None if agreed is None else agreed >= AGREEMENT_BOUND,
        },
        "randomisation": {
            "n": len(smiles),
            "rank_correlation": exchanged,
            "bound": EXCHANGE_BOUND,
            "passes": None if exchanged is None else abs(exchanged) < EXCHANGE_BOUND,
        },
        "structure": {
            "n": len(found),
            "rank_correlation": alike,
            "bound": STRUCTURE_BOUND,
            "passes": alike < STRUCTURE_BOUND,
        },
    }


def _hiding(fit: CompoundPredictor, column: int) -> Hidden:
    return lambda smiles: fit.hidden(smiles)[:, column]


def _column(model: ActivityModel, endpoint: str | None) -> int:
    known = [target.name for target in model.endpoints]
    if endpoint is None:
        return 0
    if endpoint not in known:
        raise unknown_name("endpoint of this model", endpoint, known)
    return known.index(endpoint)


def _calibrated(model: ActivityModel, raw: np.ndarray, column: int) -> np.ndarray:
    found: np.ndarray = model.calibrated(raw)[:, column]
    return found


def _names(names: list[str], lines: list[int], place: np.ndarray, most: int) -> list[str]:
    """What each of the first `most` different compounds is called: by its first line."""
    first: dict[int, str] = {}
    for name, line, at in zip(names, lines, place.tolist(), strict=True):
        if 0 <= at < most:
            first.setdefault(at, name or f"line {line}")
    return [first[at] for at in range(most)]


def _unit(target: Target) -> str:
    return "probability" if target.task == "binary" else target.unit or ""


def _described(one: Contributions, top: int) -> dict[str, Any]:
    return {
        "smiles": one.smiles,
        "prediction": one.answer,
        "sum": float(one.atoms.sum()),
        "atoms": [
            {"atom": atom, "element": element, "contribution": float(value)}
            for atom, (element, value) in enumerate(zip(one.elements, one.atoms, strict=True))
        ],
        "fragments": [
            {"smiles": part.smiles, "atoms": list(part.atoms), "contribution": part.contribution}
            for part in one.fragments[:top]
        ],
        "n_fragments": len(one.fragments),
    }


def _notes(n_different: int, found: list[Contributions], checks: dict[str, Any], n_outside: int) -> list[str]:
    notes = []
    if n_outside:
        notes.append(
            f"{n_outside} of {len(found)} compounds lie outside the domain of applicability: there the answer itself "
            "is in doubt"
        )
    if n_different > len(found):
        notes.append(f"the first {len(found)} of {n_different} different compounds are explained")
    flat = sum(float(np.abs(one.atoms).max()) < _FLAT for one in found)
    if flat:
        notes.append(
            f"{flat} of {len(found)} compounds have a prediction that no single atom changes: it rests on no part that "
            "can be hidden alone, or the calibration is flat there"
        )
    agreed, structure = checks["agreement"], checks["structure"]
    if agreed["passes"] is False:
        notes.append(
            f"the fits of the model do not agree on which atoms matter (rank correlation "
            f"{agreed['rank_correlation']:.2f}, wanted {agreed['bound']} or more): trust no single atom"
        )
    if checks["randomisation"]["passes"] is False:
        notes.append(
            f"the maps hardly change when the features of the compounds are exchanged (rank correlation "
            f"{checks['randomisation']['rank_correlation']:.2f}, wanted below {EXCHANGE_BOUND}): they show how many "
            "features an atom has and not what the model learned about them"
        )
    if not structure["passes"]:
        notes.append(
            f"the maps rank atoms much as their number of neighbours does (rank correlation "
            f"{structure['rank_correlation']:.2f}, wanted below {structure['bound']}): they may show the structure and "
            "not the model"
        )
    return notes
