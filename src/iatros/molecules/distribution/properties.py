"""The four properties that MOSES compares: log P, synthetic accessibility, drug-likeness and molecular weight."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from rdkit import Chem
from rdkit.Chem import QED, Crippen, Descriptors, rdMolDescriptors

from iatros.core.errors import MissingExtraError
from iatros.molecules.distribution.queries import Kinds, Screen, count_kinds

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


def four(molecule: Any) -> Four:
    """The properties of `molecule`, equal to those of RDKit's own functions.

    >>> [round(value, 2) for value in four(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))]
    [1.31, 1.58, 0.55, 180.16]
    """
    kinds = count_kinds(molecule)
    return Four(*of_molecules([molecule], [screen().candidates(molecule, kinds)], [kinds])[0].tolist())


def of_molecules(
    molecules: Sequence[Any], candidates: Sequence[np.ndarray], kinds: Sequence[Kinds]
) -> np.ndarray:
    """The properties of each molecule (n, 4), in the order of `NAMES`.

    `candidates` says which queries of `screen` each can hold, `kinds` what it is made of. One property is computed for
    all before the next, which keeps RDKit's code in the processor's cache and takes a third of the time away.
    """
    values = np.empty((len(molecules), len(NAMES)))
    score = _scorer().calculateScore
    values[:, 0] = [Crippen.MolLogP(molecule) for molecule in molecules]
    values[:, 1] = [score(molecule) for molecule in molecules]
    values[:, 3] = [Descriptors.MolWt(molecule) for molecule in molecules]
    for row, (molecule, possible, made_of) in enumerate(zip(molecules, candidates, kinds, strict=True)):
        if any(kind.element == 1 for kind in made_of.atoms):
            values[row, 2] = QED.qed(molecule)  # RDKit takes written hydrogens off first, some of them
        else:
            values[row, 2] = _qed(molecule, values[row, 0], values[row, 3], possible)
    return values


def _qed(molecule: Any, logp: float, weight: float, possible: np.ndarray) -> float:
    """Bickerton et al., Nature Chemistry 4:90 (2012), as RDKit computes it, without what cannot match."""
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
