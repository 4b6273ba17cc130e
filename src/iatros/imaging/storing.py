"""The final networks as a bundle keeps them: as ONNX in full and in 8-bit precision, and as weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import FitError
from iatros.core.splits import task_seed
from iatros.imaging.cohort import Cohort
from iatros.imaging.development import Developed
from iatros.imaging.export import checked_onnx, int8_cost, quantise
from iatros.imaging.gating import learn_gates
from iatros.imaging.heads import n_outputs, predictions
from iatros.imaging.quality import Gates
from iatros.imaging.rebuilding import network_document, pack_network
from iatros.imaging.requests import TrainRequest
from iatros.imaging.runtime.network import StoredNetwork
from iatros.imaging.scoring import ImagingModel, network_file

_CHECKED = 8
"""Real images on which the stored network must answer as the trained one."""
_CALIBRATION = 256
"""Training images from which the ranges of 8-bit numbers are read."""
_COMPARED = 2000
"""Most unseen images on which the two precisions are compared."""


@dataclass(frozen=True)
class Stored:
    """The model as it answers from disk, its files, and the manifest's parts about network and export."""

    model: ImagingModel
    files: dict[str, bytes]
    network: dict[str, Any]
    predictor: dict[str, Any]
    export: dict[str, Any]
    gates: Gates


def store(
    cohort: Cohort, developed: Developed, unseen: np.ndarray, request: TrainRequest, context: Context
) -> Stored:
    """Write the kept networks down; `unseen` are rows on which the 8-bit form is held against the full one."""
    chosen = developed.chosen
    spec = chosen.candidate.spec
    sample = _sample(cohort, developed, request.seed)
    inputs = chosen.prepared.take(sample)
    table = None if chosen.table is None else chosen.table[chosen.prepared.owner[sample]]
    files: dict[str, bytes] = {}
    networks, small, reason = [], [], None if request.int8 else "not asked for"
    for number, member in enumerate(chosen.members):
        with context.progress.step("writing the network down"):
            head = None if table is None else table[:_CHECKED]
            onnx = checked_onnx(member.network, spec, inputs[:_CHECKED], table=head)
        files[network_file(number, "weights")] = pack_network(member.network)
        networks.append(StoredNetwork(onnx, spec))
        if reason is None:
            try:
                with context.progress.step("8-bit precision"):
                    content = quantise(onnx, inputs, table=table)
            except FitError as error:
                reason = str(error)
                continue
            files[network_file(number, "int8")] = content
            small.append(StoredNetwork(content, spec))
    if reason is not None:
        files = {name: content for name, content in files.items() if not name.endswith(".int8.onnx")}
    model = ImagingModel(
        name=chosen.candidate.name,
        targets=cohort.targets,
        objective=cohort.objective,
        spec=spec,
        networks=tuple(networks),
        test_time=chosen.test_time,
        calibrators=tuple(head.calibrator for head in developed.heads),
        conformal=tuple(head.conformal for head in developed.heads),
        table=chosen.encoder,
    )
    predictor, more = model.save()
    sides = developed.sides
    gates = learn_gates(
        cohort.records,
        cohort.collection.pixels,
        spec,
        sides.train,
        np.union1d(sides.tuning, sides.calibration),
        request.seed,
        context,
        features=chosen.features,
    )
    files |= more | gates.save()[1]
    export = (
        {"int8": False, "reason": reason}
        if reason
        else _cost(cohort, developed, unseen, networks, small, request)
    )
    outputs = n_outputs(cohort.objective, cohort.targets)
    columns = 0 if table is None else int(table.shape[1])
    candidate = chosen.candidate
    network = network_document(candidate.name, candidate.params, spec, outputs, n_columns=columns) | {
        "slicewise": chosen.candidate.slicewise,
        "threads": chosen.members[0].threads,
    }
    return Stored(model, files, network, predictor, export, gates)


def _sample(cohort: Cohort, developed: Developed, seed: int) -> np.ndarray:
    """Positions of training arrays, drawn without order and then sorted; never of unseen images."""
    positions = developed.chosen.prepared.rows_of(developed.sides.train)
    rng = np.random.default_rng(task_seed(seed, "quantisation"))
    drawn = rng.choice(positions, min(_CALIBRATION, len(positions)), replace=False)
    return np.asarray(np.sort(drawn))


def _cost(
    cohort: Cohort,
    developed: Developed,
    unseen: np.ndarray,
    networks: list[StoredNetwork],
    small: list[StoredNetwork],
    request: TrainRequest,
) -> dict[str, Any]:
    """What the 8-bit form loses on unseen images, first target, uncalibrated."""
    prepared, table = developed.chosen.prepared, developed.chosen.table
    rows = unseen[:_COMPARED]
    positions = prepared.rows_of(rows)
    inputs = prepared.take(positions)
    given = None if table is None else table[prepared.owner[positions]]
    answers = []
    for group in (networks, small):
        logits = np.mean([network.run(inputs, given)["logits"] for network in group], axis=0)
        answers.append(prepared.mean_over_records(logits, rows))
    target, y = cohort.targets[0], np.asarray(cohort.y[0])[rows]
    known = np.isfinite(y.astype(float))
    forms = [predictions(cohort.objective, cohort.targets, logits)[0][known] for logits in answers]
    y = y[known].astype(float if target.task == "continuous" else np.int64)
    return int8_cost(target, y, *forms, groups=cohort.groups[rows][known], seed=request.seed)
