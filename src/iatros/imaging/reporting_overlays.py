"""The picture of an answer: the image as the network saw it, under the heat map of what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.bundle import Bundle
from iatros.core.task import Target
from iatros.imaging.answering import Answers
from iatros.imaging.inputs import evenly, prepare
from iatros.imaging.schema import Collection, ImageRecord, InputSpec, Objective

_KEY_SLICES = 3


@dataclass(frozen=True)
class Picture:
    """RGB uint8 (rows, columns, 3), and the slices of the source that count most, most important first."""

    rgb: np.ndarray
    key_slices: tuple[int, ...]


class Overlays:
    """Draws the picture of one record after another; the torch network is built once."""

    def __init__(self, bundle: Bundle, collection: Collection, answers: Answers, method: str) -> None:
        from iatros.imaging.rebuilding import network_from_bundle

        self._network = network_from_bundle(bundle)
        self._slicewise = bool(bundle.manifest["network"]["slicewise"])
        self._collection, self._answers, self._method = collection, answers, method

    def draw(self, row: int) -> Picture:
        """The picture of a record, by its row in the answers."""
        from iatros.imaging.explanation import heat_maps
        from iatros.imaging.explanation.overlay import overlay_rgb

        record, spec = self._answers.records[row], self._answers.model.spec
        inputs, chosen = self._inputs(record, row)
        output = explained_output(
            self._answers.model.objective,
            self._answers.model.targets,
            [one[row] for one in self._answers.predictions],
        )
        heat = heat_maps(
            self._network, inputs[None], np.array([output]), self._method, spec, table=self._table(row)
        )[0]
        if spec.kind == "image":
            return Picture(overlay_rgb(inputs, heat), chosen)
        weights = None if self._answers.slice_weights is None else self._answers.slice_weights[row]
        order = _most_important(heat, weights)
        place = int(order[0])
        plane = inputs[:, place] if spec.kind == "volume" else inputs[place]
        source = _source_slices(record, spec)
        return Picture(overlay_rgb(plane, heat[place]), tuple(int(source[k]) for k in order[:_KEY_SLICES]))

    def _inputs(self, record: ImageRecord, row: int) -> tuple[np.ndarray, tuple[int, ...]]:
        """What the network is shown, and which slices of the source that is where it sees one at a time."""
        pixels, spec = self._collection.pixels(record), self._answers.model.spec
        if not self._slicewise:
            return prepare(pixels, spec, spacing_mm=record.spacing_mm), ()
        kept = evenly(pixels.shape[1], spec.max_slices)
        best = kept[self._surest_slices(row)[:_KEY_SLICES]]
        inner = record.spacing_mm[1:] if record.spacing_mm else None
        return prepare(pixels[:, int(best[0])], spec, spacing_mm=inner), tuple(int(k) for k in best)

    def _surest_slices(self, row: int) -> np.ndarray:
        """Of a network that sees one slice at a time: the slices in which most speaks for the study's answer."""
        predictions, owner = self._answers.slice_predictions, self._answers.slice_owner
        if predictions is None or owner is None:
            return np.array([0])
        place = _explained_target(
            self._answers.model.targets, [one[row] for one in self._answers.predictions]
        )
        of_record = predictions[place][owner == row]
        if of_record.ndim == 2:
            of_record = of_record[:, int(np.argmax(self._answers.predictions[place][row]))]
        return np.argsort(-of_record, kind="stable")

    def _table(self, row: int) -> np.ndarray | None:
        from iatros.imaging.fusion_table import patient_frame

        encoder = self._answers.model.encoder
        return None if encoder is None else encoder.apply(patient_frame([self._answers.records[row]]))


def explained_output(objective: Objective, targets: tuple[Target, ...], predictions: list[Any]) -> int:
    """The number of the network's output that is explained: the finding of a binary target, else what was predicted.

    Of several labels, the most probable one; of ordered grades, the step that leads up to the predicted one.
    """
    place = _explained_target(targets, predictions)
    if objective == "squared-error":
        return 0
    if objective == "binary-cross-entropy":
        return place
    prediction = np.asarray(predictions[place])
    answer = 1 if prediction.ndim == 0 else int(np.argmax(prediction))
    return max(answer - 1, 0) if objective == "ordinal" else answer


def _explained_target(targets: tuple[Target, ...], predictions: list[Any]) -> int:
    return int(np.argmax([float(one) for one in predictions])) if len(targets) > 1 else 0


def _most_important(heat: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Slices of the input by the network's own weights where it gives some, else by how much heat they hold."""
    sums = heat.reshape(len(heat), -1).sum(axis=1)
    return np.argsort(-(sums if weights is None else np.asarray(weights)[: len(heat)]), kind="stable")


def _source_slices(record: ImageRecord, spec: InputSpec) -> np.ndarray:
    """The slice of the source that each slice of the input came from, or lies nearest to."""
    n = record.shape[1]
    if spec.kind == "sequence":
        return evenly(n, spec.max_slices)
    centres = (np.arange(spec.size[0]) + 0.5) * n / spec.size[0] - 0.5
    return np.clip(np.round(centres), 0, n - 1).astype(int)
