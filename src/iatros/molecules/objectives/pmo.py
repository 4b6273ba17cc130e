"""The oracles of the PMO benchmark that RDKit alone defines, 20 of 23, and the area by which a search is judged.

Source: Gao et al., Sample Efficiency Matters, NeurIPS 2022 (arXiv 2206.12411), with the constants of PyTDC 1.1.15. The
three that are missing (drd2, gsk3b, jnk3) are classifiers that its authors trained and keep as pickles. The formulas of
18 are those of GuacaMol's tasks, and only what is made of the scores differs; `isomers_c7h8n2o2` and `qed` are PMO's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.molecules.objectives.guacamol import guacamol_tasks, one
from iatros.molecules.objectives.objective import Objective
from iatros.molecules.objectives.reading import load_objective

CALLS = 10_000
EVERY = 100
TOP = 10

_AS_GUACAMOL = {
    "albuterol_similarity": "albuterol-similarity",
    "amlodipine_mpo": "amlodipine-mpo",
    "celecoxib_rediscovery": "celecoxib-rediscovery",
    "deco_hop": "deco-hop",
    "fexofenadine_mpo": "fexofenadine-mpo",
    "isomers_c9h10n2o2pf2cl": "isomers-c9h10n2o2pf2cl",
    "median1": "median-molecules-1",
    "median2": "median-molecules-2",
    "mestranol_similarity": "mestranol-similarity",
    "osimertinib_mpo": "osimertinib-mpo",
    "perindopril_mpo": "perindopril-mpo",
    "ranolazine_mpo": "ranolazine-mpo",
    "scaffold_hop": "scaffold-hop",
    "sitagliptin_mpo": "sitagliptin-mpo",
    "thiothixene_rediscovery": "thiothixene-rediscovery",
    "troglitazone_rediscovery": "troglitazone-rediscovery",
    "valsartan_smarts": "valsartan-smarts",
    "zaleplon_mpo": "zaleplon-mpo",
}


def pmo() -> dict[str, Objective]:
    """Each oracle by the name that PMO gives it, in the order of the alphabet.

    >>> len(pmo())
    20
    """
    return {name: load_objective({"name": name, **task}) for name, task in pmo_tasks().items()}


@cache
def pmo_tasks() -> dict[str, dict[str, Any]]:
    """Each oracle as YAML would hold it."""
    tasks = {name: guacamol_tasks()[theirs] for name, theirs in _AS_GUACAMOL.items()}
    tasks["isomers_c7h8n2o2"] = one({"formula": "C7H8N2O2"})
    tasks["qed"] = one({"property": "qed"})
    return dict(sorted(tasks.items()))


def pmo_auc(history: Sequence[float], *, calls: int = CALLS, every: int = EVERY, top: int = TOP) -> float:
    """The area under the mean of the best `top` scores over `calls` calls, 0 to 1.

    `history` holds the score of each call that was charged, in order; those after `calls` do not count. The mean is
    taken after every `every` calls, with straight lines between and from 0 at no call; where the search ended before
    the budget, its last mean is carried on. With fewer than `top` scores, the mean is over those there are. These are
    the rules of the benchmark's own code (`top_auc` of mol_opt, with `finish` where the budget was not spent).

    >>> pmo_auc([1.0] * 10_000)
    0.995
    """
    scores = np.asarray(history, dtype=np.float64)
    if scores.ndim != 1 or not np.isfinite(scores).all():
        raise InputError("the history is one finite score for each call, in order")
    if calls < 1 or every < 1 or top < 1:
        raise InputError("calls, every and top are at least 1")
    scores = scores[:calls]
    if not len(scores):
        return 0.0
    area, before, at = 0.0, 0.0, 0
    for end in [*range(every, len(scores), every), len(scores)]:
        now = float(np.sort(scores[:end])[::-1][:top].mean())
        area += (end - at) * (now + before) / 2.0
        before, at = now, end
    return float((area + (calls - at) * before) / calls)
