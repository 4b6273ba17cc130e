"""SR, Secondary Capture and SEG over real series: valid to another program, and holding what was answered."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from tests.imaging.findings.conftest import RUN, SERIES

from iatros.core.errors import InputError
from iatros.imaging.findings import Answer, Mask, TargetAnswer, findings
from iatros.imaging.findings.secondary_capture import captioned
from iatros.imaging.findings.segmentation_object import segmentation
from iatros.imaging.findings.source import header

Make = Callable[[str], Answer]


def _read(content: bytes) -> Any:
    return pydicom.dcmread(BytesIO(content))


def _items(node: Any) -> Iterator[Any]:
    for item in node.get("ContentSequence", []):
        yield item
        yield from _items(item)


def _concept(item: Any) -> str:
    return item.ConceptNameCodeSequence[0].CodeMeaning


@pytest.mark.parametrize("name", list(SERIES))
def test_another_program_finds_no_error(
    name: str, answer: Make, dicom_errors: Callable[[bytes], list[str]]
) -> None:
    made = findings(answer(name))
    assert made.notes == ()
    documents = made.documents("x")
    assert sorted(documents) == ["fhir/x.json", "sc/x.dcm", "seg/x.dcm", "sr/x.dcm"]
    for path in ("sr/x.dcm", "sc/x.dcm", "seg/x.dcm"):
        assert dicom_errors(documents[path]) == [], path


def test_the_judge_does_find_errors(answer: Make, dicom_errors: Callable[[bytes], list[str]]) -> None:
    made = findings(answer("ct")).objects["sc"]
    del made.ConversionType
    stream = BytesIO()
    made.save_as(stream)
    assert any("ConversionType" in line for line in dicom_errors(stream.getvalue()))


@pytest.mark.parametrize(
    ("name", "patient"),
    [("ct", "JANCT000"), ("mr", "Chrisjen^Avasarala"), ("chest", "16d7f894-55d7-4d95-8957-d18987f0e981")],
)
def test_objects_belong_to_the_study_and_patient(name: str, patient: str, answer: Make) -> None:
    said = answer(name)
    source = said.sources[0]
    made = findings(said).objects
    for kind, one in made.items():
        assert one.StudyInstanceUID == source.StudyInstanceUID
        assert one.PatientID == source.PatientID
        assert str(one.PatientName) == str(source.PatientName) == patient
        assert one.StudyDate == source.StudyDate
        assert RUN in one.SeriesDescription
        assert one.ContentQualification == "RESEARCH"
        runs = [item.get("ContributionDescription", "") for item in one.ContributingEquipmentSequence]
        assert any(RUN in text and "not a medical device" in text for text in runs), kind
    series = {str(one.SeriesInstanceUID) for one in made.values()}
    assert len(series) == 3
    assert source.SeriesInstanceUID not in series


@pytest.mark.parametrize("name", ["ct", "chest"])
def test_the_same_run_gives_the_same_bytes_and_another_run_other_uids(name: str, answer: Make) -> None:
    said = answer(name)
    first, second = findings(said), findings(said)
    assert first.documents("x") == second.documents("x")
    other = findings(replace(said, run_id="20261126T101011Z-ffffffffffff"))
    for kind, one in first.objects.items():
        assert one.SOPInstanceUID != other.objects[kind].SOPInstanceUID


def test_the_report_holds_the_numbers_the_set_and_the_algorithm(answer: Make) -> None:
    report = _read(findings(answer("ct")).documents("x")["sr/x.dcm"])
    items = list(_items(report))
    numbers = {
        _concept(item): (
            float(item.MeasuredValueSequence[0].NumericValue),
            item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue,
        )
        for item in items
        if item.ValueType == "NUM"
    }
    assert numbers == {
        "probability of normal": (0.125, "1"),
        "probability of pneumonia": (0.875, "1"),
        "Größe des Herdes im linken Unterlappen": (61.25, "{mm}"),
        "volume of anterior": (12.5, "mL"),
    }
    codes = [
        (_concept(item), item.ConceptCodeSequence[0].CodeMeaning)
        for item in items
        if item.ValueType == "CODE"
    ]
    assert ("class not ruled out with 90 % confidence", "pneumonia") in codes
    assert ("operating point", "at or above threshold") in codes
    assert ("quality remark", "motion in two slices") in codes
    assert ("intended use", "Research software, not a medical device") in codes
    assert ("Finding", "pneumonia") in codes
    texts = [item.TextValue for item in items if item.ValueType == "TEXT"]
    assert "iatros resnet" in texts
    assert f"bundle_sha256={'cd' * 32}" in texts
    assert f"run_id={RUN}" in texts
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == (
        "COMPLETE",
        "UNVERIFIED",
        "PRELIMINARY",
    )


def test_the_report_points_to_the_key_slice_and_lists_all_evidence(answer: Make) -> None:
    said = answer("ct")
    made = findings(said).objects
    referenced = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in _items(made["sr"])
        if item.ValueType == "IMAGE"
    }
    assert referenced == {said.sources[2].SOPInstanceUID}
    listed = {
        one.ReferencedSOPInstanceUID
        for study in made["sr"].CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    expected = {one.SOPInstanceUID for one in said.sources}
    assert listed == expected | {made["sc"].SOPInstanceUID, made["seg"].SOPInstanceUID}


def test_an_empty_conformal_set_and_a_negative_answer_are_said(answer: Make) -> None:
    target = TargetAnswer(
        "fracture",
        "binary",
        ("no", "yes"),
        (0.7, 0.3),
        confidence_level=0.8,
        conformal_set=(),
        threshold=0.5,
    )
    report = findings(replace(answer("ct"), targets=(target,), flags=()), ("sr",)).objects["sr"]
    codes = [
        (_concept(item), item.ConceptCodeSequence[0].CodeMeaning)
        for item in _items(report)
        if item.ValueType == "CODE"
    ]
    assert ("class not ruled out with 80 % confidence", "no class fits") in codes
    assert ("operating point", "below threshold") in codes


def test_the_capture_shows_the_overlay_whole_under_a_strip_of_text(answer: Make) -> None:
    said = answer("ct")
    assert said.overlay is not None
    capture = _read(findings(said).documents("x")["sc/x.dcm"])
    pixels = capture.pixel_array
    factor = -(-384 // 88)
    large = said.overlay.repeat(factor, axis=0).repeat(factor, axis=1)
    strip = pixels.shape[0] - large.shape[0]
    assert 20 < strip < 60
    assert np.array_equal(pixels[strip:], large)
    assert 0.01 < (pixels[:strip] > 0).any(axis=2).mean() < 0.5
    assert capture.ImageType == ["DERIVED", "SECONDARY"]
    assert capture.ConversionType == "WSD"
    assert (capture.PhotometricInterpretation, capture.SamplesPerPixel) == ("RGB", 3)
    assert "gradcam++" in capture.DerivationDescription
    assert "pneumonia with probability 0.875" in capture.ImageComments
    assert [item.ReferencedSOPInstanceUID for item in capture.SourceImageSequence] == [
        one.SOPInstanceUID for one in said.sources
    ]


@pytest.mark.parametrize(("said", "expected"), [("YES", "YES"), ("NO", "NO"), (None, None)])
def test_burnt_in_annotation_is_handed_on(
    answer: Make, datasets: Callable[[str], list[Any]], said: str | None, expected: str | None
) -> None:
    (source,) = datasets("chest")
    if said is not None:
        source.BurnedInAnnotation = said
    capture = findings(replace(answer("chest"), sources=(header(source),)), ("sc",)).objects["sc"]
    assert capture.get("BurnedInAnnotation") == expected


def test_a_narrow_picture_gets_room_for_the_text() -> None:
    picture = np.full((500, 20, 3), 7, dtype=np.uint8)
    shown = captioned(picture, ("RESEARCH ONLY", "x"))
    assert shown.shape[1] == 384
    assert np.array_equal(shown[-500:, :20], picture)
    with pytest.raises(InputError, match="uint8"):
        captioned(picture.astype(np.float32), ("x",))


@pytest.mark.parametrize("name", ["ct_small", "mr"])
def test_a_mask_comes_back_on_the_slices_it_was_drawn_on(name: str, answer: Make) -> None:
    said = answer(name)
    assert said.mask is not None
    made = _read(findings(said).documents("x")["seg/x.dcm"])
    frames = made.pixel_array
    frames = frames[None] if frames.ndim == 2 else frames
    by_position = {tuple(source.ImagePositionPatient): k for k, source in enumerate(said.sources)}
    found = np.zeros_like(said.mask.array)
    for frame, group in zip(frames, made.PerFrameFunctionalGroupsSequence, strict=True):
        k = by_position[tuple(group.PlanePositionSequence[0].ImagePositionPatient)]
        label = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        found[k][frame > 0] = label
    assert np.array_equal(found, said.mask.array)
    assert [one.SegmentLabel for one in made.SegmentSequence] == ["anterior", "posterior"]
    assert all(one.SegmentAlgorithmType == "AUTOMATIC" for one in made.SegmentSequence)
    algorithm = made.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert RUN in algorithm.AlgorithmParameters


def _affine(sources: tuple[Any, ...]) -> tuple[tuple[float, ...], ...]:
    """RAS+ of slices along z with unit pixels, counted by hand: x and y change their sign."""
    first, second = (
        np.array([float(v) for v in one.ImagePositionPatient]) * [-1, -1, 1] for one in sources[:2]
    )
    step = second - first
    return tuple((*row,) for row in np.column_stack([[*step, 0], [0, -1, 0, 0], [-1, 0, 0, 0], [*first, 1]]))


def test_the_mask_is_laid_by_position_not_by_the_order_of_the_files(answer: Make) -> None:
    said = answer("mr")
    assert said.mask is not None
    straight = replace(said, mask=replace(said.mask, affine=_affine(said.sources)))
    turned = replace(straight, sources=said.sources[::-1])
    for one in (straight, turned):
        made = segmentation(one)
        places = {
            int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber): float(
                group.PlanePositionSequence[0].ImagePositionPatient[2]
            )
            for group in made.PerFrameFunctionalGroupsSequence
        }
        assert places == {1: 1.0, 2: 32.0}
    moved = np.array(_affine(said.sources))
    moved[2, 3] += 0.5
    shifted = replace(said.mask, affine=tuple(map(tuple, moved.tolist())))
    with pytest.raises(InputError, match="other planes"):
        segmentation(replace(said, mask=shifted))


def test_a_mask_that_does_not_fit_is_told_and_the_rest_is_made(answer: Make) -> None:
    said = answer("ct")
    small = Mask(np.zeros((3, 51, 35), dtype=np.uint8), ("a",))
    made = findings(replace(said, mask=small))
    assert set(made.objects) == {"sc", "sr"}
    assert made.notes == ("no SEG: the mask has 3 x 51 x 35 voxels and its DICOM source 3 x 512 x 512",)
    high = Mask(np.full((3, 512, 512), 2, dtype=np.uint8), ("a",))
    with pytest.raises(InputError, match="names 1 labels"):
        segmentation(replace(said, mask=high))


def test_a_mask_in_which_nothing_was_found_is_an_answer(
    answer: Make, dicom_errors: Callable[[bytes], list[str]]
) -> None:
    empty = Mask(np.zeros((17, 128, 88), dtype=np.uint8), ("lesion",))
    content = findings(replace(answer("ct_small"), mask=empty), ("seg",)).documents("x")["seg/x.dcm"]
    assert not _read(content).pixel_array.any()
    assert dicom_errors(content) == []


def test_an_image_that_is_not_dicom_gets_a_study_of_its_own(
    answer: Make, dicom_errors: Callable[[bytes], list[str]]
) -> None:
    said = replace(answer("ct"), sources=())
    made = findings(said, ("sr", "seg", "fhir"))
    assert set(made.objects) == {"sc", "sr"}
    assert any("pseudonymous patient ANON-" in note for note in made.notes)
    assert any("no SEG" in note and "DICOM" in note for note in made.notes)
    documents = made.documents("x")
    assert dicom_errors(documents["sr/x.dcm"]) == dicom_errors(documents["sc/x.dcm"]) == []
    report, capture = made.objects["sr"], made.objects["sc"]
    assert report.StudyInstanceUID == capture.StudyInstanceUID
    assert report.PatientID == capture.PatientID
    assert "ward" not in str(report) + str(capture)
    images = {
        item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for item in _items(report)
        if item.ValueType == "IMAGE"
    }
    assert images == {capture.SOPInstanceUID}
    again = findings(replace(said, run_id="20270101T000000Z-ffffffffffff"), ("sc",)).objects["sc"]
    assert again.StudyInstanceUID == capture.StudyInstanceUID
    assert again.SOPInstanceUID != capture.SOPInstanceUID


def test_without_picture_and_source_there_is_no_report_but_a_reason(answer: Make) -> None:
    made = findings(replace(answer("ct"), sources=(), overlay=None, mask=None))
    assert made.objects == {}
    assert made.fhir is not None
    assert any(note.startswith("no SR") for note in made.notes)
    assert any(note.startswith("no Secondary Capture") for note in made.notes)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_what_dicom_does_not_allow_is_not_handed_on(datasets: Callable[[str], list[Any]]) -> None:
    (source,) = datasets("chest")
    assert source.PatientAge == "62"
    source.PatientSex = "male"
    source.StudyTime = "noon"
    made = header(source)
    assert "PatientAge" not in made
    assert (made.PatientSex, made.StudyTime) == ("", "")
    assert made.PatientID == source.PatientID
    assert not any(element.tag.is_private for element in made)
    assert "PixelData" not in made


def test_no_name_is_printed_while_objects_are_made(
    answer: Make, datasets: Callable[[str], list[Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    (source,) = datasets("chest")
    source.PatientName = source.ReferringPhysicianName = "Mustermann"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = findings(replace(answer("chest"), sources=(header(source),)))
    assert str(made.objects["sr"].PatientName) == "Mustermann"
    shown = capfd.readouterr()
    assert "Mustermann" not in shown.out + shown.err + " ".join(str(one.message) for one in caught)


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 192", "ISO_IR 144"])
def test_names_in_any_character_set_arrive(
    answer: Make, datasets: Callable[[str], list[Any]], charset: str
) -> None:
    name = "Müller^Jürgen" if charset != "ISO_IR 144" else "Люкceмбypг"
    (source,) = datasets("cr")
    source.SpecificCharacterSet = charset
    source.PatientName = name
    stream = BytesIO()
    source.save_as(stream)
    read = pydicom.dcmread(BytesIO(stream.getvalue()))
    documents = findings(replace(answer("cr"), sources=(header(read),))).documents("x")
    for path in ("sr/x.dcm", "sc/x.dcm", "seg/x.dcm"):
        assert str(_read(documents[path]).PatientName) == name
