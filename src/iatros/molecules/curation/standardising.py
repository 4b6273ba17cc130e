"""One structure for each compound, however it was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from rdkit import Chem
from rdkit.Chem.MolStandardize import rdMolStandardize

from iatros.molecules.curation.fragments import Parent, bound_metals, has_carbon, parent
from iatros.molecules.curation.parsing import StructureError

MAX_ROUNDS = 5
"""Rounds of standardisation after which a structure that still changes is refused."""
MAX_TAUTOMERS = 200
MAX_TRANSFORMS = 400
USUAL_ELEMENTS = frozenset((1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53))


_MARKS = "[*~"
"""SMILES without these hold neither charges, metals, isotopes and radicals nor open places and queries."""


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
    if any(mark in smiles for mark in _MARKS):
        _refuse_indefinite(mol)
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
    charged = "[" in smiles and any(atom.GetFormalCharge() for atom in mol.GetAtoms())
    steps = []
    # What RDKit normalises has a charge, a heavier chalcogen or pnictogen, or nitrogen with five bonds; all but
    # sulfur and phosphorus stand in brackets.
    if any(mark in smiles for mark in "[SsPp"):
        steps.append(("groups normalised", tools.normalizer.normalize))
    if charged:
        steps.append(("charges moved", tools.reionizer.reionize))
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
    )


def _refuse_indefinite(mol: Any) -> None:
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 0 or atom.HasQuery():
            raise StructureError("not one definite compound: an open place (* or R) or a query atom")
    if any(bond.HasQuery() for bond in mol.GetBonds()):
        raise StructureError("not one definite compound: a query bond")


def _flags(mol: Any, smiles: str, found: Parent) -> tuple[str, ...]:
    """What is unusual about a compound and no reason to refuse it."""
    isotopes = radical = element = False
    for atom in mol.GetAtoms() if "[" in smiles else ():
        isotopes = isotopes or atom.GetIsotope() != 0
        radical = radical or atom.GetNumRadicalElectrons() != 0
        element = element or atom.GetAtomicNum() not in USUAL_ELEMENTS
    flags = {
        "mixture": found.rival,
        "metal ion removed": found.metal,
        "isotopes": isotopes,
        "charged": "[" in smiles and Chem.GetFormalCharge(mol) != 0,
        "radical": radical,
        "unusual element": element,
        "stereo not given": _lacks_stereo(mol),
        "enhanced stereo left out": found.enhanced,
    }
    return tuple(name for name, there in flags.items() if there)


def _lacks_stereo(mol: Any) -> bool:
    """Whether a stereo centre or double bond could have been marked and was not."""
    return any(one.specified == Chem.StereoSpecified.Unspecified for one in Chem.FindPotentialStereo(mol))
