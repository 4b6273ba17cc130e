"""What a worker tells of each text: the molecule in it, once parsed, and everything that the metrics need of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import AllChem
from rdkit.Chem.Scaffolds import MurckoScaffold

from iatros.core.context import Context
from iatros.learners.compounds.fingerprints import Fingerprint, of_molecules
from iatros.molecules.curation.batching import in_batches
from iatros.molecules.curation.parsing import StructureError, parse
from iatros.molecules.distribution import filters, properties
from iatros.molecules.distribution.queries import Screen, count_kinds
from iatros.molecules.schema import BLANK, Entry

FINGERPRINT = Fingerprint("morgan", n_bits=1024)
"""What MOSES compares: circular environments of radius 2, folded to 1024 bits."""
LEAST_RINGS = 2
"""A scaffold counts in MOSES from so many rings on."""


class Batch(NamedTuple):
    """The entries of a batch in order: canonical SMILES, or nothing and the reason; then what the valid ones are.

    `words` (valid, 16) are packed fingerprints, `values` (valid, 4) the `properties.NAMES`; `fragments` are BRICS
    fragments joined by dots, `scaffolds` Murcko scaffolds of at least two rings (nothing where there is none),
    `failures` the filters that a compound fails.
    """

    smiles: list[str]
    reasons: list[str]
    words: np.ndarray
    values: np.ndarray
    fragments: list[str]
    scaffolds: list[str]
    failures: list[tuple[str, ...]]


@dataclass
class Described:
    """A whole source, batch after batch joined; `n_lines` are those with a text."""

    smiles: list[str] = field(default_factory=list)
    words: np.ndarray = field(default_factory=lambda: np.empty((0, FINGERPRINT.n_bits // 64), np.uint64))
    values: np.ndarray = field(default_factory=lambda: np.empty((0, len(properties.NAMES))))
    fragments: list[str] = field(default_factory=list)
    scaffolds: list[str] = field(default_factory=list)
    failures: list[tuple[str, ...]] = field(default_factory=list)
    valid: np.ndarray = field(default_factory=lambda: np.empty(0, bool))
    """For each line with a text whether it is a molecule (lines,)."""
    reasons: dict[str, int] = field(default_factory=dict)
    n_blank: int = 0

    @property
    def n_lines(self) -> int:
        """Lines with a text."""
        return len(self.valid)

    def __len__(self) -> int:
        return len(self.smiles)


def describe(entries: Iterator[Entry], context: Context, *, filtered: bool, label: str) -> Described:
    """Every entry read once on the engine; with `filtered`, the filters are asked too."""
    made = Described()
    words, values, valid = [made.words], [made.values], list[bool]()
    with context.progress.step(label) as step:
        for some, batch in in_batches(describe_batch, filtered, entries, context.engine):
            for smiles, reason in zip(batch.smiles, batch.reasons, strict=True):
                if reason == BLANK:
                    made.n_blank += 1
                    continue
                valid.append(bool(smiles))
                if smiles:
                    made.smiles.append(smiles)
                else:
                    made.reasons[reason] = made.reasons.get(reason, 0) + 1
            words.append(batch.words)
            values.append(batch.values)
            made.fragments += batch.fragments
            made.scaffolds += batch.scaffolds
            made.failures += batch.failures
            step.advance(len(some))
    made.words, made.values = np.concatenate(words), np.concatenate(values)
    made.valid = np.array(valid, dtype=bool)
    made.reasons = dict(sorted(made.reasons.items(), key=lambda item: (-item[1], item[0])))
    return made


def describe_batch(filtered: bool, entries: list[Entry]) -> Batch:
    """What a worker runs: one step for all compounds before the next, which is faster than all steps for each."""
    with rdBase.BlockLogs():  # RDKit would write what it complains about to stderr
        read = [_read(entry) for entry in entries]
        molecules = [molecule for molecule, _, _ in read if molecule is not None]
        smiles = [smiles for molecule, smiles, _ in read if molecule is not None]
        kinds = [count_kinds(molecule) for molecule in molecules]
        screen, n_filters = _screen(), len(filters.queries())
        possible = [
            screen.candidates(molecule, made_of) for molecule, made_of in zip(molecules, kinds, strict=True)
        ]
        cut = [AllChem.FragmentOnBRICSBonds(molecule) for molecule in molecules]
        failed: list[tuple[str, ...]] = [()] * len(molecules)
        if filtered:
            failed = [
                filters.failures(molecule, text, held[:n_filters], made_of)
                for molecule, text, held, made_of in zip(molecules, smiles, possible, kinds, strict=True)
            ]
        return Batch(
            [text for _, text, _ in read],
            [reason for _, _, reason in read],
            of_molecules(FINGERPRINT, molecules),
            properties.of_molecules(molecules, [held[n_filters:] for held in possible], kinds),
            [Chem.MolToSmiles(fragments) for fragments in cut],
            [scaffold(molecule) for molecule in molecules],
            failed,
        )


def scaffold(molecule: Any) -> str:
    """The Murcko scaffold as SMILES, nothing where it has fewer than two rings or RDKit makes none."""
    if molecule.GetRingInfo().NumRings() < LEAST_RINGS:
        return ""  # a scaffold has no ring that the molecule has not
    try:
        found = MurckoScaffold.GetScaffoldForMol(molecule)
    except (ValueError, RuntimeError):
        return ""
    return Chem.MolToSmiles(found) if found.GetRingInfo().NumRings() >= LEAST_RINGS else ""


@cache
def _screen() -> Screen:
    """The queries of the filters and of the properties, told apart in one pass over the molecule."""
    return Screen([*filters.screen().queries, *properties.screen().queries])


def _read(entry: Entry) -> tuple[Any, str, str]:
    """Molecule, canonical SMILES and the reason why there is none. What RDKit reads is valid, as MOSES counts it."""
    if entry.refusal:
        return None, "", entry.refusal
    text = "" if entry.molblock else entry.structure.strip()
    _, _, more = text.partition(" ")
    if text and not text.startswith("InChI=") and (not more or more.startswith("|")):
        molecule = Chem.MolFromSmiles(text)
        if molecule is not None and molecule.GetNumAtoms():
            return molecule, Chem.MolToSmiles(molecule), ""
    try:
        molecule = parse(entry.structure, molblock=entry.molblock)
    except StructureError as error:
        return None, "", _kind(str(error))
    return molecule, Chem.MolToSmiles(molecule), ""


def _kind(reason: str) -> str:
    """The reason without the places and numbers of this one text, so that equal mistakes are counted together."""
    return "".join("#" if character.isdigit() else character for character in reason)
