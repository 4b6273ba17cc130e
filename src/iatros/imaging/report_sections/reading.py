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
        """The finding in words: `pneumonia`, `effusion`, or `biopsy malignant`."""
        if len(self.classes) == 2 and self.classes[1].lower() in _YES:
            return self.outcome
        if len(self.classes) == 2 and self.outcome.lower() in _NO_NAME:
            return self.classes[1]
        return super().event
