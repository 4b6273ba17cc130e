"""Explain: what raised and what lowered the prediction, for one patient or over a cohort."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl

from iatros.core.bundle import open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError
from iatros.core.task import Target
from iatros.learners.attribution import explain_rows
from iatros.risk.prediction import naming, read_for
from iatros.risk.requests import ExplainRequest
from iatros.risk.scoring import RiskModel

BACKGROUND = "background.json"
_COHORT_ROWS = 200


def explain(request: ExplainRequest, context: Context) -> Produced:
    """SHAP values on the model's own scale: log-odds of an event, or the learning scale of a continuous outcome."""
    bundle = open_bundle(request.model)
    model = RiskModel.from_bundle(bundle)
    table = read_for(bundle, model, request.table)
    background = read_background(bundle.read(BACKGROUND), model)
    if request.row is not None:
        if request.row >= table.n_rows:
            raise RequestError(
                f"there is no row {request.row}: the table has {table.n_rows} rows, counted from 0"
            )
        rows = np.array([request.row])
    else:
        rng = np.random.default_rng(request.seed)
        rows = np.sort(rng.choice(table.n_rows, min(_COHORT_ROWS, table.n_rows), replace=False))
    frame = table.take(rows).frame.select(model.schema.names)
    with context.progress.step("explaining", total=None):
        explained = explain_rows(
            model.predictor,
            frame,
            background,
            columns=model.schema.names,
            target=model.target,
            seed=request.seed,
        )
    result: dict[str, Any] = {**naming(bundle), "unit": unit(model.target), "method": explained.method}
    if request.row is not None:
        result |= _one(request, model, frame, explained)
    else:
        result |= {
            "n": len(rows),
            "importance": mean_absolute(explained.values, model.schema.names)[: request.top],
        }
    return Produced(result)


def _one(request: ExplainRequest, model: RiskModel, frame: pl.DataFrame, explained: Any) -> dict[str, Any]:
    values = explained.values[0]
    order = np.argsort(-np.abs(values), kind="stable")
    shown = order[: request.top]
    prediction = model.predict(frame)[0]
    return {
        "row": request.row,
        "prediction": prediction.tolist() if isinstance(prediction, np.ndarray) else float(prediction),
        "explained_class": explained.explained_class,
        "base": float(explained.base),
        "contributions": [
            {
                "column": model.schema.names[index],
                "value": _plain(frame[model.schema.names[index]][0]),
                "contribution": float(values[index]),
            }
            for index in shown
        ],
        "rest": float(values[order[request.top :]].sum()),
    }


def mean_absolute(values: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """Columns by mean absolute SHAP value, the strongest first."""
    means = np.abs(values).mean(axis=0)
    order = np.argsort(-means, kind="stable")
    return [{"column": names[index], "mean_absolute": float(means[index])} for index in order]


def unit(target: Target) -> str:
    """The scale of the contributions."""
    return "learning scale of the outcome" if target.task == "continuous" else "log-odds"


def pack_background(frame: pl.DataFrame) -> bytes:
    """Representative rows as JSON; dates in microseconds since 1970."""
    columns = {
        name: (frame[name].to_physical() if frame[name].dtype.is_temporal() else frame[name]).to_list()
        for name in frame.columns
    }
    return json.dumps(columns, sort_keys=False).encode()


def read_background(content: bytes, model: RiskModel) -> pl.DataFrame:
    """What `pack_background` wrote, typed by the schema."""
    columns = json.loads(content)
    types = {"numeric": pl.Float64, "categorical": pl.String, "ordinal": pl.String, "date": pl.Int64}
    frame = pl.DataFrame(
        {
            column.name: pl.Series(columns[column.name], dtype=types[column.kind])
            for column in model.schema.columns
        }
    )
    dates = [column.name for column in model.schema.columns if column.kind == "date"]
    return frame.with_columns(pl.col(name).cast(pl.Datetime("us")) for name in dates)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
