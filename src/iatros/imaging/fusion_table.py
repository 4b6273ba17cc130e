"""The patient table of a fusion model: learned on training rows, kept as arrays, applied with polars and numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from iatros.core.errors import TableError
from iatros.imaging.schema import ImageRecord

if TYPE_CHECKING:
    import polars as pl

    from iatros.learners.tabular.encoding import Encoder
    from iatros.learners.tabular.imputation import Imputer
    from iatros.learners.tabular.schema import TableSchema


@dataclass(frozen=True)
class TableEncoder:
    """Columns of a table to numbers without gaps: measured ones standardised, levels as 0 and 1."""

    schema: TableSchema
    encoder: Encoder
    imputer: Imputer

    @property
    def columns(self) -> list[str]:
        """Columns that `apply` needs."""
        return self.schema.names

    @property
    def names(self) -> list[str]:
        """Names of the numbers that the network sees, in their order."""
        return self.encoder.names

    def apply(self, frame: pl.DataFrame) -> np.ndarray:
        """float32 (n, p) for the rows of `frame`; columns beyond those learned from are left alone.

        Raises SchemaError where a column is absent or of another kind than in training.
        """
        features = self.imputer.transform(self.encoder.transform(self._typed(frame).frame))
        return np.ascontiguousarray(features, dtype=np.float32)

    def flags(self, frame: pl.DataFrame) -> list[list[str]]:
        """For each row a sentence for every value unlike those of the training patients."""
        from iatros.learners.tabular.ranges import out_of_range

        return out_of_range(self._typed(frame), self.schema)

    def _typed(self, frame: pl.DataFrame) -> Any:
        from iatros.learners.tabular.reading import read_table

        known = [name for name in self.columns if name in frame.columns]
        # a frame without columns has no rows either: the schema is what names the columns that are absent
        return read_table(frame.select(known) if known else frame, schema=self.schema)

    def document(self) -> dict[str, Any]:
        """What `arrays` leaves out, ready for JSON."""
        return {
            "schema": self.schema.model_dump(mode="json"),
            "encoder": self.encoder.document(),
            "imputer": self.imputer.kind,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The learned numbers, by name."""
        return {f"encoder.{name}": value for name, value in self.encoder.arrays().items()} | {
            f"imputer.{name}": value for name, value in self.imputer.arrays().items()
        }

    def save(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """`document()` and `arrays()`."""
        return self.document(), self.arrays()

    @classmethod
    def load(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> TableEncoder:
        """The encoder that `document()` and `arrays()` describe."""
        from iatros.learners.tabular.encoding import Encoder
        from iatros.learners.tabular.imputation import Imputer
        from iatros.learners.tabular.schema import TableSchema

        return cls(
            schema=TableSchema.model_validate(document["schema"]),
            encoder=Encoder.load(document["encoder"], _under("encoder.", arrays)),
            imputer=Imputer.load(document["imputer"], _under("imputer.", arrays)),
        )


def fit_table_encoder(frame: pl.DataFrame, rows: np.ndarray) -> TableEncoder:
    """The encoder learned from the `rows` (positions or a mask) of `frame`, whose columns are all features.

    Kinds of columns are read off the whole frame, and so are the levels that it may hold; everything that is
    a number is learned on `rows` alone. Missing values are filled by chained equations, and a column that has
    some gets a feature that says so. Raises TableError where no column varies among `rows`.
    """
    from iatros.learners.tabular.encoding import fit_encoder
    from iatros.learners.tabular.imputation import fit_imputers
    from iatros.learners.tabular.ranges import observed_schema
    from iatros.learners.tabular.reading import read_table

    table = read_table(frame).take(np.asarray(rows))
    if not any(table.frame[name].n_unique() > 1 for name in table.schema.names):
        raise TableError(
            "no column of the patient table varies among the training patients",
            hint="give a table with more columns, or train a model without one",
        )
    encoder = fit_encoder(table, scale=True)
    imputer, _ = fit_imputers("iterative", encoder.transform(table.frame))[0]
    return TableEncoder(observed_schema(table), encoder, imputer)


def table_frame(records: Sequence[ImageRecord], names: Sequence[str]) -> pl.DataFrame:
    """The columns `names` of `records` as a frame, in their order; a column that no record has is left out.

    A column with a text in it is a column of texts; what a record does not say is missing.
    """
    import polars as pl

    series = []
    for name in names:
        if not any(name in record.columns for record in records):
            continue
        values = [record.columns.get(name) for record in records]
        texts = any(isinstance(value, str) for value in values)
        series.append(
            pl.Series(name, [_text(value) for value in values], dtype=pl.String)
            if texts
            else pl.Series(name, values, dtype=pl.Float64)
        )
    return pl.DataFrame(series)


def _text(value: str | float | None) -> str | None:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return value


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
