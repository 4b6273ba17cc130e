"""A trained model of responses as it is stored: the predictor, the responses, how features are read, the intervals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.bundle import Bundle
from iatros.core.errors import BundleError, unknown_name
from iatros.learners.tabular.scorers import Read, nest, within
from iatros.treatment.responses.estimator import ResponsePredictor, load_predictor
from iatros.treatment.responses.features import FeatureReader
from iatros.treatment.responses.names import key_of
from iatros.treatment.responses.schema import Features, Outcome, Responses, Subjects, Treatments
from iatros.treatment.responses.trust import Intervals, load_intervals

QUESTION = "responses"
_RESPONSES, _INTERVALS, _READERS, _NAMES = (
    "responses.safetensors",
    "intervals.safetensors",
    "readers.safetensors",
    "names.json",
)


@dataclass(frozen=True)
class ResponseModel:
    """A fitted model with what it learned from, which recommendations are explained by.

    `keys` are the names of the subjects, or hashes of them under `salt` where `hashed`.
    """

    predictor: ResponsePredictor
    responses: Responses
    intervals: Intervals
    of_subjects: FeatureReader | None
    of_treatments: FeatureReader | None
    keys: tuple[str, ...]
    hashed: bool
    salt: str

    @property
    def outcome(self) -> Outcome:
        """What the outcomes are."""
        return self.responses.outcome

    @property
    def treatments(self) -> tuple[str, ...]:
        """The treatments learned from."""
        return self.responses.treatments

    def place(self, subject: str) -> int:
        """The place of a known subject, -1 where it is not known."""
        key = key_of(self.salt, subject) if self.hashed else subject
        return self._places.get(key, -1)

    @property
    def _places(self) -> dict[str, int]:
        return {key: place for place, key in enumerate(self.keys)}

    def called(self, place: int) -> str:
        """How a known subject is called in an answer: by its name where that was kept, else by its number."""
        return f"subject {place + 1}" if self.hashed else self.keys[place]

    def treatment(self, name: str) -> int:
        """The place of a treatment; UnknownNameError with the nearest where there is none."""
        if name not in self.treatments:
            raise unknown_name("treatment", name, self.treatments)
        return self.treatments.index(name)

    def past(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Treatments and outcomes of a known subject, (h,) each."""
        rows = np.flatnonzero(self.responses.subject == place)
        return self.responses.treatment[rows], self.responses.y[rows]

    def known(self, places: Sequence[int]) -> Subjects:
        """Known subjects as the model saw them."""
        n = len(places)
        features = self.responses.of_subjects
        return Subjects(
            np.array(places, dtype=np.int64), np.zeros(n + 1, dtype=np.int64), np.empty(0, dtype=np.int64),
            np.empty(0), None if features is None else features.take(places),
        )  # fmt: skip

    def new(self, histories: Sequence[tuple[np.ndarray, np.ndarray]], features: Features | None) -> Subjects:
        """Subjects that were not learned from, with their past responses and features (none: nothing is known)."""
        if features is None and self.of_subjects is not None:
            nothing = self.of_subjects.neutral()
            features = Features(np.repeat(nothing.values, len(histories), axis=0), nothing.blocks)
        start = np.concatenate([[0], np.cumsum([len(one[0]) for one in histories])]).astype(np.int64)
        treatment = np.concatenate([one[0] for one in histories]) if histories else np.empty(0)
        y = np.concatenate([one[1] for one in histories]) if histories else np.empty(0)
        return Subjects(
            np.full(len(histories), -1), start, treatment.astype(np.int64), y.astype(float), features
        )

    def every_treatment(self) -> Treatments:
        """The treatments learned from."""
        return Treatments(np.arange(len(self.treatments)), self.responses.of_treatments)

    def files(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """A document and files from which `load` gives an equal model."""
        r = self.responses
        document, files = self.predictor.save()
        arrays = {"subject": r.subject, "treatment": r.treatment, "y": r.y}
        readers: dict[str, np.ndarray] = {}
        described: dict[str, Any] = {}
        for name, reader, features in (
            ("subjects", self.of_subjects, r.of_subjects),
            ("treatments", self.of_treatments, r.of_treatments),
        ):
            if reader is not None and features is not None:
                described[name] = reader.document()
                readers |= {f"{name}/{key}": value for key, value in reader.arrays().items()}
                arrays[f"of_{name}"] = features.values.astype(np.float32)
        names = {
            "treatments": list(r.treatments),
            "keys": list(self.keys),
            "hashed": self.hashed,
            "salt": self.salt,
        }
        own = {
            _RESPONSES: pack_arrays(arrays),
            _INTERVALS: pack_arrays(self.intervals.arrays()),
            _NAMES: json.dumps(names, ensure_ascii=False).encode(),
        }
        if readers:
            own[_READERS] = pack_arrays(readers)
        return {"predictor": document, "readers": described, "outcome": r.outcome}, own | nest("model", files)

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> ResponseModel:
        """The model that `files` described."""
        names = json.loads(read(_NAMES))
        arrays = unpack_arrays(read(_RESPONSES))
        described = document["readers"]
        stored = unpack_arrays(read(_READERS)) if any(_learned(one) for one in described.values()) else {}
        readers: dict[str, FeatureReader] = {}
        features: dict[str, Features] = {}
        for name, one in described.items():
            own = {k.removeprefix(f"{name}/"): v for k, v in stored.items() if k.startswith(f"{name}/")}
            readers[name] = FeatureReader.load(one, own)
            features[name] = Features(arrays[f"of_{name}"].astype(float), readers[name].neutral().blocks)
        responses = Responses(
            tuple(str(place) for place in range(len(names["keys"]))), tuple(names["treatments"]),
            arrays["subject"], arrays["treatment"], arrays["y"], document["outcome"], None,
            features.get("subjects"), features.get("treatments"),
        )  # fmt: skip
        return cls(
            load_predictor(document["predictor"], within("model", read)), responses,
            load_intervals(document["outcome"], unpack_arrays(read(_INTERVALS))),
            readers.get("subjects"), readers.get("treatments"),
            tuple(names["keys"]), bool(names["hashed"]), str(names["salt"]),
        )  # fmt: skip


def _learned(document: dict[str, Any]) -> bool:
    return document["encoder"] is not None


def model_of(bundle: Bundle) -> ResponseModel:
    """The model in a bundle; BundleError where it answers another question."""
    if bundle.manifest.get("domain") != "treatment" or bundle.manifest.get("question") != QUESTION:
        raise BundleError(
            "the bundle holds no model of responses", where=bundle.name,
            hint="train one with a table of subjects, treatments and outcomes",
        )  # fmt: skip
    return ResponseModel.load(bundle.manifest["predictor"], bundle.read)
