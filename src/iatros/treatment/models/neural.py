"""Two towers: one makes a vector of a subject, one of a treatment, and their product is the response.

A subject's vector comes from an embedding of its name, its features and its past responses, a treatment's from an
embedding and its features (Covington and others 2016; Yi and others 2019 for the two towers). Without layers, features
and history the towers are the embeddings themselves, so the model is the biased factorisation of Koren, Bell and
Volinsky 2009. In training the embeddings of some names are hidden, so that a new name is answered from the rest
(Volkovs, Yu and Poutanen 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import OutcomeError
from iatros.learners.tabular.predictor import assert_equal
from iatros.learners.tabular.scorers import Read, Saved, sigmoid
from iatros.learners.threads import one_blas_thread
from iatros.treatment.models.neural_inputs import Scale, Scaling, fit_scale, fit_scaling, past_of
from iatros.treatment.responses.estimator import Newness, ResponseParams
from iatros.treatment.responses.schema import Ask, Outcome, Responses, Subjects, Treatments

_FILE = "towers.safetensors"


class NeuralParams(ResponseParams):
    """Parameters of the towers."""

    factors: int = Field(
        default=16, ge=1, le=512, description="length of the vectors whose product is the response"
    )
    layers: int = Field(default=1, ge=0, le=6, description="dense layers of each tower; 0 is a factorisation")
    units: int = Field(default=64, ge=2, le=1024, description="units of each layer")
    history: bool = Field(default=True, description="whether a subject's past responses enter its tower")
    hidden_share: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="share of names whose embedding is hidden in each step of training",
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, description="share of the units hidden in each step")
    regularisation: float = Field(
        default=0.02, ge=0, le=10, description="weight of the squared embeddings in the loss"
    )
    weight_decay: float = Field(
        default=1e-3, ge=0, le=10, description="shrinkage of the other weights in each step"
    )
    learning_rate: float = Field(default=3e-3, gt=0, le=1, description="step of the optimiser")
    batch_size: int = Field(
        default=1024, ge=8, le=1_000_000, description="about how many responses a step has"
    )
    max_epochs: int = Field(
        default=60, ge=1, le=10_000, description="times that every response is learned from, at most"
    )
    patience: int = Field(
        default=6, ge=1, le=1000, description="epochs without a better tuning loss before the end"
    )
    n_members: int = Field(
        default=3, ge=1, le=50, description="towers trained from different seeds and averaged"
    )
    negatives: int = Field(
        default=4, ge=1, le=100, description="treatments not taken, drawn for each exposure"
    )


class Neural:
    """An ensemble of pairs of towers; squared error, cross-entropy, or cross-entropy with sampled negatives."""

    name: ClassVar[str] = "neural"
    outcomes: ClassVar[tuple[Outcome, ...]] = ("continuous", "binary", "implicit")
    Params: ClassVar[type[NeuralParams]] = NeuralParams

    def __init__(self, params: NeuralParams | None = None) -> None:
        self.params = params or NeuralParams()

    def fit(
        self, responses: Responses, *, newness: Newness, seed: int
    ) -> tuple[TowerPredictor, dict[str, Any]]:
        """The towers of each member as they were when its tuning loss was least; notes: those epochs and losses."""
        from iatros.treatment.models.neural_training import answers, train_member

        if not len(responses):
            raise OutcomeError("there are no responses to learn from")
        scale = fit_scale(responses)
        scalings = (
            fit_scaling(responses.of_subjects, np.unique(responses.subject)),
            fit_scaling(responses.of_treatments, np.unique(responses.treatment)),
        )
        trained = [
            train_member(responses, scale, scalings, self.params, newness, seed * 1000 + k)
            for k in range(self.params.n_members)
        ]
        with one_blas_thread():
            members = tuple(_member(one.weights, one.known, responses, scale, scalings) for one in trained)
        fitted = TowerPredictor(members, scale, *scalings)
        some = np.arange(min(len(responses), 200))
        assert_equal(
            answers(trained[0], responses, some), members[0].margin(*_at(responses, some)), tolerance=1e-4
        )
        notes = {
            "members": len(members),
            "epochs": [one.epoch for one in trained],
            "tuning_loss": [one.loss for one in trained],
        }
        return fitted, notes


def _at(responses: Responses, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return responses.subject[rows], responses.treatment[rows]


@dataclass(frozen=True)
class Side:
    """One tower, float32: from what is known of names to their vectors (n, factors) and offsets (n,)."""

    weights: dict[str, np.ndarray]

    def __call__(self, own: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """From the part that is a name's own (n, d), its embedding and history, and its scaled features X (n, f)."""
        w = self.weights
        offset = np.zeros(len(own), dtype=np.float32)
        x = own
        if X.shape[1]:
            x, offset = x + X @ w["features"].T, X @ w["features_offset"]
        k = 0
        while f"layers.{k}.weight" in w:
            x = x + np.maximum(x @ w[f"layers.{k}.weight"].T + w[f"layers.{k}.bias"], 0.0)
            k += 1
        return (x @ w["last"].T if "last" in w else x), offset


@dataclass(frozen=True)
class Member:
    """Two towers, and what they made of the names that they learned from.

    `vectors` (n, factors) and `offsets` (n,) of the subjects and of the treatments; `history` (treatments, d) and
    `level` are what past responses add to a new subject's vector and offset, None without history.
    """

    mean: float
    subjects: tuple[np.ndarray, np.ndarray]
    treatments: tuple[np.ndarray, np.ndarray]
    subject_side: Side
    treatment_side: Side
    width: int
    history: np.ndarray | None
    level: float

    def margin(self, subject: np.ndarray, treatment: np.ndarray) -> np.ndarray:
        """What is learned, (n,), for pairs of known names."""
        return self.product(self.subjects, self.treatments, subject, treatment)

    def product(
        self,
        subjects: tuple[np.ndarray, np.ndarray],
        treatments: tuple[np.ndarray, np.ndarray],
        subject: np.ndarray,
        treatment: np.ndarray,
    ) -> np.ndarray:
        """Mean, offsets and the product of the vectors of each pair, (n,) float64."""
        # summed pair by pair, so that no answer depends on the other pairs
        both = np.einsum("ij,ij->i", subjects[0][subject], treatments[0][treatment])
        return self.mean + subjects[1][subject].astype(float) + treatments[1][treatment] + both

    def arrays(self) -> dict[str, np.ndarray]:
        """Named arrays for a bundle."""
        found = {
            "mean": np.array([self.mean]), "level": np.array([self.level]),
            "width": np.array([self.width]),
            "subjects.vectors": self.subjects[0], "subjects.offsets": self.subjects[1],
            "treatments.vectors": self.treatments[0], "treatments.offsets": self.treatments[1],
        }  # fmt: skip
        for prefix, side in (("subject", self.subject_side), ("treatment", self.treatment_side)):
            found |= {f"{prefix}.{name}": value for name, value in side.weights.items()}
        if self.history is not None:
            found["history"] = self.history
        return found

    @classmethod
    def load(cls, arrays: dict[str, np.ndarray]) -> Member:
        """The reverse of `arrays`."""
        subject, treatment = (Side(_within(f"{prefix}.", arrays)) for prefix in ("subject", "treatment"))
        return cls(
            float(arrays["mean"][0]),
            (arrays["subjects.vectors"], arrays["subjects.offsets"]),
            (arrays["treatments.vectors"], arrays["treatments.offsets"]),
            subject, treatment, int(arrays["width"][0]), arrays.get("history"), float(arrays["level"][0]),
        )  # fmt: skip


@dataclass(frozen=True)
class TowerPredictor:
    """The mean of the members."""

    kind: ClassVar[str] = "towers"
    members: tuple[Member, ...]
    scale: Scale
    of_subjects: Scaling
    of_treatments: Scaling

    def predict(self, ask: Ask) -> np.ndarray:
        """The answer for each pair (n,); see `ResponsePredictor`."""
        return self._each(ask).mean(axis=0)

    def spread(self, ask: Ask) -> np.ndarray:
        """Standard deviation of the members' answers for each pair (n,), in the unit of `predict`."""
        return self._each(ask).std(axis=0)

    def save(self) -> Saved:
        """The document, and the arrays."""
        arrays = {"typical": self.scale.typical}
        for name, scaling in (("of_subjects", self.of_subjects), ("of_treatments", self.of_treatments)):
            arrays |= {f"{name}.{key}": value for key, value in scaling.arrays().items()}
        for k, member in enumerate(self.members):
            arrays |= {f"{k}.{name}": value for name, value in member.arrays().items()}
        document = {
            "kind": self.kind,
            "outcome": self.scale.outcome,
            "mean": self.scale.mean,
            "spread": self.scale.spread,
            "members": len(self.members),
        }
        return document, {_FILE: pack_arrays(arrays)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> TowerPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_FILE))
        scale = Scale(document["outcome"], document["mean"], document["spread"], arrays["typical"])
        of_subjects, of_treatments = (
            Scaling(**_within(f"{name}.", arrays)) for name in ("of_subjects", "of_treatments")
        )
        members = tuple(Member.load(_within(f"{k}.", arrays)) for k in range(document["members"]))
        return cls(members, scale, of_subjects, of_treatments)

    def _each(self, ask: Ask) -> np.ndarray:
        """Each member's answers (members, n)."""
        found = np.empty((len(self.members), len(ask)))
        with one_blas_thread():
            for k, member in enumerate(self.members):
                subjects = self._subjects(member, ask.subjects)
                treatments = self._treatments(member, ask.treatments)
                found[k] = member.product(subjects, treatments, ask.subject, ask.treatment)
        if self.scale.outcome == "continuous":
            return found * self.scale.spread + self.scale.mean
        return sigmoid(found) if self.scale.outcome == "binary" else found

    def _subjects(self, member: Member, asked: Subjects) -> tuple[np.ndarray, np.ndarray]:
        vectors, offsets = _known(member.subjects, asked.known)
        new = np.flatnonzero(asked.known < 0)
        if len(new):
            own = np.zeros((len(asked), member.width), dtype=np.float32)
            level = np.zeros(len(asked))
            if member.history is not None:
                past = self.scale.past(asked.start, asked.treatment, asked.y)
                own, level = past.pooled(member.history), member.level * past.level()
            X = self.of_subjects(asked.features, len(asked))
            vectors[new], made = member.subject_side(own[new], X[new])
            offsets[new] = made + level[new]
        return vectors, offsets

    def _treatments(self, member: Member, asked: Treatments) -> tuple[np.ndarray, np.ndarray]:
        vectors, offsets = _known(member.treatments, asked.known)
        new = np.flatnonzero(asked.known < 0)
        if len(new):
            X = self.of_treatments(asked.features, len(asked))
            own = np.zeros((len(new), member.width), dtype=np.float32)
            vectors[new], offsets[new] = member.treatment_side(own, X[new])
        return vectors, offsets


def _member(
    weights: dict[str, np.ndarray],
    known: tuple[np.ndarray, np.ndarray],
    responses: Responses,
    scale: Scale,
    scalings: tuple[Scaling, Scaling],
) -> Member:
    """A member as it is stored, from the weights that were learned; embeddings of names without responses are left out.

    `known` says which subjects (s,) and which treatments (t,) had responses to learn from.
    """
    sides = [Side(_within(f"{name}.tower.", weights)) for name in ("subject", "treatment")]
    embeddings = [weights[f"{name}.embedding"] * has[:, None]
                  for name, has in zip(("subject", "treatment"), known, strict=True)]  # fmt: skip
    offsets = [weights[f"{name}.offset"] * has
               for name, has in zip(("subject", "treatment"), known, strict=True)]  # fmt: skip
    history = weights.get("history")
    level = float(weights["level"][0]) if history is not None else 0.0
    if history is not None:
        past, _ = past_of(responses, scale)
        embeddings[0] = embeddings[0] + past.pooled(history)
        offsets[0] = offsets[0] + level * past.level()
    made = []
    for side, scaling, features, own, offset in zip(
        sides, scalings, (responses.of_subjects, responses.of_treatments), embeddings, offsets, strict=True
    ):
        vectors, extra = side(own, scaling(features, len(own)))
        made.append((vectors.astype(np.float32), (offset + extra).astype(np.float32)))
    width = embeddings[0].shape[1]
    return Member(float(weights["mean"][0]), made[0], made[1], sides[0], sides[1], width, history, level)


def _known(tables: tuple[np.ndarray, np.ndarray], known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Copies of the vectors and offsets at the places `known`; what lies at -1 is to be filled."""
    if not len(tables[1]):
        return np.zeros((len(known), tables[0].shape[1]), dtype=np.float32), np.zeros(
            len(known), dtype=np.float32
        )
    places = np.maximum(known, 0)
    return tables[0][places], tables[1][places]


def _within(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
