"""Writing around a scaffold: its tokens are given, and at open places the network writes what it likes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iatros.learners.compounds.tokens import BEGIN, END, PAD, Vocabulary
from iatros.molecules.generators.generator import Draw
from iatros.molecules.generators.networks.stepping import Steps, drawn, in_batches
from iatros.molecules.generators.texts.scaffolds import MARK, Scaffold, Templates, templates

_OF_TWO = 0.5
"""Where the scaffold itself has a branch, the share of branches there that are new ones before it."""


@dataclass(frozen=True)
class Around:
    """What lines written around a scaffold became: `texts` are SMILES of molecules that hold it, as written."""

    texts: tuple[str, ...]
    n_written: int
    n_invalid: int
    n_without: int
    """Molecules that do not hold the scaffold, or with marks have grown elsewhere; they are left out."""


def around(
    steps: Steps,
    vocabulary: Vocabulary,
    smiles: str,
    n: int,
    *,
    rng: np.random.Generator,
    draw: Draw,
    longest: int,
) -> Around:
    """`n` lines around the scaffold `smiles`, read and checked.

    Where the scaffold has marks (`*`), something grows at each of them and nowhere else; without, it may grow wherever
    it has a hydrogen. Ring numbers that the scaffold uses at a place are not drawn there. RequestError for a scaffold
    that cannot be written, see `scaffolds`.
    """
    scaffold = Scaffold.read(smiles)
    given = templates(scaffold, vocabulary, rng, longest=longest)

    def batch(begin: int, end: int, own: np.random.Generator) -> np.ndarray:
        turns = np.arange(begin, end) % len(given.codes)
        return _Growing(steps, given, turns, own, draw, longest).lines()

    parts = in_batches(batch, n, rng)
    return checked(scaffold, [text for part in parts for text in vocabulary.decode(part)])


def checked(scaffold: Scaffold, texts: Sequence[str]) -> Around:
    """Those of `texts` that are molecules and hold the scaffold."""
    from rdkit import Chem, rdBase

    query, kept, n_invalid = scaffold.query(), [], 0
    with rdBase.BlockLogs():
        for text in texts:
            molecule = Chem.MolFromSmiles(text)
            if molecule is None or not molecule.GetNumAtoms():
                n_invalid += 1
            elif molecule.HasSubstructMatch(query):
                kept.append(text)
    return Around(tuple(kept), len(texts), n_invalid, len(texts) - n_invalid - len(kept))


class _Growing:
    """Lines of one batch; each is at a place of its template, and either follows it or writes freely there.

    Arrays over lines: `place` in the template, `left` hydrogens of the atom that may grow, `is_free`, `is_first`: the
    next free token is the first one, `own`: what is written freely stands in parentheses of its own, `depth`: how many
    more parentheses are open in it, `rings`: ring numbers open in it (lines, tokens).
    """

    def __init__(
        self,
        steps: Steps,
        given: Templates,
        turns: np.ndarray,
        rng: np.random.Generator,
        draw: Draw,
        longest: int,
    ) -> None:
        n = len(turns)
        self.steps, self.given, self.rng, self.draw, self.longest = steps, given, rng, draw, longest
        self.turns = turns
        self.place, self.left, self.depth = (np.zeros(n, dtype=np.int64) for _ in range(3))
        self.is_free, self.is_first, self.own = (np.zeros(n, dtype=bool) for _ in range(3))
        self.rings = np.zeros((n, len(given.rings)), dtype=bool)

    def lines(self) -> np.ndarray:
        """Codes, int64 (n, longest)."""
        n = len(self.turns)
        lines = np.full((n, self.longest), PAD, dtype=np.int64)
        rows, codes, states = np.arange(n), np.full(n, BEGIN), self.steps.start(n)
        for at in range(self.longest):
            odds, states = self.steps.step(codes, states)
            branches = self._branches(odds)
            codes = drawn(np.where(self._allowed(), odds, -np.inf), self.rng, self.draw)
            lines[rows, at] = codes
            self._move(codes, branches)
            goes_on = codes != END
            if not goes_on.all():
                rows, codes, states = rows[goes_on], codes[goes_on], self.steps.kept(states, goes_on)
                self._keep(goes_on)
            if not len(rows):
                break
        return lines

    def _next(self) -> np.ndarray:
        """The template's code (n,) at each line's place."""
        found: np.ndarray = self.given.codes[self.turns, self.place]
        return found

    def _ends(self) -> np.ndarray:
        """Where the template goes on with the end of a branch or of the text: there a chain may go on instead."""
        following = self._next()
        return (following == END) | (following == self.given.closing)

    def _branches(self, odds: np.ndarray) -> np.ndarray:
        """Whether a parenthesis that is drawn now is a new branch, bool (n,), and not the template's."""
        shifted = np.exp(odds - odds.max(axis=1, keepdims=True))
        share = shifted[:, self.given.opening] / shifted.sum(axis=1)
        new: np.ndarray = self.rng.random(len(odds)) < _OF_TWO * share
        return np.where(self._next() == self.given.opening, new & (self.left > 0), True)

    def _allowed(self) -> np.ndarray:
        """What may be drawn, bool (n, tokens)."""
        given, lines = self.given, np.arange(len(self.turns))
        following, ends = self._next(), self._ends()
        may_grow = ~self.is_free & (self.left > 0)
        begins = self._beginnings()
        allowed = np.zeros_like(self.rings)
        # Follow the template, and where an atom has a hydrogen left, open a branch or go on with a chain.
        allowed[lines[~self.is_free], following[~self.is_free]] = True
        allowed[may_grow, given.opening] = True
        chain = may_grow & ends
        allowed[chain] |= begins[chain]
        first = self.is_free & self.is_first
        allowed[first] = begins[first]
        inside = self.is_free & ~self.is_first
        allowed[inside] = ~given.never & ~given.blocked[self.turns[inside], self.place[inside]]
        # What is written freely ends as it began, when its own rings are closed.
        outermost = inside & (self.depth == 0)
        may_end = outermost & ~self.rings.any(axis=1)
        allowed[inside, END] = (may_end & ~self.own & (following == END))[inside]
        closes = may_end & (self.own | (following == given.closing))
        allowed[inside, given.closing] = (closes | (self.depth > 0))[inside]
        return allowed

    def _beginnings(self) -> np.ndarray:
        """What something new may begin with at each line's atom, bool (n, tokens)."""
        begins = np.repeat(self.given.starts[None], len(self.turns), axis=0)
        for code, order in self.given.bonds.items():
            begins[:, code] = self.left >= order
        return begins

    def _move(self, codes: np.ndarray, branches: np.ndarray) -> None:
        """Go on after `codes` were drawn."""
        given, following = self.given, self._next()
        was_free, outermost = self.is_free.copy(), self.depth == 0
        begun = np.ones(len(codes), dtype=np.int64)
        for code, order in given.bonds.items():
            begun[codes == code] = order
        # In what is written freely
        self.left[self.is_first] -= begun[self.is_first]
        self.is_first[:] = False
        rings = was_free & given.rings[codes]
        self.rings[rings, codes[rings]] ^= True
        self.depth += (was_free & (codes == given.opening)).astype(np.int64)
        closing = was_free & (codes == given.closing)
        self.depth -= (closing & ~outermost).astype(np.int64)
        over = closing & outermost
        self.is_free[over] = False
        # In the template
        opens = ~was_free & (self.left > 0) & (codes == given.opening) & branches
        chain = ~was_free & ~opens & (codes != following)
        self.is_free |= opens | chain
        self.own[opens], self.own[chain] = True, False
        self.is_first[opens] = True
        follows = (~was_free & ~opens & ~chain) | (over & ~self.own)
        self._advance(follows & (codes != END))

    def _advance(self, moved: np.ndarray) -> None:
        """One place further; at a mark something new begins at once."""
        self.place[moved] += 1
        self.left[moved] = self.given.free[self.turns[moved], self.place[moved]]
        marks = moved & (self._next() == MARK)
        self.place[marks] += 1
        self.left[marks] = 1
        self.is_free |= marks
        self.is_first |= marks
        self.own[marks] = False

    def _keep(self, rows: np.ndarray) -> None:
        for name in ("turns", "place", "left", "depth", "is_free", "is_first", "own", "rings"):
            setattr(self, name, getattr(self, name)[rows])
