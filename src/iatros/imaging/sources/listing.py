"""The files of a folder, and what each is by its first bytes, whatever its name says."""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from iatros.core.errors import LimitError
from iatros.imaging.schema import Refused
from iatros.imaging.sources.limits import MAX_FILE_BYTES, MAX_FILES

_NIFTI_HEADER = 348
_NOT_IMAGES = {
    b"NRRD": "an NRRD file, which is not read; convert it to NIfTI",
    b"%PDF": "a PDF document, not an image",
    b"GIF8": "a GIF, which is not read; convert it to PNG",
    b"BM": "a BMP, which is not read; convert it to PNG",
    b"PK\x03\x04": "an archive inside a folder, which is not read; name it by itself",
    b"\x93NUM": "a single NumPy array, which is not read; put images and labels into one .npz",
}


@dataclass(frozen=True)
class Found:
    """One file: `kind` is dicom, raster or nifti; `name` is relative to the root, in POSIX spelling."""

    name: str
    path: Path
    kind: str
    size: int


def list_folder(root: Path) -> tuple[list[Found], list[Refused]]:
    """The images below `root` in the order of their names, and why the other files are none.

    Hidden files and folders are passed over. A link that leads out of `root` is refused, not followed.
    """
    found: list[Found] = []
    refused: list[Refused] = []
    inside = root.resolve()
    for path in _walk(root, inside, refused):
        entry = look_at(path, path.relative_to(root).as_posix())
        if isinstance(entry, Found):
            found.append(entry)
        else:
            refused.append(entry)
        if len(found) + len(refused) > MAX_FILES:
            raise LimitError(f"the folder holds more than {MAX_FILES:,} files", hint="read it in parts")
    return sorted(found, key=lambda file: file.name), sorted(refused, key=lambda one: one.name)


def look_at(path: Path, name: str) -> Found | Refused:
    """What one file is, by its first bytes."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_NIFTI_HEADER)
    except OSError as error:
        return Refused(name, f"the file cannot be read ({error.strerror or type(error).__name__})")
    if size == 0:
        return Refused(name, "the file is empty")
    if size > MAX_FILE_BYTES:
        return Refused(name, f"the file is too large: {size:,} bytes, {MAX_FILE_BYTES:,} are allowed")
    kind = kind_of(head, path)
    if kind in ("dicom", "raster", "nifti"):
        return Found(name, path, kind, size)
    return Refused(name, kind)


def kind_of(head: bytes, path: Path) -> str:
    """dicom, raster or nifti by the first 348 bytes; otherwise the reason why the file is not read."""
    if head[128:132] == b"DICM":
        return "dicom"
    if head[:8] == b"\x89PNG\r\n\x1a\n" or head[:3] == b"\xff\xd8\xff" or head[:4] in (b"II*\0", b"MM\0*"):
        return "raster"
    for magic, reason in _NOT_IMAGES.items():
        if head.startswith(magic):
            return reason
    if head[:2] == b"\x1f\x8b":
        return "nifti" if _is_nifti(_unpacked(path)) else "a gzip file without a NIfTI volume inside"
    if _is_nifti(head):
        return "nifti"
    if is_bare_dicom(head):
        return "dicom"
    if path.suffix.lower() in (".dcm", ".dicom", ".ima"):
        return "not a DICOM file, whatever its suffix says"
    return "neither DICOM, NIfTI, PNG, JPEG nor TIFF"


def is_bare_dicom(head: bytes) -> bool:
    """Whether a file without preamble begins with a data element of group 2 or 8, in either byte order."""
    if len(head) < 12:
        return False
    for order in ("little", "big"):
        group = int.from_bytes(head[:2], order)
        element = int.from_bytes(head[2:4], order)
        if group in (0x0002, 0x0008) and element <= 0x0020:
            explicit = head[4:6].isalpha() and head[4:6].isupper()
            return explicit or int.from_bytes(head[4:8], "little") <= 1024
    return False


def _is_nifti(head: bytes) -> bool:
    if len(head) < _NIFTI_HEADER:
        return False
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            return file.read(_NIFTI_HEADER)
    except (OSError, EOFError, zlib.error):
        return b""


def _walk(root: Path, inside: Path, refused: list[Refused]) -> list[Path]:
    files = []
    for folder, folders, names in os.walk(root, followlinks=False):
        here = Path(folder)
        for name in [*folders]:
            if name.startswith("."):
                folders.remove(name)
            elif (here / name).is_symlink():
                reason = "a link to a folder, which is not followed"
                refused.append(Refused((here / name).relative_to(root).as_posix(), reason))
        for name in names:
            path = here / name
            if name.startswith("."):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                reason = "a link that leads out of the folder, which is not followed"
                refused.append(Refused(path.relative_to(root).as_posix(), reason))
            elif not path.is_file():
                refused.append(Refused(path.relative_to(root).as_posix(), "not a regular file"))
            else:
                files.append(path)
    return files
