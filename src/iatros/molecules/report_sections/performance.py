"""How well the model predicts: models beside each other, every number, endpoint by endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import Block, Cell, Heading, Paragraph, Row, Section, Table
from iatros.core.report.numbers import NONE, count, number
from iatros.core.report_sections.reading import Result, blocks
from iatros.molecules.report_sections.words import HEADLINE, METRICS, split_label, words, written


def models_section(result: Result) -> Section:
    """Section: every trained model on the same judged compounds."""
    entries = [entry for entry in result.items("models") if isinstance(entry, Mapping)]
    if not entries:
        return Section("Models beside each other", (result.absent("models"),), "models")
    lead = Paragraph(
        "Every model is the mean of several fits, each of which left out one part of the compounds. The model was "
        "chosen by what these fits say of the part that they had not seen, never by the compounds that it is judged on "
        "here. The baseline is a random forest over circular fingerprints.",
        "lead",
    )
    return Section("Models beside each other", (lead, _comparison(result, entries)), "models")


def _comparison(result: Result, entries: list[Mapping[str, Any]]) -> Table:
    metrics = [_metrics(result, entry) for entry in entries]
    names = [name for name in HEADLINE.get(result.task, ()) if any(name in found for found in metrics)]
    first = next((e["difference_to_baseline"] for e in entries if e.get("difference_to_baseline")), None)
    header = ["Model", *(words(name).label for name in names)]
    if first:
        header.append(f"{words(str(first.get('metric'))).label}, difference to {first.get('baseline')}")
    tuned: Mapping[str, Any] = next(
        (e["tuning_score"] for e in entries if isinstance(e.get("tuning_score"), Mapping)), {}
    )
    header.append(f"{words(str(tuned.get('metric', ''))).label} on unseen development compounds")
    rows = []
    for entry, found in zip(entries, metrics, strict=True):
        cells: list[Cell] = [_label(entry)]
        cells += [written(found[name], name) if name in found else NONE for name in names]
        if first:
            difference = entry.get("difference_to_baseline")
            cells.append(
                written(difference, str(first.get("metric")))
                if isinstance(difference, Mapping)
                else "baseline"
            )
        score = entry.get("tuning_score")
        cells.append(number(score.get("value")) if isinstance(score, Mapping) else NONE)
        rows.append(Row(tuple(cells), "strong" if entry.get("selected") else "plain"))
    foot = "Differences are paired: both models on the same resamples of the same compounds."
    right = tuple(range(1, len(header)))
    return Table(tuple(header), tuple(rows), foot=foot, right=right, stacked=True, compact=len(header) > 6)


def _label(entry: Mapping[str, Any]) -> str:
    name = str(entry.get("name", ""))
    if entry.get("selected"):
        return f"{name} (kept)"
    return f"{name} (baseline)" if entry.get("candidate") is False else name


def _metrics(result: Result, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found = entry.get("metrics")
    return (found.get(result.split) if isinstance(found, Mapping) else None) or {}


def performance_section(result: Result) -> Section:
    """Section: every metric of the kept model, over all endpoints and for each."""
    whole = result.headline
    known = [name for name in METRICS if isinstance(whole.get(name), Mapping)]
    if not known:
        return Section("Performance", (result.absent("metrics"),), "performance")
    rows = tuple(
        Row(
            (
                words(name).label,
                written(whole[name], name),
                words(name).tells,
                str(whole[name].get("interval") or NONE),
            )
        )
        for name in known
    )
    n = whole[known[0]].get("n")
    table = Table(
        ("Metric", f"{split_label(result.split).capitalize()} (n = {count(n)})", "What it tells", "Interval"),
        rows,
        right=(1,),
        compact=True,
    )
    lead = Paragraph(
        f"Intervals draw whole groups of compounds ({result.part('noun') or 'scaffolds'}), not single ones: relatives "
        "are predicted alike.",
        "lead",
    )
    return Section("Performance", blocks(lead, table, *_by_endpoint(result)), "performance")


def _by_endpoint(result: Result) -> tuple[Block, ...]:
    found = {
        str(name): one for name, one in result.mapping("endpoint_metrics").items() if isinstance(one, Mapping)
    }
    if len(found) < 2:
        return ()
    names = [name for name in HEADLINE.get(result.task, ()) if any(name in one for one in found.values())]
    names = [name for name in names if name != "relative_rmse"]
    rows = []
    for endpoint, metrics in found.items():
        n = next((one.get("n") for one in metrics.values() if isinstance(one, Mapping)), None)
        cells: list[Cell] = [endpoint, count(n)]
        cells += [written(metrics[name], name) if name in metrics else NONE for name in names]
        rows.append(Row(tuple(cells)))
    lacking = len(result.items("endpoints")) - len(found)
    foot = f"{count(lacking)} more cannot be judged: one class, or no variation." if lacking > 0 else ""
    table = Table(
        ("Endpoint", "n", *(words(name).label for name in names)),
        tuple(rows),
        foot=foot,
        right=tuple(range(1, len(names) + 2)),
        stacked=True,
        compact=True,
    )
    return Heading("Endpoint by endpoint"), table


def thresholds_section(result: Result) -> Section:
    """Section: what calling compounds active from a threshold on would mean."""
    tables = [
        (str(name), part["thresholds"])
        for name, part in result.mapping("by_endpoint").items()
        if isinstance(part, Mapping) and part.get("thresholds")
    ]
    if not tables:
        return Section("Thresholds", (result.absent("thresholds"),), "thresholds")
    lead = Paragraph(
        "Thresholds were chosen on development compounds that the fits had not seen, so a sensitivity that was aimed "
        "at is not always the one that was reached.",
        "lead",
    )
    drawn: list[Block] = []
    for name, rows in tables:
        if len(tables) > 1:
            drawn.append(Heading(name))
        drawn.append(_thresholds(rows))
    return Section("Thresholds", (lead, *drawn), "thresholds")


def _thresholds(rows: list[Mapping[str, Any]]) -> Table:
    header = ("Chosen for", "Threshold", "TP", "FP", "TN", "FN", "Sensitivity", "Specificity", "PPV", "NPV")
    drawn = []
    for row in rows:
        cells: list[Cell] = [str(row.get("name", "")), number(row.get("threshold"))]
        cells += [count(row.get(name)) for name in ("tp", "fp", "tn", "fn")]
        cells += [written(row.get(name), name) for name in ("sensitivity", "specificity", "ppv", "npv")]
        drawn.append(Row(tuple(cells)))
    return Table(header, tuple(drawn), right=tuple(range(1, len(header))), stacked=True, compact=True)
