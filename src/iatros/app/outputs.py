"""Where a run writes: the place is checked before the work starts, and written whole or not at all."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

from iatros.app.plain import dumps
from iatros.core.domain import Action
from iatros.core.errors import ConflictError, RequestError
from iatros.core.request import Request
from iatros.core.storage import write_file, write_folder

TABLE_SUFFIXES = (".csv", ".parquet")
RESULT = "result.json"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


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
    """The folder of a new bundle: `<table>-bundle`, or `<bundle>-<action>` where it comes from another bundle.

    It lies in the working directory: `heart.csv` makes `heart-bundle`, recalibrating that one makes
    `heart-bundle-recalibrate`, and a DataFrame makes `table-bundle`.
    """
    if action.needs_model:
        parent = getattr(request, "model", None)
        return Path(f"{Path(parent).resolve().name if parent else 'bundle'}-{action.name}")
    source = getattr(request, "images", getattr(request, "table", None))
    stem = source.resolve().name.split(".")[0] if isinstance(source, Path) else "table"
    return Path(f"{re.sub(r'[^A-Za-z0-9_-]+', '-', stem).strip('-') or 'table'}-bundle")


def write_documents(result: dict[str, Any], documents: dict[str, bytes], path: Path) -> Path:
    """The folder `path` with the documents for people and `result.json`; `destination` has said that it may go."""
    return write_folder(path, {**documents, RESULT: dumps(result, indent=1).encode()})


def write_table(table: dict[str, list[Any]], path: Path, *, overwrite: bool = False) -> Path:
    """Write `table` to `path` (.csv or .parquet), whole or not at all."""
    content = _parquet(table) if path.suffix.lower() == ".parquet" else csv_text(table).encode()
    return write_file(path, content, overwrite=overwrite)


def csv_text(table: dict[str, list[Any]]) -> str:
    """`table` as CSV, a header and one line for each row, safe to open in a spreadsheet."""
    lines = [table, *zip(*table.values(), strict=True)]
    return "".join((",".join(_quoted(safe_cell(value)) for value in line) or '""') + "\n" for line in lines)


def _quoted(cell: str) -> str:
    # The csv module of Python 3.11 leaves a lone carriage return unquoted, which breaks the row in two.
    if cell and not any(character in cell for character in '",\r\n'):
        return cell
    return '"' + cell.replace('"', '""') + '"' if cell else ""


def safe_cell(value: Any) -> str:
    """A cell of a CSV file that no spreadsheet runs as a formula (CWE-1236).

    Text that begins like a formula and is not a number gets an apostrophe in front.

    >>> safe_cell("=1+1"), safe_cell("-4.2"), safe_cell(-4.2), safe_cell(None)
    ("'=1+1", '-4.2', '-4.2', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        value = "; ".join(str(part) for part in value)
    if not isinstance(value, str):
        return str(value)
    risky = value.startswith(_FORMULA_STARTS) or value.lstrip().startswith(_FORMULA_STARTS)
    return f"'{value}" if risky and not _is_number(value) else value


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


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parquet(table: dict[str, list[Any]]) -> bytes:
    import polars as pl

    stream = io.BytesIO()
    pl.DataFrame(table, strict=False).write_parquet(stream)
    return stream.getvalue()
