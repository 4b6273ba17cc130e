"""What a line of input is, and what becomes of it."""

from __future__ import annotations

from typing import NamedTuple

BLANK = "blank"
"""The refusal of a line with nothing on it, which is counted and is no compound."""


class Entry(NamedTuple):
    """One line or record as it was read, before anything is known of its chemistry.

    `line` counts from 1: the line of a text file on which the record begins, or the row of a DataFrame or
    list. `structure` is SMILES or InChI, or the mol block of an SDF record where `molblock` is true. The
    measurement, its relation and its unit are still text; so is `more`, the cells of further columns that were
    asked for, in that order. A `refusal` says why the line could not even be
    cut into these (`BLANK` where there is nothing to cut).
    """

    line: int
    structure: str = ""
    name: str = ""
    activity: str = ""
    relation: str = ""
    unit: str = ""
    molblock: bool = False
    refusal: str = ""
    more: tuple[str, ...] = ()


class Measurement(NamedTuple):
    """A measurement on the scale of the result.

    `relation` is exact, above (the true value lies above `value`), below or between; of a class, `label`
    holds the class and `value` is None.
    """

    value: float | None
    relation: str = "exact"
    label: str = ""


class Structure(NamedTuple):
    """A standardised structure, what was changed to get there, and what is unusual about it."""

    smiles: str
    inchikey: str
    changes: tuple[str, ...]
    flags: tuple[str, ...]
    alerts: tuple[str, ...]
    rules: tuple[str, ...]
    properties: tuple[float, ...]


class Identified(NamedTuple):
    """The standard structure of an entry, or the reason why it is refused."""

    refusal: str
    smiles: str = ""
    inchikey: str = ""
    changes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Judged(NamedTuple):
    """An entry after its chemistry and its measurement were read: a structure, or the reason of a refusal."""

    line: int
    name: str
    given: str
    refusal: str
    structure: Structure | None = None
    measurement: Measurement | None = None
    remark: str = ""
