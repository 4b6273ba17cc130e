"""A result as the imaging report reads it."""

from __future__ import annotations

from dataclasses import dataclass

from iatros.core.report_sections.reading import Result

_NO_NAME = frozenset({"label", "class", "target", "diagnosis", "y"})
"""Names of a label column that say nothing of the finding."""
_YES = frozenset({"1", "yes", "true"})


@dataclass(frozen=True)
class Reading(Result):
    """A result whose event is called by what says something: the class, the label column, or both."""

    @property
    def event(self) -> str:
        """The finding in words: `pneumonia`, `effusion`, `biopsy malignant`, or `label 1`."""
        if len(self.classes) != 2:
            return super().event
        named, told = self.outcome.lower() not in _NO_NAME, self.classes[1].lower() not in _YES
        if named == told:
            return super().event
        return self.outcome if named else self.classes[1]
