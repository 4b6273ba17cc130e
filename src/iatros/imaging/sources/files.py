"""From files of any kind to records: what every source ends in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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


def read_files(
    found: Sequence[Found], context: Context, reading: Reading, *, alone: bool = False
) -> Gathered:
    """Records of `found`: one per raster file or NIfTI volume, one per DICOM series or single image.

    With `alone`, every DICOM file is a record of its own, as where a manifest names each.
    """
    gathered = _single([file for file in found if file.kind != "dicom"], context, reading)
    dicom = [file for file in found if file.kind == "dicom"]
    if dicom:
        from iatros.imaging.sources.dicom import read_dicom

        gathered.add(read_dicom(dicom, context, reading, alone=alone))
    gathered.records.sort(key=lambda record: record.name)
    gathered.refused.sort(key=lambda one: one.name)
    return gathered


def _single(found: Sequence[Found], context: Context, reading: Reading) -> Gathered:
    units = [
        Unit(
            name=file.name,
            reader=file.kind,
            files=(str(file.path),),
            size=file.size,
            native=file.kind == "raster",
        )
        for file in found
    ]
    gathered = Gathered()
    for file, answer in zip(found, decode_units(units, context, reading), strict=True):
        if isinstance(answer, Refused):
            gathered.refused.append(answer)
        else:
            gathered.records.append(_record(file, answer))
            gathered.images += answer.images
    return gathered


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
