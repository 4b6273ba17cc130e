"""Each test has a cache of its own, outside the folder that it reads."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IATROS_CACHE", str(tmp_path_factory.mktemp("pixels")))
