"""The mean, and offsets of treatments and subjects, both shrunk: what every other model must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.tabular.scorers import Read, Saved
from iatros.treatment.models.scale import Scale, check_learnable, looked_up
from iatros.treatment.responses.estimator import Newness, ResponseParams
from iatros.treatment.responses.schema import Ask, Outcome, Responses, Subjects

_ARRAYS = "arrays.safetensors"
_FOLD_IN_STEPS = 50


class BaselineParams(ResponseParams):
    """Parameters of the baseline."""

    shrink_treatments: float = Field(
        default=10.0,
        gt=0,
        le=1e6,
        description="responses at the mean that each treatment's offset is shrunk by",
    )
    shrink_subjects: float = Field(
        default=15.0,
        gt=0,
        le=1e6,
        description="responses at the mean that each subject's offset is shrunk by",
    )
    n_sweeps: int = Field(default=20, ge=1, le=1000, description="turns of treatments and subjects")


class Baseline:
    """Offsets by alternating least squares (Koren 2010, "Factor in the neighbors", section 2.1).

    Binary outcomes have the offsets in log-odds, learned by cross-entropy. Implicit ones are scored by the share of
    subjects that took the treatment.
    """

    name: ClassVar[str] = "baseline"
    outcomes: ClassVar[tuple[Outcome, ...]] = ("continuous", "binary", "implicit")
    Params: ClassVar[type[BaselineParams]] = BaselineParams

    def __init__(self, params: BaselineParams | None = None) -> None:
        self.params = params or BaselineParams()

    def fit(
        self, responses: Responses, *, newness: Newness, seed: int
    ) -> tuple[MeansPredictor, dict[str, Any]]:
        """The offsets; notes: the mean outcome, or the mean share of subjects that a treatment was taken by."""
        check_learnable(Baseline, responses)
        scale = Scale.of(responses)
        if responses.outcome == "implicit":
            fitted = _shares(responses, scale)
        else:
            fitted = _offsets(responses, scale, self.params)
        return fitted, {"mean": fitted.mean}


@dataclass(frozen=True)
class MeansPredictor:
    """`mean`, the offsets of subjects (subjects,) and of treatments (treatments,): outcomes, log-odds or shares."""

    kind: ClassVar[str] = "means"
    scale: Scale
    mean: float
    subjects: np.ndarray
    treatments: np.ndarray
    shrink_subjects: float

    def predict(self, ask: Ask) -> np.ndarray:
        """The answer for each pair (n,)."""
        subjects = self.subject_offsets(ask.subjects)[ask.subject]
        treatments = looked_up(ask.treatments.known, self.treatments, 0.0)[ask.treatment]
        margin = self.mean + subjects + treatments
        if self.scale.outcome == "continuous":
            return np.clip(margin, self.scale.low, self.scale.high)
        return self.scale.outward(margin)

    def subject_offsets(self, subjects: Subjects) -> np.ndarray:
        """The offset of each subject (subjects,); a new one's from its past responses, 0 without any."""
        found = looked_up(subjects.known, self.subjects, 0.0)
        of = np.repeat(np.arange(len(subjects)), np.diff(subjects.start))
        if not len(of) or self.scale.outcome == "implicit":
            return found
        base = self.mean + self.treatments[subjects.treatment]
        offsets = np.zeros(len(subjects))
        for _ in range(_FOLD_IN_STEPS if self.scale.outcome == "binary" else 1):
            offsets = _turn(
                subjects.y, base, of, offsets, self.shrink_subjects, self.scale.outcome, self.mean
            )
        return np.where(subjects.known < 0, offsets, found)

    def save(self) -> Saved:
        """The document, and its arrays."""
        document = {
            "kind": self.kind,
            "scale": self.scale.document(),
            "mean": self.mean,
            "shrink_subjects": self.shrink_subjects,
        }
        return document, {_ARRAYS: pack_arrays({"subjects": self.subjects, "treatments": self.treatments})}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> MeansPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        return cls(
            Scale(**document["scale"]),
            float(document["mean"]),
            arrays["subjects"],
            arrays["treatments"],
            float(document["shrink_subjects"]),
        )


def _offsets(responses: Responses, scale: Scale, params: BaselineParams) -> MeansPredictor:
    y, subject, treatment = responses.y, responses.subject, responses.treatment
    mean = float(y.mean())
    if responses.outcome == "binary":
        mean = float(np.log(mean / (1.0 - mean)))
    subjects, treatments = (np.zeros(n) for n in responses.shape)
    for _ in range(params.n_sweeps):
        treatments = _turn(
            y,
            mean + subjects[subject],
            treatment,
            treatments,
            params.shrink_treatments,
            responses.outcome,
            mean,
        )
        subjects = _turn(
            y,
            mean + treatments[treatment],
            subject,
            subjects,
            params.shrink_subjects,
            responses.outcome,
            mean,
        )
    return MeansPredictor(scale, mean, subjects, treatments, params.shrink_subjects)


def _turn(
    y: np.ndarray,
    base: np.ndarray,
    of: np.ndarray,
    offsets: np.ndarray,
    shrink: float,
    outcome: Outcome,
    mean: float,
) -> np.ndarray:
    """The offsets of one side while `base` stands: exact where continuous, a step that cannot overshoot where binary.

    Binary: each response as a normal one whose weight touches the logistic likelihood at its present log-odds
    (Jaakkola and Jordan 2000). `shrink` then stands for that many responses at the mean log-odds `mean`.
    """
    n = len(offsets)
    if outcome == "continuous":
        summed, weights = np.bincount(of, y - base, n), np.bincount(of, minlength=n)
    else:
        weight = _weight(base + offsets[of])
        summed, weights = np.bincount(of, y - 0.5 - weight * base, n), np.bincount(of, weight, n)
        shrink = shrink * float(_weight(np.array([mean]))[0])
    turned: np.ndarray = summed / (weights + shrink)
    return turned


def _weight(odds: np.ndarray) -> np.ndarray:
    size = np.maximum(np.abs(odds), 1e-4)
    weight: np.ndarray = np.tanh(size / 2.0) / (2.0 * size)
    return weight


def _shares(responses: Responses, scale: Scale) -> MeansPredictor:
    s, t = responses.shape
    seen = len(np.unique(responses.subject))
    shares = np.bincount(responses.treatment, minlength=t) / seen
    mean = float(shares.mean())
    return MeansPredictor(scale, mean, np.zeros(s), shares - mean, 1.0)
