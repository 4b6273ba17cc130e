"""Means over labels against scikit-learn label by label, with unknown truths and shared patients."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from iatros.core.metrics import macro_metrics


def labels(n: int = 240, seed: int = 7) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    severity = rng.normal(0, 1, n)
    y = [(severity + rng.normal(0, 0.7, n) > cut).astype(float) for cut in (0.0, 0.6, 1.4)]
    y[1][rng.random(n) < 0.3] = np.nan
    p = [1 / (1 + np.exp(-(1.3 * severity - cut + rng.normal(0, 0.9, n)))) for cut in (0.0, 0.6, 1.4)]
    p[0] = np.round(p[0], 1)
    return y, p


def test_means_are_those_of_the_labels() -> None:
    y, p = labels()
    found = macro_metrics(y, p, n_bootstrap=0)
    known = [np.isfinite(one) for one in y]
    pairs = [(one[k], q[k]) for one, q, k in zip(y, p, known, strict=True)]
    assert found["auroc"].value == pytest.approx(np.mean([roc_auc_score(a, b) for a, b in pairs]))
    assert found["auprc"].value == pytest.approx(np.mean([average_precision_score(a, b) for a, b in pairs]))
    assert found["accuracy"].value == pytest.approx(np.mean([((b >= 0.5) == a).mean() for a, b in pairs]))
    assert found["brier"].value == pytest.approx(np.mean([((b - a) ** 2).mean() for a, b in pairs]))
    assert found["auroc"].interval == "none asked for; mean of 3 labels"


def test_what_labels_share_in_a_patient_widens_the_interval() -> None:
    y, p = labels()
    one = macro_metrics(y[:1], p[:1], seed=2)["auroc"]
    thrice = macro_metrics(y[:1] * 3, p[:1] * 3, seed=2)["auroc"]
    assert (thrice.low, thrice.high) == pytest.approx((one.low, one.high)), (
        "the same label thrice tells no more"
    )
    patients = np.repeat(np.arange(60), 4)
    grouped = macro_metrics(y, p, groups=patients, seed=2)["auroc"]
    assert "60 patients" in grouped.interval
    assert grouped.low < grouped.value < grouped.high


def test_a_label_of_one_class_is_left_out_and_said() -> None:
    y, p = labels()
    y[2] = np.zeros_like(y[2])
    found = macro_metrics(y, p, n_bootstrap=50)
    assert found["auroc"].value == pytest.approx(macro_metrics(y[:2], p[:2], n_bootstrap=0)["auroc"].value)
    assert "mean of 2 of 3 labels" in found["auroc"].interval
    none = macro_metrics([y[2]], [p[2]])
    assert np.isnan(none["auroc"].value)
    assert none["auroc"].interval == "not defined: no label has both classes"
