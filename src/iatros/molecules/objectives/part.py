"""What every part of an objective has: a name, a weight or none, a transform, and a measure of compounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from iatros.molecules.objectives.molecule import Molecule
from iatros.molecules.objectives.transforms import Identity, Transform


@dataclass(frozen=True)
class Measured:
    """What a part found of n compounds."""

    values: np.ndarray
    """(n,), nan where there is no value."""
    refused: Mapping[int, str] = field(default_factory=dict)
    """Places of compounds that must score 0, and why."""
    factor: np.ndarray | None = None
    """(n,), by which what the transform gives is multiplied; None stands for 1."""
    beside: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Further numbers (n,) that are told and not scored, by name."""


class Part(BaseModel):
    """One wish about a compound.

    A `hard` part is a constraint: a compound for which it is 0 scores 0, and for others it does not matter. It has no
    weight, and is no part of the mean.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: ClassVar[str]
    """The field by which this kind of part is told from the others."""
    yes_or_no: ClassVar[bool] = False
    """Whether its values are 0 and 1 alone."""

    name: str = Field("", max_length=80)
    weight: float = Field(1.0, gt=0.0, le=1e6)
    hard: StrictBool = False
    transform: Transform = Identity()

    def measure(self, molecules: Sequence[Molecule]) -> Measured:
        """The values of compounds, before the transform."""
        raise NotImplementedError

    def label(self) -> str:
        """What the part is called where it was given no name."""
        raise NotImplementedError

    def unit(self) -> str:
        """The unit of its values, empty for a pure number."""
        return ""

    def document(self) -> dict[str, Any]:
        """The part as YAML holds it."""
        told = self.model_dump(exclude_defaults=True)
        if "transform" in told:
            told["transform"] = {
                "kind": self.transform.kind,
                **self.transform.model_dump(exclude_defaults=True),
            }
        subject = told.pop(self.key)
        return {self.key: list(subject) if isinstance(subject, tuple) else subject, **told}

    @model_validator(mode="after")
    def _constraint(self) -> Part:
        if self.hard and "weight" in self.model_fields_set:
            raise ValueError("a hard part is a constraint and has no weight; leave one of the two out")
        if self.hard and not self.yes_or_no and self.transform.kind != "step":
            raise ValueError(
                "a constraint is met or not, so a hard part needs a transform such as {kind: step, at_most: 500}"
            )
        return self


def column(values: Sequence[float]) -> np.ndarray:
    """Values of compounds as an array."""
    return np.fromiter(values, dtype=np.float64, count=len(values))
