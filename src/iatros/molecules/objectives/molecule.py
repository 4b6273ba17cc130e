"""A compound while it is scored: read once, and each of its properties and fingerprints computed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from rdkit import Chem, rdBase

from iatros.molecules.objectives.fingerprints import CIRCULAR, fingerprint
from iatros.molecules.objectives.properties import PROPERTIES


class Molecule:
    """What is known of one compound so far; whatever is asked for again is not computed again.

    ValueError where `smiles` is no molecule.

    >>> Molecule("CCO").property("heavy_atoms")
    3.0
    """

    def __init__(self, smiles: str) -> None:
        self.smiles = smiles
        self.mol = Chem.MolFromSmiles(smiles)
        if self.mol is None or not self.mol.GetNumAtoms():
            raise ValueError(f"not a valid SMILES: {smiles}")
        self._found: dict[Any, Any] = {}

    def property(self, name: str) -> float:
        """The property `name`; nan where RDKit has no value for this compound."""
        return self.once(("property", name), lambda: _number(PROPERTIES[name].calculate, self.mol))

    def fingerprint(self, kind: str, radius: int) -> Any:
        """RDKit's vector of bits or counts."""
        radius = radius if kind in CIRCULAR else 0
        return self.once(("fingerprint", kind, radius), lambda: fingerprint(self.mol, kind, radius))

    def has(self, smarts: str, query: Any) -> bool:
        """Whether the pattern `query`, written as `smarts`, is found."""
        return self.once(("has", smarts), lambda: bool(self.mol.HasSubstructMatch(query)))

    def alerts(self, name: str) -> tuple[str, ...]:
        """The alerts of the published list `name`."""
        from iatros.molecules.curation.alerts import alerts

        return self.once(("alerts", name), lambda: alerts(self.mol, (name,)))

    @cached_property
    def elements(self) -> Counter[str]:
        """How many atoms there are of each element, implied hydrogens among them."""
        counts = Counter(atom.GetSymbol() for atom in self.mol.GetAtoms())
        hydrogens = sum(atom.GetTotalNumHs() for atom in self.mol.GetAtoms())
        if hydrogens:
            counts["H"] += hydrogens
        return counts

    @cached_property
    def ring_sizes(self) -> tuple[int, ...]:
        """The number of atoms of each ring, of RDKit's symmetrised smallest set."""
        return tuple(len(ring) for ring in self.mol.GetRingInfo().AtomRings())

    def once(self, key: Any, compute: Callable[[], Any]) -> Any:
        """What is kept under `key`, computed when it is first asked for."""
        if key not in self._found:
            self._found[key] = compute()
        return self._found[key]


def molecules(smiles: Sequence[str]) -> list[Molecule | None]:
    """Each compound, read, None where the text is no molecule; the same text is read once."""
    with rdBase.BlockLogs():
        read = {text: _read(text) for text in dict.fromkeys(smiles)}
    return [read[text] for text in smiles]


def _read(smiles: str) -> Molecule | None:
    try:
        return Molecule(smiles)
    except ValueError:
        return None


def _number(calculate: Callable[[Any], float], mol: Any) -> float:
    try:
        return float(calculate(mol))
    except (ValueError, RuntimeError, ZeroDivisionError, OverflowError):
        return float("nan")
