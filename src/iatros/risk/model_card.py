"""The model card: one page of Markdown that travels with the bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from iatros.core.report.numbers import NONE, count, is_number, percent
from iatros.core.report_sections.reading import Result, estimate, metrics_of, present
from iatros.core.report_sections.words import GROUPS, HEADLINE, VALIDATIONS, metric_words, split_label
from iatros.risk.report_sections.opening import findings, question
from iatros.risk.tripod import checklist

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~$])")


def model_card(result: Mapping[str, Any]) -> str:
    """The card as Markdown; names from the data are escaped, so they can neither format nor link.

    >>> model_card({"model": "forest", "target": {"name": "death"}}).splitlines()[0]
    '# Model card: forest for death'
    """
    reading = Result(result)
    predicted = reading.event if reading.task == "binary" else reading.outcome
    parts = [
        f"# Model card: {plain(reading.model)} for {plain(predicted)}",
        "> Research software, not a medical device. Not for the care of patients without approval and local "
        "validation.",
        _identity(reading),
        _use(reading),
        _data(reading),
        _performance(reading),
        _groups(reading),
        _cautions(reading),
        _authors(reading),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text: object) -> str:
    """`text` on one line, without meaning to Markdown or HTML.

    >>> plain("<b>|x|")
    '&lt;b&gt;\\\\|x\\\\|'
    """
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("://", ":&#47;&#47;")
    return _SPECIAL.sub(r"\\\1", line)


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(plain(cell) for cell in row) + " |" for row in rows])


def _identity(result: Result) -> str:
    data, created = result.mapping("data"), result.mapping("created")
    rows = [
        ("Question", question(result)),
        ("Method", result.model),
        ("Outcome", f"{result.outcome} ({result.task})"),
        ("iatros", result.mapping("versions").get("iatros") or result.part("iatros") or NONE),
        ("Run", result.part("run_id") or created.get("run_id") or NONE),
        ("Seed", result.document.get("seed", NONE)),
        ("Data fingerprint", data.get("fingerprint") or NONE),
    ]
    return "## Model\n\n" + _table(("", ""), rows)


def _use(result: Result) -> str:
    gives = {
        "binary": f"the probability of {result.event}, a conformal set, and flags for unusual input",
        "multiclass": "a probability for each class, a conformal set, and flags for unusual input",
        "continuous": "a value with a prediction interval, and flags for unusual input",
    }.get(result.task, "a prediction")
    return (
        "## Use\n\n"
        f"Gives {plain(gives)}. Intended for research and for local validation.\n\n"
        "Not stated by the run, to be written by the authors: intended patients, place in the care pathway, intended "
        "users, what must not be done with it."
    )


def _data(result: Result) -> str:
    data = result.mapping("data")
    columns = result.mapping("schema").get("columns") or result.items("schema")
    used, read = count(data.get("n_used")), count(data.get("n_read"))
    lines = [f"{used} rows used of {read} read; {len(columns)} columns learned from."]
    rows = [
        (
            split_label(name) + (" (cross-fitted)" if side.get("cross_fitted") else ""),
            *(count(side.get(key)) for key in ("n_rows", "n_patients", "n_events")),
        )
        for name, side in result.mapping("splits").items()
        if isinstance(side, Mapping)
    ]
    if rows:
        lines.append(_table(("Side", "Rows", "Patients", "Events"), rows))
    return "## Data\n\n" + "\n\n".join(lines)


def _performance(result: Result) -> str:
    names = present(HEADLINE.get(result.task, ()), [result.headline])
    if not names:
        return "## Performance\n\nNo metric was recorded for patients that the model had not seen."
    how = VALIDATIONS.get(result.validation)
    rows = [
        (
            metric_words(name).label,
            estimate(result.headline[name], name),
            result.headline[name].get("interval") or NONE,
        )
        for name in names
    ]
    intro = f"On {split_label(result.split)}. {how[1]}" if how else f"On {split_label(result.split)}."
    return f"## Performance\n\n{plain(intro)}\n\n" + _table(
        ("Metric", "Value (interval)", "Method of the interval"), rows
    )


def _groups(result: Result) -> str:
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
    return _table((kind, "n", *(metric_words(metric).label for metric in shown)), cells)


def _cautions(result: Result) -> str:
    lines = [f"- {found.word}: {plain(found.text)}" for found in findings(result)]
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


def _authors(result: Result) -> str:
    missing = [answer for answer in checklist(result.document) if answer.status == "missing"]
    names = ", ".join(f"{answer.item.code} {answer.item.topic.lower()}" for answer in missing)
    return f"## Not known to the run (TRIPOD+AI)\n\n{plain(names)}." if missing else ""
