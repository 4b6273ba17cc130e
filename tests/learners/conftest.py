"""Small lopsided tables of patients whose outcome is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from iatros.core.task import Target, Task
from iatros.learners.tabular.schema import Column, TableSchema
from iatros.learners.tabular.table import Table

TARGETS: dict[str, Target] = {
    "binary": Target("died", "binary", ("no", "yes")),
    "multiclass": Target("stage", "multiclass", ("I", "II", "III")),
    "continuous": Target("dose", "continuous", unit="mg/week"),
}


@dataclass(frozen=True)
class Patients:
    """Rows, outcome, what kind of outcome, and whose rows they are."""

    table: Table
    y: np.ndarray
    target: Target
    groups: np.ndarray


def build_table(columns: dict[str, tuple[str, list]]) -> Table:
    """A table from name -> (kind, values)."""
    described, data = [], {}
    for name, (kind, values) in columns.items():
        if kind == "numeric":
            series = pl.Series(name, values, dtype=pl.Float64, strict=False)
            described.append(Column(name=name, kind="numeric", low=series.min(), high=series.max()))
        else:
            series = pl.Series(name, values, dtype=pl.String)
            levels = tuple(sorted(series.drop_nulls().unique()))
            described.append(Column(name=name, kind=kind, levels=levels))
        data[name] = series
    frame = pl.DataFrame(data)
    return Table(
        frame, TableSchema(columns=tuple(described)), "made", np.arange(frame.height), n_read=frame.height
    )


def _patients(task: Task = "binary", n: int = 240, seed: int = 0, missing: float = 0.1) -> Patients:
    rng = np.random.default_rng(seed)
    age = rng.normal(61.0, 11.0, n)
    marker = rng.gamma(2.0, 3.0, n)
    noise = rng.normal(0.0, 1.0, n)
    ward = rng.choice(["surgery", "medicine", "intensive care", "day"], n, p=[0.45, 0.3, 0.2, 0.05])
    signal = 0.09 * (age - 61.0) + 0.25 * (marker - 6.0) + 1.2 * (ward == "intensive care")
    if task == "binary":
        y = (signal + rng.logistic(0.0, 1.0, n) > 0.9).astype(int)
    elif task == "multiclass":
        y = np.digitize(signal + rng.logistic(0.0, 0.7, n), [0.3, 1.8])
    else:
        y = 31.0 + 4.0 * signal + rng.normal(0.0, 2.0, n)

    def holed(values: np.ndarray) -> list:
        return [
            None if hole else value
            for value, hole in zip(values.tolist(), rng.random(n) < missing, strict=True)
        ]

    table = build_table(
        {
            "age": ("numeric", holed(age)),
            "marker": ("numeric", holed(marker)),
            "noise": ("numeric", noise.tolist()),
            "ward": ("categorical", holed(ward)),
            "never measured": ("numeric", [None] * n),
        }
    )
    return Patients(table, y, TARGETS[task], np.arange(n) // 2)


@pytest.fixture(scope="session")
def make_patients() -> Callable[..., Patients]:
    """`make_patients(task, n, seed, missing)`: age, marker and ward matter; noise and never measured do not."""
    return _patients


@pytest.fixture(scope="session")
def make_table() -> Callable[[dict[str, tuple[str, list]]], Table]:
    """`make_table({name: (kind, values)})`."""
    return build_table
