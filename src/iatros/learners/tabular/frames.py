"""Tables that come as Parquet, as polars or pandas DataFrames, or as rows; pandas is never imported here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from iatros.core.errors import LimitError, TableError
from iatros.learners.tabular.raw import RawTable

_EXACT = 2**53
"""Integers beyond this are not told apart by float64."""


def read_parquet(path: Path, *, max_bytes: int) -> RawTable:
    """The columns of a Parquet file; LimitError where they would fill more than `max_bytes`."""
    try:
        lazy = pl.scan_parquet(path, glob=False)
        names = lazy.collect_schema().names()
        height = int(lazy.select(pl.len()).collect().item())
        if height * max(1, len(names)) * 8 > max_bytes:
            raise LimitError(
                f"has {height:,} rows and {len(names):,} columns, more than {max_bytes:,} bytes",
                where=path.name, hint="leave out columns that are not needed",
            )  # fmt: skip
        frame = lazy.collect()
    except FileNotFoundError:
        raise TableError("there is no such file", where=str(path)) from None
    except (pl.exceptions.PolarsError, OSError):
        raise TableError("is not a readable Parquet file", where=path.name) from None
    return from_polars(frame, path.name)


def from_polars(frame: pl.DataFrame, source: str = "DataFrame") -> RawTable:
    """The columns of a polars DataFrame."""
    orders = {
        name: tuple(dtype.categories.to_list())
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Enum)
    }
    columns = {name: _from_series(frame[name], source) for name in frame.columns}
    return _raw(columns, source, frame.height, orders)


def from_pandas(frame: Any, source: str = "DataFrame") -> RawTable:
    """The columns of a pandas DataFrame; its index is not a column."""
    if getattr(frame.columns, "nlevels", 1) > 1:
        raise TableError(
            "the columns have several levels of names", where=source, hint="give one name a column"
        )
    names = [str(name) for name in frame.columns]
    _check_names(names, source)
    columns: dict[str, pl.Series] = {}
    orders: dict[str, tuple[str, ...]] = {}
    for position, name in enumerate(names):
        series = frame.iloc[:, position]
        categories = getattr(series.dtype, "categories", None)
        if categories is not None and getattr(series.dtype, "ordered", False):
            orders[name] = tuple(_text(value) for value in categories)
        columns[name] = _from_pandas_column(name, series, source)
    return _raw(columns, source, len(frame), orders)


def from_rows(rows: list[dict[str, Any]], source: str = "rows") -> RawTable:
    """Columns from a list of objects; each must have the same names, with null where nothing is known."""
    if not rows:
        raise TableError("there are no rows", where=source, hint="at least one row is needed")
    names = list(rows[0])
    for position, row in enumerate(rows):
        if row.keys() != rows[0].keys():
            odd = sorted(map(str, row.keys() ^ rows[0].keys()))[0]
            verb = "lacks" if odd not in row else "has"
            other = "has" if odd not in row else "lacks"
            raise TableError(
                f"the row {verb} {odd!r}, which the first row {other}",
                where=f"{source}, row {position} (counted from 0)",
                hint="give every row the same names, with null where a value is not known",
            )
    columns = {str(name): _from_values(str(name), [row[name] for row in rows], source) for name in names}
    return _raw(columns, source, len(rows), {})


def _raw(
    columns: dict[str, pl.Series], source: str, height: int, orders: dict[str, tuple[str, ...]]
) -> RawTable:
    stripped = {name.strip(): series.alias(name.strip()) for name, series in columns.items()}
    _check_names([name.strip() for name in columns], source)
    if height == 0:
        raise TableError("the table has no rows", where=source, hint="at least one row is needed")
    orders = {name.strip(): levels for name, levels in orders.items()}
    return RawTable(stripped, source, np.arange(height), False, n_read=height, orders=orders)


def _check_names(names: list[str], source: str) -> None:
    if not names:
        raise TableError("the table has no columns", where=source)
    if "" in names:
        raise TableError(f"column {names.index('') + 1} has no name", where=source, hint="name every column")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(f"the column {twice[0]!r} is there twice", where=source, hint="rename one of them")


def _from_series(series: pl.Series, source: str) -> pl.Series:
    dtype = series.dtype
    if dtype == pl.Boolean or dtype.is_integer():
        whole = dtype.is_integer()
        large = whole and series.len() > series.null_count() and _beyond(series)
        return series.cast(pl.String) if not whole or large else series.cast(pl.Float64)
    if dtype.is_numeric():
        return series.cast(pl.Float64).fill_nan(None)
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return series.cast(pl.String).str.strip_chars()
    if dtype in (pl.Date, pl.Datetime):
        zone = getattr(dtype, "time_zone", None)
        utc = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zone else series
        return utc.cast(pl.Datetime("us"))
    if dtype == pl.Null:
        return series.cast(pl.Float64)
    if dtype == pl.Object:
        return _from_values(series.name, series.to_list(), source)
    raise TableError(
        f"cells of type {dtype} cannot be used", where=f"{source}, column {series.name}",
        hint="give numbers, texts or dates; a duration as a number in a unit of your choice",
    )  # fmt: skip


def _beyond(whole: pl.Series) -> bool:
    return max(int(whole.max()), -int(whole.min())) > _EXACT  # type: ignore[arg-type]


def _from_pandas_column(name: str, series: Any, source: str) -> pl.Series:
    kind = getattr(series.dtype, "kind", "O")
    plain = isinstance(series.dtype, np.dtype)
    if plain and kind in "iufb":
        return _from_series(pl.Series(name, series.to_numpy()), source)
    if kind == "M":
        if getattr(series.dtype, "tz", None) is not None:
            series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return pl.Series(name, series.to_numpy().astype("datetime64[us]")).cast(pl.Datetime("us"))
    if kind == "m":
        raise TableError(
            "durations cannot be used", where=f"{source}, column {name}", hint="give a number, such as days"
        )
    missing = series.isna().to_numpy()
    values = [None if gone else value for value, gone in zip(series.tolist(), missing, strict=True)]
    return _from_values(name, values, source)


def _from_values(name: str, values: list[Any], source: str) -> pl.Series:
    """A column of Python values: all numbers, all dates, or else texts."""
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    odd = next((value for value in values if isinstance(value, (list, tuple, dict, set, bytes))), None)
    if odd is not None:
        position = next(i for i, value in enumerate(values) if value is odd)
        raise TableError(
            f"a cell holds a {type(odd).__name__}, not one value",
            where=f"{source}, row {position} (counted from 0), column {name}", hint="give one number or text",
        )  # fmt: skip
    known = [value for value in values if value is not None]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known) and all(
        not isinstance(value, int) or abs(value) <= _EXACT for value in known
    ):
        return pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64).fill_nan(
            None
        )
    texts = [None if value is None else _text(value) for value in values]
    return pl.Series(name, texts, dtype=pl.String).str.strip_chars()


def _text(value: Any) -> str:
    """One spelling for a value in a column of texts: 3.0 is written 3, true and false in lower case."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
