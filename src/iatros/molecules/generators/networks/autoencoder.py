"""The network that reads a compound into a latent vector and writes it again from there, as it learns with torch.

Its convolutions are those of `convolving`, its gated units those of `decoding`: both read its weights by name and give
the same numbers. The latent vector is given to the gated units at every step, so what they hold after the first step is
a function of it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from iatros.learners.compounds.tokens import PAD, SPECIAL, UNKNOWN
from iatros.molecules.generators.networks.convolving import (
    KERNEL,
    LEAST_LOG_VARIANCE,
    MOST_LOG_VARIANCE,
    STRIDES,
)
from iatros.molecules.generators.training.weights import weights_of

if TYPE_CHECKING:
    import torch

_FIRST_LOG_VARIANCE = -4.0
"""With which an encoder begins: so little noise that the decoder finds something to read before it learns not to."""


@dataclass(frozen=True)
class Sizes:
    """How large a network is.

    `longest` counts the codes of the longest line, begin and end included; a network that is not `variational` does
    not say how spread a compound's latent vector is, and its log-variances are 0.
    """

    n_tokens: int
    longest: int
    embedding: int
    channels: int
    latent: int
    units: int
    layers: int
    variational: bool

    def document(self) -> dict[str, int | bool]:
        """The sizes by name, from which `Sizes(**document)` is equal."""
        return asdict(self)


@cache
def writer_class() -> Any:
    """The class of the part that writes, made when torch is wanted for the first time."""
    import torch
    from torch import nn
    from torch.nn import functional

    from iatros.learners.training import multiplies_bfloat16
    from iatros.molecules.generators.networks.gated import cells_function

    cells, low = cells_function(), multiplies_bfloat16()
    from_table = _table_function()

    class Writer(nn.Module):
        """Log-odds (n, length, tokens) of what follows each of `codes` (n, length), given `latents` (n, latent)."""

        def __init__(self, sizes: Sizes) -> None:
            super().__init__()
            self.embedding = nn.Embedding(sizes.n_tokens, sizes.embedding)
            self.cells = nn.GRU(
                sizes.embedding + sizes.latent, sizes.units, num_layers=sizes.layers, batch_first=True
            )
            self.last = nn.Linear(sizes.units, sizes.n_tokens)

        def forward(self, codes: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
            if codes.is_cuda:
                given = latents[:, None].expand(-1, codes.shape[1], -1)
                return self.last(self.cells(torch.cat([self.embedding(codes), given], dim=2))[0])
            width = self.embedding.embedding_dim
            weight, bias = self._of("weight_ih", 0), self._of("bias_ih", 0)
            table = functional.linear(self.embedding.weight, weight[:, :width], bias)
            given = from_table.apply(
                table, functional.linear(latents, weight[:, width:]), codes.T.contiguous()
            )
            for layer in range(self.cells.num_layers):
                if layer:
                    given = functional.linear(given, self._of("weight_ih", layer), self._of("bias_ih", layer))
                of_state = self._of("weight_hh", layer), self._of("bias_hh", layer)
                given = cells.apply(given, None, *of_state, low)
            return self.last(given.transpose(0, 1))

        def _of(self, name: str, layer: int) -> torch.Tensor:
            return getattr(self.cells, f"{name}_l{layer}")

    return Writer


@cache
def _table_function() -> Any:
    """What tokens and latent vectors give the gates together, as a function with a gradient."""
    import torch

    class FromTable(torch.autograd.Function):
        """(length, n, gates): the line of `table` (tokens, gates) at each of `places` (length, n), and `given`.

        `given` (n, gates) is the same at every step. The gradient of the table is one product, because adding up
        line by line takes longer than all else.
        """

        @staticmethod
        def forward(
            context: Any, table: torch.Tensor, given: torch.Tensor, places: torch.Tensor
        ) -> torch.Tensor:
            context.save_for_backward(places)
            context.n_rows = len(table)
            return table[places].add_(given)

        @staticmethod
        def backward(context: Any, *gradients: torch.Tensor) -> Any:
            (wanted,), (places,) = gradients, context.saved_tensors
            named = torch.zeros(context.n_rows, places.numel(), dtype=wanted.dtype)
            named[places.reshape(-1), torch.arange(places.numel())] = 1.0
            return torch.mm(named, wanted.flatten(0, 1)), wanted.sum(dim=0), None

    return FromTable


@cache
def network_class() -> Any:
    """The class of the whole network, made when torch is wanted for the first time."""
    import torch
    from torch import nn

    from iatros.molecules.generators.training.log import log_class

    class Encoder(nn.Module):
        """Mean and log-variance, both (n, latent), of `codes` (n, length); see `convolving.Encoder`."""

        def __init__(self, sizes: Sizes) -> None:
            super().__init__()
            self.variational = sizes.variational
            self.embedding = nn.Embedding(sizes.n_tokens, sizes.embedding, padding_idx=PAD)
            self.positions = nn.Parameter(0.1 * torch.randn(sizes.longest, sizes.embedding))
            widths = [sizes.embedding, *[sizes.channels] * (len(STRIDES) - 1)]
            self.convolutions = nn.ModuleList(
                nn.Conv1d(width, sizes.channels, KERNEL, stride, padding=KERNEL // 2)
                for width, stride in zip(widths, STRIDES, strict=True)
            )
            self.hidden = nn.Linear(2 * sizes.channels, 2 * sizes.channels)
            self.mean = nn.Linear(2 * sizes.channels, sizes.latent)
            if sizes.variational:
                self.log_variance = nn.Linear(2 * sizes.channels, sizes.latent)
                nn.init.constant_(self.log_variance.bias, _FIRST_LOG_VARIANCE)

        def forward(self, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            there = (codes != PAD)[:, None]
            seen = (self.embedding(codes) + self.positions[: codes.shape[1]]).transpose(1, 2) * there
            for stride, convolution in zip(STRIDES, self.convolutions, strict=True):
                there = there[:, :, ::stride]
                seen = convolution(seen).relu() * there
            pooled = torch.cat([seen.sum(dim=2) / there.sum(dim=2), seen.amax(dim=2)], dim=1)
            hidden = self.hidden(pooled).relu()
            mean = self.mean(hidden)
            if not self.variational:
                return mean, torch.zeros_like(mean)
            return mean, self.log_variance(hidden).clamp(LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE)

    class Network(nn.Module):
        """Both parts, and how far the training has come, which records the numbers called `recorded`."""

        def __init__(self, sizes: Sizes, recorded: Sequence[str], n_told: int) -> None:
            super().__init__()
            self.encoder = Encoder(sizes)
            self.decoder = writer_class()(sizes)
            self.log = log_class()(recorded, n_told)

    return Network


def stored_weights(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """The weights by name that are stored: all but how far the training has come."""
    return {name: value for name, value in weights_of(network).items() if not name.startswith("log.")}


def as_tensor(codes: np.ndarray, network: Any) -> torch.Tensor:
    """Lines of codes as the network wants them, int64, as long as the longest of them."""
    import torch

    longest = int((codes != PAD).sum(axis=1).max())
    return torch.from_numpy(codes[:, :longest].astype(np.int64)).to(network.log.spent.device)


def normal_like(given: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Standard normal numbers of the shape of `given`, from numpy, because losses run side by side."""
    import torch

    drawn = rng.standard_normal(tuple(given.shape), dtype=np.float32)
    return torch.from_numpy(drawn).to(given.device)


def hidden_tokens(codes: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """`codes` (n, length) with `share` of the tokens unknown; neither begin, end nor filling.

    What comes next must then be read from the latent vector (Bowman et al. 2016, arXiv:1511.06349).
    """
    if not share:
        return codes
    hidden = (rng.random(codes.shape, dtype=np.float32) < share) & (codes >= len(SPECIAL))
    return np.where(hidden, codes.dtype.type(UNKNOWN), codes)


def reconstruction(
    network: Any, codes: np.ndarray, latents: torch.Tensor, shown: np.ndarray | None = None
) -> tuple[torch.Tensor, int]:
    """Nats that the lines `codes` (n, length) cost all together, and how many tokens they are, the ends among them.

    `shown` (n, length) is what the decoder is shown of the tokens before each, `codes` itself if nothing is given.
    """
    from torch.nn import functional

    after = as_tensor(codes, network)[:, 1:]
    before = as_tensor(codes if shown is None else shown, network)[:, :-1]
    odds = network.decoder(before, latents)
    nats = functional.cross_entropy(odds.flatten(0, 1), after.flatten(), ignore_index=PAD, reduction="sum")
    return nats, int((codes[:, 1:] != PAD).sum())


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Kullback-Leibler divergence (n, latent), nats, of each unit's normal distribution from the standard one.

    Kingma and Welling 2014 (arXiv:1312.6114), appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1.0)


def with_free_bits(mean: torch.Tensor, log_variance: torch.Tensor, free: float) -> torch.Tensor:
    """What the divergence of a compound is charged, nats, where `free` nats of information in each unit cost nothing.

    `mean` and `log_variance` are (n, latent). The divergence of a unit, averaged over the batch, is in part information
    about the compounds, of which `free` is not charged (Kingma et al. 2016, arXiv:1606.04934, equation 15). A unit that
    holds less is charged for what it lacks, because otherwise all of them fall silent while the decoder still learns to
    spell, and stay so (Burgess et al. 2018, arXiv:1804.03599, equation 8). The rest of the divergence says that all
    compounds together lie beside the prior, which would spoil what is written from it, and is charged in full (Hoffman
    and Johnson 2016, "ELBO surgery"). All together are taken for a normal distribution.
    """
    together = mean.var(dim=0, correction=0) + log_variance.exp().mean(dim=0)
    beside = 0.5 * (mean.mean(dim=0).square() + together - together.log() - 1.0)
    information = 0.5 * (together.log() - log_variance.mean(dim=0))
    return (beside + (information - free).abs()).sum()


def cyclical(share: float, cycles: int, annealed: float, rising: float = 0.5) -> float:
    """The weight of the divergence, 0 to 1, after `share` of the way.

    Over the first `annealed` of the way there are `cycles`, in each of which the weight rises from 0 to 1 over `rising`
    of the cycle and stays there for the rest of it; afterwards it is 1 (Fu et al. 2019, arXiv:1903.10145, equation 6).

    >>> [cyclical(share, 2, 0.8) for share in (0.0, 0.1, 0.2, 0.3, 0.45, 0.9)]
    [0.0, 0.5, 1.0, 1.0, 0.25, 1.0]
    """
    if not cycles or share >= annealed:
        return 1.0
    within = (share / annealed * cycles) % 1.0
    return min(1.0, within / rising)
