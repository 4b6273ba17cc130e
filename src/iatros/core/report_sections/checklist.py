"""A reporting checklist as a section: where each item is answered, and what the authors must write themselves."""

from __future__ import annotations

from collections.abc import Sequence

from iatros.core.checklist import Answer
from iatros.core.report import Link, Note, Paragraph, Row, Section, Table, Tag
from iatros.core.report.document import Tone
from iatros.core.report_sections.reading import blocks

_TONES: dict[str, Tone] = {
    "reported": "good",
    "in part": "watch",
    "missing": "bad",
    "not applicable": "neutral",
}


def checklist_section(answers: Sequence[Answer], *, name: str, introduction: str, anchor: str) -> Section:
    """Section: every item of the checklist called `name`; `introduction` says which edition, in whose words."""
    kinds = {kind: sum(answer.status == kind for answer in answers) for kind in _TONES}
    summary = ", ".join(f"{n} {kind}" for kind, n in kinds.items() if n)
    lead = Paragraph(
        f"{introduction} {len(answers)}: {summary}. What the run cannot know is listed as missing, never invented.",
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
    return Section(f"{name} checklist", blocks(lead, note if missing else None, table), anchor)


def _answer_row(answer: Answer) -> Row:
    tag = Tag(answer.status, _TONES.get(answer.status, "neutral"))
    where: str | Link = answer.text
    if answer.status == "reported" and answer.item.section:
        where = Link(answer.text, answer.item.section)
    return Row((answer.item.code, f"{answer.item.topic}: {answer.item.asks}", tag, where))
