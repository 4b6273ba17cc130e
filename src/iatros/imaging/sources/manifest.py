"""A table that names an image in each row: columns path, labels, subject_id, site, split, mask and whatever else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iatros.core.context import Context
from iatros.core.errors import TableError
from iatros.imaging.schema import ImageRecord, Refused
from iatros.imaging.sources.decoding import Reading
from iatros.imaging.sources.files import Gathered, read_files
from iatros.imaging.sources.listing import Found, list_folder, look_at
from iatros.imaging.sources.rows import Cells, Roles, described, read_rows, relative

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
WITHOUT_IMAGE = "label without image"


def is_manifest(path: Path) -> bool:
    """Whether the name is that of a table."""
    name = path.name.lower()
    return name.endswith(SUFFIXES) or name.endswith(tuple(f"{suffix}.gz" for suffix in SUFFIXES[:3]))


def read_manifest(path: Path, context: Context, reading: Reading, roles: Roles) -> Gathered:
    """The images that `path` names, with its columns; paths are relative to the folder of `path`.

    A path may name a file, or a folder that holds the DICOM files of one series. A row whose image is absent, or
    lies outside the folder, is refused. TableError: no column path, a path twice, a side that is not known.
    """
    rows = read_rows(path, roles)
    named = _by_path(rows, path.name)
    root = path.parent
    files: list[Found] = []
    folders: list[str] = []
    gathered = Gathered()
    for name in named:
        reason = _absent(root, name)
        if reason is not None:
            gathered.refused.append(Refused(name, reason))
        elif (root / name).is_dir():
            folders.append(name)
        else:
            looked = look_at(root / name, name)
            if isinstance(looked, Found):
                files.append(looked)
            else:
                gathered.refused.append(looked)
    gathered.add(read_files(files, context, reading, alone=True))
    for name in folders:
        gathered.add(_series(root, name, context, reading))
    gathered.records = [
        _with_row(record, named, root, roles, path.name) for record in _in_order(gathered.records, named)
    ]
    return gathered


def _series(root: Path, name: str, context: Context, reading: Reading) -> Gathered:
    """The one series or image of a folder that a row names, under the row's own path."""
    found, refused = list_folder(root / name)
    placed = [replace(file, name=f"{name}/{file.name}") for file in found]
    gathered = read_files(placed, context, reading)
    gathered.refused += [Refused(f"{name}/{one.name}", one.reason) for one in refused]
    if len(gathered.records) != 1:
        reason = f"the folder holds {len(gathered.records)} images or series, and the row describes one"
        return Gathered(refused=[*gathered.refused, Refused(name, reason)])
    gathered.records[0] = replace(gathered.records[0], name=name)
    return gathered


def _by_path(rows: list[Cells], where: str) -> dict[str, Cells]:
    if not rows or "path" not in rows[0]:
        raise TableError(
            "the manifest has no column path",
            where=where,
            hint="name each image by its path relative to the manifest",
        )
    named: dict[str, Cells] = {}
    for number, row in enumerate(rows, start=1):
        text = row["path"]
        if text is None:
            raise TableError("a row names no image", where=f"{where}, row {number}, column path")
        name = relative(str(text))
        if name in named:
            raise TableError(
                "an image is named twice",
                where=f"{where}, row {number}, column path",
                cell=name,
                hint="one row per image",
            )
        named[name] = row
    return named


def _absent(root: Path, name: str) -> str | None:
    """Why there is no image at `name`, or None where there is one."""
    path = root / name
    if Path(name).is_absolute() or not path.resolve().is_relative_to(root.resolve()):
        return "the path leads outside the folder of the manifest"
    return None if path.exists() else WITHOUT_IMAGE


def _in_order(records: list[ImageRecord], named: dict[str, Cells]) -> list[ImageRecord]:
    places = {name: place for place, name in enumerate(named)}
    return sorted(records, key=lambda record: places[record.name])


def _with_row(
    record: ImageRecord, named: dict[str, Cells], root: Path, roles: Roles, where: str
) -> ImageRecord:
    row = named[record.name]
    record = described(record, row, roles, where)
    mask = row.get("mask")
    if mask is None:
        return record
    name = relative(str(mask))
    if _absent(root, name) is not None:
        raise TableError(
            "a mask is not there, or lies outside the folder of the manifest",
            where=f"{where}, column mask",
            cell=name,
        )
    return replace(record, mask=name)
