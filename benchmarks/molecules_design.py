"""New compounds against EGFR: an objective of several parts, and a second model that has seen other scaffolds."""

from __future__ import annotations

import csv
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import SHARED
from benchmarks.measuring import iatros
from benchmarks.results import Line

Part = tuple[list[Line], dict[str, Any]]

CONFIRMED = 6.5
"""Predicted pIC50 by the second model from which on a compound counts as confirmed (IC50 about 300 nM)."""
OBJECTIVE = """\
name: new EGFR inhibitors
combine: geometric
parts:
  - name: pIC50
    activity: first-bundle
    domain: require
    transform: {kind: sigmoid, low: 5.5, high: 8.0}
  - property: qed
  - name: accessibility
    property: sa
    transform: {kind: reverse-sigmoid, low: 2.0, high: 5.0}
"""
CONSTRAINTS = """\
  - alerts: [pains, brenk]
  - name: distance
    distance_from: known.smi
    transform: {kind: sigmoid, low: 0.3, high: 0.6}
"""
_COMMAND = "python -m benchmarks.run molecules-generate egfr-design"


def egfr_design(folder: Path, *, prior: Path | None = None, calls: int = 10_000, seed: int = 0) -> Part:
    """Scaffolds found beyond the 95th percentile of the known compounds, and how many the second model confirms."""
    known = _halves(folder)
    for name in ("first", "second"):
        iatros(
            "molecules", "train", f"{name}.csv", "--smiles", "smiles", "--outcome", "pIC50", "--unit", "p",
            "--active-from", "6.3", "--model", "forest", "--y-scrambling", "0", "--out", f"{name}-bundle",
            "--overwrite", folder=folder,
        )  # fmt: skip
    (folder / "objective.yaml").write_text(OBJECTIVE + CONSTRAINTS)
    (folder / "plain.yaml").write_text(OBJECTIVE)
    ran = iatros(
        "molecules", "optimise", "objective.yaml", "--start", "first.csv", "--smiles", "smiles", "--calls", str(calls),
        "--seed", str(seed), *(() if prior is None else ("--prior", os.path.relpath(prior, folder))), "--out",
        "designed", "--overwrite", folder=folder,
    )  # fmt: skip
    judged = _judged(folder, known)
    n = judged["n_scaffolds_confirmed"]
    lines = [
        Line("scaffolds of new compounds better than 95 % of the known ones, confirmed", "ChEMBL EGFR", "at least 50",
             f"{n:,} ({judged['n_scaffolds_above']:,} before the second model is asked)", n >= 50, ran.command,
             f"above {judged['percentile_95']:.3f} in activity, QED and accessibility, distance not counted; "
             f"confirmed: pIC50 of at least {CONFIRMED} by a model trained on other scaffolds; none has a PAINS or "
             "Brenk alert or is known")
    ]  # fmt: skip
    return lines, {**judged, "seconds": ran.seconds, "ledger": ran.answer["ledger"]}


def _halves(folder: Path) -> list[str]:
    """Two files of measured compounds without a scaffold in common; the canonical SMILES of all."""
    from rdkit import Chem

    from iatros.molecules.optimisers.diversity import scaffold

    found: dict[str, list[float]] = {}
    with (SHARED / "chembl_egfr" / "EGFR_compounds.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            molecule = Chem.MolFromSmiles(row["smiles"])
            if molecule is not None:
                found.setdefault(Chem.MolToSmiles(molecule), []).append(float(row["pIC50"]))
    for name, wanted in (("first", 0), ("second", 1)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
            write = csv.writer(out)
            write.writerow(("smiles", "pIC50"))
            write.writerows(
                (smiles, float(np.median(values)))
                for smiles, values in found.items()
                if zlib.crc32(scaffold(smiles).encode()) % 2 == wanted
            )
    (folder / "known.smi").write_text("".join(f"{smiles}\n" for smiles in found))
    return list(found)


def _judged(folder: Path, known: list[str]) -> dict[str, Any]:
    """The new compounds without alerts, by the objective without the distance and by the second model."""
    from iatros.core.bundle import open_bundle
    from iatros.learners.compounds.compounds import Compounds
    from iatros.molecules.objectives.reading import load_objective
    from iatros.molecules.optimisers.diversity import scaffold
    from iatros.molecules.scoring import ActivityModel

    objective = load_objective(folder / "plain.yaml")
    with (folder / "first.csv").open(encoding="utf-8") as file:
        learned = [row["smiles"] for row in csv.DictReader(file)]
    threshold = float(np.quantile([one.score for one in objective.score(learned)], 0.95))
    with (folder / "designed" / "scored.csv").open(encoding="utf-8") as file:
        new = [row["smiles"] for row in csv.DictReader(file) if row["call"] and not row["reason"]]
    new = sorted(set(new) - set(known))
    above = [one.smiles for one in objective.score(new) if one.score > threshold]
    second = ActivityModel.from_bundle(open_bundle(folder / "second-bundle"))
    said = second.answer(Compounds(above)).value[:, 0] if above else np.empty(0)
    confirmed = [smiles for smiles, value in zip(above, said, strict=True) if value >= CONFIRMED]
    return {
        "percentile_95": threshold,
        "n_new": len(new),
        "n_above": len(above),
        "n_scaffolds_above": len({scaffold(one) for one in above}),
        "n_confirmed": len(confirmed),
        "n_scaffolds_confirmed": len({scaffold(one) for one in confirmed}),
    }
