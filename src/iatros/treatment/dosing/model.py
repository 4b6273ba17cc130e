"""A trained model of a dose as it is used: what is known of patients in, doses with intervals out.

What `dose` needs and no more: numpy, polars, onnxruntime and safetensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.bundle import Bundle, open_bundle
from iatros.core.errors import BundleFormatError, NotABundleError
from iatros.learners.tabular import predictor as learned
from iatros.learners.tabular.predictor import Predictor, assert_equal
from iatros.learners.tabular.schema import TableSchema
from iatros.learners.tabular.scorers import Read, Saved, nest, within
from iatros.treatment.dosing.intervals import BandedInterval
from iatros.treatment.dosing.scale import Scale, backward

if TYPE_CHECKING:
    import polars as pl

QUESTION = "dose"
_RULE = "conformal.safetensors"
_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class BlendPredictor:
    """The weighted mean of several models' answers; `weights` (m,) are above zero and sum to one."""

    kind: ClassVar[str] = "blend"
    names: tuple[str, ...]
    members: tuple[Predictor, ...]
    weights: np.ndarray

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """Answers (n,) on the learning scale."""
        return self.weights @ np.stack([member.predict(frame) for member in self.members])

    def save(self) -> Saved:
        """The document, the weights, and the members' files."""
        files = {_WEIGHTS: pack_arrays({"weights": self.weights})}
        members = []
        for name, member in zip(self.names, self.members, strict=True):
            document, inner = member.save()
            members.append({"name": name, "predictor": document})
            files |= nest(name, inner)
        return {"kind": self.kind, "members": members}, files

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> BlendPredictor:
        """The predictor that `save` described."""
        names = tuple(member["name"] for member in document["members"])
        members = tuple(
            load_predictor(member["predictor"], within(member["name"], read))
            for member in document["members"]
        )
        return cls(names, members, unpack_arrays(read(_WEIGHTS))["weights"])


def load_predictor(document: dict[str, Any], read: Read) -> Predictor:
    """The predictor that was saved as `document`: an equation, a blend, or a learned model."""
    from iatros.treatment.dosing.equations import EquationPredictor

    kind = document.get("kind")
    if kind == BlendPredictor.kind:
        return BlendPredictor.load(document, read)
    if kind == EquationPredictor.kind:
        return EquationPredictor.load(document, read)
    return learned.load_predictor(document, read)


@dataclass(frozen=True)
class DoseModel:
    """A predictor and its conformal rule over one input schema."""

    predictor: Predictor
    rule: BandedInterval
    scale: Scale
    schema: TableSchema
    """The feature columns, with the ranges that training patients had."""

    def raw(self, frame: pl.DataFrame) -> np.ndarray:
        """Answers (n,) on the learning scale."""
        return self.predictor.predict(frame.select(self.schema.names))

    def answer(self, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Dose, low and high (n,) of each patient, in the unit of the dose; an open end is infinite."""
        raw = self.raw(frame)
        low, high = self.rule.apply(raw)
        return backward(self.scale, raw), backward(self.scale, low), backward(self.scale, high)

    def save(self, sample: pl.DataFrame) -> Saved:
        """The manifest's part about answering, and the files; FitError where the stored form answers otherwise."""
        document, files = self.predictor.save()
        read = load_predictor(document, files.__getitem__).predict(sample.select(self.schema.names))
        assert_equal(self.raw(sample), read)
        files = {**files, _RULE: pack_arrays(self.rule.arrays())}
        return {"predictor": document, "scale": self.scale}, files

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> DoseModel:
        """The model that `bundle` holds."""
        document = bundle.manifest["predictor"]
        if not isinstance(document, dict) or "scale" not in document:
            raise BundleFormatError(
                f"{bundle.name} does not say on which scale its doses are", hint="train again"
            )
        return cls(
            load_predictor(document["predictor"], bundle.read),
            BandedInterval.load(unpack_arrays(bundle.read(_RULE))),
            document["scale"],
            TableSchema.model_validate(bundle.manifest["schema"]),
        )


def open_dose(path: Any) -> tuple[Bundle, DoseModel]:
    """The bundle and what answers in it; NotABundleError where it answers another question."""
    bundle = open_bundle(path)
    if bundle.manifest.get("domain") != "treatment" or bundle.manifest.get("question") != QUESTION:
        raise NotABundleError(
            "the bundle does not say how much of a drug a patient needs",
            where=bundle.name,
            hint="name one that was trained on doses",
        )
    return bundle, DoseModel.from_bundle(bundle)
