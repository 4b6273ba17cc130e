"""Who the patients are: Table 1, the data and what is missing in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from iatros.core.report import (
    Axis,
    Bar,
    BarChart,
    Block,
    Facts,
    Note,
    Paragraph,
    Row,
    Section,
    Table,
)
from iatros.core.report.numbers import NONE, count, is_number, number, rounded
from iatros.core.report_sections.reading import Result, blocks

_COLUMNS_SHOWN = 60
_GROUPS_SHOWN = 5
_REFUSED_SHOWN = 30
_SCHEMA_SHOWN = 150


def table_one_section(result: Result) -> Section:
    """Section: Table 1."""
    entries = [entry for entry in result.items("table_one") if isinstance(entry, Mapping)]
    found: tuple[Block, ...] = _table_one(result, entries) if entries else (result.absent("table_one"),)
    return Section("Table 1: characteristics of the patients", found, "table-one", "TRIPOD+AI 20b")


def _table_one(result: Result, entries: list[Mapping[str, Any]]) -> tuple[Block, ...]:
    groups = list(dict.fromkeys(name for entry in entries for name in entry.get("by_outcome") or {}))
    shown = groups[:_GROUPS_SHOWN]
    rows = [row for entry in entries[:_COLUMNS_SHOWN] for row in _entry_rows(entry, shown)]
    prefix = "" if result.task == "continuous" else f"{result.outcome} "
    with_smd = any(is_number(entry.get("smd")) for entry in entries)
    columns = ("Characteristic", "Overall", *(prefix + name for name in shown), "Missing")
    foot = (
        "Mean (SD), or median [quartiles] where the two differ by more than a fifth of the SD; counts (per cent of the "
        "known) for categories; counts under 5 are hidden."
    )
    if with_smd:
        foot += " SMD: standardised mean difference between the outcome groups."
    if len(entries) > _COLUMNS_SHOWN:
        foot += f" {_COLUMNS_SHOWN} of {len(entries)} columns are shown; section Data lists every one."
    if len(groups) > len(shown):
        foot += f" {len(shown)} of {len(groups)} outcome groups are shown."
    table = Table(
        columns + (("SMD",) if with_smd else ()),
        tuple(Row(row.cells if with_smd else row.cells[:-1], row.kind, row.indent) for row in rows),
        foot=foot,
        right=tuple(range(1, len(columns) + 1)),
        compact=len(rows) > 40 or len(shown) > 3,
    )
    return (table,)


def _entry_rows(entry: Mapping[str, Any], groups: list[str]) -> list[Row]:
    by_outcome = entry.get("by_outcome") or {}
    summaries = [entry.get("overall"), *(by_outcome.get(name) for name in groups)]
    smd = entry.get("smd")
    tail = (_missing(entry), number(smd, 2) if is_number(smd) else NONE)
    label = _column_label(entry)
    levels = _levels(summaries[0])
    if levels is None:
        return [_numeric_row(label, entry, summaries, tail)]
    rows = [Row((f"{label}, n (%)", *("" for _ in summaries), *tail))]
    rows += [
        Row((level, *(_level(summary, level) for summary in summaries), "", ""), indent=1) for level in levels
    ]
    hidden = (summaries[0] or {}).get("n_levels", 0) - len(levels)
    if hidden > 0:
        rows.append(Row((f"{hidden} further levels", *("" for _ in summaries), "", ""), indent=1))
    return rows


def _numeric_row(label: str, entry: Mapping[str, Any], summaries: list[Any], tail: tuple[str, str]) -> Row:
    date = entry.get("kind") == "date"
    median = date or _skewed(summaries[0])
    known = isinstance(summaries[0], Mapping) and is_number(summaries[0].get("median"))
    kind = (", median [quartiles]" if median else ", mean (SD)") if known else ""
    return Row((label + kind, *(_numeric(summary, median=median, date=date) for summary in summaries), *tail))


def _column_label(entry: Mapping[str, Any]) -> str:
    unit = entry.get("unit")
    return str(entry.get("column", "")) + (f", {unit}" if unit and entry.get("kind") != "date" else "")


def _missing(entry: Mapping[str, Any]) -> str:
    value = entry.get("missing_percent")
    return f"{number(value, 1)}%" if is_number(value) else NONE


def _levels(summary: Any) -> list[str] | None:
    if not isinstance(summary, Mapping) or not isinstance(summary.get("levels"), Mapping):
        return None
    return [str(level) for level in summary["levels"]]


def _level(summary: Any, level: str) -> str:
    levels = summary.get("levels") if isinstance(summary, Mapping) else None
    if not isinstance(levels, Mapping):
        return NONE
    if level not in levels:
        return "0" if (summary.get("n_levels") or 0) <= len(levels) else NONE
    found = levels[level]
    if not isinstance(found, Mapping):
        return str(found)
    if found.get("n") is None:
        return "<5"
    return f"{count(found['n'])} ({number(found.get('percent'), 1)})"


def _skewed(summary: Any) -> bool:
    if not isinstance(summary, Mapping) or not is_number(summary.get("sd")):
        return True
    return bool(abs(summary["mean"] - summary["median"]) > 0.2 * summary["sd"])


def _numeric(summary: Any, *, median: bool, date: bool) -> str:
    if not isinstance(summary, Mapping):
        return NONE if summary is None else str(summary)
    if not is_number(summary.get("median")):
        return NONE
    if date:
        return f"{_day(summary['median'])} [{_day(summary.get('q1'))}, {_day(summary.get('q3'))}]"
    if median:
        return f"{rounded(summary['median'])} [{rounded(summary.get('q1'))}, {rounded(summary.get('q3'))}]"
    return f"{rounded(summary.get('mean'))} ({rounded(summary.get('sd'))})"


def _day(days: Any) -> str:
    if not is_number(days):
        return NONE
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=float(days))).date().isoformat()


def data_section(result: Result) -> Section:
    """Section: what was read and refused, what is missing, and what each column is."""
    data = result.mapping("data")
    facts = [
        ("Source", str(data.get("source") or "not recorded")),
        ("Rows read", count(data.get("n_read"))),
        ("Rows refused", count(data.get("n_refused", len(data.get("refused") or [])))),
        ("Rows used", count(data.get("n_used"))),
        ("Fingerprint", str(data.get("fingerprint") or "not recorded")),
    ]
    found = blocks(
        Facts(tuple(facts)), _refused(data), _missingness(result), _imputation(result), _schema(result)
    )
    return Section("Data and missing values", (*found, *_notes(result)), "data", "TRIPOD+AI 5a, 7, 9b, 11")


def _imputation(result: Result) -> Block | None:
    how = result.mapping("request").get("impute")
    words = {
        "model": "Missing values are handled in each model's own way, fitted inside every training set.",
        "none": "Missing values are left to the model.",
        "simple": "Missing values are filled with the training set's median or most frequent level, with an indicator.",
        "iterative": "Missing values are filled by chained equations, fitted inside every training set.",
        "multiple": "Missing values are filled several times by chained equations, fitted inside every training set; "
        "predictions are averaged over the fillings.",
    }
    return Paragraph(words[how]) if how in words else None


def _refused(data: Mapping[str, Any]) -> Block | None:
    refused = [entry for entry in data.get("refused") or [] if isinstance(entry, Mapping)]
    if not refused:
        return None
    rows = tuple(
        Row(
            (
                NONE if entry.get("row") is None else str(entry["row"]),
                str(entry.get("column") or NONE),
                str(entry.get("reason") or ""),
            )
        )
        for entry in refused[:_REFUSED_SHOWN]
    )
    total = max(len(refused), data.get("n_refused") or 0)
    foot = f"The first {len(rows)} of {count(total)}." if total > len(rows) else ""
    return Table(
        ("Line of the file", "Column", "Why"), rows, caption="Rows that were refused", foot=foot, compact=True
    )


def _missingness(result: Result) -> Block | None:
    entries = [entry for entry in result.items("table_one") if is_number(entry.get("missing_percent"))]
    lacking = sorted((e for e in entries if e["missing_percent"] > 0), key=lambda e: -e["missing_percent"])
    if not entries:
        return None
    if not lacking:
        return Paragraph(f"No value is missing in the {len(entries)} columns.")
    bars = tuple(Bar(str(entry["column"]), entry["missing_percent"]) for entry in lacking[:20])
    caption = f"Columns with missing values: {len(lacking)} of {len(entries)}"
    return BarChart(
        "Missing values by column",
        f"{caption}; the most in {bars[0].label}, {number(bars[0].value, 1)} per cent.",
        Axis("per cent missing", 0.0),
        bars,
        caption=caption + (", the 20 with the most shown." if len(lacking) > 20 else "."),
        digits=1,
        width=620,
    )


def _schema(result: Result) -> Block | None:
    columns = result.mapping("schema").get("columns") or result.items("schema")
    entries = [column for column in columns if isinstance(column, Mapping)]
    if not entries:
        return None
    missing = {e.get("column"): _missing(e) for e in result.items("table_one") if isinstance(e, Mapping)}
    rows = tuple(
        Row(
            (
                str(column.get("name", "")),
                str(column.get("kind", "")),
                str(column.get("unit") or NONE),
                _range(column),
                str(column.get("recorded") or "unknown").replace("_", " "),
                missing.get(column.get("name"), NONE),
            )
        )
        for column in entries[:_SCHEMA_SHOWN]
    )
    foot = f"{_SCHEMA_SHOWN} of {len(entries)} columns are shown." if len(entries) > _SCHEMA_SHOWN else ""
    header = ("Column", "Kind", "Unit", "Range or levels in training", "Recorded", "Missing")
    return Table(header, rows, caption="What the model expects", foot=foot, right=(5,), compact=True)


def _range(column: Mapping[str, Any]) -> str:
    levels = [str(level) for level in column.get("levels") or ()]
    if levels:
        more = f" and {len(levels) - 8} more" if len(levels) > 8 else ""
        return ", ".join(levels[:8]) + more
    low, high = column.get("low"), column.get("high")
    if not is_number(low) or not is_number(high):
        return "all missing" if column.get("kind") == "numeric" else NONE
    written = _day if column.get("kind") == "date" else rounded
    return f"{written(low)} to {written(high)}"


def _notes(result: Result) -> tuple[Block, ...]:
    return tuple(Note(str(note)) for note in result.items("notes"))
