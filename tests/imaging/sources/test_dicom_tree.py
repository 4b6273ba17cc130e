"""The 133 objects of the shared folder: each one is read, or refused with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.imaging.sources.reading import opened

from iatros.imaging.schema import Collection

SEGMENTATION = "a segmentation (SEG), not an image; it belongs to the series it was drawn on"
DOSE = "a radiotherapy dose (RTDOSE), not an image"
SAME = "the same slice as another, left out: pydicom_misc/MR_small.dcm"
REFUSED = {
    "ct_series_dcmqi_3slice/liver.dcm": SEGMENTATION,
    "dicomdir_study/77654033/CT2/1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.2": "a slice is missing: after 17106 at "
    "-99.48 mm the next is 202.50 mm away, others 1.25 mm (4 slices)",
    "pydicom_misc/MR_small_RLE.dcm": SAME,
    "pydicom_misc/MR_small_jp2klossless.dcm": SAME,
    "pydicom_misc/MR_small_jpeg_ls_lossless.dcm": SAME,
    "pydicom_misc/MR_truncated.dcm": "the pixels are cut short: 8,130 of 8,192 bytes are there",
    "pydicom_misc/badVR.dcm": DOSE,
    "pydicom_misc/liver.dcm": SEGMENTATION,
    "pydicom_misc/liver_deflate.dcm": SEGMENTATION,
    "pydicom_misc/liver_j2k.dcm": SEGMENTATION,
    "pydicom_misc/no_meta.dcm": "not a DICOM file, whatever its suffix says",
    "pydicom_misc/reportsi.dcm": "there are no pixels in it: it is a Basic Text SR",
    "pydicom_misc/rtdose.dcm": DOSE,
    "pydicom_misc/rtplan.dcm": "there are no pixels in it: it is a RT Plan",
    "pydicom_misc/rtstruct.dcm": "there are no pixels in it: it is a RT Structure Set",
    "pydicom_misc/waveform_ecg.dcm": "there are no pixels in it: it is a 12-lead ECG Waveform",
}
"""All of them checked by hand with dcmdump; no_meta.dcm has a stray byte before its first element."""
OTHER_FILES = {
    "ct_series_dcmqi_3slice/liver_seg.nrrd", "ct_series_dcmqi_3slice/liver_spine_seg.nrrd",
    "ct_series_dcmqi_3slice/spine_seg.nrrd", "pydicom_misc/LICENSE.pydicom-data", "pydicom_misc/README.txt",
}  # fmt: skip


@pytest.fixture(scope="module")
def tree(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return opened(shared_data / "dicom", cache=tmp_path_factory.mktemp("cache"))


def test_every_object_is_read_or_refused_with_its_reason(tree: Collection) -> None:
    refused = {one.name: one.reason for one in tree.refused}
    assert {name: reason for name, reason in refused.items() if name not in OTHER_FILES} == REFUSED
    assert set(refused) - set(REFUSED) == OTHER_FILES
    read = {file for record in tree.records for file in record.files if not file.endswith(".png")}
    in_refused_series = 4
    assert len(read) + len(REFUSED) - 1 + in_refused_series == 133


def test_series_are_volumes_and_the_rest_images(tree: Collection) -> None:
    shapes = {record.name.rsplit("/", 1)[0]: record.shape for record in tree.records if len(record.files) > 1}
    assert shapes == {
        "ct_series_dcmqi_3slice": (1, 3, 512, 512),
        "ct_series_torchio": (1, 17, 128, 88),
        "dicomdir_study/98892001/CT5N": (1, 5, 16, 16),
        "mr_series_hippocampus_crop": (1, 32, 51, 35),
    }


def by_name(tree: Collection, end: str) -> np.ndarray:
    return tree.pixels(next(record for record in tree.records if record.name.endswith(end)))


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    # dcmj2pnm 3.6.7 (DCMTK) with +Wi 1 +on2, a PNG of 16 bits; for the overlay also -O
    [
        ("MR_small.dcm", (0, 10, 20), 21148),
        ("MR_small.dcm", (0, 33, 47), 65535),
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", (0, 400, 300), 13210),
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", (0, 500, 511), 1036),
        ("MR700/4528", (0, 3, 11), 18214),
        ("MR700/4528", (0, 12, 2), 33957),
        ("examples_overlay.dcm", (0, 211, 97), 10299),
        ("examples_overlay.dcm", (0, 40, 300), 6977),
        ("MR-SIEMENS-DICOM-WithOverlays.dcm", (0, 241, 97), 27077),
        ("bad_sequence.dcm", (0, 256, 256), 63281),
        ("bad_sequence.dcm", (0, 100, 307), 40935),
        ("16302.0.6", (0, 4, 15, 2), 28907),  # CT5N/2062, the highest of its series
    ],
)
def test_grey_scale_is_that_of_dcmtk(
    tree: Collection, name: str, place: tuple[int, ...], expected: int
) -> None:
    assert abs(int(by_name(tree, name)[place]) - expected) <= 1  # the last digit is rounded in another order


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    # dcmj2pnm 3.6.7 with +on2; frame 2 (+F 2) and frame 7 (+F 7) of the films
    [
        ("ExplVR_BigEnd.dcm", (30, 40), [255, 255, 0]),
        ("examples_palette.dcm", (33, 610), [37, 62, 94]),
        ("OBXXXX1A_rle_2frame.dcm", (1, 300, 400), [57, 96, 150]),
        ("examples_ybr_color.dcm", (6, 88, 201), [39, 39, 39]),
    ],
)
def test_colours_are_those_of_dcmtk(
    tree: Collection, name: str, place: tuple[int, ...], expected: list[int]
) -> None:
    pixels = by_name(tree, name)
    assert pixels.dtype == np.uint8
    assert pixels[(slice(None), *place)].tolist() == expected


def test_monochrome1_is_inverted_and_8_bits_stay_8_bits(tree: Collection) -> None:
    # dcmj2pnm 3.6.7 -W +on2, whose upper byte is the value; two decoders of lossy JPEG may differ by one
    inverted = by_name(tree, "rsna_chest_pa_jpegbaseline_monochrome1.dcm")
    assert inverted.dtype == np.uint8
    assert abs(int(inverted[0, 100, 611]) - 25344 // 256) <= 1
    assert abs(int(inverted[0, 500, 300]) - 40703 // 256) <= 1
    assert by_name(tree, "image_dfl.dcm")[0, 256, 100] == 35328 // 256


def test_rescale_and_window_by_hand(tree: Collection, shared_data: Path) -> None:
    # CR1/6154: stored v, rescale 0.684 v + 200, window 1600 / 2800, MONOCHROME1
    import pydicom

    stored = int(pydicom.dcmread(shared_data / "dicom/dicomdir_study/77654033/CR1/6154").pixel_array[3, 11])
    shown = ((0.684 * stored + 200) - (1600 - 0.5)) / (2800 - 1) + 0.5
    assert abs(int(by_name(tree, "CR1/6154")[0, 3, 11]) - 65535 * (1 - shown)) <= 1


def test_lossless_forms_of_one_image_are_one_image(tree: Collection, shared_data: Path) -> None:
    enhanced = {record.sha256 for record in tree.records if "emri_small" in record.name}
    assert len(enhanced) == 1
    folder = shared_data / "dicom" / "pydicom_misc"
    small = {
        opened(folder / f"MR_small{form}.dcm").records[0].sha256
        for form in ("", "_RLE", "_jp2klossless", "_jpeg_ls_lossless")
    }
    assert len(small) == 1


def test_twelve_bit_jpeg_is_read(tree: Collection) -> None:
    # dcmdjpeg (DCMTK 3.6.7): values 0 to 264, mean 14.37; the percentiles 0.5 and 99.5 become black and white
    pixels = by_name(tree, "JPEG-lossy.dcm")
    lossless = by_name(tree, "JPEG-LL.dcm")
    assert pixels.shape == lossless.shape == (1, 1024, 256)
    assert np.corrcoef(pixels.ravel(), lossless.ravel())[0, 1] > 0.98


def test_the_patient_and_the_machine_are_read(tree: Collection) -> None:
    record = next(
        record
        for record in tree.records
        if record.name.endswith("CT5N/1.3.6.1.4.1.5962.1.1.0.0.0.1194734704.16302.0.6")
    )
    assert (record.sex, record.age, record.modality) == ("M", 43.0, "CT")
    assert record.spacing_mm == (2.5, 0.488281, 0.488281)
    assert record.files[0].endswith("3353")  # the lowest slice, z = -1.2375 mm, comes first
    assert [file.rsplit("/", 1)[1] for file in record.files] == ["3353", "3023", "2693", "2392", "2062"]


def test_localizers_and_oblique_planes_are_flagged(tree: Collection) -> None:
    flags = {record.name: record.flags for record in tree.records}
    assert flags["dicomdir_study/98892001/CT2N/6293"] == ("localizer",)
    assert flags["dicomdir_study/98892003/MR700/4588"] == ("oblique",)
    assert flags["dicomdir_study/98892003/MR1/4919"] == ()


def test_a_dicomdir_names_its_files(shared_data: Path) -> None:
    found = opened(shared_data / "dicom" / "dicomdir_study" / "DICOMDIR")
    assert found.source == "dicom"
    assert found.notes == ("DICOMDIR names 31 files",)
    assert len({file for record in found.records for file in record.files}) == 27
    assert [one.name for one in found.refused] == [
        "77654033/CT2/1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.2"
    ]


def test_two_processes_give_what_one_gives(tree: Collection, shared_data: Path, tmp_path: Path) -> None:
    from iatros.core.context import Context
    from iatros.engines import open_engine

    engine = open_engine("processes", 2)
    try:
        found = opened(shared_data / "dicom", cache=tmp_path / "other", context=Context(engine=engine))
    finally:
        engine.close()
    assert found.records == tree.records
    assert found.refused == tree.refused
