"""A completed table under the names that a bundle holds: its rows are drugs, its columns are targets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from iatros.learners.completion.table import Completion, Settings

_SIDES = {"row": "drug", "column": "target"}


def stored(completion: Completion) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and the arrays of `completion`, by the names of a bundle."""
    return _renamed(asdict(completion.settings), _SIDES), _renamed(completion.arrays(), _SIDES)


def restored(settings: dict[str, Any], arrays: dict[str, Any]) -> Completion:
    """The completion of which `stored` gave the settings and the arrays."""
    sides = {stored: side for side, stored in _SIDES.items()}
    return Completion.load(Settings(**_renamed(settings, sides)), _renamed(arrays, sides))


def _renamed(named: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    """`named` with the words of its keys exchanged, in the plural too."""
    plural = {f"{one}s": f"{other}s" for one, other in words.items()}
    every = words | plural
    return {
        "_".join(every.get(word, word) for word in name.split("_")): value for name, value in named.items()
    }
