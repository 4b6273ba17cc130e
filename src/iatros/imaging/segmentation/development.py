"""The whole procedure on some cases: the plan, the networks, and the model as it will be stored."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from iatros.core.arrays import pack_arrays
from iatros.core.context import Context
from iatros.core.errors import RequestError
from iatros.core.splits import check_disjoint, split_held_out, task_seed
from iatros.imaging.export import checked_onnx
from iatros.imaging.models.unet import UNetParams
from iatros.imaging.requests import TrainRequest
from iatros.imaging.runtime.network import StoredNetwork
from iatros.imaging.segmentation.augmentation import USED
from iatros.imaging.segmentation.learning import Learned, Prepared, Settings, learn
from iatros.imaging.segmentation.masks import Case
from iatros.imaging.segmentation.patches import Sampler
from iatros.imaging.segmentation.plan import Plan, frame, frame_mask, make_plan
from iatros.imaging.segmentation.scoring import SegmentationModel
from iatros.imaging.segmentation.study import Study

_TUNING = 0.1
_SIDED = re.compile(r"(^|[^a-z])(left|right|l|r|lt|rt|sin|dex|sinister|dexter)([^a-z]|$)")
_CHECKED = 2
"""Training patches on which the stored network must answer as the trained one does."""
_KEPT = 16
"""Training patches that are kept; each has so many voxels that they tell the ranges of 8-bit numbers."""


@dataclass(frozen=True)
class Developed:
    """What developing on some rows gave."""

    model: SegmentationModel
    learned: tuple[Learned, ...]
    train: np.ndarray
    tuning: np.ndarray
    patches: np.ndarray
    """Some of training, (n, channels, *patch)."""

    def weights(self) -> dict[str, bytes]:
        """The networks' weights as safetensors, by file name."""
        return {
            f"network{k}.safetensors": pack_arrays(
                {name: value.numpy() for name, value in one.network.state_dict().items()}
            )
            for k, one in enumerate(self.learned)
        }


def develop(
    study: Study, rows: np.ndarray, request: TrainRequest, params: UNetParams, context: Context, *, label: str
) -> Developed:
    """Train on `rows` (part of them choose the epoch) and give the model that was learned."""
    train, tuning = sides(study, rows, request)
    cases = [study.cases[row] for row in train]
    plan = make_plan(
        cases,
        study.pixels,
        study.structures,
        patch=params.patch or _asked_patch(request, cases[0]),
        fixed_window=request.window is not None,
    )
    data = _prepared(study, plan, train, tuning, context, label)
    axis = _flip_axis(study, request, plan)
    patches = _patches(data, plan)
    learned, networks = [], []
    for member in range(request.ensemble):
        name = f"{label} {member + 1} of {request.ensemble}" if request.ensemble > 1 else label
        one = learn(
            plan,
            params,
            data,
            _settings(request, axis, member),
            weights=request.weights,
            checkpoint=None if context.checkpoint is None else context.checkpoint / name.replace(" ", "-"),
            progress=context.progress,
            label=name,
        )
        learned.append(one)
        networks.append(StoredNetwork(checked_onnx(one.network, plan.spec, patches[:_CHECKED]), plan.spec))
    model = SegmentationModel(
        plan=plan,
        networks=tuple(networks),
        overlap=params.overlap,
        mirror_axes=(axis,) if request.test_time and axis is not None else (),
        volume_ml=_volumes(cases, len(study.structures)),
    )
    return Developed(model, tuple(learned), train, tuning, patches)


def sides(study: Study, rows: np.ndarray, request: TrainRequest) -> tuple[np.ndarray, np.ndarray]:
    """Rows that are learned from and rows that choose the epoch; those that the source names where `auto` keeps them.

    There is nothing to calibrate, so a calibration side of the source is learned from.
    """
    if request.validation == "auto" and study.split is not None and "tuning" in study.split[rows]:
        chosen = study.split[rows] == "tuning"
        train, tuning = rows[~chosen], rows[chosen]
        check_disjoint(study.groups, {"train": train, "tuning": tuning})
        return train, tuning
    kept, apart = split_held_out(
        len(rows), groups=study.groups[rows], fraction=_TUNING, seed=task_seed(request.seed, "tuning")
    )
    return rows[kept], rows[apart]


def mirrored(structures: tuple[str, ...], named: bool) -> bool:
    """Whether a mirror image keeps its labels: not where a name says left or right, or several have no name at all."""
    if not named:
        return len(structures) == 1
    return not any(_SIDED.search(name.lower().replace("_", " ")) for name in structures)


def _flip_axis(study: Study, request: TrainRequest, plan: Plan) -> int | None:
    """The axis from left to right, the last one of the network's grid; None where mirror images are not used."""
    if "flip" not in request.augment or not mirrored(study.structures, study.named):
        return None
    if plan.kind == "volume" and any(case.record.affine is None for case in study.cases):
        return None  # which axis runs from left to right is not known
    return len(plan.patch) - 1


def _settings(request: TrainRequest, axis: int | None, member: int) -> Settings:
    return Settings(
        epochs=request.epochs,
        patience=request.patience,
        batch_size=request.batch_size,
        learning_rate=request.learning_rate,
        weight_decay=request.weight_decay,
        ema=request.ema,
        augment=tuple(name for name in request.augment if name in USED),
        flip_axis=axis,
        seed=task_seed(request.seed, f"network {member}"),
    )


def _asked_patch(request: TrainRequest, case: Case) -> tuple[int, ...]:
    """The patch that `size` asks for; slices as the first volume has them, at most `slices`."""
    if not request.size:
        return ()
    plane = (request.size, request.size)
    return (min(request.slices, case.mask.shape[0]), *plane) if case.mask.ndim == 3 else plane


def _prepared(
    study: Study, plan: Plan, train: np.ndarray, tuning: np.ndarray, context: Context, label: str
) -> Prepared:
    values, masks = [], []
    every = np.concatenate([train, tuning])
    with context.progress.step(f"{label}: to the common grid", total=len(every)) as step:
        for row in every:
            case = study.cases[row]
            values.append(frame(study.pixels(case.record), case.record, plan).values)
            masks.append(frame_mask(case, plan))
            step.advance()
    if not any(masks[place].any() for place in range(len(train))):
        raise RequestError("no training image shows a structure", hint="use another seed or more images")
    return Prepared(values, masks, np.arange(len(train)), np.arange(len(train), len(every)))


def _patches(data: Prepared, plan: Plan) -> np.ndarray:
    rows = data.train[:_KEPT]
    sampler = Sampler(
        [data.values[row] for row in rows], [data.masks[row] for row in rows], plan.patch, foreground=1.0
    )
    rng = np.random.default_rng(0)
    return np.stack([sampler.draw(row, rng)[0] for row in range(len(rows))])


def _volumes(cases: list[Case], n_structures: int) -> tuple[tuple[float, float], ...] | None:
    """The smallest and largest volume in ml of each structure where it is present."""
    spans = []
    for value in range(1, n_structures + 1):
        found = [
            float((case.mask == value).sum()) * float(np.prod(case.record.spacing_mm)) / 1000.0
            for case in cases
            if case.record.spacing_mm is not None and case.mask.ndim == 3
        ]
        present = [volume for volume in found if volume > 0]
        if not present:
            return None
        spans.append((min(present), max(present)))
    return tuple(spans)
