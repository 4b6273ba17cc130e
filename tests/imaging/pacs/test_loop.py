"""The whole loop of a hospital: image into the PACS, found, fetched, answered, findings stored and read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset

from iatros.app import execute
from iatros.imaging.pacs import DicomWeb, Dimse
from iatros.imaging.requests import FindingsRequest, PredictRequest

UIDS = ("2.25.101", "2.25.102", "2.25.103")
"""Of study, series and object."""


def _radiograph(pixels: np.ndarray) -> Dataset:
    """A computed radiograph (8 bits) of a fictional patient."""
    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = UIDS
    made.PatientName, made.PatientID, made.PatientSex = "Muster^Erika", "MRN-4711", "F"
    made.PatientBirthDate, made.StudyDate, made.StudyTime = "19640812", "20260301", "081500"
    made.StudyID, made.AccessionNumber, made.ReferringPhysicianName = "9", "A-77", "Kern^Jo"
    made.Modality, made.BodyPartExamined, made.Manufacturer = "CR", "CHEST", "ACME"
    made.SeriesNumber, made.InstanceNumber = 1, 1
    made.Rows, made.Columns = pixels.shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    made.PixelData = pixels.tobytes()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made


@pytest.fixture(scope="module")
def pixels(trained: Any) -> np.ndarray:
    """One of the images that the model knows the like of."""
    path = pl.read_csv(trained.manifest)["path"][0]
    return np.asarray(Image.open(trained.manifest.parent / path).convert("L"))


def test_from_image_to_findings_in_the_pacs(
    pacs: Any, trained: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    (pushed,) = Dimse(pacs.node).store([_radiograph(pixels)])
    assert pushed.status == "stored"
    address = f"{pacs.web}?StudyInstanceUID={UIDS[0]}&Modality=CR"

    predicted = execute("imaging", "predict", PredictRequest(model=trained.bundle, images=address))
    (answer,) = predicted["predictions"]
    assert answer["status"] == "answered"

    request = FindingsRequest(model=trained.bundle, images=address, dicomweb=pacs.web, method="gradcam")
    result = execute("imaging", "findings", request, out=tmp_path / "findings")
    (row,) = result["findings"]
    assert {one["kind"] for one in row["objects"]} == {"sc", "sr"}
    assert result["n_stored"] == 2
    server = DicomWeb(pacs.web)
    for one in row["objects"]:
        assert [stored["status"] for stored in one["stored"]] == ["stored"]
        got = server.retrieve(one["study_uid"], one["series_uid"], one["sop_instance_uid"])
        assert got.StudyInstanceUID == UIDS[0]
        assert str(got.PatientName) == "Muster^Erika"
        assert result["run_id"] in got.SeriesDescription
        written = next(path for path in row["documents"] if path.startswith(one["kind"] + "/"))
        local = pydicom.dcmread(tmp_path / "findings" / written)
        assert got.to_json_dict() == local.to_json_dict()
    numbers = _numbers(next((tmp_path / "findings" / "sr").iterdir()))
    assert numbers[-1] == pytest.approx(answer["probability"], abs=1e-5)
    (document,) = (tmp_path / "findings" / "fhir").iterdir()
    assert json.loads(document.read_text())["identifier"]["value"] == result["run_id"]


def _numbers(path: Path) -> list[float]:
    """Every measured value of a report, in its order."""
    found: list[float] = []

    def visit(node: Any) -> None:
        for item in node.get("ContentSequence", []):
            if item.ValueType == "NUM":
                found.append(float(item.MeasuredValueSequence[0].NumericValue))
            visit(item)

    visit(pydicom.dcmread(path))
    return found


def test_what_is_stored_de_identified_is_found_under_another_study(
    pacs: Any, trained: Any, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IATROS_DEIDENTIFICATION_KEY", "a key of several words")
    Dimse(pacs.node).store([_radiograph(pixels)])
    request = FindingsRequest(
        model=trained.bundle,
        images=f"{pacs.web}?StudyInstanceUID={UIDS[0]}&Modality=CR",
        objects=("sr", "sc"),
        method="gradcam",
        deidentify=True,
        cstore=pacs.node,
    )
    result = execute("imaging", "findings", request)
    (row,) = result["findings"]
    assert result["n_stored"] == 2
    for one in row["objects"]:
        assert one["study_uid"] != UIDS[0]
        got = DicomWeb(pacs.web).retrieve(one["study_uid"], one["series_uid"], one["sop_instance_uid"])
        assert got.PatientIdentityRemoved == "YES"
        assert got.PatientID.startswith("ANON-")
        said = str(got)
        assert not any(
            told in said for told in ("Muster", "MRN-4711", "A-77", "Kern", "19640812", "20260301")
        )
