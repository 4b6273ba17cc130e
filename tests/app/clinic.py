"""A domain made for the tests of the doors: it learns the mean of a column, and can be told to fail."""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from iatros.core.bundle import BundleDraft, open_bundle, pack_arrays, unpack_arrays
from iatros.core.context import Context, Produced
from iatros.core.domain import Action, Domain
from iatros.core.errors import StorageError, TableError
from iatros.core.registry import Registry
from iatros.core.request import ModelRef, Request, TableRef

MODELS = Registry("model", group="clinic.models")
MODELS.add("mean", "clinic:Mean", "the mean of the column")

CALLS: list[str] = []
"""Names of the actions whose function was entered."""


def _split(value: Any) -> Any:
    return (
        tuple(value.split(",")) if isinstance(value, str) else tuple(p for v in value for p in v.split(","))
    )


class Mean:
    """The mean."""


class TrainRequest(Request):
    """Learn the mean of a column.

    It is the same for each patient.
    """

    table: TableRef = Field(description="patients", json_schema_extra={"positional": True})
    outcome: str = Field(description="the column to average")
    names: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field((), description="names with commas")
    param: tuple[str, ...] = Field((), description="may be repeated")
    way: Literal["mean", "median"] = Field("mean", description="how")
    factor: float = Field(
        1.0, gt=0, le=10, description="multiplies the mean", json_schema_extra={"unit": "mg"}
    )
    drop: bool = Field(False, description="leave something out")
    dictionary: Path | None = Field(None, description="a file")
    fail: Literal["no", "table", "fault", "interrupt", "disk", "bundle-disk"] = "no"
    seed: int = Field(0, ge=0, description="of everything random")


class AskRequest(Request):
    """The mean, for each patient."""

    model: ModelRef = Field(description="the bundle", json_schema_extra={"positional": True})
    table: TableRef = Field(description="patients", json_schema_extra={"positional": True})
    factor: float = Field(1.0, gt=0, description="multiplies the mean")
    subject: str | None = Field(None, description="the patient column")
    codes: Path | None = Field(None, description="a file that HTTP cannot name")


def rows_of(table: Any) -> list[dict[str, Any]]:
    """The rows of a table reference."""
    if isinstance(table, Path):
        if not table.is_file():
            raise TableError("there is no such file", where=str(table))
        with table.open(newline="") as stream:
            return list(csv.DictReader(stream))
    if isinstance(table, list):
        return table
    return table.to_dicts() if hasattr(table, "to_dicts") else table.to_dict("records")


def train(request: TrainRequest, context: Context) -> Produced:
    """Average the column, in ten slow steps where CLINIC_SLOW is set."""
    CALLS.append("train")
    rows = rows_of(request.table)
    if request.outcome not in (rows[0] if rows else {}):
        raise TableError(f"there is no column {request.outcome!r}", where="the table", hint="name another")
    _fail(request.fail)
    _nap_in_workers(context)
    done = _steps(context)
    values = sorted(float(row[request.outcome]) for row in rows)
    center = sum(values) / len(values) if request.way == "mean" else values[len(values) // 2]
    manifest = {
        "domain": "clinic",
        "model": "mean",
        "task": "continuous",
        "target": {"name": request.outcome},
    }
    result = {
        **manifest,
        "center": center * request.factor,
        "steps_done_before": done,
        "metrics": {"held_out": {"mae": {"value": 1.0, "low": float("nan"), "high": 2.0, "n": len(rows)}}},
        "request": request.model_dump(mode="json"),
        "notes": ["the mean is the same for everyone"],
    }
    if request.fail == "bundle-disk":
        raise StorageError("the disk is full", where="the bundle")
    files = {"mean.safetensors": pack_arrays({"center": [center * request.factor]})}
    return Produced(result, bundle=BundleDraft(manifest, files, {"report.html": b"<p>mean</p>"}))


def _fail(how: str) -> None:
    if how == "table":
        raise TableError("text in a numeric column", where="t.csv, line 3, column age", cell="secret-cell")
    if how == "fault":
        raise ZeroDivisionError("secret-cell")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "disk":
        raise OSError(28, "No space left on device", "somewhere")


def _nap_in_workers(context: Context) -> None:
    """Sleep CLINIC_NAP seconds in the engine's workers, with polars in this process, as in real training."""
    seconds = float(os.environ.get("CLINIC_NAP", "0"))
    if seconds:
        import polars as pl

        pl.DataFrame({"a": [1]}).select(pl.col("a").sum())
        context.progress.note("napping")
        context.engine.map(nap, [seconds] * 2, None, progress=context.progress, label="nap")


def nap(shared: None, seconds: float) -> None:
    """Sleep."""
    time.sleep(seconds)


def _steps(context: Context) -> int:
    """Ten steps, each kept in the checkpoint; stops before step CLINIC_STOP; returns how many were kept before."""
    kept = 0 if context.checkpoint is None else len(list(context.checkpoint.glob("step-*")))
    slow = float(os.environ.get("CLINIC_SLOW", "0"))
    with context.progress.step("averaging", total=10) as step:
        for number in range(kept, 10):
            if str(number) == os.environ.get("CLINIC_STOP"):
                raise KeyboardInterrupt
            if slow:
                context.progress.note(f"step {number}")
            time.sleep(slow)
            if context.checkpoint is not None:
                (context.checkpoint / f"step-{number}").write_text("done")
            step.advance()
    return kept


def _ask(request: AskRequest) -> tuple[list[dict[str, Any]], float, Any]:
    bundle = open_bundle(request.model)
    rows = rows_of(request.table)
    if not rows:
        raise TableError("the table has no rows", where="table")
    center = float(unpack_arrays(bundle.read("mean.safetensors"))["center"][0])
    return rows, center * request.factor, bundle


def predict(request: AskRequest, context: Context) -> Produced:
    """The mean for each row."""
    rows, center, _ = _ask(request)
    subject = [row[request.subject] for row in rows] if request.subject else None
    answers = {"row": list(range(len(rows))), "mean": [center] * len(rows)}
    answers |= {"subject": subject} if subject else {}
    lines = [dict(zip(answers, line, strict=True)) for line in zip(*answers.values(), strict=True)]
    return Produced({"n": len(rows), "predictions": lines}, table=answers)


def evaluate(request: AskRequest, context: Context) -> Produced:
    """One number, and a page about it."""
    rows, center, _ = _ask(request)
    metrics = {"external": {"mae": {"value": center, "low": center - 1, "high": center + 1, "n": len(rows)}}}
    return Produced({"metrics": metrics}, documents={"report.html": b"<p>page</p>"})


def explain(request: AskRequest, context: Context) -> Produced:
    """A constant has no reasons."""
    _, center, _ = _ask(request)
    return Produced(
        {"contributions": [{"column": "age", "value": 3, "contribution": -center}], "base": center}
    )


def recalibrate(request: AskRequest, context: Context) -> Produced:
    """A bundle with another mean."""
    _, center, bundle = _ask(request)
    files = {"mean.safetensors": pack_arrays({"center": [center]})}
    manifest = {"domain": "clinic", "model": "mean", "parent": bundle.parent_reference}
    return Produced(
        {"center": center, "parent": bundle.parent_reference}, bundle=BundleDraft(manifest, files)
    )


def _action(name: str, request: str, **options: Any) -> Action:
    return Action(name, f"{name} something", f"clinic:{request}", f"clinic:{name}", **options)


DOMAIN = Domain(
    name="clinic",
    question="What is the mean?",
    record="one row per patient",
    sources=("csv",),
    models=MODELS,
    actions=(
        _action("train", "TrainRequest", writes="bundle"),
        _action("predict", "AskRequest", needs_model=True, writes="table"),
        _action("evaluate", "AskRequest", needs_model=True, writes="documents"),
        _action("explain", "AskRequest", needs_model=True),
        _action("recalibrate", "AskRequest", needs_model=True, writes="bundle"),
    ),
)
