"""The ensemble: weights that a search confirms, folds by what the answer is for, and the contract."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tests.treatment.models.matrices import check_contract, error, simulated, split

from iatros.core.errors import RequestError, SplitError
from iatros.treatment.models.ensemble import (
    Ensemble,
    EnsembleParams,
    inner_folds,
    least_squares_weights,
    likeliest_weights,
    members_for,
)
from iatros.treatment.models.factors import Svd
from iatros.treatment.models.implicit import Als, AlsParams
from iatros.treatment.models.knn import Knn
from iatros.treatment.responses.schema import Block, Features, Outcome, Responses

USUAL = ("baseline", "knn", "svd")
FAST = {"svd": {"n_sweeps": 8, "n_factors": 4}}


@pytest.mark.parametrize("outcome", ["continuous", "binary"])
def test_the_contract(outcome: Outcome) -> None:
    check_contract(Ensemble(EnsembleParams(members=USUAL, n_folds=2, member_params=FAST)), simulated(outcome))


def _grid() -> np.ndarray:
    steps = np.linspace(0.0, 1.0, 51)
    return np.array([(a, b, 1.0 - a - b) for a, b in product(steps, steps) if a + b <= 1.0 + 1e-9])


@pytest.mark.parametrize("seed", range(4))
def test_weights_have_the_least_squared_error_of_all_on_a_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.normal(5.0, 2.0, 80)
    said = (
        y[:, None]
        + rng.normal(0.0, [1.0, 1.5, 4.0], (80, 3))
        + rng.normal(0.0, 1.0, (80, 1))
        + [0.3, -0.5, 2.0]
    )
    weights = least_squares_weights(said, y)
    assert weights.sum() == pytest.approx(1.0)
    assert weights.min() >= 0.0
    errors = ((said @ _grid().T - y[:, None]) ** 2).mean(axis=0)
    assert ((said @ weights - y) ** 2).mean() <= errors.min() + 1e-12
    assert ((said @ weights - y) ** 2).mean() == pytest.approx(errors.min(), rel=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_weights_have_the_least_cross_entropy_of_all_on_a_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    likely = rng.random(150)
    y = (rng.random(150) < likely).astype(float)
    said = np.clip(likely[:, None] + rng.normal(0.0, [0.2, 0.3, 0.9], (150, 3)), 0.02, 0.98)

    def loss(weights: np.ndarray) -> np.ndarray:
        mean = said @ weights.T
        return -np.log(np.where(y[:, None] > 0.5, mean, 1.0 - mean)).mean(axis=0)

    weights = likeliest_weights(said, y)
    assert weights.sum() == pytest.approx(1.0)
    assert loss(weights[None])[0] <= loss(_grid()).min() + 1e-6


def test_the_members_follow_what_is_known_and_how_much_there_is() -> None:
    responses = simulated()
    assert members_for(responses) == (*USUAL, "kernel")
    described = replace(
        responses, of_subjects=Features(np.zeros((responses.shape[0], 1)), (Block("x", "numbers", 0, 1),))
    )
    assert members_for(described) == (*USUAL, "kernel", "neural")
    many = replace(described, subjects=tuple(map(str, range(200_000))), of_subjects=None, of_treatments=None)
    assert members_for(many) == USUAL


def test_members_without_an_error_share_the_weight() -> None:
    y = np.array([1.0, 2.0, 4.0])
    np.testing.assert_allclose(least_squares_weights(np.column_stack([y, y]), y), [0.5, 0.5])


def test_it_is_about_as_good_as_its_best_member() -> None:
    responses = simulated()
    train, unseen = split(responses)
    learned = responses.take(train)
    fitted, notes = Ensemble(EnsembleParams(members=USUAL)).fit(learned, newness="pairs", seed=0)
    each = [kind().fit(learned, newness="pairs", seed=0)[0] for kind in (Knn, Svd)]
    assert error(fitted, responses, unseen) < 1.03 * min(error(one, responses, unseen) for one in each)
    assert list(notes["weights"]) == ["baseline", "knn", "svd"]
    assert notes["weights"]["svd"] > 0.5
    assert notes["members"]["svd"]["n_factors"] >= 2


def test_folds_hold_whole_subjects_or_treatments_or_later_responses() -> None:
    responses = simulated()
    assert len(np.unique(inner_folds(responses, "pairs", 4, 0))) == 4
    for newness, of in (("subjects", responses.subject), ("treatments", responses.treatment)):
        fold = inner_folds(responses, newness, 4, 0)  # type: ignore[arg-type]
        assert len(np.unique(fold)) == 4
        assert len(np.unique(np.column_stack([of, fold]), axis=0)) == len(np.unique(of))
    fold, time = inner_folds(responses, "time", 3, 0), responses.time
    assert time is not None
    assert sorted(np.unique(fold)) == [0, 1, 2, 3]
    assert all(time[fold == number].max() < time[fold == number + 1].min() for number in range(3))


@pytest.mark.parametrize("newness", ["subjects", "treatments", "time"])
def test_it_learns_for_each_newness(newness: str) -> None:
    params = EnsembleParams(members=("baseline", "svd"), n_folds=2, member_params=FAST)
    _, notes = Ensemble(params).fit(simulated(), newness=newness, seed=0)  # type: ignore[arg-type]
    assert sum(notes["weights"].values()) == pytest.approx(1.0)


def test_responses_without_different_times_are_refused() -> None:
    responses = simulated()
    same = Responses(
        responses.subjects, responses.treatments, responses.subject, responses.treatment, responses.y
    )
    with pytest.raises(RequestError, match="have no time"):
        inner_folds(same, "time", 3, 0)
    at_once = Responses(responses.subjects, responses.treatments, responses.subject, responses.treatment, responses.y,
                        "continuous", np.zeros(len(responses)))  # fmt: skip
    with pytest.raises(SplitError, match="too few different times"):
        inner_folds(at_once, "time", 3, 0)


def test_members_are_checked() -> None:
    for members in (("svd", "svd"), ("svd", "ensemble"), ("svd",)):
        with pytest.raises(ValidationError):
            EnsembleParams(members=members)
    with pytest.raises(RequestError, match="nmf"):
        Ensemble(EnsembleParams(member_params={"nmf": {}})).fit(simulated(), newness="pairs", seed=0)
    with pytest.raises(RequestError, match="als learns implicit outcomes"):
        Ensemble(EnsembleParams(members=("als", "svd"))).fit(simulated(), newness="pairs", seed=0)


ANSWER = """
import json, pathlib, sys
import numpy as np
from iatros.treatment.responses.estimator import load_predictor
from iatros.treatment.responses.schema import Ask, Subjects, Treatments
folder = pathlib.Path(sys.argv[1])
document = json.loads((folder / "document.json").read_text())
predictor = load_predictor(document, lambda name: (folder / name).read_bytes())
new = Subjects(np.array([-1, 3]), np.array([0, 2, 2]), np.array([0, 5]), np.array([1.0, 1.0]))
answer = predictor.predict(Ask.every(new, Treatments(np.array([0, 7, -1]))))
assert np.isfinite(answer).all()
heavy = ("torch", "pandas", "sklearn", "scipy.optimize", "implicit", "lightgbm")
print([name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize("stored", ["ensemble", "als"])
def test_answering_needs_neither_what_fitting_needs_nor_the_models_that_are_not_there(
    tmp_path: Path, stored: str
) -> None:
    if stored == "als":
        fitted: Any = Als(AlsParams(n_sweeps=2)).fit(simulated("implicit"), newness="pairs", seed=0)[0]
    else:
        members = ("baseline", "knn", "svd++", "nmf")
        fitted, _ = Ensemble(EnsembleParams(members=members, n_folds=2)).fit(
            simulated(), newness="pairs", seed=0
        )
    document, files = fitted.save()
    (tmp_path / "document.json").write_text(json.dumps(document))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    ran = subprocess.run(
        [sys.executable, "-c", ANSWER, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "[]"
