"""Target fishing on the kinase panels: how often a known target of a compound with an unseen scaffold comes first."""

from __future__ import annotations

from typing import Any

from benchmarks.molecules_affinity import load
from iatros.core.context import Context
from iatros.molecules.search_requests import TargetsRequest
from iatros.molecules.targeting import targets

ACTIVE_FROM = {"davis": 6.0, "kiba": 12.1}
"""pKd (1 uM or stronger), and the KIBA score from which a pair is usually called active."""


def check(name: str) -> dict[str, Any]:
    """What `iatros molecules targets` measures of its rankings when it first reads a panel, and which one it takes."""
    pairs = load(name)
    rows = [
        {"smiles": pairs.smiles[drug], "target": pairs.targets[target], "y": y}
        for drug, target, y in zip(pairs.drug.tolist(), pairs.target.tolist(), pairs.y.tolist(), strict=True)
    ]
    request = TargetsRequest(
        structure=pairs.smiles[0], reference=rows, activity="y", active_from=ACTIVE_FROM[name]
    )
    answer = targets(request, Context()).result
    return {**answer["check"], "chosen": answer["ranking"], "n_pairs": answer["n_pairs"]}
