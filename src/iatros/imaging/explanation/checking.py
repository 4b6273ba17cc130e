"""Checks of heat maps themselves: do they depend on what was learned, and do they find what is known to be there?"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, uniform_filter
from scipy.stats import rankdata

from iatros.core.errors import InputError
from iatros.core.intervals import proportion
from iatros.imaging.explanation import heat_maps
from iatros.imaging.schema import InputSpec

SIMILARITY_BOUND = 0.5
"""A method passes where the mean rank correlation with the maps of random networks stays below."""
TOLERANCE = 0.03
"""How far the hottest place may lie beside a finding, as a share of the image's longer side (15 of 500 px)."""
_STAGES = 5
_DRAWS = 3
_WINDOW = 7

Maps = np.ndarray | list[np.ndarray]


def parameter_randomisation(
    network: Any,
    inputs: np.ndarray | Sequence[np.ndarray],
    answer: np.ndarray,
    method: str,
    spec: InputSpec,
    seed: int,
    *,
    table: np.ndarray | None = None,
) -> dict[str, Any]:
    """`randomisation` of the maps that `heat_maps` makes by `method`, whose arguments these are."""

    def maps_of(changed: Any) -> Maps:
        return heat_maps(changed, inputs, answer, method, spec, table=table)

    return {"method": method, **randomisation(network, maps_of, seed)}


def randomisation(network: Any, maps_of: Callable[[Any], Maps], seed: int) -> dict[str, Any]:
    """Whether `maps_of(network)` changes when what the network learned is taken away, layer by layer from the top.

    The cascading parameter randomisation of Adebayo et al. 2018: a map that stays the same for a network of
    random weights shows the image, not the model. Returns `stages` (how many layers are random, with the mean
    rank correlation and mean structural similarity of the maps with the original ones), `similarity` (rank
    correlation with everything random, mean over images and three draws), `bound`, `passes`, and `n` images.
    Rank correlations are Spearman's over the pixels of a map; one without any contrast counts as 0.
    """
    original = maps_of(network)
    layers = _layers_from_top(network)
    if not layers or len(original) == 0:
        raise InputError("the check needs a network with parameters and at least one image")
    depths = sorted({int(depth) for depth in np.round(np.linspace(1, len(layers), _STAGES))})
    stages = []
    for depth in depths:
        draws = range(_DRAWS if depth == depths[-1] else 1)
        found = [
            _similarity(original, maps_of(_randomised(network, layers[:depth], seed + d))) for d in draws
        ]
        rank, structure = np.mean(found, axis=0)
        stages.append(
            {
                "layers": depth,
                "deepest": layers[depth - 1],
                "rank_correlation": float(rank),
                "structural_similarity": float(structure),
            }
        )
    last = float(stages[-1]["rank_correlation"])  # type: ignore[arg-type]
    return {
        "check": "parameter randomisation",
        "n": len(original),
        "n_layers": len(layers),
        "stages": stages,
        "similarity": last,
        "bound": SIMILARITY_BOUND,
        "passes": abs(last) < SIMILARITY_BOUND,
    }


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of the pixels of two maps, 0 where one has no contrast.

    >>> rank_correlation(np.array([[0.0, 1.0], [2.0, 9.0]]), np.array([[0.0, 3.0], [4.0, 5.0]]))
    1.0
    """
    a, b = (rankdata(values.ravel()) for values in (one, other))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / scale, -1.0, 1.0)) if scale > 0 else 0.0


def structural_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Mean SSIM (Wang et al. 2004) of two maps in 0 to 1 over windows of 7 pixels, -1 to 1."""
    size = [min(_WINDOW, side) for side in one.shape]
    a, b = one.astype(np.float64), other.astype(np.float64)
    mean_a, mean_b = uniform_filter(a, size), uniform_filter(b, size)
    var_a = uniform_filter(a * a, size) - mean_a**2
    var_b = uniform_filter(b * b, size) - mean_b**2
    both = uniform_filter(a * b, size) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float((above / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def pointing_game(
    maps: np.ndarray,
    masks: np.ndarray,
    *,
    tolerance_px: int | None = None,
    groups: np.ndarray | None = None,
    confidence_level: float = 0.95,
) -> dict[str, Any]:
    """How often the hottest place lies on the finding (Zhang et al. 2018), beside what needs no network.

    `maps` (n, rows, columns) or (n, slices, rows, columns), `masks` bool of the same shape, each with a finding.
    A hit is a hottest pixel inside the mask or at most `tolerance_px` beside it (by default 3 % of the longer
    side, in the plane); a map without heat is a miss. `hit_rate` has Wilson's interval, over patients where
    `groups` (n,) are given. `chance` is the share of the image that would be a hit, `centre` the hit rate of the
    middle of the image, and `other_maps` that of the hottest places of the other images: what the usual place of
    findings alone gives.
    """
    maps, masks = np.asarray(maps), np.asarray(masks, dtype=bool)
    if maps.shape != masks.shape or maps.ndim not in (3, 4) or len(maps) == 0:
        raise InputError(
            f"the pointing game needs maps and masks of one shape, got {maps.shape} and {masks.shape}"
        )
    if not masks.reshape(len(masks), -1).any(axis=1).all():
        raise InputError("the pointing game needs a finding in every mask", hint="leave out images without")
    if tolerance_px is None:
        tolerance_px = round(TOLERANCE * max(maps.shape[-2:]))
    wide = np.stack([_widened(mask, tolerance_px) for mask in masks]).reshape(len(masks), -1)
    flat = maps.reshape(len(maps), -1)
    hottest, warm = flat.argmax(axis=1), flat.max(axis=1) > 0
    crossed = wide[:, hottest] & warm[None, :]
    hits = crossed.diagonal()
    middle = int(np.ravel_multi_index(tuple(side // 2 for side in maps.shape[1:]), maps.shape[1:]))
    n = len(maps)
    return {
        "hit_rate": proportion(hits, groups=groups, confidence_level=confidence_level).document(),
        "hits": int(hits.sum()),
        "n": n,
        "tolerance_px": tolerance_px,
        "without_heat": int((~warm).sum()),
        "chance": float(wide.mean()),
        "centre": float(wide[:, middle].mean()),
        "other_maps": float((crossed.sum() - hits.sum()) / (n * (n - 1))) if n > 1 else None,
    }


def _widened(mask: np.ndarray, distance: int) -> np.ndarray:
    """The mask and everything at most `distance` pixels from it in the plane of the slice."""
    if distance == 0:
        return mask
    axis = np.arange(-distance, distance + 1)
    disc = np.hypot(axis[:, None], axis[None, :]) <= distance
    return np.asarray(binary_dilation(mask, disc.reshape((1,) * (mask.ndim - 2) + disc.shape)))


def _layers_from_top(network: Any) -> list[str]:
    """Names of the modules that hold parameters of their own, the last ones first."""
    names = [name for name, module in network.named_modules() if list(module.parameters(recurse=False))]
    return names[::-1]


def _randomised(network: Any, layers: Sequence[str], seed: int) -> Any:
    """A copy of the network with the parameters of `layers` as before any training."""
    import torch

    changed = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for name in layers:
            module = changed.get_submodule(name)
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
                continue
            for parameter in module.parameters(recurse=False):
                spread = float(parameter.std()) if parameter.numel() > 1 else 1.0
                parameter.normal_(0.0, spread or 1.0)
    return changed


def _similarity(original: Maps, changed: Maps) -> tuple[float, float]:
    """Mean rank correlation and mean structural similarity over the images."""
    pairs = list(zip(original, changed, strict=True))
    return (
        float(np.mean([rank_correlation(one, other) for one, other in pairs])),
        float(np.mean([structural_similarity(one, other) for one, other in pairs])),
    )
