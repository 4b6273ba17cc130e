"""How the networks of `cnn` learn; the only file of theirs that needs torch."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from iatros.learners.proteins.sequences import LETTERS
from iatros.learners.training import one_thread
from iatros.molecules.affinity.models.cnn import (
    SMILES_LETTERS,
    CnnParams,
    rate_at,
    sequence_codes,
    smiles_codes,
)
from iatros.molecules.affinity.schema import Pairs

_LETTER_SIZE = 64


class Letters(nn.Module):
    """Letters (n, length) to what the strongest places of three layers of filters say, (n, 3 filters)."""

    def __init__(self, n_letters: int, n_filters: int, width: int) -> None:
        super().__init__()
        self.letters = nn.Embedding(n_letters, _LETTER_SIZE)
        sizes = (_LETTER_SIZE, n_filters, 2 * n_filters, 3 * n_filters)
        self.layers = nn.ModuleList(nn.Conv1d(a, b, width) for a, b in pairwise(sizes))

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """The strongest answer of each filter of the last layer."""
        x = self.letters(codes).transpose(1, 2)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x.amax(dim=2)


def train(pairs: Pairs, y: np.ndarray, params: CnnParams, seed: int) -> tuple[nn.ModuleDict, float, int]:
    """The networks `drug`, `target` and `pair`, the mean squared error of the last epoch, and batches in an epoch.

    On one thread, so that the weights do not depend on the number of cores.
    """
    drugs, targets = _coded(pairs, params)
    labels = torch.from_numpy(y.astype(np.float32))
    n_targets = len(pairs.targets)
    n_batches = math.ceil(n_targets / params.targets_in_batch)
    with one_thread(seed):
        networks = _networks(params)
        optimiser = torch.optim.AdamW(networks.parameters(), lr=params.learning_rate, weight_decay=1e-4)
        n_steps = params.n_epochs * n_batches
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step, n_steps))
        order = torch.Generator().manual_seed(seed)
        of_target = [torch.from_numpy(np.flatnonzero(pairs.target == t)) for t in range(n_targets)]
        networks.train()
        loss = math.nan
        for _ in range(params.n_epochs):
            total = 0.0
            for chosen in torch.randperm(n_targets, generator=order).tensor_split(n_batches):
                rows = torch.cat([of_target[int(t)] for t in chosen])
                total += _step(networks, optimiser, drugs, targets, labels, pairs, rows)
                schedule.step()
            loss = total / len(pairs)
        networks.eval()
    return networks, loss, n_batches


def answer(networks: nn.ModuleDict, pairs: Pairs, params: CnnParams) -> np.ndarray:
    """What the networks say of each pair, on the scale that they learned (n,)."""
    drugs, targets = _coded(pairs, params)
    with torch.no_grad():
        left, right = networks["drug"](drugs)[pairs.drug], networks["target"](targets)[pairs.target]
        return networks["pair"](torch.cat([left, right], dim=1))[:, 0].numpy().astype(float)


def _coded(pairs: Pairs, params: CnnParams) -> tuple[torch.Tensor, torch.Tensor]:
    """The letters of the distinct drugs and targets."""
    drugs = [smiles_codes(one, params.smiles_length) for one in pairs.smiles]
    targets = [sequence_codes(one, params.protein_length) for one in pairs.sequences]
    return torch.from_numpy(np.stack(drugs)), torch.from_numpy(np.stack(targets))


def _networks(params: CnnParams) -> nn.ModuleDict:
    wide = 3 * params.n_filters
    layers: list[nn.Module] = []
    for a, b in ((2 * wide, 512), (512, 512), (512, 256)):
        layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(params.dropout)]
    return nn.ModuleDict(
        {
            "drug": Letters(len(SMILES_LETTERS) + 2, params.n_filters, params.smiles_width),
            "target": Letters(len(LETTERS) + 1, params.n_filters, params.protein_width),
            "pair": nn.Sequential(*layers, nn.Linear(256, 1)),
        }
    )


def _step(
    networks: nn.ModuleDict,
    optimiser: torch.optim.Optimizer,
    drugs: torch.Tensor,
    targets: torch.Tensor,
    labels: torch.Tensor,
    pairs: Pairs,
    rows: torch.Tensor,
) -> float:
    """One step on the pairs at `rows`, each drug and target in them encoded once; the sum of squared errors."""
    of_drug, drug = torch.unique(torch.from_numpy(pairs.drug)[rows], return_inverse=True)
    of_target, target = torch.unique(torch.from_numpy(pairs.target)[rows], return_inverse=True)
    left, right = networks["drug"](drugs[of_drug]), networks["target"](targets[of_target])
    predicted = networks["pair"](torch.cat([left[drug], right[target]], dim=1))[:, 0]
    loss = nn.functional.mse_loss(predicted, labels[rows])
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(networks.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach()) * len(rows)
