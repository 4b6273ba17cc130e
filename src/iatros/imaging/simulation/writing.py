"""Simulated images as files: a folder with a manifest, or one archive."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.storage import write_file, write_folder
from iatros.imaging.simulation.radiographs import simulate_radiographs
from iatros.imaging.simulation.ultrasound import PROPERTIES, simulate_ultrasound

CLASSES = ("clear", "lesion")
COLUMNS = ("path", "label", "subject_id", "site", "sex", "age", "scanner", "mask")


def write_radiographs(
    folder: Path | str, n: int = 1500, size: int = 64, seed: int = 0, prevalence: float = 0.4
) -> Path:
    """The manifest of a new `folder` with `images/*.png`, `masks/*.png` (of lesions) and `manifest.csv`.

    The manifest's columns are `COLUMNS`; paths are relative to it, and `mask` is empty for a clear image.
    """
    found = simulate_radiographs(n, size, seed, prevalence)
    contents: dict[str, bytes] = {}
    rows = []
    for k in range(n):
        image, mask = f"images/{k:05d}.png", f"masks/{k:05d}.png" if found.labels[k] else ""
        contents[image] = _png(found.images[k])
        if mask:
            contents[mask] = _png(found.masks[k].astype(np.uint8) * 255)
        who = {name: values[k] for name, values in found.patients.items()}
        rows.append({"path": image, "label": CLASSES[found.labels[k]], **who, "mask": mask})
    contents["manifest.csv"] = _csv(rows)
    return write_folder(folder, contents) / "manifest.csv"


def write_npz(
    path: Path | str, n: int = 1500, size: int = 64, seed: int = 0, prevalence: float = 0.4
) -> Path:
    """An archive as MedMNIST has it: `{train,val,test}_{images,labels}`, 7 : 1 : 2 by subject, labels 0 and 1."""
    found = simulate_radiographs(n, size, seed, prevalence)
    subjects, owner = np.unique(found.patients["subject_id"], return_inverse=True)
    share = np.random.default_rng(seed + 1).random(len(subjects))[owner]
    arrays = {}
    for side, low, high in (("train", 0.0, 0.7), ("val", 0.7, 0.8), ("test", 0.8, 1.0)):
        rows = (share >= low) & (share < high)
        arrays[f"{side}_images"] = found.images[rows]
        arrays[f"{side}_labels"] = found.labels[rows, None].astype(np.uint8)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return write_file(path, content.getvalue(), overwrite=True)


def write_ultrasound(path: Path | str, n: int = 16_000, seed: int = 0) -> Path:
    """An archive of `images` (n, 128, 128), `labels` (n, 7) and their `label_names`, see `simulate_ultrasound`."""
    found = simulate_ultrasound(n, seed)
    content = io.BytesIO()
    names = np.array(PROPERTIES)
    np.savez_compressed(content, images=found.images, labels=found.properties, label_names=names)
    return write_file(path, content.getvalue(), overwrite=True)


def _csv(rows: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()
