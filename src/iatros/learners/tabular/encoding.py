"""Columns of a table into a matrix of numbers, learned on training rows and stored as names and arrays."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from iatros.core.errors import SchemaError, TableError
from iatros.core.task import Target
from iatros.learners.tabular.schema import Column
from iatros.learners.tabular.table import Table, days, floats

Categories = Literal["one-hot", "target", "codes"]

MIN_COUNT = 5
"""A level seen in fewer training rows is pooled with the other rare ones, and its name is not stored."""

_SMOOTHING = 20.0
"""Rows that the overall mean counts for in the mean of one level (m-estimate, Micci-Barreca 2001)."""

_N_FOLDS = 5


@dataclass(frozen=True)
class Form:
    """How one column becomes features.

    `form` is number, date (days), rank (ordinal), one-hot, codes, target, or empty (nothing was seen in
    training: one feature that is always 0). Codes of levels: 0 missing, 1 to n in the order of `levels`,
    n + 1 for rare and unseen levels where `other` is set; without it an unseen level counts as missing.
    """

    column: str
    form: str
    levels: tuple[str, ...] = ()
    other: bool = False
    indicator: bool = False
    outputs: int = 0

    @property
    def n_codes(self) -> int:
        """Different codes of a level, missing included."""
        return 1 + len(self.levels) + int(self.other)

    def names(self) -> list[str]:
        """Names of the features that this column becomes."""
        name = self.column
        if self.form == "one-hot":
            features = [f"{name}={level}" for level in self.levels]
            features += [f"{name}=other"] if self.other else []
        elif self.form == "target":
            several = self.outputs > 1
            means = [f"{name} mean {k}" if several else f"{name} mean" for k in range(self.outputs)]
            features = [*means, f"{name} log count"]
        else:
            features = [name]
        return features + ([f"{name} missing"] if self.indicator else [])


@dataclass(frozen=True)
class Encoder:
    """Columns to features: (n_rows, n_features) float64, NaN where a number, rank or date is missing."""

    forms: tuple[Form, ...]
    centre: np.ndarray
    scale: np.ndarray
    tables: dict[str, np.ndarray]

    @property
    def names(self) -> list[str]:
        """Feature names, in the order of the matrix."""
        return [name for form in self.forms for name in form.names()]

    @property
    def sources(self) -> list[str]:
        """For each feature the column that it comes from."""
        return [form.column for form in self.forms for _ in form.names()]

    @property
    def columns(self) -> list[str]:
        """Columns that `transform` needs."""
        return [form.column for form in self.forms]

    @property
    def cardinalities(self) -> list[int]:
        """For each feature the number of codes if it is a code (form codes), else 0."""
        return [form.n_codes if form.form == "codes" else 0 for form in self.forms for _ in form.names()]

    def transform(self, frame: pl.DataFrame) -> np.ndarray:
        """The features of `frame`, typed as `Table.frame` is; SchemaError where a column is absent."""
        absent = [name for name in self.columns if name not in frame.columns]
        if absent:
            hint = "give every column that the model was trained on"
            raise SchemaError(f"the table lacks the column {absent[0]!r}", hint=hint)
        blocks = [_block(form, frame[form.column], self.tables) for form in self.forms]
        return self._scaled(np.hstack(blocks))

    def _scaled(self, X: np.ndarray) -> np.ndarray:
        return (X - self.centre) / self.scale

    def document(self) -> dict[str, Any]:
        """What `arrays` leaves out, ready for JSON."""
        return {"forms": [{**asdict(form), "levels": list(form.levels)} for form in self.forms]}

    def arrays(self) -> dict[str, np.ndarray]:
        """The learned numbers, by name."""
        return {"centre": self.centre, "scale": self.scale, **self.tables}

    @classmethod
    def load(cls, document: dict[str, Any], arrays: dict[str, np.ndarray]) -> Encoder:
        """The encoder that `document()` and `arrays()` describe."""
        forms = tuple(Form(**{**form, "levels": tuple(form["levels"])}) for form in document["forms"])
        tables = {name: value for name, value in arrays.items() if name.startswith("target/")}
        return cls(forms=forms, centre=arrays["centre"], scale=arrays["scale"], tables=tables)


def fit_encoder(
    table: Table,
    *,
    categories: Categories = "one-hot",
    scale: bool = False,
    indicator: bool = True,
    y: np.ndarray | None = None,
    target: Target | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
    max_levels: int = 20,
) -> Encoder:
    """The encoder learned from the rows of `table`; see `fit_encode`."""
    encoder, _ = fit_encode(
        table, categories=categories, scale=scale, indicator=indicator, y=y, target=target,
        groups=groups, seed=seed, max_levels=max_levels,
    )  # fmt: skip
    return encoder


def fit_encode(
    table: Table,
    *,
    categories: Categories = "one-hot",
    scale: bool = False,
    indicator: bool = True,
    y: np.ndarray | None = None,
    target: Target | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
    max_levels: int = 20,
) -> tuple[Encoder, np.ndarray]:
    """The encoder and the features of its own training rows, shape (n_rows, n_features).

    Categorical columns become, by `categories`: one feature for each of at most `max_levels` most frequent
    levels (one-hot); an integer code (codes); or, with more than `max_levels` levels, the smoothed mean of
    the outcome and the log count of the level (target, which needs `y` and `target`), else one-hot. The
    training rows get means learned on other folds (whole `groups`), so that no row sees its own outcome.
    `indicator` adds a 0 / 1 feature for each number, rank, date and one-hot column that has missing values.
    `scale` standardises numbers, ranks, dates and target means by mean and standard deviation.
    """
    if not table.schema.columns:
        raise TableError("no column is left to learn from", where=table.source)
    outcome = _outcome(y, target) if categories == "target" else None
    outputs = 0 if outcome is None else outcome.shape[1]
    forms = tuple(
        _form(column, table.frame[column.name], categories, indicator, outputs, max_levels)
        for column in table.schema.columns
    )
    tables: dict[str, np.ndarray] = {}
    blocks = []
    folds = _folds(table.n_rows, groups, seed)
    for form in forms:
        series = table.frame[form.column]
        if form.form == "target" and outcome is not None:
            learned, block = _fit_target(_codes(form, series), outcome, form.n_codes, folds)
            tables[f"target/{form.column}"] = learned
            blocks.append(block)
        else:
            blocks.append(_block(form, series, tables))
    X = np.hstack(blocks)
    centre, spread = _scaling(forms, X) if scale else (np.zeros(X.shape[1]), np.ones(X.shape[1]))
    encoder = Encoder(forms=forms, centre=centre, scale=spread, tables=tables)
    return encoder, encoder._scaled(X)


def _form(
    column: Column, series: pl.Series, categories: str, indicator: bool, outputs: int, max_levels: int
) -> Form:
    missing = series.null_count() > 0
    if series.null_count() == len(series):
        return Form(column.name, "empty")
    if column.kind in ("numeric", "date"):
        form = "number" if column.kind == "numeric" else "date"
        return Form(column.name, form, indicator=indicator and missing)
    if column.kind == "ordinal":
        return Form(column.name, "rank", levels=column.levels, indicator=indicator and missing)
    counts = series.drop_nulls().value_counts()
    ranked = sorted(zip(counts["count"].to_list(), counts[column.name].to_list(), strict=True), key=_by_count)
    frequent = [level for count, level in ranked if count >= MIN_COUNT]
    if categories == "target" and len(ranked) > max_levels:
        return Form(column.name, "target", levels=tuple(sorted(frequent)), other=True, outputs=outputs)
    if categories == "codes":
        return Form(column.name, "codes", levels=tuple(sorted(frequent)), other=len(frequent) < len(ranked))
    kept = tuple(sorted(frequent[:max_levels]))
    return Form(
        column.name, "one-hot", levels=kept, other=len(kept) < len(ranked), indicator=indicator and missing
    )


def _by_count(pair: tuple[int, str]) -> tuple[int, str]:
    return (-pair[0], pair[1])


def _codes(form: Form, series: pl.Series) -> np.ndarray:
    """Code of each row's level, see `Form`; shape (n_rows,) int64."""
    unseen = form.n_codes - 1 if form.other else 0
    if form.levels:
        found = series.replace_strict(
            list(form.levels), list(range(1, len(form.levels) + 1)), default=unseen, return_dtype=pl.Int64
        ).to_numpy()
    else:
        found = np.full(len(series), unseen, dtype=np.int64)
    return np.where(series.is_null().to_numpy(), 0, found)


def _block(form: Form, series: pl.Series, tables: dict[str, np.ndarray]) -> np.ndarray:
    """The unscaled features of one column, shape (n_rows, n_features_of_column)."""
    if form.form == "number":
        block = floats(series)[:, None]
    elif form.form == "date":
        block = days(series)[:, None]
    elif form.form == "empty":
        block = np.zeros((len(series), 1))
    else:
        block = _level_block(form, _codes(form, series), tables)
    if form.indicator:
        block = np.hstack([block, series.is_null().to_numpy().astype(float)[:, None]])
    return block


def _level_block(form: Form, codes: np.ndarray, tables: dict[str, np.ndarray]) -> np.ndarray:
    if form.form == "target":
        return tables[f"target/{form.column}"][codes]
    if form.form == "codes":
        return codes.astype(float)[:, None]
    if form.form == "rank":
        return np.where(codes == 0, np.nan, codes - 1.0)[:, None]
    return (codes[:, None] == np.arange(1, form.n_codes)).astype(float)


def _scaling(forms: tuple[Form, ...], X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the features that are measured rather than yes or no."""
    measured = np.array(
        [
            form.form in ("number", "date", "rank", "target") and not name.endswith(" missing")
            for form in forms
            for name in form.names()
        ]
    )
    centre, spread = np.zeros(X.shape[1]), np.ones(X.shape[1])
    for j in np.flatnonzero(measured):
        values = X[~np.isnan(X[:, j]), j]
        centre[j] = values.mean()
        deviation = values.std()
        # a constant column can show a spread of rounding error only
        if deviation > 1e-12 * max(1.0, abs(centre[j])):
            spread[j] = deviation
    return centre, spread


def _outcome(y: np.ndarray | None, target: Target | None) -> np.ndarray:
    """What target encoding averages: (n_rows, 1), or (n_rows, n_classes) with more than two classes."""
    if y is None or target is None:
        raise ValueError("categories='target' needs y and target")
    if target.task == "multiclass":
        return (np.asarray(y)[:, None] == np.arange(len(target.classes))).astype(float)
    return np.asarray(y, dtype=float)[:, None]


def _folds(n: int, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """Fold of each row, whole groups together; shape (n,)."""
    rng = np.random.default_rng(seed)
    members = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    n_groups = int(members.max()) + 1 if n else 0
    return (rng.permutation(n_groups) % _N_FOLDS)[members]


def _fit_target(
    codes: np.ndarray, outcome: np.ndarray, n_codes: int, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means and log count by code, (n_codes, n_outputs + 1), and the training rows' own out-of-fold block."""
    learned = _target_table(codes, outcome, n_codes)
    block = learned[codes]
    for fold in np.unique(folds):
        inside = folds == fold
        if not inside.all():
            block[inside, :-1] = _target_table(codes[~inside], outcome[~inside], n_codes)[codes[inside], :-1]
    return learned, block


def _target_table(codes: np.ndarray, outcome: np.ndarray, n_codes: int) -> np.ndarray:
    counts = np.bincount(codes, minlength=n_codes).astype(float)
    sums = np.stack([np.bincount(codes, weights=column, minlength=n_codes) for column in outcome.T], axis=1)
    prior = outcome.mean(axis=0)
    means = (sums + _SMOOTHING * prior) / (counts[:, None] + _SMOOTHING)
    return np.hstack([means, np.log1p(counts)[:, None]])
