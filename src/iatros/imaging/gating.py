"""The quality gates of a training: learned from its development images, counted on those it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.splits import task_seed
from iatros.imaging.cohort import Cohort
from iatros.imaging.development import Developed
from iatros.imaging.quality import Finding, Gates, fit_gates, gate_report

_MOST = 4000
"""Images that gates learn from, and that they are counted on."""


def learn_gates(cohort: Cohort, developed: Developed, seed: int, context: Context) -> Gates:
    """Gates from development images; those that the network did not learn from set the limits."""
    rng = np.random.default_rng(task_seed(seed, "gates"))
    sides = developed.sides
    learned = _some(sides.train, rng)
    held = _some(np.union1d(sides.tuning, sides.calibration), rng)
    rows = np.concatenate([learned, held])
    with context.progress.step("learning the quality gates"):
        return fit_gates(
            [cohort.records[row] for row in rows],
            cohort.collection.pixels,
            developed.chosen.features(rows),
            developed.chosen.candidate.spec,
            seed=seed,
            unseen=np.arange(len(learned), len(rows)),
        )


def count_on(
    cohort: Cohort, developed: Developed, gates: Gates, rows: np.ndarray, context: Context
) -> dict[str, Any]:
    """What the gates say of judged images, which they should let pass: counts, and shares with intervals."""
    rows = rows[:: -(-len(rows) // _MOST)]
    records = [cohort.records[row] for row in rows]
    with context.progress.step("quality gates"):
        report = gate_report(
            gates,
            records,
            cohort.collection.pixels,
            developed.chosen.features(rows),
            groups=cohort.groups[rows],
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


def _some(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(rows, min(_MOST, len(rows)), replace=False))
