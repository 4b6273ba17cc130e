"""A diverse choice among compounds that are in order."""

from __future__ import annotations

from typing import Any


def mark_diverse(rows: list[dict[str, Any]], n: int) -> list[int]:
    """The ranks of `n` diverse compounds in the order of picking, the first of `rows` first.

    Each next one is the farthest, by Tanimoto similarity, from all before it (MaxMin). `rows` have `smiles` and
    `rank`; the place in the order of picking, from 1, is written into their `diverse`.
    """
    from iatros.learners.compounds.compounds import Compounds
    from iatros.learners.compounds.fingerprints import Fingerprint
    from iatros.learners.compounds.picking import max_min

    n = min(n, len(rows))
    if not n:
        return []
    picks = max_min(Compounds([row["smiles"] for row in rows]).values(Fingerprint()), n).tolist()
    for place, row in enumerate(picks, start=1):
        rows[row]["diverse"] = place
    return [rows[row]["rank"] for row in picks]
