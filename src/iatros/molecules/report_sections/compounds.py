"""Which compounds the report is about: lines read, merged and refused, what was measured, and the sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Block,
    Cell,
    FlowDiagram,
    FlowStep,
    Heading,
    Paragraph,
    Row,
    Section,
    Table,
)
from iatros.core.report.numbers import count, percent, rounded
from iatros.core.report_sections.reading import Result, blocks, capital
from iatros.molecules.report_sections.words import VALIDATIONS, split_label

_SHOWN = 30


def compounds_section(result: Result) -> Section:
    """Section: from the lines of the file to the sides of the validation, and what was measured of each endpoint."""
    how = VALIDATIONS.get(result.validation)
    found = blocks(
        Paragraph(
            "Structures were standardised, one compound being one InChIKey, and repeated measurements reconciled.",
            "lead",
        ),
        _flow(result),
        Paragraph(how[1]) if how else None,
        *_measured(result),
        *_refused(result),
    )
    return Section("Compounds and endpoints", found, "compounds")


def _flow(result: Result) -> Block:
    steps = [step for step in result.items("flow") if isinstance(step, Mapping)]
    if not steps:
        return result.absent("flow")
    drawn, before = [], None
    for step in steps:
        n = step.get("n_rows")
        lost = (
            ()
            if before is None or before == n
            else (f"{capital(str(step.get('less', 'fewer')))}: {count(before - n)}",)
        )
        drawn.append(FlowStep(capital(str(step.get("step", ""))), (count(n),), lost))
        before = n
    sides = {name: side for name, side in result.mapping("splits").items() if isinstance(side, Mapping)}
    branches = tuple(FlowStep(capital(split_label(name)), tuple(_side(side))) for name, side in sides.items())
    said = "; ".join(f"{step.name}: {', '.join(step.lines)}" for step in (*drawn, *branches))
    return FlowDiagram(
        "From the file to the analysis",
        said,
        tuple(drawn),
        branches,
        caption="From lines to compounds the number falls by refused lines, by lines without a value, and by lines "
        "that name a compound again.",
    )


def _side(side: Mapping[str, Any]) -> list[str]:
    return [f"{count(side.get('n_rows'))} compounds", f"in {count(side.get('n_groups'))} groups"]


def _measured(result: Result) -> tuple[Block, ...]:
    rows = [one for one in result.items("measured") if isinstance(one, Mapping)]
    if not rows:
        return ()
    binary = result.task == "binary"
    spread = ("lowest", "lower_quartile", "median", "upper_quartile", "highest")
    header = ("Endpoint", "Values", "Bounds") + (
        ("Active", "Share") if binary else tuple(name.replace("_", " ").capitalize() for name in spread)
    )
    drawn = []
    for one in rows:
        cells: list[Cell] = [str(one.get("endpoint")), count(one.get("n_values")), count(one.get("n_bounds"))]
        if binary:
            n = one.get("n_values")
            cells += [count(one.get("n_active")), percent(one["n_active"] / n) if n else "–"]
        else:
            cells += [rounded(one.get(name)) for name in spread]
        drawn.append(Row(tuple(cells)))
    table = Table(header, tuple(drawn), right=tuple(range(1, len(header))), compact=len(rows) > 8)
    return Heading("What was measured"), table


def _refused(result: Result) -> tuple[Block, ...]:
    refused = [one for one in result.mapping("data").get("refused") or [] if isinstance(one, Mapping)]
    if not refused:
        return ()
    rows = tuple(Row((str(one.get("name")), str(one.get("reason")))) for one in refused[:_SHOWN])
    n = result.mapping("data").get("n_refused")
    foot = f"The first {len(rows)} of {count(n)}." if n and n > len(rows) else ""
    return Heading("Refused lines"), Table(("Where", "Reason"), rows, foot=foot, compact=True)
