"""A library as codes: for each compound what is learned of it, and which compounds are learned from or tuned on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import OutcomeError
from iatros.learners.compounds.tokens import Notation, Vocabulary
from iatros.molecules.generators.generator import Training
from iatros.molecules.generators.library import FEWEST, Library
from iatros.molecules.generators.texts.codes import learn_vocabulary
from iatros.molecules.generators.texts.lines import Lines, lines_of
from iatros.molecules.generators.texts.rewriting import ways_to_write


@dataclass(frozen=True)
class CodedLibrary:
    """The lines of a library; `rows` and `tuning` (n,) are those to learn from and to tune on."""

    vocabulary: Vocabulary
    lines: Lines
    rows: np.ndarray
    tuning: np.ndarray

    @property
    def written(self) -> np.ndarray:
        """Codes (n, length) of each compound's canonical writing, which a decoder has to write."""
        found: np.ndarray = self.lines.codes[0]
        return found

    def given(self, batch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Codes (n, length) that an encoder is given of some rows: random writings where there are any."""
        n_random = len(self.lines.codes) - 1
        way = 1 + rng.integers(n_random, size=len(batch)) if n_random else 0
        found: np.ndarray = self.lines.codes[way, batch]
        return found

    def notes(self) -> dict[str, Any]:
        """How many compounds were learned from, and how many could not be."""
        return {
            "n_tokens": len(self.vocabulary),
            "n_learned": len(self.rows),
            "n_tuning": len(self.tuning),
            "n_unknown_tokens": int(self.lines.unknown.sum()),
            "n_too_long": int(self.lines.too_long.sum()),
            "n_unwritten": int(self.lines.unwritten.sum()),
        }


def code_library(
    library: Library,
    training: Training,
    *,
    notation: Notation,
    max_length: int,
    randomise: int,
    seed: int,
    vocabulary: Vocabulary | None = None,
    fewest_tuning: int = 1,
) -> CodedLibrary:
    """The library with `randomise` random writings of each compound, drawn from the compound and `seed`.

    Left out are compounds with a writing of more than `max_length` tokens, and those with a token that a given
    `vocabulary` does not know. OutcomeError where fewer than 100 are left, or than `fewest_tuning` to tune on.
    """
    with training.progress.step("tokens"):
        several = ways_to_write(
            library.smiles, randomise, notation=notation, seed=seed, engine=training.engine
        )
        if vocabulary is None:
            vocabulary = learn_vocabulary([text for way in several for text in way], notation)
        lines = lines_of(several, vocabulary, max_length)
    rows, tuning = (side[lines.usable[side]] for side in library.sides())
    if len(rows) + len(tuning) < FEWEST or len(tuning) < fewest_tuning:
        raise OutcomeError(
            f"holds {int(lines.usable.sum()):,} compounds that the model can learn, and {FEWEST} are needed; "
            f"{int(lines.unknown.sum()):,} hold a token that it does not know, and {int(lines.too_long.sum()):,} are "
            "too long",
            where=library.source,
            hint="give a larger library, raise max_length, or train without start",
        )
    return CodedLibrary(vocabulary, lines, rows, tuning)
