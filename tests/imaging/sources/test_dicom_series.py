"""Slices into volumes: order, gaps, duplicates, mixtures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.imaging.sources.made_dicom import AXIAL, dicom, ramp, series
from tests.imaging.sources.reading import opened, reasons

from iatros.imaging.sources.dicom_header import Header, Plane
from iatros.imaging.sources.dicom_series import sort_out

WINDOW = {"WindowCenter": 500, "WindowWidth": 1000}


def test_slices_are_sorted_by_position_and_not_by_name_or_number(tmp_path: Path) -> None:
    series(tmp_path, [5.0, -2.5, 0.0, 2.5], **WINDOW)
    (record,) = opened(tmp_path).records
    assert record.shape == (1, 4, 3, 5)
    assert record.spacing_mm == (2.5, 0.7, 0.5)
    assert record.name == "1.2.3.4"
    # the file made second lies lowest, then the third, the fourth, the first
    assert [file.split("_")[1] for file in record.files] == ["1.dcm", "2.dcm", "3.dcm", "0.dcm"]
    pixels = opened(tmp_path).pixels(record)
    assert np.argsort(pixels[0, :, 0, 0]).tolist() == [3, 0, 1, 2]


def test_the_affine_leads_to_ras_millimetres(tmp_path: Path) -> None:
    series(tmp_path, [5.0, -2.5, 0.0, 2.5])
    (record,) = opened(tmp_path).records
    assert record.affine is not None
    # slice 3, row 2, column 4 lies at x = -10 + 4 * 0.5, y = 20 + 2 * 0.7, z = 5 in LPS; x and y change sign
    assert np.array(record.affine) @ [3, 2, 4, 1] == pytest.approx([8.0, -21.4, 5.0, 1.0])


def test_a_missing_slice_refuses_the_series(tmp_path: Path) -> None:
    series(tmp_path, [0.0, 2.5, 5.0, 10.0, 12.5])
    found = opened(tmp_path)
    assert found.records == ()
    assert reasons(found) == {
        "1.2.3.4": "a slice is missing: after 06_2.dcm at 5.00 mm the next is 5.00 mm away, others 2.50 mm (5 slices)"
    }


def test_a_slice_too_many_refuses_the_series(tmp_path: Path) -> None:
    series(tmp_path, [0.0, 2.5, 5.0, 6.0, 7.5, 10.0])
    (reason,) = reasons(opened(tmp_path)).values()
    assert reason.startswith(
        "the slices are not evenly spaced: after 06_2.dcm at 5.00 mm the next is 1.00 mm away"
    )


def test_positions_rounded_by_the_scanner_are_no_gap(tmp_path: Path) -> None:
    series(tmp_path, [0.0, 0.6, 1.3, 1.9, 2.5])  # 0.625 mm apart
    assert [record.shape[1] for record in opened(tmp_path).records] == [5]


def test_a_duplicate_slice_is_left_out_and_named(tmp_path: Path) -> None:
    paths = series(tmp_path, [0.0, 2.5, 5.0])
    (tmp_path / "zz_copy.dcm").write_bytes(paths[1].read_bytes())
    found = opened(tmp_path)
    assert [record.shape[1] for record in found.records] == [3]
    assert found.records[0].flags == ("1 duplicate slice left out",)
    assert reasons(found) == {"zz_copy.dcm": f"the same slice as another, left out: {paths[1].name}"}


def test_echoes_at_the_same_places_become_volumes_of_their_own(tmp_path: Path) -> None:
    series(tmp_path / "a", [0.0, 2.5, 5.0], EchoTime=10.0)
    series(tmp_path / "b", [0.0, 2.5, 5.0], EchoTime=80.0, start=1000)
    found = opened(tmp_path)
    assert [(record.name, record.shape[1]) for record in found.records] == [
        ("a/1.2.3.4#1", 3),
        ("b/1.2.3.4#2", 3),
    ]


def test_different_slices_at_one_place_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    series(tmp_path / "a", [0.0, 2.5])
    series(tmp_path / "b", [0.0, 2.5], start=1000)
    found = opened(tmp_path)
    assert found.records == ()
    assert list(reasons(found).values()) == [
        "different slices lie at one place, and nothing tells them apart: 4 slices"
    ]


def test_a_film_of_one_plane_is_no_stack(tmp_path: Path) -> None:
    series(tmp_path, [7.5, 7.5, 7.5])
    assert [record.shape for record in opened(tmp_path).records] == [(1, 3, 5)] * 3


def test_mixed_series_in_one_folder_are_records_of_their_own(tmp_path: Path) -> None:
    series(tmp_path / "x", [0.0, 2.5])
    for number, path in enumerate(series(tmp_path / "y", [0.0, 3.0, 6.0], SeriesInstanceUID="1.2.3.9")):
        path.rename(tmp_path / "x" / f"other_{number}")
    found = opened(tmp_path)
    assert [(record.series_uid, record.shape[1]) for record in found.records] == [
        ("1.2.3.4", 2),
        ("1.2.3.9", 3),
    ]


def test_sizes_and_directions_in_one_series_are_parted(tmp_path: Path) -> None:
    series(tmp_path / "a", [0.0, 2.5])
    sagittal = {"ImageOrientationPatient": [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]}
    for number, x in enumerate([1.0, 4.0, 7.0]):
        dicom(tmp_path / f"s{number}.dcm", ramp(start=300), ImagePositionPatient=[x, 0.0, 0.0], **sagittal)
    dicom(
        tmp_path / "wide.dcm", ramp(2, 9), ImagePositionPatient=[0.0, 0.0, 0.0], ImageOrientationPatient=AXIAL
    )
    shapes = {record.name: record.shape for record in opened(tmp_path).records}
    assert shapes == {"a/1.2.3.4#1": (1, 2, 3, 5), "1.2.3.4#2": (1, 3, 3, 5), "wide.dcm": (1, 2, 9)}


def test_localizers_are_set_apart_from_the_slices(tmp_path: Path) -> None:
    series(tmp_path, [0.0, 2.5])
    dicom(
        tmp_path / "scout.dcm", ramp(start=900), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        ImagePositionPatient=[0.0, 0.0, 40.0], ImageOrientationPatient=AXIAL,
    )  # fmt: skip
    flags = {record.name: (record.shape, record.flags) for record in opened(tmp_path).records}
    assert flags == {"1.2.3.4": ((1, 2, 3, 5), ()), "scout.dcm": ((1, 3, 5), ("localizer",))}


def test_slices_without_a_place_are_refused_and_radiographs_are_not(tmp_path: Path) -> None:
    for number in range(2):
        dicom(tmp_path / f"ct{number}", ramp(start=number))
        dicom(tmp_path / f"dx{number}", ramp(start=number), Modality="DX", SeriesInstanceUID="1.2.3.5")
    found = opened(tmp_path)
    assert [record.name for record in found.records] == ["dx0", "dx1"]
    assert list(reasons(found).values()) == [
        "slices do not say where they lie, and their order is not known: 2 slices"
    ]


def test_a_series_with_a_slice_cut_short_is_not_whole(tmp_path: Path) -> None:
    paths = series(tmp_path, [0.0, 2.5, 5.0])
    paths[2].write_bytes(paths[2].read_bytes()[:-8])
    found = opened(tmp_path)
    assert found.records == ()
    assert reasons(found) == {
        "06_2.dcm": "the pixels are cut short: 22 of 30 bytes are there",
        "1.2.3.4": "a slice of the series cannot be read: 06_2.dcm (3 slices)",
    }


def test_a_tilted_gantry_is_flagged_and_in_the_affine(tmp_path: Path) -> None:
    for number in range(3):
        place = [-10.0, 20.0 + 1.5 * number, 5.0 * number]
        dicom(
            tmp_path / f"{number}",
            ramp(start=number),
            ImagePositionPatient=place,
            ImageOrientationPatient=AXIAL,
        )
    (record,) = opened(tmp_path).records
    assert record.flags == ("slices shifted against each other (tilted gantry)",)
    assert record.affine is not None
    assert np.array(record.affine)[:3, 0] == pytest.approx([0.0, -1.5, 5.0])


def header(position: tuple[float, float, float], orientation: tuple[float, ...]) -> Header:
    name = f"{position}"
    return Header(
        name=name, path=name, sha256=name, cost=1, compressed=False, series="1", study="2", instance=name, pixels=name,
        rows=2, columns=3, samples=1, planes=(Plane(0, position, orientation, (0.7, 0.5)),), modality="MR",
        localizer=False, marks={}, person={}, flags=(),
    )  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(
    order=st.permutations(range(6)),
    angle=st.floats(-3.0, 3.0),
    tilt=st.floats(-1.2, 1.2),
    gap=st.floats(0.5, 12.0),
)
def test_any_order_of_oblique_slices_gives_the_same_stack(
    order: list[int], angle: float, tilt: float, gap: float
) -> None:
    row = np.array([np.cos(angle), np.sin(angle), 0.0])
    column = np.array([-np.sin(angle) * np.cos(tilt), np.cos(angle) * np.cos(tilt), np.sin(tilt)])
    normal = np.cross(row, column)
    places = [tuple(np.array([3.0, -8.0, 21.0]) + gap * k * normal) for k in range(6)]
    answer = sort_out([header(places[k], (*row, *column)) for k in order])
    (stack,) = answer.stacks
    assert answer.refused == []
    assert [header.planes[0].position for header in stack.headers] == places
    assert stack.spacing_mm == pytest.approx((gap, 0.7, 0.5), abs=1e-5)
