"""What is trained, read off the request and the images: networks, their parameters and the array each one takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import InputError, RequestError
from iatros.imaging.cohort import Cohort
from iatros.imaging.models import MODELS
from iatros.imaging.requests import TrainRequest
from iatros.imaging.schema import InputSpec
from iatros.learners.tabular.estimators.params import check_overrides

LARGEST = 224
"""Rows and columns a network sees where the request does not say; larger images are shrunk to it."""
LARGEST_VOLUME = 64


@dataclass(frozen=True)
class Candidate:
    """One network to train."""

    name: str
    params: Any
    spec: InputSpec
    slicewise: bool = False
    """Whether each slice of a series is an image of its own, and the study's answer their mean."""


def candidates(cohort: Cohort, request: TrainRequest) -> list[Candidate]:
    """The networks of the request with what each takes; a network that does not suit the images raises RequestError."""
    names = tuple(dict.fromkeys(MODELS.entry(name).name for name in request.model))
    params = check_overrides(names, request.param, MODELS)
    volumes = _volumes(cohort)
    channels = _channels(cohort, request)
    return [_candidate(name, params[name], cohort, request, volumes, channels) for name in names]


def _candidate(
    name: str, params: Any, cohort: Cohort, request: TrainRequest, volumes: bool, channels: int
) -> Candidate:
    kinds = MODELS.load(name).kinds
    shapes = np.array([record.shape[1:] for record in cohort.records])
    common: dict[str, Any] = {"channels": channels, "fit": request.fit, "max_slices": request.slices}
    if not volumes:
        if "image" not in kinds:
            raise RequestError(
                f"{name} takes series of slices, and these are single images", hint="choose resnet"
            )
        return Candidate(
            name, params, InputSpec("image", size=_plane_size(shapes, request, LARGEST), **common)
        )
    if "sequence" in kinds:
        return Candidate(
            name, params, InputSpec("sequence", size=_plane_size(shapes, request, LARGEST), **common)
        )
    if "volume" in kinds:
        slices = min(
            int(np.median(shapes[:, 0])),
            request.slices if request.slices < LARGEST_VOLUME else LARGEST_VOLUME,
        )
        plane = _plane_size(shapes, request, LARGEST_VOLUME)
        return Candidate(name, params, InputSpec("volume", size=(max(slices, 1), *plane), **common))
    size = _plane_size(shapes, request, LARGEST)
    return Candidate(name, params, InputSpec("image", size=size, **common), slicewise=True)


def _volumes(cohort: Cohort) -> bool:
    count = sum(record.is_volume for record in cohort.records)
    if 0 < count < cohort.n:
        raise InputError(
            f"{count} records are volumes or series and {cohort.n - count} are single images; a network takes one kind",
            hint="train on each by itself",
        )
    return count > 0


def _channels(cohort: Cohort, request: TrainRequest) -> int:
    if request.channels != "auto":
        return int(request.channels)
    colour = sum(record.shape[0] == 3 for record in cohort.records)
    return 3 if 2 * colour > cohort.n else 1


def _plane_size(shapes: np.ndarray, request: TrainRequest, largest: int) -> tuple[int, int]:
    """Rows and columns: as asked, or the typical image's larger side, both rounded up to a multiple of four."""
    if request.size:
        return request.size, request.size
    side = int(np.median(shapes[:, -2:].max(axis=1)))
    chosen = min(4 * -(-side // 4), largest)
    return chosen, chosen
