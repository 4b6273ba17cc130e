"""Small DICOM files made for the tests: every header field can be set, the values are lopsided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
AXIAL = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def ramp(rows: int = 3, columns: int = 5, start: int = 0) -> np.ndarray:
    """Values 0, 1, 2 ... in rows of `columns`, from `start`."""
    return (np.arange(rows * columns) + start).reshape(rows, columns)


def dicom(path: Path, values: np.ndarray, *, syntax: str = ExplicitVRLittleEndian, **fields: Any) -> Path:
    """A grey 16-bit image at `path`; `fields` are DICOM keywords, None leaves one out."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = CT
    signed = values.dtype.kind == "i" and values.min() < 0
    kind = f"<{'i' if signed else 'u'}{2 if values.dtype.itemsize > 1 else 1}"
    defaults: dict[str, Any] = {
        "SOPClassUID": CT, "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4",
        "Modality": "CT", "PatientID": "P-17", "PatientSex": "F", "PatientAge": "045Y", "Manufacturer": "Acme",
        "ManufacturerModelName": "Scan 9", "BodyPartExamined": "CHEST", "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "Rows": values.shape[-2], "Columns": values.shape[-1],
        "BitsAllocated": 8 * int(kind[-1]), "BitsStored": 8 * int(kind[-1]), "HighBit": 8 * int(kind[-1]) - 1,
        "PixelRepresentation": int(signed), "PixelSpacing": [0.7, 0.5],
    }  # fmt: skip
    for name, value in {**defaults, **fields}.items():
        if value is not None:
            setattr(dataset, name, value)
    if "PixelData" not in fields:
        content = values.astype(kind).tobytes()
        dataset.PixelData = content + b"\0" * (len(content) % 2)
        dataset["PixelData"].VR = "OW" if kind[-1] == "2" else "OB"
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def series(folder: Path, places: list[float], *, start: int = 0, **fields: Any) -> list[Path]:
    """One axial slice at each of `places` (mm), in files named so that their order says nothing."""
    paths = []
    for number, place in enumerate(places):
        name = f"{(number * 7 + 3) % 11:02d}_{number}.dcm"
        position = {"ImagePositionPatient": [-10.0, 20.0, place], "ImageOrientationPatient": AXIAL}
        paths.append(
            dicom(
                folder / name,
                ramp(start=start + 100 * number),
                InstanceNumber=99 - number,
                **{**position, **fields},
            )
        )
    return paths
