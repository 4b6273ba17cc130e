from __future__ import annotations

import pytest
from pydantic import Field

from iatros.core.errors import RequestError
from iatros.core.registry import Registry
from iatros.learners.tabular.estimators import params as module
from iatros.learners.tabular.estimators.params import (
    ModelParams,
    check_overrides,
    parse_overrides,
    with_impute,
)
from iatros.risk.models import MODELS, resolve


class OrchardParams(ModelParams):
    members: tuple[str, ...] = ("forest", "logistic")
    member_params: dict[str, dict[str, object]] = Field(default_factory=dict)


class Orchard:
    Params = OrchardParams


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setattr(module, "Orchard", Orchard, raising=False)
    registry = Registry("model", group="iatros.tests.none")
    for name in ("logistic", "forest", "svm"):
        registry.add(name, MODELS.entry(name).target, "")
    registry.add("orchard", "iatros.learners.tabular.estimators.params:Orchard", "")
    return registry


def test_values_are_read_as_their_fields_kind(models: Registry) -> None:
    forest = parse_overrides("forest", ["forest.n_estimators=120", "forest.max_features=0.4"], models)
    assert (forest.n_estimators, forest.max_features) == (120, 0.4)
    assert parse_overrides("forest", ["forest.indicators=true"], models).indicators is True
    assert parse_overrides("svm", ["svm.kernel=poly", "svm.C=null"], models).kernel == "poly"
    assert parse_overrides("orchard", ["orchard.members=svm, forest"], models).members == ("svm", "forest")


def test_overrides_of_other_models_pass_unread(models: Registry) -> None:
    assert parse_overrides("logistic", ["forest.n_estimators=120"], models) == parse_overrides(
        "logistic", [], models
    )


def test_a_members_overrides_reach_the_model_that_holds_it(models: Registry) -> None:
    params = parse_overrides("orchard", ["forest.n_estimators=120", "svm.C=2"], models)
    assert params.member_params == {"forest": {"n_estimators": 120}}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("forest.n_estimatrs=5", "did you mean forest.n_estimators"),
        ("forest.colour=red", "known: "),
        ("forst.n_estimators=50", "did you mean forest"),
        ("forest.n_estimators=5", "greater than or equal to 10"),
        ("forest.n_estimators=many", "forest.n_estimators"),
        ("svm.kernel=callable", "'linear', 'rbf', 'poly' or 'sigmoid'"),
        ("logistic.splines=2", "3 to 7 knots"),
        ("logistic.impute=none", "'simple', 'iterative' or 'multiple'"),
        ("logistic.C=[1", "not valid JSON"),
        ("forest.n_estimators", "MODEL.NAME=VALUE"),
        ("n_estimators=10", "MODEL.NAME=VALUE"),
        ("forest.n_estimators=", "MODEL.NAME=VALUE"),
    ],
)
def test_a_wrong_override_says_what_is_allowed(models: Registry, override: str, said: str) -> None:
    model = override.split(".")[0].split("=")[0]
    with pytest.raises(RequestError) as caught:
        parse_overrides(model if model in models.names() else "forest", [override], models)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_even_a_wrong_override_of_another_model_is_refused(models: Registry) -> None:
    with pytest.raises(RequestError, match=r"did you mean forest\.n_estimators"):
        parse_overrides("logistic", ["forest.n_estimatrs=5"], models)


def test_an_override_that_no_trained_model_reads_is_refused(models: Registry) -> None:
    with pytest.raises(RequestError, match="svm is not trained"):
        check_overrides(["forest", "logistic"], ["svm.C=2"], models)
    assert check_overrides(["orchard"], ["forest.n_estimators=50"], models)["orchard"].member_params
    assert check_overrides(["forest"], ["forest.n_estimators=50"], models)["forest"].n_estimators == 50


def test_with_impute_asks_the_models_own_class(models: Registry) -> None:
    assert with_impute(parse_overrides("forest", [], models), "none").impute == "none"
    with pytest.raises(RequestError, match=r"logistic\.impute"):
        with_impute(parse_overrides("logistic", [], models), "none")


def test_resolve_names_each_model_once() -> None:
    assert resolve(["forest", "logistic", "forest"]) == ("forest", "logistic")
    assert set(resolve(["all"])) == set(MODELS.names())
