"""What a table of affinities with gaps tells of a pair: means, kernel regressions, factors, neighbours.

Two kernel regressions stand behind each other. The first knows structures and sequences. It fills the gaps of the
table, and so gives each drug a profile over the targets and each target one over the drugs, new ones too; the second
adds how alike those profiles are to the kernels (Gaussian interaction profiles, van Laarhoven and others 2011). Nothing
of a pair itself enters what is said of it, unless the pair is in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.molecules.affinity.factorisation import Factors, factorise
from iatros.molecules.affinity.kronecker import solve

SHRINK = 5.0
"""As many measurements at the mean as a drug or target is given, before its own mean is believed."""
N_NEAREST = 3


@dataclass(frozen=True)
class Settings:
    """How the regressions are made.

    `identity` is added to a drug's or target's kernel with itself: what it has in common with none. Target kernels
    enter to the power of `target_power`. `profile_weight` is the share of the profiles in the second kernel and
    `profile_width` the factor of the squared distance over its mean. `ridge` penalises both.
    Without `with_offsets` nothing is taken away before the regressions but the mean: right where a drug or a target
    will be new, for likeness cannot give back an offset that was taken away.
    """

    identity: float = 0.1
    target_power: float = 0.7
    ridge: float = 0.2
    profile_weight: float = 0.5
    profile_width: float = 1.0
    n_factors: int = 8
    with_offsets: bool = True
    factor_penalty: float = 4.0


@dataclass(frozen=True)
class Asked:
    """The similarities of q drugs and p targets to the known ones, and their places among these, -1 for new ones.

    `of_drugs` (q, drugs), `of_targets` (p, targets), `drugs` (q,), `targets` (p,).
    """

    of_drugs: np.ndarray
    of_targets: np.ndarray
    drugs: np.ndarray
    targets: np.ndarray

    @classmethod
    def known(cls, of_drugs: np.ndarray, of_targets: np.ndarray) -> Asked:
        """The known drugs and targets themselves."""
        return cls(of_drugs, of_targets, np.arange(len(of_drugs)), np.arange(len(of_targets)))


@dataclass(frozen=True)
class Answered:
    """What the table tells of the q drugs and p targets that were asked for; tables are (q, p).

    `base` is the mean with the offsets of drug and target, `first` and `second` are the two regressions, `factors` is
    the factorisation (0 beyond `base` for what is new). The kernels are the second one's, (q, drugs), (p, targets).
    """

    base: np.ndarray
    first: np.ndarray
    second: np.ndarray
    factors: np.ndarray
    drug_kernel: np.ndarray
    target_kernel: np.ndarray


@dataclass(frozen=True)
class Completion:
    """A table (drugs, targets) that was learned from; arrays only, so that it can be stored."""

    settings: Settings
    values: np.ndarray
    known: np.ndarray
    mean: float
    drug_offsets: np.ndarray
    target_offsets: np.ndarray
    first_dual: np.ndarray
    second_dual: np.ndarray
    drug_profiles: np.ndarray
    target_profiles: np.ndarray
    drug_width: float
    target_width: float
    factors: Factors
    target_kernel: np.ndarray
    """The first kernel among the known targets, and below of the known drugs: profiles of new ones need them."""
    drug_kernel: np.ndarray

    def ask(self, asked: Asked) -> Answered:
        """Everything that is known of each pair of the drugs and the targets asked for."""
        base = (
            self.mean
            + _taken(self.drug_offsets, asked.drugs)[:, None]
            + _taken(self.target_offsets, asked.targets)[None, :]
        )
        of_drugs = _with_identity(asked.of_drugs, asked.drugs, self.settings.identity)
        of_targets = _with_identity(
            asked.of_targets**self.settings.target_power, asked.targets, self.settings.identity
        )
        from_drugs, from_targets = of_drugs @ self.first_dual, self.first_dual @ of_targets.T
        first = from_drugs @ of_targets.T
        drug_profiles = _own(self.drug_profiles, asked.drugs, from_drugs @ self.target_kernel)
        target_profiles = _own(self.target_profiles, asked.targets, (self.drug_kernel @ from_targets).T)
        width = self.settings.profile_width
        drug_kernel = self._mixed(
            of_drugs, _gaussian(drug_profiles, self.drug_profiles, width / self.drug_width)
        )
        target_kernel = self._mixed(
            of_targets, _gaussian(target_profiles, self.target_profiles, width / self.target_width)
        )
        second = drug_kernel @ self.second_dual @ target_kernel.T
        factors = _taken(self.factors.drugs, asked.drugs) @ _taken(self.factors.targets, asked.targets).T
        return Answered(base, base + first, base + second, base + factors, drug_kernel, target_kernel)

    def _mixed(self, structure: np.ndarray, profile: np.ndarray) -> np.ndarray:
        weight = self.settings.profile_weight
        return (1.0 - weight) * structure + weight * profile

    def arrays(self) -> dict[str, Any]:
        """What is stored; numbers as arrays of no dimension."""
        names = (
            "values", "known", "mean", "drug_offsets", "target_offsets", "first_dual", "second_dual", "drug_profiles",
            "target_profiles", "drug_width", "target_width", "target_kernel", "drug_kernel",
        )  # fmt: skip
        own = {name: np.asarray(getattr(self, name)) for name in names}
        return own | {"factor_drugs": self.factors.drugs, "factor_targets": self.factors.targets}

    @classmethod
    def load(cls, settings: Settings, arrays: dict[str, Any]) -> Completion:
        """The completion that `arrays` gave."""
        fields = dict(arrays)
        factors = Factors(fields.pop("factor_drugs"), fields.pop("factor_targets"))
        for name in ("mean", "drug_width", "target_width"):
            fields[name] = float(fields[name])
        return cls(settings, factors=factors, **fields)


def complete(
    values: np.ndarray,
    known: np.ndarray,
    drug_similarity: np.ndarray,
    target_similarity: np.ndarray,
    settings: Settings,
    *,
    seed: int,
) -> Completion:
    """Learn from `values` (drugs, targets) where `known` is 1.0; similarities are symmetric, 1 on the diagonal."""
    mean, drug_offsets, target_offsets = offsets(values, known)
    if not settings.with_offsets:
        drug_offsets, target_offsets = np.zeros_like(drug_offsets), np.zeros_like(target_offsets)
    residual = (values - mean - drug_offsets[:, None] - target_offsets[None, :]) * known
    eye = settings.identity
    of_drugs = drug_similarity + eye * np.eye(len(values))
    of_targets = target_similarity**settings.target_power + eye * np.eye(values.shape[1])
    first_dual = solve(of_drugs, of_targets, residual, known, settings.ridge)
    filled = np.where(known > 0, residual, of_drugs @ first_dual @ of_targets)
    drug_width, target_width = _mean_square(filled), _mean_square(filled.T)
    weight, width = settings.profile_weight, settings.profile_width
    second = [
        (1.0 - weight) * kernel + weight * _gaussian(profiles, profiles, width / scale)
        for kernel, profiles, scale in (
            (of_drugs, filled, drug_width),
            (of_targets, filled.T, target_width),
        )
    ]
    second_dual = solve(second[0], second[1], residual, known, settings.ridge)
    factors = factorise(residual, known, settings.n_factors, settings.factor_penalty, seed=seed)
    return Completion(
        settings, values, known, mean, drug_offsets, target_offsets, first_dual, second_dual, filled,
        np.ascontiguousarray(filled.T), drug_width, target_width, factors, of_targets, of_drugs,
    )  # fmt: skip


def offsets(values: np.ndarray, known: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The mean, and what each drug (drugs,) and each target (targets,) adds to it, shrunk towards 0."""
    mean = float((values * known).sum() / known.sum())
    drugs, targets = np.zeros(len(values)), np.zeros(values.shape[1])
    for _ in range(10):
        drugs = ((values - mean - targets[None, :]) * known).sum(axis=1) / (known.sum(axis=1) + SHRINK)
        targets = ((values - mean - drugs[:, None]) * known).sum(axis=0) / (known.sum(axis=0) + SHRINK)
    return mean, drugs, targets


def _with_identity(similarity: np.ndarray, places: np.ndarray, identity: float) -> np.ndarray:
    kernel = similarity.copy()
    rows = np.flatnonzero(places >= 0)
    kernel[rows, places[rows]] += identity
    return kernel


def _taken(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows of `values`, zeros where a place is -1."""
    found = values[np.maximum(places, 0)]
    found[places < 0] = 0.0
    return found


def _own(profiles: np.ndarray, places: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.where((places >= 0)[:, None], profiles[np.maximum(places, 0)], predicted)


def _mean_square(profiles: np.ndarray) -> float:
    return max(float((profiles * profiles).sum(axis=1).mean()), 1e-12)


def _gaussian(profiles: np.ndarray, others: np.ndarray, factor: float) -> np.ndarray:
    square = (profiles**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None, :]
    square -= 2.0 * profiles @ others.T
    kernel: np.ndarray = np.exp(-factor * np.maximum(square, 0.0))
    return kernel
