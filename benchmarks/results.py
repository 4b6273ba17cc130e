"""One line of a benchmark, and the page that is generated from all of them."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
PAGE = Path(__file__).parent / "RESULTS.md"
_COLUMNS = ("what", "data", "asked", "measured")


@dataclass(frozen=True)
class Line:
    """What was asked, what was measured, and whether the one meets the other."""

    what: str
    data: str
    asked: str
    measured: str
    reached: bool
    command: str
    note: str = ""


def save(case: str, lines: list[Line], detail: dict[str, Any]) -> None:
    """Keep the results of a case and write the page anew."""
    FOLDER.mkdir(exist_ok=True)
    document = {
        "case": case,
        "machine": _machine(),
        "lines": [asdict(line) for line in lines],
        "detail": detail,
    }
    (FOLDER / f"{case}.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(_page())


def _machine() -> dict[str, str]:
    names = ("numpy", "scikit-learn", "lightgbm", "torch", "onnxruntime", "polars")
    versions = {name: metadata.version(name) for name in names}
    return {"python": platform.python_version(), "cores": str(_cores()), **versions}


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))


def _page() -> str:
    parts = [
        "# Measured results\n",
        "Written by `make bench CASE=...`; do not edit. Data: real and public, described in "
        "`benchmarks/data.py`. Models and parameters are chosen on tuning data only.\n",
    ]
    for path in sorted(FOLDER.glob("*.json")):
        document = json.loads(path.read_text())
        machine = ", ".join(f"{name} {value}" for name, value in document["machine"].items())
        parts.append(f"## {document['case']}\n\n{machine}\n")
        parts.append("| what | data | asked | measured | reached |\n|---|---|---|---|---|")
        rows = [
            "| " + " | ".join([*(line[key] for key in _COLUMNS), "yes" if line["reached"] else "no"]) + " |"
            for line in document["lines"]
        ]
        parts.append("\n".join(rows) + "\n")
        parts.append("Commands:\n")
        commands = dict.fromkeys(line["command"] for line in document["lines"])
        parts.append("\n".join(f"- `{command}`" for command in commands) + "\n")
        notes = [f"- {line['what']}: {line['note']}" for line in document["lines"] if line["note"]]
        if notes:
            parts.append("Notes:\n\n" + "\n".join(notes) + "\n")
    return "\n".join(parts)
