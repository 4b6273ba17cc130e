"""The picture of an answer: the image as the network saw it, under the heat map of what it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.bundle import Bundle
from iatros.imaging.answering import Answers
from iatros.imaging.inputs import evenly, prepare
from iatros.imaging.patients import encoded
from iatros.imaging.schema import Collection, ImageRecord, InputSpec

_KEY_SLICES = 3


@dataclass(frozen=True)
class Picture:
    """RGB uint8 (rows, columns, 3), and the slices of the source that count most, most important first."""

    rgb: np.ndarray
    key_slices: tuple[int, ...]
    answer: str
    """What the heat speaks for."""


class Overlays:
    """Draws the picture of one record after another; the torch network is built once."""

    def __init__(self, bundle: Bundle, collection: Collection, answers: Answers, method: str) -> None:
        from iatros.imaging.explaining import explained_outputs
        from iatros.imaging.rebuilding import network_from_bundle

        self._outputs, self._names = explained_outputs(answers.model, answers.predictions, None)
        self._network = network_from_bundle(bundle)
        self._slicewise = bool(bundle.manifest["network"]["slicewise"])
        self._collection, self._answers, self._method = collection, answers, method

    def draw(self, row: int) -> Picture:
        """The picture of a record, by its row in the answers."""
        from iatros.imaging.explanation import heat_maps
        from iatros.imaging.explanation.overlay import overlay_rgb

        record, spec = self._answers.records[row], self._answers.model.spec
        inputs, chosen = self._inputs(record, row)
        heat = heat_maps(
            self._network,
            inputs[None],
            self._outputs[[row]],
            self._method,
            spec,
            table=encoded(self._answers.model.table, [record]),
        )[0]
        if spec.kind == "image":
            return Picture(overlay_rgb(inputs, heat), chosen, self._names[row])
        weights = None if self._answers.slice_weights is None else self._answers.slice_weights[row]
        order = _most_important(heat, weights)
        place = int(order[0])
        plane = inputs[:, place] if spec.kind == "volume" else inputs[place]
        source = _source_slices(record, spec)
        keys = tuple(int(source[k]) for k in order[:_KEY_SLICES])
        return Picture(overlay_rgb(plane, heat[place]), keys, self._names[row])

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
        """Of a network that sees one slice at a time: the slices in which most speaks for the explained answer."""
        predictions, owner, output = (
            self._answers.slice_predictions,
            self._answers.slice_owner,
            self._outputs[row],
        )
        if predictions is None or owner is None:
            return np.array([0])
        several = self._answers.model.objective == "binary-cross-entropy"
        alone = np.asarray(predictions[int(output) if several else 0])[owner == row]
        if alone.ndim == 2:
            alone = alone[:, alone.mean(axis=0).argmax()]
        elif not several and self._answers.model.targets[0].task == "binary" and output == 0:
            alone = 1 - alone
        return np.argsort(-alone, kind="stable")


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
