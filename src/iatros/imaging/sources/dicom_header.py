"""What a DICOM file says about its image: where each plane lies, whose it is, and whether it is an image at all."""

from __future__ import annotations

import hashlib
import logging
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from iatros.imaging.schema import Refused
from iatros.imaging.sources.limits import MAX_FILE_BYTES, UnreadableError, check_size
from iatros.imaging.sources.listing import Found

DIRECTORY = "1.2.840.10008.1.3.10"
_DEFLATED = rb"UI..1\.2\.840\.10008\.1\.2\.1\.99"
_META_BYTES = 4096
_NO_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation (SEG), not an image; it belongs to the series it was drawn on",
    "1.2.840.10008.5.1.4.1.1.66.7": "a label map segmentation, not an image",
    "1.2.840.10008.5.1.4.1.1.481.2": "a radiotherapy dose (RTDOSE), not an image",
}
"""Objects that have pixels and still are no images, by SOP class."""
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_MARKS = (
    "EchoNumbers", "EchoTime", "TemporalPositionIdentifier", "AcquisitionNumber", "DiffusionBValue",
    "TriggerTime", "ImageType", "ContrastBolusAgent",
)  # fmt: skip
"""What tells slices at one position apart, tried in this order."""
_COMPRESSED_COST = 40
"""What a compressed byte costs, in bytes decoded: 150 ns of JPEG 2000 against 4 ns; other codecs take less."""
_UNITS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}


@dataclass(frozen=True)
class Plane:
    """One frame: place in mm in the patient's system (LPS+), direction cosines, (row, column) spacing in mm."""

    frame: int
    position: tuple[float, float, float] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, float] | None


@dataclass(frozen=True)
class Header:
    """One DICOM image file, as far as grouping and records need it."""

    name: str
    path: str
    sha256: str
    cost: int
    """Bytes once decoded; compressed ones count many times, since the time of a codec goes by them."""
    compressed: bool
    series: str | None
    study: str | None
    instance: str | None
    pixels: str
    """A hash of the stored pixels where the file is one slice of several; else empty."""
    rows: int
    columns: int
    samples: int
    planes: tuple[Plane, ...]
    modality: str | None
    localizer: bool
    marks: dict[str, str]
    person: dict[str, Any]
    """Fields of `ImageRecord` about the patient and the machine."""
    flags: tuple[str, ...]
    broken: str | None = None
    """Why its pixels cannot be read, where that shows without decoding; the series it belongs to is not whole."""

    @property
    def is_slice(self) -> bool:
        """Whether it is one plane with a place in space, which may belong to a series of slices."""
        return (
            len(self.planes) == 1
            and self.planes[0].position is not None
            and self.planes[0].orientation is not None
        )


@dataclass(frozen=True)
class Directory:
    """A DICOMDIR: the files it names, relative to its folder."""

    name: str
    path: str
    files: tuple[str, ...]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what the DICOM libraries have to say about odd files off the screen."""
    logger = logging.getLogger("pydicom")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def scan(_: None, files: tuple[Found, ...]) -> list[Header | Directory | Refused]:
    """The header of each file, or why it is refused; runs in a worker."""
    answers: list[Header | Directory | Refused] = []
    for file in files:
        try:
            with quiet():
                answers.append(_header(file))
        except UnreadableError as error:
            answers.append(Refused(file.name, error.message))
        except MemoryError:
            answers.append(Refused(file.name, "there is not enough memory to read it"))
        except Exception as error:  # a damaged file can fail in any way; what it says may hold patient data
            answers.append(Refused(file.name, f"the DICOM file is damaged ({type(error).__name__})"))
    return answers


def parse(content: bytes) -> Any:
    """The data set of a whole file, with a transfer syntax; UnreadableError where it is not DICOM."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        _check_deflated(content)
        dataset = pydicom.dcmread(BytesIO(content), force=True)
        if len(dataset) == 0:
            raise UnreadableError("there is nothing after the DICOM file's header")
        _transfer_syntax(dataset)
    except zlib.error:
        raise UnreadableError("the deflated data set is damaged or cut short") from None
    except (InvalidDicomError, EOFError):
        raise UnreadableError("not a DICOM file, or one that is cut short") from None
    return dataset


def transfer_syntax(dataset: Any) -> Any:
    """The transfer syntax of a parsed file."""
    return dataset.file_meta.TransferSyntaxUID


def _transfer_syntax(dataset: Any) -> None:
    """Where a file without meta header says no transfer syntax, the one that it was parsed with."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        dataset.file_meta = meta = FileMetaDataset()
    if meta.get("TransferSyntaxUID") is None:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _check_deflated(content: bytes) -> None:
    """Unpack a deflated file piece by piece and give up where it would not fit, before anything does so at once."""
    head = content[132:_META_BYTES]
    if content[128:132] != b"DICM" or not re.search(_DEFLATED, head):
        return
    if head[:4] != b"\x02\0\0\0":
        raise UnreadableError("the deflated file does not say where its data set begins")
    start = 144 + int.from_bytes(head[8:12], "little")
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    rest, total = content[start:], 0
    while rest and not unpack.eof:
        total += len(unpack.decompress(rest, 2**24))
        rest = unpack.unconsumed_tail
        if total > MAX_FILE_BYTES:
            raise UnreadableError("the deflated data set would unpack to more bytes than are allowed")
    if not unpack.eof:
        raise UnreadableError("the deflated data set is cut short")


def _header(file: Found) -> Header | Directory:
    content = Path(file.path).read_bytes()
    dataset = parse(content)
    if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == DIRECTORY:
        return Directory(file.name, str(file.path), _referenced(dataset))
    _check_image(dataset)
    rows, columns, frames = int(dataset.Rows), int(dataset.Columns), frames_of(dataset)
    check_size(rows, columns, frames)
    planes = _planes(dataset, frames)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    decoded = rows * columns * frames * samples * 2
    compressed = transfer_syntax(dataset).is_encapsulated
    alone = len(planes) == 1 and planes[0].position is not None
    return Header(
        name=file.name,
        path=str(file.path),
        sha256=hashlib.sha256(content).hexdigest(),
        cost=decoded + compressed * _COMPRESSED_COST * len(content),
        compressed=compressed,
        series=_text(dataset, "SeriesInstanceUID"),
        study=_text(dataset, "StudyInstanceUID"),
        instance=_text(dataset, "SOPInstanceUID"),
        pixels=_pixel_hash(dataset) if alone else "",
        rows=rows,
        columns=columns,
        samples=samples,
        planes=planes,
        modality=_text(dataset, "Modality"),
        localizer="LOCALIZER" in [str(word).upper() for word in _several(dataset, "ImageType")],
        marks={
            name: str(dataset.get(name)) for name in _MARKS if dataset.get(name) not in (None, "")
        },
        person=_person(dataset),
        flags=_flags(dataset, frames, planes),
        broken=cut_short(dataset),
    )  # fmt: skip


def _check_image(dataset: Any) -> None:
    sop = str(dataset.get("SOPClassUID", "") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    if sop in _NO_IMAGES:
        raise UnreadableError(_NO_IMAGES[sop])
    if not any(name in dataset for name in _PIXELS):
        raise UnreadableError(f"there are no pixels in it: {_kind(sop)}")
    missing = [name for name in ("Rows", "Columns", "PhotometricInterpretation") if not dataset.get(name)]
    if missing:
        raise UnreadableError(f"the image does not say its {' and '.join(missing)}")


def _kind(sop: str) -> str:
    from pydicom.uid import UID

    name = UID(sop).name if sop else ""
    return f"it is a {name.removesuffix(' Storage')}" if name and name != sop else "its kind is not known"


def frames_of(dataset: Any) -> int:
    """How many frames an image has; UnreadableError where that is no number."""
    said = dataset.get("NumberOfFrames")
    try:
        return int(said) if said not in (None, "") else 1
    except (TypeError, ValueError):
        raise UnreadableError("the number of frames is not a number") from None


def cut_short(dataset: Any) -> str | None:
    """How many bytes of uncompressed pixels are missing, in words; None where all are there, or compressed."""
    if transfer_syntax(dataset).is_encapsulated or "PixelData" not in dataset:
        return None
    samples = int(dataset.get("SamplesPerPixel") or 1)
    bits = int(dataset.Rows) * int(dataset.Columns) * frames_of(dataset) * samples
    bits *= int(dataset.get("BitsAllocated") or 0)
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        bits = bits // 3 * 2
    expected, got = -(-bits // 8), len(dataset.PixelData or b"")
    return f"the pixels are cut short: {got:,} of {expected:,} bytes are there" if got < expected else None


def _pixel_hash(dataset: Any) -> str:
    for name in _PIXELS:
        if name in dataset:
            return hashlib.sha256(dataset[name].value or b"").hexdigest()
    return ""


def _planes(dataset: Any, frames: int) -> tuple[Plane, ...]:
    shared = _first(dataset, "SharedFunctionalGroupsSequence")
    each = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if frames == 1 and not len(each):
        return (_plane(0, dataset, dataset, dataset),)
    planes = []
    for frame in range(frames):
        own = each[frame] if frame < len(each) else None
        found = [
            _first(own, name) or _first(shared, name)
            for name in ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
        ]
        planes.append(_plane(frame, found[0], found[1], found[2] or dataset))
    return tuple(planes)


def _plane(frame: int, position: Any, orientation: Any, measures: Any) -> Plane:
    placed = _floats(position, "ImagePositionPatient", 3)
    spacing = _floats(measures, "PixelSpacing", 2) or _floats(measures, "ImagerPixelSpacing", 2)
    return Plane(
        frame=frame,
        position=(placed[0], placed[1], placed[2]) if placed else None,
        orientation=_directions(_floats(orientation, "ImageOrientationPatient", 6)),
        spacing=(spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None,
    )


def _directions(cosines: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Direction cosines, where both are of about unit length and at right angles; else None."""
    if cosines is None:
        return None
    row, column = cosines[:3], cosines[3:]
    lengths = [sum(x * x for x in direction) for direction in (row, column)]
    dot = sum(x * y for x, y in zip(row, column, strict=True))
    good = all(0.98 < length < 1.02 for length in lengths) and abs(dot) < 0.02
    return cosines if good else None


def _person(dataset: Any) -> dict[str, Any]:
    return {
        "subject": _text(dataset, "PatientID"),
        "sex": _text(dataset, "PatientSex"),
        "age": _age(dataset),
        "manufacturer": _text(dataset, "Manufacturer"),
        "scanner": _text(dataset, "ManufacturerModelName"),
        "body_part": _text(dataset, "BodyPartExamined"),
        "modality": _text(dataset, "Modality"),
        "study_uid": _text(dataset, "StudyInstanceUID"),
        "series_uid": _text(dataset, "SeriesInstanceUID"),
    }


def _age(dataset: Any) -> float | None:
    """Years, from the patient's age (`045Y`, `006M`) or from the dates of birth and study."""
    said = re.fullmatch(r"(\d{1,3})([YMWD]?)", str(dataset.get("PatientAge") or "").strip().upper())
    if said and (int(said[1]) or said[2] != "Y"):  # 000Y stands for nothing: infants have months or days
        return round(int(said[1]) * _UNITS[said[2] or "Y"], 2)
    born, seen = (_date(dataset, name) for name in ("PatientBirthDate", "StudyDate"))
    if born is None or seen is None:
        return None
    years = (seen - born).days / 365.25
    return round(years, 2) if 0 <= years <= 130 else None


def _date(dataset: Any, name: str) -> date | None:
    digits = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})", str(dataset.get(name) or "").strip())
    try:
        return date(*(int(part) for part in digits.groups())) if digits else None
    except ValueError:
        return None


def _flags(dataset: Any, frames: int, planes: Sequence[Plane]) -> tuple[str, ...]:
    flags = []
    if str(dataset.get("BurnedInAnnotation", "")).upper() == "YES":
        flags.append("burnt-in annotation")
    if frames > 1 and any(plane.position is None or plane.orientation is None for plane in planes):
        flags.append("frames without a place in space, in the order of the file")
    return tuple(flags)


def _referenced(dataset: Any) -> tuple[str, ...]:
    files = []
    for record in dataset.get("DirectoryRecordSequence") or []:
        parts = _several(record, "ReferencedFileID")
        if parts:
            files.append("/".join(str(part) for part in parts))
    return tuple(dict.fromkeys(files))


def _first(dataset: Any, name: str) -> Any:
    """The first item of a sequence, or None."""
    found = None if dataset is None else dataset.get(name)
    return found[0] if found else None


def _several(dataset: Any, name: str) -> list[Any]:
    value = dataset.get(name)
    if value in (None, ""):
        return []
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)


def _text(dataset: Any, name: str) -> str | None:
    return str(dataset.get(name) or "").strip() or None


def _floats(dataset: Any, name: str, count: int) -> tuple[float, ...] | None:
    if dataset is None:
        return None
    try:
        values = tuple(float(value) for value in _several(dataset, name))
    except (TypeError, ValueError):
        return None
    return values if len(values) == count and all(abs(value) < 1e7 for value in values) else None
