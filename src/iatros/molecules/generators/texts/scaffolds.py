"""A scaffold as a language model writes it: its texts, and where in each of them something new may begin.

After Langevin et al. 2020 (J. Chem. Inf. Model. 60:5637): the tokens of the scaffold are given, and what grows on it is
written freely. There every open place is marked; here an atom without marks may grow wherever it has a hydrogen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import InputError, RequestError
from iatros.learners.compounds.graphs import read_molecule
from iatros.learners.compounds.tokens import END, SPECIAL, UNKNOWN, Vocabulary, atom_places, split

WRITINGS = 64
"""Random writings that are taken turns with, so that each place comes before what it could grow into."""
_TRIES = 8
MARK = -1
"""The code of a mark, whether or not the vocabulary has one."""
_ATTACHED = 0.3
"""Share of writings in which an atom in brackets gives one of its hydrogens away."""


@dataclass(frozen=True)
class Scaffold:
    """A scaffold with marks (`*`) where it grows, or without: then it may grow at every hydrogen."""

    molecule: Any
    """RDKit's; each `*` is an atom of number 0."""
    marked: bool

    @classmethod
    def read(cls, smiles: str) -> Scaffold:
        """RequestError where it is no SMILES of one fragment, or nothing can grow on it."""
        try:
            molecule = read_molecule(smiles)
        except InputError as error:
            raise RequestError(
                "the scaffold is not SMILES", where="scaffold", cell=smiles, hint="such as c1ccc(*)cc1"
            ) from error
        for atom in molecule.GetAtoms():
            atom.SetAtomMapNum(0)
            if not atom.GetAtomicNum():
                atom.SetIsotope(0)
        marks = [atom for atom in molecule.GetAtoms() if not atom.GetAtomicNum()]
        if "." in smiles or len(marks) == molecule.GetNumAtoms():
            raise RequestError("the scaffold must be one fragment with atoms", where="scaffold", cell=smiles)
        if any(atom.GetDegree() != 1 for atom in marks):
            raise RequestError(
                "a mark (*) of the scaffold stands between atoms, where nothing can grow",
                where="scaffold",
                cell=smiles,
                hint="put each * on one atom",
            )
        if not marks and not any(atom.GetTotalNumHs() for atom in molecule.GetAtoms()):
            raise RequestError(
                "no atom of the scaffold has a hydrogen left, so nothing can grow on it",
                where="scaffold",
                cell=smiles,
                hint="take a smaller scaffold",
            )
        return cls(molecule, bool(marks))

    def query(self) -> Any:
        """What a compound must match to hold the scaffold; with marks it has grown at each of them, and only there."""
        from rdkit import Chem

        if not self.marked:
            return self.molecule
        wanted = Chem.AdjustQueryParameters.NoAdjustments()
        wanted.makeDummiesQueries = True
        wanted.adjustDegree = True
        wanted.adjustDegreeFlags = Chem.ADJUST_IGNOREDUMMIES
        return Chem.AdjustQueryProperties(self.molecule, wanted)

    def writing(self, rng: np.random.Generator) -> Writing:
        """One random text, in which some hydrogens of atoms in brackets have become marks."""
        from rdkit import Chem

        molecule = self.molecule if self.marked else _with_marks(self.molecule, rng)
        order = rng.permutation(molecule.GetNumAtoms()).tolist()
        first = next(
            place for place, atom in enumerate(order) if molecule.GetAtomWithIdx(atom).GetAtomicNum()
        )
        order = order[first:] + order[:first]
        renumbered = Chem.RenumberAtoms(molecule, order)
        text = Chem.MolToSmiles(renumbered, canonical=False, rootedAtAtom=0)
        written = json.loads(renumbered.GetProp("_smilesAtomOutputOrder"))
        free = [renumbered.GetAtomWithIdx(place).GetTotalNumHs() for place in written]
        return Writing.of(text, [0] * len(free) if self.marked else free)


def _with_marks(molecule: Any, rng: np.random.Generator) -> Any:
    """The molecule where some atoms in brackets, which could not grow otherwise, hold a mark for a hydrogen."""
    from rdkit import Chem

    text = Chem.MolToSmiles(molecule)
    order = json.loads(molecule.GetProp("_smilesAtomOutputOrder"))
    tokens = split(text)
    closed = {
        atom
        for atom, place in zip(order, atom_places(tokens), strict=True)
        if tokens[place][0] == "[" and molecule.GetAtomWithIdx(atom).GetTotalNumHs()
    }
    chosen = {atom for atom in sorted(closed) if rng.random() < _ATTACHED}
    if not chosen:
        return molecule
    whole = Chem.AddHs(molecule, onlyOnAtoms=sorted(chosen))
    for atom in sorted(chosen):
        hydrogen = next(one for one in whole.GetAtomWithIdx(atom).GetNeighbors() if one.GetAtomicNum() == 1)
        hydrogen.SetAtomicNum(0)
    return Chem.RemoveHs(whole)


@dataclass(frozen=True)
class Writing:
    """The tokens of one text, `*` for marks, and for each of them and the end what may happen before it.

    `free` is how many hydrogens the atom has that was just written, all its ring numbers included; 0 elsewhere, and
    where it stands in brackets. `open_rings` are the ring numbers in use there.
    """

    tokens: tuple[str, ...]
    free: tuple[int, ...]
    open_rings: tuple[frozenset[str], ...]

    @classmethod
    def of(cls, text: str, hydrogens: Sequence[int]) -> Writing:
        """The writing of `text`, whose atoms have so many hydrogens each.

        >>> writing = Writing.of("c1ccoc1", [1, 1, 1, 0, 1])
        >>> writing.free, sorted(writing.open_rings[4])
        ((0, 0, 1, 1, 1, 0, 0, 1), ['1'])
        """
        tokens = split(text)
        of_atom = dict(zip(atom_places(tokens), hydrogens, strict=True))
        free, rings = [], []
        in_use: set[str] = set()
        last = 0
        for place in range(len(tokens) + 1):
            token = tokens[place] if place < len(tokens) else ""
            rings.append(frozenset(in_use))
            free.append(0 if _is_ring(token) else last)
            if _is_ring(token):
                in_use ^= {token}
                continue
            last = of_atom.get(place, 0) if not token.startswith("[") else 0
        return cls(tuple(tokens), tuple(free), tuple(rings))


def _is_ring(token: str) -> bool:
    return token[:1].isdigit() or token[:1] == "%"


@dataclass(frozen=True)
class Templates:
    """Several writings of a scaffold as arrays over (writings, places), and tokens of `n_tokens` codes by their kind.

    `codes` are those of the tokens, then `END`; a mark has the code `MARK`.
    """

    codes: np.ndarray
    free: np.ndarray
    blocked: np.ndarray
    """Ring numbers in use, bool (writings, places, tokens)."""
    rings: np.ndarray
    """Whether a code is a ring number, bool (tokens,)."""
    starts: np.ndarray
    """Whether something new may begin with a code by a single bond, bool (tokens,)."""
    never: np.ndarray
    """Whether a code may not be written freely at all, bool (tokens,)."""
    bonds: dict[int, int]
    """The codes of double and triple bonds, and their orders."""
    opening: int
    closing: int


def templates(
    scaffold: Scaffold, vocabulary: Vocabulary, rng: np.random.Generator, *, longest: int
) -> Templates:
    """The different ones of some random writings; RequestError where the vocabulary or `longest` allows none."""
    coded = {token: code for code, token in enumerate(vocabulary.tokens, start=len(SPECIAL))}
    found = list(dict.fromkeys(scaffold.writing(rng) for _ in range(_TRIES * WRITINGS)))
    known = [one for one in found if set(one.tokens) <= {*coded, "*"}]
    if vocabulary.notation != "smiles" or not known or not {"(", ")"} <= set(coded):
        missing = sorted({token for one in found for token in one.tokens} - set(coded) - {"*"})
        raise RequestError(
            "a generator of SELFIES cannot be made to write around a scaffold"
            if vocabulary.notation != "smiles"
            else f"the generator never saw {', '.join(missing) or 'a branch'}, and so cannot write the scaffold",
            where="scaffold",
            hint="train on a library that holds such compounds, with notation smiles",
        )
    known = [one for one in known if len(one.tokens) < longest][:WRITINGS]
    if not known:
        raise RequestError(
            f"the scaffold is as long as the longest text of the generator, {longest} tokens",
            where="scaffold",
            hint="train with a larger max_length",
        )
    return _as_arrays(known, coded)


def _as_arrays(writings: list[Writing], coded: dict[str, int]) -> Templates:
    n_tokens = len(SPECIAL) + len(coded)
    width = max(len(one.tokens) for one in writings) + 1
    of_template = {**coded, "*": MARK}
    codes = np.full((len(writings), width), END, dtype=np.int64)
    free = np.zeros((len(writings), width), dtype=np.int64)
    blocked = np.zeros((len(writings), width, n_tokens), dtype=bool)
    for row, one in enumerate(writings):
        codes[row, : len(one.tokens)] = [of_template[token] for token in one.tokens]
        free[row, : len(one.free)] = one.free
        for place, rings in enumerate(one.open_rings):
            blocked[row, place, [coded[token] for token in rings]] = True
    is_ring, starts, never = (np.zeros(n_tokens, dtype=bool) for _ in range(3))
    never[[*range(UNKNOWN + 1)]] = True
    for token, code in coded.items():
        is_ring[code] = _is_ring(token)
        starts[code] = token[0].isalpha() or token[0] in "[/\\"
        never[code] = token in (".", "*", "->", "<-")
    bonds = {coded[token]: order for token, order in (("=", 2), ("#", 3)) if token in coded}
    return Templates(codes, free, blocked, is_ring, starts, never, bonds, coded["("], coded[")"])
