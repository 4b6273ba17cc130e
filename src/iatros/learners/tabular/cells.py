"""What a cell says: nothing, a number, or a date. Whole columns at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

MISSING_CODES = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None")
"""Texts that mean "missing" everywhere, unless a data dictionary lists one of them as a level."""

_COMMA_NUMBER = r"^[+-]?\d*,\d+([eE][+-]?\d+)?$"
_DATE_LIKE = (
    r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.](\d{1,2}|[A-Za-z]{3})[-/.]\d{4})([ T]\d{1,2}:\d\d.*)?$"
)
_ISO_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M")
_ZONE_FORMATS = ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z")
_DAY_FIRST = ("%d-%m-%Y", "%d-%m-%Y %H:%M:%S%.f", "%d-%m-%Y %H:%M", "%d-%b-%Y")
_MONTH_FIRST = ("%m-%d-%Y", "%m-%d-%Y %H:%M:%S%.f", "%m-%d-%Y %H:%M")


def without_missing(texts: pl.Series, codes: Iterable[str], levels: Iterable[str] = ()) -> pl.Series:
    """`texts` with null for every missing code; a code that is one of `levels` is a level."""
    kept = set(levels)
    known = [code for code in (*MISSING_CODES, *codes) if code not in kept]
    return texts.set(texts.is_in(known).fill_null(False), None)


def numbers(texts: pl.Series, *, decimal_comma: bool = False) -> pl.Series:
    """Float64; null where a text is not a number. Infinite texts ("inf", 1e999) stay infinite."""
    if decimal_comma:
        comma = texts.str.contains(_COMMA_NUMBER).fill_null(False)
        if comma.any():
            texts = texts.zip_with(~comma, texts.str.replace(",", ".", literal=True))
    return texts.cast(pl.Float64, strict=False).fill_nan(None)


def with_comma(texts: pl.Series) -> pl.Series:
    """Whether each text is a number with a comma in it, decimal or of thousands."""
    return texts.str.contains(_COMMA_NUMBER) | texts.str.contains(r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$")


def has_decimal_comma(columns: Iterable[pl.Series]) -> bool:
    """Whether numbers are written 1,5: some cell is, and none in a column of such numbers is written 1.5."""
    found = False
    for texts in columns:
        with_comma = int(texts.str.contains(_COMMA_NUMBER).sum() or 0)
        with_point = int(texts.str.contains(r"^[+-]?\d*\.\d+$").sum() or 0)
        if with_point:
            return False
        found = found or with_comma > 0
    return found


def infinite_at(values: pl.Series) -> int | None:
    """Position of the first infinite number, or None."""
    infinite = values.is_infinite().fill_null(False)
    return int(np.flatnonzero(infinite.to_numpy())[0]) if infinite.any() else None


def without_codes(values: pl.Series, codes: Iterable[str]) -> pl.Series:
    """Numbers with null where they equal a missing code that is a number: -9 also means -9.0."""
    known = [float(code) for code in numbers(pl.Series(list(codes), dtype=pl.String)).drop_nulls()]
    return values.set(values.is_in(known).fill_null(False), None) if known else values


def plain_numbers(values: pl.Series) -> pl.Series:
    """Numbers as texts in one spelling, so that 1, 1.0 and 1.00 are one level; null stays null."""
    unique = values.unique().drop_nulls().to_list()
    spelling = [
        str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value) for value in unique
    ]
    if not unique:
        return pl.Series(values.name, [None] * len(values), dtype=pl.String)
    return values.replace_strict(unique, spelling, default=None, return_dtype=pl.String)


def looks_like_code(texts: pl.Series) -> bool:
    """Whether number-like texts are labels rather than quantities.

    They are where some have more digits than a float64 holds, or where leading zeros (0123) are no slip:
    in one text of twenty, or in texts that all have one length.
    """
    if texts.str.contains(r"^[+-]?\d{16,}$").any():
        return True
    padded = int(texts.str.contains(r"^[+-]?0\d").sum() or 0)
    known = len(texts) - texts.null_count()
    return padded > 0 and (padded >= 0.05 * known or texts.str.len_chars().drop_nulls().n_unique() == 1)


def mostly_dates(texts: pl.Series) -> bool:
    """Whether nine in ten of the texts have the shape of a date."""
    like = int(texts.str.contains(_DATE_LIKE).sum() or 0)
    return like >= 0.9 * (len(texts) - texts.null_count())


class AmbiguousDatesError(ValueError):
    """Each date reads as day-month and as month-day, with different meanings."""


def dates(texts: pl.Series) -> pl.Series:
    """Datetime("us") in UTC; null where a text is no date.

    Known: ISO 8601 (also with / or . between), 31.12.2020, 31/12/2020, 12/31/2020, 31-Dec-2020, each with or
    without a time. A column says by itself whether the day or the month comes first; where both fit and
    differ, AmbiguousDatesError. A dot always means that the day comes first.
    """
    empty = pl.Series(texts.name, [None] * len(texts), dtype=pl.Datetime("us"))
    like = texts.str.contains(_DATE_LIKE).fill_null(False)
    if not like.any():
        return empty
    dotted = bool(texts.str.contains(r"^\d{1,2}\.").any())
    plain = texts.set(~like, None).str.replace("T", " ", literal=True)
    head = plain.str.slice(0, 11).str.replace_all(r"[/.]", "-")
    plain = head + plain.str.slice(11)
    parsed = _parse(plain, _ISO_FORMATS).zip_with(_zoned(plain).is_null(), _zoned(plain))
    rest = plain.set(parsed.is_not_null(), None)
    if rest.null_count() == len(rest):
        return parsed
    day_first, month_first = _parse(rest, _DAY_FIRST), _parse(rest, _MONTH_FIRST)
    chosen = day_first
    if not dotted and day_first.null_count() >= month_first.null_count():
        if day_first.null_count() > month_first.null_count():
            chosen = month_first
        elif not day_first.equals(month_first, null_equal=True):
            raise AmbiguousDatesError
    return parsed.zip_with(parsed.is_not_null(), chosen)


def _parse(texts: pl.Series, formats: Iterable[str]) -> pl.Series:
    found = pl.Series(texts.name, [None] * len(texts), dtype=pl.Datetime("us"))
    for form in formats:
        found = found.zip_with(found.is_not_null(), texts.str.to_datetime(form, strict=False, time_unit="us"))
    return found


def _zoned(texts: pl.Series) -> pl.Series:
    found = pl.Series(texts.name, [None] * len(texts), dtype=pl.Datetime("us"))
    zoned = texts.str.contains(r"(Z|[+-]\d\d:?\d\d)$").fill_null(False)
    texts = texts.set(~zoned | ~texts.str.contains(":").fill_null(False), None)
    if texts.null_count() == len(texts):
        return found
    for form in _ZONE_FORMATS:
        parsed = texts.str.to_datetime(form, strict=False, time_unit="us").dt.replace_time_zone(None)
        found = found.zip_with(found.is_not_null(), parsed)
    return found
