"""Reporting checklists: what each item asks, and how far the result of a run answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

UNKNOWN = "Missing: the run cannot know this"


@dataclass(frozen=True)
class Item:
    """One item or part of an item.

    `needs` are the parts of a result that must be there for it to be answered, `authors` what remains
    for people to write even then. An item without `needs` is one that no run can answer.
    """

    code: str
    chapter: str
    topic: str
    asks: str
    needs: tuple[str, ...] = ()
    section: str = ""
    """Address of the section of the report that answers it."""
    where: str = ""
    authors: str = ""
    only_with: str = ""
    """The part without which the item does not apply, and what to say then."""
    otherwise: str = ""


@dataclass(frozen=True)
class Answer:
    """How far an item is answered: reported, in part, missing, or not applicable; and where, or what is lacking."""

    item: Item
    status: str
    text: str


def answers(items: Sequence[Item], result: Mapping[str, Any]) -> list[Answer]:
    """An answer for each item (or part of one), in their order."""
    return [_answer(item, result) for item in items]


def to_be_written(found: Sequence[Answer]) -> list[str]:
    """Codes of the items that the authors must write, wholly or in part."""
    return [answer.item.code for answer in found if answer.status in ("missing", "in part")]


def _answer(item: Item, result: Mapping[str, Any]) -> Answer:
    if item.only_with and not _has(result, item.only_with):
        return Answer(item, "not applicable", item.otherwise)
    if not item.needs:
        return Answer(item, "missing", f"{UNKNOWN}; to be written: {item.authors}.")
    lacking = [need for need in item.needs if not _has(result, need)]
    if lacking:
        named = ", ".join(need.replace("_", " ").replace(".", " ") for need in lacking)
        return Answer(item, "missing", f"Missing: the run holds no {named}.")
    if item.authors:
        return Answer(item, "in part", f"{item.where} To be added: {item.authors}.")
    return Answer(item, "reported", item.where)


def _has(result: Mapping[str, Any], path: str) -> bool:
    """Whether the part at `path` (names joined by dots) is there, at the head or under `report`."""
    return any(_found(holder, path.split(".")) for holder in (result, result.get("report") or {}))


def _found(value: Any, names: list[str]) -> bool:
    for name in names:
        if not isinstance(value, Mapping):
            return False
        value = value.get(name)
    if isinstance(value, Mapping) and set(value) <= {"reason", "available", "not_available"}:
        return False
    return value is not None and value != [] and value != "" and value is not False
