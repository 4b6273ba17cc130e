"""Answers about real series, and a judge of DICOM that is not ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from iatros.imaging.findings import Answer, Mask, Quantity, Software, TargetAnswer
from iatros.imaging.findings.source import header

RUN = "20261126T101010Z-0123456789ab"
SERIES = {
    "ct": "ct_series_dcmqi_3slice/0*.dcm",
    "ct_small": "ct_series_torchio/*.dcm",
    "mr": "mr_series_hippocampus_crop/*.dcm",
    "chest": "cr_chest/*monochrome1.dcm",
    "cr": "dicomdir_study/77654033/CR1/6154",
    "ultrasound": "pydicom_misc/US1_J2KR.dcm",
}


@pytest.fixture(scope="session")
def datasets(shared_data: Path) -> Callable[[str], list[Any]]:
    """The instances of a real series without pixels, sorted by position."""

    def read(name: str) -> list[Any]:
        files = sorted((shared_data / "dicom").glob(SERIES[name]))
        assert files
        found = [pydicom.dcmread(file, stop_before_pixels=True) for file in files]
        return sorted(found, key=lambda one: float(one.get("ImagePositionPatient", [0, 0, 0])[2]))

    return read


@pytest.fixture(scope="session")
def answer(datasets: Callable[[str], list[Any]]) -> Callable[[str], Answer]:
    """An answer about a real series, with a lopsided mask, two targets, a quantity and a remark."""

    def made(name: str) -> Answer:
        sources = tuple(header(one) for one in datasets(name))
        shape = (len(sources), int(sources[0].Rows), int(sources[0].Columns))
        mask = np.zeros(shape, dtype=np.uint8)
        mask[0, 3:9, 4:16] = 1
        mask[-1, 20:23, 7:9] = 2
        return Answer(
            record=f"ward/{name}",
            record_sha256="ab" * 32,
            run_id=RUN,
            at=datetime(2026, 11, 26, 10, 10, 10, tzinfo=UTC),
            software=Software("resnet", "chest-bundle", "cd" * 32, "0.1.0"),
            targets=(
                TargetAnswer(
                    "pneumonia",
                    "binary",
                    ("normal", "pneumonia"),
                    (0.125, 0.875),
                    confidence_level=0.9,
                    conformal_set=("pneumonia",),
                    threshold=0.4,
                ),
                TargetAnswer(
                    "Größe des Herdes im linken Unterlappen",
                    "continuous",
                    value=61.25,
                    unit="mm",
                    confidence_level=0.9,
                    interval=(55.0, 68.5),
                ),
            ),
            quantities=(Quantity("volume of anterior", 12.5, "mL", "millilitre"),),
            sources=sources,
            flags=("motion in two slices",),
            overlay=np.random.default_rng(5).integers(0, 255, (61, 88, 3)).astype(np.uint8),
            overlay_method="gradcam++",
            mask=Mask(mask, ("anterior", "posterior")),
            key_slices=(len(sources) - 1,),
        )

    return made


@pytest.fixture(scope="session")
def dicom_errors(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], list[str]]:
    """The lines that dciodvfy (dicom3tools) calls errors in an object."""
    program = shutil.which("dciodvfy")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("dicom3tools must be installed in CI")
        pytest.skip("dciodvfy (dicom3tools) is not installed")
    folder = tmp_path_factory.mktemp("verify")

    def errors(content: bytes) -> list[str]:
        path = folder / "object.dcm"
        path.write_bytes(content)
        run = subprocess.run([program, str(path)], capture_output=True, text=True, timeout=60)
        lines = (run.stdout + run.stderr).splitlines()
        assert lines, "dciodvfy says at least which kind of object it saw"
        return [line for line in lines if line.startswith("Error")]

    return errors
