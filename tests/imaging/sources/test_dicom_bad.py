"""Damaged, foreign and hostile DICOM: each file is refused with a reason, and none ends the run."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    generate_uid,
)
from tests.imaging.sources.made_dicom import dicom, ramp
from tests.imaging.sources.reading import opened, reasons

from iatros.core.context import Context
from iatros.core.errors import InputError
from iatros.engines import open_engine


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"name,age\nBo,50\n" * 40, "not a DICOM file, whatever its suffix says"),
        (b"\0" * 128 + b"DICM", "there is nothing after the DICOM file's header"),
        (b"\0" * 128 + b"DCIM" + b"\0" * 200, "not a DICOM file, whatever its suffix says"),
        (b"NRRD0004\n", "an NRRD file, which is not read; convert it to NIfTI"),
    ],
)
def test_files_that_are_no_dicom(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "scan.dcm").write_bytes(content)
    assert reasons(opened(tmp_path)) == {"scan.dcm": reason}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"Rows": 3000}, "the pixels are cut short: 30 of 30,000 bytes are there"),
        ({"Rows": 65535, "Columns": 65535}, "too many pixels: 65535 x 65535, 134,217,728 are allowed"),
        (
            {"Rows": 4096, "Columns": 4096, "NumberOfFrames": 2_000_000},
            "too many pixels: 2000000 frames of 4096 x 4096, 536,870,912 are allowed",
        ),
        ({"Rows": None}, "the image does not say its Rows"),
        ({"PhotometricInterpretation": "HSV"}, "the photometric interpretation HSV is not read"),
        (
            {"PhotometricInterpretation": "RGB"},
            "a colour image (RGB) has three samples per pixel, this one has not",
        ),
        ({"NumberOfFrames": -3}, "an image without pixels: -3 frames of 3 x 5"),
        ({"BitsAllocated": 13}, "the description of the pixels contradicts itself (ValueError)"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2"}, "a radiotherapy dose (RTDOSE), not an image"),
    ],
)
def test_images_that_contradict_themselves(tmp_path: Path, fields: dict[str, Any], reason: str) -> None:
    dicom(tmp_path / "a.dcm", ramp(), **fields)
    assert reasons(opened(tmp_path)) == {"a.dcm": reason}


@pytest.mark.parametrize(
    ("uid", "reason"),
    [
        (
            "1.2.840.10008.1.2.4.100",
            "the transfer syntax is not read: MPEG2 Main Profile / Main Level, 1.2.840.10008.1.2.4.100",
        ),
        (
            "1.2.840.10008.1.2.4.90",
            "no decoder could read the compressed pixels "
            "(JPEG 2000 Image Compression (Lossless Only), 1.2.840.10008.1.2.4.90)",
        ),
    ],
)
def test_compression_that_cannot_be_undone(tmp_path: Path, uid: str, reason: str) -> None:
    dicom(tmp_path / "a.dcm", ramp(), syntax=uid, PixelData=encapsulate([b"no codestream"]))
    assert reasons(opened(tmp_path)) == {"a.dcm": reason}


def deflated(path: Path) -> bytes:
    dicom(path, ramp(60, 70), syntax=DeflatedExplicitVRLittleEndian)
    return path.read_bytes()


def test_a_deflated_file_is_read_and_a_broken_one_refused(tmp_path: Path) -> None:
    content = deflated(tmp_path / "good.dcm")
    assert len(opened(tmp_path / "good.dcm").records) == 1
    (tmp_path / "cut.dcm").write_bytes(content[:-200])
    assert reasons(opened(tmp_path)) == {"cut.dcm": "the deflated data set is cut short"}


def test_a_deflated_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = deflated(tmp_path / "bomb.dcm")
    start = 144 + int.from_bytes(content[140:144], "little")
    pack = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(pack.compress(bytes(2**20)) for _ in range(40)) + pack.flush()
    (tmp_path / "bomb.dcm").write_bytes(content[:start] + bomb)
    monkeypatch.setattr("iatros.imaging.sources.dicom_header.MAX_FILE_BYTES", 2**25)
    assert reasons(opened(tmp_path)) == {
        "bomb.dcm": "the deflated data set would unpack to more bytes than are allowed"
    }


def test_reasons_hold_nothing_of_the_patient(tmp_path: Path) -> None:
    dicom(tmp_path / "a.dcm", ramp(), PatientID="SECRET-1", PatientName="Secret^Name", BitsAllocated=13)
    dicom(tmp_path / "b.dcm", ramp(), PatientID="SECRET-1", NumberOfFrames=-1, StudyDate="19990101")
    said = " ".join(reasons(opened(tmp_path)).values())
    assert said
    assert "SECRET" not in said.upper()


def test_a_bad_file_does_not_cost_the_good_ones(tmp_path: Path) -> None:
    dicom(tmp_path / "good.dcm", ramp())
    dicom(tmp_path / "bad.dcm", ramp(), Rows=3000, SeriesInstanceUID="1.2.3.5")
    found = opened(tmp_path)
    assert [record.name for record in found.records] == ["good.dcm"]
    assert list(reasons(found)) == ["bad.dcm"]


def test_one_bad_file_by_itself_is_an_error_or_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "notes.dcm").write_text("patient notes")
    with pytest.raises(InputError, match="not a DICOM file, whatever its suffix says"):
        opened(tmp_path / "notes.dcm")
    dicom(tmp_path / "bad.dcm", ramp(), Rows=3000)
    assert reasons(opened(tmp_path / "bad.dcm")).keys() == {"bad.dcm"}


def test_a_dicomdir_that_names_absent_and_outside_files(tmp_path: Path) -> None:
    disc = tmp_path / "disc"
    dicom(disc / "IM" / "ONE", ramp())
    dicom(tmp_path / "OUT", ramp())
    (disc / "LINK").symlink_to(tmp_path / "OUT")
    records = []
    for parts in (["IM", "ONE"], ["IM", "TWO"], ["LINK"]):
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = parts if len(parts) > 1 else parts[0]
        records.append(record)
    directory = Dataset()
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    directory.DirectoryRecordSequence = records
    directory.save_as(disc / "DICOMDIR", enforce_file_format=True)
    found = opened(disc / "DICOMDIR")
    assert [record.name for record in found.records] == ["IM/ONE"]
    assert reasons(found) == {
        "IM/TWO": "named in the DICOMDIR, but not there",
        "LINK": "named in the DICOMDIR, but outside its folder",
    }


@pytest.fixture(scope="module")
def workers() -> Iterator[Context]:
    engine = open_engine("processes", 2)
    yield Context(engine=engine)
    engine.close()


@pytest.mark.parametrize("seed", range(5))
def test_files_with_random_damage_are_read_or_refused(
    shared_data: Path, tmp_path: Path, workers: Context, seed: int
) -> None:
    chance = random.Random(seed)
    names = [
        "MR_small_RLE",
        "JPEG-LL",
        "JLSN_RGB_ILV0",
        "image_dfl",
        "emri_small",
        "CT_small",
        "HTJ2K_08_RGB",
    ]
    made = 0
    for name in names:
        content = (shared_data / "dicom" / "pydicom_misc" / f"{name}.dcm").read_bytes()
        for number in range(4):
            damaged = bytearray(content[: chance.randrange(len(content))] if number == 0 else content)
            for _ in range(chance.choice([1, 4, 20])):
                damaged[chance.randrange(min(len(damaged), 3000))] = chance.randrange(256)
            (tmp_path / f"{name}_{number}").write_bytes(bytes(damaged))
            made += 1
    found = opened(tmp_path, context=workers)
    read = {file for record in found.records for file in record.files}
    # a whole series is refused in one line that ends in its number of slices
    slices = [re.search(r"(\d+) slices\)?$", reason) for reason in reasons(found).values()]
    assert len(read) + sum(int(number[1]) if number else 1 for number in slices) == made
    assert all(found.pixels(record).dtype in (np.uint8, np.uint16) for record in found.records)
