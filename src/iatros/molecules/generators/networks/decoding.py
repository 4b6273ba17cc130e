"""Gated recurrent units that write tokens, in numpy: many compounds at once, each step with the state before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.molecules.generators.generator import Draw
from iatros.molecules.generators.networks.stepping import drawn, in_batches, written

__all__ = ["Decoder", "Layer", "drawn"]

States = list[np.ndarray]


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

    def start(self, n: int) -> States:
        """The state (n, units) of each layer before the first token."""
        return [np.zeros((n, layer.units), dtype=np.float32) for layer in self.layers]

    def step(
        self, codes: np.ndarray, states: States, given: np.ndarray | None = None
    ) -> tuple[np.ndarray, States]:
        """Log-odds (n, tokens) of what follows `codes` (n,), and the new states.

        `given` (n, 3 x units) is added to what the first layer's gates are given, at every step.
        """
        from_input = self.table[codes] if given is None else self.table[codes] + given
        after: States = []
        for place, (layer, state) in enumerate(zip(self.layers, states, strict=True)):
            if place:
                from_input = after[-1] @ layer.of_input.T
                from_input += layer.bias_of_input
            from_state = state @ layer.of_state.T
            from_state += layer.bias_of_state
            after.append(_gated(from_input, from_state, state))
        return after[-1] @ self.last + self.bias, after

    def kept(self, states: States, rows: np.ndarray) -> States:
        """The states of some lines, by their places or as a mask."""
        return [state[rows] for state in states]

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

        A line that has not ended after `longest` tokens is cut there. `given` (n, 3 x units) see `step`.
        """

        def batch(begin: int, end: int, own: np.random.Generator) -> np.ndarray:
            steps = self if given is None else _Given(self, given[begin:end])
            return written(steps, end - begin, rng=own, draw=draw, longest=longest)

        parts = in_batches(batch, n, rng)
        return np.concatenate(parts) if parts else np.zeros((0, longest), dtype=np.int64)


@dataclass(frozen=True)
class _Given:
    """The decoder whose lines are each given something of their own; it travels with the states."""

    decoder: Decoder
    given: np.ndarray

    def start(self, n: int) -> States:
        return [self.given, *self.decoder.start(n)]

    def step(self, codes: np.ndarray, states: States) -> tuple[np.ndarray, States]:
        odds, after = self.decoder.step(codes, states[1:], states[0])
        return odds, [states[0], *after]

    def kept(self, states: States, rows: np.ndarray) -> States:
        return self.decoder.kept(states, rows)


def _gated(from_input: np.ndarray, from_state: np.ndarray, state: np.ndarray) -> np.ndarray:
    """The state after; the logistic function is written as a tangent, which cannot overflow."""
    units = state.shape[1]
    both = from_input[:, : 2 * units] + from_state[:, : 2 * units]
    both *= np.float32(0.5)
    np.tanh(both, out=both)
    both += np.float32(1.0)
    both *= np.float32(0.5)
    reset, update = both[:, :units], both[:, units:]
    new = reset * from_state[:, 2 * units :]
    new += from_input[:, 2 * units :]
    np.tanh(new, out=new)
    after: np.ndarray = state - new
    after *= update
    after += new
    return after
