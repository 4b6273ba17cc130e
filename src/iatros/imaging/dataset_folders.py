"""What training reads of each image dataset: the publisher's archive as it is, or images with a manifest."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path, PurePosixPath

import numpy as np

from iatros.core.cards import Written
from iatros.core.errors import RequestError
from iatros.core.storage import write_file
from iatros.imaging.simulation import COLUMNS, PROPERTIES, write_radiographs, write_ultrasound

N_SIMULATED = 1500
N_ULTRASOUND = 16_000
_SEED = 2026
_MANIFEST = ("path", "mask", "subject_id")


def write_simulated(folder: Path) -> Written:
    """Simulated radiographs with masks of their lesions: always the same ones."""
    return Written(write_radiographs(folder, N_SIMULATED, seed=_SEED), N_SIMULATED, len(COLUMNS))


def write_simulated_ultrasound(folder: Path) -> Written:
    """Simulated ultrasound of the breast with the properties of each mass: always the same images."""
    path = write_ultrasound(folder / "ultrasound.npz", N_ULTRASOUND, seed=_SEED)
    return Written(path, N_ULTRASOUND, 1 + len(PROPERTIES))


def use_pneumoniamnist(folder: Path) -> Written:
    """The archive as published."""
    return _archive(folder / "pneumoniamnist.npz")


def use_breastmnist(folder: Path) -> Written:
    """The archive as published."""
    return _archive(folder / "breastmnist.npz")


def _archive(path: Path) -> Written:
    with np.load(path, allow_pickle=False) as arrays:
        n = sum(len(arrays[name]) for name in arrays.files if name.endswith("_labels"))
    return Written(path, n, len(("image", "label", "split")))


def unpack_hippocampus(folder: Path) -> Written:
    """The volumes that have a label map, unpacked beside the archive, and their manifest."""
    try:
        pairs = _unpacked(folder)
    except tarfile.TarError as error:
        raise RequestError(
            f"the archive cannot be unpacked ({error})", hint="delete it and get the dataset again"
        ) from error
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_MANIFEST)
    writer.writerows((image, label, PurePosixPath(image).name.split(".")[0]) for image, label in pairs)
    manifest = write_file(folder / "manifest.csv", text.getvalue().encode(), overwrite=True)
    return Written(manifest, len(pairs), len(_MANIFEST))


def _unpacked(folder: Path) -> list[tuple[str, str]]:
    """The names of the volumes and of their label maps."""
    with tarfile.open(folder / "Task04_Hippocampus.tar") as archive:
        members = {member.name: member for member in archive.getmembers() if _is_volume(member)}
        images = sorted(name for name in members if PurePosixPath(name).parent.name == "imagesTr")
        pairs = [(image, image.replace("imagesTr", "labelsTr")) for image in images]
        missing = [image for image, label in pairs if label not in members]
        if missing or not pairs:
            raise RequestError(
                f"the archive holds {len(pairs)} volumes, {len(missing)} of them without a label map",
                hint="delete the archive and get the dataset again",
            )
        # the filter refuses names that lead out of the folder, links and special files
        archive.extractall(folder, [members[name] for pair in pairs for name in pair], filter="data")
    return pairs


def _is_volume(member: tarfile.TarInfo) -> bool:
    """The archive also holds what macOS leaves beside each file."""
    name = PurePosixPath(member.name).name
    return member.isfile() and name.endswith(".nii.gz") and not name.startswith(".")
