"""Quality gates around a model: learned in training, counted on the images it is judged by, asked before it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.splits import task_seed
from iatros.imaging.quality import Finding, Gates, fit_gates, gate_report
from iatros.imaging.quality.gates import Pixels
from iatros.imaging.schema import ImageRecord, InputSpec

_MOST = 4000
"""Images that gates learn from, and that they are counted on."""
_ENOUGH = 100
"""Unseen images that set limits by themselves: five of them make the tail that limits are read off."""

Features = Callable[[np.ndarray], np.ndarray]
"""The network's own features (n, f) of rows (n,)."""


def learn_gates(
    records: Sequence[ImageRecord],
    pixels: Pixels,
    spec: InputSpec,
    learned: np.ndarray,
    unseen: np.ndarray,
    seed: int,
    context: Context,
    *,
    features: Features | None = None,
) -> Gates:
    """Gates from development images: rows that the network `learned` from, and `unseen` ones, which set the limits.

    Where the gates compare pictures alone (without `features`) and few are unseen, half of all set the limits.
    """
    rng = np.random.default_rng(task_seed(seed, "gates"))
    first, second = _some(learned, rng), _some(unseen, rng)
    rows = np.concatenate([first, second])
    halved = features is None and len(second) < _ENOUGH
    with context.progress.step("learning the quality gates"):
        return fit_gates(
            [records[row] for row in rows],
            pixels,
            None if features is None else features(rows),
            spec,
            seed=seed,
            unseen=None if halved else np.arange(len(first), len(rows)),
        )


def count_on(
    gates: Gates,
    records: Sequence[ImageRecord],
    pixels: Pixels,
    rows: np.ndarray,
    groups: np.ndarray,
    context: Context,
    *,
    features: Features | None = None,
) -> dict[str, Any]:
    """What the gates say of judged `rows`, which they should let pass: counts, and shares with intervals.

    `groups` is the patient of each of `records`.
    """
    rows = rows[:: -(-len(rows) // _MOST)]
    with context.progress.step("quality gates"):
        report = gate_report(
            gates,
            [records[row] for row in rows],
            pixels,
            None if features is None else features(rows),
            groups=groups[rows],
        )
    counted = {
        "n_checked": len(rows),
        "n_refused": round(report["refused"]["value"] * len(rows)),
        "n_flagged": round(report["flagged"]["value"] * len(rows)),
        "codes": {
            one["code"]: {"refuse": one["n_refused"], "flag": one["n_flagged"]}
            for one in report["by_code"]
            if one["n_refused"] or one["n_flagged"]
        },
    }
    return counted | {name: report[name] for name in ("passed", "flagged", "refused", "unlike")}


def count_findings(found: Sequence[Sequence[Finding]]) -> dict[str, Any]:
    """`n_checked`, `n_refused` and `n_flagged` images, and `codes`: how many each gate would refuse and flag."""
    codes: dict[str, dict[str, int]] = {}
    for one in found:
        for code, severity in {(finding.code, finding.severity) for finding in one}:
            counted = codes.setdefault(code, {"refuse": 0, "flag": 0})
            counted[severity] += 1
    severities = [{finding.severity for finding in one} for one in found]
    return {
        "n_checked": len(found),
        "n_refused": sum("refuse" in one for one in severities),
        "n_flagged": sum(one == {"flag"} for one in severities),
        "codes": dict(sorted(codes.items())),
    }


def rejection(found: Sequence[Finding]) -> str | None:
    """Why the gates refuse an image; None where none does.

    >>> rejection([Finding("text", "flag", "text is burnt in"), Finding("blank", "refuse", "nearly blank")])
    'nearly blank'
    """
    return "; ".join(finding.message for finding in found if finding.severity == "refuse") or None


def quality_of(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings in the row of an answer, whose flags have the messages."""
    return [
        {key: value for key, value in finding.document().items() if key != "message"} for finding in found
    ]


def rejection_notes(found: Sequence[Sequence[Finding]], *, refuse: bool) -> list[str]:
    """How many images the gates refuse, in words, if any; `refuse`: whether those got no answer."""
    rejected = sum(rejection(one) is not None for one in found)
    said = "got no answer" if refuse else "would have got no answer without refuse off"
    return (
        [f"{rejected} of {len(found)} images failed a quality gate and {said}; see flags"] if rejected else []
    )


def _some(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(rows, min(_MOST, len(rows)), replace=False))
