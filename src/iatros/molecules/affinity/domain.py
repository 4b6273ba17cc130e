"""How near the drug and the target of a pair must be to known ones for its answer to count.

The limits are those of the validation: all but a small share of the judged pairs were at least as near to what their
judge had learned from. A bundle that was validated on new targets of known drugs so answers for known drugs only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.molecules.affinity.similarity import Nearness
from iatros.molecules.trust.domain import SHARE, told_apart


@dataclass(frozen=True)
class PairDomain:
    """The least similarity (0 to 1) of a drug and of a target to the nearest known one."""

    least_drug: float
    least_target: float
    evidence: dict[str, Any]
    """Of the judged pairs: how many lie beyond, and the mean error (in the outcome's unit) there and within."""

    @classmethod
    def fit(cls, near: Nearness, errors: np.ndarray) -> PairDomain:
        """The limits beyond each of which `SHARE` of the judged pairs lie at most, with their absolute errors (n,).

        >>> near = Nearness(np.ones(4), np.array([0.3, 0.4, 0.5, 0.6]))
        >>> PairDomain.fit(near, np.array([2.0, 1.0, 1.0, 1.0])).outside(Nearness(np.array([0.9]), np.array([0.2])))
        ['drug unlike those learned from; target unlike those learned from']
        """
        least = [float(np.quantile(side, SHARE)) for side in (near.drug, near.target)]
        beyond = (near.drug < least[0]) | (near.target < least[1])
        return cls(least[0], least[1], {"share": SHARE, **told_apart(errors, beyond, None)})

    def outside(self, near: Nearness) -> list[str]:
        """Why each pair (n,) lies outside; empty for those inside."""
        said = ("drug unlike those learned from", "target unlike those learned from")
        return [
            "; ".join(reason for reason, holds in zip(said, far, strict=True) if holds)
            for far in zip(near.drug < self.least_drug, near.target < self.least_target, strict=True)
        ]

    def document(self) -> dict[str, Any]:
        """What a manifest holds."""
        return {
            "least_drug_similarity": self.least_drug,
            "least_target_similarity": self.least_target,
            "evidence": self.evidence,
        }

    @classmethod
    def load(cls, document: dict[str, Any]) -> PairDomain:
        """The domain that `document` describes."""
        return cls(
            float(document["least_drug_similarity"]),
            float(document["least_target_similarity"]),
            document["evidence"],
        )
