"""Grad-CAM and Grad-CAM++: the channels of the last convolution, weighed by what they do for the answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from iatros.imaging.explanation.asking import Asked, as_tensor
from iatros.imaging.schema import InputSpec

_SMALL = 1e-12


def class_activation(asked: Asked, images: np.ndarray, spec: InputSpec, *, plus_plus: bool) -> np.ndarray:
    """Maps (n, [slices,] rows, columns), 0 or more, from `images` (n, *input shape).

    Grad-CAM (Selvaraju et al. 2017, eq. 1-2) weighs a channel by its mean gradient, Grad-CAM++ (Chattopadhay et
    al. 2018, eq. 10, 11 and 19) by its positive gradients, so that several lesions and small ones count as well.
    """
    activations, gradients = _at_layer(asked, as_tensor(images))
    spatial = tuple(range(2, activations.ndim))
    weights = _plus_plus(activations, gradients) if plus_plus else gradients.mean(dim=spatial, keepdim=True)
    coarse = (weights * activations).sum(dim=1, keepdim=True).clamp_min(0.0)
    mode = "trilinear" if spec.kind == "volume" else "bilinear"
    size = images.shape[2:] if spec.kind == "volume" else images.shape[-2:]
    fine = interpolate(coarse, size=size, mode=mode, align_corners=False)[:, 0].numpy()
    return np.asarray(fine.reshape(*images.shape[:2], *size) if spec.kind == "sequence" else fine)


def _plus_plus(activations: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    spatial = tuple(range(2, activations.ndim))
    square, cube = gradients**2, gradients**3
    below = 2 * square + activations.sum(dim=spatial, keepdim=True) * cube
    # where the denominator vanishes so does the numerator
    share = torch.where(below.abs() > _SMALL, square / below.where(below.abs() > _SMALL, torch.ones(())), 0.0)
    return (share * gradients.clamp_min(0.0)).sum(dim=spatial, keepdim=True)


def _at_layer(asked: Asked, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Activations of the heat layer and the gradient of the answers, (n or n x slices, channels, *spatial)."""
    kept: list[torch.Tensor] = []

    def keep(module: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
        kept.append(output)
        # what follows may work in place, and the map needs what the layer gave
        return output.clone()

    handle = asked.network.heat_layer().register_forward_hook(keep)
    try:
        with torch.enable_grad():
            score = asked.scores(images.requires_grad_(True)).sum()
            (gradients,) = torch.autograd.grad(score, kept[-1])
    finally:
        handle.remove()
    return kept[-1].detach(), gradients
