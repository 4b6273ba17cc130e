"""Fixtures that any test may use."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: a gzip holds the time, and both processes of a run must name a test alike."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real public data that lies beside the checkout; absent it, skip (but never in CI)."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail("the folder shared/data must lie beside the checkout in CI")
        pytest.skip("the folder shared/data does not lie beside the checkout")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the run log and the data cache of tests out of the user's home."""
    monkeypatch.setenv("IATROS_HOME", str(tmp_path / "iatros-home"))
    monkeypatch.setenv("IATROS_DATA", str(tmp_path / "iatros-data"))


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The module `clinic`, registered as a domain; the working directory is the test's own."""
    from iatros.app.domains import DOMAINS

    monkeypatch.syspath_prepend(str(Path(__file__).parent / "app"))
    monkeypatch.setitem(DOMAINS, "clinic", "clinic:DOMAIN")
    monkeypatch.chdir(tmp_path)
    import clinic

    clinic.CALLS.clear()
    return clinic


@pytest.fixture
def ages(tmp_path: Path) -> Path:
    """Three patients in a file."""
    path = tmp_path / "ages.csv"
    path.write_text("name,age\n=cmd(),40\nBo,50\n-5,90\n")
    return path


@pytest.fixture
def bundle(clinic: Any, ages: Path, tmp_path: Path) -> Path:
    """A bundle whose mean is 60."""
    from iatros.app import execute

    out = tmp_path / "models" / "mean"
    execute("clinic", "train", clinic.TrainRequest(table=ages, outcome="age"), out=out)
    return out
