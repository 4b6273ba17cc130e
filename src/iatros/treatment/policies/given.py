"""The rules of a request on the table of a study: read, checked against what may be known, and applied."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from iatros.core.errors import RequestError, unknown_name
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table
from iatros.treatment.effects.study import Study
from iatros.treatment.policies.comparing import Rule
from iatros.treatment.policies.grammar import Parsed, parse
from iatros.treatment.policies.rules import assign, recommended
from iatros.treatment.policy_requests import PolicyRequest


def given_rules(request: PolicyRequest, study: Study) -> list[Rule]:
    """What the request's rules and columns of recommended arms give to each subject of the study.

    RequestError where a rule reads what is known only after it is applied: the treatment, the outcome, or a column that
    the dictionary says is recorded later.
    """
    parsed = [parse(text) for text in request.rule]
    if not parsed and not request.recommended:
        return []
    table = _table(request, study)
    later = {request.treatment, request.outcome, request.time, request.event}
    later |= {column.name for column in table.schema.columns if column.recorded == "after_prediction"}
    cohort = study.cohort
    rules = [
        Rule(name, "given", _assigned(rule, table, later, cohort.arms), text)
        for name, rule, text in zip(_names(len(parsed)), parsed, request.rule, strict=True)
    ]
    for name in request.recommended:
        if name not in table.schema.names:
            raise unknown_name("column", name, table.schema.names, where=table.source)
        given = recommended(table.column(name), cohort.arms, name=name, received=cohort.arm)
        rules.append(Rule(f"column {name}", "given", given, f"the arm in the column {name}"))
    return rules


def _names(n: int) -> Iterable[str]:
    return ["your rule"] if n == 1 else [f"your rule {k}" for k in range(1, n + 1)]


def _assigned(rule: Parsed, table: Table, later: set[str | None], arms: tuple[str, ...]) -> np.ndarray:
    for name in rule.columns:
        if name in later:
            raise RequestError(
                f"the rule reads {name}, which is not known when a treatment is chosen",
                hint="write it over columns known before treatment",
            )
        if name not in table.schema.names:
            raise unknown_name("column", name, table.schema.names, where=table.source)
    return assign(rule, {name: table.column(name) for name in rule.columns}, arms, n=table.n_rows)


def _table(request: PolicyRequest, study: Study) -> Table:
    """All columns of the study's subjects, those that are no covariates too."""
    table = read_table(request.table, missing_codes=request.missing, dictionary=request.dictionary)
    return table.take(np.flatnonzero(np.isin(table.rows, study.rows)))
