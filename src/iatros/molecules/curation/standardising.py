"""One structure for each compound, however it was drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from rdkit import Chem
from rdkit.Chem import rdqueries
from rdkit.Chem.MolStandardize import rdMolStandardize

from iatros.molecules.curation.fragments import NONMETALS, Parent, bound_metals, has_carbon, parent
from iatros.molecules.curation.parsing import StructureError

MAX_ROUNDS = 5
"""Rounds of standardisation after which a structure that still changes is refused."""
MAX_TAUTOMERS = 200
MAX_TRANSFORMS = 400
USUAL_ELEMENTS = frozenset((1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53))

# What canonical SMILES tell by themselves, so that the atoms are not asked one by one. Only atoms in brackets have a
# charge, an isotope or unpaired electrons, or are of another element than B, C, N, O, P, S and the halogens.
_BRACKETED = re.compile(r"\[\d*([A-Z][a-z]?|[a-z][a-z]?)")
_CHARGED = re.compile(r"\[[^\]]*[+-]")
_AMMONIUM = re.compile(r"\[\d*(?:N@{0,2}|n)H\d?\+\]")
_ISOTOPE = re.compile(r"\[\d")
_HYPERVALENT = re.compile(r"[Pp]|\[\d*(?:As|as|Sb|sb)")
_READ_WITH_MORE = ("_MolFileInfo", "_CXSMILES_Data")
"""Marks of molecules that were read from more than plain SMILES, and so can hold queries that no SMILES show."""


class Standard(NamedTuple):
    """A standardised molecule, its canonical SMILES, what was changed and what is unusual."""

    mol: Any
    smiles: str
    changes: tuple[str, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Rules:
    """What a request settles about standard structures."""

    tautomer: bool = False
    max_heavy_atoms: int = 200


class _Tools(NamedTuple):
    """RDKit's own standardisers, made once for each process."""

    metals: Any
    normalizer: Any
    reionizer: Any
    uncharger: Any
    tautomers: Any
    radical: Any
    sulfoxide: Any


def standardise(mol: Any, rules: Rules) -> Standard:
    """The compound in `mol` in its standard form: metals detached, largest organic fragment, functional groups
    in one notation, charges neutralised, where asked for the canonical tautomer, stereo kept.

    The form is a fixed point: standardising its SMILES again gives the same SMILES. StructureError, with its
    reason, for what has no organic part, is too large, is bound to a metal or is not one definite molecule.

    >>> standardise(Chem.MolFromSmiles("CC(=O)[O-].[Na+]"), Rules()).smiles
    'CC(=O)O'
    """
    smiles = Chem.MolToSmiles(mol)
    changes: dict[str, None] = {}
    _refuse_indefinite(mol, smiles)
    if "[" in smiles and not _numbers(smiles) <= NONMETALS:
        mol, smiles = _without_metal(mol, smiles, changes)
    found = parent(mol, smiles)
    if found is None:
        raise StructureError("no organic fragment")
    mol = found.mol
    n = mol.GetNumHeavyAtoms()
    if n > rules.max_heavy_atoms:
        raise StructureError(f"too large: {n} heavy atoms, {rules.max_heavy_atoms} are allowed")
    if found.removed:
        changes[f"removed {'.'.join(found.removed)}"] = None
    if found.copies > 1:
        changes[f"one of {found.copies} copies kept"] = None
    smiles = found.smiles
    for _ in range(MAX_ROUNDS):
        mol, smiles, again = _round(mol, smiles, rules, changes)
        if not again:
            return Standard(mol, smiles, tuple(changes), _flags(mol, smiles, found))
    raise StructureError("its standard form keeps changing when it is standardised again")


def _without_metal(mol: Any, smiles: str, changes: dict[str, None]) -> tuple[Any, str]:
    """`mol` and its SMILES, with the metals of salts that are drawn with bonds as ions of their own."""
    bound, symbol = bound_metals(mol)
    if not bound or not has_carbon(smiles):
        return mol, smiles
    if not symbol:
        mol = _tools().metals.Disconnect(mol)
        changes["metal detached"] = None
        still, symbol = bound_metals(mol)
        symbol = symbol or ("a metal" if still else "")
    if symbol:
        raise StructureError(f"metal complex: of {symbol}, and its ligand alone would be another compound")
    return mol, Chem.MolToSmiles(mol)


def _round(mol: Any, smiles: str, rules: Rules, changes: dict[str, None]) -> tuple[Any, str, bool]:
    """`mol` after one pass over all steps, its SMILES, and whether it differs from `smiles`.

    A changed molecule is read again from its SMILES, so that nothing of the old one (order of atoms, stereo
    marks that no longer mean anything) reaches the next pass.
    """
    begun = smiles
    for name, step in _steps(mol, smiles, rules):
        mol = step(mol)
        after = Chem.MolToSmiles(mol)
        if after != smiles:
            changes[name] = None
            smiles = after
    if smiles == begun:
        return mol, smiles, False
    read = Chem.MolFromSmiles(smiles)
    if read is None:
        raise StructureError("its standard form is not a possible molecule")
    return read, Chem.MolToSmiles(read), True


def _steps(mol: Any, smiles: str, rules: Rules) -> list[tuple[str, Any]]:
    """The steps that can change `mol`, in order."""
    tools = _tools()
    charged = "[" in smiles and _CHARGED.search(smiles) is not None
    steps = []
    # What RDKit normalises is a charge other than that of nitrogen with hydrogen, or without one a sulfoxide, or
    # phosphorus, arsenic and antimony with two double bonds.
    if (
        (charged and _CHARGED.search(_AMMONIUM.sub("", smiles)))
        or _HYPERVALENT.search(smiles)
        or ("S" in smiles and mol.HasSubstructMatch(tools.sulfoxide))
    ):
        steps.append(("groups normalised", tools.normalizer.normalize))
        if charged:
            steps.append(("charges moved", tools.reionizer.reionize))
    if charged:
        steps.append(("neutralised", tools.uncharger.uncharge))
    if rules.tautomer:
        steps.append(("tautomer", tools.tautomers.Canonicalize))
    return steps


@lru_cache(maxsize=1)
def _tools() -> _Tools:
    settings = rdMolStandardize.CleanupParameters()
    settings.maxTautomers = MAX_TAUTOMERS
    settings.maxTransforms = MAX_TRANSFORMS
    settings.tautomerRemoveSp3Stereo = False
    settings.tautomerRemoveBondStereo = False
    return _Tools(
        rdMolStandardize.MetalDisconnector(),
        rdMolStandardize.Normalizer(),
        rdMolStandardize.Reionizer(),
        rdMolStandardize.Uncharger(True),
        rdMolStandardize.TautomerEnumerator(settings),
        rdqueries.NumRadicalElectronsGreaterQueryAtom(0),
        Chem.MolFromSmarts("[SX3+0]=O"),
    )


def _refuse_indefinite(mol: Any, smiles: str) -> None:
    more = any(mol.HasProp(mark) for mark in _READ_WITH_MORE)
    if "*" in smiles or (more and any(atom.HasQuery() for atom in mol.GetAtoms())):
        raise StructureError("not one definite compound: an open place (* or R) or a query atom")
    if (more or "~" in smiles) and any(bond.HasQuery() for bond in mol.GetBonds()):
        raise StructureError("not one definite compound: a query bond")


def _numbers(smiles: str) -> set[int]:
    """The atomic numbers of the elements that stand in brackets."""
    return {_number(symbol) for symbol in set(_BRACKETED.findall(smiles))}


@lru_cache(maxsize=256)
def _number(symbol: str) -> int:
    return int(Chem.GetPeriodicTable().GetAtomicNumber(symbol.capitalize()))


def _flags(mol: Any, smiles: str, found: Parent) -> tuple[str, ...]:
    """What is unusual about a compound and no reason to refuse it."""
    bracket = "[" in smiles
    flags = {
        "mixture": found.rival,
        "metal ion removed": found.metal,
        "isotopes": bracket and _ISOTOPE.search(smiles) is not None,
        "charged": bracket and Chem.GetFormalCharge(mol) != 0,
        "radical": bracket and len(mol.GetAtomsMatchingQuery(_tools().radical)) > 0,
        "unusual element": bracket and not _numbers(smiles) <= USUAL_ELEMENTS,
        "stereo not given": _lacks_stereo(mol),
        "enhanced stereo left out": found.enhanced,
    }
    return tuple(name for name, there in flags.items() if there)


def _lacks_stereo(mol: Any) -> bool:
    """Whether a stereo centre or double bond could have been marked and was not."""
    return any(one.specified == Chem.StereoSpecified.Unspecified for one in Chem.FindPotentialStereo(mol))
