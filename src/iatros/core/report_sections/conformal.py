"""Whether conformal sets and intervals hold the truth as often as they promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import Facts, Paragraph, Row, Section, Table
from iatros.core.report.numbers import NONE, count, is_number, percent, rounded
from iatros.core.report_sections.reading import Result, blocks, estimate, from_key, scalar


def conformal_section(result: Result) -> Section:
    """Section: do the sets or intervals hold the truth as often as they promise?"""
    found = result.mapping("conformal")
    if not found:
        return Section("Conformal prediction", (result.absent("conformal"),), "conformal")
    level = found.get("confidence_level")
    kind = str(found.get("kind") or "prediction set")
    lead = (
        f"Beside each prediction stands a {kind} that should hold the truth for {percent(level, 0)} of patients, "
        "whatever the model is worth; what varies is how wide it must be. The rule was set on patients of its own."
    )
    facts = [
        ("Coverage promised", percent(level, 1)),
        ("Coverage reached", str(estimate(found.get("coverage")))),
    ]
    if is_number(found.get("mean_extent")):
        unit = str(found.get("extent_unit") or "").replace(
            "outcome unit", result.unit or "in the outcome's unit"
        )
        facts.append(("Mean size", f"{rounded(found['mean_extent'])} {unit}".strip()))
    known = {"confidence_level", "kind", "coverage", "mean_extent", "extent_unit"}
    facts += [
        (from_key(name), scalar(name, v)) for name, v in found.items() if name not in known and _is_scalar(v)
    ]
    found_blocks = blocks(Paragraph(lead, "lead"), Facts(tuple(facts)), _by_class(found))
    return Section("Conformal prediction", found_blocks, "conformal")


def _by_class(found: Mapping[str, Any]) -> Table | None:
    """Coverage within each class, where it was promised for each by itself."""
    classes = {
        name: part for name, part in (found.get("by_class") or {}).items() if isinstance(part, Mapping)
    }
    if not classes:
        return None
    rows = tuple(
        Row((str(name), count(part.get("n")), estimate(part), str(part.get("interval") or NONE)))
        for name, part in classes.items()
    )
    return Table(
        ("True class", "n", "Coverage reached", "Interval"),
        rows,
        caption="Coverage within each class",
        foot="The promise holds for each class by itself, so that a rare class is not paid for by a common one.",
        right=(1, 2),
    )


def _is_scalar(value: Any) -> bool:
    return (
        is_number(value)
        or isinstance(value, (bool, str))
        or (isinstance(value, Mapping) and "value" in value)
    )
