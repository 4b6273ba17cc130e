"""What is needed to repeat the run, and what TRIPOD+AI asks for that the run cannot say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from iatros.core.report import Block, Code, Facts, Heading, Link, Note, Paragraph, Row, Section, Table, Tag
from iatros.core.report.document import Tone
from iatros.risk.report_sections.reading import Result, blocks
from iatros.risk.tripod import Answer, checklist

_TONES: dict[str, Tone] = {
    "reported": "good",
    "in part": "watch",
    "missing": "bad",
    "not applicable": "neutral",
}


def reproducibility_section(result: Result) -> Section:
    """Section: request, versions, seed, fingerprint."""
    created = result.mapping("created")
    run = result.part("run_id") or created.get("run_id")
    facts = (
        ("Run", str(run or "in the manifest and the run log")),
        ("Made at", str(created.get("at") or "in the manifest")),
        ("Seed", str(result.document.get("seed", "not recorded"))),
        ("Data fingerprint", str(result.mapping("data").get("fingerprint") or "not recorded")),
        ("Parent bundle", _parent(result.part("parent"))),
    )
    versions = result.mapping("versions")
    rows = tuple(Row((str(name), str(version))) for name, version in versions.items())
    found = blocks(
        Paragraph(
            "The same request on the same data with the same versions gives the same model, byte for byte.",
            "lead",
        ),
        Facts(facts),
        Heading("Request"),
        _request(result),
        Heading("Versions"),
        Table(("Package", "Version"), rows, compact=True) if rows else result.absent("versions"),
    )
    return Section("Reproducibility", found, "reproducibility", "TRIPOD+AI 18f, 22")


def _parent(parent: Any) -> str:
    if isinstance(parent, Mapping):
        return ", ".join(f"{key} {value}" for key, value in parent.items())
    return str(parent) if parent else "none"


def _request(result: Result) -> Block:
    request = result.mapping("request")
    if not request:
        return result.absent("request")
    shown = {name: _shown(name, value) for name, value in request.items()}
    return Code(json.dumps(shown, indent=2, ensure_ascii=False, default=str))


def _shown(name: str, value: Any) -> Any:
    """A table is named (its file, or its size), never written out: patients' values must not enter a report."""
    if name != "table" or value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        named = {key: value[key] for key in ("file", "rows", "frame") if _harmless(value.get(key))}
        if len(named) == len(value):
            return named
    return "a table given in memory"


def _harmless(value: Any) -> bool:
    parts = value if isinstance(value, (list, tuple)) else [value]
    return all(isinstance(part, int) for part in parts) or isinstance(value, str)


def tripod_section(result: Result) -> Section:
    """Section: the 27 items, where each is answered, and those that the authors must write themselves."""
    answers = checklist(result.document)
    kinds = {kind: sum(answer.status == kind for answer in answers) for kind in _TONES}
    summary = ", ".join(f"{n} {kind}" for kind, n in kinds.items() if n)
    lead = Paragraph(
        f"The 27 items of TRIPOD+AI (Collins et al. BMJ 2024;385:e078378), in our words; with their parts "
        f"{len(answers)}: {summary}. What the run cannot know is listed as missing, never invented.",
        "lead",
    )
    rows: list[Row] = []
    chapter = ""
    for answer in answers:
        if answer.item.chapter != chapter:
            chapter = answer.item.chapter
            rows.append(Row((chapter,), "heading"))
        rows.append(_answer_row(answer))
    missing = [answer for answer in answers if answer.status in ("missing", "in part")]
    note = Note(
        f"To be written by the authors: items {', '.join(answer.item.code for answer in missing)}.", "warning"
    )
    table = Table(("Item", "What it asks", "Status", "Where, or what is missing"), tuple(rows), compact=True)
    return Section("TRIPOD+AI checklist", blocks(lead, note if missing else None, table), "tripod")


def _answer_row(answer: Answer) -> Row:
    tag = Tag(answer.status, _TONES.get(answer.status, "neutral"))
    where: str | Link = answer.text
    if answer.status == "reported" and answer.item.section:
        where = Link(answer.text, answer.item.section)
    return Row((answer.item.code, f"{answer.item.topic}: {answer.item.asks}", tag, where))
