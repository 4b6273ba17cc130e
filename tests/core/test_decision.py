"""Net benefit against dcurves, thresholds and their tables by hand."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd
import pytest
from dcurves import dca
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from iatros.core.decision import THRESHOLDS, choose_thresholds, decision_curve, threshold_table
from iatros.core.errors import InputError


def _sample(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1.5, 4, size=n)
    return (rng.random(n) < p).astype(int), p


def test_net_benefit_equals_dcurves_on_its_own_patients() -> None:
    """dcurves' simulated cancer cohort: 750 patients, the model cancerpredmarker."""
    with resources.files("dcurves").joinpath("data/df_binary.csv").open() as file:
        frame = pd.read_csv(file)
    cuts = np.arange(1, 60) / 100
    theirs = dca(data=frame, outcome="cancer", modelnames=["cancerpredmarker"], thresholds=cuts)
    ours = decision_curve(
        frame["cancer"].to_numpy(), frame["cancerpredmarker"].to_numpy(), thresholds=cuts, n_bootstrap=20
    )
    for key, model in (("model", "cancerpredmarker"), ("treat_all", "all"), ("treat_none", "none")):
        expected = theirs.loc[theirs["model"] == model].sort_values("threshold")["net_benefit"].to_numpy()
        assert ours[key] == pytest.approx(expected, abs=1e-9), model


def test_band_holds_the_curve_and_repeated_patients_keep_its_width() -> None:
    y, p = _sample()
    curve = decision_curve(y, p, n_bootstrap=300)
    assert curve["thresholds"] == list(THRESHOLDS)
    low, value, high = (np.array(curve[key]) for key in ("model_low", "model", "model_high"))
    assert ((low <= value + 1e-9) & (value <= high + 1e-9)).all()
    index = np.repeat(np.arange(300), 4)
    grouped = decision_curve(y[index], p[index], groups=index, n_bootstrap=300)
    assert grouped["model"] == pytest.approx(curve["model"])
    widths = [np.mean(np.subtract(c["model_high"][:50], c["model_low"][:50])) for c in (curve, grouped)]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_at_threshold_zero_treating_by_the_model_is_treating_all(seed: int) -> None:
    y, p = _sample(60, seed)
    curve = decision_curve(y, p, thresholds=[0.0, 0.999], n_bootstrap=0)
    assert curve["model"][0] == pytest.approx(y.mean())
    assert curve["treat_all"][0] == pytest.approx(y.mean())
    assert curve["model"][1] == pytest.approx(0.0)
    assert curve["model_low"] == [None, None]


def test_a_perfect_model_gains_the_prevalence_everywhere() -> None:
    y = np.array([0, 0, 0, 1, 1])
    curve = decision_curve(y, np.array([0.0, 0.0, 0.0, 1.0, 1.0]), n_bootstrap=5)
    assert curve["model"] == pytest.approx([0.4] * 99)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_chosen_thresholds_reach_their_sensitivity_and_the_next_higher_does_not(
    seed: int, grain: int
) -> None:
    y, p = _sample(70, seed)
    p = np.round(p, 2) if grain < 6 else p
    if len(np.unique(y)) < 2:
        return
    chosen = {row["name"]: row["threshold"] for row in choose_thresholds(y, p)}
    assert list(chosen) == ["sensitivity 0.95", "sensitivity 0.90", "youden"]
    for name, wanted in (("sensitivity 0.95", 0.95), ("sensitivity 0.90", 0.90)):
        cut = chosen[name]
        assert (p[y == 1] >= cut).mean() >= wanted
        higher = p[p > cut]
        if len(higher):
            assert (p[y == 1] > higher.min()).mean() < wanted
    assert not np.isin(list(chosen.values()), p).any()


def test_youden_is_the_best_of_all_cuts() -> None:
    y, p = _sample(150)
    cut = choose_thresholds(y, p)[2]["threshold"]

    def youden(threshold: float) -> float:
        return float((p[y == 1] >= threshold).mean() - (p[y == 0] >= threshold).mean())

    assert youden(cut) == pytest.approx(max(youden(value) for value in p))


def test_one_class_has_no_thresholds() -> None:
    assert choose_thresholds(np.zeros(4), np.linspace(0, 1, 4)) == []


def test_table_equals_the_confusion_matrix() -> None:
    y, p = _sample()
    (row,) = threshold_table(y, p, [{"name": "own", "threshold": 0.25}])
    tn, fp, fn, tp = confusion_matrix(y, p >= 0.25).ravel()
    assert (row["tn"], row["fp"], row["fn"], row["tp"]) == (tn, fp, fn, tp)
    assert row["sensitivity"]["value"] == pytest.approx(tp / (tp + fn))
    assert row["ppv"]["value"] == pytest.approx(tp / (tp + fp))
    assert row["npv"]["n"] == tn + fn
    assert row["alerts_per_100"] == pytest.approx(100 * (tp + fp) / 300)
    curve = decision_curve(y, p, thresholds=[0.25], n_bootstrap=0)
    assert row["net_benefit"] == pytest.approx(curve["model"][0])
    index = np.repeat(np.arange(300), 3)
    (grouped,) = threshold_table(y[index], p[index], [{"name": "own", "threshold": 0.25}], groups=index)
    assert grouped["sensitivity"]["low"] == pytest.approx(row["sensitivity"]["low"], abs=5e-3)


def test_a_threshold_that_flags_nobody_has_no_ppv() -> None:
    y, p = _sample()
    (row,) = threshold_table(y, p, [{"name": "never", "threshold": 0.9999}])
    assert row["ppv"]["value"] is None
    assert row["net_benefit"] == 0.0


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="from 0 to below 1"):
        decision_curve(np.array([0, 1]), np.array([0.1, 0.2]), thresholds=[1.0])
    with pytest.raises(InputError, match="at least one"):
        decision_curve(np.empty(0), np.empty(0))
