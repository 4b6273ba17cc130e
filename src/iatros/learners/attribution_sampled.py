"""Shapley values of any model, by asking it: every coalition of a few columns, or antithetic permutations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np
import polars as pl

Ask = Callable[[pl.DataFrame], np.ndarray]

MAX_EXACT = 8
"""Up to so many columns all coalitions are asked."""
_MAX_ASKED = 120_000
"""Rows that the model is asked for in all, about; more rows to explain get fewer permutations each."""
_MIN_REFERENCES, _MAX_REFERENCES = 4, 64
_BLOCK = 20_000


def sampled_shapley(
    ask: Ask, frame: pl.DataFrame, background: pl.DataFrame, *, seed: int
) -> tuple[np.ndarray, np.ndarray, str, int]:
    """Values (n, c), bases (n,), the method in words, and the number of pairs with a reference row.

    `ask` gives the answers (m,) for m rows. Each row is paired with reference rows from `background`, all
    rows with the same ones; columns in which a pair agrees cannot matter to it and are left out of its game.
    Permutations come in pairs, one the reverse of the other (Mitchell et al. 2022), which cancels the
    errors of every model whose columns interact in twos at most.
    """
    c = frame.width
    exact = c <= MAX_EXACT
    cost = 2**c if exact else 2 * c
    n_pairs = int(np.clip(_MAX_ASKED // max(frame.height * cost, 1), _MIN_REFERENCES, _MAX_REFERENCES))
    rng = np.random.default_rng(seed)
    if exact:
        n_pairs = min(n_pairs, background.height)
    order = rng.permutation(background.height)
    references = np.concatenate([order] * (n_pairs // len(order) + 1))[:n_pairs]
    pool = pl.concat([frame, background])
    codes = _codes(pool)
    values, bases = np.zeros((frame.height, c)), np.zeros(frame.height)
    for block in _blocks(frame.height, max(1, _BLOCK // (cost * n_pairs))):
        games = [
            _game(row, frame.height + int(reference), codes, rng, exact)
            for row in block
            for reference in references
        ]
        answers = _answers(ask, pool, games)
        for game, answer in zip(games, answers, strict=True):
            values[game.row] += game.share(answer)
            bases[game.row] += answer[0]
    said = f"all coalitions of {c} columns" if exact else f"{n_pairs} antithetic pairs of permutations"
    return values / n_pairs, bases / n_pairs, f"sampled SHAP, {said}, {n_pairs} reference rows", n_pairs


@dataclass(frozen=True)
class _Game:
    """One row against one reference: which columns take the row's value at each question."""

    row: int
    other: int
    players: np.ndarray
    masks: np.ndarray
    order: np.ndarray | None

    def share(self, answer: np.ndarray) -> np.ndarray:
        """Shapley values (c,) from the answers (m,) to the questions."""
        shares = np.zeros(self.masks.shape[1])
        d = len(self.players)
        if d == 0:
            return shares
        if self.order is None:
            shares[self.players] = _coalition_weights(d) @ answer
            return shares
        there = answer[: d + 1]
        back = np.concatenate([answer[:1], answer[d + 1 :], answer[d : d + 1]])
        shares[self.order] += 0.5 * np.diff(there)
        shares[self.order[::-1]] += 0.5 * np.diff(back)
        return shares


def _game(row: int, other: int, codes: np.ndarray, rng: np.random.Generator, exact: bool) -> _Game:
    """The questions: the reference itself first; then coalitions, or the walk there and the walk back."""
    players = np.flatnonzero(codes[row] != codes[other])
    d, c = len(players), codes.shape[1]
    if exact:
        masks = np.zeros((2**d, c), dtype=bool)
        masks[:, players] = (np.arange(2**d)[:, None] >> np.arange(d)) & 1
        return _Game(row, other, players, masks, None)
    order = rng.permutation(players)
    walk = np.zeros((2 * d if d else 1, c), dtype=bool)
    for step, column in enumerate(order):
        walk[step + 1 : d + 1, column] = True
        # the walk back adds the columns in reverse order and leaves out its two ends, which are known
        walk[2 * d - step :, column] = True
    return _Game(row, other, players, walk, order)


_WEIGHTS: dict[int, np.ndarray] = {}


def _coalition_weights(d: int) -> np.ndarray:
    """(d, 2^d): Shapley values of d players from the values of all coalitions, numbered by their bits."""
    if d not in _WEIGHTS:
        masks = (np.arange(2**d)[:, None] >> np.arange(d)) & 1
        size = masks.sum(axis=1)
        joined = np.array([factorial(max(s - 1, 0)) * factorial(d - max(s, 1)) for s in size]) / factorial(d)
        left = np.array([factorial(s) * factorial(max(d - s - 1, 0)) for s in size]) / factorial(d)
        _WEIGHTS[d] = np.where(masks.T == 1, joined, -left)
    return _WEIGHTS[d]


def _codes(pool: pl.DataFrame) -> np.ndarray:
    """(m, c) integers that are equal where two cells of a column are equal, missing ones included."""
    dense = [pool[name].rank("dense").fill_null(0).cast(pl.Int64).to_numpy() for name in pool.columns]
    return np.column_stack(dense)


def _answers(ask: Ask, pool: pl.DataFrame, games: list[_Game]) -> list[np.ndarray]:
    """The model's answers to each game's questions, in a few large calls."""
    masks = np.concatenate([game.masks for game in games])
    sizes = np.array([len(game.masks) for game in games])
    rows = np.repeat([game.row for game in games], sizes)
    others = np.repeat([game.other for game in games], sizes)
    answer = np.empty(len(masks))
    for begin in range(0, len(masks), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        taken = np.where(masks[part], rows[part, None], others[part, None])
        asked = pl.DataFrame([pool[name].gather(taken[:, j]) for j, name in enumerate(pool.columns)])
        answer[part] = ask(asked)
    return np.split(answer, np.cumsum(sizes)[:-1])


def _blocks(n: int, size: int) -> list[range]:
    return [range(begin, min(begin + size, n)) for begin in range(0, n, size)]
