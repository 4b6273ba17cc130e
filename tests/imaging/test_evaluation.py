"""Evidence of imaging answers against numbers worked out by hand, and against other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score, roc_auc_score

from iatros.core.conformal import ConformalInterval, ConformalSet
from iatros.core.errors import OutcomeError
from iatros.core.task import Target
from iatros.imaging.evaluation import evidence, evidence_of_labels

BINARY = Target("label", "binary", ("normal", "pneumonia"))
CELLS = Target("cell", "multiclass", ("basophil", "eosinophil", "monocyte", "platelet"))
VOLUME = Target("volume", "continuous", unit="ml")
COMMON: dict[str, Any] = {"confidence_level": 0.95, "coverage": 0.9, "seed": 3}


def binary(n: int = 150, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, calibrated and raw probabilities; raw ones are shifted up, as class balancing does."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.31).astype(float)
    logit = 2.6 * (y - 0.4) + rng.normal(0, 1.3, n) - 0.6
    return y, 1 / (1 + np.exp(-logit)), 1 / (1 + np.exp(-(logit + 1.1)))


def judged(**changes: Any) -> dict[str, Any]:
    y, p, raw = binary()
    given: dict[str, Any] = {
        "uncalibrated": raw,
        "cuts": {"sensitivity 0.95": 0.2, "youden": 0.37},
        "subgroups": {"sex": np.where(np.arange(150) % 3 == 0, "F", "M")},
        "conformal": ConformalSet(0.9, np.array([0.55, 0.7])),
        **COMMON,
    }
    y = changes.pop("y", y)
    groups = changes.pop("groups", np.arange(150))
    return evidence(BINARY, y, changes.pop("prediction", p), groups, **{**given, **changes})


def test_accuracy_is_told_at_each_operating_point() -> None:
    y, p, raw = binary()
    own, calibrated, youden = judged()["operating_points"]
    assert [row["on"] for row in (own, calibrated, youden)] == ["raw", "calibrated", "calibrated"]
    for row, said in ((own, raw >= 0.5), (calibrated, p >= 0.5), (youden, p >= 0.37)):
        assert row["accuracy"]["value"] == pytest.approx(accuracy_score(y, said))
        assert row["sensitivity"]["value"] == pytest.approx(recall_score(y, said))
        assert row["specificity"]["value"] == pytest.approx(recall_score(y, said, pos_label=0))
        assert row["accuracy"]["low"] < row["accuracy"]["value"] < row["accuracy"]["high"]
    assert own["accuracy"]["value"] != calibrated["accuracy"]["value"], "the shift of the raw output matters"


def test_thresholds_of_parts_keep_every_decision() -> None:
    y, p, _ = binary()
    cuts = np.where(np.arange(150) < 60, 0.25, 0.4)
    said = p >= cuts
    (row,) = judged(cuts={"youden": cuts})["thresholds"]
    assert (row["tp"], row["fp"]) == (int((said & (y == 1)).sum()), int((said & (y == 0)).sum()))
    assert row["threshold"] == pytest.approx(0.34), "60 of 0.25 and 90 of 0.40"
    point = judged(cuts={"youden": cuts})["operating_points"][2]
    assert point["accuracy"]["value"] == pytest.approx(accuracy_score(y, said))


def test_unknown_truths_are_left_out_of_every_part() -> None:
    y, p, raw = binary()
    cuts = np.linspace(0.2, 0.5, 150)
    hidden = y.copy()
    hidden[::4] = np.nan
    known = np.flatnonzero(np.isfinite(hidden))
    covered, extent = (np.arange(150) % 5 != 0).astype(float), np.where(np.arange(150) % 2, 1.0, 2.0)
    some = judged(y=hidden, cuts={"youden": cuts}, conformal=(covered, extent))
    sex = np.where(np.arange(150) % 3 == 0, "F", "M")
    rest = judged(
        y=y[known],
        prediction=p[known],
        groups=known,
        uncalibrated=raw[known],
        cuts={"youden": cuts[known]},
        subgroups={"sex": sex[known]},
        conformal=(covered[known], extent[known]),
    )
    assert some == rest
    with pytest.raises(OutcomeError, match="no image has a known label"):
        judged(y=np.full(150, np.nan))


def test_conformal_sets_are_counted_in_all_and_within_each_class() -> None:
    y, p, _ = binary()
    sets = np.column_stack([p <= 0.55 + 1e-6, 1 - p <= 0.7 + 1e-6])
    covered = sets[np.arange(150), y.astype(int)]
    found = judged()["conformal"]
    assert found["coverage"]["value"] == pytest.approx(covered.mean())
    assert found["by_class"]["normal"]["value"] == pytest.approx(covered[y == 0].mean())
    assert found["by_class"]["pneumonia"]["value"] == pytest.approx(covered[y == 1].mean())
    assert found["sets_of_one_class"]["value"] == pytest.approx((sets.sum(axis=1) == 1).mean())
    assert found["mean_extent"] == pytest.approx(sets.sum(axis=1).mean())
    assert judged(conformal=None)["conformal"] is None


def test_intervals_are_of_patients_where_patients_repeat() -> None:
    y, p, raw = binary()
    once = judged()
    thrice = judged(
        y=np.repeat(y, 3), prediction=np.repeat(p, 3), groups=np.repeat(np.arange(150), 3),
        uncalibrated=np.repeat(raw, 3), subgroups={}, conformal=None,
    )  # fmt: skip
    assert once["metrics"]["auroc"]["interval"] == "DeLong"
    for name in ("auroc", "sensitivity", "brier"):
        one, three = once["metrics"][name], thrice["metrics"][name]
        assert three["value"] == pytest.approx(one["value"])
        assert three["high"] - three["low"] == pytest.approx(one["high"] - one["low"], rel=0.12)


def test_classes_are_told_one_by_one_with_what_was_taken_for_what() -> None:
    rng = np.random.default_rng(6)
    y = rng.choice(4, 180, p=[0.5, 0.3, 0.15, 0.05])
    p = (
        rng.dirichlet(np.ones(4), 180) * 0.5
        + 0.5 * np.eye(4)[np.where(rng.random(180) < 0.7, y, (y + 1) % 4)]
    )
    found = evidence(
        CELLS, y, p, np.arange(180), uncalibrated=p**2 / (p**2).sum(axis=1, keepdims=True),
        cuts={}, subgroups={}, conformal=None, **COMMON,
    )  # fmt: skip
    assert found["confusion"] == confusion_matrix(y, p.argmax(axis=1)).tolist()
    for k, name in enumerate(CELLS.classes):
        assert found["classes"][name]["n"] == (y == k).sum()
        assert found["classes"][name]["auroc"]["value"] == pytest.approx(roc_auc_score(y == k, p[:, k]))
        assert found["classes"][name]["sensitivity"]["value"] == pytest.approx(
            (p.argmax(axis=1)[y == k] == k).mean()
        )
    assert set(found["curves"]["calibration"]) == set(CELLS.classes)
    assert [row["on"] for row in found["operating_points"]] == ["raw", "calibrated"]
    assert "quadratic_kappa" not in found["metrics"]


def test_grades_have_kappa_and_a_quantity_no_operating_point() -> None:
    rng = np.random.default_rng(9)
    y = rng.choice(4, 90, p=[0.4, 0.3, 0.2, 0.1])
    p = 0.3 / 4 + 0.7 * np.eye(4)[np.clip(y + rng.choice([-1, 0, 0, 1], 90), 0, 3)]
    graded = evidence(
        CELLS,
        y,
        p,
        np.arange(90),
        uncalibrated=p,
        cuts={},
        subgroups={},
        conformal=None,
        ordered=True,
        **COMMON,
    )
    assert 0 < graded["metrics"]["quadratic_kappa"]["value"] < 1
    assert graded["metrics"]["within_one_grade"]["value"] == 1.0
    amount = rng.normal(60, 12, 80)
    rule = ConformalInterval(0.9, np.array([-9.0, 8.0]))
    said = amount + rng.normal(1, 5, 80)
    found = evidence(
        VOLUME,
        amount,
        said,
        np.arange(80),
        uncalibrated=said - 1,
        cuts={},
        subgroups={},
        conformal=rule,
        **COMMON,
    )
    assert found["operating_points"] == found["thresholds"] == []
    inside = (said - 9 <= amount) & (amount <= said + 8)
    assert found["conformal"]["coverage"]["value"] == pytest.approx(inside.mean())
    assert found["conformal"]["mean_extent"] == pytest.approx(17.0)


def test_several_labels_have_their_own_evidence_and_their_means() -> None:
    rng = np.random.default_rng(12)
    names = ("effusion", "mass", "nodule")
    targets = [Target(name, "binary", ("no", "yes")) for name in names]
    y = [(rng.random(160) < share).astype(float) for share in (0.5, 0.3, 0.12)]
    y[1][:50] = np.nan
    p = [np.clip(0.5 + 0.3 * (np.nan_to_num(one) - 0.5) + rng.normal(0, 0.2, 160), 0.01, 0.99) for one in y]
    covered = np.ones(160), np.ones(160)
    found = evidence_of_labels(
        targets, y, p, np.arange(160), uncalibrated=p, cuts=[{"youden": 0.5}] * 3,
        subgroups={"site": np.array(["a"] * 100 + ["b"] * 52 + [None] * 8, dtype=object)},
        conformal=[covered, covered, None], **COMMON,
    )  # fmt: skip
    own = [found["labels"][name]["metrics"]["auroc"] for name in names]
    assert found["metrics"]["auroc"]["value"] == pytest.approx(np.mean([one["value"] for one in own]))
    assert own[1]["n"] == 110
    assert [row["name"] for row in found["thresholds"]] == [f"{name}: youden" for name in names]
    assert set(found["curves"]["roc"]) == set(names)
    assert set(found["conformal"]["by_class"]) == {
        f"{label}: {one}" for label in ("effusion", "mass") for one in ("no", "yes")
    }
    levels = found["subgroups"]["site"]["levels"]
    assert levels["a"]["n"] == 100
    assert levels["missing"]["suppressed"]
    assert levels["b"]["metrics"]["auroc"]["value"] == pytest.approx(
        np.mean(
            [
                roc_auc_score(a[100:152][k], b[100:152][k])
                for a, b in zip(y, p, strict=True)
                for k in [np.isfinite(a[100:152])]
            ]
        )
    )
