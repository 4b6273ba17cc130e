"""Checklists: an item is answered by what the result holds, never by what it might."""

from __future__ import annotations

import pytest

from iatros.core.checklist import UNKNOWN, Item, answers, to_be_written
from iatros.core.report_sections.checklist import checklist_section

ITEMS = (
    Item("1", "Methods", "Data", "where from", needs=("data.source",), section="data", where="Section Data."),
    Item("2", "Methods", "Model", "which", needs=("model",), where="The title.", authors="why this one"),
    Item("3", "Results", "Sites", "each", needs=("sites",), only_with="sites", otherwise="No sites."),
    Item("4", "Results", "Funding", "who paid", authors="funding"),
)


@pytest.mark.parametrize(
    ("result", "statuses"),
    [
        ({}, ["missing", "missing", "not applicable", "missing"]),
        ({"data": {"source": "dicom"}, "model": "cnn"}, ["reported", "in part", "not applicable", "missing"]),
        ({"report": {"data": {"source": "dicom"}}}, ["reported", "missing", "not applicable", "missing"]),
        ({"data": {"source": ""}, "sites": {"a": 1}}, ["missing", "missing", "reported", "missing"]),
        ({"sites": {"reason": "one site"}}, ["missing", "missing", "not applicable", "missing"]),
    ],
)
def test_the_status_follows_the_result(result: dict[str, object], statuses: list[str]) -> None:
    found = answers(ITEMS, result)
    assert [answer.status for answer in found] == statuses
    assert to_be_written(found) == [
        answer.item.code for answer in found if answer.status in ("missing", "in part")
    ]
    assert found[3].text.startswith(UNKNOWN)


def test_the_section_groups_items_by_chapter_and_links_what_is_reported() -> None:
    found = answers(ITEMS, {"data": {"source": "dicom"}})
    section = checklist_section(
        found, name="CHECK", introduction="The items of CHECK, in our words; of", anchor="check"
    )
    said = repr(section)
    assert section.title == "CHECK checklist"
    assert "of 4: 1 reported, 2 missing, 1 not applicable" in said
    assert "items 2, 4." in said
    assert "Link(text='Section Data.', anchor='data')" in said
    assert [row.cells[0] for row in section.blocks[-1].rows if row.kind == "heading"] == [
        "Methods",
        "Results",
    ]  # type: ignore[union-attr]
