"""Example images of a report: right, wrong and most uncertain ones, each with the heat map of its answer."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.imaging.cohort import Cohort
from iatros.imaging.development import Developed
from iatros.imaging.explanation import heat_maps
from iatros.imaging.explanation.overlay import overlay_png, plain_png
from iatros.imaging.judging import Judged
from iatros.imaging.requests import TrainRequest
from iatros.imaging.schema import InputSpec

EACH = 4
"""Examples of each kind."""


def examples(
    cohort: Cohort, developed: Developed, judged: Judged, request: TrainRequest, context: Context
) -> list[dict[str, Any]]:
    """Right, wrong and uncertain answers among the judged images, with the image and its heat map as base64 PNG.

    The heat maps are those of the final network; under cross-validation it has learned from these images.
    """
    target = cohort.targets[0]
    if target.task == "continuous" or len(cohort.targets) > 1:
        return []
    y = np.asarray(cohort.y[0])[judged.rows].astype(int)
    probability = _by_class(judged.answers[0].prediction)
    picked = pick(y, probability)
    if not picked:
        return []
    places = np.array([place for _, place in picked])
    said = probability[places].argmax(axis=1)
    with context.progress.step("heat maps"):
        shown = _shown(developed, judged.rows[places], output_of(cohort, said), request.explain)
    return [
        {
            "kind": kind,
            "truth": target.classes[y[place]],
            "prediction": target.classes[int(answer)],
            "probability": float(probability[place, int(answer)]),
            "png": _text(plain_png(image)),
            "overlay": _text(overlay_png(image, heat)),
        }
        for (kind, place), answer, (image, heat) in zip(picked, said, shown, strict=True)
    ]


def pick(y: np.ndarray, probability: np.ndarray) -> list[tuple[str, int]]:
    """Places of the surest right, the surest wrong and the least sure answers; (n,) labels, (n, k) probabilities."""
    sure = probability.max(axis=1)
    right = probability.argmax(axis=1) == y
    order = np.argsort(-sure, kind="stable")
    kinds = {
        "right": _spread(order[right[order]], y),
        "wrong": order[~right[order]][:EACH].tolist(),
        "uncertain": order[::-1][:EACH].tolist(),
    }
    return [(kind, int(place)) for kind, places in kinds.items() for place in places]


def _spread(order: np.ndarray, y: np.ndarray) -> list[int]:
    """The first of each class in turn, so that not all right examples are of the easy class."""
    queues = [[place for place in order if y[place] == label] for label in np.unique(y[order])]
    turns = [
        place
        for group in zip(*[queue[:EACH] + [None] * (EACH - len(queue)) for queue in queues], strict=True)
        for place in group
    ]
    return [int(place) for place in turns if place is not None][:EACH]


def output_of(cohort: Cohort, answer: np.ndarray) -> np.ndarray:
    """The output of the network that stands for each class: of ordered grades, the step below it."""
    return np.maximum(answer - 1, 0) if cohort.objective == "ordinal" else answer


def _shown(
    developed: Developed, rows: np.ndarray, output: np.ndarray, method: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Image (c, h, w) and heat (h, w) of each row; of a study the slice that is hottest."""
    chosen = developed.chosen
    found = []
    for row, answer in zip(rows, output, strict=True):
        positions = chosen.prepared.rows_of(np.array([row]))
        inputs = np.asarray(chosen.prepared.take(positions[len(positions) // 2 : len(positions) // 2 + 1]))
        table = None if chosen.table is None else chosen.table[[row]]
        heat = heat_maps(
            chosen.members[0].network, inputs, np.array([answer]), method, chosen.candidate.spec, table=table
        )[0]
        found.append(flat(inputs[0], heat, chosen.candidate.spec))
    return found


def flat(inputs: np.ndarray, heat: np.ndarray, spec: InputSpec) -> tuple[np.ndarray, np.ndarray]:
    """One image and its heat map to look at: the image itself, or the slice with the most heat."""
    if spec.kind == "image":
        return inputs, heat
    k = int(heat.reshape(len(heat), -1).sum(axis=1).argmax())
    return (inputs[:, k], heat[k]) if spec.kind == "volume" else (inputs[k], heat[k])


def _by_class(prediction: np.ndarray) -> np.ndarray:
    return prediction if prediction.ndim == 2 else np.column_stack([1 - prediction, prediction])


def _text(png: bytes) -> str:
    return base64.b64encode(png).decode()
