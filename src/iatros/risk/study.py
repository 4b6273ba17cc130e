"""The study: the patients who are in it, what is known of each, and what is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from iatros.core.errors import RequestError, TableError, unknown_name
from iatros.core.splits import strata_of
from iatros.core.subgroups import age_band
from iatros.core.task import Target
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table
from iatros.risk.cohort import apply_rules, step
from iatros.risk.outcome import label
from iatros.risk.requests import TrainRequest
from iatros.risk.transform import forward


@dataclass(frozen=True)
class Study:
    """Everything that the analysis works on; all arrays have one entry per row of `features`."""

    features: Table
    """The columns that a model may learn from."""
    target: Target
    y: np.ndarray
    """Labels in the outcome's own unit."""
    transform: str
    groups: np.ndarray
    """The patient of each row, as a number."""
    sites: np.ndarray | None
    times: np.ndarray | None
    """Order of the rows in time: datetime64 or numbers."""
    subgroups: dict[str, np.ndarray]
    flow: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    data: dict[str, Any]
    all_columns: tuple[str, ...]
    """Every column of the table, in the order of the file."""
    withheld: Table
    """Candidate columns that were left out because the dictionary says they are recorded later."""

    @property
    def learned(self) -> np.ndarray:
        """Labels on the scale on which the models learn."""
        return forward(self.transform, self.y) if self.target.task == "continuous" else self.y

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    def strata(self, rows: np.ndarray) -> np.ndarray:
        """What sides are balanced on: the classes, or fifths of a continuous outcome."""
        return strata_of(self.target, self.y[rows])

    def sizes(self, rows: np.ndarray) -> dict[str, int | None]:
        """Rows, patients and events of a side."""
        events = int(self.y[rows].sum()) if self.target.task == "binary" else None
        return {"n_rows": len(rows), "n_patients": len(np.unique(self.groups[rows])), "n_events": events}


def open_study(request: TrainRequest) -> Study:
    """Read the table, apply the cohort rules, label the outcome and sort the columns by their role."""
    table = read_table(request.table, missing_codes=request.missing, dictionary=request.dictionary)
    _check_names(table, request)
    table, flow = apply_rules(table, request.keep, request.subject)
    table, complete_flow, dropped = _with_known_roles(table, request)
    flow += complete_flow
    labelled = label(table, request)
    flow.append(step("with a known outcome", labelled.table, request.subject))
    features, withheld, notes = _features(labelled.table, request)
    refused = [*table.refused, *dropped, *labelled.refused]
    return Study(
        features=features,
        target=labelled.target,
        y=labelled.y,
        transform=request.target_transform,
        groups=_groups(labelled.table, request),
        sites=_strings(labelled.table, request.site),
        times=_times(labelled.table, request.time),
        subgroups=subgroup_labels(labelled.table.frame, request.subgroup, source=table.source),
        flow=tuple(flow),
        notes=(*table.notes, labelled.note, *notes),
        data={
            "source": table.source,
            "fingerprint": labelled.table.fingerprint(),
            "n_read": table.n_read,
            "n_refused": len(refused),
            "n_used": labelled.table.frame.height,
            "refused": [{"row": r.row, "column": r.column, "reason": r.reason} for r in refused[:100]],
        },
        all_columns=tuple(table.schema.names),
        withheld=withheld,
    )


def subgroup_labels(frame: pl.DataFrame, names: tuple[str, ...], *, source: str) -> dict[str, np.ndarray]:
    """Text labels of each subgroup column; `age_band` is made from the column called age."""
    labels: dict[str, np.ndarray] = {}
    for name in names:
        if name == "age_band" and name not in frame.columns:
            age = next((column for column in frame.columns if column.lower() in ("age", "age_years")), None)
            if age is None:
                raise RequestError("age_band needs a numeric column called age", where=source)
            labels[name] = np.asarray(age_band(frame[age].cast(pl.Float64).to_numpy().astype(float)))
        elif name not in frame.columns:
            raise unknown_name("column", name, frame.columns, where=source)
        else:
            labels[name] = _as_text(frame[name])
    return labels


def _check_names(table: Table, request: TrainRequest) -> None:
    asked = [
        request.outcome,
        request.subject,
        request.site,
        request.time,
        *request.features,
        *request.exclude,
    ]
    for name in asked:
        if name is not None and name not in table.schema.names:
            raise unknown_name("column", name, table.schema.names, where=table.source)
    roles = [name for name in (request.outcome, request.subject, request.site, request.time) if name]
    if len(set(roles)) < len(roles):
        raise RequestError("outcome, subject, site and time must be different columns")
    if request.outcome in request.features:
        raise RequestError(f"the outcome {request.outcome!r} cannot be one of the features")


def _with_known_roles(table: Table, request: TrainRequest) -> tuple[Table, list[dict[str, Any]], list[Any]]:
    """Leave out rows whose patient, site or date is missing: they cannot be put on a side."""
    from iatros.learners.tabular.table import Refusal

    flow, dropped = [], []
    for role, name in (("subject", request.subject), ("site", request.site), ("time", request.time)):
        if name is None:
            continue
        known = table.frame[name].is_not_null().to_numpy()
        if known.all():
            continue
        if not known.any():
            raise TableError(f"the {role} column {name!r} is empty", where=table.source)
        dropped += [Refusal(int(row), name, f"the {role} is missing") for row in table.rows[~known]]
        table = table.take(np.flatnonzero(known))
        flow.append(step(f"with a known {role}", table, request.subject))
    return table, flow, dropped


def _features(table: Table, request: TrainRequest) -> tuple[Table, Table, list[str]]:
    roles = {request.outcome, request.subject, request.site, request.time}
    asked = request.features or tuple(table.schema.names)
    notes: list[str] = []
    withheld: list[str] = []
    names: list[str] = []
    for name in asked:
        column = table.schema[name]
        if name in roles or name in request.exclude:
            continue
        if column.recorded == "after_prediction":
            withheld.append(name)
        elif column.identifier and name not in request.features:
            notes.append(
                f"{name} looks like an identifier and is not learned from; name it in features to insist"
            )
        else:
            names.append(name)
    if withheld:
        notes.append(f"left out, recorded after the prediction time by the dictionary: {', '.join(withheld)}")
    if not names:
        raise TableError(
            "no column is left to learn from", where=table.source, hint="check features and exclude"
        )
    return table.select(names), table.select(withheld), notes


def _groups(table: Table, request: TrainRequest) -> np.ndarray:
    if request.subject is None:
        return np.arange(table.frame.height)
    return table.frame[request.subject].cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1


def _strings(table: Table, name: str | None) -> np.ndarray | None:
    return None if name is None else _as_text(table.frame[name])


def _as_text(series: pl.Series) -> np.ndarray:
    if series.dtype.is_numeric():
        return np.array(["missing" if v is None else f"{v:g}" for v in series.to_list()], dtype=object)
    return series.cast(pl.String).fill_null("missing").to_numpy().astype(object)


def _times(table: Table, name: str | None) -> np.ndarray | None:
    if name is None:
        return None
    kind = table.schema[name].kind
    if kind in ("date", "numeric"):
        return table.frame[name].to_numpy()
    raise TableError(f"the time column {name!r} holds text, not dates or numbers", where=table.source)
