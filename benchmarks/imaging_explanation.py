"""Heat maps on simulated radiographs, whose lesions have a known place: do they find it, and are they the model's?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import iatros
from iatros.core.bundle import Bundle, open_bundle
from iatros.core.intervals import delong
from iatros.imaging.explanation import METHODS, heat_maps
from iatros.imaging.explanation.checking import parameter_randomisation, pointing_game
from iatros.imaging.fitting import network_outputs
from iatros.imaging.rebuilding import network_from_bundle
from iatros.imaging.schema import InputSpec
from iatros.imaging.simulation import simulate_radiographs, write_radiographs

N_TRAINED = 1500
N_POINTED = 300
SIZE = 64
SEED = 2026
_CHECKED = 12


@dataclass(frozen=True)
class Truth:
    """Images that no network has seen, in what a network takes, with where their lesions lie."""

    inputs: np.ndarray
    """float32 (n, 1, SIZE, SIZE)."""
    labels: np.ndarray
    masks: np.ndarray
    subjects: np.ndarray


def measure(folder: Path) -> dict[str, Any]:
    """Train a slim residual network on simulated radiographs, then `judge` the bundle on new ones."""
    manifest = write_radiographs(folder / "radiographs", N_TRAINED, size=SIZE, seed=SEED)
    ran = iatros(
        "imaging", "train", str(manifest.relative_to(folder)), "--positive", "lesion", "--model", "resnet",
        "--param", "resnet.width=16", "--param", "resnet.stem=half", "--explain", "integrated-gradients",
        "--out", "radiographs-bundle", "--overwrite", folder=folder,
    )  # fmt: skip
    found = judge(open_bundle(folder / "radiographs-bundle"), new_images())
    return {"command": ran.command, "train_seconds": round(ran.seconds, 1), **found}


def new_images(n: int = N_POINTED) -> Truth:
    """Images of subjects that are in no training: another seed."""
    found = simulate_radiographs(n, SIZE, seed=SEED + 1)
    return Truth(
        found.images[:, None].astype(np.float32) / 255,
        found.labels,
        found.masks,
        np.array(found.patients["subject_id"]),
    )


def judge(bundle: Bundle, truth: Truth) -> dict[str, Any]:
    """AUROC on `truth`, and for each method the pointing game over all lesions and the randomisation check."""
    network = network_from_bundle(bundle)
    spec = InputSpec.load(bundle.manifest["network"]["spec"])
    logits = np.asarray(network_outputs(network, truth.inputs)["logits"])
    auroc = dict(
        zip(("value", "low", "high"), delong(truth.labels, logits[:, 1] - logits[:, 0]), strict=True)
    )
    ill = np.flatnonzero(truth.labels == 1)
    methods = {}
    for method in METHODS:
        start = time.perf_counter()
        maps = heat_maps(network, truth.inputs[ill], np.ones(len(ill), dtype=int), method, spec)
        seconds = time.perf_counter() - start
        some = ill[:_CHECKED]
        methods[method] = {
            "pointing": pointing_game(maps, truth.masks[ill], groups=truth.subjects[ill]),
            "randomisation": parameter_randomisation(
                network, truth.inputs[some], np.ones(len(some), dtype=int), method, spec, SEED
            ),
            "seconds_per_image": round(seconds / len(ill), 4),
        }
    return {"n": len(truth.labels), "n_lesions": len(ill), "auroc": auroc, "methods": methods}
