"""Ways to ask for a curation and to read its tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from iatros.core.context import Context
from iatros.molecules.curating import curate
from iatros.molecules.requests import CurateRequest


class Curated(NamedTuple):
    """The result of a curation, and its two tables as rows of text."""

    result: dict[str, Any]
    compounds: list[dict[str, str]]
    lines: list[dict[str, str]]

    def reason(self, line: int) -> str:
        """Why a line was refused."""
        (row,) = (row for row in self.lines if row["line"] == str(line))
        assert row["status"] == "refused"
        return row["reason"]


def rows_of(document: Any) -> list[dict[str, str]]:
    """The rows that the writer of a document writes."""
    file = io.BytesIO()
    document(file)
    return list(csv.DictReader(io.StringIO(file.getvalue().decode(), newline="")))


@pytest.fixture
def curated() -> Callable[..., Curated]:
    """Curate what is given; alerts are off unless asked for, because they take the time."""

    def run(compounds: Any, **fields: Any) -> Curated:
        context = fields.pop("context", Context())
        request = CurateRequest(compounds=compounds, **{"alerts": "none", **fields})
        produced = curate(request, context)
        return Curated(
            produced.result,
            rows_of(produced.documents["compounds.csv"]),
            rows_of(produced.documents["lines.csv"]),
        )

    return run


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """A file with this text."""

    def write(text: str | bytes, name: str = "compounds.smi") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write
