"""What a result says of the pairs that were read, and of how well they were predicted, as plain values."""

from __future__ import annotations

import hashlib
from typing import Any

from iatros.molecules.affinity.schema import Pairs
from iatros.molecules.affinity.sources import Account

MAX_LISTED = 100


def account_of(account: Account, pairs: Pairs) -> dict[str, Any]:
    """How many lines, pairs, drugs and targets there were, and the first refused lines with their reasons."""
    return {
        "n": len(pairs),
        "n_drugs": len(pairs.drugs),
        "n_targets": len(pairs.targets),
        "n_sequences": len(set(pairs.sequences)),
        "n_lines": account.n_lines,
        "n_blank": account.n_blank,
        "n_unmeasured": account.n_unmeasured,
        "n_merged": account.n_merged,
        "n_conflicts": account.n_conflicts,
        "n_refused": len(account.refused),
        "reasons": account.reasons,
        "refused": [
            {"name": f"line {line}", "line": line, "reason": reason}
            for line, reason in account.refused[:MAX_LISTED]
        ],
    }


def documents(metrics: dict[str, Any]) -> dict[str, Any]:
    """Metrics by set and name as JSON-ready documents."""
    return {which: {name: one.document() for name, one in found.items()} for which, found in metrics.items()}


def censoring_note(share: float) -> list[str]:
    """What a reader must know where some of the pairs are only known as a bound; `share` of 0 to 1."""
    if share == 0.0:
        return []
    return [
        f"{100 * share:.1f} % of the pairs are censored: the assay says only that they bind no stronger (or no weaker) "
        "than their value. The metrics over all pairs reward saying so; those without these pairs are given beside them"
    ]


def fingerprint(pairs: Pairs) -> str:
    """SHA-256 over the pairs, whatever the order of the lines that they were read from."""
    lines = sorted(
        f"{pairs.smiles[d]}\t{pairs.targets[t]}\t{pairs.sequences[t]}\t{y!r}\t{b}"
        for d, t, y, b in zip(
            pairs.drug.tolist(), pairs.target.tolist(), pairs.y.tolist(), pairs.bound.tolist(), strict=True
        )
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
