"""The 27 items of TRIPOD+AI in our own words, and which of them the result of a run answers.

Source: Collins GS et al. TRIPOD+AI statement. BMJ 2024;385:e078378. The numbering is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.checklist import Answer, answers, to_be_written
from iatros.core.report import Section
from iatros.core.report_sections.checklist import checklist_section
from iatros.core.report_sections.reading import Result
from iatros.core.tripod_items import ITEMS


def checklist(result: Mapping[str, Any]) -> list[Answer]:
    """An answer for each item (or part of one), in their order.

    >>> {answer.status for answer in checklist({})} <= {"missing", "not applicable"}
    True
    """
    return answers(ITEMS, result)


def missing_items(result: Mapping[str, Any]) -> list[str]:
    """Codes of the items that the authors must write, wholly or in part.

    >>> missing_items({})[:3]
    ['1', '2', '3a']
    """
    return to_be_written(checklist(result))


def tripod_section(result: Result) -> Section:
    """Section: the 27 items, where each is answered, and those that the authors must write themselves."""
    return checklist_section(
        checklist(result.document),
        name="TRIPOD+AI",
        introduction="The 27 items of TRIPOD+AI (Collins et al. BMJ 2024;385:e078378), in our words; with their parts",
        anchor="tripod",
    )
