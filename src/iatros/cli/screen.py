"""Results for people: tables of metrics with their intervals, the first rows of an answer, bars, notes and places.

Everything goes by the shape of a result (`metrics`, `sites`, `models`, `notes`, ...); its domain only gives a word.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from iatros.app.plain import dumps
from iatros.app.run import Finished

FIRST_ROWS = 10
BAR_WIDTH = 24


def print_json(document: Any) -> None:
    """`document` as one JSON document on stdout, indented on a terminal."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    print(dumps(document, indent=2 if sys.stdout.isatty() else None, ascii_only=encoding != "utf8"))


def show(finished: Finished, *, as_json: bool, told: Sequence[str] = ()) -> None:
    """Print a finished run; notes that were `told` while it ran are not said twice."""
    result = finished.result
    if as_json:
        print_json(result)
        return
    console = open_console()
    tables = [
        metric_table(result.get("metrics"), counted(result)),
        model_table(result),
        site_table(result),
        funnel_table(result.get("funnel")),
        estimate_table(result.get("estimates")),
        *bar_tables(result),
    ]
    if finished.table:
        tables.append(first_rows(finished.table))
    tables.append(refused_table(result.get("refused"), result.get("n_refused")))
    if not result.get("metrics") and not finished.table:
        tables.insert(0, facts(result))
    for table in tables:
        if table is not None:
            console.print(table)
            console.print()
    for note in result.get("notes") or ():
        if note not in told:
            console.print(Text(f"note: {printable(note)}"))
    for place in places(result):
        console.print(place, soft_wrap=True)


def open_console() -> Console:
    """A console on stdout that takes no markup from data; off a terminal, lines are not cut at 80 columns."""
    width = None if sys.stdout.isatty() else 200
    return Console(markup=False, highlight=False, emoji=False, width=width)


def metric_table(metrics: Any, counted: str = "patients") -> Table | None:
    """One row per metric, one column per split: `0.912 [0.880, 0.940]`; `counted` names what the metrics are over."""
    if not _is_nested(metrics):
        return None
    splits = list(metrics)
    names = list(dict.fromkeys(name for split in splits for name in metrics[split]))
    table = new_table("metrics", ["", *[_spaced(split) for split in splits]])
    for name in names:
        table.add_row(_spaced(name), *[_metric(metrics[split].get(name)) for split in splits])
    sizes = [_size(metrics[split]) for split in splits]
    if any(sizes):
        table.add_section()
        events = " (events)" if any("(" in size for size in sizes) else ""
        table.add_row(f"{counted}{events}", *sizes)
    return table


def counted(result: Mapping[str, Any]) -> str:
    """What the metrics of a result are over."""
    if result.get("question") in ("affinity", "responses"):
        return "pairs"
    return "compounds" if result.get("domain") == "molecules" else "patients"


def funnel_table(funnel: Any) -> Table | None:
    """What each step of a funnel left, and its share of what came to it."""
    if not isinstance(funnel, list) or not funnel:
        return None
    table = new_table("funnel", ["", "left", "of those before"])
    for step in funnel:
        share = step.get("share")
        table.add_row(step["step"], f"{step['n']:,}", "" if share is None else f"{share:.1%}")
    return table


def estimate_table(estimates: Any) -> Table | None:
    """The numbers that an estimation is about, each with its interval: a list of metrics with a name."""
    if not isinstance(estimates, list) or not estimates:
        return None
    table = new_table("estimates", ["", " "])
    for one in estimates:
        table.add_row(printable(one["name"]), _metric(one))
    return table


def facts(result: Mapping[str, Any]) -> Table | None:
    """The single numbers and words of a result that has neither metrics nor answers for each row."""
    hidden = ("run_id", "seconds", "bundle", "table", "domain", "bundle_sha256")
    single = {k: v for k, v in result.items() if isinstance(v, (str, int, float)) and k not in hidden}
    if not single:
        return None
    table = new_table("result", ["", " "], numbers=False)
    for name, value in single.items():
        table.add_row(_spaced(name), _cell(value))
    return table


def model_table(result: Mapping[str, Any]) -> Table | None:
    """The models that were compared, by their first metric on each split; None where there was one."""
    models = result.get("models")
    if not isinstance(models, list) or len(models) < 2:
        return None
    of_models = [_by_split(model.get("metrics") or {}) for model in models]
    first = next((found for found in of_models if found), None)
    if first is None:
        return None
    columns = [(split, next(iter(found))) for split, found in first.items() if found]
    heads = [f"{_spaced(split)} {_spaced(name)}".strip() for split, name in columns]
    table = new_table("models", ["", *heads, "kept"])
    for model, found in zip(models, of_models, strict=True):
        cells = [_metric((found.get(split) or {}).get(name)) for split, name in columns]
        table.add_row(printable(model.get("name")), *cells, "yes" if model.get("selected") else "")
    return table


def _by_split(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Metrics by split; those that are of one split alone, under no name. Empty where there are none."""
    if not _is_nested(metrics):
        return {}
    return {"": metrics} if all(_is_metric(found) for found in metrics.values()) else dict(metrics)


def site_table(result: Mapping[str, Any]) -> Table | None:
    """One row per site with its metrics, in the order of the metric table."""
    sites = result.get("sites")
    if not isinstance(sites, Mapping) or not sites:
        return None
    judged = [name for name, value in next(iter(sites.values())).items() if _is_metric(value)]
    names = [name for name in result.get("pooled") or judged[:5] if name in judged]
    table = new_table("sites", ["", "patients", *map(_spaced, names)])
    for site, found in sites.items():
        table.add_row(printable(site), str(found.get("n", "")), *[_metric(found.get(name)) for name in names])
    pooled = result.get("pooled")
    if isinstance(pooled, Mapping) and pooled:
        table.add_section()
        table.add_row("random effects", "", *[_metric(pooled.get(name)) for name in names])
        table.add_row("expected at a new site", "", *[_expected(pooled.get(name)) for name in names])
    return table


def _expected(document: Any) -> str:
    low, high = ((document or {}).get(f"prediction_{end}") for end in ("low", "high"))
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def bar_tables(result: Mapping[str, Any]) -> list[Table]:
    """A table of bars for each list of entries that hold a column and one number for it."""
    explanation = result.get("explanation")
    holders = [result, explanation] if isinstance(explanation, Mapping) else [result]
    found = []
    for holder in holders:
        for name, entries in holder.items():
            for key in ("contribution", "mean_absolute"):
                bars = _bars(entries, key)
                if bars:
                    found.append(_bar_table(name, bars, signed=key == "contribution"))
    return found


def _bar_table(title: str, bars: Sequence[tuple[str, float]], *, signed: bool) -> Table:
    """Each entry with its number and a bar that is as long as the number is large beside the others."""
    largest = max(abs(value) for _, value in bars) or 1.0
    table = new_table(_spaced(title), ["", "value", ""])
    for name, value in bars[:FIRST_ROWS]:
        bar = "█" * max(1, round(BAR_WIDTH * abs(value) / largest)) if value else ""
        table.add_row(name, number(value, signed=signed), Text(bar, style="red" if value > 0 else "blue"))
    return table


def first_rows(table: Mapping[str, Sequence[Any]]) -> Table:
    """The first rows of an answer without the columns that are empty in them, and how many more there are."""
    n = len(next(iter(table.values()), ()))
    shown = min(n, FIRST_ROWS)
    filled = {
        name: column for name, column in table.items() if any(column[k] is not None for k in range(shown))
    }
    drawn = new_table("answers", [printable(name) for name in filled])
    for row in range(shown):
        drawn.add_row(*[_cell(column[row]) for column in filled.values()])
    if n > shown:
        drawn.caption = f"{n - shown} more; --out FILE.csv or --json gives all"
    return drawn


def refused_table(refused: Any, n_refused: Any = None) -> Table | None:
    """What was refused by name, the first ones, each with its reason; None where there are none.

    `n_refused` may be more than the result lists; then only what the run writes holds all.
    """
    named = [one for one in refused or () if isinstance(one, Mapping) and isinstance(one.get("name"), str)]
    if not named:
        return None
    drawn = new_table("refused", ["name", "reason"], numbers=False)
    for one in named[:FIRST_ROWS]:
        drawn.add_row(printable(one["name"]), printable(one.get("reason")))
    total = n_refused if isinstance(n_refused, int) and n_refused > len(named) else len(named)
    if total > FIRST_ROWS:
        whole = "--json" if total == len(named) else "--out FOLDER"
        drawn.caption = f"{total - FIRST_ROWS:,} more; {whole} gives all"
    return drawn


def places(result: Mapping[str, Any]) -> list[Text]:
    """Where the run wrote."""
    lines = [
        Text(f"{key}: {printable(result[key])}")
        for key in ("bundle", "table")
        if isinstance(result.get(key), str)
    ]
    lines += [Text(f"{_document_name(path)}: {printable(path)}") for path in result.get("documents") or ()]
    return lines


def new_table(title: str, header: Sequence[str], *, numbers: bool = True) -> Table:
    """An empty table in the one style of this screen; with `numbers`, all columns but the first stand to the right."""
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        show_header=any(name.strip() for name in header),
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for position, name in enumerate(header):
        right = numbers and position > 0 and bool(name)
        table.add_column(Text(name, style="dim"), justify="right" if right else "left", overflow="fold")
    return table


def number(value: Any, *, signed: bool = False) -> str:
    """A number in four figures at most; a dash for none."""
    if value is None:
        return "–"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"+{text}" if signed and value > 0 else text


def printable(value: Any) -> str:
    """`value` as text in which no character moves the cursor or changes the terminal."""
    return "".join(character if character.isprintable() else "?" for character in str(value))


def _spaced(name: str) -> str:
    return printable(name).replace("_", " ")


def _is_nested(metrics: Any) -> bool:
    return (
        isinstance(metrics, Mapping)
        and bool(metrics)
        and all(isinstance(v, Mapping) for v in metrics.values())
    )


def _is_metric(value: Any) -> bool:
    return isinstance(value, Mapping) and "value" in value


def _metric(document: Any) -> str:
    if not _is_metric(document):
        return ""
    value, low, high = (document.get(key) for key in ("value", "low", "high"))
    if low is None or high is None:
        return f"{number(value)} [no interval]" if value is not None else number(value)
    return f"{number(value)} [{number(low)}, {number(high)}]"


def _size(found: Mapping[str, Any]) -> str:
    document = next(
        (value for value in found.values() if _is_metric(value) and value.get("n") is not None), None
    )
    if document is None:
        return ""
    events = document.get("n_events")
    return f"{document['n']:,}" + (f" ({events:,})" if events is not None else "")


def _bars(entries: Any, key: str) -> list[tuple[str, float]]:
    """Name and number of each entry, or nothing where `entries` is not such a list."""
    if not isinstance(entries, list) or not entries:
        return []
    bars = []
    for entry in entries:
        if (
            not isinstance(entry, Mapping)
            or not isinstance(entry.get("column"), str)
            or not _is_number(entry.get(key))
        ):
            return []
        shown = f"{entry['column']} = {_cell(entry['value'])}" if "value" in entry else entry["column"]
        bars.append((printable(shown), float(entry[key])))
    return bars


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, (list, tuple)):
        return printable("; ".join(str(part) for part in value))
    return printable(value)


def _document_name(path: Any) -> str:
    name = printable(path).rsplit("/", 1)[-1]
    return name.rsplit(".", 1)[0].replace("_", " ")
