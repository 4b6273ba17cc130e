"""What a row of the knowledge says, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from iatros.core.errors import RequestError
from iatros.treatment.safety.names import CLASS
from iatros.treatment.safety.thresholds import Threshold

Kind = Literal["interaction", "contraindication", "allergy", "duplicate"]


@dataclass(frozen=True)
class Scale:
    """Severities from the least to the worst."""

    names: tuple[str, ...] = ("minor", "moderate", "major", "contraindicated")

    def rank(self, severity: str) -> int:
        """The place of a severity, 0 for the least; RequestError where the scale does not have it."""
        if severity not in self.names:
            raise RequestError(
                f"the knowledge has no severity {severity!r}",
                where="hard_stop",
                hint=f"one of {', '.join(self.names)}",
            )
        return self.names.index(severity)


@dataclass(frozen=True, slots=True)
class Party:
    """A drug or an ATC class that a rule is about: `key` in one spelling, `written` as in the table."""

    key: str
    written: str
    is_class: bool = False


def class_key(code: str) -> str:
    """The key of an ATC class."""
    return CLASS + code


@dataclass(frozen=True, slots=True)
class Rule:
    """What every rule has. `line` is the line of the file, or the position among rows that came without a file."""

    kind: ClassVar[Kind]
    severity: str
    mechanism: str
    source: str
    table: str
    line: int
    place: str
    """Where the rule stands, in words."""


@dataclass(frozen=True, slots=True)
class Interaction(Rule):
    """Two drugs or classes that are not to be taken together."""

    kind = "interaction"
    one: Party
    other: Party

    @property
    def text(self) -> str:
        """The rule in a few words."""
        return f"{self.one.written} with {self.other.written}"


@dataclass(frozen=True, slots=True)
class Contraindication(Rule):
    """A drug or class that is not for patients with a condition (`condition` in one spelling) or beyond a threshold.

    With `prefix` the rule is about every condition, or code, that begins so.
    """

    kind = "contraindication"
    drug: Party
    condition: str | None
    prefix: bool
    threshold: Threshold | None
    written: str

    @property
    def text(self) -> str:
        """The rule in a few words."""
        return f"{self.drug.written} and {self.written}"


@dataclass(frozen=True, slots=True)
class AllergyRule(Rule):
    """A drug or class that is not for patients with an allergy (`allergy` in one spelling)."""

    kind = "allergy"
    drug: Party
    allergy: str
    written: str

    @property
    def text(self) -> str:
        """The rule in a few words."""
        return f"{self.drug.written} in allergy to {self.written}"


@dataclass(frozen=True, slots=True)
class Duplicate(Rule):
    """Two drugs of one ATC class: both in `code` (empty: anywhere), and alike down to `level`."""

    kind = "duplicate"
    code: str
    level: int

    @property
    def text(self) -> str:
        """The rule in a few words."""
        within = f" of {CLASS}{self.code}" if self.code else ""
        return f"two drugs{within} that share ATC level {self.level}"
