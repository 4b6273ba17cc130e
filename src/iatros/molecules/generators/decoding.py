"""Gated recurrent units that write tokens, in numpy: many compounds at once, each step with the state before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.learners.compounds.tokens import BEGIN, END, PAD, UNKNOWN
from iatros.molecules.generators.generator import Draw

_BATCH = 256
"""Compounds that are written at once: what fits into the caches of a core."""


@dataclass(frozen=True)
class Layer:
    """One layer's weights as torch has them, gates in the order reset, update, new (Cho et al. 2014)."""

    of_input: np.ndarray
    of_state: np.ndarray
    bias_of_input: np.ndarray
    bias_of_state: np.ndarray

    @property
    def units(self) -> int:
        """Length of the state."""
        return self.of_state.shape[1]


class Decoder:
    """A network of such layers between an embedding and the log-odds of the next token.

    Names of `weights`: `embedding.weight` (tokens, width), `cells.*_l<k>` as in `torch.nn.GRU`, `last.weight` and
    `last.bias`; float32.
    """

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.layers: list[Layer] = []
        while f"cells.weight_ih_l{len(self.layers)}" in weights:
            k = len(self.layers)
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            self.layers.append(Layer(*(weights[f"cells.{name}_l{k}"] for name in names)))
        first = self.layers[0]
        # The first layer's input is one of few vectors: what the gates make of each is computed once.
        self.table = weights["embedding.weight"] @ first.of_input[:, : weights["embedding.weight"].shape[1]].T
        self.table += first.bias_of_input
        self.last, self.bias = weights["last.weight"].T.copy(), weights["last.bias"]

    @property
    def n_tokens(self) -> int:
        """Codes, the special ones included."""
        return len(self.table)

    def start(self, n: int) -> list[np.ndarray]:
        """The state (n, units) of each layer before the first token."""
        return [np.zeros((n, layer.units), dtype=np.float32) for layer in self.layers]

    def step(
        self, codes: np.ndarray, states: list[np.ndarray], given: np.ndarray | None = None
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Log-odds (n, tokens) of what follows `codes` (n,), and the new states.

        `given` (n, 3 x units) is added to what the first layer's gates are given, at every step.
        """
        from_input = self.table[codes] if given is None else self.table[codes] + given
        after: list[np.ndarray] = []
        for place, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            if place:
                from_input = after[-1] @ layer.of_input.T + layer.bias_of_input
            after.append(_gated(from_input, state @ layer.of_state.T + layer.bias_of_state, state))
        return after[-1] @ self.last + self.bias, after

    def write(
        self,
        n: int,
        *,
        rng: np.random.Generator,
        draw: Draw,
        longest: int,
        given: np.ndarray | None = None,
    ) -> np.ndarray:
        """Codes, int64 (n, longest), of `n` new lines; `END` and filling stand behind the last token.

        A line that has not ended after `longest` tokens is cut there.
        """
        parts = [
            self._write(
                min(_BATCH, n - begin),
                rng,
                draw,
                longest,
                None if given is None else given[begin : begin + _BATCH],
            )
            for begin in range(0, n, _BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, longest), dtype=np.int64)

    def _write(
        self, n: int, rng: np.random.Generator, draw: Draw, longest: int, given: np.ndarray | None
    ) -> np.ndarray:
        written = np.full((n, longest), PAD, dtype=np.int64)
        rows, codes, states = np.arange(n), np.full(n, BEGIN), self.start(n)
        for place in range(longest):
            odds, states = self.step(codes, states, None if given is None else given[rows])
            codes = drawn(odds, rng, draw)
            written[rows, place] = codes
            goes_on = codes != END
            if not goes_on.all():
                rows, codes = rows[goes_on], codes[goes_on]
                states = [state[goes_on] for state in states]
            if not len(rows):
                break
        return written


def drawn(odds: np.ndarray, rng: np.random.Generator, draw: Draw) -> np.ndarray:
    """A code (n,) for each row of log-odds (n, tokens); never filling, an unknown token or a second beginning."""
    odds = odds / np.float32(draw.temperature)
    odds[:, [PAD, UNKNOWN, BEGIN]] = -np.inf
    odds -= odds.max(axis=1, keepdims=True)
    share = np.exp(odds)
    if draw.nucleus < 1.0:
        share = _nucleus(share, draw.nucleus)
    upto = share.cumsum(axis=1)
    target = rng.random((len(odds), 1), dtype=np.float32) * upto[:, -1:]
    codes: np.ndarray = np.minimum((upto <= target).sum(axis=1), odds.shape[1] - 1)
    return codes


def _nucleus(share: np.ndarray, nucleus: float) -> np.ndarray:
    """`share` with 0 for all but the likeliest tokens that together reach `nucleus`."""
    order = np.argsort(-share, axis=1, kind="stable")
    ranked = np.take_along_axis(share, order, axis=1)
    before = ranked.cumsum(axis=1) - ranked
    ranked = np.where(before < nucleus * share.sum(axis=1, keepdims=True), ranked, 0.0)
    kept = np.zeros_like(share)
    np.put_along_axis(kept, order, ranked, axis=1)
    return kept


def _gated(from_input: np.ndarray, from_state: np.ndarray, state: np.ndarray) -> np.ndarray:
    units = state.shape[1]
    both = 1.0 / (1.0 + np.exp(-(from_input[:, : 2 * units] + from_state[:, : 2 * units])))
    reset, update = both[:, :units], both[:, units:]
    new = np.tanh(from_input[:, 2 * units :] + reset * from_state[:, 2 * units :])
    after: np.ndarray = new + update * (state - new)
    return after
