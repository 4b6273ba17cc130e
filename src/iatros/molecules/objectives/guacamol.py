"""The 20 goal-directed tasks of GuacaMol, as objectives, and how a list of compounds is judged by them.

Source: Brown et al., GuacaMol, J Chem Inf Model 59:1096 (2019), with the constants of the authors' package, version
0.5.5 (suite v2). What is written here as `morgan-counts` is called ECFP4 (radius 2) and ECFP6 (radius 3) there,
`feature-morgan-counts` FCFP4, `atom-pair-counts` AP, and `pharmacophore` PHCO.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from rdkit import Chem

from iatros.core.errors import InputError, unknown_name
from iatros.molecules.objectives.molecule import Molecule
from iatros.molecules.objectives.objective import Objective, Scored
from iatros.molecules.objectives.parts import SimilarPart
from iatros.molecules.objectives.reading import load_objective

CELECOXIB = "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F"
TROGLITAZONE = "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O"
THIOTHIXENE = "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1"
ARIPIPRAZOLE = "Clc4cccc(N3CCN(CCCCOc2ccc1c(NC(=O)CC1)c2)CC3)c4Cl"
ALBUTEROL = "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1"
MESTRANOL = "COc1ccc2[C@H]3CC[C@@]4(C)[C@@H](CC[C@@]4(O)C#C)[C@@H]3CCc2c1"
CAMPHOR = "CC1(C)C2CCC1(C)C(=O)C2"
MENTHOL = "CC(C)C1CCC(C)CC1O"
TADALAFIL = "O=C1N(CC(N2C1CC3=C(C2C4=CC5=C(OCO5)C=C4)NC6=C3C=CC=C6)=O)C"
SILDENAFIL = "CCCC1=NN(C2=C1N=C(NC2=O)C3=C(C=CC(=C3)S(=O)(=O)N4CCN(CC4)C)OCC)C"
OSIMERTINIB = "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34"
FEXOFENADINE = "CC(C)(C(=O)O)c1ccc(cc1)C(O)CCCN2CCC(CC2)C(O)(c3ccccc3)c4ccccc4"
RANOLAZINE = "COc1ccccc1OCC(O)CN2CCN(CC(=O)Nc3c(C)cccc3C)CC2"
PERINDOPRIL = "O=C(OCC)C(NC(C(=O)N1C(C(=O)O)CC2CCCCC12)C)CCC"
AMLODIPINE = r"Clc1ccccc1C2C(=C(/N/C(=C2/C(=O)OCC)COCCN)C)\C(=O)OC"
SITAGLIPTIN = "Fc1cc(c(F)cc1F)CC(N)CC(=O)N3Cc2nnc(n2CC3)C(F)(F)F"
ZALEPLON = "O=C(C)N(CC)C1=CC=CC(C2=CC=NC3=C(C=NN23)C#N)=C1"
HOP = "CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C"

VALSARTAN = "CCCCC(=O)N(Cc1ccc(-c2ccccc2-c2nnn[nH]2)cc1)C(C(C)C)C(=O)O"
NEAR = 0.323
"""The similarity (Morgan, radius 2, 4,096 bits) to a target from which GuacaMol's authors left compounds out of the
data to learn from and to start from."""

_VALSARTAN = "CN(C=O)Cc1ccc(c2ccccc2)cc1"
_HOP_SCAFFOLD = "[#7]-c1n[c;h1]nc2[c;h1]c(-[#8])[c;h0][c;h1]c12"
_HOP_DECORATION = "[#6]-[#6]-[#6]-[#8]-[#6]~[#6]~[#6]~[#6]~[#6]-[#7]-c1ccc2ncsc2c1"

TOP = (1, 10, 100)
"""A task's score is the mean of the mean of its best 1, 10 and 100 compounds, but for these tasks:"""
_OTHER_TOPS = {
    "celecoxib-rediscovery": (1,),
    "troglitazone-rediscovery": (1,),
    "thiothixene-rediscovery": (1,),
    "isomers-c11h24": (159,),
    "isomers-c9h10n2o2pf2cl": (250,),
}


def guacamol() -> dict[str, Objective]:
    """Each task by its name, in the order of the paper's table.

    >>> list(guacamol())[:2]
    ['celecoxib-rediscovery', 'troglitazone-rediscovery']
    """
    return {name: load_objective({"name": name, **task}) for name, task in guacamol_tasks().items()}


def top_counts(task: str) -> tuple[int, ...]:
    """Over how many of the best compounds the score of a task is averaged."""
    if task not in guacamol_tasks():
        raise unknown_name("task of GuacaMol", task, guacamol_tasks())
    return _OTHER_TOPS.get(task, TOP)


def guacamol_score(task: str, scored: Sequence[Scored]) -> float:
    """The score of a list of compounds on a task, 0 to 1.

    As in the benchmark, compounds that differ in stereochemistry alone are one, judged without it, and where there are
    fewer than the task asks for, the missing ones count as 0. Of more than it asks for, the best by `scored` are taken.
    """
    counts = top_counts(task)
    flat: dict[str, None] = {}
    for one in sorted(scored, key=lambda one: (-one.score, one.smiles)):
        flat.setdefault(without_stereo(one.smiles))
        if len(flat) == max(counts):
            break
    again = _task(task).score(list(flat))
    scores = sorted((one.score for one in again), reverse=True)
    return sum(sum(scores[:count]) / count for count in counts) / len(counts)


def without_stereo(smiles: str) -> str:
    """Canonical SMILES without stereochemistry; InputError where `smiles` is not valid."""
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        raise InputError("not a valid SMILES", cell=smiles)
    return str(Chem.MolToSmiles(mol, isomericSmiles=False))


def targets(objective: Objective) -> tuple[str, ...]:
    """The compounds that a task of GuacaMol or PMO is about, from which, and from whose kind, no search may start."""
    known = [
        smiles
        for part in objective.parts
        if isinstance(part, SimilarPart)
        for smiles in part.similar_to.smiles
    ]
    if "valsartan" in objective.name:
        known += [VALSARTAN, SITAGLIPTIN]
    return tuple(dict.fromkeys(known))


@cache
def _task(name: str) -> Objective:
    return load_objective({"name": name, **guacamol_tasks()[name]})


@cache
def guacamol_tasks() -> dict[str, dict[str, Any]]:
    """Each task as YAML would hold it."""
    return {
        "celecoxib-rediscovery": one(like(CELECOXIB)),
        "troglitazone-rediscovery": one(like(TROGLITAZONE)),
        "thiothixene-rediscovery": one(like(THIOTHIXENE)),
        "aripiprazole-similarity": one(like(ARIPIPRAZOLE, upper=0.75)),
        "albuterol-similarity": one(like(ALBUTEROL, "feature-morgan-counts", upper=0.75)),
        "mestranol-similarity": one(like(MESTRANOL, "atom-pair-counts", upper=0.75)),
        "isomers-c11h24": one({"formula": "C11H24"}),
        "isomers-c9h10n2o2pf2cl": one({"formula": "C9H10N2O2PF2Cl"}),
        "median-molecules-1": mean(like(MENTHOL), like(CAMPHOR)),
        "median-molecules-2": mean(like(TADALAFIL, radius=3), like(SILDENAFIL, radius=3)),
        **multi_parameter_tasks(),
        "valsartan-smarts": valsartan(),
        "deco-hop": decoration_hop(),
        "scaffold-hop": scaffold_hop(),
    }


def multi_parameter_tasks() -> dict[str, dict[str, Any]]:
    """The seven tasks about a known drug with other properties, the same in GuacaMol and PMO."""
    sitagliptin = Molecule(SITAGLIPTIN)
    return {
        "osimertinib-mpo": mean(
            like(OSIMERTINIB, "feature-morgan-counts", upper=0.8),
            like(OSIMERTINIB, radius=3, transform=bell("min-gaussian", 0.85, 0.1)),
            {"property": "tpsa", "transform": bell("max-gaussian", 100, 10)},
            {"property": "logp", "transform": bell("min-gaussian", 1, 1)},
        ),
        "fexofenadine-mpo": mean(
            like(FEXOFENADINE, "atom-pair-counts", upper=0.8),
            {"property": "tpsa", "transform": bell("max-gaussian", 90, 10)},
            {"property": "logp", "transform": bell("min-gaussian", 4, 1)},
        ),
        "ranolazine-mpo": mean(
            like(RANOLAZINE, "atom-pair-counts", upper=0.7),
            {"property": "logp", "transform": bell("max-gaussian", 7, 1)},
            {"property": "fluorines", "transform": bell("gaussian", 1, 1)},
            {"property": "tpsa", "transform": bell("max-gaussian", 95, 20)},
        ),
        "perindopril-mpo": mean(
            like(PERINDOPRIL), {"property": "aromatic_rings", "transform": bell("gaussian", 2, 0.5)}
        ),
        "amlodipine-mpo": mean(
            like(AMLODIPINE), {"property": "rings", "transform": bell("gaussian", 3, 0.5)}
        ),
        "sitagliptin-mpo": mean(
            like(SITAGLIPTIN, transform=bell("gaussian", 0, 0.1)),
            {"property": "logp", "transform": bell("gaussian", sitagliptin.property("logp"), 0.2)},
            {"property": "tpsa", "transform": bell("gaussian", sitagliptin.property("tpsa"), 5)},
            {"formula": "C16H15F6N5O"},
        ),
        "zaleplon-mpo": mean(like(ZALEPLON), {"formula": "C19H17N3O2"}),
    }


def valsartan() -> dict[str, Any]:
    """A part of valsartan with the properties of sitagliptin."""
    sitagliptin = Molecule(SITAGLIPTIN)
    spreads = {"logp": 0.2, "tpsa": 5, "bertz": 30}
    return mean(
        {"require": _VALSARTAN, "hard": False},
        *(
            {"property": name, "transform": bell("gaussian", sitagliptin.property(name), spread)}
            for name, spread in spreads.items()
        ),
    )


def decoration_hop() -> dict[str, Any]:
    """Another decoration on the same scaffold."""
    return mean(
        like(HOP, "pharmacophore", upper=0.85),
        {"forbid": "CS([#6])(=O)=O", "hard": False},
        {"forbid": "[#7]-c1ccc2ncsc2c1", "hard": False},
        {"require": _HOP_SCAFFOLD, "hard": False},
        combine="arithmetic",
    )


def scaffold_hop() -> dict[str, Any]:
    """Another scaffold under the same decoration."""
    return mean(
        like(HOP, "pharmacophore", upper=0.75),
        {"require": _HOP_DECORATION, "hard": False},
        {"forbid": _HOP_SCAFFOLD, "hard": False},
        combine="arithmetic",
    )


def one(part: dict[str, Any]) -> dict[str, Any]:
    """An objective of one part."""
    return {"combine": "arithmetic", "parts": [part]}


def mean(*parts: dict[str, Any], combine: str = "geometric") -> dict[str, Any]:
    """An objective of several parts of equal weight."""
    return {"combine": combine, "parts": list(parts)}


def like(
    smiles: str,
    fingerprint: str = "morgan-counts",
    *,
    radius: int = 2,
    upper: float | None = None,
    transform: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A part about the likeness to one compound, of which `upper` is enough."""
    part: dict[str, Any] = {"similar_to": smiles, "fingerprint": fingerprint}
    if radius != 2:
        part["radius"] = radius
    if upper is not None:
        transform = {"kind": "threshold", "at": upper}
    return part if transform is None else {**part, "transform": transform}


def bell(kind: str, centre: float, spread: float) -> dict[str, Any]:
    """A transform that falls like a Gaussian on one side or both."""
    return {"kind": kind, "mean": centre, "spread": spread}
