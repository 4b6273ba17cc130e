"""The kind of each column, read off all of its cells and corrected by the data dictionary."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from iatros.core.errors import TableError
from iatros.learners.tabular import cells
from iatros.learners.tabular.dictionary import DictionaryColumn
from iatros.learners.tabular.raw import RawTable
from iatros.learners.tabular.schema import Column, Kind

STRAY_SHARE = 0.01
"""Share of other text up to which a column of numbers (or dates) is taken for one with typing errors."""

_STRAY_ROWS = 50
_SINGLE_STRAY_ROWS = 20

MAX_LEVELS = 1000
"""A categorical column with more levels is free text or a name: its levels are not written into a schema."""

_IDENTIFIER_NAME = re.compile(
    r"(^|[\W_])(id|ids|mrn|nhs|ssn|uuid|guid|pid|identifier|key)$|(patient|subject|case|record|encounter|visit|study)"
    r"[\W_]*(id|nr|nbr|no|num|number|key|identifier)$|(^|[a-z])ID$"
)


@dataclass(frozen=True)
class Typed:
    """A column with its kind; `notes` say what a reader should know about how it was read."""

    series: pl.Series
    column: Column
    notes: tuple[str, ...] = ()


def infer_column(
    raw: RawTable, name: str, spec: DictionaryColumn, codes: tuple[str, ...], *, decimal_comma: bool = False
) -> Typed:
    """Column `name`: numeric if every cell is a number, date if every cell is one, else categorical.

    A few stray texts (1 % of at least 50 cells, or one of at least 20) in a column of numbers or dates are
    an error, not a reason to call it categorical: TableError with the row, unless `spec` gives the kind.
    """
    codes = (*codes, *spec.missing_codes)
    reading = _Reading(raw, name, spec, codes, decimal_comma)
    kind, series, notes = reading.kind_and_series()
    levels: tuple[str, ...] = ()
    if kind in ("categorical", "ordinal"):
        series, levels = reading.leveled(kind, series)
    identifier = spec.identifier if spec.identifier is not None else _is_identifier(name, series)
    if kind == "categorical" and not spec.levels and (identifier or len(levels) > MAX_LEVELS):
        levels = ()
    column = Column(
        name=name, kind=kind, unit=spec.unit, levels=levels, recorded=spec.recorded or "unknown",
        identifier=identifier, description=spec.description, missing_codes=codes,
    )  # fmt: skip
    return Typed(series.alias(name), column, notes)


@dataclass(frozen=True)
class _Reading:
    raw: RawTable
    name: str
    spec: DictionaryColumn
    codes: tuple[str, ...]
    decimal_comma: bool

    def kind_and_series(self) -> tuple[Kind, pl.Series, tuple[str, ...]]:
        series = self.raw.columns[self.name]
        kind = self.spec.kind or ("categorical" if self.spec.levels else None)
        if kind is None and self.name in self.raw.orders:
            kind = "ordinal"
        if series.dtype == pl.Float64:
            return self._of_numbers(kind, cells.without_codes(series, self.codes))
        if series.dtype != pl.String:
            return self._of_dates(kind, series)
        texts = cells.without_missing(series, self.codes, self.spec.levels)
        if kind in ("categorical", "ordinal"):
            return kind, texts, ()
        if kind == "date":
            return "date", self._as_dates(texts, strict=True), ()
        return self._of_texts(kind, texts)

    def _of_numbers(self, kind: Kind | None, values: pl.Series) -> tuple[Kind, pl.Series, tuple[str, ...]]:
        self._refuse_infinite(values)
        if kind in ("categorical", "ordinal"):
            return kind, cells.plain_numbers(values), ()
        if kind == "date":
            return "date", self._as_dates(cells.plain_numbers(values), strict=True), ()
        return "numeric", values, self._all_missing(values)

    def _of_dates(self, kind: Kind | None, series: pl.Series) -> tuple[Kind, pl.Series, tuple[str, ...]]:
        if kind not in (None, "date"):
            raise TableError(
                f"holds dates, but the data dictionary calls it {kind}", where=self.raw.place(self.name)
            )
        return "date", series, ()

    def _of_texts(self, kind: Kind | None, texts: pl.Series) -> tuple[Kind, pl.Series, tuple[str, ...]]:
        values = cells.numbers(texts, decimal_comma=self.decimal_comma)
        stray = (values.is_null() & texts.is_not_null()).to_numpy()
        known = len(texts) - texts.null_count()
        if kind == "numeric" or (not stray.any() and not cells.looks_like_code(texts)):
            if stray.any():
                raise self._stray(texts, stray, known, "numbers")
            values = cells.without_codes(values, self.codes)
            self._refuse_infinite(values)
            return "numeric", values, self._all_missing(values)
        if stray.any():
            self._refuse_commas(texts, stray)
            if _few(int(stray.sum()), known) or self._only_limits(texts, stray, known):
                raise self._stray(texts, stray, known, "numbers")
        if known == int(stray.sum()) and cells.mostly_dates(texts):
            found = self._as_dates(texts, strict=False)
            if found.null_count() == texts.null_count():
                return "date", found, ()
        return "categorical", texts, self._mixed(known, known - int(stray.sum()))

    def _as_dates(self, texts: pl.Series, *, strict: bool) -> pl.Series:
        try:
            found = cells.dates(texts)
        except cells.AmbiguousDatesError:
            raise TableError(
                "it cannot be told whether the day or the month comes first", where=self.raw.place(self.name),
                hint="write dates as 2020-12-31",
            ) from None  # fmt: skip
        stray = (found.is_null() & texts.is_not_null()).to_numpy()
        known = len(texts) - texts.null_count()
        if stray.any() and (strict or _few(int(stray.sum()), known)):
            raise self._stray(texts, stray, known, "dates")
        return found

    def _stray(
        self, texts: pl.Series, stray: np.ndarray, known: int, what: Literal["numbers", "dates"]
    ) -> TableError:
        position = int(np.flatnonzero(stray)[0])
        n = int(stray.sum())
        count = "1 cell is not one" if n == 1 else f"{n} cells are not"
        return TableError(
            f"text in a column of {what} ({known - n} of {known} cells are {what}, {count})",
            where=self.raw.place(self.name, position),
            cell=texts[position],
            hint="correct it, name it as a missing code, or call the column categorical in a data dictionary",
        )

    def _only_limits(self, texts: pl.Series, stray: np.ndarray, known: int) -> bool:
        """Whether most cells are numbers and all others detection limits such as <0.1."""
        if 2 * int(stray.sum()) > known:
            return False
        others = texts.filter(pl.Series(stray))
        return bool(others.str.contains(r"^[<>≤≥]=?\s*[\d.,]+$").all())

    def _refuse_commas(self, texts: pl.Series, stray: np.ndarray) -> None:
        """Refuse a column in which every cell that is not a number would be one but for a comma."""
        if cells.with_comma(texts.filter(pl.Series(stray))).all():
            position = int(np.flatnonzero(stray)[0])
            raise TableError(
                "it cannot be told what the comma in the numbers means",
                where=self.raw.place(self.name, position), cell=texts[position],
                hint="write 1234.5, or call the column categorical in a data dictionary if these are codes",
            )  # fmt: skip

    def _refuse_infinite(self, values: pl.Series) -> None:
        position = cells.infinite_at(values)
        if position is not None:
            raise TableError(
                "the value is infinite", where=self.raw.place(self.name, position),
                hint="numbers must be finite; leave the cell empty if the value is not known",
            )  # fmt: skip

    def _all_missing(self, values: pl.Series) -> tuple[str, ...]:
        return (f"column {self.name} has no value in any row",) if values.null_count() == len(values) else ()

    def _mixed(self, known: int, n_numbers: int) -> tuple[str, ...]:
        if 2 * n_numbers < known:
            return ()
        if n_numbers == known:
            return (
                f"column {self.name} is read as categorical: leading zeros or too many digits for a number",
            )
        share = f"{n_numbers} of {known}"
        return (f"column {self.name} is read as categorical, although {share} cells are numbers",)

    def leveled(self, kind: Kind, texts: pl.Series) -> tuple[pl.Series, tuple[str, ...]]:
        """The texts in one spelling, and the levels in order; TableError for a text that is no level."""
        texts = _one_spelling(texts)
        seen = sorted(texts.unique().drop_nulls().to_list())
        declared = self.spec.levels or self.raw.orders.get(self.name, ())
        if declared:
            texts = to_levels(texts, declared)
            stray = np.flatnonzero((~texts.is_in(list(declared)) & texts.is_not_null()).to_numpy())
            if len(stray):
                raise TableError(
                    "the value is not one of the levels", where=self.raw.place(self.name, int(stray[0])),
                    cell=texts[int(stray[0])], hint=f"levels: {', '.join(declared)}",
                )  # fmt: skip
            return texts, declared if kind == "ordinal" else tuple(sorted(declared))
        if kind == "categorical":
            return texts, tuple(seen)
        values = cells.numbers(pl.Series(seen, dtype=pl.String))
        if values.null_count():
            raise TableError(
                "an ordinal column of texts needs its levels in order", where=self.raw.place(self.name),
                hint="list levels, lowest first, in the data dictionary",
            )  # fmt: skip
        return texts, tuple(level for _, level in sorted(zip(values.to_list(), seen, strict=True)))


def to_levels(texts: pl.Series, levels: tuple[str, ...]) -> pl.Series:
    """`texts` spelled as in `levels` where they mean the same number (1.0 and 1) or truth (True and true)."""
    unknown = [text for text in texts.unique().drop_nulls().to_list() if text not in set(levels)]
    if not unknown or not levels:
        return texts
    by_meaning = {_meaning(level): level for level in reversed(levels)}
    found = {text: by_meaning[_meaning(text)] for text in unknown if _meaning(text) in by_meaning}
    return texts.replace(found) if found else texts


def _meaning(text: str) -> float | str:
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        return float(text) if not re.match(r"[+-]?0\d", text) else text
    except ValueError:
        return text


def _one_spelling(texts: pl.Series) -> pl.Series:
    if texts.null_count() == len(texts):
        return texts
    lower = texts.str.to_lowercase()
    if lower.is_in(["true", "false"]).fill_null(True).all():
        return lower
    values = cells.numbers(texts)
    if values.null_count() == texts.null_count() and not cells.looks_like_code(texts):
        return cells.plain_numbers(values)
    return texts


def _few(n_stray: int, known: int) -> bool:
    if known >= _STRAY_ROWS and n_stray <= STRAY_SHARE * known:
        return True
    return n_stray == 1 and known >= _SINGLE_STRAY_ROWS


def _is_identifier(name: str, series: pl.Series) -> bool:
    """Whether the values name patients rather than describe them."""
    known = series.drop_nulls()
    n, unique = len(known), known.n_unique() if len(known) else 0
    if n < 2 or unique < 0.5 * n or series.dtype not in (pl.Float64, pl.String):
        return False
    if series.dtype == pl.String:
        return (n >= 20 and unique >= 0.99 * n) or _named_as_identifier(name)
    whole = bool((known == known.round()).all())
    if whole and _named_as_identifier(name):
        return True
    # a row number: 0, 1, 2, ... or 1, 2, 3, ...
    return n >= 20 and whole and known[0] in (0, 1) and bool((known.diff().drop_nulls() == 1).all())


def _named_as_identifier(name: str) -> bool:
    return bool(_IDENTIFIER_NAME.search(name) or _IDENTIFIER_NAME.search(name.lower()))
