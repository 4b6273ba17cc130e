"""Answer and evaluate: the medications that are usually prescribed next to the subjects of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import OutcomeError, RequestError, TableError
from iatros.core.report import render
from iatros.learners.tabular.table import Table
from iatros.treatment.responses.features import read_features
from iatros.treatment.sequences.bundle import SequenceModel, open_sequences
from iatros.treatment.sequences.development import answer, joined
from iatros.treatment.sequences.evaluation import documents, evaluate, reliability
from iatros.treatment.sequences.interactions import read_interactions
from iatros.treatment.sequences.reasons import occlusion
from iatros.treatment.sequences.report import build
from iatros.treatment.sequences.schema import IMITATION, Histories
from iatros.treatment.sequences.sources import Columns, ReadHistories, read_histories
from iatros.treatment.sequences.splits import asked
from iatros.treatment.sequences.study import Study, static_of


def recommend_next(
    model: Any,
    table: Any,
    context: Context,
    *,
    columns: Columns | None = None,
    visits: Any = None,
    covariates: Any = None,
    subjects: Sequence[str] = (),
    top: int = 10,
    reasons: int = 3,
    others: Sequence[str] = (),
) -> Produced:
    """For each subject of the table the `top` medications that such subjects are usually prescribed next, ranked.

    A last visit without medications is the one that is asked about; after any other a next visit is, of which nothing
    is known. Each medication has its probability, the standard deviation of the members about it, whether it is in the
    predicted set and in the set with a promise, when it was last given, how many subjects with it were learned from,
    and its `reasons` strongest reasons. `subjects` names those to answer for, otherwise all. `columns` are those of the
    training unless given; `others` are columns that `covariates` may have and no model reads. Nothing here looks at
    interactions or contraindications.
    """
    if top < 1 or reasons < 0:
        raise RequestError(f"top must be at least 1 and reasons at least 0, got {top} and {reasons}")
    bundle, fitted = open_sequences(model)
    with context.progress.step("reading the visits"):
        read = _read(bundle, fitted, table, columns, visits)
        histories, added = _chosen(read.histories, subjects).with_next()
        static = static_of(
            fitted.reader, _covariates(bundle, fitted, covariates, read, others), bundle.manifest["columns"]["subject"],
            histories.subjects,
        )  # fmt: skip
    encoded = fitted.encode(histories, static)
    with context.progress.step("answering"):
        rows = histories.start[1:] - 1
        each = fitted.predictor.each(encoded, rows)
        probability, spread = each.mean(axis=0), each.std(axis=0)
    answered: list[dict[str, Any]] = []
    with context.progress.step("reasons", total=len(histories)) as step:
        for k in range(len(histories)):
            order = np.argsort(-probability[k], kind="stable")[:top]
            why = occlusion(fitted, histories, encoded, k, order, reasons) if reasons else [[] for _ in order]
            answered.append(
                {
                    "subject": histories.subjects[k],
                    "visit": histories.visits[rows[k]],
                    "n_visits_before": int(rows[k] - histories.start[k]),
                    "nothing_known_of_the_visit": bool(added[k]) and encoded.current,
                    "medications": [
                        _medication(fitted, histories, k, int(place), probability[k, place], spread[k, place])
                        | {"rank": rank, "reasons": [str(reason) for reason in told]}
                        for rank, (place, told) in enumerate(zip(order, why, strict=True), start=1)
                    ],
                }
            )
            step.advance()
    result = {
        **_naming(bundle),
        "statement": IMITATION,
        "promise": fitted.control.document(),
        "threshold": fitted.predictor.threshold,
        "recommendations": answered,
        "source": read.source,
        **read.account.document(),
        "notes": [IMITATION, *read.account.notes, *_notes(answered)],
    }
    return Produced(plain(result), table=_columns(answered))


def evaluate_next(
    model: Any,
    table: Any,
    context: Context,
    *,
    columns: Columns | None = None,
    visits: Any = None,
    covariates: Any = None,
    interactions: Any = None,
    n_bootstrap: int = 500,
    confidence_level: float = 0.95,
    seed: int = 0,
    request: dict[str, Any] | None = None,
) -> Produced:
    """The metrics of a bundle on visits that were observed elsewhere or later, as `train_sequences` has them."""
    bundle, fitted = open_sequences(model)
    with context.progress.step("reading the visits"):
        read = _read(bundle, fitted, table, columns, visits)
        pairs = None if interactions is None else read_interactions(interactions)
    rows = asked(read.histories)
    if not len(rows):
        raise OutcomeError("no visit has a medication, so there is nothing to judge by", where=read.source)
    known = Columns(**bundle.manifest["columns"]) if columns is None else columns
    study = Study(
        read.histories,
        rows,
        known,
        _covariates(bundle, fitted, covariates, read),
        pairs,
        read.account,
        read.source,
    )
    with context.progress.step("answering"):
        judged = joined(study, [rows], [answer(study, fitted, rows)])
    with context.progress.step("metrics and intervals"):
        matrix = None if pairs is None else pairs.matrix(judged.medications)
        found = evaluate(
            judged, k=bundle.manifest["k"], interactions=matrix, n_bootstrap=n_bootstrap,
            confidence_level=confidence_level, seed=seed,
        )  # fmt: skip
    metrics = documents(found)
    total = judged.truth.sum() + judged.outside.sum()
    result = {
        **_naming(bundle),
        "statement": IMITATION,
        "task": bundle.manifest["task"],
        "validation": "external",
        "headline_split": "external",
        "known": bundle.manifest["known"],
        "k": bundle.manifest["k"],
        "metrics": {"external": metrics},
        "reliability": reliability(judged),
        "conformal": fitted.control.document()
        | {
            "reached": metrics["missed_share"], "mean_size": metrics["controlled_size"],
            "n_medications": len(judged.medications),
        },
        "n_subjects": len(read.histories),
        "n_visits": read.histories.n_visits,
        "n_asked": len(rows),
        "n_first": int((read.histories.place[rows] == 0).sum()),
        "vocabulary": {kind: len(names) for kind, names in fitted.vocabulary.names.items()},
        "outside_percent": float(100 * judged.outside.sum() / max(total, 1)),
        "interactions": None if pairs is None else {"unknown": pairs.unknown(judged.medications)},
        "data": {
            "source": read.source,
            "fingerprint": study.fingerprint,
            "n": len(rows),
            **read.account.document(),
        },
        "request": request or {},
        "seed": seed,
        "confidence_level": confidence_level,
        "versions": bundle.manifest["versions"],
        "parent": bundle.parent_reference,
        "notes": [IMITATION, *read.account.notes],
    }  # fmt: skip
    result = plain(result)
    return Produced(result, documents={"report.html": render(build(result)).encode()})


def _read(
    bundle: Bundle, fitted: SequenceModel, table: Any, columns: Columns | None, visits: Any
) -> ReadHistories:
    """The visits of the table; one without any medication is no error here."""
    found = columns or Columns(**bundle.manifest["columns"])
    read = read_histories(table, found, visits=visits, must_have_medications=False)
    unknown = sorted(set(read.histories.codes) - set(fitted.vocabulary.names))
    if unknown:
        read.account.notes.append(
            f"kinds of codes that the model does not know are not looked at: {', '.join(unknown)}"
        )
    return read


def _covariates(
    bundle: Bundle, fitted: SequenceModel, reference: Any, read: ReadHistories, others: Sequence[str] = ()
) -> Table | None:
    """What is told of the subjects, in a table that may also have the columns `others`, which no model reads."""
    if reference is None:
        if fitted.reader is not None:
            read.account.notes.append(
                f"no covariates were given, although the model learned with {', '.join(fitted.reader.schema.names)}: "
                "every subject is answered for as one of whom they are not known"
            )
        return None
    if fitted.reader is None:
        raise RequestError(
            "the model was trained without covariates", where=bundle.name, hint="leave them out"
        )
    return read_features(reference, fitted.reader, bundle.manifest["columns"]["subject"], others=others)


def _chosen(histories: Histories, subjects: Sequence[str]) -> Histories:
    if not subjects:
        return histories
    place = {name: k for k, name in enumerate(histories.subjects)}
    for name in subjects:
        if name not in place:
            raise TableError("no line is of the subject that is asked about", cell=name)
    return histories.take([place[name] for name in subjects])


def _medication(
    model: SequenceModel, histories: Histories, subject: int, place: int, probability: float, spread: float
) -> dict[str, Any]:
    name = model.vocabulary.medications[place]
    return {
        "medication": name,
        "probability": float(probability),
        "spread": float(spread),
        "in_set": bool(probability >= model.predictor.threshold),
        "in_promised_set": bool(model.control.sets(np.array([probability]))[0]),
        "last_given": _last_given(histories, subject, name),
        "n_subjects": int(model.n_subjects[place]),
    }


def _last_given(histories: Histories, subject: int, name: str) -> str | None:
    """The name of the last visit before the asked one in which the medication was given; None for never."""
    codes = histories.codes.get(histories.medication)
    if codes is None or name not in codes.names:
        return None
    wanted = codes.names.index(name)
    for visit in range(int(histories.start[subject + 1]) - 2, int(histories.start[subject]) - 1, -1):
        if wanted in codes.code[codes.start[visit] : codes.start[visit + 1]]:
            return histories.visits[visit]
    return None


def _columns(answered: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """One row for each subject and medication."""
    names = (
        "rank", "medication", "probability", "spread", "in_set", "in_promised_set", "last_given", "n_subjects",
    )  # fmt: skip
    rows = [(one, medication) for one in answered for medication in one["medications"]]
    return {
        "subject": [one["subject"] for one, _ in rows],
        "visit": [one["visit"] for one, _ in rows],
        **{name: [medication[name] for _, medication in rows] for name in names},
        "reasons": ["; ".join(medication["reasons"]) for _, medication in rows],
        "basis": ["imitation of what was prescribed"] * len(rows),
    }


def _notes(answered: list[dict[str, Any]]) -> list[str]:
    blind = sum(one["nothing_known_of_the_visit"] for one in answered)
    if not blind:
        return []
    return [
        f"for {blind} subjects a visit after the last one is asked about, of which no code is known although the model "
        "learned with them: give the codes of that visit in lines of their own"
    ]


def _naming(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    return {
        "domain": manifest["domain"],
        "question": manifest["question"],
        "model": manifest["model"],
        "bundle_sha256": bundle.manifest_sha256,
        "target": manifest["target"],
    }
