"""Predict and evaluate affinities: from a bundle and a table of pairs to answers for its lines, or to metrics."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle, open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import NotABundleError
from iatros.core.report import render
from iatros.molecules.affinity.accounting import account_of, censoring_note, documents, fingerprint
from iatros.molecules.affinity.domain import PairDomain
from iatros.molecules.affinity.estimator import AffinityPredictor, load_predictor
from iatros.molecules.affinity.evaluation import Judged, censored, evaluate
from iatros.molecules.affinity.report import build
from iatros.molecules.affinity.similarity import Nearness, nearness, read_known
from iatros.molecules.affinity.sources import Columns, ReadPairs, read_pairs
from iatros.molecules.trust.domain import OUTSIDE


def evaluate_affinity(
    model: Any,
    table: Any,
    columns: Columns,
    context: Context,
    *,
    n_bootstrap: int = 500,
    confidence_level: float = 0.95,
    seed: int = 0,
    request: dict[str, Any] | None = None,
) -> Produced:
    """The metrics of a bundle on other measured pairs; how many of their drugs and targets it knows is said."""
    bundle, predictor = open_affinity(model)
    with context.progress.step("reading the pairs"):
        read = read_pairs(table, columns, engine=context.engine)
    pairs = read.pairs
    with context.progress.step("predicting"):
        prediction = predictor.predict(pairs)
        found = nearness(pairs, read_known(bundle.read))
    judged = Judged(np.arange(len(pairs)), prediction, np.zeros(len(pairs), dtype=np.int64))
    with context.progress.step("metrics and intervals"):
        metrics = documents(
            evaluate(pairs, judged, n_bootstrap=n_bootstrap, confidence_level=confidence_level, seed=seed)
        )
    outside = [bool(reason) for reason in PairDomain.load(bundle.manifest["applicability"]).outside(found)]
    half = float(bundle.manifest["half_width"])
    share = float(censored(pairs).mean())
    result = {
        **_naming(bundle),
        "task": "continuous",
        "validation": "external",
        "trained_for": bundle.manifest["validation"],
        "headline_split": "all",
        **account_of(read.account, pairs),
        "share_censored": share,
        "metrics": metrics,
        "n_known_drugs": len(np.unique(pairs.drug[found.drug >= 1.0])),
        "n_known_targets": len(np.unique(pairs.target[found.target >= 1.0])),
        "n_outside_domain": sum(outside),
        "half_width": half,
        "coverage": bundle.manifest["coverage"],
        "reached_coverage": float(np.mean(np.abs(prediction - pairs.y) <= half)),
        "scatter": judged.drawn(pairs, seed),
        "data": {"source": read.source, "fingerprint": fingerprint(pairs), "n": len(pairs)},
        "request": request or {},
        "seed": seed,
        "parent": bundle.parent_reference,
        "notes": [*read.account.notes, *censoring_note(share)],
    }
    result = plain(result)
    return Produced(result, documents={"report.html": render(build(result)).encode()})


def predict_affinity(
    model: Any, table: Any, columns: Columns, context: Context, *, abstain: bool = False
) -> Produced:
    """One answer for each line: the affinity, its interval, and how near drug and target are to known ones, 0 to 1.

    The interval holds `coverage` of pairs that are new in the way in which the bundle was validated, and `in_domain`
    says of which pairs that holds; with `abstain` the others have no answer. A line without an answer has the reason.
    """
    bundle, predictor = open_affinity(model)
    with context.progress.step("reading the pairs"):
        read = read_pairs(table, columns, engine=context.engine)
    with context.progress.step("predicting"):
        answers = _by_line(bundle, predictor, read, abstain=abstain)
    reasons = Counter(reason.partition(":")[0] for reason in answers["reason"] if reason)
    n_refused = reasons.total()
    n_outside = sum(
        inside is False and status == "answered"
        for inside, status in zip(answers["in_domain"], answers["status"], strict=True)
    )
    notes = list(read.account.notes)
    if reasons:
        listed = ", ".join(
            f"{name} {n:,}" for name, n in sorted(reasons.items(), key=lambda i: (-i[1], i[0]))
        )
        notes.append(f"lines without an answer: {listed}")
    if n_outside:
        notes.append(
            f"{n_outside:,} of {len(read.every) - n_refused:,} answered pairs lie {OUTSIDE}: see in_domain"
        )
    for note in notes:
        context.progress.note(note)
    result = {
        **_naming(bundle),
        "source": read.source,
        "n_lines": len(read.every),
        "n_answered": len(read.every) - n_refused,
        "n_refused": n_refused,
        "n_outside_domain": n_outside,
        "reasons": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        "coverage": bundle.manifest["coverage"],
        "predictions": [
            dict(zip(answers, values, strict=True)) for values in zip(*answers.values(), strict=True)
        ],
        "notes": notes,
    }
    return Produced(plain(result), table=answers)


def open_affinity(model: Any) -> tuple[Bundle, AffinityPredictor]:
    """The bundle and what predicts in it; NotABundleError where it answers another question."""
    bundle = open_bundle(model)
    if bundle.manifest.get("question") != "affinity":
        raise NotABundleError(
            "the bundle does not answer for pairs of compounds and proteins",
            where=bundle.name,
            hint="name one that was trained with a protein column",
        )
    return bundle, load_predictor(bundle.manifest["predictor"], bundle.read)


def _by_line(
    bundle: Bundle, predictor: AffinityPredictor, read: ReadPairs, *, abstain: bool
) -> dict[str, list[Any]]:
    """The columns of the answer; each pair is asked about once, however many lines name it."""
    pairs, half = read.pairs, float(bundle.manifest["half_width"])
    prediction, near, far = np.empty(0), Nearness(np.empty(0), np.empty(0)), list[str]()
    if len(pairs):
        prediction, near = predictor.predict(pairs), nearness(pairs, read_known(bundle.read))
        far = PairDomain.load(bundle.manifest["applicability"]).outside(near)
    reasons = [
        line.reason or (f"{OUTSIDE}: {far[line.place]}" if abstain and far[line.place] else None)
        for line in read.every
    ]

    def spread_out(values: Any) -> list[Any]:
        """What was read of each line."""
        listed = list(values)
        return [None if line.reason else listed[line.place] for line in read.every]

    def answered(values: Any) -> list[Any]:
        """The same where there is an answer."""
        listed = spread_out(values)
        return [None if reason else value for reason, value in zip(reasons, listed, strict=True)]

    return {
        "line": [line.number for line in read.every],
        "name": [line.name for line in read.every],
        "smiles": spread_out(pairs.smiles[k] for k in pairs.drug),
        "target": spread_out(pairs.targets[k] for k in pairs.target),
        "status": ["refused" if reason else "answered" for reason in reasons],
        "reason": reasons,
        "prediction": answered(prediction.tolist()),
        "low": answered((prediction - half).tolist()),
        "high": answered((prediction + half).tolist()),
        "drug_similarity": spread_out(near.drug.tolist()),
        "target_similarity": spread_out(near.target.tolist()),
        "in_domain": spread_out(not reason for reason in far),
    }


def _naming(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "domain": manifest["domain"],
        "question": "affinity",
        "model": manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "target": manifest["target"],
        "validation": manifest["validation"],
    }
