"""The grey scale against hand-made values and against pydicom's own functions (another tool)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from tests.imaging.sources.made_dicom import AXIAL, dicom, ramp, series
from tests.imaging.sources.reading import opened

from iatros.imaging.sources.grey import parse_window, stretched, windowed

WHITE = 65535


def shown(path: Path, **asked: Any) -> np.ndarray:
    found = opened(path, **asked)
    assert found.refused == ()
    return found.pixels(found.records[0])


def lut(first: int, bits: int, values: list[int]) -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, "US", [len(values), first, bits])
    item.add_new(0x00283006, "US", values)
    return item


def by_pydicom(path: Path) -> np.ndarray:
    """Modality LUT and VOI LUT as pydicom applies them, scaled from its own output range to 0 .. 1."""
    dataset = pydicom.dcmread(path)
    measured = apply_modality_lut(dataset.pixel_array, dataset)
    values = apply_voi_lut(measured, dataset).astype(float)
    if "VOILUTSequence" in dataset:
        return values / (2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1)
    stored = 2**dataset.BitsStored
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    low, high = (0, stored - 1) if not dataset.PixelRepresentation else (-stored // 2, stored // 2 - 1)
    low, high = low * slope + intercept, high * slope + intercept
    return (values - low) / (high - low)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("start", [-1040, 0])
def test_windows_are_those_of_pydicom(tmp_path: Path, function: str, start: int) -> None:
    values = (ramp(7, 11) * 25 + start).astype(np.int16)
    path = dicom(
        tmp_path / "a", values, RescaleSlope=1.5, RescaleIntercept=-20, WindowCenter=60.5, WindowWidth=700,
        VOILUTFunction=function,
    )  # fmt: skip
    pixels = shown(path)
    assert pixels.dtype == np.uint16
    assert pixels[0] / WHITE == pytest.approx(by_pydicom(path), abs=2e-5)


def test_the_first_window_counts_and_the_request_overrides_it(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a", ramp(), WindowCenter=[7.5, 2], WindowWidth=[15, 4])
    # LINEAR (PS3.3 C.11.2.1.2): (x - 7) / 14 + 0.5, so that 0 is black and 14 white
    assert shown(path)[0, 1, 2] == round(WHITE * 7 / 14)
    # centre 4.5, width 9: (x - 4) / 8 + 0.5
    assert shown(path, window="4.5,9")[0, 1, 3] == WHITE
    assert shown(path, window="4.5,9")[0, 0, 3] == round(WHITE * 3 / 8)


def test_the_override_is_in_measured_units(tmp_path: Path) -> None:
    path = dicom(tmp_path / "a", ramp(start=1000), RescaleSlope=1, RescaleIntercept=-1000)
    assert shown(path, window="4.5,9")[0, 0, 3] == round(WHITE * 3 / 8)


def test_modality_and_voi_tables(tmp_path: Path) -> None:
    path = dicom(
        tmp_path / "a", ramp(start=3),
        ModalityLUTSequence=[lut(5, 16, [10, 20, 40, 80, 160])], VOILUTSequence=[lut(20, 12, list(range(0, 4000, 40)))],
    )  # fmt: skip
    pixels = shown(path)
    assert pixels[0] / WHITE == pytest.approx(by_pydicom(path), abs=1e-5)
    # stored 7 is the third of the first table: 40, which is entry 20 of the second: 800 of 4095
    assert pixels[0, 0, 4] == round(WHITE * 800 / 4095)


def test_monochrome1_is_white_where_nothing_is(tmp_path: Path) -> None:
    window = {"WindowCenter": 7.5, "WindowWidth": 15}
    pixels = shown(dicom(tmp_path / "a", ramp(), PhotometricInterpretation="MONOCHROME1", **window))
    assert pixels[0].ravel().tolist() == [round(WHITE * (14 - x) / 14) for x in range(15)]


def test_eight_bits_without_a_table_stay_as_they_are(tmp_path: Path) -> None:
    values = np.array([[0, 17, 255, 3], [9, 90, 200, 128]], dtype=np.uint8)
    pixels = shown(dicom(tmp_path / "a", values))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels[0], values)
    inverted = shown(dicom(tmp_path / "b", values, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(inverted[0], 255 - values)


def test_without_a_window_percentiles_of_the_image_count_and_padding_does_not(tmp_path: Path) -> None:
    values = (ramp(40, 50) - 1000).astype(np.int16)
    values[:, :10] = -2000
    pixels = shown(dicom(tmp_path / "a", values, PixelPaddingValue=-2000))
    inside = values[:, 10:]
    low, high = np.percentile(inside, [0.5, 99.5])
    expected = np.clip((values - low) / (high - low), 0, 1)
    assert pixels[0] / WHITE == pytest.approx(expected, abs=1e-4)


def test_a_series_has_one_grey_scale(tmp_path: Path) -> None:
    series(tmp_path, [0.0, 1.0, 2.0])
    values = np.stack([ramp(start=100 * k) for k in range(3)])
    low, high = np.percentile(values, [0.5, 99.5])
    assert shown(tmp_path)[0] / WHITE == pytest.approx(np.clip((values - low) / (high - low), 0, 1), abs=1e-4)


def test_windows_that_differ_are_flagged_and_the_middle_one_counts(tmp_path: Path) -> None:
    for number, centre in enumerate([10.0, 107.5, 900.0]):
        dicom(
            tmp_path / f"{number}", ramp(start=100 * number), WindowCenter=centre, WindowWidth=15,
            ImagePositionPatient=[0.0, 0.0, float(number)], ImageOrientationPatient=AXIAL,
        )  # fmt: skip
    found = opened(tmp_path)
    assert found.records[0].flags == ("windows differ between the slices; that of the middle one is used",)
    assert found.pixels(found.records[0])[0, 1, 1, 2] == round(WHITE * 7 / 14)


def test_an_overlay_in_the_high_bits_is_left_out(tmp_path: Path) -> None:
    clean = ramp(start=50).astype(np.uint16)
    drawn = clean | np.where(clean % 4 == 0, 0xF000, 0).astype(np.uint16)
    stored = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 57.5, "WindowWidth": 15}
    assert np.array_equal(
        shown(dicom(tmp_path / "clean", clean, **stored)), shown(dicom(tmp_path / "drawn", drawn, **stored))
    )


def test_values_in_the_upper_bits_are_shifted_down(tmp_path: Path) -> None:
    plain = ramp(start=50).astype(np.uint16)
    window = {"WindowCenter": 57.5, "WindowWidth": 15}
    upper = dicom(tmp_path / "upper", plain << 4, BitsStored=12, HighBit=15, **window)
    assert np.array_equal(shown(upper), shown(dicom(tmp_path / "plain", plain, **window)))


def test_signed_values_of_few_bits_keep_their_sign(tmp_path: Path) -> None:
    values = (ramp() - 9).astype(np.int16)
    masked = (values & 0x0FFF).astype(np.uint16)
    window = {"WindowCenter": -1.5, "WindowWidth": 15}
    twelve = dicom(tmp_path / "twelve", masked, BitsStored=12, HighBit=11, PixelRepresentation=1, **window)
    assert shown(twelve)[0].ravel().tolist() == [round(WHITE * x / 14) for x in range(15)]


def test_colour_of_more_than_8_bits(tmp_path: Path) -> None:
    values = np.arange(2 * 3 * 3, dtype=np.uint16).reshape(2, 3, 3) * 200
    path = dicom(
        tmp_path / "a", values[..., 0], PhotometricInterpretation="RGB", SamplesPerPixel=3, PlanarConfiguration=0,
        BitsStored=12, HighBit=11, PixelData=values.tobytes(),
    )  # fmt: skip
    pixels = shown(path)
    assert pixels.shape == (3, 2, 3)
    assert pixels[:, 1, 2].tolist() == [round(WHITE * x / 4095) for x in (3000, 3200, 3400)]


def test_frames_with_places_and_rescaling_of_their_own(tmp_path: Path) -> None:
    frames = np.stack([ramp(start=10 * k) for k in range(3)]).astype(np.uint16)
    groups = []
    for place, slope in [(8.0, 1.0), (2.0, 2.0), (5.0, 3.0)]:
        item, position, orientation, measures, values = (Dataset() for _ in range(5))
        position.ImagePositionPatient = [0.0, 0.0, place]
        orientation.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        measures.PixelSpacing = [0.9, 0.4]
        values.RescaleSlope, values.RescaleIntercept = slope, 0.0
        item.PlanePositionSequence, item.PlaneOrientationSequence = [position], [orientation]
        item.PixelMeasuresSequence, item.PixelValueTransformationSequence = [measures], [values]
        groups.append(item)
    path = dicom(
        tmp_path / "a", frames, NumberOfFrames=3, PerFrameFunctionalGroupsSequence=groups, WindowCenter=50.5,
        WindowWidth=101, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1",
    )  # fmt: skip
    found = opened(path)
    (record,) = found.records
    assert record.spacing_mm == (3.0, 0.9, 0.4)
    # frames 1, 2, 0 from below: stored 10, 20 and 0 with slopes 2, 3 and 1, shown as x / 100
    assert found.pixels(record)[0, :, 0, 0].tolist() == [round(WHITE * x / 100) for x in (20, 60, 0)]


def test_windows_by_hand() -> None:
    values = np.array([-10.0, 0.0, 3.0, 7.0, 8.0])
    assert windowed(values, 4, 8, "LINEAR_EXACT").tolist() == [0.0, 0.0, 0.375, 0.875, 1.0]
    assert windowed(values, 4, 1).tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert windowed(np.array([4.0]), 4, 8, "SIGMOID").tolist() == [0.5]
    assert parse_window("-600,1500") == (-600.0, 1500.0)


def test_stretching_copes_with_one_value_and_with_what_is_no_number() -> None:
    assert stretched(np.full((3, 4), 7.0)).tolist() == np.zeros((3, 4)).tolist()
    rare = np.zeros(1000)
    rare[3] = 5.0
    assert stretched(rare)[3] == 1.0
    assert stretched(np.array([np.nan, 0.0, 1.0, np.inf]))[0] == 0.0
