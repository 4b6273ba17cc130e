"""How images are brought before the network: orientation, spacing, normalisation, patch. Learned on training images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from iatros.core.errors import InputError
from iatros.imaging.schema import ImageRecord, InputSpec
from iatros.imaging.segmentation.grids import Turn, canonical, resampled_shape, resize, resize_labels
from iatros.imaging.segmentation.masks import Case

VOXELS_3D = 160_000
VOXELS_2D = 256 * 256
"""Most voxels of a patch: what a step of training can take on a processor."""
_STEP = 8
_LEAST = 16
"""Fewest rows and columns of a patch."""


@dataclass(frozen=True)
class Plan:
    """From pixels to the network's input and back.

    `spacing_mm` is None where training images had none; nothing is resampled then. `normalisation` image
    subtracts each image's own mean and divides by its own deviation; foreground clips to `low` and `high` and uses
    `mean` and `std` of the training images' structures, as a fixed grey window allows (Isensee et al., 2021).
    """

    kind: Literal["image", "volume"]
    channels: int
    structures: tuple[str, ...]
    spacing_mm: tuple[float, ...] | None
    patch: tuple[int, ...]
    normalisation: Literal["image", "foreground"]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @property
    def spec(self) -> InputSpec:
        """What the network takes."""
        return InputSpec(self.kind, self.channels, self.patch)

    @property
    def n_outputs(self) -> int:
        """Background and structures."""
        return len(self.structures) + 1

    def document(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {
            "kind": self.kind,
            "channels": self.channels,
            "structures": list(self.structures),
            "spacing_mm": None if self.spacing_mm is None else list(self.spacing_mm),
            "patch": list(self.patch),
            "normalisation": self.normalisation,
            **{name: list(getattr(self, name)) for name in ("mean", "std", "low", "high")},
        }

    @staticmethod
    def load(document: Mapping[str, Any]) -> Plan:
        """The reverse of `document`."""
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in document.items()
        }
        return Plan(**plain)


@dataclass(frozen=True)
class Framed:
    """An image before the network: `values` (channels, *shape), and how its grid came from the source's."""

    values: np.ndarray
    turn: Turn
    turned_shape: tuple[int, ...]

    def restore(self, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shares of each label (k, *shape) as a label map on the source's grid, uint8, and the share it has there."""
        back = resize(shares, self.turned_shape, order=1)
        labels = back.argmax(axis=0).astype(np.uint8)
        return np.ascontiguousarray(self.turn.undo(labels)), np.ascontiguousarray(
            self.turn.undo(back.max(axis=0))
        )


def frame(pixels: np.ndarray, record: ImageRecord, plan: Plan) -> Framed:
    """Decoded pixels as `plan` wants them. Raises InputError where they do not suit the model."""
    check_fits(pixels, record, plan)
    turn = canonical(record.affine, pixels.ndim - 1)
    values = turn.apply(scaled(pixels, plan.channels))
    shape = _shape(values.shape[1:], record, turn, plan)
    return Framed(_normalised(resize(values, shape, order=3), plan), turn, values.shape[1:])


def frame_mask(case: Case, plan: Plan) -> np.ndarray:
    """The label map of a training image on the network's grid, uint8."""
    turn = canonical(case.record.affine, case.mask.ndim)
    turned = turn.apply(case.mask)
    return np.ascontiguousarray(
        resize_labels(turned, _shape(turned.shape, case.record, turn, plan), plan.n_outputs)
    )


def scaled(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Decoded pixels as float32 from 0 to 1, colour averaged where the model is grey."""
    values = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    return values.mean(axis=0, keepdims=True) if channels == 1 and len(values) == 3 else values


def make_plan(
    cases: Sequence[Case],
    pixels: Callable[[ImageRecord], np.ndarray],
    structures: tuple[str, ...],
    *,
    patch: tuple[int, ...] = (),
    fixed_window: bool = False,
) -> Plan:
    """The plan for training `cases`: their median spacing, a patch of their median size, their grey values.

    `patch` overrides the size. With a `fixed_window`, grey values mean the same in every image, and the structures' own
    are used. Raises InputError where images and volumes, or grey and colour, are mixed.
    """
    first = cases[0].record
    kinds = {(len(case.record.shape), case.record.shape[0]) for case in cases}
    if len(kinds) > 1:
        raise InputError(
            "single images and volumes, or grey and colour, cannot be segmented by one network",
            hint="train on each by itself",
        )
    axes = len(first.shape) - 1
    turns = [canonical(case.record.affine, axes) for case in cases]
    known = [
        turn.spacing(case.record.spacing_mm) if case.record.spacing_mm else None
        for case, turn in zip(cases, turns, strict=True)
    ]
    given = [spacing for spacing in known if spacing is not None]
    spacing = tuple(float(v) for v in np.median(given, axis=0)) if len(given) == len(cases) else None
    shapes = [
        tuple(case.record.shape[1 + axis] for axis in turn.axes)
        for case, turn in zip(cases, turns, strict=True)
    ]
    if spacing is not None:
        shapes = [resampled_shape(shape, own, spacing) for shape, own in zip(shapes, given, strict=True)]
    statistics = _foreground(cases, pixels) if fixed_window else {}
    return Plan(
        kind="volume" if axes == 3 else "image",
        channels=first.shape[0],
        structures=structures,
        spacing_mm=spacing,
        patch=_rounded(patch, axes) if patch else choose_patch(shapes),
        normalisation="foreground" if fixed_window else "image",
        **statistics,
    )


def choose_patch(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """A patch of the median shape, rounded up to eights, its longest axes cut until it is small enough.

    >>> choose_patch([(35, 50, 36), (31, 47, 28), (42, 57, 44)])
    (40, 56, 40)
    """
    patch = list(_rounded(tuple(int(v) for v in np.median(np.array(shapes), axis=0)), len(shapes[0])))
    most = VOXELS_3D if len(patch) == 3 else VOXELS_2D
    while np.prod(patch) > most:
        patch[int(np.argmax(patch))] -= _STEP
    return tuple(patch)


def _rounded(shape: tuple[int, ...], axes: int) -> tuple[int, ...]:
    """Rows and columns up to eights, 16 at least; slices likewise, but few thick ones are left as they are."""
    if len(shape) != axes:
        raise InputError(f"a patch of {axes} axes is needed, got {len(shape)}", where="unet.patch")
    plane = [max(_LEAST, -(-length // _STEP) * _STEP) for length in shape[-2:]]
    slices = [length if length < _STEP else -(-length // _STEP) * _STEP for length in shape[:-2]]
    return (*slices, *plane)


def _shape(shape: tuple[int, ...], record: ImageRecord, turn: Turn, plan: Plan) -> tuple[int, ...]:
    if plan.spacing_mm is None:
        return shape
    assert record.spacing_mm is not None
    return resampled_shape(shape, turn.spacing(record.spacing_mm), plan.spacing_mm)


def check_fits(pixels: np.ndarray, record: ImageRecord, plan: Plan) -> None:
    """Raise InputError where decoded pixels do not suit the model of `plan`."""
    wanted = 4 if plan.kind == "volume" else 3
    if pixels.ndim != wanted:
        got, takes = ("a volume", "single images") if plan.kind == "image" else ("a single image", "volumes")
        raise InputError(f"this is {got}, and the model takes {takes}", where=record.name)
    if pixels.shape[0] != plan.channels and not (pixels.shape[0] == 3 and plan.channels == 1):
        raise InputError(
            f"the model takes {plan.channels} channel(s), this has {pixels.shape[0]}", where=record.name
        )
    if pixels.min() == pixels.max():
        raise InputError("the image is of one grey throughout", where=record.name)
    if plan.spacing_mm is not None and record.spacing_mm is None:
        raise InputError("the size of a pixel in mm is not known, and the model needs it", where=record.name)


def _normalised(values: np.ndarray, plan: Plan) -> np.ndarray:
    shape = (-1, *(1,) * (values.ndim - 1))
    if plan.normalisation == "image":
        flat = values.reshape(len(values), -1)
        mean, std = flat.mean(axis=1).reshape(shape), flat.std(axis=1).reshape(shape)
    else:
        values = np.clip(values, np.reshape(plan.low, shape), np.reshape(plan.high, shape))
        mean, std = np.reshape(plan.mean, shape), np.reshape(plan.std, shape)
    return ((values - mean) / np.maximum(std, 1e-6)).astype(np.float32)


def _foreground(
    cases: Sequence[Case], pixels: Callable[[ImageRecord], np.ndarray]
) -> dict[str, tuple[float, ...]]:
    """Mean, deviation and the middle 99 % of the grey values within structures, by channel."""
    inside = []
    for case in cases:
        values = scaled(pixels(case.record), case.record.shape[0])
        inside.append(values[:, case.mask > 0])
    joined = np.concatenate(inside, axis=1)
    low, high = np.percentile(joined, [0.5, 99.5], axis=1)
    clipped = np.clip(joined, low[:, None], high[:, None])
    found = {"mean": clipped.mean(axis=1), "std": clipped.std(axis=1), "low": low, "high": high}
    return {name: tuple(float(v) for v in values) for name, values in found.items()}
