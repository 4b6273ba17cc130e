"""The files of a generation: tables of compounds, and the page with the funnel and the structures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from iatros.core.context import Document as File
from iatros.core.delimited import csv_text
from iatros.core.report import (
    Block,
    Document,
    Drawing,
    FlowDiagram,
    FlowStep,
    Grid,
    Note,
    Paragraph,
    Row,
    Section,
    Table,
    render,
)
from iatros.core.report.numbers import NONE, count, number
from iatros.core.report_sections.reading import capital
from iatros.molecules.depicting import draw_structure
from iatros.molecules.generating.examining import PROPERTIES
from iatros.molecules.sdf import sdf_record

_DRAWN = 48
_COLUMNS = ("rank", "smiles", *PROPERTIES, "scaffold", "diverse")


def documents(result: dict[str, Any], rows: list[dict[str, Any]], texts: Sequence[str]) -> dict[str, File]:
    """compounds.csv, .smi, .sdf and .html of `rows`, and written.smi with every text as it was written."""

    def sdf(file: BinaryIO) -> None:
        for row in rows:
            file.write(sdf_record({"name": str(row["rank"]), **row}).encode())

    table = {column: [row[column] for row in rows] for column in (rows[0] if rows else _COLUMNS)}
    return {
        "compounds.csv": csv_text(table).encode(),
        "compounds.smi": "".join(f"{row['smiles']} {row['rank']}\n" for row in rows).encode(),
        "compounds.sdf": sdf,
        "compounds.html": page(result, rows).encode(),
        # a blank line would not be counted as a text that is no molecule
        "written.smi": "".join(f"{text or '[]'}\n" for text in texts).encode(),
    }


def page(result: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """HTML: the funnel, then the picked compounds drawn, or the first where none were picked."""
    picked = sorted((row for row in rows if row["diverse"]), key=lambda row: row["diverse"]) or rows
    sections = [Section("From text to compound", _funnel(result), "funnel")]
    if picked:
        sections.append(Section("Compounds", _grid(picked, result), "compounds"))
        sections.append(Section("Properties", (_properties(rows),), "properties"))
    return render(
        Document(
            title="New compounds",
            kicker=f"{result['model']} · learned from {result['learned_from']}",
            subtitle=f"{count(result['n_kept'])} compounds with {count(result['n_scaffolds'])} scaffolds came through",
            banner="Research software, not a medical device. A generated compound is an idea: nobody has made it.",
            opening=tuple(Note(said) for said in result["notes"]),
            sections=tuple(sections),
            closing=f"Bundle {result['bundle_sha256'][:12]}, seed {result['seed']}",
        )
    )


def _funnel(result: dict[str, Any]) -> tuple[Block, ...]:
    steps, before = [], None
    for step in result["funnel"]:
        lost = () if before in (None, step["n"]) else (f"left out: {count(before - step['n'])}",)
        steps.append(FlowStep(capital(step["step"]), (count(step["n"]),), lost))
        before = step["n"]
    said = "; ".join(f"{step.name}: {', '.join(step.lines)}" for step in steps)
    reasons = tuple(
        Row((step["step"], why, count(n)))
        for step in result["funnel"]
        for why, n in step.get("reasons", {}).items()
    )
    table = Table(("Step", "Left out for", "Compounds"), reasons, right=(2,), compact=True)
    return (
        FlowDiagram("From what was written to what came through", said, tuple(steps)),
        *((table,) if reasons else ()),
    )


def _grid(picked: list[dict[str, Any]], result: dict[str, Any]) -> tuple[Block, ...]:
    shown = picked[:_DRAWN]
    how = (
        "picked one after the other, each as far as possible from all before it (largest smallest Tanimoto distance), "
        "starting from the best"
        if any(row["diverse"] for row in shown)
        else "in their order"
    )
    lead = Paragraph(f"{count(len(shown))} of {count(result['n_kept'])} compounds, {how}.", "lead")
    drawings = tuple(
        Drawing(draw_structure(row["smiles"]), f"Structure {row['rank']}", _caption(row), width=220)
        for row in shown
    )
    return lead, Grid(drawings, columns=4)


def _caption(row: dict[str, Any]) -> str:
    said = f"{row['rank']}: QED {number(row['qed'], 2)}, SA {number(row['synthetic_accessibility'], 1)}"
    if "predicted" in row:
        said += f", predicted {number(row['predicted'], 2)}"
        if row["low"] is not None and row["high"] is not None:
            said += f" [{number(row['low'], 2)}, {number(row['high'], 2)}]"
        if not row["in_domain"]:
            said += ", outside the domain"
    return said


def _properties(rows: list[dict[str, Any]]) -> Table:
    import numpy as np

    shown = []
    for name in PROPERTIES:
        values = np.array([row[name] for row in rows], dtype=float)
        cells = (
            [number(value, 2) for value in np.quantile(values, (0.05, 0.5, 0.95))]
            if len(values)
            else [NONE] * 3
        )
        shown.append(Row((name.replace("_", " "), *cells)))
    return Table(
        ("Property", "5 %", "Median", "95 %"),
        tuple(shown),
        right=(1, 2, 3),
        foot="Of all compounds that came through.",
    )
