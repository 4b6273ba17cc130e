"""Causal attention that writes tokens: as torch learns it, and in numpy with the keys and values of what was read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

_EPSILON = 1e-5
_ROOM = 16
"""Tokens that the room for keys and values grows by."""
_DENSE = 0.75
"""Share of lines that go on, from which down the others are dropped: copying costs more than computing some in vain."""
_WIDER = 4
"""How much wider the layer between two attentions is (Vaswani et al. 2017, arXiv:1706.03762)."""


def attending_network(
    *, n_tokens: int, longest: int, width: int, layers: int, heads: int, dropout: float = 0.0
) -> torch.nn.Module:
    """A network that maps codes (n, length), length at most `longest`, to log-odds (n, length, n_tokens).

    Each block normalises first (Xiong et al. 2020, arXiv:2002.04745); positions are learned. `dropout` see `leaving`.
    Products are in bfloat16 where the processor has them, but for `network.low = False`.
    """
    network: torch.nn.Module = _network_class()(n_tokens, longest, width, layers, heads, dropout)
    return network


@cache
def _network_class() -> Any:
    """The class itself, made when torch is wanted for the first time."""
    import torch
    from torch import nn
    from torch.nn import functional

    from iatros.learners.training import multiplies_bfloat16
    from iatros.molecules.generators.networks.dropout import left_out

    class Block(nn.Module):
        """Attention, then a layer by itself, each added to what came in, (n, length, width)."""

        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.before_attention = nn.LayerNorm(width, eps=_EPSILON)
            self.attended = nn.Linear(width, 3 * width)
            self.joined = nn.Linear(width, width)
            self.before_wide = nn.LayerNorm(width, eps=_EPSILON)
            self.wide = nn.Linear(width, _WIDER * width)
            self.narrow = nn.Linear(_WIDER * width, width)

        def forward(self, values: torch.Tensor, share: float) -> torch.Tensor:
            n, length, width = values.shape
            three = self.attended(self.before_attention(values))
            asked, keys, held = three.view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            # Not scaled_dot_product_attention: on processors its gradient takes longer than all else together.
            odds = (asked * (width // self.heads) ** -0.5) @ keys.transpose(2, 3)
            later = torch.ones(length, length, dtype=torch.bool, device=odds.device).triu(1)
            seen = odds.masked_fill(later, -torch.inf).softmax(dim=3) @ held
            seen = seen.transpose(1, 2).reshape(n, length, width)
            values = values + left_out(self.joined(seen), share)
            wide = functional.gelu(self.wide(self.before_wide(values)), approximate="tanh")
            return values + left_out(self.narrow(wide), share)

    class Network(nn.Module):
        """See `attending_network`."""

        def __init__(
            self, n_tokens: int, longest: int, width: int, layers: int, heads: int, dropout: float
        ) -> None:
            super().__init__()
            self.embedding = nn.Embedding(n_tokens, width)
            self.positions = nn.Embedding(longest, width)
            self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
            self.before_last = nn.LayerNorm(width, eps=_EPSILON)
            self.last = nn.Linear(width, n_tokens)
            self.share, self.low = dropout, multiplies_bfloat16()
            for name, weight in self.named_parameters():
                if weight.ndim == 2:
                    spread = 0.02 / (2 * layers) ** 0.5 if "joined" in name or "narrow" in name else 0.02
                    nn.init.normal_(weight, std=spread)
                elif name.endswith("bias"):
                    nn.init.zeros_(weight)

        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            share = self.share if self.training else 0.0
            values = self.embedding(codes) + self.positions.weight[: codes.shape[1]]
            # Casts are not shared: shards that run side by side would take each other's.
            with torch.autocast(
                codes.device.type, torch.bfloat16, enabled=self.low or codes.is_cuda, cache_enabled=False
            ):
                for block in self.blocks:
                    values = block(values, share)
                return self.last(self.before_last(values)).float()

    return Network


@dataclass
class Read:
    """What was read of some lines: `place` tokens, and the keys and values of each block.

    Both lists hold float32 (lines, heads, capacity, width of a head), of which the first `place` are filled. `rows`
    (n,) tells which of those lines still go on: the others are dropped when there are enough of them.
    """

    place: int
    rows: np.ndarray
    keys: list[np.ndarray]
    values: list[np.ndarray]


class Attending:
    """The network of `attending_network` from its weights by name, one token of each line after the other."""

    def __init__(self, weights: dict[str, np.ndarray], heads: int) -> None:
        self.weights, self.heads = weights, heads
        self.width = weights["positions.weight"].shape[1]
        names = {name.split(".")[1] for name in weights if name.startswith("blocks.")}
        self.blocks = [f"blocks.{place}." for place in sorted(map(int, names))]

    def start(self, n: int) -> Read:
        """The state of `n` lines of which nothing was read."""
        empty = np.empty((n, self.heads, 0, self.width // self.heads), dtype=np.float32)
        return Read(0, np.arange(n), [empty for _ in self.blocks], [empty for _ in self.blocks])

    def step(self, codes: np.ndarray, states: Read) -> tuple[np.ndarray, Read]:
        """Log-odds, float32 (n, tokens), of what follows `codes` (n,); the state goes on in place."""
        weights, place = self.weights, states.place
        if place == states.keys[0].shape[2]:
            states.keys, states.values = _wider(states.keys), _wider(states.values)
        every = np.zeros(len(states.keys[0]), dtype=np.int64)
        every[states.rows] = codes
        values = weights["embedding.weight"][every] + weights["positions.weight"][place]
        for name, keys, held in zip(self.blocks, states.keys, states.values, strict=True):
            values = values + self._attended(name, values, keys, held, place)
            wide = self._linear(f"{name}wide", self._normal(f"{name}before_wide", values))
            values = values + self._linear(f"{name}narrow", _gelu(wide))
        states.place += 1
        return self._linear("last", self._normal("before_last", values[states.rows])), states

    def kept(self, states: Read, rows: np.ndarray) -> Read:
        """The state of some lines, by their places or as a mask."""
        going = states.rows[rows]
        if len(going) > _DENSE * len(states.keys[0]):
            return Read(states.place, going, states.keys, states.values)
        keys, values = ([one[going] for one in several] for several in (states.keys, states.values))
        return Read(states.place, np.arange(len(going)), keys, values)

    def _attended(
        self, name: str, values: np.ndarray, keys: np.ndarray, held: np.ndarray, place: int
    ) -> np.ndarray:
        three = self._linear(f"{name}attended", self._normal(f"{name}before_attention", values))
        asked, keys[:, :, place], held[:, :, place] = three.reshape(len(values), 3, self.heads, -1).swapaxes(
            0, 1
        )
        odds = (keys[:, :, : place + 1] @ asked[..., None])[..., 0]
        odds *= np.float32((self.width // self.heads) ** -0.5)
        odds -= odds.max(axis=2, keepdims=True)
        np.exp(odds, out=odds)
        odds /= odds.sum(axis=2, keepdims=True)
        seen = (odds[:, :, None] @ held[:, :, : place + 1]).reshape(len(values), -1)
        return self._linear(f"{name}joined", seen)

    def _linear(self, name: str, values: np.ndarray) -> np.ndarray:
        found: np.ndarray = values @ self.weights[f"{name}.weight"].T
        found += self.weights[f"{name}.bias"]
        return found

    def _normal(self, name: str, values: np.ndarray) -> np.ndarray:
        centred = values - values.mean(axis=1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=1, keepdims=True) + np.float32(_EPSILON))
        found: np.ndarray = centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return found


def _wider(several: list[np.ndarray]) -> list[np.ndarray]:
    """Room for some more tokens."""
    return [
        np.concatenate([one, np.zeros((*one.shape[:2], _ROOM, one.shape[3]), dtype=np.float32)], axis=2)
        for one in several
    ]


def _gelu(values: np.ndarray) -> np.ndarray:
    """Hendrycks and Gimpel 2016 (arXiv:1606.08415), the form with a tangent."""
    inner = np.float32(0.7978845608) * (values + np.float32(0.044715) * values * values * values)
    return np.float32(0.5) * values * (np.float32(1.0) + np.tanh(inner))
