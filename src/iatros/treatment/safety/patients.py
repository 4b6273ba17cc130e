"""What is known of a patient where a treatment is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from iatros.treatment.safety.thresholds import PREGNANCY_YEARS, Fact, Measurement, Threshold

Sex = Literal["female", "male"]


@dataclass(frozen=True, repr=False)
class Patient:
    """Current medication, conditions and allergies as names or codes, and measured values by name.

    A list that is None was not told, which is not the same as an empty one. `laboratory` may have several values of
    one name, of which any counts. `age_years` is in years.
    """

    current: tuple[str, ...] | None = None
    conditions: tuple[str, ...] | None = None
    allergies: tuple[str, ...] | None = None
    laboratory: Mapping[str, tuple[Measurement, ...]] = field(default_factory=dict)
    age_years: float | None = None
    sex: Sex | None = None
    pregnant: bool | None = None

    def __repr__(self) -> str:
        return "Patient(...)"

    def meets(self, threshold: Threshold, values: tuple[Measurement, ...]) -> bool | None:
        """Whether a threshold holds for the patient, whose values of its name are `values`.

        None where the value is not there, or only known to lie on a side that leaves it open.
        """
        if isinstance(threshold, Fact):
            return self._is(threshold)
        found = [threshold.beyond(value) for value in values]
        if True in found:
            return True
        return None if None in found or not found else False

    def _is(self, fact: Fact) -> bool | None:
        if fact.name == "sex":
            return None if self.sex is None else self.sex == fact.value
        pregnant = self.pregnant
        if pregnant is None:
            low, high = PREGNANCY_YEARS
            too_young_or_old = self.age_years is not None and not low <= self.age_years <= high
            pregnant = False if self.sex == "male" or too_young_or_old else None
        return None if pregnant is None else pregnant == (fact.value == "yes")
