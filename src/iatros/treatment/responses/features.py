"""What is known of subjects and of treatments, read from tables and turned into numbers.

A reader is learned from the table of the training and kept in the bundle, so that new subjects and treatments are read
in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from iatros.core.errors import TableError, unknown_name
from iatros.learners.tabular.encoding import Encoder, fit_encode
from iatros.learners.tabular.imputation import Imputer, fit_imputers
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.schema import TableSchema
from iatros.learners.tabular.table import Table
from iatros.treatment.responses.names import names_of
from iatros.treatment.responses.schema import Block, Features

_MAX_LEVELS = 60
_FINGERPRINT_BITS = 2048


@dataclass(frozen=True)
class FeatureReader:
    """Columns and, of treatments, structures, as numbers. `encoder` is None where there are structures alone."""

    schema: TableSchema
    encoder: Encoder | None
    imputer: Imputer | None
    smiles: str | None = None

    def read(self, table: Table) -> Features:
        """One row for each row of `table`, which has the columns of the schema and that of the structures."""
        parts: list[tuple[np.ndarray, str, str]] = []
        if self.encoder is not None and self.imputer is not None:
            X = self.imputer.transform(self.encoder.transform(table.frame))
            parts += _by_kind(self.encoder, X)
        if self.smiles is not None:
            parts.append((_fingerprints(table, self.smiles), self.smiles, "bits"))
        return _side_by_side(parts)

    def neutral(self) -> Features:
        """One row that stands for a subject of whom nothing is known: the means and the commonest of nothing."""
        frame = pl.DataFrame(
            {name: pl.Series(name, [None], dtype=_type_of(self.schema, name)) for name in self.schema.names}
        )
        rows = Table(frame, self.schema, "nothing", np.zeros(1, dtype=np.int64))
        if self.smiles is not None:
            rows = Table(
                frame.with_columns(pl.Series(self.smiles, [None], dtype=pl.String)),
                self.schema, "nothing", rows.rows,
            )  # fmt: skip
        return self.read(rows)

    def document(self) -> dict[str, Any]:
        """What `arrays` leaves out, ready for JSON."""
        return {
            "schema": self.schema.model_dump(mode="json"),
            "encoder": None if self.encoder is None else self.encoder.document(),
            "imputer": None if self.imputer is None else self.imputer.kind,
            "smiles": self.smiles,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The learned numbers, by name."""
        if self.encoder is None or self.imputer is None:
            return {}
        return {f"encoder/{k}": v for k, v in self.encoder.arrays().items()} | {
            f"imputer/{k}": v for k, v in self.imputer.arrays().items()
        }

    @classmethod
    def load(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> FeatureReader:
        """The reader that `document()` and `arrays()` describe."""
        encoder = imputer = None
        if document["encoder"] is not None:
            encoder = Encoder.load(document["encoder"], _under("encoder/", arrays))
            imputer = Imputer.load(document["imputer"], _under("imputer/", arrays))
        schema = TableSchema.model_validate(document["schema"])
        return cls(schema, encoder, imputer, document["smiles"])


@dataclass(frozen=True)
class Described:
    """Features in the order of `names`, and notes on what was left out of the table or missing in it."""

    reader: FeatureReader
    features: Features
    notes: tuple[str, ...]


def describe(
    table: Table, key: str, names: Sequence[str], *, what: str, smiles: str | None = None
) -> Described:
    """Learn a reader from `table`, whose column `key` names the subject or treatment, and read `names` with it.

    `what` is the word for them in messages, such as subjects. TableError where one stands twice or nothing is told;
    a name that the table lacks gets what stands for nothing known, and is counted in the notes.
    """
    rows, notes = _rows_of(table, key, names, what)
    roles = {key, smiles}
    kept = [one for one in table.schema.columns if one.name not in roles and not one.identifier]
    left = [one.name for one in table.schema.columns if one.name not in roles and one.identifier]
    if left:
        notes.append(f"{', '.join(left)} look like identifiers of {what} and are not learned from")
    if smiles is not None and smiles not in table.schema.names:
        raise unknown_name("column", smiles, table.schema.names, where=table.source)
    if not kept and smiles is None:
        raise TableError(f"tells nothing of the {what} beside their names", where=table.source)
    encoder = imputer = None
    seen = table.take(rows[rows >= 0])
    if kept:
        part = seen.select([one.name for one in kept])
        encoder, X = fit_encode(part, scale=True, max_levels=_MAX_LEVELS)
        imputer = fit_imputers("simple", X)[0][0]
    schema = TableSchema(columns=tuple(kept))
    reader = FeatureReader(schema, encoder, imputer, smiles)
    return Described(reader, _placed(reader, table, rows), tuple(notes))


def described_by(
    reader: FeatureReader, table: Table, key: str, names: Sequence[str], *, what: str
) -> Features:
    """`names` read from another table by a reader that was learned before."""
    rows, _ = _rows_of(table, key, names, what)
    return _placed(reader, table, rows)


def read_features(reference: Any, reader: FeatureReader, key: str, *, others: Sequence[str] = ()) -> Table:
    """A table for `reader`: the columns of its schema, the key, the structures, and `others` that it may have."""
    extra = (key, *others, *(() if reader.smiles is None else (reader.smiles,)))
    return read_table(reference, schema=reader.schema, allowed_extra=extra)


def _rows_of(table: Table, key: str, names: Sequence[str], what: str) -> tuple[np.ndarray, list[str]]:
    """The row of each name, -1 where the table lacks it."""
    if key not in table.frame.columns:
        raise unknown_name("column", key, table.frame.columns, where=table.source)
    found: dict[str, int] = {}
    for row, name in enumerate(names_of(table.frame[key])):
        if name is None:
            continue
        if found.setdefault(name, row) != row:
            raise TableError(
                f"tells of one of the {what} twice", where=f"{table.source}, line {int(table.rows[row])}",
                hint=f"give each of the {what} one row",
            )  # fmt: skip
    rows = np.array([found.get(name, -1) for name in names], dtype=np.int64)
    missing = int((rows < 0).sum())
    if missing == len(rows) and len(rows):
        raise TableError(
            f"names none of the {what} of the responses in its column {key}", where=table.source,
            hint="the names must be spelled alike in both tables",
        )  # fmt: skip
    return rows, [f"{missing} of {len(rows)} {what} have no row in {table.source}"] if missing else []


def _placed(reader: FeatureReader, table: Table, rows: np.ndarray) -> Features:
    nothing = reader.neutral()
    values = np.repeat(nothing.values, len(rows), axis=0)
    known = np.flatnonzero(rows >= 0)
    if len(known):
        values[known] = reader.read(table.take(rows[known])).values
    return Features(values, nothing.blocks)


def _by_kind(encoder: Encoder, X: np.ndarray) -> list[tuple[np.ndarray, str, str]]:
    """Numbers together, and each categorical column with the columns of its levels."""
    numbers: list[int] = []
    levels: dict[str, list[int]] = {}
    place = 0
    for form in encoder.forms:
        width = len(form.names())
        columns = list(range(place, place + width))
        place += width
        if form.form == "one-hot":
            levels[form.column] = columns
        elif form.form != "empty":
            numbers += columns
    parts = [(X[:, numbers], "numbers", "numbers")] if numbers else []
    return parts + [(X[:, columns], name, "categories") for name, columns in levels.items()]


def _fingerprints(table: Table, column: str) -> np.ndarray:
    """Morgan bits (n, 2048) of the structures; a row without one, or with one that cannot be read, has none set."""
    from rdkit import Chem, rdBase

    from iatros.learners.compounds.compounds import Compounds
    from iatros.learners.compounds.fingerprints import Fingerprint

    texts = table.frame[column].cast(pl.String).to_list()
    with rdBase.BlockLogs():
        readable = [
            row for row, text in enumerate(texts)
            if text and (molecule := Chem.MolFromSmiles(text)) is not None and molecule.GetNumAtoms()
        ]  # fmt: skip
    bits = np.zeros((len(texts), _FINGERPRINT_BITS))
    if readable:
        bits[readable] = Compounds([texts[row] for row in readable]).matrix([Fingerprint("morgan")])
    return bits


def _side_by_side(parts: list[tuple[np.ndarray, str, str]]) -> Features:
    blocks, place = [], 0
    for values, name, kind in parts:
        blocks.append(Block(name, kind, place, place + values.shape[1]))  # type: ignore[arg-type]
        place += values.shape[1]
    return Features(np.hstack([values for values, _, _ in parts]), tuple(blocks))


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _type_of(schema: TableSchema, name: str) -> Any:
    from iatros.learners.tabular.table import FRAME_TYPES

    return FRAME_TYPES[schema[name].kind]
