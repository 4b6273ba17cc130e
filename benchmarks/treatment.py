"""Treatment: responses, drug response and repositioning, effects, rules, doses and next medications."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    treatment_association,
    treatment_dose,
    treatment_effects,
    treatment_gdsc,
    treatment_matrix,
    treatment_policies,
    treatment_sequences,
)
from benchmarks.results import Line

Part = tuple[list[Line], dict[str, Any]]

PARTS: dict[str, Callable[[Path], Part]] = {
    "equations": treatment_dose.equation_lines,
    "warfarin": treatment_dose.warfarin_lines,
    "ihdp": treatment_effects.ihdp_lines,
    "twins": treatment_effects.twins_lines,
    "heterogeneity": treatment_effects.heterogeneity_lines,
    "coverage": treatment_effects.coverage_lines,
    **treatment_policies.PARTS,
    "association": treatment_association.lines,
    **treatment_gdsc.PARTS,
    "speed": treatment_matrix.speed_lines,
    "large": treatment_matrix.large_lines,
    **{f"sequences-{name}": part for name, part in treatment_sequences.PARTS.items()},
}
