"""The domain of these tests, beside the real ones."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The module `clinic`, registered as a domain; the working directory is the test's own."""
    from iatros.app.domains import DOMAINS

    monkeypatch.syspath_prepend(str(HERE))
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
