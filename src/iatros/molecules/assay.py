"""What models of activity learn from: compounds, and what was measured of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds


@dataclass(frozen=True)
class Assay:
    """n compounds and k endpoints, all of one task (binary or continuous).

    `y` (n, k) float64 is nan where an endpoint was not measured, 0 or 1 of a class, else the value in the endpoint's
    unit. `bound` (n, k) int8 is 0 for a value, 1 where the true value lies above `y`, -1 where it lies below it.
    `groups` (n,) int64 names what must not stand on two sides of a split: compounds of one scaffold or cluster.
    """

    compounds: Compounds
    y: np.ndarray
    bound: np.ndarray
    endpoints: tuple[Target, ...]
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    @property
    def task(self) -> str:
        """binary or continuous, of all endpoints."""
        return self.endpoints[0].task

    @property
    def measured(self) -> np.ndarray:
        """Where there is a value or a bound, bool (n, k)."""
        return ~np.isnan(self.y)

    def take(self, rows: np.ndarray) -> Assay:
        """The compounds at `rows`."""
        return replace(
            self,
            compounds=self.compounds.take(rows),
            y=self.y[rows],
            bound=self.bound[rows],
            groups=self.groups[rows],
        )
