"""The files of an optimisation: every score, the best compounds, and the page that shows the search."""

from __future__ import annotations

from typing import Any, BinaryIO

from iatros.core.context import Document as File
from iatros.core.delimited import csv_line, csv_text
from iatros.molecules.optimisers.describing import Found
from iatros.molecules.optimisers.ledger import Ledger
from iatros.molecules.optimisers.page import page
from iatros.molecules.sdf import sdf_record

_COLUMNS = ("call", "smiles", "score", "reward", "origin", "reason")


def documents(result: dict[str, Any], ledger: Ledger, found: Found) -> dict[str, File]:
    """scored.csv with every compound in the order of the calls, best.csv and best.sdf, and optimisation.html."""
    parts, values = _names(ledger)

    def scored(file: BinaryIO) -> None:
        head = (*_COLUMNS, *(f"{name} (part)" for name in parts), *(f"{name} (value)" for name in values))
        file.write(csv_line(head).encode())
        for smiles, row in sorted(ledger.rows.items(), key=lambda item: item[1].call or len(ledger.rows) + 1):
            one = row.scored
            score = None if row.score != row.score else row.score
            line = [row.call or None, smiles, score, row.reward, row.origin, one.reason]
            line += [one.parts.get(name) for name in parts]
            line += [None if (v := one.values.get(name)) is None or v != v else v for name in values]
            file.write(csv_line(line).encode())

    def sdf(file: BinaryIO) -> None:
        for row in found.rows:
            file.write(sdf_record({"name": str(row["rank"]), **row}).encode())

    columns = found.rows[0] if found.rows else ("rank", "smiles", "score", "call")
    return {
        "scored.csv": scored,
        "best.csv": csv_text({name: [row[name] for row in found.rows] for name in columns}).encode(),
        "best.sdf": sdf,
        "optimisation.html": page(result, found.rows).encode(),
    }


def _names(ledger: Ledger) -> tuple[list[str], list[str]]:
    """Names of the parts and of the values, in the order of the objective."""
    parts: dict[str, None] = {}
    values: dict[str, None] = {}
    for row in ledger.rows.values():
        parts |= dict.fromkeys(row.scored.parts)
        values |= dict.fromkeys(row.scored.values)
    return list(parts), list(values)
