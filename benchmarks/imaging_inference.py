"""How fast a stored network answers: torch in full precision, onnxruntime in full precision, onnxruntime in 8 bits."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.measuring import iatros
from iatros.core.bundle import Bundle, open_bundle
from iatros.core.task import Target
from iatros.imaging.quantisation import int8_cost
from iatros.imaging.rebuilding import network_from_bundle
from iatros.imaging.runtime.network import StoredNetwork
from iatros.imaging.schema import InputSpec
from iatros.imaging.scoring import network_file

TARGET = Target("pneumonia", "binary", ("0", "1"))
EPOCHS = "6"
"""Enough for weights and ranges of a trained network; its speed does not depend on them."""
BATCHES = (64, 256)
"""Images in one call; each contender is judged by its faster one."""

Run = Callable[[np.ndarray, int], np.ndarray]


def int8_speed(bundle: Path | None = None, *, threads: int = 2, repeats: int = 9) -> dict[str, Any]:
    """Images per second of three forms of one network on the 624 test images of PneumoniaMNIST, medians of `repeats`.

    `bundle` is a resnet trained on them at 28 px; without one, one is trained for six epochs first. The three
    take turns within each repeat, so that a busy machine slows all alike. Preparing the images is not counted.
    `ratio` is 8 bits against torch, `auroc_loss` full precision minus 8 bits on the same images (`cost` has the
    intervals).
    """
    if bundle is None:
        with tempfile.TemporaryDirectory() as folder:
            return _measure(_trained(Path(folder)), threads, repeats)
    return _measure(open_bundle(bundle), threads, repeats)


def _trained(folder: Path) -> Bundle:
    shutil.copy(data.pneumonia(), folder / "pneumonia.npz")
    iatros(
        "imaging", "train", "pneumonia.npz", "--model", "resnet", "--epochs", EPOCHS, "--out", "small", folder=folder
    )  # fmt: skip
    return open_bundle(folder / "small")


def _measure(bundle: Bundle, threads: int, repeats: int) -> dict[str, Any]:
    spec = InputSpec.load(bundle.manifest["network"]["spec"])
    with np.load(data.pneumonia()) as archive:
        images = archive["test_images"].reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
        y = archive["test_labels"].reshape(-1).astype(int)
    forms: dict[str, Run] = {
        "torch": _torch(bundle, threads),
        "onnxruntime": _stored(bundle.read(network_file(0)), spec, threads),
        "int8": _stored(bundle.read(network_file(0, "int8")), spec, threads),
    }
    logits = {name: run(images, BATCHES[0]) for name, run in forms.items()}
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(repeats):
        for batch in BATCHES:
            for name, run in forms.items():
                started = time.perf_counter()
                run(images, batch)
                rates.setdefault((name, batch), []).append(len(images) / (time.perf_counter() - started))
    medians = {name: {batch: median(rates[name, batch]) for batch in BATCHES} for name in forms}
    best = {name: max(by_batch.values()) for name, by_batch in medians.items()}
    full, fewer = (_probability(logits[name]) for name in ("onnxruntime", "int8"))
    cost = int8_cost(TARGET, y, full, fewer)
    return {
        **best,
        "ratio": best["int8"] / best["torch"],
        "ratio_onnxruntime": best["onnxruntime"] / best["torch"],
        "auroc_loss": -cost["difference"]["value"],
        "cost": cost,
        "largest_gap_to_torch": float(np.abs(logits["torch"] - logits["onnxruntime"]).max()),
        "by_batch": {
            name: {str(batch): rate for batch, rate in found.items()} for name, found in medians.items()
        },
        "slowest_and_fastest": {
            f"{name} {batch}": [min(found), max(found)] for (name, batch), found in rates.items()
        },
        "model": bundle.manifest["model"],
        "n_images": len(images),
        "repeats": repeats,
        "threads": threads,
    }


def _torch(bundle: Bundle, threads: int) -> Run:
    import torch

    torch.set_num_threads(threads)
    network = network_from_bundle(bundle)

    def run(images: np.ndarray, batch: int) -> np.ndarray:
        with torch.inference_mode():
            parts = [network(torch.from_numpy(images[i : i + batch])) for i in range(0, len(images), batch)]
            return torch.cat(parts).numpy()

    return run


def _stored(onnx: bytes, spec: InputSpec, threads: int) -> Run:
    network = StoredNetwork(onnx, spec, threads=threads)
    return lambda images, batch: network.run(images, batch_size=batch)["logits"]


def _probability(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
