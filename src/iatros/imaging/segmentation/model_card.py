"""The model card of a segmentation: one page of Markdown that travels with the bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from iatros.core.report.numbers import NONE, count
from iatros.core.report_sections.headline import judged_by
from iatros.core.report_sections.reading import Result, estimate
from iatros.imaging.segmentation.report import LABELS, findings, spoken, structures

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~$])")


def model_card(result: Mapping[str, Any]) -> str:
    """The card as Markdown; names from the data are escaped, so they can neither format nor link."""
    reading = Result(result)
    names = spoken(structures(reading))
    parts = [
        f"# Model card: {plain(reading.model)} for {plain(names)}",
        "> Research software, not a medical device. Not for the care of patients without approval and local "
        "validation.",
        _identity(reading, names),
        "## Use\n\nGives a label map on the image's own grid, the volume of each structure, and flags for volumes that "
        "training did not have. Intended for research and for local validation.\n\nNot stated by the run, to be "
        "written by the authors: intended patients, place in the care pathway, intended users, what must not be done "
        "with it.",
        _performance(reading),
        "## What to weigh\n\n"
        + "\n".join(
            [
                *(f"- {found.word}: {plain(found.text)}" for found in findings(reading)),
                *(f"- Note: {plain(note)}" for note in reading.items("notes")),
                "- Performance elsewhere is unknown: evaluate on local patients first.",
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def plain(text: object) -> str:
    """`text` on one line, without meaning to Markdown or HTML."""
    line = " ".join(str(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("://", ":&#47;&#47;")
    return _SPECIAL.sub(r"\\\1", line)


def _identity(result: Result, names: str) -> str:
    data = result.mapping("data")
    rows = [
        ("Question", f"Which voxels belong to {names}?"),
        ("Method", result.model),
        ("Images with label maps", count(data.get("n_used"))),
        ("Seed", result.document.get("seed", NONE)),
        ("Data fingerprint", data.get("fingerprint") or NONE),
    ]
    return "## Model\n\n" + _table(("", ""), rows)


def _performance(result: Result) -> str:
    rows = []
    for key, document in result.headline.items():
        name = next((one for one in LABELS if key == one or key.startswith(f"{one}_")), None)
        label = (
            f"{LABELS[name][0]}{key.removeprefix(name).replace('_', ' ')}" if name else key.replace("_", " ")
        )
        rows.append((label, estimate(document), count(document["n"]), document["interval"]))
    if not rows:
        return "## Performance\n\nNo structure was there to be judged."
    table = _table(("Measure", "Value (interval)", "n", "Method of the interval"), rows)
    return f"## Performance\n\nOn {plain(judged_by(result))}.\n\n{table}"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(plain(cell) for cell in row) + " |" for row in rows])
