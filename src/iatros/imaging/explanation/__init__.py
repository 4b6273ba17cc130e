"""Heat maps: which parts of an image moved a network's answer, by four methods that fail in different ways.

`activation` holds Grad-CAM and Grad-CAM++ (coarse, from the last convolution), `attribution` integrated gradients
(fine, pixel by pixel) and occlusion (slow, and the only one that changes the image and looks what happens). A map is
only worth what `checking` finds about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from iatros.core.errors import InputError, MissingExtraError, unknown_name
from iatros.imaging.schema import InputSpec

METHODS = ("gradcam", "gradcam++", "integrated-gradients", "occlusion")
_MOST_PIXELS = (
    1 << 18
)  # of one batch; with the graph that gradients need, a network takes a thousand times that


@overload
def heat_maps(
    network: Any,
    inputs: np.ndarray,
    answer: np.ndarray,
    method: str,
    spec: InputSpec,
    *,
    table: np.ndarray | None = None,
) -> np.ndarray: ...


@overload
def heat_maps(
    network: Any,
    inputs: Sequence[np.ndarray],
    answer: np.ndarray,
    method: str,
    spec: InputSpec,
    *,
    table: np.ndarray | None = None,
) -> list[np.ndarray]: ...


def heat_maps(
    network: Any,
    inputs: np.ndarray | Sequence[np.ndarray],
    answer: np.ndarray,
    method: str,
    spec: InputSpec,
    *,
    table: np.ndarray | None = None,
) -> np.ndarray | list[np.ndarray]:
    """Maps from 0 (no part in it) to 1 (the hottest place of the image), in the size of the network's input.

    `network` is a torch module as `iatros.imaging.models` builds them, `inputs` (n, *input shape) float32 from 0
    to 1 or, where series differ in length, a list; `answer` (n,) holds the number of the explained output of each.
    Returns (n, rows, columns), or (n, slices, rows, columns) for volumes and series; a list for a list. In a
    series each slice has its own map, multiplied by the slice's weight over the highest weight where the network
    gives weights. A map is all 0 where nothing spoke for the answer.

    Only what speaks for the answer is hot. Raises UnknownNameError for another method, InputError where the
    shapes do not fit, and MissingExtraError without torch.
    """
    answer = np.asarray(answer)
    if method not in METHODS:
        raise unknown_name("heat map method", method, METHODS)
    if answer.shape != (len(inputs),) or any(len(one.shape) != _axes(spec) for one in inputs):
        raise InputError(
            f"heat maps need {_axes(spec)} axes an input and one answer each; got {len(inputs)} inputs "
            f"with {answer.shape} answers"
        )
    together = isinstance(inputs, np.ndarray) and spec.kind != "sequence"
    step = max(1, _MOST_PIXELS // int(np.prod(spec.size))) if together else 1
    made: list[np.ndarray] = []
    for start in range(0, len(inputs), step):
        part = slice(start, start + step)
        rows = None if table is None else table[part]
        raw, weights = _raw(network, np.stack(list(inputs[part])), answer[part], method, spec, rows)
        made += list(scaled(raw, weights))
    if not isinstance(inputs, np.ndarray):
        return made
    return np.stack(made) if made else np.zeros((0, *_map_shape(inputs.shape[1:], spec)), dtype=np.float32)


def scaled(raw: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Maps (n, ...) with the hottest place of each at 1; with `weights` (n, slices), slice by slice first.

    >>> scaled(np.array([[[0.0, 2.0], [4.0, -1.0]]])).tolist()
    [[[0.0, 0.5], [1.0, 0.0]]]
    """
    positive = np.maximum(np.nan_to_num(raw), 0.0)
    if weights is None:
        return _by_largest(positive, tuple(range(1, positive.ndim)))
    by_slice = _by_largest(positive, (2, 3)) * weights[:, :, None, None]
    return _by_largest(by_slice, (1, 2, 3))


def _by_largest(maps: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    largest = maps.max(axis=axes, keepdims=True)
    return np.asarray(maps / np.where(largest > 0, largest, 1.0), dtype=np.float32)


def _raw(
    network: Any,
    images: np.ndarray,
    answer: np.ndarray,
    method: str,
    spec: InputSpec,
    table: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Unscaled maps of one batch, and the slices' weights."""
    try:
        from iatros.imaging.explanation import activation, attribution
        from iatros.imaging.explanation.asking import Asked
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"heat maps need the package {error.name}", hint="pip install 'iatros[imaging]'"
        ) from error
    asked = Asked(network, answer, table)
    if method in ("gradcam", "gradcam++"):
        raw = activation.class_activation(asked, images, spec, plus_plus=method == "gradcam++")
    elif method == "integrated-gradients":
        raw = attribution.integrated_gradients(asked, images, spec)
    else:
        raw = attribution.occlusion(asked, images, spec)
    return raw, asked.slice_weights(images) if spec.kind == "sequence" else None


def _axes(spec: InputSpec) -> int:
    return 3 if spec.kind == "image" else 4


def _map_shape(shape: tuple[int, ...], spec: InputSpec) -> tuple[int, ...]:
    return (shape[0], *shape[2:]) if spec.kind == "sequence" else shape[1:]
