"""The part that asks a trained model: what `predict` says, the domain, endpoints, and bundles of other kinds."""

from __future__ import annotations

import math
import pickle
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.molecules.series import compounds

from iatros.app import execute
from iatros.core.context import Context
from iatros.core.errors import BundleError, IatrosError, InputError, RequestError, UnknownNameError
from iatros.molecules.objectives import activity
from iatros.molecules.objectives.checking import check
from iatros.molecules.objectives.reading import load_objective
from iatros.molecules.prediction import predict
from iatros.molecules.requests import PredictRequest, TrainRequest
from iatros.molecules.scoring import ActivityModel

SMILES = ["CCc1ccccc1", "CCOc1ccccc1", "C[NH2+]C1CCOCC1", "CCCCCCCCCCCCCCCCCCCCBr", "[Na+].[Cl-]"]
"""Two like the training compounds, one that is neutralised, one unlike all of them, and one without an organic part."""
SIGMOID = {"kind": "sigmoid", "low": 5, "high": 8}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle of two endpoints that are numbers, and one of classes."""
    folder = tmp_path_factory.mktemp("bundles")
    quick: dict[str, Any] = {"inner_folds": 2, "y_scrambling": 0, "validation": "random", "model": "forest"}
    param = ("forest.n_estimators=10", "forest.n_bits=256")
    rows = [{**row, "z": 10 - row["y"]} for row in compounds()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IATROS_HOME", str(folder / "home"))
        for name, outcome in (("numbers", "y,z"), ("classes", "active")):
            request = TrainRequest(compounds=rows, outcome=outcome, param=param, **quick)
            execute("molecules", "train", request, out=folder / name, engine="serial")
    return folder


@pytest.fixture
def numbers(bundles: Path) -> Callable[..., Any]:
    """An objective about the first endpoint of numbers."""

    def made(**fields: Any) -> Any:
        part = {"activity": "numbers", "endpoint": "y", "transform": SIGMOID, **fields}
        return load_objective({"parts": [part]}, folder=bundles)

    return made


def test_values_intervals_and_domain_are_those_of_predict(bundles: Path, numbers: Callable[..., Any]) -> None:
    asked = predict(PredictRequest(model=bundles / "numbers", compounds=SMILES[:4]), Context()).result[
        "predictions"
    ]
    scored = numbers(domain="ignore").score(SMILES[:4])
    for row, one in zip(asked, scored, strict=True):
        assert one.values["y"] == pytest.approx(row["y_prediction"], abs=1e-9)
        assert one.values["y low"] == pytest.approx(row["y_low"], abs=1e-9)
        assert one.values["y high"] == pytest.approx(row["y_high"], abs=1e-9)
        assert one.values["y in domain"] == row["in_domain"]
        assert one.values["y similarity"] == pytest.approx(row["similarity"], abs=1e-9)
        assert one.score == pytest.approx(one.parts["y"])


def test_what_lies_outside_the_domain(numbers: Callable[..., Any]) -> None:
    inside, _, _, outside, salt = numbers().score(SMILES)
    assert inside.values["y in domain"] == 1.0
    assert inside.score > 0.0
    assert outside.values["y in domain"] == 0.0
    assert (outside.score, outside.reason.partition(": ")[0]) == (0.0, "outside the domain of y")
    assert outside.parts["y"] > 0.0
    assert salt.reason == "the model cannot read it: no organic fragment"
    assert math.isnan(salt.values["y"])
    ignored = numbers(domain="ignore").score(SMILES)[3]
    weighed = numbers(domain="weigh", outside=0.25).score(SMILES)[3]
    assert weighed.score == pytest.approx(0.25 * ignored.score)
    assert not ignored.reason
    assert not weighed.reason


def test_the_careful_end_of_the_interval_can_be_taken(numbers: Callable[..., Any]) -> None:
    values = [
        numbers(use=use, domain="ignore").score(SMILES[:1])[0].values["y"] for use in ("low", "value", "high")
    ]
    assert values == sorted(values)
    assert values[0] < values[2]


def test_classes_give_a_probability_and_need_no_transform(bundles: Path) -> None:
    made = load_objective({"parts": [{"activity": "classes", "domain": "ignore"}]}, folder=bundles)
    scored = made.score(SMILES[:3])
    assert all(0.0 <= one.values["active"] <= 1.0 for one in scored)
    assert [one.score for one in scored] == pytest.approx([one.values["active"] for one in scored])
    assert "active low" not in scored[0].values


def test_a_model_is_asked_once_for_all_parts(bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()
    answer = ActivityModel.answer

    def counting(self: ActivityModel, asked: Any) -> Any:
        calls["asked"] += 1
        calls["compounds"] += len(asked)
        return answer(self, asked)

    monkeypatch.setattr(ActivityModel, "answer", counting)
    parts = [
        {"activity": "numbers", "endpoint": "y", "transform": SIGMOID},
        {"activity": "numbers", "endpoint": "z", "transform": SIGMOID},
        {"activity": "numbers", "endpoint": "y", "transform": SIGMOID, "use": "low"},
        {"property": "qed"},
    ]
    made = load_objective({"parts": parts}, folder=bundles)
    assert [part.name for part in made.parts] == ["y", "z", "y 2", "qed"]
    made.score(SMILES[:3])
    assert calls == {"asked": 1, "compounds": 3}


def test_workers_open_the_model_for_themselves(numbers: Callable[..., Any]) -> None:
    made = numbers()
    sent = pickle.dumps(made)
    activity._model.cache_clear()
    assert repr(pickle.loads(sent).score(SMILES)) == repr(made.score(SMILES))
    assert len(sent) < 3000


def test_a_compound_scores_the_same_in_any_company(numbers: Callable[..., Any]) -> None:
    together = numbers().score(SMILES)
    alone = [one for smiles in reversed(SMILES) for one in numbers().score([smiles])]
    assert [one.score for one in together] == pytest.approx([one.score for one in reversed(alone)], abs=1e-12)
    assert numbers().score([]) == []


def test_the_objective_tells_which_bundle_it_asks(bundles: Path, numbers: Callable[..., Any]) -> None:
    (told,) = numbers().document()["parts"]
    assert (told["activity"], told["endpoint"]) == ("numbers", "y")
    again = load_objective({"parts": [told]}, folder=bundles)
    assert repr(again.score(SMILES)) == repr(numbers().score(SMILES))
    with pytest.raises(InputError, match="another one than bundle_sha256 says"):
        load_objective({"parts": [{**told, "bundle_sha256": "0" * 64}]}, folder=bundles)


def test_the_domain_counts_as_a_constraint(numbers: Callable[..., Any]) -> None:
    found = check(numbers(), ["CCCCCCCCCCCCCCCCCCCCBr", "CCCCCCCCCCCCCCCCCCCCCBr"])
    assert found.problems == ("no one of 2 compounds meets the constraint: the domain of y",)


@pytest.mark.parametrize(
    ("part", "kind", "said"),
    [
        (
            {"activity": "numbers", "transform": SIGMOID},
            InputError,
            "the model has several endpoints: y, z; name one",
        ),
        (
            {"activity": "numbers", "endpoint": "w", "transform": SIGMOID},
            UnknownNameError,
            "no endpoint is called 'w'",
        ),
        ({"activity": "numbers", "endpoint": "y"}, RequestError, "a transform is needed to say which values"),
        ({"activity": "classes", "use": "low"}, RequestError, "a probability and no interval"),
        ({"activity": "classes", "outside": 0.1}, RequestError, "outside is the factor of domain: weigh"),
        (
            {"activity": "classes", "domain": "maybe"},
            RequestError,
            "domain: .*'require', 'weigh' or 'ignore'",
        ),
        ({"activity": "nothing"}, UnknownNameError, "nothing"),
    ],
)
def test_errors_name_the_part(
    bundles: Path, part: dict[str, Any], kind: type[IatrosError], said: str
) -> None:
    with pytest.raises(kind, match=said) as error:
        load_objective({"parts": [part]}, folder=bundles)
    assert f"part 1 (activity: {part['activity']})" in (error.value.where or "")


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (
            {"domain": "molecules", "question": "affinity", "endpoints": []},
            "pairs of a compound and a protein",
        ),
        ({"domain": "molecules", "question": "generation"}, "holds a generator"),
        ({"domain": "risk"}, "answers questions of risk"),
        (
            {
                "domain": "molecules",
                "endpoints": [
                    {"name": "kind", "task": "multiclass", "classes": ["a", "b", "c"], "unit": None}
                ],
            },
            "the endpoint kind is of 3 classes, which are no number to optimise",
        ),
    ],
)
def test_bundles_of_other_kinds_are_refused(
    manifest: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = SimpleNamespace(manifest=manifest, manifest_sha256="0", name="other", path=tmp_path)
    monkeypatch.setattr(activity, "open_bundle", lambda _: bundle)
    with pytest.raises(BundleError, match=said):
        load_objective({"parts": [{"activity": "other", "transform": SIGMOID}]}, folder=tmp_path)


def test_a_bundle_that_is_replaced_is_noticed(bundles: Path, tmp_path: Path) -> None:
    shutil.copytree(bundles / "classes", tmp_path / "mine")
    made = load_objective({"parts": [{"activity": "mine"}]}, folder=tmp_path)
    shutil.rmtree(tmp_path / "mine")
    shutil.copytree(bundles / "numbers", tmp_path / "mine")
    activity._model.cache_clear()
    activity._rules.cache_clear()
    with pytest.raises(InputError, match="was replaced"):
        made.score(SMILES)
