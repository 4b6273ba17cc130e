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


def save(case: str, part: str, lines: list[Line], detail: dict[str, Any]) -> None:
    """Keep the results of one part of a case in place of its older ones, and write the page anew."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{case}.json"
    document = json.loads(path.read_text()) if path.exists() else {"case": case, "parts": {}}
    document["machine"] = _machine()
    document["parts"][part] = {"lines": [asdict(line) for line in lines], "detail": detail}
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(_page())


def stored_details(case: str) -> dict[str, Any]:
    """The numbers of each part of a case that has been measured, by the name of the part."""
    path = FOLDER / f"{case}.json"
    parts = json.loads(path.read_text())["parts"] if path.exists() else {}
    return {name: part["detail"] for name, part in parts.items()}


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
        lines = [line for part in document["parts"].values() for line in part["lines"]]
        parts += _section(document["case"], document["machine"], lines)
    return "\n".join(parts)


def _section(case: str, machine: dict[str, str], lines: list[dict[str, Any]]) -> list[str]:
    rows = ["| " + " | ".join([*(line[key] for key in _COLUMNS), _verdict(line)]) + " |" for line in lines]
    commands = [f"- `{command}`" for command in dict.fromkeys(line["command"] for line in lines)]
    notes = [f"- {line['what']}: {line['note']}" for line in lines if line["note"]]
    return [
        f"## {case}\n",
        ", ".join(f"{name} {value}" for name, value in machine.items()) + "\n",
        "| what | data | asked | measured | reached |\n|---|---|---|---|---|",
        "\n".join(rows) + "\n",
        "Commands:\n",
        "\n".join(commands) + "\n",
        *(["Notes:\n", "\n".join(notes) + "\n"] if notes else []),
    ]


def _verdict(line: dict[str, Any]) -> str:
    return "yes" if line["reached"] else "no"
