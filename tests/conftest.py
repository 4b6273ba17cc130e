"""Fixtures that any test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


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
