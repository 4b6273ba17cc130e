"""What a column of activities holds, numbers or two classes, and what its cells mean for learning."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from iatros.core.errors import OutcomeError, RequestError
from iatros.core.task import Target
from iatros.molecules.curation.accounting import ranked
from iatros.molecules.curation.measuring import MISSING, MeasurementError, Scale, is_number, measure
from iatros.molecules.curation.reconciling import Reconciled
from iatros.molecules.schema import Entry, Measurement

MANY_LABELS = 10
"""Different numbers above which a column is no column of classes, and different texts above which none is shown."""

_YES = frozenset(("1", "yes", "y", "true", "t", "positive", "pos", "active", "hit", "toxic", "+"))
_NO = frozenset(("0", "no", "n", "false", "f", "negative", "neg", "inactive", "nontoxic", "non-toxic", "-1"))
_NEGATIONS = ("in", "un", "non", "non-", "non ", "not ", "not-", "not_", "non_", "no ")
_COMPARISON = re.compile(r"(>=|<=|>|<|≥|≤)\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)")
_INVERSE = {">=": "<", "<": ">=", ">": "<=", "<=": ">"}


class Asked(NamedTuple):
    """What the request says of all endpoints."""

    task: str = "auto"
    positive: str | None = None
    unit: str | None = None
    per_line: bool = False


class Threshold(NamedTuple):
    """A comparison that makes classes of numbers."""

    sign: str
    value: float

    @property
    def classes(self) -> tuple[str, str]:
        """The names of the two classes."""
        return f"{_INVERSE[self.sign]}{self.value:g}", f"{self.sign}{self.value:g}"

    def decides(self, found: Reconciled) -> float | None:
        """1 or 0 by the side on which the true value lies; None where its bounds leave that open."""
        low = found.value if found.relation == "exact" else found.low if found.relation != "below" else None
        high = found.value if found.relation == "exact" else found.high if found.relation != "above" else None
        upward = self.sign in (">", ">=")
        if found.relation == "exact" and low == self.value:
            return float(self.sign in (">=", "<="))
        if low is not None and low >= self.value:
            return float(upward)
        if high is not None and high <= self.value:
            return float(not upward)
        return None


@dataclass(frozen=True)
class Endpoint:
    """How the cells of one column are read: as numbers, as numbers on either side of a threshold, or as labels.

    `labels` gives the class of each label; of those that it does not name, `others` is the class, and they are refused
    where that is None. Beside numbers, text is refused always.
    """

    target: Target
    scale: Scale
    threshold: Threshold | None = None
    labels: tuple[tuple[str, int], ...] = ()
    others: int | None = None

    def measured(self, entry: Entry) -> tuple[Measurement | None, str]:
        """The measurement in `entry.activity` and a remark; None for an empty cell. MeasurementError says why not."""
        if self.target.task == "continuous" or self.threshold is not None:
            return measure(entry, self.scale)
        if entry.activity.casefold() in MISSING:
            return None, ""
        spelt = spell(entry.activity)
        labels = dict(self.labels)
        astray = all(map(is_number, labels)) and not is_number(spelt)
        found = labels.get(spelt, None if astray else self.others)
        if found is None:
            raise MeasurementError(f"class: {spelt[:40]!r} is neither {' nor '.join(self.target.classes)}")
        return Measurement(None, "exact", str(found)), ""

    def value(self, found: Reconciled) -> tuple[float, int]:
        """What is learned of a compound: y, nan where nothing can be, and 1 or -1 where the truth is above or below."""
        if self.threshold is not None:
            decided = self.threshold.decides(found)
            return (float("nan") if decided is None else decided), 0
        if self.target.task == "binary":
            return (float(found.label) if found.label else float("nan")), 0
        if found.value is None:
            return float("nan"), 0
        return found.value, {"above": 1, "below": -1}.get(found.relation, 0)


def spell(cell: str) -> str:
    """A label in lower case, a number in its shortest form."""
    text = cell.strip().casefold()
    if not is_number(text) or text[:1] in "<>=~" or "," in text:
        return text
    return f"{float(text):g}"


def endpoint_of(name: str, cells: Iterable[str], asked: Asked) -> Endpoint:
    """How the column `name` with these cells is to be read.

    Where half of the filled cells are numbers it is a column of numbers, in which text is refused. Numbers that are 0
    and 1 or only two, and labels of which there are two, are classes. OutcomeError where nothing was measured, where
    there is one class only, three or more without `positive`, or where it is not clear which class is the active one.
    """
    shown: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for cell in cells:
        if cell.casefold() not in MISSING:
            spelt = spell(cell)
            counts[spelt] += 1
            shown.setdefault(spelt, spelt if is_number(spelt) else cell.strip())
    where = f"column {name}"
    if not counts:
        raise OutcomeError("no compound has a value: every cell is empty", where=where)
    numbers = Counter({label: n for label, n in counts.items() if is_number(label)})
    numeric = 2 * numbers.total() >= counts.total()
    threshold = threshold_of(asked.positive)
    if threshold is not None:
        scale = _scale(name, asked, numeric, counts)
        return Endpoint(Target(name, "binary", threshold.classes), scale, threshold)
    seen = numbers if numeric else counts
    concentration = asked.per_line or asked.unit is not None
    if asked.positive is not None:
        return _against_the_rest(name, seen, shown, asked, numeric)
    few = len(seen) <= 2 and not any(label[:1] in "<>=~≥≤≈" for label in seen)
    if asked.task == "binary" or (asked.task == "auto" and not concentration and (few or not numeric)):
        return _two_classes(name, seen, shown, numeric)
    unit = asked.unit if asked.unit not in (None, "none") else None
    unit = "minus log10 of mol/L" if unit is not None or asked.per_line else None
    return Endpoint(Target(name, "continuous", unit=unit), _scale(name, asked, numeric, counts))


def trained_endpoint(target: Target, asked: Asked) -> Endpoint:
    """How a column is to be read for a model that was trained on `target`: in its classes, or as numbers."""
    scale = Scale(asked.unit, asked.per_line)
    if target.task == "continuous":
        return Endpoint(target, scale)
    threshold = threshold_of(target.classes[1])
    if threshold is not None and threshold.classes == target.classes:
        return Endpoint(target, scale, threshold)
    first, second = map(spell, target.classes)
    if first == f"not {second}":
        return Endpoint(target, scale, labels=((second, 1),), others=0)
    return Endpoint(target, scale, labels=((first, 0), (second, 1)))


def threshold_of(positive: str | None) -> Threshold | None:
    """The comparison in `positive`, such as >=6.5; None where it is a value."""
    found = _COMPARISON.fullmatch((positive or "").strip())
    if found is None:
        return None
    return Threshold(found[1].replace("≥", ">=").replace("≤", "<="), float(found[2]))


def _scale(name: str, asked: Asked, numeric: bool, counts: Counter[str]) -> Scale:
    if not numeric:
        raise OutcomeError(
            f"most cells are text, where numbers are needed: {_listed(counts)}",
            where=f"column {name}",
            hint="name the column with the numbers",
        )
    return Scale(asked.unit, asked.per_line)


def _against_the_rest(
    name: str, seen: Counter[str], shown: dict[str, str], asked: Asked, numeric: bool
) -> Endpoint:
    """Classes where one value is called positive."""
    assert asked.positive is not None
    where, positive = f"column {name}", spell(asked.positive)
    if asked.unit is not None or asked.per_line:
        raise RequestError(
            "positive is a value, and a concentration needs a comparison", hint="such as >=6.5"
        )
    if numeric and len(seen) > MANY_LABELS:
        raise OutcomeError(
            f"the column holds {len(seen):,} different numbers, so one of them makes no class",
            where=where,
            hint=f"give positive as a comparison, such as >={asked.positive}",
        )
    if positive not in seen:
        raise OutcomeError(
            f"no compound has the value {asked.positive!r}", where=where, hint=f"there are {_listed(seen)}"
        )
    others = [label for label in seen if label != positive]
    if not others:
        raise _one_class(name, seen)
    if len(others) == 1:
        classes = (shown[others[0]], shown[positive])
        return Endpoint(Target(name, "binary", classes), Scale(None), labels=((others[0], 0), (positive, 1)))
    target = Target(name, "binary", (f"not {shown[positive]}", shown[positive]))
    return Endpoint(target, Scale(None), labels=((positive, 1),), others=0)


def _two_classes(name: str, seen: Counter[str], shown: dict[str, str], numeric: bool) -> Endpoint:
    if len(seen) > 2:
        hint = (
            "give positive, a value or a comparison such as >=6.5"
            if numeric
            else "give positive, the value that counts as active; all other values are then one class"
        )
        raise OutcomeError(
            f"there must be two classes, and there are {_listed(seen)}",
            where=f"column {name}",
            hint=hint,
        )
    if len(seen) < 2:
        raise _one_class(name, seen)
    first, second = _active_last(sorted(seen, key=float) if numeric else sorted(seen), name, numeric)
    target = Target(name, "binary", (shown[first], shown[second]))
    return Endpoint(target, Scale(None), labels=((first, 0), (second, 1)))


def _active_last(labels: list[str], name: str, numeric: bool) -> tuple[str, str]:
    """The two labels, the one that plainly is the active one last; of two numbers that is the greater."""
    first, second = labels
    if numeric or second in _YES or first in _NO or any(first == n + second for n in _NEGATIONS):
        return first, second
    if first in _YES or second in _NO or any(second == n + first for n in _NEGATIONS):
        return second, first
    raise OutcomeError(
        f"which of {first!r} and {second!r} is the active one?",
        where=f"column {name}",
        hint=f"give positive, for example {second!r}",
    )


def _one_class(name: str, seen: Counter[str]) -> OutcomeError:
    ((label, n),) = seen.items()
    return OutcomeError(
        f"all {n:,} compounds with a value are of one class, {label!r}, so there is nothing to tell apart",
        where=f"column {name}",
    )


def _listed(counts: Counter[str]) -> str:
    """The labels and how often each comes; only their number where there are so many that they are no classes."""
    if len(counts) > MANY_LABELS:
        return f"{len(counts):,} different ones; is it the right column?"
    return ", ".join(f"{label[:40]!r} ({n:,})" for label, n in ranked(counts).items())
