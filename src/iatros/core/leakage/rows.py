"""Findings about rows and roles: identifiers, dates, the recording time, duplicates, patients on two sides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from iatros.core.intervals import group_codes
from iatros.core.leakage.columns import Coded, Severity, Suspect

_ID_NAME = re.compile(
    r"(^|[_.\- ])(id|ids|mrn|nhs|nbr|uuid|guid|sno|key|identifier|patientid|subjectid|encounterid)$|(?<=[a-z])I[dD]$",
    re.IGNORECASE,
)
_MIN_INFORMATIVE = 5
_MIN_ROWS = 50


def recorded_after(columns: Sequence[Coded]) -> list[Suspect]:
    """Columns that the data dictionary places after the prediction."""
    return [
        Suspect(
            (c.name,),
            "recorded-after",
            "certain",
            f"the data dictionary records {c.name} after the prediction",
            1.0,
        )
        for c in columns
        if c.recorded == "after_prediction"
    ]


def identifiers(columns: Sequence[Coded], groups: np.ndarray | None) -> list[Suspect]:
    """Columns that name a row or a patient rather than describe one."""
    return [s for c in columns if (s := _identifier(c, groups)) is not None]


def _identifier(column: Coded, groups: np.ndarray | None) -> Suspect | None:
    present = ~column.missing
    n = int(present.sum())
    values, _ = column.distinct
    if n < _MIN_ROWS or len(values) < 2:
        return None
    share = len(values) / n
    whole = column.categorical or (column.kind == "numeric" and bool((values == np.floor(values)).all()))
    named = bool(_ID_NAME.search(column.name))
    running = not column.categorical and whole and share == 1.0 and np.ptp(values) <= 1.5 * n
    same_as_group = groups is not None and whole and _one_to_one(column.values[present], groups[present])
    if (
        column.identifier
        or same_as_group
        or (whole and share > 0.98 and (named or running or column.categorical))
    ):
        why = (
            "is one value for each patient"
            if same_as_group
            else f"has {len(values)} different values in {n} rows"
        )
        return Suspect(
            (column.name,), "identifier", "likely", f"{column.name} {why}: it names patients", share
        )
    if named and whole and share > 0.3:
        said = (
            f"{column.name} is called like an identifier and has {len(values)} different values in {n} rows"
        )
        return Suspect((column.name,), "identifier", "look", said, share)
    return None


def _one_to_one(values: np.ndarray, groups: np.ndarray) -> bool:
    group, n_groups = group_codes(groups, len(groups))
    code, n_codes = group_codes(values, len(values))
    if n_groups != n_codes or n_groups < _MIN_ROWS or n_groups == len(values):
        return False
    return len(np.unique(group * np.int64(n_codes) + code)) == n_groups


def calendar_dates(columns: Sequence[Coded], prediction_time: np.ndarray | None) -> list[Suspect]:
    """Dates that lie after `prediction_time` (n,), in days since 1970-01-01, and calendar dates as predictors."""
    found = []
    for column in columns:
        if column.kind != "date" or column.missing.all():
            continue
        if prediction_time is not None:
            known = ~column.missing & ~np.isnan(prediction_time)
            after = int((column.values[known] > prediction_time[known]).sum())
            if after:
                said = f"{column.name} lies after the prediction time in {after} of {known.sum()} rows"
                found.append(
                    Suspect((column.name,), "calendar-date", "certain", said, after / int(known.sum()))
                )
                continue
        said = (
            f"{column.name} is a calendar date: what a model learns from it does not carry to later patients"
        )
        found.append(Suspect((column.name,), "calendar-date", "look", said, 0.0))
    return found


def groups_on_two_sides(groups: np.ndarray | None, sides: Mapping[str, np.ndarray] | None) -> list[Suspect]:
    """One finding for each pair of sides that share a patient."""
    if groups is None or not sides:
        return []
    names = [name for name in sides if len(sides[name])]
    members = {name: np.unique(groups[sides[name]]) for name in names}
    found = []
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            shared = len(np.intersect1d(members[one], members[other]))
            if shared:
                said = f"{shared} patients have rows on both {one} and {other}"
                found.append(Suspect((), "group-on-two-sides", "certain", said, float(shared)))
    return found


def duplicates(
    columns: Sequence[Coded],
    y: np.ndarray,
    groups: np.ndarray | None,
    sides: Mapping[str, np.ndarray] | None,
) -> list[Suspect]:
    """Rows of different patients that agree in every column, exactly or to three significant digits.

    With `sides` only repeats across two sides count, without them any repeat. Nothing is said where the
    columns are so coarse that repeats are to be expected (under independence, more than a tenth of what
    was seen), or where fewer than five columns vary.
    """
    used = [c for c in columns if len(c.distinct[0]) > 1 and not c.identifier]
    if len(used) < _MIN_INFORMATIVE or len(y) < _MIN_ROWS:
        return []
    side = _side_of_each_row(len(y), sides)
    group, _ = group_codes(groups, len(y))
    expected = _expected_repeats(used, len(y))
    known = np.sum([~c.missing for c in used], axis=0)
    enough = known >= max(_MIN_INFORMATIVE, 0.5 * len(used))
    for digits, words in ((15, "exactly"), (3, "to three significant digits")):
        keys = _row_hash(used, digits)
        pairs = _repeats(keys[enough], group[enough], side[enough], across=sides is not None)
        if pairs and pairs > 10 * expected:
            where = "on two sides of the split" if sides is not None else "in the table"
            said = (
                f"{pairs} rows repeat {words} a row of another patient {where} ({len(used)} columns compared)"
            )
            severity: Severity = "likely" if digits == 15 and sides is not None else "look"
            return [Suspect((), "duplicates", severity, said, float(pairs))]
    return []


def _side_of_each_row(n: int, sides: Mapping[str, np.ndarray] | None) -> np.ndarray:
    side = np.full(n, -1 if sides else 0)
    for number, rows in enumerate((sides or {}).values()):
        side[rows] = number
    return side


def _expected_repeats(columns: Sequence[Coded], n: int) -> float:
    """Pairs of rows that would agree if the columns were independent."""
    log_agreement = 0.0
    for column in columns:
        _, counts = column.distinct
        shares = np.append(counts, column.missing.sum()) / n
        log_agreement += float(np.log(np.sum(shares**2)))
    return float(0.5 * n * n * np.exp(log_agreement))


def _row_hash(columns: Sequence[Coded], digits: int) -> np.ndarray:
    """A 64-bit hash of each row (n,), numbers rounded to `digits` significant digits."""
    keys = np.zeros(len(columns[0].values), dtype=np.uint64)
    for column in columns:
        values = column.values
        if digits < 15 and not column.categorical:
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(values))))
                values = np.where(values == 0, 0.0, np.round(values * scale) / scale)
        bits = np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)
        keys = _mix(keys ^ bits)
    return keys


def _mix(x: np.ndarray) -> np.ndarray:
    """Finaliser of splitmix64 (Steele et al. 2014), so that the order of the columns counts."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _repeats(keys: np.ndarray, group: np.ndarray, side: np.ndarray, *, across: bool) -> int:
    """Rows whose key also occurs in another patient (and, with `across`, on another side) further up."""
    placed = side >= 0
    keys, group, side = keys[placed], group[placed], side[placed]
    order = np.lexsort((group, side, keys))
    same = keys[order][1:] == keys[order][:-1]
    other_patient = group[order][1:] != group[order][:-1]
    other_side = side[order][1:] != side[order][:-1]
    return int((same & other_patient & (other_side if across else True)).sum())
