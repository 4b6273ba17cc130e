"""Compiled loops: kept where they can be, working where they cannot, and a missing package named."""

from __future__ import annotations

import builtins
import importlib
import sys
from typing import Any

import numba
import numpy as np
import pytest

from iatros.core.errors import MissingExtraError
from iatros.learners.compounds import compiled, loops


def test_loops_are_kept_on_disk() -> None:
    assert type(loops.scan._cache).__name__ == "FunctionCache"  # type: ignore[attr-defined]


def test_an_installation_that_cannot_be_written_compiles_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    real = numba.njit

    def njit(*functions: Any, **options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(*functions, **options)

    monkeypatch.setattr(numba, "njit", njit)
    doubled = compiled.compiled(_doubled)
    monkeypatch.undo()
    assert doubled(np.array([1, 4])).tolist() == [2, 8]


def _doubled(values: np.ndarray) -> np.ndarray:
    return values * 2


def test_a_missing_numba_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "numba":
            raise ImportError("No module named 'numba'")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "iatros.learners.compounds.compiled")
    with pytest.raises(MissingExtraError, match=r"iatros\[molecules\]"):
        importlib.import_module("iatros.learners.compounds.compiled")
