"""De-identify: copies of DICOM files without what identifies the patient, and a list of what was done."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, LimitError
from iatros.imaging.deidentification import Keyed, Removal, burnt_in, removal_rows, secret_of_environment
from iatros.imaging.deidentification import deidentify as deidentify_dataset
from iatros.imaging.findings.writing import encoded
from iatros.imaging.requests import DeidentifyRequest
from iatros.imaging.schema import Refused
from iatros.imaging.sources.dicom_header import DIRECTORY, parse, quiet
from iatros.imaging.sources.limits import MAX_INLINE_BYTES, MAX_INLINE_FILES, UnreadableError

MAX_BYTES = 2 * 1024**3
"""Bytes of the copies of one run, which are held in memory until all of them are made."""


@dataclass
class _Done:
    """What a run has made so far."""

    documents: dict[str, bytes] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    flagged: list[dict[str, str]] = field(default_factory=list)
    removed: Counter[Removal] = field(default_factory=Counter)
    patients: set[str] = field(default_factory=set)
    bytes: int = 0


def deidentify(request: DeidentifyRequest, context: Context) -> Produced:
    """One copy for each DICOM object, named by its new UIDs: `PSEUDONYM/SERIES/INSTANCE.dcm`.

    The result counts for every attribute in how many objects it was removed, emptied, replaced or shifted; it holds
    no values. What may show the patient in its pixels is flagged. LimitError beyond `MAX_BYTES`.
    """
    keyed = Keyed.of(secret_of_environment(), keep_dates=request.keep_dates)
    done = _Done()
    with tempfile.TemporaryDirectory() as folder:
        sources = list(_sources(request.images, Path(folder), context, done.refused))
        with context.progress.step("de-identify", total=len(sources)) as step:
            for name, source in sources:
                _one(name, source, keyed, done)
                step.advance()
    if not done.documents:
        reasons = sorted({one.reason for one in done.refused}) or ["there are no files"]
        raise InputError(f"no DICOM object could be de-identified: {'; '.join(reasons[:3])}")
    notes = _notes(request, done)
    for note in notes:
        context.progress.note(note)
    result = {
        "domain": "imaging",
        "profile": "PS3.15 Basic Application Level Confidentiality Profile",
        "dates": "kept" if request.keep_dates else "shifted by a number of days of each patient",
        "n": len(done.documents),
        "n_patients": len(done.patients),
        "n_refused": len(done.refused),
        "n_flagged": len(done.flagged),
        "removed": removal_rows(done.removed),
        "flagged": done.flagged,
        "refused": [{"name": one.name, "reason": one.reason} for one in done.refused],
        "notes": notes,
    }
    return Produced(result, documents=done.documents)


def _one(name: str, source: Path | bytes, keyed: Keyed, done: _Done) -> None:
    dataset = _read(name, source, done)
    if dataset is None:
        return
    try:
        with quiet():
            clean, removals = deidentify_dataset(dataset, keyed)
            content = encoded(clean)
            reason = burnt_in(dataset)
    except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError, EOFError, OSError) as error:
        done.refused.append(Refused(name, f"it cannot be written again ({type(error).__name__})"))
        return
    path = _free_path(clean, content, done.documents)
    if path is None:
        done.refused.append(Refused(name, "the same object as another file of this run"))
        return
    done.bytes += len(content)
    if done.bytes > MAX_BYTES:
        raise LimitError(
            f"the copies have more than {MAX_BYTES:,} bytes",
            hint="give the key, and de-identify the folder in parts",
        )
    done.documents[path] = content
    done.patients.add(str(clean.PatientID))
    done.removed.update(removals)
    if reason is not None:
        done.flagged.append({"name": path, "reason": reason})


def _free_path(clean: Any, content: bytes, documents: dict[str, bytes]) -> str | None:
    """Where a copy goes: beside others that have the same UID and differ; None where the same copy is there."""
    stem = f"{clean.PatientID}/{clean.get('SeriesInstanceUID') or 'series'}/{clean.SOPInstanceUID}"
    path, number = f"{stem}.dcm", 1
    while path in documents:
        if documents[path] == content:
            return None
        number += 1
        path = f"{stem}-{number}.dcm"
    return path


def _read(name: str, source: Path | bytes, done: _Done) -> Any | None:
    """The dataset of one file; None, and a row among the refused, where it is no object that can be copied."""
    try:
        with quiet():
            dataset = parse(source if isinstance(source, bytes) else source.read_bytes())
            kind, instance = dataset.get("SOPClassUID"), dataset.get("SOPInstanceUID")
            directory = dataset.file_meta.get("MediaStorageSOPClassUID") == DIRECTORY
    except UnreadableError as error:
        done.refused.append(Refused(name, error.message))
        return None
    except Exception as error:  # a damaged file can fail in any way; what it says may hold patient data
        done.refused.append(Refused(name, f"the DICOM file is damaged ({type(error).__name__})"))
        return None
    if directory:
        reason = "a DICOMDIR names patients and files; have one made anew for the copies"
        done.refused.append(Refused(name, reason))
        return None
    if not kind or not instance:
        done.refused.append(Refused(name, "no DICOM object: SOPClassUID or SOPInstanceUID is missing"))
        return None
    return dataset


def _sources(
    images: Any, folder: Path, context: Context, refused: list[Refused]
) -> Iterator[tuple[str, Path | bytes]]:
    """Names and contents of the files that `images` refers to; those that are no DICOM are refused."""
    from iatros.imaging.sources.listing import Found, list_folder, look_at

    if isinstance(images, list):
        yield from _inline(images)
        return
    if isinstance(images, str):
        from iatros.imaging.sources.dicomweb import fetch_dicomweb

        fetch_dicomweb(images, folder, context)
        images = folder
    if images.is_dir():
        found, others = list_folder(images)
        refused += others
    elif images.exists():
        looked = look_at(images, images.name)
        found = [looked] if isinstance(looked, Found) else []
        refused += [] if isinstance(looked, Found) else [looked]
    else:
        raise InputError("there is no such file or folder", where=str(images))
    for file in found:
        if file.kind == "dicom":
            yield file.name, file.path
        else:
            refused.append(Refused(file.name, "not a DICOM file, so there is nothing to de-identify in it"))


def _inline(images: list[dict[str, str]]) -> Iterator[tuple[str, bytes]]:
    if len(images) > MAX_INLINE_FILES:
        raise LimitError(f"{len(images)} files are more than the {MAX_INLINE_FILES} of one request")
    total = 0
    for number, image in enumerate(images):
        try:
            content = base64.b64decode(image["content"], validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise InputError(f"the content of file {number} is not base64") from None
        total += len(content)
        if total > MAX_INLINE_BYTES:
            raise LimitError(f"the files have more than the {MAX_INLINE_BYTES:,} bytes of one request")
        yield str(image["name"]), content


def _notes(request: DeidentifyRequest, done: _Done) -> list[str]:
    notes = []
    if secret_of_environment() is None:
        notes.append(
            "the key was random: another run gives other pseudonyms, UIDs and dates; "
            "IATROS_DEIDENTIFICATION_KEY keeps them the same"
        )
    if done.flagged:
        notes.append(
            f"{len(done.flagged)} objects may show the patient in their pixels, which were not changed; see flagged"
        )
    if done.refused:
        notes.append(f"{len(done.refused)} files were not copied; see refused")
    return notes
