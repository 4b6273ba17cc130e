from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from iatros.app.domains import domains
from iatros.app.models import extras, list_models, show_model, version_of
from iatros.app.plain import dumps, plain
from iatros.app.system import describe_system, has_bf16
from iatros.core.errors import RequestError, UnknownNameError

MODELS = [(domain.name, name) for domain in domains() for name in domain.models.names()]


def test_every_model_is_listed():
    assert [(one["domain"], one["name"]) for one in list_models()] == MODELS


@pytest.mark.parametrize(("domain", "name"), MODELS)
def test_every_model_is_shown_with_described_parameters(domain, name):
    shown = show_model(name, domain)
    assert shown["domain"] == domain
    assert shown["parameters"] or name in ("previous", "frequency")
    for parameter in shown["parameters"]:
        assert parameter["description"], parameter["name"]
    dumps(shown)


def test_a_model_that_two_domains_have_must_be_told_apart(clinic, monkeypatch):
    monkeypatch.setitem(clinic.MODELS._entries, "forest", clinic.MODELS.entry("mean"))
    with pytest.raises(RequestError, match="--domain"):
        show_model("forest")
    assert show_model("forest", "risk")["domain"] == "risk"
    assert show_model("forest", "clinic")["parameters"] == []
    with pytest.raises(UnknownNameError, match="did you mean clinic"):
        show_model("forest", "clinc")
    with pytest.raises(UnknownNameError, match="did you mean forest"):
        show_model("forrest")


def test_extras_are_those_of_the_project_file():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    declared = project["optional-dependencies"]
    if not extras():
        pytest.skip("iatros is not installed as a package here")
    for extra, packages in extras().items():
        names = [requirement.split(">")[0].split("<")[0] for requirement in declared[extra]]
        assert packages == [name for name in names if not name.startswith("iatros")]


def test_versions_are_read_without_importing():
    assert version_of("numpy")
    assert version_of("no-such-package-at-all") is None


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx2", False), ("", False)],
)
def test_bf16_is_read_off_the_flags(tmp_path, flags, expected):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    assert has_bf16(tmp_path / "cpuinfo") is expected
    assert has_bf16(tmp_path / "absent") is None


def test_the_system_is_described():
    found = describe_system()
    assert found["cores"] >= 1
    assert found["folders"]["home"]["from"] == "IATROS_HOME"
    assert found["folders"]["data"]["writable"] is True
    dumps(found)


def test_plain_values():
    import numpy as np

    value = {
        1: np.float64("nan"),
        "b": np.arange(2),
        "c": (np.int64(3), np.bool_(True)),
        "d": Path("x"),
        "e": np.inf,
    }
    assert plain(value) == {"1": None, "b": [0, 1], "c": [3, True], "d": "x", "e": None}
    assert dumps({"naïve": float("inf")}) == '{"naïve": null}'
    with pytest.raises(TypeError, match="set"):
        plain({"a": {1, 2}})
