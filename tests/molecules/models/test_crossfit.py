from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from iatros.core.engine import SerialEngine
from iatros.core.errors import FitError, SplitError
from iatros.core.task import Target
from iatros.engines.processes import ProcessEngine
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.molecules.assay import Assay
from iatros.molecules.models.crossfit import cross_fit, grouped_folds
from iatros.molecules.models.forest import Forest, ForestParams


def small(y: list[float], groups: list[int] | None = None, task: str = "binary") -> Assay:
    n = len(y)
    classes = ("no", "yes") if task == "binary" else ()
    return Assay(
        Compounds(["C" * (at + 1) for at in range(n)]),
        np.array(y, dtype=float)[:, None],
        np.zeros((n, 1), dtype=np.int8),
        (Target("active", task, classes),),  # type: ignore[arg-type]
        np.arange(n) if groups is None else np.array(groups),
    )


def test_groups_stay_together_and_folds_are_alike() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 160, 700)
    y = (rng.random(700) < 0.12).astype(float)
    assay = small(y.tolist(), groups.tolist())
    fold = grouped_folds(assay, 5, 1)
    assert all(len(np.unique(fold[groups == group])) == 1 for group in np.unique(groups))
    assert np.bincount(fold).tolist() == pytest.approx([140] * 5, abs=6)
    assert np.bincount(fold, weights=y).tolist() == pytest.approx([y.sum() / 5] * 5, abs=2)
    np.testing.assert_array_equal(fold, grouped_folds(assay, 5, 1))
    assert (fold != grouped_folds(assay, 5, 2)).any()


def test_a_large_group_fills_a_fold_alone() -> None:
    groups = [0] * 50 + list(range(1, 51))
    fold = grouped_folds(small([0.0, 1.0] * 50, groups), 2, 0)
    assert len(np.unique(fold[:50])) == 1
    assert (fold[50:] != fold[0]).all()


def test_a_rare_class_is_spread_as_far_as_it_goes() -> None:
    y = [0.0] * 40
    for row in (3, 17, 29):
        y[row] = 1.0
    for seed in range(6):
        fold = grouped_folds(small(y), 5, seed)
        assert len(np.unique(fold[[3, 17, 29]])) == 3
        assert np.bincount(fold).tolist() == [8] * 5


def test_every_endpoint_has_its_share() -> None:
    rng = np.random.default_rng(4)
    first = small((rng.random(400) < 0.3).astype(float).tolist())
    second = (rng.random(400) < 0.1).astype(float)
    second[rng.random(400) < 0.5] = np.nan
    assay = replace(
        first,
        y=np.stack([first.y[:, 0], second], axis=1),
        bound=np.zeros((400, 2), dtype=np.int8),
        endpoints=first.endpoints * 2,
    )
    fold = grouped_folds(assay, 5, 0)
    for column in range(2):
        positives = np.bincount(fold[assay.y[:, column] == 1], minlength=5)
        assert positives.max() - positives.min() <= 3


def test_what_cannot_be_dealt_is_refused() -> None:
    with pytest.raises(SplitError, match="3 groups of compounds cannot fill 5 folds"):
        grouped_folds(small([0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2]), 5, 0)
    with pytest.raises(SplitError, match="class yes of active are all in one group"):
        grouped_folds(small([0, 0, 0, 0, 1, 1], [0, 1, 2, 3, 4, 4]), 2, 0)
    with pytest.raises(FitError, match="one class only of active"):
        grouped_folds(small([1, 1, 1, 1]), 2, 0)
    with pytest.raises(SplitError, match="two folds at least"):
        cross_fit(Forest(), small([0, 1, 0, 1]), np.zeros(4, dtype=int), 0, SerialEngine())
    with pytest.raises(SplitError, match="got 2 folds for 3"):
        cross_fit(Forest(), small([0, 1, 0, 1]), np.array([0, 1, 1]), 0, SerialEngine())


@dataclass(frozen=True)
class Recorder:
    """Stands for a model, to see what each fit is given; answers with the forest's stored form."""

    name: ClassVar[str] = "recorder"
    Params: ClassVar[Any] = ForestParams

    def prepare(self, compounds: Compounds) -> None:
        compounds.values(Fingerprint("maccs"))

    def fit(self, assay: Assay, *, seed: int) -> tuple[Any, dict[str, Any]]:
        computed = [one.kind for one in assay.compounds._all._computed]
        predictor, _ = Forest(ForestParams(n_estimators=10)).fit(assay, seed=seed)
        return predictor, {"learned": list(assay.compounds.smiles), "seed": seed, "computed": computed}


def test_no_fit_sees_its_fold_and_features_are_ready(make_assay) -> None:
    assay = make_assay("continuous")
    fold = grouped_folds(assay, 4, 0)
    bag, unseen, notes = cross_fit(Recorder(), assay, fold, 7, SerialEngine())
    smiles = np.array(assay.compounds.smiles)
    for at, told in enumerate(notes["fits"]):
        assert set(told["learned"]) == set(smiles[fold != at])
        assert told["computed"][0] == "maccs"
        np.testing.assert_array_equal(
            unseen[fold == at], bag.members[at].predict(assay.compounds.take(np.flatnonzero(fold == at)))
        )
    assert len({told["seed"] for told in notes["fits"]}) == 4
    assert notes["fold_sizes"] == np.bincount(fold).tolist()
    np.testing.assert_allclose(
        bag.predict(assay.compounds),
        np.mean([member.predict(assay.compounds) for member in bag.members], axis=0),
    )


def test_several_workers_give_the_same_bytes(make_assay) -> None:
    assay = make_assay("binary")
    fold = grouped_folds(assay, 3, 0)
    forest = Forest(ForestParams(n_estimators=10))
    serial = cross_fit(forest, assay, fold, 7, SerialEngine())
    engine = ProcessEngine(2)
    try:
        parallel = cross_fit(forest, assay, fold, 7, engine)
    finally:
        engine.close()
    assert serial[0].save() == parallel[0].save()
    np.testing.assert_array_equal(serial[1], parallel[1])
    assert serial[2] == parallel[2]
