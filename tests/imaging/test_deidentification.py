"""De-identification: nothing that tells who the patient is stays in the bytes, and everything still fits together."""

from __future__ import annotations

import datetime
import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian

from iatros.core.context import Context
from iatros.core.errors import InputError, LimitError, RequestError
from iatros.imaging import deidentifying
from iatros.imaging.deidentification import Keyed, burnt_in, deidentify
from iatros.imaging.deidentification_rules import GENERIC, IDENTITY, RULES, by_group, by_representation
from iatros.imaging.findings import encoded
from iatros.imaging.requests import DeidentifyRequest

KEY = Keyed.of("a key of several words")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def _series(shared_data: Path, pattern: str) -> list[Any]:
    files = sorted((shared_data / "dicom").glob(pattern))
    assert files
    return [pydicom.dcmread(file) for file in files]


def _identifying(dataset: Any) -> set[str]:
    """Values of names, numbers, addresses and free text, read by pydicom and not by the code under test."""
    told: set[str] = set()
    for element in dataset.iterall():
        tells = element.VR in ("PN", "LT", "ST", "UT") or element.keyword in {*IDENTITY, "StationName"}
        if tells and not element.tag.is_private and element.value:
            values = element.value if element.VM > 1 else [element.value]
            told |= {str(value).strip() for value in values}
    return {value for value in told if len(value) >= 5 and value.lower() not in ("unknown", "anonymous")}


def test_no_identifying_text_of_real_headers_is_in_the_bytes(shared_data: Path) -> None:
    checked = 0
    for path in sorted((shared_data / "dicom").rglob("*")):
        if not path.is_file() or path.suffix in (".png", ".nrrd", ".txt") or path.name == "DICOMDIR":
            continue
        dataset = pydicom.dcmread(path, force=True)
        if not dataset.get("SOPInstanceUID") or path.name == "liver_deflate.dcm":
            continue
        told = _identifying(dataset)
        clean, _ = deidentify(dataset, KEY)
        for keyword in ("PixelData", "WaveformSequence"):
            if keyword in clean:
                del clean[keyword]
        if clean.file_meta.TransferSyntaxUID.is_deflated or clean.file_meta.TransferSyntaxUID.is_encapsulated:
            clean.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        content = encoded(clean)
        found = {value for value in told if value.encode("utf-8", "replace") in content}
        assert not found, path.name
        assert str(dataset.SOPInstanceUID).encode() not in content
        assert str(dataset.get("StudyInstanceUID", "1.2.3.4.5.6.7")).encode() not in content
        checked += bool(told)
    assert checked > 100


def test_uids_of_a_series_still_agree_and_pixels_are_unchanged(shared_data: Path) -> None:
    series = _series(shared_data, "ct_series_dcmqi_3slice/0*.dcm")
    (segmentation,) = _series(shared_data, "ct_series_dcmqi_3slice/liver.dcm")
    clean = [deidentify(one, KEY)[0] for one in series]
    assert len({one.SeriesInstanceUID for one in clean}) == len({one.StudyInstanceUID for one in clean}) == 1
    assert len({one.FrameOfReferenceUID for one in clean}) == 1
    assert len({one.SOPInstanceUID for one in clean}) == 3
    renamed = {
        before.SOPInstanceUID: after.SOPInstanceUID for before, after in zip(series, clean, strict=True)
    }
    for before, after in zip(series, clean, strict=True):
        back = pydicom.dcmread(io.BytesIO(encoded(after)))
        assert back.PixelData == before.PixelData
        assert back.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
        assert back.file_meta.MediaStorageSOPInstanceUID == back.SOPInstanceUID
        assert list(back.ImagePositionPatient) == list(before.ImagePositionPatient)
        assert back.RescaleIntercept == before.RescaleIntercept
        assert back.SOPInstanceUID.startswith("2.25.")
        assert back.SOPClassUID == before.SOPClassUID

    def referenced(dataset: Any) -> set[str]:
        return {e.value for e in dataset.iterall() if e.keyword == "ReferencedSOPInstanceUID"}

    cleaned = deidentify(segmentation, KEY)[0]
    assert referenced(cleaned) == {renamed[uid] for uid in referenced(segmentation)}
    assert cleaned.FrameOfReferenceUID == clean[0].FrameOfReferenceUID


@pytest.mark.parametrize(
    "name", ["MR_small_RLE", "JPEG-LL", "ExplVR_BigEnd", "image_dfl", "693_J2KR", "badVR"]
)
def test_any_syntax_is_written_as_it_was(shared_data: Path, name: str) -> None:
    (before,) = _series(shared_data, f"pydicom_misc/{name}.dcm")
    after = pydicom.dcmread(io.BytesIO(encoded(deidentify(before, KEY)[0])))
    assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    assert after.get("PixelData") == before.get("PixelData")
    assert after.get("Rows") == before.get("Rows")


def _made(**values: Any) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.6"
    dataset.PatientID, dataset.PatientName = "MRN-778812", "Mustermann^Erika"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _days(dataset: Any, one: str, other: str) -> int:
    first, second = (
        datetime.datetime.strptime(str(dataset[word].value)[:8], "%Y%m%d") for word in (one, other)
    )
    return (second - first).days


@given(
    st.dates(datetime.date(1911, 1, 1), datetime.date(2040, 1, 1)),
    st.integers(0, 5000),
    st.text("abcXYZ0123456789", min_size=1, max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_intervals_stay_and_dates_do_not(first: datetime.date, gap: int, patient: str) -> None:
    later = first + datetime.timedelta(days=gap)
    dataset = _made(
        PatientID=patient,
        StudyDate=f"{first:%Y%m%d}",
        AcquisitionDateTime=f"{later:%Y%m%d}134501.25+0100",
        StudyTime="134501",
    )
    other = _made(PatientID=patient, StudyDate=f"{later:%Y%m%d}", StudyInstanceUID="1.9.9")
    clean, stranger = (deidentify(one, KEY)[0] for one in (dataset, other))
    assert _days(clean, "StudyDate", "AcquisitionDateTime") == gap
    assert stranger.StudyDate == str(clean.AcquisitionDateTime)[:8]
    moved = datetime.datetime.strptime(clean.StudyDate, "%Y%m%d").date()
    assert 365 <= (first - moved).days <= 3650
    assert str(clean.AcquisitionDateTime).endswith("134501.25+0100")
    assert clean.StudyTime == "134501"
    kept, _ = deidentify(dataset, Keyed(KEY.secret, keep_dates=True))
    assert kept.StudyDate == dataset.StudyDate
    assert kept.LongitudinalTemporalInformationModified == "UNMODIFIED"


TEXT = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=6, max_size=14)
PLACES = [
    "PatientName", "PatientComments", "OtherPatientIDs", "AccessionNumber", "ReferringPhysicianName",
    "InstitutionName", "StudyDescription", "SeriesDescription", "OperatorsName", "StationName", "ImageComments",
    "PatientAddress", "ProtocolName", "RequestingPhysician", "AdditionalPatientHistory", "EthnicGroup",
]  # fmt: skip


@given(
    TEXT, st.sets(st.sampled_from(PLACES), min_size=1), st.sampled_from(["", "Manufacturer", "SequenceName"])
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_secret_is_gone_wherever_it_stood(secret: str, places: set[str], repeated: str) -> None:
    assume(secret.lower() not in GENERIC)
    inner = Dataset()
    inner.PatientID, inner.PersonName = secret, f"{secret}^Anna"
    inner.CodeMeaning = f"seen by {secret}"
    dataset = _made(**dict.fromkeys(places, secret))
    dataset.PatientName = f"{secret}^Erika"
    dataset.ProcedureCodeSequence = [inner]
    dataset.add_new(Tag(0x0029, 0x0010), "LO", "SOME VENDOR")
    dataset.add_new(Tag(0x0029, 0x1001), "LO", secret)
    dataset.add_new(Tag(0x6000, 0x0022), "LO", secret)
    dataset.add_new(Tag(0x5000, 0x0030), "SH", secret)
    if repeated:
        setattr(dataset, repeated, f"of {secret.title()}, ward 3")
    clean, removed = deidentify(dataset, KEY)
    assert secret.encode().lower() not in encoded(clean).lower()
    assert {"(0029,xxxx)", "(60xx,xxxx)", "(50xx,xxxx)"} <= {one.tag for one in removed}
    assert str(dataset.PatientName) == f"{secret}^Erika", "the original stays as it is"
    assert all(secret not in str(one) for one in removed)


def test_what_is_said_about_it(shared_data: Path) -> None:
    (before,) = _series(shared_data, "mr_series_hippocampus_crop/14.dcm")
    clean, removed = deidentify(before, KEY)
    assert clean.PatientIdentityRemoved == "YES"
    assert [item.CodeValue for item in clean.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    assert clean.LongitudinalTemporalInformationModified == "MODIFIED"
    assert clean.PatientID == clean.PatientName == KEY.pseudonym("PGBM-002")
    done = {one.keyword: one.action for one in removed}
    assert done["PatientName"] == "D"
    assert done["StudyDescription"] == "X"
    assert done["AccessionNumber"] == "Z"
    assert done["SOPInstanceUID"] == "U"
    assert done["StudyDate"] == "C"
    assert "Rows" not in done


@pytest.mark.parametrize("value", ["2003", "200313", "20031399", "yesterday", "20030417-20030418x"])
def test_a_date_that_is_none_is_emptied(value: str) -> None:
    dataset = _made()
    dataset.add_new("AcquisitionDateTime", "DT", value)
    assert deidentify(dataset, KEY)[0].AcquisitionDateTime == ""


def test_registered_uids_stay_and_private_ones_in_any_place_do_not() -> None:
    dataset = _made(FrameOfReferenceUID="1.2.840.10008.1.4.1.1", ContextUID="1.2.99")
    dataset.add_new("FailedSOPInstanceUIDList", "UI", ["1.2.3.4.5", "1.2.77"])
    clean, _ = deidentify(dataset, KEY)
    assert clean.FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"
    assert clean.ContextUID == "1.2.99"
    assert list(clean.FailedSOPInstanceUIDList) == [clean.SOPInstanceUID, KEY.uid("1.2.77")]


def test_unknown_attributes_and_text_in_the_place_of_numbers_go() -> None:
    dataset = _made()
    dataset.add_new(Tag(0x0018, 0xFFF0), "LO", "Mustermann")
    dataset.add_new(Tag(0x0018, 0xFFF2), "UN", b"Mustermann")
    dataset.add_new("Rows", "LO", "Mustermann")
    clean, removed = deidentify(dataset, KEY)
    assert b"Mustermann" not in encoded(clean)
    assert {("(0018,FFF0)", "X"), ("(0018,FFF2)", "X"), ("(0028,0010)", "X")} <= {
        (one.tag, one.action) for one in removed
    }


def test_the_preamble_and_who_wrote_the_file_go(shared_data: Path) -> None:
    (dataset,) = _series(shared_data, "ct_series_dcmqi_3slice/01.dcm")
    dataset.preamble = b"Mustermann".ljust(128, b"\0")
    dataset.file_meta.SourceApplicationEntityTitle = "MUSTERPRAXIS"
    content = encoded(deidentify(dataset, KEY)[0])
    assert b"Muster" not in content[:400]
    assert b"MUSTERPRAXIS" not in content[:600]


def test_keys_decide_and_are_not_shown() -> None:
    same, other = Keyed.of("a key of several words"), Keyed.of("another key")
    assert same.uid("1.2.3") == KEY.uid("1.2.3") != other.uid("1.2.3")
    assert same.pseudonym("x") != other.pseudonym("x")
    assert Keyed.of(None).uid("1.2.3") != Keyed.of(None).uid("1.2.3")
    assert "secret" not in repr(KEY)
    assert len({KEY.days(str(k)) for k in range(300)}) > 200
    with pytest.raises(RequestError):
        Keyed.of("  ")


def test_the_table_names_attributes_that_exist_and_no_name_is_kept() -> None:
    assert [word for word in RULES if tag_for_keyword(word) is None] == []
    kept = [word for word, action in RULES.items() if action == "K"]
    assert not [word for word in kept if dictionary_VR(tag_for_keyword(word) or 0) == "PN"]
    assert by_representation("PN") == "X"
    assert by_group(0x0011) == "X"
    assert by_group(0x7FE0) is None
    counted = Counter(RULES.values())
    assert counted["X"] > 150


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"BurnedInAnnotation": "YES"}, "BurnedInAnnotation is YES"),
        ({"Modality": "US"}, "ultrasound"),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, None),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary capture"),
        ({"RecognizableVisualFeatures": "YES"}, "RecognizableVisualFeatures"),
        ({"Modality": "CT"}, None),
    ],
)
def test_pixels_that_may_tell_are_flagged(values: dict[str, str], told: str | None) -> None:
    reason = burnt_in(_made(**values))
    assert reason is None if told is None else told in str(reason)


def test_an_overlay_in_unused_bits_is_flagged() -> None:
    dataset = _made(Modality="CT")
    dataset.add_new(Tag(0x6000, 0x0102), "US", 12)
    assert "unused bits" in str(burnt_in(dataset))


def test_the_action_copies_a_tree_and_counts_what_was_done(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IATROS_DEIDENTIFICATION_KEY", "a key of several words")
    request = DeidentifyRequest(images=shared_data / "dicom")
    produced = deidentifying.deidentify(request, Context())
    result = produced.result
    assert result["n"] == len(produced.documents) > 120
    assert result["n"] + result["n_refused"] >= 133
    reasons = {row["name"]: row["reason"] for row in result["refused"]}
    assert "DICOMDIR" in reasons["dicomdir_study/DICOMDIR"]
    assert "nothing to de-identify" in reasons["cr_chest/nih_00000001_000.png"]
    counts = {row["keyword"]: row["n"] for row in result["removed"] if row["action"] == "U"}
    assert counts["SOPInstanceUID"] == result["n"]
    assert result["n_flagged"] >= 3
    assert "key" not in str(result["notes"])
    for name, content in produced.documents.items():
        patient, series, instance = name.split("/")
        assert patient.startswith("ANON-")
        dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
        assert dataset.PatientIdentityRemoved == "YES"
        assert dataset.PatientID == patient
        assert dataset.get("SeriesInstanceUID", "series") == series
        assert instance.startswith(str(dataset.SOPInstanceUID))


def test_two_runs_with_one_key_agree_and_a_random_key_is_told(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shared_data / "dicom" / "ct_series_dcmqi_3slice"
    monkeypatch.setenv("IATROS_DEIDENTIFICATION_KEY", "the same")
    first, second = (deidentifying.deidentify(DeidentifyRequest(images=folder), Context()) for _ in range(2))
    assert first.documents == second.documents
    monkeypatch.delenv("IATROS_DEIDENTIFICATION_KEY")
    third = deidentifying.deidentify(DeidentifyRequest(images=folder), Context())
    assert set(third.documents).isdisjoint(first.documents)
    assert any("random" in note for note in third.result["notes"])


def test_files_of_a_request_are_copied_too(shared_data: Path) -> None:
    import base64

    content = (shared_data / "dicom/ct_series_dcmqi_3slice/01.dcm").read_bytes()
    images = [
        {"name": "Mustermann.dcm", "content": base64.b64encode(content).decode()},
        {"name": "notes.txt", "content": base64.b64encode(b"hello").decode()},
    ]
    produced = deidentifying.deidentify(DeidentifyRequest(images=images), Context())
    assert len(produced.documents) == 1
    assert [row["name"] for row in produced.result["refused"]] == ["notes.txt"]
    with pytest.raises(InputError, match="base64"):
        deidentifying.deidentify(DeidentifyRequest(images=[{"name": "x", "content": "?"}]), Context())


def test_nothing_to_copy_and_too_much_to_copy(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.dcm").write_bytes(b"")
    with pytest.raises(InputError, match="no DICOM object"):
        deidentifying.deidentify(DeidentifyRequest(images=tmp_path), Context())
    with pytest.raises(InputError, match="no such file"):
        deidentifying.deidentify(DeidentifyRequest(images=tmp_path / "absent"), Context())
    monkeypatch.setattr(deidentifying, "MAX_BYTES", 600_000)
    with pytest.raises(LimitError, match="in parts"):
        deidentifying.deidentify(
            DeidentifyRequest(images=shared_data / "dicom/ct_series_dcmqi_3slice"), Context()
        )


def test_one_uid_with_two_contents_loses_neither(tmp_path: Path) -> None:
    for k, rows in enumerate((3, 3, 4)):
        dataset = _made(Rows=rows, Columns=2, BitsAllocated=8)
        dataset.PixelData = np.arange(2 * rows, dtype=np.uint8).tobytes()
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        (tmp_path / f"{k}.dcm").write_bytes(encoded(dataset))
    produced = deidentifying.deidentify(DeidentifyRequest(images=tmp_path), Context())
    assert sorted(pydicom.dcmread(io.BytesIO(one)).Rows for one in produced.documents.values()) == [3, 4]
    assert [row["reason"] for row in produced.result["refused"]] == [
        "the same object as another file of this run"
    ]
