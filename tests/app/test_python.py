from __future__ import annotations

import inspect

import pytest

import iatros
from iatros.app.python import workbench
from iatros.core.errors import RequestError


@pytest.fixture
def door(clinic):
    from iatros import app

    return app.clinic


def test_the_signature_is_the_request(door, clinic):
    signature = inspect.signature(door.train)
    parameters = list(signature.parameters)
    fields = list(clinic.TrainRequest.model_fields)
    assert parameters[: len(fields)] == fields
    assert parameters[len(fields) :] == ["out", "overwrite", "resume", "engine", "workers", "progress"]
    assert signature.parameters["outcome"].default is inspect.Parameter.empty
    assert signature.parameters["factor"].default == 1.0
    assert signature.parameters["outcome"].kind is inspect.Parameter.KEYWORD_ONLY
    assert signature.parameters["table"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD


def test_the_docstring_names_every_argument(door):
    text = inspect.getdoc(door.train)
    assert text.startswith("Learn the mean of a column.")
    for name in inspect.signature(door.train).parameters:
        assert f"{name}" in text


def test_calls_with_every_kind_of_table(door, ages, tmp_path):
    import pandas as pd
    import polars as pl

    for number, table in enumerate([str(ages), ages, pl.read_csv(ages), pd.read_csv(ages), [{"age": 60}]]):
        result = door.train(table, outcome="age", out=tmp_path / f"b{number}")
        assert result["center"] == 60.0
    assert door.predict(tmp_path / "b0", [{"age": 1}])["predictions"] == [{"row": 0, "mean": 60.0}]
    assert (
        door.predict(table=[{"age": 1}], model=str(tmp_path / "b0"), factor=2)["predictions"][0]["mean"]
        == 120.0
    )


def test_wrong_fields_are_named_with_the_nearest_and_without_values(door, ages):
    with pytest.raises(RequestError, match="outcom is not known, did you mean outcome") as caught:
        door.train(ages, outcom="secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(RequestError, match="factor"):
        door.train(ages, outcome="age", factor=99)
    with pytest.raises(TypeError, match="takes 1 arguments"):
        door.train(ages, "age")
    with pytest.raises(TypeError, match="twice"):
        door.train(ages, table=ages, outcome="age")


def test_unknown_actions_and_domains_name_the_nearest(door):
    with pytest.raises(AttributeError, match="did you mean train"):
        door.trian  # noqa: B018
    with pytest.raises(AttributeError):
        door._hidden  # noqa: B018
    with pytest.raises(iatros.IatrosError, match="did you mean risk"):
        workbench("rsk")
    assert not hasattr(iatros.app, "no_such_domain")


def test_what_there_is_can_be_listed(door):
    assert dir(door) == ["evaluate", "explain", "predict", "recalibrate", "train"]
    assert "What is the mean?" in repr(door)
    assert {"clinic", "risk", "execute"} <= set(dir(iatros.app))


@pytest.mark.parametrize("name", iatros.__all__)
def test_every_public_name_is_there(name):
    assert getattr(iatros, name) is not None
    assert name in dir(iatros)


def test_other_names_are_not():
    with pytest.raises(AttributeError):
        iatros.no_such_name  # noqa: B018
