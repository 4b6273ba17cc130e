"""The registry: nothing imported before it is asked for, a name once, a miss with suggestions."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from iatros.core import registry as module
from iatros.core.errors import MissingExtraError, RequestError, UnknownNameError
from iatros.core.registry import Entry, Registry


def make() -> Registry:
    registry = Registry("model", group="iatros.test.nothing")
    registry.add("fractions", "fractions:Fraction", "exact ratios")
    registry.add("absent", "iatros_no_such_package.deep:Thing", "needs a package", extra="risk")
    return registry


def test_order_entries_and_loading() -> None:
    from fractions import Fraction

    registry = make()
    assert registry.names() == ["fractions", "absent"]
    assert registry.entry("fractions") == Entry("fractions", "fractions:Fraction", "exact ratios", None)
    assert [entry.summary for entry in registry] == ["exact ratios", "needs a package"]
    assert registry.load("fractions") is Fraction


def test_a_name_twice_is_refused() -> None:
    with pytest.raises(RequestError, match="'fractions' is taken by fractions:Fraction"):
        make().add("fractions", "x:Y", "again")


def test_a_miss_suggests() -> None:
    with pytest.raises(UnknownNameError, match="did you mean fractions"):
        make().load("fraction")


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(
        MissingExtraError, match=r"needs the package iatros_no_such_package; pip install 'iatros\[risk\]'"
    ):
        make().load("absent")


def test_a_broken_import_without_an_extra_is_not_hidden() -> None:
    registry = Registry("model", group="iatros.test.nothing")
    registry.add("broken", "iatros_no_such_package:Thing", "x")
    with pytest.raises(ModuleNotFoundError):
        registry.load("broken")
    registry.add("wrong", "fractions:NoSuchClass", "x")
    with pytest.raises(AttributeError):
        registry.load("wrong")


def test_nothing_is_imported_until_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "iatros_lazy_model.py").write_text("class Model: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry("model", group="iatros.test.nothing")
    registry.add("lazy", "iatros_lazy_model:Model", "x")
    registry.names()
    registry.entry("lazy")
    assert "iatros_lazy_model" not in sys.modules
    assert registry.load("lazy").__name__ == "Model"


def test_other_packages_add_theirs_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [metadata.EntryPoint("theirs", "fractions:Fraction", "iatros.test.models")]
    asked: list[str] = []

    def entry_points(*, group: str) -> list[metadata.EntryPoint]:
        asked.append(group)
        return points

    monkeypatch.setattr(module.metadata, "entry_points", entry_points)
    registry = Registry("model", group="iatros.test.models")
    registry.add("ours", "decimal:Decimal", "x")
    assert asked == []
    assert registry.names() == ["ours", "theirs"]
    assert registry.load("theirs").__name__ == "Fraction"
    assert asked == ["iatros.test.models"]
    taken = Registry("model", group="iatros.test.models")
    taken.add("theirs", "decimal:Decimal", "x")
    with pytest.raises(RequestError, match="taken"):
        taken.names()
