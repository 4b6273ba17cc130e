"""How alike subjects, or treatments, are by their features: one kernel for each block, and their weighted sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import BundleFormatError, InputError
from iatros.learners.completion.kernels import gaussian, mean_distance, tanimoto
from iatros.treatment.responses.schema import Block, Features

_FORMS = {
    "numbers": ("gaussian", "scaled gaussian"),
    "categories": ("agreement",),
    "bits": ("tanimoto",),
    "similarity": ("given",),
}


@dataclass(frozen=True)
class Part:
    """One kernel of one block, and its share in the sum.

    `gaussian` takes numbers as they are, `scaled gaussian` over their deviations; the width of both is the mean
    distance. `agreement` counts equal categories, `tanimoto` compares bits, `given` is the similarity itself.
    """

    block: Block
    form: str
    weight: float


@dataclass(frozen=True)
class FeatureKernel:
    """The known ones' features (n, k), and what is added up. `active` (n,) are their places among all names."""

    parts: tuple[Part, ...]
    values: np.ndarray
    active: np.ndarray

    @classmethod
    def of(cls, features: Features, active: np.ndarray) -> FeatureKernel:
        """Every kernel that the blocks offer, with equal weights over blocks."""
        values = features.values[active]
        parts: list[Part] = []
        for block in features.blocks:
            forms = _forms(block, values[:, block.start : block.stop])
            parts += [Part(block, form, 1.0 / len(forms) / len(features.blocks)) for form in forms]
        return cls(tuple(parts), values, np.asarray(active))

    def weighted(self, weights: np.ndarray) -> FeatureKernel:
        """The same parts with other weights."""
        parts = tuple(
            Part(one.block, one.form, float(weight)) for one, weight in zip(self.parts, weights, strict=True)
        )
        return FeatureKernel(parts, self.values, self.active)

    def among_known(self) -> list[np.ndarray]:
        """The kernel of each part among the known ones (n, n), symmetric."""
        own = [self._of(part, self._known_values(part)) for part in self.parts]
        return [(one + one.T) / 2.0 for one in own]

    def known(self) -> np.ndarray:
        """The sum among the known ones (n, n)."""
        return self._summed([(part, one) for part, one in zip(self.parts, self.among_known(), strict=True)])

    def asked(self, features: Features) -> np.ndarray:
        """The sum of the kernels of each asked one with the known ones, (q, n)."""
        wanted = [part.block for part in self.parts]
        width = max(block.stop for block in wanted)
        if features.values.shape[1] < width:
            raise InputError(
                f"features have {features.values.shape[1]} columns, the model learned from {width}",
                hint="give the features that the model was trained on",
            )
        return self._of_values(features.values)

    def of_known(self, places: np.ndarray) -> np.ndarray:
        """The sum of the kernels of the known ones at `places` (q,) with all, (q, n)."""
        return self._of_values(self.values[places])

    def _of_values(self, values: np.ndarray) -> np.ndarray:
        told = [
            (part, self._of(part, values[:, part.block.start : part.block.stop]))
            for part in self.parts
            if part.weight > 0.0
        ]
        return self._summed(told)

    def _summed(self, told: list[tuple[Part, np.ndarray]]) -> np.ndarray:
        total = sum(part.weight * one for part, one in told)
        return np.asarray(total, dtype=float)

    def _known_values(self, part: Part) -> np.ndarray:
        return self.values[:, part.block.start : part.block.stop]

    def _of(self, part: Part, asked: np.ndarray) -> np.ndarray:
        known = self._known_values(part)
        if part.form == "given":
            return asked[:, self.active]
        if part.form == "tanimoto":
            return tanimoto(asked, known)
        if part.form == "agreement":
            kernel: np.ndarray = asked @ known.T
            return kernel
        if part.form == "scaled gaussian":
            centre, scale = known.mean(axis=0), _deviations(known)
            asked, known = (asked - centre) / scale, (known - centre) / scale
        return gaussian(asked, known, 1.0 / mean_distance(known))

    def document(self) -> list[dict[str, Any]]:
        """The parts, ready for JSON."""
        return [
            {"name": one.block.name, "kind": one.block.kind, "start": one.block.start, "stop": one.block.stop,
             "form": one.form, "weight": one.weight}
            for one in self.parts
        ]  # fmt: skip

    @classmethod
    def load(cls, document: list[dict[str, Any]], values: np.ndarray, active: np.ndarray) -> FeatureKernel:
        """The kernel that `document` described."""
        parts = []
        for one in document:
            if one["form"] not in _FORMS.get(one["kind"], ()):
                raise BundleFormatError(f"a block of {one['kind']} has no kernel {one['form']!r}")
            block = Block(one["name"], one["kind"], one["start"], one["stop"])
            parts.append(Part(block, one["form"], one["weight"]))
        return cls(tuple(parts), values, active)


def _forms(block: Block, values: np.ndarray) -> tuple[str, ...]:
    """The kernels of a block; numbers that differ in their deviations may be compared with or without these."""
    forms = _FORMS[block.kind]
    if block.kind != "numbers":
        return forms
    scale = values.std(axis=0)
    same = values.shape[1] == 1 or scale.max() <= 1.05 * max(scale.min(), 1e-12)
    return forms[:1] if same else forms


def _deviations(values: np.ndarray) -> np.ndarray:
    scale = values.std(axis=0)
    floor = 1e-9 * np.maximum(1.0, np.abs(values.mean(axis=0)))
    answer: np.ndarray = np.where(scale > floor, scale, np.inf)
    return answer
