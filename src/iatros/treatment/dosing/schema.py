"""What the doses of some patients are, and how their columns are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from iatros.core.errors import InputError
from iatros.core.task import Target
from iatros.learners.tabular.table import Table


@dataclass(frozen=True)
class Columns:
    """Which column holds what.

    `dose` holds the dose that a patient needed, in `unit`; where `unit_column` is given, each line's unit stands there
    and doses are brought to `unit`. `subject` names the patient, `site` the hospital. `subgroup` names columns in which
    errors are compared, ancestry among them; they may be learned from too. `features` are the columns to learn from,
    all that remain where not given, less `exclude`.
    """

    dose: str
    unit: str = "mg/week"
    unit_column: str | None = None
    subject: str | None = None
    site: str | None = None
    subgroup: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    dictionary: Path | None = None


@dataclass(frozen=True)
class Doses:
    """n patients and the doses they needed; all arrays have one entry for each row of `features`.

    `y` (n,) float64 is the dose in `unit`, above zero. `groups` (n,) int64 are the patients, who may have several rows.
    `sites` (n,) are texts, or None. `subgroups` holds the text labels (n,) of each subgroup column.
    """

    features: Table
    y: np.ndarray
    name: str
    unit: str
    groups: np.ndarray
    sites: np.ndarray | None
    subgroups: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        lengths = {self.features.n_rows, len(self.y), len(self.groups)}
        lengths |= {len(labels) for labels in self.subgroups.values()}
        lengths |= set() if self.sites is None else {len(self.sites)}
        if len(lengths) > 1:
            raise InputError("each patient needs features, a dose, a group and a label of every subgroup")

    def __len__(self) -> int:
        return len(self.y)

    @property
    def target(self) -> Target:
        """The dose as an outcome."""
        return Target(self.name, "continuous", unit=self.unit)

    def take(self, rows: Sequence[int] | np.ndarray) -> Doses:
        """The patients at `rows`, in that order."""
        rows = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            features=self.features.take(rows),
            y=self.y[rows],
            groups=self.groups[rows],
            sites=None if self.sites is None else self.sites[rows],
            subgroups={name: labels[rows] for name, labels in self.subgroups.items()},
        )
