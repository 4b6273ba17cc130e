"""What a training works on: the responses with what is known of subjects and treatments."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from iatros.core.errors import OutcomeError, SplitError, TableError, unknown_name
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.schema import TableSchema
from iatros.learners.tabular.table import Table
from iatros.treatment.requests import TrainRequest
from iatros.treatment.responses.features import Described, FeatureReader, describe
from iatros.treatment.responses.names import names_of
from iatros.treatment.responses.schema import Responses
from iatros.treatment.responses.sources import MIN_OF_TREATMENT, Account, Columns, read_responses


@dataclass(frozen=True)
class Study:
    """The responses, how their features are read, and the account of all lines."""

    responses: Responses
    columns: Columns
    of_subjects: FeatureReader | None
    of_treatments: FeatureReader | None
    classes: tuple[str, str] | None
    account: Account
    source: str
    notes: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the responses: who, what, how it went."""
        r = self.responses
        digest = hashlib.sha256()
        for part in (r.subjects, r.treatments):
            digest.update("\0".join(part).encode() + b"\1")
        for array in (r.subject, r.treatment, r.y):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def columns_of(request: TrainRequest) -> Columns:
    """The roles of the columns, as a training asks for them."""
    return Columns(
        request.subject, request.treatment, request.outcome, request.time, request.dose, request.task,
        request.positive, request.scale, request.repeats,
    )  # fmt: skip


def open_study(request: TrainRequest) -> Study:
    """Read the responses and what describes their subjects and treatments."""
    columns = columns_of(request)
    read = read_responses(request.table, columns)
    responses = read.responses
    _check(responses, read.source)
    notes = list(read.account.notes)
    subjects = _of_subjects(request, read.table, responses)
    treatments = None
    if request.treatments is not None:
        table = read_table(request.treatments)
        treatments = describe(
            table, request.treatment, responses.treatments, what="treatments", smiles=request.smiles
        )
    for found in (subjects, treatments):
        notes += found.notes if found is not None else ()
    notes += _few(responses)
    responses = replace(
        responses,
        of_subjects=None if subjects is None else subjects.features,
        of_treatments=None if treatments is None else treatments.features,
    )
    _check_newness(request, responses)
    return Study(
        responses, columns,
        None if subjects is None else subjects.reader,
        None if treatments is None else treatments.reader,
        read.classes, read.account, read.source, tuple(notes),
    )  # fmt: skip


def _check(responses: Responses, source: str) -> None:
    """OutcomeError or TableError where there is nothing to tell subjects, treatments or outcomes apart by."""
    if len(responses.subjects) < 2 or len(responses.treatments) < 2:
        raise TableError(
            f"holds {len(responses.subjects)} subjects and {len(responses.treatments)} treatments; at least two of "
            "each are needed", where=source,
        )  # fmt: skip
    if responses.outcome != "implicit" and np.ptp(responses.y) == 0.0:
        raise OutcomeError("all responses have the same outcome, so there is nothing to learn", where=source)


def _check_newness(request: TrainRequest, responses: Responses) -> None:
    if request.validation == "subjects" and responses.of_subjects is None and not request.given:
        raise SplitError(
            "nothing is known of a subject without a response: no covariates, and no past responses",
            hint="give subjects or covariates, or tell the model of past responses with given",
        )
    if request.validation == "treatments" and responses.of_treatments is None:
        raise SplitError(
            "nothing is known of a treatment without a response",
            hint="give treatments, a table that describes them",
        )


def _of_subjects(request: TrainRequest, table: Table, responses: Responses) -> Described | None:
    if request.subjects is None and not request.covariates:
        return None
    within = covariates_of(table, request.subject, request.covariates) if request.covariates else None
    if request.subjects is None:
        assert within is not None
        return describe(within, request.subject, responses.subjects, what="subjects")
    outer = read_table(request.subjects)
    if within is not None:
        outer = _joined(outer, within, request.subject)
    return describe(outer, request.subject, responses.subjects, what="subjects")


def covariates_of(table: Table, subject: str, covariates: Sequence[str]) -> Table:
    """One row for each subject from its lines; TableError where a covariate differs between them."""
    for name in covariates:
        if name not in table.schema.names:
            raise unknown_name("column", name, table.schema.names, where=table.source)
    names = [name for name in covariates if name != subject]
    frame = table.frame.select([subject, *names])
    frame = frame.with_columns(pl.Series(subject, names_of(frame[subject]), dtype=pl.String))
    frame = frame.filter(pl.col(subject).is_not_null())
    for name in names:
        many = frame.group_by(subject).agg(pl.col(name).drop_nulls().n_unique())
        n = int((many[name] > 1).sum())
        if n:
            raise TableError(
                f"the covariate {name} has several values for each of {n} subjects", where=table.source,
                hint="a covariate describes the subject; leave out what changes from response to response",
            )  # fmt: skip
    one = frame.group_by(subject, maintain_order=True).agg(
        [pl.col(name).drop_nulls().first() for name in names]
    )
    key = table.schema[subject].model_copy(update={"kind": "categorical"})
    schema = TableSchema(columns=(key, *(table.schema[name] for name in names)))
    return Table(one, schema, table.source, np.arange(one.height))


def _joined(outer: Table, within: Table, subject: str) -> Table:
    """The table of subjects with the covariates of the responses beside its own columns."""
    twice = sorted((set(outer.schema.names) & set(within.schema.names)) - {subject})
    if twice:
        raise TableError(f"has the covariate {twice[0]}, which the responses have too", where=outer.source)
    key = pl.Series(subject, names_of(outer.frame[subject]), dtype=pl.String)
    frame = outer.frame.with_columns(key).join(within.frame, on=subject, how="left", maintain_order="left")
    columns = (*outer.schema.columns, *(one for one in within.schema.columns if one.name != subject))
    return replace(outer, frame=frame, schema=TableSchema(columns=columns))


def _few(responses: Responses) -> list[str]:
    n = np.bincount(responses.treatment, minlength=len(responses.treatments))
    few = int((n < MIN_OF_TREATMENT).sum())
    if not few:
        return []
    return [
        f"{few} of {len(n)} treatments have fewer than {MIN_OF_TREATMENT} responses: what is said of them rests on "
        "the others"
    ]


def data_document(study: Study) -> dict[str, Any]:
    """What was read, used and refused, as plain values."""
    account = study.account
    return {
        "source": study.source,
        "fingerprint": study.fingerprint,
        "n": len(study.responses),
        "n_read": account.n_lines,
        "n_used": len(study.responses),
        "n_merged": account.n_merged,
        "n_refused": len(account.refused),
        "reasons": account.reasons,
        "refused": [{"row": line, "reason": reason} for line, reason in account.refused[:100]],
    }
