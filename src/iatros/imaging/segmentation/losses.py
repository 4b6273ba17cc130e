"""What a segmentation network is trained with: cross-entropy plus Dice."""

from __future__ import annotations

import torch
from torch.nn import functional

_SMOOTH = 1e-5


def dice_cross_entropy(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the voxels plus one minus the mean soft Dice of the structures.

    `logits` (n, k, *size), `masks` (n, *size) of labels 0 to k - 1, 0 being the background. Dice is taken over the
    whole batch, so that a patch without a structure does not count as a failure (Isensee et al., 2021).
    """
    logits = logits.float()
    labels = masks.long()
    shares = functional.log_softmax(logits, dim=1)
    entropy = functional.nll_loss(shares, labels)
    shares = shares.exp().transpose(0, 1).flatten(1)[1:]
    true = torch.stack([labels.flatten() == value for value in range(1, logits.shape[1])]).to(shares.dtype)
    common = (shares * true).sum(dim=1)
    soft = (2 * common + _SMOOTH) / (shares.sum(dim=1) + true.sum(dim=1) + _SMOOTH)
    return entropy + 1 - soft.mean()
