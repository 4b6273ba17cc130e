"""CLAIM, the checklist for AI in medical imaging: which of its 44 items the result of a run answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.checklist import Answer, Item, answers, to_be_written
from iatros.core.report import Section
from iatros.core.report_sections.checklist import checklist_section
from iatros.core.report_sections.reading import Result
from iatros.imaging.claim_items import ITEMS

_ELSEWHERE = Item(
    "33",
    "Methods: evaluation",
    "External test",
    "how it does on images from elsewhere",
    needs=("metrics",),
    section="models",
    where="All images of this report are from elsewhere, section Models.",
)
"""The item on external testing where that is the whole of the run."""


def checklist(result: Mapping[str, Any]) -> list[Answer]:
    """An answer for each item, in their order.

    >>> {answer.status for answer in checklist({})} <= {"missing", "not applicable"}
    True
    """
    external = result.get("validation") == "external"
    return answers([_ELSEWHERE if external and item.code == "33" else item for item in ITEMS], result)


def missing_items(result: Mapping[str, Any]) -> list[str]:
    """Codes of the items that the authors must write, wholly or in part.

    >>> missing_items({})[:3]
    ['1', '2', '3']
    """
    return to_be_written(checklist(result))


def claim_section(result: Result) -> Section:
    """Section: the 44 items, where each is answered, and those that the authors must write themselves."""
    return checklist_section(
        checklist(result.document),
        name="CLAIM",
        introduction="The items of CLAIM (Tejani et al. Radiol Artif Intell 2024;6:e240300), in our words; of",
        anchor="claim",
    )
