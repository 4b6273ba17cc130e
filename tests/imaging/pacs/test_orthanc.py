"""Against a real PACS: push, find, retrieve, store and read back."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from iatros.core.context import Context
from iatros.core.errors import AuthenticationError, InputError, LimitError, StorageError
from iatros.imaging.findings import Answer, Mask, Software, TargetAnswer, encoded, findings
from iatros.imaging.findings.source import header
from iatros.imaging.pacs import DicomWeb, Dimse
from iatros.imaging.sources import dicomweb as source
from iatros.imaging.sources.dicomweb import fetch_dicomweb

RUN = "20261126T101010Z-0123456789ab"


@pytest.fixture(scope="module")
def series(shared_data: Path) -> list[Any]:
    files = sorted((shared_data / "dicom" / "ct_series_dcmqi_3slice").glob("0*.dcm"))
    assert len(files) == 3
    return [pydicom.dcmread(file) for file in files]


@pytest.fixture(scope="module")
def filled(pacs: Any, series: list[Any], shared_data: Path) -> Any:
    """The PACS with two studies, pushed by C-STORE: three CT slices, and one compressed radiograph."""
    node = Dimse(pacs.node)
    node.echo()
    chest = pydicom.dcmread(shared_data / "dicom/cr_chest/rsna_chest_pa_jpegbaseline_monochrome2.dcm")
    stored = node.store([*series, chest])
    assert [(one.status, one.code) for one in stored] == [("stored", "0000")] * 4
    assert [one.sop_instance_uid for one in stored] == [one.SOPInstanceUID for one in (*series, chest)]
    return pacs


def _answer(series: list[Any], run_id: str = RUN) -> Answer:
    sources = tuple(header(one) for one in sorted(series, key=lambda one: float(one.ImagePositionPatient[2])))
    mask = np.zeros((3, 512, 512), dtype=np.uint8)
    mask[0, 100:140, 200:290], mask[2, 30:34, 7:20] = 1, 2
    return Answer(
        record="ct/series",
        record_sha256="ab" * 32,
        run_id=run_id,
        at=datetime.datetime(2026, 11, 26, 10, 10, 10, tzinfo=datetime.UTC),
        software=Software("resnet", "liver-bundle", "cd" * 32, "0.1.0"),
        targets=(TargetAnswer("lesion", "binary", ("absent", "present"), (0.125, 0.875)),),
        sources=sources,
        overlay=np.random.default_rng(3).integers(0, 255, (96, 57, 3)).astype(np.uint8),
        overlay_method="gradcam",
        mask=Mask(mask, ("liver", "spine")),
        key_slices=(1,),
    )


def test_a_pushed_study_is_found_and_comes_back_as_it_was(
    filled: Any, series: list[Any], tmp_path: Path
) -> None:
    files = fetch_dicomweb(f"{filled.web}?Modality=CT&StudyDate=20030101-20031231", tmp_path, Context())
    assert len(files) == 3
    back = {one.SOPInstanceUID: one for one in map(pydicom.dcmread, files)}
    for sent in series:
        got = back[sent.SOPInstanceUID]
        assert got.PixelData == sent.PixelData
        assert got.PatientID == sent.PatientID
        assert list(got.ImagePositionPatient) == list(sent.ImagePositionPatient)
    assert all(file.is_relative_to(tmp_path) for file in files)


def test_a_compressed_image_stays_compressed(filled: Any, shared_data: Path, tmp_path: Path) -> None:
    (file,) = fetch_dicomweb(f"{filled.web}/?00080060=CR", tmp_path, Context())
    sent = pydicom.dcmread(shared_data / "dicom/cr_chest/rsna_chest_pa_jpegbaseline_monochrome2.dcm")
    got = pydicom.dcmread(file)
    assert got.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert np.array_equal(got.pixel_array, sent.pixel_array)


def test_limit_is_a_number_of_series(filled: Any, tmp_path: Path) -> None:
    everything = fetch_dicomweb(filled.web, tmp_path / "all", Context())
    one = fetch_dicomweb(f"{filled.web}?limit=1", tmp_path / "one", Context())
    assert len(everything) == 4
    assert len(one) in (1, 3)


@pytest.mark.parametrize(("most", "value"), [("MAX_INSTANCES", 2), ("MAX_BYTES", 600_000)])
def test_a_query_that_brings_too_much_stops(
    filled: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: str, value: int
) -> None:
    monkeypatch.setattr(source, most, value)
    with pytest.raises(LimitError, match="narrow it"):
        fetch_dicomweb(f"{filled.web}?Modality=CT", tmp_path, Context())


def test_no_match_and_unknown_words_are_told(filled: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no series matches"):
        fetch_dicomweb(f"{filled.web}?Modality=MG", tmp_path, Context())
    with pytest.raises(InputError, match="did you mean Modality"):
        fetch_dicomweb(f"{filled.web}?Modalty=CT", tmp_path, Context())
    with pytest.raises(InputError, match="404"):
        fetch_dicomweb(f"{filled.web}/nothing-here?Modality=CT", tmp_path, Context())


@pytest.mark.parametrize("way", ["stow", "cstore"])
def test_findings_are_stored_and_read_back(filled: Any, series: list[Any], way: str) -> None:
    run_id = f"20261126T101010Z-{'0' if way == 'stow' else 'f'}23456789abc"
    made = findings(_answer(series, run_id)).objects
    assert set(made) == {"sr", "sc", "seg"}
    server = DicomWeb(filled.web)
    objects = list(made.values())
    stored = server.store(objects) if way == "stow" else Dimse(filled.node).store(objects)
    assert {one.status for one in stored} == {"stored"}
    assert {one.sop_class_uid for one in stored} == {one.SOPClassUID for one in objects}
    for sent in objects:
        got = server.retrieve(sent.StudyInstanceUID, sent.SeriesInstanceUID, sent.SOPInstanceUID)
        sent = pydicom.dcmread(pydicom.filebase.DicomBytesIO(encoded(sent)))
        assert got.to_json_dict() == sent.to_json_dict()
        assert got.StudyInstanceUID == series[0].StudyInstanceUID
        assert run_id in got.SeriesDescription
    found = server.find_series({"StudyInstanceUID": series[0].StudyInstanceUID})
    assert {one.Modality for one in found} == {"CT", "SR", "SEG", "OT"}


def test_a_guarded_pacs_wants_what_the_environment_says(
    guarded_pacs: Any, series: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AuthenticationError, match="IATROS_DICOMWEB_TOKEN"):
        fetch_dicomweb(f"{guarded_pacs.web}?Modality=CT", tmp_path, Context())
    with pytest.raises(AuthenticationError):
        DicomWeb(guarded_pacs.web).store(series[:1])
    monkeypatch.setenv("IATROS_DICOMWEB_USER", "reader")
    monkeypatch.setenv("IATROS_DICOMWEB_PASSWORD", "schlüssel")
    assert DicomWeb(guarded_pacs.web).store(series[:1])[0].status == "stored"
    assert len(fetch_dicomweb(f"{guarded_pacs.web}?Modality=CT", tmp_path, Context())) == 1
    monkeypatch.setenv("IATROS_DICOMWEB_PASSWORD", "wrong")
    with pytest.raises(AuthenticationError):
        fetch_dicomweb(f"{guarded_pacs.web}?Modality=CT", tmp_path, Context())


def test_a_node_that_is_not_there_is_told(series: list[Any]) -> None:
    with pytest.raises(StorageError, match="cannot be reached"):
        Dimse("ORTHANC@127.0.0.1:1").store([series[0]])
