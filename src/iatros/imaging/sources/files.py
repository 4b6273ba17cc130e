"""From files of any kind to records: what every source ends in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from iatros.core.context import Context
from iatros.imaging.cache import Pack, Stored
from iatros.imaging.schema import ImageRecord, Refused
from iatros.imaging.sources.decoding import Reading, Unit, decode_units
from iatros.imaging.sources.listing import Found


@dataclass
class Gathered:
    """Records, refused files and stored images while a source is being read."""

    records: list[ImageRecord] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    images: list[Stored] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Gathered) -> None:
        """Take over everything of `other`."""
        self.records += other.records
        self.refused += other.refused
        self.images += other.images
        self.notes += other.notes


@dataclass(frozen=True)
class Planned:
    """What is to be decoded, and the record that it becomes."""

    unit: Unit
    record: Callable[[Pack], ImageRecord]


def read_files(
    found: Sequence[Found], context: Context, reading: Reading, *, alone: bool = False
) -> Gathered:
    """Records of `found`: one per raster file or NIfTI volume, one per DICOM series or single image.

    With `alone`, every DICOM file is a record of its own, as where a manifest names each.
    """
    gathered = Gathered()
    planned = [_single(file) for file in found if file.kind != "dicom"]
    dicom = [file for file in found if file.kind == "dicom"]
    if dicom:
        from iatros.imaging.sources.dicom import plan_dicom

        planned += plan_dicom(dicom, context, gathered, alone=alone)
    packs = decode_units([one.unit for one in planned], context, reading)
    for one, pack in zip(planned, packs, strict=True):
        if isinstance(pack, Refused):
            gathered.refused.append(pack)
        else:
            gathered.records.append(one.record(pack))
            gathered.images += pack.images
    gathered.records.sort(key=lambda record: record.name)
    gathered.refused.sort(key=lambda one: one.name)
    return gathered


def _single(file: Found) -> Planned:
    unit = Unit(name=file.name, reader=file.kind, files=(str(file.path),), size=file.size)
    return Planned(unit, partial(_record, file))


def _record(file: Found, pack: Pack) -> ImageRecord:
    """A record of one file; what decoding noticed are fields of the record."""
    image = pack.images[0]
    return ImageRecord(
        name=file.name,
        sha256=image.sha256,
        shape=image.shape,
        files=(file.name,),
        **geometry(pack.noticed),
    )


def geometry(noticed: dict[str, Any]) -> dict[str, Any]:
    """Spacing, affine and flags of a pack as fields of a record."""
    fields: dict[str, Any] = {"flags": tuple(noticed.get("flags", ()))}
    if noticed.get("spacing_mm") is not None:
        fields["spacing_mm"] = tuple(noticed["spacing_mm"])
    if noticed.get("affine") is not None:
        fields["affine"] = tuple(tuple(row) for row in noticed["affine"])
    return fields
