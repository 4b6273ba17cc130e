"""Parts of a model card, one page of Markdown that travels with a bundle, that every domain's card has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from iatros.core.checklist import Answer
from iatros.core.report import Finding
from iatros.core.report.numbers import NONE, count, is_number, percent
from iatros.core.report_sections.reading import Result, estimate, metrics_of, present
from iatros.core.report_sections.words import GROUPS, HEADLINE, VALIDATIONS, metric_words, split_label

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~$])")
NOTICE = (
    "> Research software, not a medical device. Not for the care of patients without approval and local "
    "validation."
)


def plain(text: object) -> str:
    """`text` on one line, without meaning to Markdown or HTML.

    >>> plain("<b>|x|")
    '&lt;b&gt;\\\\|x\\\\|'
    """
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("://", ":&#47;&#47;")
    return _SPECIAL.sub(r"\\\1", line)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; cells are made plain."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(plain(cell) for cell in row) + " |" for row in rows])


def sides(result: Result, *, noun: str = "Rows") -> str:
    """Rows or images, patients and events of each side; empty where none is recorded."""
    rows = [
        (
            split_label(name) + (" (cross-fitted)" if side.get("cross_fitted") else ""),
            *(count(side.get(key)) for key in ("n_rows", "n_patients", "n_events")),
        )
        for name, side in result.mapping("splits").items()
        if isinstance(side, Mapping)
    ]
    return table(("Side", noun, "Patients", "Events"), rows) if rows else ""


def performance(result: Result, names: Sequence[str] = ()) -> str:
    """The headline numbers with their intervals and methods; `names`, or those of the task."""
    shown = present(names or HEADLINE.get(result.task, ()), [result.headline])
    if not shown:
        return "## Performance\n\nNo metric was recorded for patients that the model had not seen."
    how = VALIDATIONS.get(result.validation)
    rows = [
        (
            metric_words(name).label,
            estimate(result.headline[name], name),
            result.headline[name].get("interval") or NONE,
        )
        for name in shown
    ]
    intro = f"On {split_label(result.split)}. {how[1]}" if how else f"On {split_label(result.split)}."
    return f"## Performance\n\n{plain(intro)}\n\n" + table(
        ("Metric", "Value (interval)", "Method of the interval"), rows
    )


def groups(result: Result) -> str:
    """Performance at each site that was left out and in each subgroup."""
    parts = []
    names = GROUPS.get(result.task, ())[:2]
    sites = {str(name): site for name, site in result.mapping("sites").items() if isinstance(site, Mapping)}
    if sites:
        parts.append("## Sites left out in turn\n\n" + _group_table("Site", list(sites.items()), names))
    levels = [
        (f"{variable}: {level}", part)
        for variable, found in result.mapping("subgroups").items()
        if isinstance(found, Mapping)
        for level, part in (found.get("levels") or {}).items()
        if isinstance(part, Mapping) and not part.get("suppressed")
    ]
    if levels:
        parts.append("## Subgroups\n\n" + _group_table("Group", levels, names))
    return "\n\n".join(parts)


def _group_table(kind: str, rows: list[tuple[str, Mapping[str, Any]]], names: Sequence[str]) -> str:
    shown = present(names, [metrics_of(part) for _, part in rows])
    cells = [
        (name, count(part.get("n")), *(estimate(metrics_of(part).get(metric), metric) for metric in shown))
        for name, part in rows
    ]
    return table((kind, "n", *(metric_words(metric).label for metric in shown)), cells)


def cautions(result: Result, found: Sequence[Finding]) -> str:
    """What to weigh: the findings of the report, and what holds for every model."""
    lines = [f"- {one.word}: {plain(one.text)}" for one in found]
    conformal = result.mapping("conformal")
    if is_number(conformal.get("confidence_level")):
        reached = estimate(conformal.get("coverage"))
        lines.append(
            f"- Conformal answers promise {percent(conformal['confidence_level'], 0)}; reached {plain(reached)}."
        )
    lines.append(
        "- Performance elsewhere is unknown: evaluate, and recalibrate where needed, on local patients first."
    )
    return "## What to weigh\n\n" + "\n".join(lines)


def unknown(answers: Sequence[Answer], checklist: str) -> str:
    """The items of the checklist that the run cannot answer."""
    missing = [answer for answer in answers if answer.status == "missing"]
    names = ", ".join(f"{answer.item.code} {answer.item.topic.lower()}" for answer in missing)
    return f"## Not known to the run ({checklist})\n\n{plain(names)}." if missing else ""
