"""From a table to a cohort: who is in which arm, what became of them, and what was known before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from iatros.core.errors import RequestError, TableError, unknown_name
from iatros.learners.tabular.encoding import Encoder, fit_encode
from iatros.learners.tabular.imputation import Imputer, fit_imputers
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Refusal, Table
from iatros.treatment.cohort_requests import CohortFields
from iatros.treatment.effects.columns import arm_names, assignment_of, code_arms, outcome_of, times_of
from iatros.treatment.effects.nuisance import LEAST_IN_ARM
from iatros.treatment.effects.schema import EffectCohort, Kind, outcome_at_horizon

LEAST_OF_ARM = 3 * LEAST_IN_ARM
"""Fewest patients of an arm: half of them, less the third that nuisances are cross-fitted on, must still be enough."""


@dataclass(frozen=True)
class Covariates:
    """How covariates become features, for new patients too: encoded, completed, constant features left out."""

    table: Table
    encoder: Encoder
    imputer: Imputer
    kept: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """The features."""
        return tuple(self.encoder.names[j] for j in self.kept)

    def features(self, frame: pl.DataFrame) -> np.ndarray:
        """The features (n, p) of a table typed as the cohort's is."""
        return np.asarray(self.imputer.transform(self.encoder.transform(frame))[:, self.kept])


@dataclass(frozen=True)
class Study:
    """Everything that the estimation works on; arrays have one entry for each subject of the cohort.

    `subjects` names them as the table does, `rows` gives their lines in it, `controls` the negative-control outcomes.
    """

    cohort: EffectCohort
    covariates: Covariates
    subjects: tuple[str, ...] | None
    rows: np.ndarray
    controls: dict[str, np.ndarray]
    outcome: dict[str, Any]
    flow: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    data: dict[str, Any]


def open_study(request: CohortFields) -> Study:
    """Read the table, leave out (and count) subjects of whom arm, outcome or patient is not known, encode the rest."""
    table = read_table(request.table, missing_codes=request.missing, dictionary=request.dictionary)
    _check_names(table, request)
    flow = [_step("read from the file", table, request.subject)]
    refused = list(table.refused)
    arms = arm_names(table, request)
    table = _in_arms(table, request, arms, refused, flow)
    table = _with_known(table, request.subject, _needed(request), refused, flow)
    arm = code_arms(table, request.treatment, arms)
    kind, y, more, outcome = _outcome(table, request)
    groups = _groups(table, request.subject)
    _check_arms(arms, arm, y, groups, table.source)
    covariates, X, notes = _covariates(table, request)
    cohort = EffectCohort(
        X=X, names=covariates.names, arm=arm, arms=arms, y=y, groups=groups, kind=kind, design=request.design,
        better=request.better, assignment=assignment_of(table, request, arms), measure=request.measure, **more,
    )  # fmt: skip
    used = {"n_used": table.n_rows, "n_refused": len(refused), "n_read": table.n_read}
    shown = [{"row": one.row, "column": one.column, "reason": one.reason} for one in refused[:100]]
    data = {"source": table.source, "fingerprint": table.fingerprint(), **used, "refused": shown}
    names = None if request.subject is None else tuple(table.frame[request.subject].cast(pl.String).to_list())
    controls = {name: _control(table, name) for name in request.controls}
    return Study(
        cohort, covariates, names, table.rows, controls, outcome, tuple(flow), (*table.notes, *notes), data
    )


def _check_names(table: Table, request: CohortFields) -> None:
    single = [request.treatment, request.outcome, request.time, request.event, request.subject]
    roles = [name for name in (*single, *request.propensity, *request.never_covariates) if name is not None]
    for name in (*roles, *request.covariates, *request.exclude):
        if name not in table.schema.names:
            raise unknown_name("column", name, table.schema.names, where=table.source)
    twice = sorted({name for name in roles if roles.count(name) > 1})
    if twice:
        raise RequestError(
            f"the column {twice[0]!r} has two roles",
            hint="treatment, outcome and the like are different columns",
        )
    both = sorted(set(roles) & set(request.covariates))
    if both:
        raise RequestError(f"the column {both[0]!r} cannot be a covariate: it has another role")


def _needed(request: CohortFields) -> list[tuple[str, str]]:
    """Roles and columns without which a subject cannot be used."""
    needed = [("outcome", request.outcome), ("time", request.time), ("event", request.event)]
    needed += [("subject", request.subject), *(("propensity", name) for name in request.propensity)]
    return [(role, name) for role, name in needed if name is not None]


def _in_arms(
    table: Table,
    request: CohortFields,
    arms: tuple[str, ...],
    refused: list[Refusal],
    flow: list[dict[str, Any]],
) -> Table:
    """Subjects whose arm is among those compared."""
    code = code_arms(table, request.treatment, arms)
    known = table.frame[request.treatment].is_not_null().to_numpy()
    for rows, reason in (
        (~known, "the arm is missing"),
        (known & (code < 0), "the arm is not among those compared"),
    ):
        refused += [Refusal(int(row), request.treatment, reason) for row in table.rows[rows]]
    if (code < 0).any():
        table = table.take(np.flatnonzero(code >= 0))
        flow.append(_step("in an arm that is compared", table, request.subject))
    return table


def _with_known(
    table: Table,
    subject: str | None,
    needed: list[tuple[str, str]],
    refused: list[Refusal],
    flow: list[dict[str, Any]],
) -> Table:
    """Subjects of whom every one of the `needed` columns is known."""
    for role, name in needed:
        known = table.frame[name].is_not_null().to_numpy()
        if not known.any():
            raise TableError(f"the {role} column is empty", where=f"{table.source}, column {name}")
        if not known.all():
            refused += [Refusal(int(row), name, f"the {role} is missing") for row in table.rows[~known]]
            table = table.take(np.flatnonzero(known))
            flow.append(_step(f"with a known {role}", table, subject))
    return table


def _outcome(table: Table, request: CohortFields) -> tuple[Kind, np.ndarray, dict[str, Any], dict[str, Any]]:
    """Kind, values, the fields of the cohort that belong to time, and what the outcome is in words and numbers."""
    if request.time is None or request.event is None or request.horizon is None:
        assert request.outcome is not None
        kind, y, positive = outcome_of(table, request.outcome, request.positive)
        unit = table.schema[request.outcome].unit
        return (
            kind,
            y,
            {},
            {
                "name": request.outcome,
                "kind": kind,
                "event": positive,
                "unit": unit,
                "better": request.better,
            },
        )
    time, event = times_of(table, request.time, request.event, request.horizon)
    y = outcome_at_horizon(time, event, request.horizon, request.measure)
    document = {
        "name": request.event, "time": request.time, "kind": "time-to-event", "measure": request.measure,
        "horizon": request.horizon, "unit": table.schema[request.time].unit, "better": request.better,
        "n_events": int(event.sum()), "n_censored_before": int(np.isnan(y).sum()),
    }  # fmt: skip
    return "time-to-event", y, {"time": time, "event": event, "horizon": request.horizon}, document


def _check_arms(
    arms: tuple[str, ...], arm: np.ndarray, y: np.ndarray, groups: np.ndarray, source: str
) -> None:
    for k, name in enumerate(arms):
        n_patients = len(np.unique(groups[(arm == k) & np.isfinite(y)]))
        if n_patients < LEAST_OF_ARM:
            raise TableError(
                f"the arm {name!r} has {n_patients} patients with a known outcome, "
                f"at least {LEAST_OF_ARM} are needed",
                where=source, hint="leave the arm out with arms, or join arms in the table",
            )  # fmt: skip


def _groups(table: Table, subject: str | None) -> np.ndarray:
    if subject is None:
        return np.arange(table.n_rows)
    ranks = table.frame[subject].cast(pl.String).rank("dense").to_numpy()
    return np.asarray(ranks, dtype=np.int64) - 1


def _covariates(table: Table, request: CohortFields) -> tuple[Covariates, np.ndarray, list[str]]:
    roles = {request.treatment, request.outcome, request.time, request.event, request.subject}
    roles |= {*request.propensity, *request.never_covariates, *request.exclude}
    notes, names = [], []
    for name in request.covariates or tuple(table.schema.names):
        column = table.schema[name]
        if name in roles:
            continue
        if column.recorded == "after_prediction":
            notes.append(f"{name} is left out: the dictionary says it is recorded later")
        elif column.identifier and name not in request.covariates:
            notes.append(f"{name} looks like an identifier and is left out; name it in covariates to insist")
        else:
            names.append(name)
    if not names:
        raise TableError("no covariate is left", where=table.source, hint="check covariates and exclude")
    chosen = table.select(names)
    encoder, encoded = fit_encode(chosen, categories="one-hot", scale=True, indicator=True)
    imputer, X = fit_imputers("simple", encoded)[0]
    kept = np.flatnonzero(np.ptp(X, axis=0) > 0)
    if not len(kept):
        raise TableError("no covariate varies", where=table.source, hint="check covariates and exclude")
    return Covariates(chosen, encoder, imputer, kept), X[:, kept], notes


def _control(table: Table, name: str) -> np.ndarray:
    if table.schema[name].kind != "numeric":
        raise TableError(
            "a negative-control outcome is a number, or 0 and 1", where=f"{table.source}, column {name}"
        )
    return table.column(name)


def _step(name: str, table: Table, subject: str | None) -> dict[str, Any]:
    n_patients = table.n_rows if subject is None else table.frame[subject].n_unique()
    return {"step": name, "n_rows": table.n_rows, "n_patients": n_patients, "note": None}
