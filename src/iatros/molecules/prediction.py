"""Predict: the activity of each compound, its interval or set, and whether the model knows compounds of its kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from iatros.core.bundle import Bundle, open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import MissingExtraError, TableError
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.questions import is_of_pairs, refuse_proteins
from iatros.molecules.requests import PredictRequest
from iatros.molecules.scoring import ActivityModel, Answers
from iatros.molecules.sources import open_compounds
from iatros.molecules.sources.columns import Wanted
from iatros.molecules.trust.domain import OUTSIDE

_BLANK = "the line is blank"


@dataclass(frozen=True)
class Asked:
    """The lines of an input, and the different compounds among them."""

    source: str
    lines: list[int]
    names: list[str]
    refusals: list[str]
    """By line; empty where it holds a compound."""
    place: np.ndarray
    """By line, which of `compounds` it holds; -1 where it was refused."""
    compounds: Compounds
    notes: list[str]


def predict(request: PredictRequest, context: Context) -> Produced:
    """One row for each line, in the order of the input.

    `predictions` and the table have the line, the compound's name and standardised SMILES, `status` (answered, refused)
    with its `reason`, and for each endpoint the prediction and its conformal answer; of several endpoints, columns
    begin with the name of theirs.
    """
    bundle = open_bundle(request.model)
    if is_of_pairs(bundle):
        from iatros.molecules.affinity.requested import predict_pairs

        return predict_pairs(bundle, request, context)
    refuse_proteins(bundle, request)
    model = ActivityModel.from_bundle(bundle)
    with context.progress.step("reading the compounds"):
        asked = read_compounds(bundle, request, context)
    with context.progress.step("predicting"):
        answers = model.answer(asked.compounds)
    refusals = list(asked.refusals)
    if request.abstain:
        refusals = [
            refusal or ("" if answers.inside[place] else f"{OUTSIDE}: {answers.reasons[place]}")
            for refusal, place in zip(refusals, asked.place, strict=True)
        ]
    table = _table(model, asked, answers, refusals)
    reasons = Counter(refusal.partition(":")[0] for refusal in refusals if refusal)
    answered = [place for place, refusal in zip(asked.place, refusals, strict=True) if not refusal]
    n_outside = sum(not answers.inside[place] for place in answered)
    notes = [*asked.notes, *_notes(len(answered), n_outside, reasons)]
    for note in notes:
        context.progress.note(note)
    result = {
        **naming(bundle),
        "source": asked.source,
        "n_lines": len(asked.lines),
        "n_answered": len(answered),
        "n_refused": len(asked.lines) - len(answered),
        "n_outside_domain": n_outside,
        "reasons": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        "predictions": [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)],
        "notes": notes,
    }
    return Produced(result, table=table)


def read_compounds(bundle: Bundle, request: PredictRequest, context: Context) -> Asked:
    """Every line, its compound standardised as those were that the model learned from; TableError for none."""
    if find_spec("rdkit") is None:
        raise MissingExtraError("molecules need the package rdkit", hint="pip install 'iatros[molecules]'")
    from iatros.molecules.curation.batching import in_batches
    from iatros.molecules.curation.preparing import identify
    from iatros.molecules.curation.standardising import Rules
    from iatros.molecules.schema import BLANK

    source = open_compounds(request.compounds, Wanted(request.smiles, request.identifier))
    rules = Rules(**bundle.manifest["standardisation"])
    lines, names, refusals, places = [], [], [], []
    known: dict[str, int] = {}
    for entries, found in in_batches(identify, rules, source.entries, context.engine):
        for entry, one in zip(entries, found, strict=True):
            lines.append(entry.line)
            names.append(entry.name)
            refusals.append(_BLANK if one.refusal == BLANK else one.refusal)
            places.append(-1 if one.refusal else known.setdefault(one.smiles, len(known)))
    if all(refusal == _BLANK for refusal in refusals):
        raise TableError("holds no compounds", where=source.name, hint="one compound a line is needed")
    compounds = Compounds(list(known), engine=context.engine)
    return Asked(
        source.name, lines, names, refusals, np.array(places, dtype=np.int64), compounds, source.notes
    )


def naming(bundle: Bundle) -> dict[str, Any]:
    """How an answer names the model that gave it."""
    manifest = bundle.manifest
    return {
        "domain": manifest["domain"],
        "model": manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "target": manifest["target"],
        "endpoints": manifest["endpoints"],
    }


def _table(model: ActivityModel, asked: Asked, answers: Answers, refusals: list[str]) -> dict[str, list[Any]]:
    smiles = asked.compounds.smiles
    table: dict[str, list[Any]] = {
        "line": asked.lines,
        "name": asked.names,
        "smiles": [smiles[place] if place >= 0 else None for place in asked.place],
        "status": ["refused" if refusal else "answered" for refusal in refusals],
        "reason": [refusal or None for refusal in refusals],
    }

    def spread_out(values: list[Any]) -> list[Any]:
        return [
            None if refusal else values[place] for refusal, place in zip(refusals, asked.place, strict=True)
        ]

    for column, target in enumerate(model.endpoints):
        before = f"{target.name}_" if len(model.endpoints) > 1 else ""
        for name, values in _endpoint(model, answers, column).items():
            table[before + name] = spread_out(values)
    table["similarity"] = [float(answers.similarity[place]) if place >= 0 else None for place in asked.place]
    table["in_domain"] = [bool(answers.inside[place]) if place >= 0 else None for place in asked.place]
    return table


def _endpoint(model: ActivityModel, answers: Answers, column: int) -> dict[str, list[Any]]:
    """What is said of one endpoint, for each different compound."""
    value = answers.value[:, column].tolist()
    spread = answers.spread[:, column].tolist()
    if not model.binary:
        low, high = (
            [one if np.isfinite(one) else None for one in ends[:, column].tolist()]
            for ends in (answers.low, answers.high)
        )
        return {"prediction": value, "low": low, "high": high, "spread": spread}
    classes = model.endpoints[column].classes
    held = [
        " | ".join(name for name, inside in zip(classes, row, strict=True) if inside)
        for row in answers.held[:, column]
    ]
    return {"probability": value, "conformal_set": held, "spread": spread}


def _notes(n_answered: int, n_outside: int, reasons: Counter[str]) -> list[str]:
    notes = []
    if reasons:
        listed = ", ".join(
            f"{name} {n:,}" for name, n in sorted(reasons.items(), key=lambda i: (-i[1], i[0]))
        )
        notes.append(f"lines without an answer: {listed}")
    if n_outside:
        notes.append(
            f"{n_outside:,} of {n_answered:,} answered compounds lie outside the domain of applicability: see in_domain"
        )
    return notes
