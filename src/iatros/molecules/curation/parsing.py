"""Text to a molecule, or the reason why it is none."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from rdkit import Chem

MAX_SMILES_CHARACTERS = 10_000
"""Longer SMILES are refused unread: 200 heavy atoms need a tenth of that."""

_TOKEN = re.compile(r"\[[^\]]*\]|Cl|Br|[BCNOPSFIbcnops]|%\d\d|\d|[-=#$:/\\.()*~]")
_RING = re.compile(r"%\d\d|\d")
_INCHIKEY = re.compile(r"[A-Z]{14}-[A-Z]{10}-[A-Z]")
_CAS = re.compile(r"\d{2,7}-\d\d-\d")
_ONLY_BRACKETS = re.compile(r"(\[[^\]]*\])+")
_HINT = "a structure is needed, as SMILES, InChI or SDF"


class StructureError(ValueError):
    """What was given is no molecule; the words are the reason."""


def parse(structure: str, *, molblock: bool = False) -> Any:
    """The molecule of a SMILES, InChI or mol block, with hydrogens implied and valences checked.

    StructureError with its reason otherwise.

    >>> parse("OCC").GetNumAtoms()
    3
    """
    text = structure if molblock else structure.strip()
    if not text.strip():
        raise StructureError("no structure is given")
    mol = _from_block(text) if molblock else _from_line(text)
    if mol.GetNumAtoms() == 0:
        raise StructureError("the structure has no atoms")
    return mol


def _from_block(text: str) -> Any:
    mol = Chem.MolFromMolBlock(text)
    if mol is None:
        raw = Chem.MolFromMolBlock(text, sanitize=False, removeHs=False)
        if raw is None:
            raise StructureError("the record is broken: its mol block cannot be read")
        raise StructureError(_problem(raw))
    return mol


def _from_line(text: str) -> Any:
    if len(text) > MAX_SMILES_CHARACTERS:
        raise StructureError(f"the structure is longer than {MAX_SMILES_CHARACTERS:,} characters")
    if text.startswith("InChI="):
        mol = Chem.MolFromInchi(text)
        if mol is None:
            raise StructureError("not valid InChI")
        return mol
    first, _, rest = text.partition(" ")
    # RDKit takes what follows a space for a name, so that "CO poisoning" would be methanol.
    mol = None if rest and not rest.lstrip().startswith("|") else Chem.MolFromSmiles(text)
    if mol is None:
        raw = None if rest else Chem.MolFromSmiles(text, sanitize=False)
        raise StructureError(_why_not_smiles(text, first) if raw is None else _problem(raw))
    if _ONLY_BRACKETS.fullmatch(text) and mol.GetNumAtoms() > 1 and _all_radicals(mol):
        raise StructureError("this looks like SELFIES, which is not read: write it as SMILES")
    return mol


def _all_radicals(mol: Any) -> bool:
    return all(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())


def _problem(mol: Any) -> str:
    """The first thing that is wrong with the chemistry of a molecule that could be read and no more."""
    problems = Chem.DetectChemistryProblems(mol)
    if not problems:
        return "not a possible molecule"
    kind, said = problems[0].GetType(), " ".join(problems[0].Message().split())
    if "Valence" in kind:
        return f"valence: {said[:1].lower()}{said[1:]}"
    return f"aromaticity: {said[:1].lower()}{said[1:]}"


def _why_not_smiles(text: str, first: str) -> str:
    """A name, another kind of identifier, or a mistake and where it is."""
    if _INCHIKEY.fullmatch(text):
        return f"an InChIKey, which names a structure and does not hold it: {_HINT}"
    if _CAS.fullmatch(text):
        return f"a registry number: {_HINT}"
    place = 0
    while place < len(first) and (token := _TOKEN.match(first, place)):
        place = token.end()
    if place < len(first) and (first[place].isalpha() or first[place] in ",'"):
        return f"a name or identifier: {_HINT}"
    if first != text:
        return "the cell holds more than a structure"
    if place < len(first):
        return f"not valid SMILES: character {place + 1}"
    return f"not valid SMILES: {_mistake(text)}"


def _mistake(text: str) -> str:
    """What is wrong with SMILES in which every character is known."""
    bare = re.sub(r"\[[^\]]*\]", "", text)
    if bare.count("(") != bare.count(")"):
        return f"{bare.count('(')} parentheses open and {bare.count(')')} close"
    odd = [ring.lstrip("%") for ring, n in Counter(_RING.findall(bare)).items() if n % 2]
    if odd:
        return f"the ring {odd[0]} is opened and not closed"
    return "its parts do not fit together"
