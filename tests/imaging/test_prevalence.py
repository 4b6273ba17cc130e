"""Prevalence between sides: published intervals, a test by another library, Bayes by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ttest_ind

from iatros.core.errors import InputError
from iatros.core.task import Target
from iatros.imaging.prevalence import consequences, prevalence, prevalence_of

BINARY = Target("label", "binary", ("normal", "pneumonia"))
CELLS = Target("cell", "multiclass", ("a", "b", "c"))
VOLUME = Target("volume", "continuous", unit="ml")


def part(events: int, n: int, *, copies: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Truth and patients of a part in which every patient has as many images."""
    y = np.r_[np.ones(events), np.zeros(n - events)]
    return np.repeat(y, copies), np.repeat(np.arange(n), copies)


def test_difference_of_shares_is_newcombes() -> None:
    # Newcombe, Stat Med 1998;17:873-890, table II, contrast (a): 56/70 against 48/80, method 10.
    found = prevalence(BINARY, {"one": part(56, 70), "other": part(48, 80)}, reference="other")
    difference = found["differences"]["one"]
    assert difference["value"] == pytest.approx(0.2)
    assert (difference["low"], difference["high"]) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_pneumonia_is_rarer_in_the_held_out_images() -> None:
    # The counts of PneumoniaMNIST: 389 of 524 in validation, 390 of 624 in the test.
    found = prevalence(BINARY, {"tuning": part(389, 524), "held_out": part(390, 624)}, reference="tuning")
    shares = {name: level["share"]["value"] for name, level in found["levels"].items()}
    assert shares == pytest.approx({"tuning": 0.742, "held_out": 0.625}, abs=5e-4)
    statistic, p_value, degrees, _ = chi2_contingency([[389, 135], [390, 234]], correction=False)
    assert found["test"]["statistic"] == pytest.approx(statistic)
    assert found["test"]["p_value"] == pytest.approx(p_value)
    assert found["test"]["degrees"] == degrees == 1
    shift = found["differences"]["held_out"]["log_odds_shift"]
    expected = math.log(390 / 234) - math.log(389 / 135)
    half = 1.959964 * math.sqrt(1 / 390 + 1 / 234 + 1 / 389 + 1 / 135)
    assert shift["value"] == pytest.approx(expected)
    assert (shift["low"], shift["high"]) == pytest.approx((expected - half, expected + half), abs=1e-6)


def test_copies_of_the_same_patients_tell_nothing_more() -> None:
    once = prevalence(BINARY, {"one": part(60, 200), "other": part(90, 210)}, reference="other")
    many = prevalence(
        BINARY, {"one": part(60, 200, copies=5), "other": part(90, 210, copies=5)}, reference="other"
    )
    for name in ("statistic", "p_value"):
        assert many["test"][name] == pytest.approx(once["test"][name], rel=0.05)
    assert many["differences"]["one"]["low"] == pytest.approx(once["differences"]["one"]["low"], abs=2e-3)
    assert "effective counts" in many["test"]["test"]
    assert many["levels"]["one"]["n_patients"] == 200


def test_several_classes_and_a_quantity() -> None:
    counts = {"train": (50, 30, 20), "held_out": (20, 25, 35)}
    parts = {
        name: (np.repeat([0.0, 1.0, 2.0], shares), np.arange(sum(shares))) for name, shares in counts.items()
    }
    found = prevalence(CELLS, parts, reference="train")
    statistic, p_value, degrees, _ = chi2_contingency(list(counts.values()), correction=False)
    assert (found["test"]["statistic"], found["test"]["degrees"]) == (pytest.approx(statistic), degrees)
    assert found["test"]["p_value"] == pytest.approx(p_value)
    assert found["differences"]["held_out"]["by_class"]["c"]["value"] == pytest.approx(35 / 80 - 0.2)
    rng = np.random.default_rng(0)
    one, two = rng.normal(50, 9, 40), rng.normal(55, 14, 70)
    amounts = prevalence(
        VOLUME, {"train": (one, np.arange(40)), "held_out": (two, np.arange(70))}, reference="train"
    )
    welch = ttest_ind(two, one, equal_var=False)
    assert amounts["differences"]["held_out"]["p_value"] == pytest.approx(welch.pvalue)
    assert amounts["differences"]["held_out"]["low"] == pytest.approx(welch.confidence_interval().low)
    assert amounts["levels"]["train"]["mean"]["value"] == pytest.approx(one.mean())


def test_labels_are_compared_one_by_one_without_their_unknowns() -> None:
    y = [np.array([1, 0, 1, np.nan, 0, 1.0]), np.array([0, 0, 1, 1, 1, 0.0])]
    targets = [Target("effusion", "binary", ("no", "yes")), Target("mass", "binary", ("no", "yes"))]
    rows = {"train": np.array([0, 1, 2, 3]), "held_out": np.array([4, 5])}
    found = prevalence_of(targets, y, np.arange(6), rows, reference="train")
    assert found["by_label"]["effusion"]["levels"]["train"]["n"] == 3
    assert found["by_label"]["effusion"]["levels"]["train"]["share"]["value"] == pytest.approx(2 / 3)
    assert found["by_label"]["mass"]["levels"]["train"]["share"]["value"] == pytest.approx(0.5)
    with pytest.raises(InputError, match=r"no side is called tuning; there are train, held_out"):
        prevalence_of(targets, y, np.arange(6), rows, reference="tuning")


def test_odd_parts_are_described_and_break_nothing() -> None:
    found = prevalence(BINARY, {"train": part(0, 9), "held_out": part(0, 4)}, reference="train")
    assert found["test"]["p_value"] is None
    assert found["test"]["test"] == "chi-square: one class"
    assert found["differences"]["held_out"]["log_odds_shift"]["value"] is not None
    empty = {"train": part(3, 9), "held_out": (np.array([np.nan]), np.array([0]))}
    assert set(prevalence(BINARY, empty, reference="train")["levels"]) == {"train"}
    unknown = prevalence(
        BINARY, {"train": (np.array([np.nan]), np.array([0])), "b": part(1, 3)}, reference="train"
    )
    assert unknown["differences"] == {}


def metric(value: float, low: float, high: float, n: int) -> dict[str, float]:
    return {"value": value, "low": low, "high": high, "n": n}


def test_ppv_npv_and_accuracy_follow_bayes() -> None:
    levels = prevalence(BINARY, {"tuning": part(30, 40), "held_out": part(10, 100)}, reference="tuning")[
        "levels"
    ]
    found = consequences(levels, metric(0.9, 0.84, 0.94, 130), metric(0.8, 0.73, 0.86, 120), threshold=0.5)[
        "parts"
    ]
    assert found["held_out"]["ppv"]["value"] == pytest.approx(0.9 * 0.1 / (0.9 * 0.1 + 0.2 * 0.9))
    assert found["held_out"]["npv"]["value"] == pytest.approx(0.8 * 0.9 / (0.8 * 0.9 + 0.1 * 0.1))
    assert found["held_out"]["accuracy"]["value"] == pytest.approx(0.9 * 0.1 + 0.8 * 0.9)
    assert found["tuning"]["ppv"]["value"] == pytest.approx(0.675 / (0.675 + 0.05))
    for shares in found.values():
        for name in ("ppv", "npv", "accuracy"):
            assert 0 <= shares[name]["low"] < shares[name]["value"] < shares[name]["high"] <= 1


@pytest.mark.parametrize("seed", range(3))
def test_intervals_of_ppv_are_as_wide_as_sampling_makes_them(seed: int) -> None:
    """Against the spread of 4000 draws of the three shares at once."""
    rng = np.random.default_rng(seed)
    n_events, n_others, n, share = 160, 240, 300, 0.2
    draws = 4000
    se = rng.binomial(n_events, 0.85, draws) / n_events
    sp = rng.binomial(n_others, 0.9, draws) / n_others
    p = rng.binomial(n, share, draws) / n
    ppv = se * p / (se * p + (1 - sp) * (1 - p))
    low, high = np.quantile(ppv, [0.025, 0.975])

    def wilson(value: float, k: int) -> dict[str, float]:
        half = 1.96 * math.sqrt(value * (1 - value) / k)
        return metric(value, value - half, value + half, k)

    levels = {"held_out": {"share": wilson(share, n)}}
    found = consequences(levels, wilson(0.85, n_events), wilson(0.9, n_others), threshold=0.5)["parts"][
        "held_out"
    ]
    assert found["ppv"]["high"] - found["ppv"]["low"] == pytest.approx(high - low, rel=0.1)


def test_a_rate_of_nought_has_no_interval_and_says_so() -> None:
    levels = {"a": {"share": metric(0.3, 0.2, 0.4, 50)}, "b": {"share": metric(0.0, 0.0, 0.1, 40)}}
    found = consequences(levels, metric(0.9, 0.8, 0.95, 20), metric(1.0, 0.9, 1.0, 40), threshold=0.5)[
        "parts"
    ]
    assert found["a"]["ppv"]["value"] == 1.0
    assert found["a"]["ppv"]["low"] is None
    assert found["a"]["ppv"]["interval"] == "no interval: a rate of 0"
    assert found["b"]["ppv"]["value"] is None
