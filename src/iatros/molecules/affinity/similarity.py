"""The drugs and targets that a model knows, and how similar others are to them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import InputError, LimitError
from iatros.learners.completion.table import Asked
from iatros.learners.compounds.fingerprints import Fingerprint, compute, require
from iatros.learners.compounds.tanimoto import nearest
from iatros.learners.compounds.tanimoto import similarities as tanimoto
from iatros.learners.proteins import alignment
from iatros.learners.tabular.scorers import Read
from iatros.molecules.affinity.schema import Pairs, places
from iatros.molecules.affinity.splits import Sides

KNOWN = "known.json"
"""The file of a bundle that lists the drugs and targets of its training, so that its manifest can be shown."""
FINGERPRINT = Fingerprint("morgan", n_bits=2048, radius=2)
MAX_SIDE = 20_000
MAX_CELLS = 40_000_000
"""Largest table of drugs and targets: kernels of one side are square, and the table has no gaps in memory."""


@dataclass(frozen=True)
class Known:
    """Distinct drugs and targets, with the fingerprints of the drugs (drugs, words)."""

    drugs: tuple[str, ...]
    smiles: tuple[str, ...]
    targets: tuple[str, ...]
    sequences: tuple[str, ...]
    words: np.ndarray

    @classmethod
    def of(cls, pairs: Pairs) -> Known:
        """The drugs and targets of `pairs`; LimitError where their table is larger than memory allows."""
        n, m = len(pairs.drugs), len(pairs.targets)
        if max(n, m) > MAX_SIDE or n * m > MAX_CELLS:
            raise LimitError(
                f"a table of {n:,} drugs and {m:,} targets is larger than {MAX_SIDE:,} a side or {MAX_CELLS:,} cells",
                hint="use dti-cnn, which has no table",
            )
        return cls(pairs.drugs, pairs.smiles, pairs.targets, pairs.sequences, _words(pairs.smiles))

    def similarities(self) -> tuple[np.ndarray, np.ndarray]:
        """Tanimoto among the drugs (drugs, drugs), normalised Smith-Waterman among the targets; 1 with themselves."""
        of_drugs = tanimoto(self.words, self.words)
        np.fill_diagonal(of_drugs, 1.0)
        return of_drugs, alignment.similarities(self.sequences)

    def ask(self, pairs: Pairs) -> Asked:
        """The similarities of the drugs and targets of `pairs`; known is what has a known name and content."""
        drugs = places(pairs.drugs, pairs.smiles, self._drug_places())
        targets = places(pairs.targets, pairs.sequences, self._target_places())
        of_drugs = tanimoto(_words(pairs.smiles), self.words)
        rows = np.flatnonzero(drugs >= 0)
        of_drugs[rows, drugs[rows]] = 1.0
        return Asked(of_drugs, alignment.similarities(pairs.sequences, self.sequences), drugs, targets)

    def _drug_places(self) -> dict[tuple[str, str], int]:
        return {key: place for place, key in enumerate(zip(self.drugs, self.smiles, strict=True))}

    def _target_places(self) -> dict[tuple[str, str], int]:
        return {key: place for place, key in enumerate(zip(self.targets, self.sequences, strict=True))}

    def file(self) -> bytes:
        """What the file `KNOWN` holds of these."""
        return known_file(self)

    @classmethod
    def load(cls, read: Read, words: np.ndarray) -> Known:
        """The known ones that the file `KNOWN` names, with their fingerprints."""
        document = read_known(read)
        drugs, smiles, targets, sequences = (tuple(document[name]) for name in _NAMED)
        return cls(drugs, smiles, targets, sequences, words)


_NAMED = ("drugs", "smiles", "targets", "sequences")


def known_file(known: Known | Pairs) -> bytes:
    """The names, structures and sequences of `known` as JSON."""
    return json.dumps({name: getattr(known, name) for name in _NAMED}).encode()


def read_known(read: Read) -> dict[str, Any]:
    """The lists `drugs`, `smiles`, `targets` and `sequences` of a bundle."""
    document: dict[str, Any] = json.loads(read(KNOWN))
    return document


def _words(smiles: tuple[str, ...]) -> np.ndarray:
    if not smiles:
        raise InputError("there are no pairs")
    return require(compute(smiles, FINGERPRINT), smiles)


@dataclass(frozen=True)
class Nearness:
    """How similar the most similar known drug and target of each pair are, both (n,), 0 to 1.

    Drugs by Tanimoto's coefficient, targets by the normalised Smith-Waterman score; 1 for the same.
    """

    drug: np.ndarray
    target: np.ndarray


def nearness(pairs: Pairs, known: dict[str, Any]) -> Nearness:
    """How near `pairs` are to the drugs and targets that `known` (`read_known`) lists."""
    drugs, targets = set(known["smiles"]), set(known["sequences"])
    of_drugs = nearest(_words(pairs.smiles), _words(tuple(known["smiles"])))[1]
    of_drugs[[one in drugs for one in pairs.smiles]] = 1.0
    own = [1.0 if one in targets else 0.0 for one in pairs.sequences]
    rows = [place for place, value in enumerate(own) if value == 0.0]
    of_targets = np.array(own)
    if rows:
        unknown = [pairs.sequences[place] for place in rows]
        of_targets[rows] = alignment.similarities(unknown, sorted(targets)).max(axis=1)
    return Nearness(of_drugs[pairs.drug], of_targets[pairs.target])


def nearness_to_others(pairs: Pairs, sides: Sequence[Sides]) -> Nearness:
    """How near each of `pairs` was to what its judge had learned from, in the `sides` of a validation."""
    drug, target = np.empty(len(pairs)), np.empty(len(pairs))
    for side in sides:
        train, held = pairs.take(side.train), pairs.take(side.held_out)
        found = nearness(held, {"smiles": train.smiles, "sequences": train.sequences})
        drug[side.held_out], target[side.held_out] = found.drug, found.target
    return Nearness(drug, target)
