"""For whom and where the model works: subgroups and sites."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Block,
    Cell,
    ForestPanel,
    ForestPlot,
    ForestPoint,
    ForestRow,
    Paragraph,
    Row,
    Section,
    Table,
)
from iatros.core.report.numbers import NONE, count, is_number, number, percent
from iatros.core.report_sections.reading import (
    Result,
    blocks,
    estimate,
    forest_point,
    metrics_of,
    number_or_none,
    present,
)
from iatros.core.report_sections.words import GROUPS, metric_words


def subgroups_section(result: Result) -> Section:
    """Section: performance by subgroup, and the gap between the best and the worst."""
    variables = {
        name: found for name, found in result.mapping("subgroups").items() if isinstance(found, Mapping)
    }
    if not variables:
        return Section("Subgroups", (result.absent("subgroups"),), "subgroups")
    lead = (
        "The same model, judged within groups of patients. The dashed line is the overall value (for ratios and "
        "slopes the ideal, 1). Small groups have wide intervals: overlap is no proof of fairness."
    )
    found = blocks(Paragraph(lead, "lead"), _subgroup_forest(result, variables), _gaps(result, variables))
    return Section("Subgroups", found, "subgroups")


def _subgroup_forest(result: Result, variables: Mapping[str, Any]) -> ForestPlot | None:
    levels = [
        metrics_of(level) for found in variables.values() for level in (found.get("levels") or {}).values()
    ]
    names = present(GROUPS.get(result.task, GROUPS["binary"]), levels)[:2]
    if not names:
        return None
    rows: list[ForestRow] = []
    for variable, found in variables.items():
        rows.append(ForestRow(str(variable), kind="heading"))
        parts = found.get("levels") or {}
        rows += [_level_row(str(level), part, names, _largest(parts)) for level, part in _ordered(parts)]
    return ForestPlot(
        "Performance by subgroup",
        f"{', '.join(metric_words(name).label for name in names)} by level of {', '.join(map(str, variables))}.",
        tuple(_panel(name, _overall(result, name)) for name in names),
        tuple(rows),
        _count_columns(result),
    )


def _ordered(parts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Levels as people count: below, then by number, then by name, above and missing last."""

    def place(item: tuple[str, Any]) -> tuple[int, float, str]:
        level = str(item[0])
        number = re.match(r"[<>]?=?\s*(-?\d+(?:\.\d+)?)", level)
        size = float(number[1]) if number else float("inf")
        rank = 0 if level.startswith("<") else 2 if level.startswith(">") else 3 if level == "missing" else 1
        return rank, size, level

    return sorted(parts.items(), key=place)


def _count_columns(result: Result) -> tuple[str, ...]:
    return ("n", "events") if result.task == "binary" else ("n",)


def _largest(parts: Mapping[str, Any]) -> float:
    return max((part.get("n") or 0 for part in parts.values() if isinstance(part, Mapping)), default=1) or 1


def _level_row(label: str, part: Any, names: list[str], largest: float) -> ForestRow:
    part = part if isinstance(part, Mapping) else {}
    cells = (count(part.get("n")), count(part.get("n_events")))
    if part.get("suppressed"):
        return ForestRow(label, cells=cells, remark="too few patients or events to show")
    metrics = metrics_of(part)
    points = tuple(forest_point(metrics.get(name)) for name in names)
    return ForestRow(label, points, cells, weight=(part.get("n") or 0) / largest)


def _overall(result: Result, name: str) -> float | None:
    ideal = metric_words(name).ideal
    return ideal if ideal is not None else number_or_none(estimate(result.headline.get(name)).value)


def _panel(name: str, reference: float | None) -> ForestPanel:
    words = metric_words(name)
    return ForestPanel(
        words.label, reference, log=words.ratio, high=1.0 if name in ("auroc", "accuracy") else None
    )


def _gaps(result: Result, variables: Mapping[str, Any]) -> Table | None:
    wanted = (*GROUPS.get(result.task, ()), "brier")
    rows = [
        Row(
            (
                str(variable),
                metric_words(name).label,
                str(gap.get("best", NONE)),
                str(gap.get("worst", NONE)),
                estimate(gap),
            )
        )
        for variable, found in variables.items()
        for name, gap in (found.get("gap") or {}).items()
        if isinstance(gap, Mapping) and name in wanted
    ]
    if not rows:
        return None
    return Table(
        ("Subgroup", "Metric", "Best", "Worst", "Gap"),
        tuple(rows),
        caption="Gap between the best and the worst group",
        foot="Best and worst were picked after looking, so chance alone makes a gap; an interval that holds 0 is no "
        "evidence of one.",
        right=(4,),
        compact=True,
    )


def sites_section(result: Result) -> Section:
    """Section: each site left out in turn, and the random-effects summary over sites."""
    sites = {
        str(name): found for name, found in result.mapping("sites").items() if isinstance(found, Mapping)
    }
    if not sites:
        return Section("Sites", (result.absent("sites"),), "sites")
    pooled = result.mapping("pooled")
    found = blocks(
        Paragraph(
            "Each site was left out in turn: the whole procedure was repeated on the others and judged there. "
            "The diamond is the random-effects mean, the bare line below it the range expected at a new site.",
            "lead",
        ),
        _site_forest(result, sites, pooled),
        _site_table(result, sites),
        _pooled_table(pooled),
    )
    return Section("Sites left out in turn", found, "sites")


def _site_forest(result: Result, sites: Mapping[str, Any], pooled: Mapping[str, Any]) -> ForestPlot | None:
    names = present(GROUPS.get(result.task, GROUPS["binary"]), [metrics_of(site) for site in sites.values()])
    if not names:
        return None
    largest = _largest(sites)
    rows = [_level_row(name, site, names, largest) for name, site in sites.items()]
    summaries = [pooled.get(name) if isinstance(pooled.get(name), Mapping) else None for name in names]
    if any(summaries):
        rows.append(ForestRow("Random effects", tuple(_summary(found) for found in summaries), kind="pooled"))
        spans = tuple(_span(found) for found in summaries)
        if any(spans):
            rows.append(ForestRow("Expected at a new site", spans, kind="span"))
    return ForestPlot(
        "Performance at each site",
        f"{', '.join(metric_words(name).label for name in names)} at {len(sites)} sites, and their summary.",
        tuple(_panel(name, metric_words(name).ideal) for name in names),
        tuple(rows),
        _count_columns(result),
    )


def _summary(found: Mapping[str, Any] | None) -> ForestPoint | None:
    return forest_point(found) if found else None


def _span(found: Mapping[str, Any] | None) -> ForestPoint | None:
    if not found or not is_number(found.get("prediction_low")) or not is_number(found.get("prediction_high")):
        return None
    return ForestPoint(None, found["prediction_low"], found["prediction_high"])


def _site_table(result: Result, sites: Mapping[str, Any]) -> Block:
    documents = [metrics_of(site) for site in sites.values()]
    wanted = {
        "binary": ("auroc", "calibration_slope", "calibration_intercept", "oe_ratio", "brier", "net_benefit"),
        "multiclass": ("auroc", "accuracy", "log_loss", "brier"),
        "ordinal": ("auroc", "accuracy", "log_loss", "brier"),
        "continuous": ("mae", "rmse", "bias", "calibration_slope", "r2"),
    }.get(result.task, ())
    names = present(wanted, documents)
    binary = result.task == "binary"
    rows = []
    for (name, site), metrics in zip(sites.items(), documents, strict=True):
        n, events = site.get("n"), site.get("n_events")
        cells: list[Cell] = [name, count(n)]
        if binary:
            share = f" ({percent(events / n, 0)})" if is_number(events) and is_number(n) and n else ""
            cells.append(count(events) + share)
        cells += [estimate(metrics.get(metric), metric) for metric in names]
        rows.append(Row(tuple(cells)))
    means = result.mapping("metrics").get("site")
    if isinstance(means, Mapping):
        blank: list[Cell] = ["", ""] if binary else [""]
        mean: list[Cell] = ["Unweighted mean", *blank]
        mean += [estimate(means.get(metric), metric) if means.get(metric) else NONE for metric in names]
        rows.append(Row(tuple(mean), "strong"))
    header = (
        "Site",
        "n",
        *(("Events",) if binary else ()),
        *(metric_words(metric).label for metric in names),
    )
    return Table(
        header,
        tuple(rows),
        caption="Site by site",
        right=tuple(range(1, len(header))),
        stacked=True,
        compact=len(names) > 5,
    )


def _pooled_table(pooled: Mapping[str, Any]) -> Table | None:
    rows, method = [], ""
    for name, found in pooled.items():
        if not isinstance(found, Mapping):
            continue
        method = str(found.get("method") or method)
        expected = estimate(None, name)
        low, high = found.get("prediction_low"), found.get("prediction_high")
        span = (
            f"{number(low, expected.digits)} to {number(high, expected.digits)}" if is_number(low) else NONE
        )
        i2 = found.get("i2")
        share = percent(i2 if is_number(i2) and i2 <= 1 else i2 / 100, 0) if is_number(i2) else NONE
        rows.append(
            Row((metric_words(name).label, estimate(found, name), span, number(found.get("tau2"), 4), share))
        )
    if not rows:
        return None
    return Table(
        ("Metric", "Random-effects mean", "Expected at a new site", "τ²", "I²"),
        tuple(rows),
        caption="Summary over sites",
        foot=f"{method}. τ² is the variance between sites, I² the share of the spread that it explains."
        if method
        else "",
        right=(1, 2, 3, 4),
    )
