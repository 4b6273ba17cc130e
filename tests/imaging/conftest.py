"""One small trained bundle for the tests that only ask it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from iatros.app import execute
from iatros.imaging.requests import TrainRequest
from iatros.imaging.simulation import write_radiographs


class Trained(NamedTuple):
    """A bundle, the result of its training, and the images that it was trained on."""

    bundle: Path
    result: dict[str, Any]
    manifest: Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The baseline network after a few epochs on 320 simulated radiographs of 32 px."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IATROS_HOME", str(folder / "home"))
        patch.setenv("IATROS_CACHE", str(folder / "cache"))
        manifest = write_radiographs(folder / "radiographs", n=320, size=32, seed=7)
        request = TrainRequest(
            images=manifest, positive="lesion", model=("cnn",), epochs=6, explain="gradcam", subgroup=("sex",)
        )
        result = execute("imaging", "train", request, out=folder / "bundle", engine="serial")
    return Trained(folder / "bundle", result, manifest)
