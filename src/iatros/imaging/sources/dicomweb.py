"""A DICOMweb query as a source: QIDO-RS finds series, WADO-RS brings their objects into a folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from iatros.core.context import Context
from iatros.core.errors import InputError, LimitError, RequestError, unknown_name
from iatros.imaging.pacs import MAX_BYTES, MAX_INSTANCES, DicomWeb
from iatros.imaging.sources.dicom_header import quiet

_UID = re.compile(r"[0-9.]{1,64}")
_OTHER_KINDS = frozenset(
    ("SR", "SEG", "PR", "KO", "DOC", "RTSTRUCT", "RTPLAN", "RTRECORD", "REG", "FID", "AU", "RWV")
)
"""Modalities of objects without images of their own; fetched only where the query asks for one of them."""


def fetch_dicomweb(address: str, folder: Path, context: Context) -> list[Path]:
    """The files of the series that `address` asks for, as the PACS stores them, below `folder` by study and series.

    `address` is the root of the services and a query in DICOM keywords or tags:
    `https://pacs/dicom-web?Modality=CT&StudyDate=20240101-20241231&limit=50`; `limit` is a number of series.
    Credentials come from the environment (see `pacs`). Raises UnknownNameError (a word of the query), InputError
    (the server cannot be reached, or nothing matches), AuthenticationError, and LimitError.
    """
    root, filters, limit = parse_address(address)
    server = DicomWeb(root)
    series = server.find_series(filters, limit=limit)
    if "Modality" not in filters and "SeriesInstanceUID" not in filters:
        series = [one for one in series if one.get("Modality") not in _OTHER_KINDS]
    if not series:
        raise InputError(
            "no series matches the DICOMweb query", where=root, hint="use fewer or wider filters"
        )
    files: list[Path] = []
    total = 0
    with context.progress.step("fetch series", total=len(series)) as step:
        for one in series:
            for instance in server.retrieve_series(str(one.StudyInstanceUID), str(one.SeriesInstanceUID)):
                path = _write(instance, folder)
                files.append(path)
                total += path.stat().st_size
                _check_limits(len(files), total, root)
            step.advance()
    return files


def parse_address(address: str) -> tuple[str, dict[str, str], int | None]:
    """The root of the services, the filters by keyword, and the limit, which is None where none is given."""
    parts = urlsplit(address)
    filters: dict[str, str] = {}
    limit: int | None = None
    for word, value in parse_qsl(parts.query, keep_blank_values=True):
        if word == "limit":
            if not value.isdecimal() or int(value) < 1:
                raise RequestError("limit is a number of series of at least 1")
            limit = int(value)
        else:
            filters[_keyword(word)] = value
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), filters, limit


def _keyword(word: str) -> str:
    from pydicom.datadict import keyword_for_tag, tag_for_keyword

    if tag_for_keyword(word) is not None:
        return word
    if re.fullmatch(r"[0-9A-Fa-f]{8}", word) and keyword_for_tag(int(word, 16)):
        return keyword_for_tag(int(word, 16))
    raise unknown_name("DICOM keyword of a query", word, _USUAL)


_USUAL = (
    "AccessionNumber", "BodyPartExamined", "Modality", "PatientID", "SeriesInstanceUID",
    "StudyDate", "StudyInstanceUID", "StudyTime", "limit",
)  # fmt: skip


def _write(instance: Any, folder: Path) -> Path:
    """Write one object; its UIDs name folder and file, and a UID that is none cannot lead anywhere else."""
    names = [str(instance.get(keyword) or "") for keyword in _NAMES]
    if not all(_UID.fullmatch(name) and name.strip(".") for name in names):
        raise InputError("the PACS sent an object with a UID that is none")
    path = folder.joinpath(*names[:2], f"{names[2]}.dcm")
    path.parent.mkdir(parents=True, exist_ok=True)
    with quiet():
        instance.save_as(path, enforce_file_format=True)
    return path


_NAMES = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def _check_limits(count: int, total: int, root: str) -> None:
    if count > MAX_INSTANCES or total > MAX_BYTES:
        raise LimitError(
            f"the query brings more than {MAX_INSTANCES:,} objects or {MAX_BYTES:,} bytes",
            where=root,
            hint="narrow it, or add limit=",
        )
