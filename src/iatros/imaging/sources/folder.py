"""A folder of images: DICOM, a folder per class, NIfTI volumes, the Decathlon's layout, or a mixture of these."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

from iatros.core.context import Context
from iatros.core.errors import InputError
from iatros.imaging.schema import ImageRecord
from iatros.imaging.sources.decoding import Reading
from iatros.imaging.sources.files import Gathered, read_files
from iatros.imaging.sources.listing import Found, list_folder
from iatros.imaging.sources.rows import SIDES

_SOURCES = {"dicom": "dicom", "raster": "folders", "nifti": "nifti"}


def read_folder(root: Path, context: Context, reading: Reading) -> tuple[str, Gathered]:
    """What the folder mostly holds (dicom, folders or nifti), and everything in it that can be read."""
    found, refused = list_folder(root)
    if not found and not refused:
        raise InputError("the folder is empty", where=str(root), hint="name a folder with images")
    masks = _label_maps(found)
    images = [file for file in found if not file.name.startswith("labelsTr/")] if masks else found
    gathered = read_files(images, context, reading)
    gathered.refused = sorted([*refused, *gathered.refused], key=lambda one: one.name)
    if masks:
        gathered.records = [_with_mask(record, masks) for record in gathered.records]
    source = source_of(found)
    if source == "folders":
        gathered.records = with_classes(gathered.records)
    return source, gathered


def source_of(found: list[Found]) -> str:
    """The source that most of the files belong to; folders where there are none."""
    kinds = Counter(file.kind for file in found)
    return _SOURCES[kinds.most_common(1)[0][0]] if kinds else "folders"


def with_classes(records: list[ImageRecord]) -> list[ImageRecord]:
    """Records with the folder they lie in as `label`, where all lie in one of two or more folders of classes.

    `train/benign/1.png` has the label benign and the side train; sides are spelled as in a split column.
    """
    parts = [PurePosixPath(record.name).parts[:-1] for record in records]
    sided = bool(parts) and all(len(part) > 1 and part[0].lower() in SIDES for part in parts)
    depth = 1 if sided else 0
    if not all(len(part) > depth for part in parts) or len({part[depth] for part in parts}) < 2:
        return records
    return [
        replace(
            record,
            columns={**record.columns, "label": part[depth]},
            split=SIDES[part[0].lower()] if sided else record.split,
        )
        for record, part in zip(records, parts, strict=True)
    ]


def _label_maps(found: list[Found]) -> dict[str, str]:
    """Label map by the volume's name without suffix, where the folder is laid out as the Decathlon's tasks are."""
    if not any(file.name.startswith("imagesTr/") for file in found):
        return {}
    return {_stem(file.name): file.name for file in found if file.name.startswith("labelsTr/")}


def _with_mask(record: ImageRecord, masks: dict[str, str]) -> ImageRecord:
    stem = _stem(record.name)
    mask = masks.get(stem) or masks.get(stem.removesuffix("_0000"))
    return replace(record, mask=mask) if record.name.startswith("imagesTr/") else record


def _stem(name: str) -> str:
    return PurePosixPath(name).name.removesuffix(".gz").removesuffix(".nii")
