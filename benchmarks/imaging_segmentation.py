"""Segmentation: both parts of the hippocampus, five folds over 60 patients, with the defaults of the command."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.data import SHARED
from benchmarks.measuring import iatros

PARTS = ("anterior", "posterior")
FOLDS = 5


def hippocampus_folds() -> dict[str, Any]:
    """Dice, surface distance and volume bias of each part over the folds, and the seconds of each fold.

    `dice`, `surface_distance_mm` and `volume_bias_ml` are metric documents by part (`dice` also over both, as
    `mean`); `folds` are Dice by part, epoch and seconds of each fold; `seconds` is the whole command, which
    also trains the model that is kept.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(SHARED / "msd_hippocampus", folder / "hippocampus")
        ran = iatros(
            "imaging", "train", "hippocampus", "--task", "segmentation", "--label", ",".join(PARTS),
            "--validation", "cross-validation", "--folds", str(FOLDS), "--out", "hippocampus-bundle", folder=folder,
        )  # fmt: skip
    found = ran.answer["metrics"]["cross_validation"]
    folds = ran.answer["parts"]
    return {
        "dice": {"mean": found["dice"], **{part: found[f"dice_{part}"] for part in PARTS}},
        "surface_distance_mm": {part: found[f"surface_distance_mm_{part}"] for part in PARTS},
        "volume_bias_ml": {part: found[f"volume_bias_ml_{part}"] for part in PARTS},
        "folds": folds,
        "fold_seconds": [fold["seconds"] for fold in folds],
        "seconds": ran.seconds,
        "peak_mb": ran.peak_mb,
        "command": ran.command,
    }
