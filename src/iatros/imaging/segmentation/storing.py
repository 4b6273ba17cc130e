"""The final networks as a bundle keeps them, in full and in 8-bit precision, with the gates that are asked first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import FitError
from iatros.imaging.gating import learn_gates
from iatros.imaging.quality import Gates
from iatros.imaging.quantisation import quantise
from iatros.imaging.requests import TrainRequest
from iatros.imaging.runtime.network import StoredNetwork
from iatros.imaging.scoring import network_file
from iatros.imaging.segmentation.evaluation import Judged, mean_metric, mean_over_structures
from iatros.imaging.segmentation.study import Study
from iatros.imaging.segmentation.validation import Validated, judge

_COMPARED = 100
"""Most images on which the two precisions are compared."""


@dataclass(frozen=True)
class Stored:
    """Files of the bundle, and the manifest's parts about model, export and gates."""

    files: dict[str, bytes]
    segmentation: dict[str, Any]
    export: dict[str, Any]
    gates: Gates


def store(study: Study, validated: Validated, request: TrainRequest, context: Context) -> Stored:
    """Write the final networks down, and learn the gates from the images of their development."""
    final = validated.final
    document, files = final.model.save()
    gates = learn_gates(
        study.seen, study.seen_pixels, final.model.plan.spec, final.train, final.tuning, request.seed, context
    )
    files |= final.weights() | gates.save()[1]
    if not request.int8:
        return Stored(files, document, {"int8": False, "reason": "not asked for"}, gates)
    try:
        with context.progress.step("8-bit precision"):
            small = [quantise(network.onnx, final.patches) for network in final.model.networks]
    except FitError as error:
        return Stored(files, document, {"int8": False, "reason": str(error)}, gates)
    files |= {network_file(k, "int8"): content for k, content in enumerate(small)}
    return Stored(files, document, _cost(study, validated, small, request, context), gates)


def _cost(
    study: Study, validated: Validated, small: list[bytes], request: TrainRequest, context: Context
) -> dict[str, Any]:
    """The change of mean Dice by 8 bits on images that were not learned from: judged ones, else tuning ones."""
    final = validated.final
    full = _compared(study, validated, context)
    spec = final.model.plan.spec
    model = replace(final.model, networks=tuple(StoredNetwork(content, spec) for content in small))
    rounded, _ = judge(model, study, full.rows, context, label="judging 8-bit precision")
    before, after = (mean_over_structures(judged.values("dice")) for judged in (full, rounded))

    def told(name: str, values: np.ndarray) -> dict[str, Any]:
        level, groups = request.confidence_level, study.groups[full.rows]
        return mean_metric(name, values, groups, confidence_level=level, seed=request.seed).document()

    change = after - before
    return {
        "metric": "dice",
        "n": len(full.rows),
        "fp32": told("dice", before),
        "int8": told("dice", after),
        "difference": told("difference", change),
        "largest_change_of_dice": float(np.abs(change[np.isfinite(change)]).max(initial=0.0)),
    }


def _compared(study: Study, validated: Validated, context: Context) -> Judged:
    """Agreement of the full precision on the images that both forms are compared on."""
    if validated.plan.final_is_judged:
        return validated.judged.first(_COMPARED)
    final = validated.final
    return judge(final.model, study, final.tuning[:_COMPARED], context, label="judging tuning images")[0]
