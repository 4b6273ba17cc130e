"""The four properties that MOSES compares: log P, synthetic accessibility, drug-likeness and molecular weight."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors, rdMolDescriptors

from iatros.core.errors import MissingExtraError
from iatros.molecules.distribution.queries import Screen

NAMES = ("logp", "sa", "qed", "weight")


class Four(NamedTuple):
    """Crippen's log P, Ertl and Schuffenhauer's score (1 easy to 10 hard), QED (0 to 1), weight in g/mol."""

    logp: float
    sa: float
    qed: float
    weight: float


@cache
def screen() -> Screen:
    """The structural alerts of QED and then its patterns of hydrogen bond acceptors."""
    return Screen([*QED.StructuralAlerts, *QED.Acceptors])


def four(molecule: Any, candidates: np.ndarray | None = None) -> Four:
    """The properties of `molecule`, equal to those of RDKit's own functions.

    `candidates` says which queries of `screen` it can hold, where that is known already.

    >>> [round(value, 2) for value in four(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))]
    [1.31, 1.58, 0.55, 180.16]
    """
    possible = screen().candidates(molecule) if candidates is None else candidates
    logp, weight = Crippen.MolLogP(molecule), Descriptors.MolWt(molecule)
    return Four(logp, _scorer().calculateScore(molecule), _qed(molecule, logp, weight, possible), weight)


def _qed(molecule: Any, logp: float, weight: float, possible: np.ndarray) -> float:
    """Bickerton et al., Nature Chemistry 4:90 (2012), as RDKit computes it, without what cannot match."""
    if any(atom.GetAtomicNum() == 1 for atom in molecule.GetAtoms()):
        return float(QED.qed(molecule))  # RDKit takes written hydrogens off first, some of them
    n_alerts = len(QED.StructuralAlerts)
    alerts = sum(
        molecule.HasSubstructMatch(QED.StructuralAlerts[place])
        for place in np.flatnonzero(possible[:n_alerts]).tolist()
    )
    acceptors = sum(
        len(molecule.GetSubstructMatches(QED.Acceptors[place]))
        for place in np.flatnonzero(possible[n_alerts:]).tolist()
    )
    found = QED.QEDproperties(
        MW=weight,
        ALOGP=logp,
        HBA=acceptors,
        HBD=rdMolDescriptors.CalcNumHBD(molecule),
        PSA=rdMolDescriptors.CalcTPSA(molecule),
        ROTB=rdMolDescriptors.CalcNumRotatableBonds(
            molecule, rdMolDescriptors.NumRotatableBondsOptions.Strict
        ),
        AROM=len(Chem.GetSSSR(Chem.DeleteSubstructs(Chem.Mol(molecule), QED.AliphaticRings))),
        ALERTS=alerts,
    )
    return float(QED.qed(molecule, qedProperties=found))


@cache
def _scorer() -> Any:
    """RDKit's contributed scorer of synthetic accessibility, with the table of fragments that it ships."""
    try:
        from rdkit.Contrib.SA_Score import sascorer
    except ImportError as error:
        raise MissingExtraError(
            "this installation of RDKit lacks its scorer of synthetic accessibility",
            hint="install RDKit from its own wheel, or leave out the metric sa",
        ) from error
    return sascorer
