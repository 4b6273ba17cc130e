"""A trained model of activity as it is used: compounds in; calibrated values, intervals and domain out.

What `predict` needs and no more: numpy, RDKit, onnxruntime and safetensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.bundle import Bundle
from iatros.core.calibration import Calibrator
from iatros.core.conformal import ConformalInterval, ConformalSet
from iatros.core.errors import BundleError
from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.models.combined import BagPredictor, StackPredictor
from iatros.molecules.models.estimator import CompoundPredictor, load_predictor
from iatros.molecules.trust.difficulty import Difficulty
from iatros.molecules.trust.domain import Domain

_ARRAYS = "calibration.safetensors"
Rule = ConformalSet | ConformalInterval


@dataclass(frozen=True)
class Answers:
    """What a model says of n compounds and k endpoints.

    `value` (n, k) is the calibrated probability of the second class, or the value in the endpoint's unit. Of numbers,
    `low` and `high` (n, k) are the conformal interval, infinite where there were too few compounds to set it; of
    classes, `held` (n, k, 2) says which are in the conformal set. `spread` (n, k) is the standard deviation of what
    the fits say by themselves, before calibration. `similarity` (n,) is that to the nearest compounds that were learned
    from, nan where their fingerprints were not kept; `inside` (n,) tells whether the compound lies in the domain of
    applicability, and `reasons` (n,) why not.
    """

    raw: np.ndarray
    value: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    held: np.ndarray
    similarity: np.ndarray
    inside: np.ndarray
    reasons: tuple[str, ...]

    @staticmethod
    def joined(parts: Sequence[Answers]) -> Answers:
        """The answers for several lists of compounds, one after the other."""
        arrays = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Answers)
            if field.name != "reasons"
        }
        return Answers(**arrays, reasons=tuple(reason for part in parts for reason in part.reasons))


@dataclass(frozen=True)
class ActivityModel:
    """Predictor, for each endpoint a calibrator, a conformal rule and the error to expect, and the domain."""

    name: str
    endpoints: tuple[Target, ...]
    predictor: CompoundPredictor
    calibrators: tuple[Calibrator, ...]
    rules: tuple[Rule, ...]
    """Of numbers in units of the error to expect."""
    difficulties: tuple[Difficulty, ...]
    domain: Domain
    scale: np.ndarray
    """By endpoint (k,), in which unit disagreement counts: the spread of what was measured, or 1 for classes."""

    @property
    def binary(self) -> bool:
        """Whether the endpoints are classes."""
        return self.endpoints[0].task == "binary"

    def answer(self, compounds: Compounds) -> Answers:
        """Everything that the model says of `compounds`, in their order."""
        raw, spread, disagreement = predict_with_spread(self.predictor, compounds)
        value = self.calibrated(raw)
        low, high = np.full(value.shape, -np.inf), np.full(value.shape, np.inf)
        held = np.zeros((*value.shape, 2), dtype=bool)
        found = self.domain.assess(compounds, (disagreement / self.scale).mean(axis=1))
        for column, rule in enumerate(self.rules):
            if isinstance(rule, ConformalInterval):
                expected = self.difficulties[column].of(found.similarity, disagreement[:, column])
                below, above = rule.apply(np.zeros(len(value)))
                low[:, column] = value[:, column] + below * expected
                high[:, column] = value[:, column] + above * expected
            else:
                held[:, column] = rule.sets(value[:, column])
        return Answers(raw, value, spread, low, high, held, found.similarity, found.inside, found.reason)

    def calibrated(self, raw: np.ndarray) -> np.ndarray:
        """What the predictor says (n, k), each endpoint through its calibrator."""
        columns = [calibrator.apply(raw[:, k]) for k, calibrator in enumerate(self.calibrators)]
        return np.column_stack(columns)

    def save(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The manifest's part about predicting, and the files that hold the numbers."""
        document, files = self.predictor.save()
        arrays = {
            f"calibrator{place}.{key}": value
            for place, calibrator in enumerate(self.calibrators)
            for key, value in calibrator.arrays.items()
        }
        arrays |= {
            f"conformal{place}.{key}": value
            for place, rule in enumerate(self.rules)
            for key, value in rule.arrays().items()
        }
        arrays |= {
            f"difficulty{place}.{key}": value
            for place, difficulty in enumerate(self.difficulties)
            for key, value in difficulty.arrays().items()
        }
        arrays |= {f"domain.{key}": value for key, value in self.domain.arrays().items()}
        arrays["endpoints.scale"] = self.scale
        return {
            "predictor": document,
            "domain": self.domain.document(),
            "calibrators": [calibrator.kind for calibrator in self.calibrators],
        }, {**files, _ARRAYS: pack_arrays(arrays)}

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> ActivityModel:
        """The model that `bundle` holds; a bundle of another question raises BundleError."""
        manifest = bundle.manifest
        if manifest.get("question") == "generation":
            raise BundleError(
                "the bundle holds a generator, which writes compounds and predicts nothing",
                where=bundle.name,
                hint="give it to iatros molecules generate",
            )
        if manifest["domain"] != "molecules" or "endpoints" not in manifest:
            raise BundleError(
                f"{bundle.name} answers questions of {manifest['domain']}, not about the activity of compounds"
            )
        document = manifest["predictor"]
        parts: dict[str, dict[str, np.ndarray]] = {}
        for key, value in unpack_arrays(bundle.read(_ARRAYS)).items():
            part, _, name = key.partition(".")
            parts.setdefault(part, {})[name] = value
        endpoints = tuple(
            Target(**{**endpoint, "classes": tuple(endpoint["classes"])})
            for endpoint in manifest["endpoints"]
        )
        kind = ConformalInterval if endpoints[0].task == "continuous" else ConformalSet
        return cls(
            name=manifest["model"],
            endpoints=endpoints,
            predictor=load_predictor(document["predictor"], bundle.read),
            calibrators=tuple(
                Calibrator.load(kind_of, parts.get(f"calibrator{place}", {}))
                for place, kind_of in enumerate(document["calibrators"])
            ),
            rules=tuple(kind.load(parts[f"conformal{place}"]) for place in range(len(endpoints))),
            difficulties=tuple(
                Difficulty.load(parts.get(f"difficulty{place}", {})) for place in range(len(endpoints))
            ),
            domain=Domain.load(document["domain"], parts.get("domain", {})),
            scale=parts["endpoints"]["scale"],
        )


def endpoint_documents(endpoints: tuple[Target, ...]) -> list[dict[str, Any]]:
    """The endpoints as a manifest holds them."""
    return [{**asdict(target), "classes": list(target.classes)} for target in endpoints]


def predict_with_spread(
    predictor: CompoundPredictor, compounds: Compounds
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `predictor` says, how far its fits differ, and how far its members do, each (n, k).

    The second is the standard deviation of what the fits say by themselves; of models that are weighed, those without
    the same part of the training compounds are weighed together. The third is that of the weighed models among each
    other, and 0 for one model: only it is known of training compounds as if they were unseen.
    """
    if isinstance(predictor, BagPredictor) and len(compounds):
        parts = predictor.parts(compounds)
        return parts.mean(axis=0), parts.std(axis=0), np.zeros(parts.shape[1:])
    if isinstance(predictor, StackPredictor) and len(compounds):
        members = [_fits(member, compounds) for member in predictor.members]
        means = np.stack([parts.mean(axis=0) for parts in members])
        n_fits = min(len(parts) for parts in members)
        fits = np.stack([predictor.combine(np.stack([parts[k] for parts in members])) for k in range(n_fits)])
        return predictor.combine(means), fits.std(axis=0), means.std(axis=0)
    value = predictor.predict(compounds)
    return value, np.zeros(value.shape), np.zeros(value.shape)


def _fits(member: CompoundPredictor, compounds: Compounds) -> np.ndarray:
    return member.parts(compounds) if isinstance(member, BagPredictor) else member.predict(compounds)[None]
