"""Curves of one set of predictions, and what calibration changed, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.conformal import fit_conformal, reached
from iatros.core.evidence import calibration_change, curves
from iatros.core.task import Target

BINARY = Target("pneumonia", "binary", ("no", "yes"))
GRADES = Target("grade", "multiclass", ("none", "mild", "severe"))
VOLUME = Target("volume", "continuous", unit="ml")


def test_a_binary_outcome_has_every_curve() -> None:
    y = np.array([0, 0, 0, 1, 1, 0, 1])
    p = np.array([0.1, 0.2, 0.35, 0.8, 0.6, 0.7, 0.31])
    found = curves(BINARY, y, p, np.arange(7), seed=0)
    assert set(found) == {"roc", "pr", "calibration", "decision"}
    counts = found["calibration"]["histogram"]
    assert sum(counts["events"]) == 3
    assert sum(counts["non_events"]) == 4
    assert counts["events"][12] == 1, "the event with a probability of .31, in bars of a fortieth"


def test_one_class_alone_has_no_curve_but_calibration() -> None:
    found = curves(BINARY, np.zeros(5, dtype=int), np.linspace(0.1, 0.4, 5), np.arange(5), seed=0)
    assert set(found) == {"calibration"}


def test_classes_have_a_curve_each_and_a_quantity_only_calibration() -> None:
    rng = np.random.default_rng(2)
    y = np.array([0, 1, 2, 1, 0, 1])
    assert set(curves(GRADES, y, rng.dirichlet(np.ones(3), 6), np.arange(6), 0)["roc"]) == set(GRADES.classes)
    amounts = rng.normal(50, 9, 30)
    found = curves(VOLUME, amounts, amounts + rng.normal(0, 2, 30), np.arange(30), 0)
    assert set(found) == {"calibration"}
    assert sum(found["calibration"]["histogram"]["counts"]) == 30


def test_calibration_change_tells_before_from_after() -> None:
    y = np.array([0, 0, 0, 1])
    before, after = np.full(4, 0.5), np.full(4, 0.25)
    found = calibration_change(BINARY, y, before, after, groups=None, seed=0)
    assert found["before"]["brier"]["value"] == pytest.approx(0.25)
    assert found["after"]["brier"]["value"] == pytest.approx(0.1875), "(3 * .25^2 + .75^2) / 4"
    assert "auroc" not in found["after"], "ranking is not what calibration changes"


def test_conformal_rule_and_what_it_reached_by_task() -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 120)
    p = np.clip(0.5 + 0.35 * (2 * y - 1) * rng.uniform(0, 1, 120), 0.01, 0.99)
    rule = fit_conformal(BINARY, y, p, 0.9, groups=np.arange(120))
    sets = rule.sets(p)  # type: ignore[union-attr]
    covered = sets[np.arange(120), y]
    found = reached(BINARY, 0.9, covered, sets.sum(axis=1).astype(float), np.arange(120))
    assert found["kind"] == "prediction set"
    assert found["coverage"]["value"] == pytest.approx(covered.mean())
    amounts = rng.normal(0, 1, 30)
    interval = fit_conformal(VOLUME, amounts, np.zeros(30), 0.9, groups=np.arange(30))
    assert not hasattr(interval, "sets")
    few = reached(VOLUME, 0.9, np.array([True, False]), np.array([np.inf, 4.0]), np.arange(2))
    assert few["mean_extent"] == 4.0, "an interval without end has no size to average"
