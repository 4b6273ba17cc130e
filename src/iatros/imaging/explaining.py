"""Explain: where in each image the answer comes from, drawn over the image, and whether the maps can be believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iatros.core.bundle import Bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError, unknown_name
from iatros.imaging.answering import Answers, answer_collection, describe_answers, fitting_records
from iatros.imaging.explanation import heat_maps
from iatros.imaging.explanation.checking import parameter_randomisation
from iatros.imaging.explanation.overlay import overlay_png, plain_png, series_png
from iatros.imaging.explanation.page import explanation_page
from iatros.imaging.explanation.place import place_of_heat, warnings
from iatros.imaging.inputs import evenly, prepare
from iatros.imaging.patients import encoded
from iatros.imaging.prediction import naming, open_imaging
from iatros.imaging.requests import ExplainRequest
from iatros.imaging.schema import Collection, ImageRecord, InputSpec
from iatros.imaging.scoring import ImagingModel
from iatros.imaging.sources import open_collection

_SHOWN_SLICES = 8
_CHECKED = 8
"""Images on which the maps themselves are checked: each is mapped again for ten random networks."""


@dataclass(frozen=True)
class Explained:
    """One record with the heat of its answer."""

    record: ImageRecord
    inputs: np.ndarray
    """What the network is shown: image (c, h, w), volume (c, d, h, w) or slices (s, c, h, w)."""
    heat: np.ndarray
    """(h, w) or (slices, h, w), 0 to 1."""
    output: int
    answer: str
    table: np.ndarray | None
    weights: np.ndarray | None
    """How much each slice counts (slices,), where there are slices."""


def explain(request: ExplainRequest, context: Context) -> Produced:
    """A heat map of each image's answer as PNG, a page of them, where the heat lies, and a check of the method.

    Raises RequestError for a model that outlines findings, and for an `answer` that the model cannot give.
    """
    bundle = open_imaging(request.model)
    if bundle.manifest["task"] == "segmentation":
        raise RequestError(
            "this model outlines what it finds, and the outline is its own explanation",
            where=bundle.name,
            hint="iatros imaging predict writes the outline",
        )
    collection = _first(bundle, request, context)
    answers = answer_collection(bundle, collection, context)
    mapper = _Mapper(bundle, answers, request)
    shown: list[Explained] = []
    rows: list[dict[str, Any]] = []
    documents: dict[str, bytes] = {}
    pictures: list[tuple[bytes, bytes]] = []
    columns = describe_answers(answers.model.targets, answers.model.conformal, answers.predictions)
    with context.progress.step("heat maps", total=len(answers.records)) as step:
        for number, one in enumerate(mapper.explained(collection)):
            name = f"heat/{number + 1:04d}.png"
            slices = shown_slices(one)
            plain, overlay = draw(one, slices)
            documents[name] = overlay
            pictures.append((plain, overlay))
            given = {column: values[number] for column, values in columns.items()}
            rows.append({"name": one.record.name, **given, **_described(one, slices), "document": name})
            # the check needs some of the arrays, and a thousand volumes would not fit into memory
            shown += [one] if len(shown) < _CHECKED else []
            step.advance()
    with context.progress.step("checking the heat maps"):
        check = mapper.check(shown)
    result = {
        **naming(bundle),
        "method": request.method,
        "n": len(rows),
        "images": rows,
        "checks": {"randomisation": check},
        "refused": [{"name": one.name, "reason": one.reason} for one in answers.refused],
        "notes": _notes(rows, check),
    }
    for note in result["notes"]:
        context.progress.note(note)
    documents["explanation.html"] = explanation_page(result, pictures, context.run_id).encode()
    return Produced(result, documents=documents)


def _first(bundle: Bundle, request: ExplainRequest, context: Context) -> Collection:
    """The first images of the source that the model can take."""
    with context.progress.step("reading images"):
        collection = open_collection(
            request.images, context, table=request.table, window=bundle.manifest["request"].get("window")
        )
    network = bundle.manifest["network"]
    records, refused = fitting_records(
        collection, InputSpec.load(network["spec"]), bool(network["slicewise"])
    )
    if not records:
        return collection
    return replace(collection, records=records[: request.most], refused=(*collection.refused, *refused))


class _Mapper:
    """Makes the heat map of one record after another; the torch network is built once."""

    def __init__(self, bundle: Bundle, answers: Answers, request: ExplainRequest) -> None:
        from iatros.imaging.rebuilding import network_from_bundle

        self._outputs, self._names = explained_outputs(answers.model, answers.predictions, request.answer)
        self._network = network_from_bundle(bundle)
        self._slicewise = bool(bundle.manifest["network"]["slicewise"])
        self._answers, self._request = answers, request
        self._spec = answers.model.spec

    def explained(self, collection: Collection) -> Iterator[Explained]:
        """Each record of the answers, in their order."""
        for row, record in enumerate(self._answers.records):
            pixels = collection.pixels(record)
            table = encoded(self._answers.model.table, [record])
            inputs = self._inputs(pixels, record)
            many = inputs if self._slicewise else inputs[None]
            output = np.full(len(many), self._outputs[row])
            given = None if table is None else np.repeat(table, len(many), axis=0)
            heat = heat_maps(self._network, many, output, self._request.method, self._spec, table=given)
            weights = self._weights(row, len(inputs))
            if self._slicewise and weights is not None:
                heat = heat * (weights / max(float(weights.max()), 1e-12))[:, None, None]
            yield Explained(
                record=record,
                inputs=inputs,
                heat=heat if self._slicewise else heat[0],
                output=int(self._outputs[row]),
                answer=self._names[row],
                table=table,
                weights=weights,
            )

    def check(self, shown: list[Explained]) -> dict[str, Any]:
        """The parameter randomisation on some of the images; of slices that stand alone, on the hottest of each."""
        inputs = [self._alone(one) for one in shown]
        tables = [one.table for one in shown if one.table is not None]
        return parameter_randomisation(
            self._network,
            inputs,
            np.array([one.output for one in shown]),
            self._request.method,
            self._spec,
            self._request.seed,
            table=np.concatenate(tables) if tables else None,
        )

    def _alone(self, one: Explained) -> np.ndarray:
        if not self._slicewise:
            return one.inputs
        return np.asarray(one.inputs[int(one.heat.reshape(len(one.heat), -1).max(axis=1).argmax())])

    def _inputs(self, pixels: np.ndarray, record: ImageRecord) -> np.ndarray:
        if not self._slicewise:
            return prepare(pixels, self._spec, spacing_mm=record.spacing_mm)
        inner = record.spacing_mm[1:] if record.spacing_mm else None
        kept = evenly(pixels.shape[1], self._spec.max_slices)
        return np.stack([prepare(pixels[:, k], self._spec, spacing_mm=inner) for k in kept])

    def _weights(self, row: int, n_slices: int) -> np.ndarray | None:
        """The network's own weights, or how probable each slice alone makes the explained answer."""
        if self._answers.slice_weights is not None:
            return np.asarray(self._answers.slice_weights[row])[:n_slices]
        if not self._slicewise or self._answers.slice_predictions is None:
            return None
        model, owner = self._answers.model, self._answers.slice_owner
        place = self._outputs[row] if model.objective == "binary-cross-entropy" else 0
        alone = np.asarray(self._answers.slice_predictions[place])[owner == row]
        if model.targets[0].task == "continuous":
            return None
        by_class = alone if alone.ndim == 2 else np.column_stack([1 - alone, alone])
        chosen = 1 if model.objective == "binary-cross-entropy" else self._outputs[row]
        return np.asarray(by_class[:, min(chosen, by_class.shape[1] - 1)])


def explained_outputs(
    model: ImagingModel, predictions: tuple[np.ndarray, ...], answer: str | None
) -> tuple[np.ndarray, list[str]]:
    """The number of the explained output of each image, and what it says in words.

    `answer` is a class (of several labels, a label); where it is not given, the predicted class, the most probable
    label, or the value itself. Of ordered grades a network has an output for each step, and what is explained is
    the step up to the grade, or for the lowest grade the first step: what would speak for more.
    """
    targets, n = model.targets, len(predictions[0])
    if model.objective == "squared-error":
        if answer is not None:
            raise RequestError(f"answer is for classes, and {targets[0].name} is a quantity")
        return np.zeros(n, dtype=int), [targets[0].name] * n
    if model.objective == "binary-cross-entropy":
        known = [target.name for target in targets]
        chosen = np.argmax(np.column_stack(predictions), axis=1)
    else:
        known = list(targets[0].classes)
        chosen = _predicted_class(predictions[0])
    if answer is not None:
        if answer not in known:
            raise unknown_name("answer of this model", answer, known)
        chosen = np.full(n, known.index(answer))
    if model.objective != "ordinal":
        return chosen, [known[k] for k in chosen]
    steps = np.maximum(chosen - 1, 0)
    return steps, [f"at least {known[k + 1]}" for k in steps]


def _predicted_class(prediction: np.ndarray) -> np.ndarray:
    if prediction.ndim == 1:
        return (prediction >= 0.5).astype(int)
    return np.asarray(prediction.argmax(axis=1))


def shown_slices(one: Explained) -> list[int]:
    """Of what has slices, those that count most, in the order of the series; empty for one image."""
    if one.heat.ndim == 2:
        return []
    weights = one.heat.reshape(len(one.heat), -1).sum(axis=1) if one.weights is None else one.weights
    return sorted(np.argsort(-weights, kind="stable")[:_SHOWN_SLICES].tolist())


def draw(one: Explained, slices: list[int]) -> tuple[bytes, bytes]:
    """The image as the network saw it, and the heat over it; of a series both are sheets of `slices`."""
    if one.heat.ndim == 2:
        return plain_png(one.inputs), overlay_png(one.inputs, one.heat)
    # a volume has its channels before its slices
    planes = one.inputs if one.inputs.shape[0] == len(one.heat) else np.moveaxis(one.inputs, 1, 0)
    return series_png(planes, np.zeros_like(one.heat), slices), series_png(planes, one.heat, slices)


def _described(one: Explained, slices: list[int]) -> dict[str, Any]:
    place = place_of_heat(one.heat)
    row: dict[str, Any] = {"explained": one.answer, "heat": place, "warnings": warnings(place)}
    if one.weights is not None:
        row["slice_weights"] = np.round(one.weights, 4).tolist()
    return row | ({"shown_slices": slices} if slices else {})


def _notes(rows: list[dict[str, Any]], check: dict[str, Any]) -> list[str]:
    warned = sum(bool(row["warnings"]) for row in rows)
    notes = [f"{warned} of {len(rows)} maps lie where one must wonder; see warnings"] if warned else []
    if not check["passes"]:
        notes.append(
            f"the maps hardly change when the network's weights are random (rank correlation "
            f"{check['similarity']:.2f}, allowed below {check['bound']}): by this method, they show the image and not "
            "the model; try another one"
        )
    return notes
