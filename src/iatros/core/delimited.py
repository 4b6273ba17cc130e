"""Delimited text that is safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(table: dict[str, list[Any]]) -> str:
    """`table` as CSV, a header and one line for each row, safe to open in a spreadsheet."""
    return "".join(csv_line(line) for line in [table, *zip(*table.values(), strict=True)])


def csv_line(values: Iterable[Any]) -> str:
    """One line of CSV with its line end."""
    return (",".join(_quoted(safe_cell(value)) for value in values) or '""') + "\n"


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


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
