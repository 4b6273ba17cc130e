"""Where a run writes: the place is checked before the work starts, and written whole or not at all."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iatros.app.plain import dumps
from iatros.core.context import Document
from iatros.core.delimited import csv_text
from iatros.core.domain import Action
from iatros.core.errors import ConflictError, RequestError
from iatros.core.request import Request
from iatros.core.storage import write_file, write_folder

TABLE_SUFFIXES = (".csv", ".parquet")
RESULT = "result.json"


def destination(action: Action, request: Request, out: Path | str | None, *, overwrite: bool) -> Path | None:
    """The path that the run will write to, or None where it writes nothing; refused now rather than later.

    A bundle always has one (`default_bundle` where `out` is not given), a table or documents only where
    `out` is given.
    """
    if action.writes is None:
        if out is not None:
            raise RequestError(f"{action.name} writes no file, so out has no meaning here")
        return None
    if out is None and action.writes != "bundle":
        return None
    path = default_bundle(action, request) if out is None else Path(out)
    if action.writes == "table" and path.suffix.lower() not in TABLE_SUFFIXES:
        raise RequestError(
            f"out is {path.name!r}, and a table is written as .csv or .parquet",
            hint=f"for example {path.stem or 'answers'}.csv",
        )
    _check_free(action, path, overwrite=overwrite)
    return path


def default_bundle(action: Action, request: Request) -> Path:
    """The folder of a new bundle: `<input>-bundle`, or `<bundle>-<action>` where it comes from another bundle.

    It lies in the working directory: `heart.csv` makes `heart-bundle`, recalibrating that one makes
    `heart-bundle-recalibrate`, and a DataFrame makes `table-bundle`.
    """
    if action.needs_model:
        parent = getattr(request, "model", None)
        return Path(f"{Path(parent).resolve().name if parent else 'bundle'}-{action.name}")
    source = next(
        (getattr(request, name) for name in ("images", "table", "compounds") if hasattr(request, name)), None
    )
    stem = source.resolve().name.split(".")[0] if isinstance(source, Path) else "table"
    return Path(f"{re.sub(r'[^A-Za-z0-9_-]+', '-', stem).strip('-') or 'table'}-bundle")


def write_documents(result: dict[str, Any], documents: Mapping[str, Document], path: Path) -> Path:
    """The folder `path` with the documents for people and `result.json`; `destination` has said that it may go."""
    return write_folder(path, {**documents, RESULT: dumps(result, indent=1).encode()})


def write_table(table: dict[str, list[Any]], path: Path, *, overwrite: bool = False) -> Path:
    """Write `table` to `path` (.csv or .parquet), whole or not at all."""
    content = _parquet(table) if path.suffix.lower() == ".parquet" else csv_text(table).encode()
    return write_file(path, content, overwrite=overwrite)


def _check_free(action: Action, path: Path, *, overwrite: bool) -> None:
    """Refuse what is there already, and with `overwrite` what is there but was not written by such an action."""
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise ConflictError(f"{path} is there already", hint="give another out, or overwrite")
    mark = {"bundle": path / "manifest.json", "documents": path / RESULT, "table": path}[
        action.writes or "table"
    ]
    if not mark.is_file():
        said = {"bundle": "not a bundle", "documents": "not the output of such a run", "table": "not a file"}
        hint = "overwrite replaces only what iatros wrote; give another out"
        raise ConflictError(f"{path} is there and is {said[action.writes or 'table']}", hint=hint)


def _parquet(table: dict[str, list[Any]]) -> bytes:
    import polars as pl

    stream = io.BytesIO()
    pl.DataFrame(table, strict=False).write_parquet(stream)
    return stream.getvalue()
