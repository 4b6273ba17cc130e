"""Which of many substructure queries a molecule can hold at all, told without matching them.

A match maps the atoms of a query to different atoms of a molecule, and its bonds to different bonds. So a molecule
that has fewer bonds of a kind than a query asks for cannot match it, whatever the rest of the query says. A kind is
read off RDKit's own description of the query: element, aromaticity, charge, hydrogens, neighbours and ring of both
ends, order and ring of the bond; what is not understood there is taken as fulfilled. The answer is therefore never
wrong for a query that matches; of the 500 queries of the filters of MOSES some ten are left to be matched.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

_LEAF = re.compile(r"(\w+) (-?\d+) (!?=) val")
_AROMATIC = 1000
"""What RDKit adds to the atomic number where a query asks for an aromatic atom."""
_SINGLE, _AROMATIC_BOND = 1, 12
_MOST = np.iinfo(np.uint8).max


class AtomKind(NamedTuple):
    """What the queries may ask of an atom: hydrogens and neighbours counted with those that are implied."""

    element: int
    aromatic: bool
    hydrogens: int
    neighbours: int
    charge: int
    in_ring: bool


class BondKind(NamedTuple):
    """What the queries may ask of a bond; `order` as RDKit numbers it, 12 for aromatic."""

    order: int
    in_ring: bool


class Kinds(NamedTuple):
    """What a molecule is made of: atoms and (atom, bond, atom) by kind, and how many hydrogens are implied."""

    atoms: Counter[AtomKind]
    bonds: Counter[Any]
    n_implied: int


_HYDROGEN = AtomKind(1, False, 0, 1, 0, False)
_TO_HYDROGEN = BondKind(_SINGLE, False)
_ATOM: dict[str, Callable[[AtomKind, int], bool]] = {
    "AtomAtomicNum": lambda kind, n: kind.element == n,
    "AtomType": lambda kind, n: (kind.element + _AROMATIC * kind.aromatic) == n,
    "AtomHCount": lambda kind, n: kind.hydrogens == n,
    "AtomTotalDegree": lambda kind, n: kind.neighbours == n,
    "AtomFormalCharge": lambda kind, n: kind.charge == n,
    "AtomInRing": lambda kind, n: kind.in_ring == bool(n),
    "AtomIsAliphatic": lambda kind, n: kind.aromatic != bool(n),
    "AtomIsAromatic": lambda kind, n: kind.aromatic == bool(n),
}
_BOND: dict[str, Callable[[BondKind, int], bool]] = {
    "BondOrder": lambda kind, n: kind.order == n,
    "SingleOrAromaticBond": lambda kind, n: (kind.order in (_SINGLE, _AROMATIC_BOND)) == bool(n),
    "BondInRing": lambda kind, n: kind.in_ring == bool(n),
}


class Screen:
    """Queries, and for each how many atoms and bonds of each kind a molecule must have to match it.

    >>> from rdkit import Chem
    >>> screen = Screen([Chem.MolFromSmarts("[#7]=[#6]"), Chem.MolFromSmarts("[#1]-[#8]")])
    >>> screen.candidates(Chem.MolFromSmiles("OCCN")).tolist()
    [False, True]
    """

    def __init__(self, queries: Sequence[Any]) -> None:
        self.queries = tuple(queries)
        asked = [_asked(query) for query in self.queries]
        wanted = sorted(set().union(*asked))
        self._atoms = sorted({words for part in wanted for words in (part[0], part[-1])})
        self._bonds = sorted({part[1] for part in wanted if len(part) > 1})
        place = {part: column for column, part in enumerate(wanted)}
        self._required = np.zeros((len(asked), len(wanted)), dtype=np.uint8)
        for row, counts in enumerate(asked):
            for part, count in counts.items():
                self._required[row, place[part]] = min(count, _MOST)
        self._of_atoms = np.array([place[part] for part in wanted if len(part) == 1], dtype=np.int64)
        self._of_bonds = np.array([place[part] for part in wanted if len(part) > 1], dtype=np.int64)
        self._ends = np.array(
            [self._atoms.index(part[end]) for part in wanted if len(part) > 1 for end in (0, 2)],
            dtype=np.int64,
        ).reshape(-1, 2)
        self._alone = np.array(
            [self._atoms.index(part[0]) for part in wanted if len(part) == 1], dtype=np.int64
        )
        self._between = np.array(
            [self._bonds.index(part[1]) for part in wanted if len(part) > 1], dtype=np.int64
        )
        self._met: dict[Any, np.ndarray] = {}
        self._places: dict[Any, np.ndarray] = {}

    def candidates(self, molecule: Any, kinds: Kinds | None = None) -> np.ndarray:
        """Which queries (n,) `molecule` can match, with its hydrogens written out or implied.

        `kinds` are its own, where they have been counted already.
        """
        found = kinds or count_kinds(molecule)
        there = np.zeros(self._required.shape[1], dtype=np.int64)
        for counts in (found.atoms, found.bonds, {_HYDROGEN: found.n_implied}):
            for kind, count in counts.items():
                there[self._fulfilled(kind)] += count
        enough = np.less_equal(self._required, np.minimum(there, _MOST).astype(np.uint8))
        return np.asarray(enough.all(axis=1))

    def _fulfilled(self, kind: Any) -> np.ndarray:
        """The columns of what is asked that an atom, or a bond between two, of this kind may fulfil."""
        found = self._places.get(kind)
        if found is None:
            if isinstance(kind, AtomKind):
                found = self._of_atoms[self._atom(kind)[self._alone]]
            else:
                one, bond, other = kind
                first, last = self._ends.T
                ends = (self._atom(one)[first] & self._atom(other)[last]) | (
                    self._atom(one)[last] & self._atom(other)[first]
                )
                found = self._of_bonds[ends & self._bond(bond)[self._between]]
            self._places[kind] = found
        return found

    def _atom(self, kind: AtomKind) -> np.ndarray:
        if kind not in self._met:
            self._met[kind] = np.array([_holds(words, kind, _ATOM) for words in self._atoms], dtype=bool)
        return self._met[kind]

    def _bond(self, kind: BondKind) -> np.ndarray:
        if kind not in self._met:
            self._met[kind] = np.array([_holds(words, kind, _BOND) for words in self._bonds], dtype=bool)
        return self._met[kind]


def count_kinds(molecule: Any) -> Kinds:
    """How many atoms, and bonds between two, of each kind there are, implied hydrogens among the bonds alone."""
    # RDKit's own iterators ask for the length at every step.
    read = [molecule.GetAtomWithIdx(place) for place in range(molecule.GetNumAtoms())]
    kinds = [
        AtomKind(
            atom.GetAtomicNum(),
            atom.GetIsAromatic(),
            atom.GetTotalNumHs(True),
            atom.GetTotalDegree(),
            atom.GetFormalCharge(),
            atom.IsInRing(),
        )
        for atom in read
    ]
    bonds: Counter[Any] = Counter()
    for place in range(molecule.GetNumBonds()):
        bond = molecule.GetBondWithIdx(place)
        one, other = kinds[bond.GetBeginAtomIdx()], kinds[bond.GetEndAtomIdx()]
        kind = BondKind(int(bond.GetBondType()), bond.IsInRing())
        bonds[(one, kind, other) if one <= other else (other, kind, one)] += 1
    n_implied = 0
    for atom, one in zip(read, kinds, strict=True):
        implied = atom.GetTotalNumHs()
        if implied:
            n_implied += implied
            bonds[(_HYDROGEN, _TO_HYDROGEN, one)] += implied
    return Kinds(Counter(kinds), bonds, n_implied)


def _asked(query: Any) -> Counter[tuple[str, ...]]:
    """What `query` asks for: (atom,) or (atom, bond, atom) in RDKit's words, and how often."""
    atoms = [atom.DescribeQuery() for atom in query.GetAtoms()]
    asked: Counter[tuple[str, ...]] = Counter((words,) for words in atoms)
    for bond in query.GetBonds():
        ends = sorted((atoms[bond.GetBeginAtomIdx()], atoms[bond.GetEndAtomIdx()]))
        asked[(ends[0], bond.DescribeQuery(), ends[1])] += 1
    return asked


def _holds(words: str, kind: Any, known: dict[str, Any]) -> bool:
    """Whether an atom or bond of this kind may fulfil a query in RDKit's words."""
    lines = [line for line in words.split("\n") if line.strip()]
    return _node(lines, kind, known) if lines else True


def _node(lines: list[str], kind: Any, known: dict[str, Any]) -> bool:
    """The first line, with the more deeply indented ones that follow it; what is not understood counts as fulfilled."""
    head = lines[0].strip()
    if head in ("AtomAnd", "AtomOr", "BondAnd", "BondOr"):
        parts = [_node(part, kind, known) for part in _children(lines)]
        return all(parts) if head.endswith("And") else any(parts)
    leaf = _LEAF.fullmatch(head)
    if leaf is None or leaf[1] not in known:
        return True
    return bool(known[leaf[1]](kind, int(leaf[2]))) == (leaf[3] == "=")


def _children(lines: list[str]) -> list[list[str]]:
    depth = len(lines[1]) - len(lines[1].lstrip())
    parts: list[list[str]] = []
    for line in lines[1:]:
        if len(line) - len(line.lstrip()) == depth:
            parts.append([])
        parts[-1].append(line)
    return parts
