"""Sources of images: whatever the format, `open_collection` gives the same `Collection`."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from iatros.core.context import Context
from iatros.core.errors import InputError, TableError
from iatros.imaging.schema import Collection, Refused

__all__ = ["open_collection"]


def open_collection(
    reference: Any,
    context: Context,
    *,
    table: Any = None,
    subject: str = "subject_id",
    site: str = "site",
    split: str = "split",
    window: str | None = None,
) -> Collection:
    """Read what `reference` names: records, refused files with their reasons, and the decoded pixels.

    `reference` is the path of a folder (DICOM, a folder per class of PNG / JPEG / TIFF, NIfTI volumes), of one
    file, of a DICOMDIR, of a manifest (CSV or Parquet with a column path) or of a `.npz`; a DICOMweb address; or
    a list of `{"name", "content"}` with content in base64. `table` holds labels and patients that the images do
    not carry, joined by its column path, series_uid, study_uid or `subject`. `window` (`"40,400"`) replaces the
    grey scale window of the files.

    One bad file of many is refused and the others are read. InputError where the whole source cannot be opened,
    TableError for a manifest or table that cannot be used, LimitError beyond the limits of `sources.limits`.
    """
    from iatros.imaging.cache import CachedPixels, cache_folder
    from iatros.imaging.sources.decoding import Reading
    from iatros.imaging.sources.grey import parse_window
    from iatros.imaging.sources.inline import private_folder
    from iatros.imaging.sources.joining import join_table
    from iatros.imaging.sources.rows import Roles

    reading = Reading(str(cache_folder()), parse_window(window))
    roles = Roles(subject, site, split)
    temporary = None if isinstance(reference, Path) else private_folder()
    try:
        source, root, gathered = _opened(reference, temporary, context, reading, roles)
    except BaseException:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    collection = Collection(
        source=source,
        records=tuple(gathered.records),
        refused=tuple(gathered.refused),
        store=CachedPixels(gathered.images, temporary=temporary),
        notes=tuple(gathered.notes),
        root=str(root),
    )
    return collection if table is None else join_table(collection, table, roles)


def _opened(
    reference: Any, temporary: Path | None, context: Context, reading: Any, roles: Any
) -> tuple[str, Path, Any]:
    """The source, the folder that names are relative to, and what was read."""
    if isinstance(reference, Path):
        source, gathered = _from_path(reference, context, reading, roles)
        return source, reference if reference.is_dir() else reference.parent, gathered
    assert temporary is not None
    files = temporary / "files"
    files.mkdir()
    if isinstance(reference, str) and reference.startswith(("http://", "https://")):
        from iatros.imaging.sources.dicomweb import fetch_dicomweb

        fetch_dicomweb(reference, files, context)
        return "dicomweb", files, _folder(files, context, reading)
    if isinstance(reference, list):
        from iatros.imaging.sources.inline import write_inline

        refused = write_inline(reference, files)
        # the pixels of a request leave the machine with it
        gathered = _folder(files, context, replace(reading, cache=str(temporary / "pixels")))
        gathered.refused = [*refused, *gathered.refused]
        return "inline", files, gathered
    raise InputError("images are a path, a DICOMweb address, or a list of files with name and content")


def _folder(folder: Path, context: Context, reading: Any) -> Any:
    from iatros.imaging.sources.files import Gathered
    from iatros.imaging.sources.folder import read_folder

    return read_folder(folder, context, reading)[1] if any(folder.iterdir()) else Gathered()


def _from_path(path: Path, context: Context, reading: Any, roles: Any) -> tuple[str, Any]:
    from iatros.imaging.sources.files import read_files
    from iatros.imaging.sources.folder import read_folder, source_of
    from iatros.imaging.sources.listing import Found, look_at
    from iatros.imaging.sources.manifest import is_manifest, read_manifest

    if path.is_dir():
        return read_folder(path, context, reading)
    if not path.exists():
        raise InputError("there is no such file or folder", where=str(path))
    if path.suffix.lower() == ".npz":
        return "archive", _archive(path, context, reading)
    if is_manifest(path):
        return "manifest", read_manifest(path, context, reading, roles)
    looked = look_at(path, path.name)
    if isinstance(looked, Found):
        return source_of([looked]), read_files([looked], context, reading)
    raise InputError(f"the file cannot be read: {looked.reason}", where=path.name)


def _archive(path: Path, context: Context, reading: Any) -> Any:
    from iatros.imaging.sources import archive
    from iatros.imaging.sources.decoding import decode_units
    from iatros.imaging.sources.files import Gathered
    from iatros.imaging.sources.limits import UnreadableError

    (pack,) = decode_units([archive.unit(path, path.name)], context, reading)
    if isinstance(pack, Refused):
        raise InputError(f"the archive cannot be read: {pack.reason}", where=path.name)
    try:
        records, refused = archive.records(path, pack)
    except UnreadableError as error:
        raise TableError(error.message, where=path.name) from None
    return Gathered(records, refused, list(pack.images))
