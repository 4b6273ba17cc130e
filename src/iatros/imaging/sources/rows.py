"""Rows of a manifest or of a table that belong to images: cells, and what they say about a record."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from iatros.core.errors import TableError
from iatros.imaging.schema import ImageRecord

Cells = dict[str, str | float | None]

SIDES = {
    "train": "train", "training": "train",
    "tuning": "tuning", "tune": "tuning", "val": "tuning", "valid": "tuning", "validation": "tuning",
    "calibration": "calibration", "calib": "calibration",
    "held_out": "held_out", "held-out": "held_out", "heldout": "held_out", "test": "held_out",
    "testing": "held_out",
}  # fmt: skip
"""What a split column may say, and the side that it means."""
_NAMING = ("path", "mask", "series_uid", "study_uid")
_MAX_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Roles:
    """Which columns name the patient, the hospital and the side."""

    subject: str = "subject_id"
    site: str = "site"
    split: str = "split"

    @property
    def names(self) -> tuple[str, ...]:
        """Columns whose cells stay text, whatever they look like: `007` is not 7."""
        return (*_NAMING, self.subject, self.site, self.split)


def read_rows(reference: Any, roles: Roles) -> list[Cells]:
    """The rows of a CSV or Parquet file, a DataFrame or a list of objects.

    A column of numbers becomes float, every other text; an empty cell is None. TableError as
    `learners.tabular.reading.read_table`, and where lines are broken.
    """
    raw = _raw(reference)
    if raw.refused:
        first = raw.refused[0]
        raise TableError(first.reason, where=f"{raw.source}, line {first.row}", hint="correct the line")
    columns = {name: _cells(series, name in roles.names) for name, series in raw.columns.items()}
    n = len(raw.rows)
    return [{name: cells[row] for name, cells in columns.items()} for row in range(n)]


def described(record: ImageRecord, row: Mapping[str, Any], roles: Roles, where: str) -> ImageRecord:
    """`record` with all cells of `row` as columns; patient, hospital, side, sex and age override the file's own."""
    said: dict[str, Any] = {"columns": {**record.columns, **row}}
    for field, column in (("subject", roles.subject), ("site", roles.site)):
        if row.get(column) is not None:
            said[field] = str(row[column])
    if row.get(roles.split) is not None:
        said["split"] = side(str(row[roles.split]), where, roles.split)
    if isinstance(row.get("sex"), str):
        said["sex"] = row["sex"]
    if isinstance(row.get("age"), float):
        said["age"] = row["age"]
    return replace(record, **said)


def side(text: str, where: str, column: str) -> str:
    """The side that a cell of the split column means; TableError for any other word."""
    if text.strip().lower() not in SIDES:
        raise TableError(
            "a side is not known",
            where=f"{where}, column {column}",
            cell=text,
            hint="train, tuning (val), calibration or held_out (test) can be said",
        )
    return SIDES[text.strip().lower()]


def relative(text: str) -> str:
    """A path of a table in POSIX spelling without `./` in front."""
    return PurePosixPath(text.replace("\\", "/")).as_posix()


def _raw(reference: Any) -> Any:
    from pathlib import Path

    from iatros.learners.tabular.csv_file import read_csv
    from iatros.learners.tabular.frames import from_pandas, from_polars, from_rows, read_parquet

    if isinstance(reference, (str, Path)):
        path = Path(reference)
        opened = read_parquet if path.suffix.lower() in (".parquet", ".pq") else read_csv
        return opened(path, max_bytes=_MAX_BYTES)
    if isinstance(reference, list):
        return from_rows(reference)
    kind = type(reference).__module__.partition(".")[0]
    if kind == "polars":
        return from_polars(reference)
    if kind == "pandas":
        return from_pandas(reference)
    raise TableError(
        f"a {type(reference).__name__} is not a table",
        hint="give a path, a polars or pandas DataFrame, or a list of rows",
    )


def _cells(series: Any, is_name: bool) -> list[str | float | None]:
    values = series.to_list()
    if is_name:
        return [None if value is None or value == "" else _text(value) for value in values]
    if all(value is None or isinstance(value, (int, float)) for value in values):
        return [None if value is None or math.isnan(value) else float(value) for value in values]
    texts = [None if value is None or str(value).strip() == "" else str(value) for value in values]
    try:
        numbers = [None if text is None else float(text) for text in texts]
    except ValueError:
        return list(texts)
    finite = all(number is None or math.isfinite(number) for number in numbers)
    return list(numbers) if finite else list(texts)


def _text(value: Any) -> str:
    """A number that names something is written without `.0`."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
