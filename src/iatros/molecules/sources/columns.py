"""Which column of a file holds what: those that were asked for, or those whose name says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iatros.core.errors import SchemaError, unknown_name
from iatros.molecules.schema import Entry

STRUCTURES = (
    "smiles",
    "canonical_smiles",
    "isomeric_smiles",
    "standardized_smiles",
    "smile",
    "structure",
    "ligand_smiles",
    "compound_smiles",
    "rdkit_smiles",
    "inchi",
    "standard_inchi",
    "mol",
)
"""Names of columns that are taken for structures, the first that is there; spelt in any case."""

IDENTIFIERS = (
    "molecule_chembl_id",
    "chembl_id",
    "compound_id",
    "mol_id",
    "id",
    "name",
    "compound_name",
    "title",
    "cid",
)


@dataclass(frozen=True)
class Wanted:
    """The columns that a request names; None where it leaves the choice to the names in the file."""

    smiles: str | None = None
    identifier: str | None = None
    activity: str | None = None
    relation: str | None = None
    unit: str | None = None
    more: tuple[str, ...] = ()
    """Further columns whose cells are handed on as they are."""

    def measured(self) -> tuple[str, ...]:
        """The columns that must be there and are about neither the structure nor its name."""
        named = (self.activity, self.relation, self.unit, *self.more)
        return tuple(one for one in named if one is not None)


@dataclass(frozen=True)
class Chosen:
    """The place of each column in a record; None where there is none."""

    structure: int
    identifier: int | None
    activity: int | None
    relation: int | None
    unit: int | None
    more: tuple[int, ...] = ()

    def entry(self, line: int, record: Sequence[str]) -> Entry:
        """The record that begins on `line`, its cells empty where there is no column."""
        places = (self.structure, self.identifier, self.activity, self.relation, self.unit)
        structure, name, activity, relation, unit = (
            "" if place is None else record[place].strip() for place in places
        )
        more = tuple(record[place].strip() for place in self.more) if self.more else ()
        return Entry(line, structure, name, activity, relation, unit, more=more)


def choose(header: Sequence[str], wanted: Wanted, source: str, notes: list[str]) -> Chosen:
    """Where in `header` the wanted columns stand; what was chosen by name is said in `notes`.

    UnknownNameError for a column that was asked for and is not there, SchemaError where no column is known
    to hold structures or a name stands twice.
    """
    structure = _place(header, wanted.smiles, source)
    if structure is None:
        structure = by_name(header, STRUCTURES)
        if structure is None:
            raise SchemaError(
                f"no column is known to hold structures; there are {', '.join(header[:20])}",
                where=source,
                hint="name it with smiles",
            )
        notes.append(f"structures were read from the column {header[structure]}")
    identifier = _place(header, wanted.identifier, source)
    if identifier is None:
        identifier = by_name(header, IDENTIFIERS)
        if identifier is not None:
            notes.append(f"compounds are named by the column {header[identifier]}")
    return Chosen(
        structure,
        identifier,
        _place(header, wanted.activity, source),
        _place(header, wanted.relation, source),
        _place(header, wanted.unit, source),
        tuple(_required(header, name, source) for name in wanted.more),
    )


def by_name(header: Sequence[str], known: Sequence[str]) -> int | None:
    """Where the first of the `known` names stands in `header`."""
    spelt = ["_".join(name.strip().lstrip("#").casefold().split()) for name in header]
    return next((spelt.index(name) for name in known if name in spelt), None)


def names_structures(header: Sequence[str], wanted: Wanted) -> bool:
    """Whether `header` is a line of column names, one of which is for structures."""
    return wanted.smiles in header or by_name(header, STRUCTURES) is not None


def _place(header: Sequence[str], name: str | None, source: str) -> int | None:
    return None if name is None else _required(header, name, source)


def _required(header: Sequence[str], name: str, source: str) -> int:
    if name not in header:
        raise unknown_name("column", name, header, where=source)
    if header.count(name) > 1:
        raise SchemaError(f"the header names the column {name!r} {header.count(name)} times", where=source)
    return header.index(name)
