"""A trained model of the next medications as it is stored: vocabulary, predictor, promise, how covariates are read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.bundle import Bundle, open_bundle
from iatros.core.errors import NotABundleError
from iatros.learners.tabular.scorers import Read, Saved, nest, within
from iatros.treatment.responses.features import FeatureReader
from iatros.treatment.sequences.control import MissControl
from iatros.treatment.sequences.estimator import SequencePredictor, load_predictor
from iatros.treatment.sequences.schema import Histories
from iatros.treatment.sequences.vocabulary import Encoded, Vocabulary

QUESTION = "sequences"
_VOCABULARY, _READER = "vocabulary.json", "reader.safetensors"


@dataclass(frozen=True)
class SequenceModel:
    """`n_subjects` (medications,) counts the subjects learned from who were given each medication."""

    vocabulary: Vocabulary
    predictor: SequencePredictor
    control: MissControl
    reader: FeatureReader | None
    n_subjects: np.ndarray

    def encode(self, histories: Histories, static: np.ndarray | None) -> Encoded:
        """The visits as the predictor takes them."""
        return self.vocabulary.encode(histories, static)

    def save(self) -> Saved:
        """The document, and the files; no visit of a subject is among them."""
        predictor, files = self.predictor.save()
        document = {
            "kind": QUESTION,
            "predictor": predictor,
            "control": self.control.document(),
            "reader": None if self.reader is None else self.reader.document(),
        }
        known = self.vocabulary.document() | {"n_subjects": self.n_subjects.tolist()}
        stored = nest("predictor", files) | {_VOCABULARY: json.dumps(known, sort_keys=True).encode()}
        if self.reader is not None:
            stored[_READER] = pack_arrays(self.reader.arrays())
        return document, stored

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> SequenceModel:
        """The model that `save` described."""
        known = json.loads(read(_VOCABULARY))
        reader = None
        if document["reader"] is not None:
            reader = FeatureReader.load(document["reader"], unpack_arrays(read(_READER)))
        return cls(
            Vocabulary.load(known),
            load_predictor(document["predictor"], within("predictor", read)),
            MissControl.load(document["control"]),
            reader,
            np.array(known["n_subjects"], dtype=np.int64),
        )


def open_sequences(model: Any) -> tuple[Bundle, SequenceModel]:
    """The bundle and the model in it; NotABundleError where it answers another question."""
    bundle = open_bundle(model)
    if bundle.manifest.get("question") != QUESTION:
        raise NotABundleError(
            "the bundle does not answer which medications come next",
            where=bundle.name,
            hint="name one that was trained on visits in time",
        )
    return bundle, SequenceModel.load(bundle.manifest["predictor"], bundle.read)
