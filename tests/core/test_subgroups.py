"""Subgroups: the levels' metrics, suppression of small ones, and the gap."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.metrics import evaluate
from iatros.core.subgroups import MAIN_METRICS, age_band, subgroup_metrics
from iatros.core.task import Target

BINARY = Target("death", "binary", ("no", "yes"))
DOSE = Target("dose", "continuous", unit="mg")


def _sample(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The model knows nothing of women and is calibrated in men."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], size=n, p=[0.3, 0.7])
    p = rng.beta(1.5, 3, size=n)
    y = (rng.random(n) < np.where(sex == "m", p, 1 / 3)).astype(int)
    return y, p, sex


def test_each_level_equals_evaluating_it_alone() -> None:
    y, p, sex = _sample()
    answer = subgroup_metrics(BINARY, y, p, {"sex": sex}, threshold=0.3, seed=2)["sex"]
    for level in ("f", "m"):
        rows = sex == level
        alone = evaluate(BINARY, y[rows], p[rows], threshold=0.3, n_bootstrap=200, seed=2)
        shown = answer["levels"][level]
        assert (shown["n"], shown["n_events"]) == (rows.sum(), y[rows].sum())
        assert shown["metrics"] == {name: alone[name].document() for name in MAIN_METRICS["binary"]}


def test_gap_finds_the_group_the_model_fails() -> None:
    y, p, sex = _sample(2000)
    gap = subgroup_metrics(BINARY, y, p, {"sex": sex})["sex"]["gap"]
    assert (gap["auroc"]["best"], gap["auroc"]["worst"]) == ("m", "f")
    assert 0 < gap["auroc"]["low"] < gap["auroc"]["value"] < gap["auroc"]["high"]
    assert gap["calibration_slope"]["worst"] == "f"
    assert gap["brier"]["value"] > 0


def test_gap_between_equal_groups_includes_zero() -> None:
    y, p, _ = _sample(1500)
    coin = np.random.default_rng(9).choice(["a", "b"], 1500)
    gap = subgroup_metrics(DOSE, y + p, p, {"coin": coin})["coin"]["gap"]["mae"]
    assert gap["low"] < 0.02
    assert gap["value"] < 0.05


def test_small_levels_are_suppressed_without_their_size_and_never_compared() -> None:
    y, p, sex = _sample()
    labels = sex.astype(object)
    labels[:7] = "x"
    answer = subgroup_metrics(BINARY, y, p, {"sex": labels}, min_size=20)["sex"]
    assert answer["levels"]["x"] == {"n": None, "n_events": None, "metrics": {}, "suppressed": True}
    assert all("x" not in (entry["best"], entry["worst"]) for entry in answer["gap"].values())
    repeated = subgroup_metrics(
        BINARY,
        np.repeat(y[:10], 9),
        np.repeat(p[:10], 9),
        {"all": np.repeat("a", 90)},
        groups=np.repeat(np.arange(10), 9),
    )
    assert repeated["all"]["levels"]["a"]["suppressed"]
    assert repeated["all"]["gap"] == {}


def test_missing_labels_are_a_level_of_their_own_outside_the_gap() -> None:
    y, p, sex = _sample()
    labels = sex.astype(object)
    labels[:30], labels[30:60] = None, float("nan")
    answer = subgroup_metrics(BINARY, y, p, {"sex": labels})["sex"]
    assert answer["levels"]["missing"]["n"] == 60
    assert all("missing" not in (entry["best"], entry["worst"]) for entry in answer["gap"].values())


def test_a_level_with_one_class_has_no_auroc_and_the_others_are_compared() -> None:
    y, p, _ = _sample()
    labels = np.repeat(["a", "b", "c"], 200)
    y[labels == "a"] = 0
    answer = subgroup_metrics(BINARY, y, p, {"ward": labels})["ward"]
    assert answer["levels"]["a"]["metrics"]["auroc"]["value"] is None
    assert {answer["gap"]["auroc"]["best"], answer["gap"]["auroc"]["worst"]} == {"b", "c"}


def test_age_bands() -> None:
    ages = np.array([0, 39.99, 40, 49.5, 59, 60, 79.9, 80, 104, np.nan])
    expected = ["<40", "<40", "40-49", "40-49", "50-59", "60-69", "70-79", ">=80", ">=80", None]
    assert age_band(ages).tolist() == expected
    assert age_band(np.empty(0)).size == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_same_seed_same_answer(seed: int) -> None:
    y, p, sex = _sample(200)
    first = subgroup_metrics(BINARY, y, p, {"sex": sex}, seed=seed, n_bootstrap=40)
    assert first == subgroup_metrics(BINARY, y, p, {"sex": sex}, seed=seed, n_bootstrap=40)
