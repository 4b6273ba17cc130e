"""Means over images and structures, their intervals, and volumes."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.imaging.schema import ImageRecord
from iatros.imaging.segmentation.evaluation import (
    MEASURES,
    Judged,
    judge_case,
    mean_metric,
    metrics,
    slug,
    volumes,
)
from iatros.imaging.segmentation.masks import Case
from iatros.imaging.segmentation.overlap import Agreement
from iatros.imaging.segmentation.report import LABELS

NAN = float("nan")


def agreed(dice: float, volume: float = 1.0, true: float = 1.0, distance: float = 0.5) -> Agreement:
    return Agreement(dice, distance, 2 * distance, dice, volume, true)


def test_a_mean_over_structures_takes_each_image_by_what_it_holds() -> None:
    judged = Judged(
        np.array([4, 7, 9]),
        (
            (agreed(0.8), agreed(0.6)),
            (agreed(0.9), agreed(NAN, 0.0, 0.0, NAN)),  # the second structure is not there and was not found
            (agreed(0.7), agreed(0.0, 0.0, 2.0, NAN)),  # missed: Dice 0, no distance
        ),
    )
    found = metrics(judged, ("left lobe", "Rest"), np.array([0, 1, 2]))
    assert found["dice"]["value"] == pytest.approx((0.7 + 0.9 + 0.35) / 3)
    assert found["dice_left_lobe"]["value"] == pytest.approx(0.8)
    assert found["dice_rest"]["value"] == pytest.approx(0.3)
    assert (found["dice"]["n"], found["dice_left_lobe"]["n"], found["dice_rest"]["n"]) == (3, 3, 2)
    assert found["surface_distance_mm_rest"]["n"] == 1
    assert found["volume_bias_ml_rest"]["value"] == pytest.approx((0 + 0 - 2.0) / 3)
    assert found["dice_left_lobe"]["low"] < 0.8 < found["dice_left_lobe"]["high"] <= 1
    assert found["dice_rest"]["low"] == 0


def test_a_measure_that_no_image_has_is_left_out() -> None:
    judged = Judged(np.arange(2), ((agreed(0.8, NAN, NAN, NAN),), (agreed(0.9, NAN, NAN, NAN),)))
    found = metrics(judged, ("nodule",), np.arange(2))
    assert "surface_distance_mm" not in found
    assert "volume_bias_ml_nodule" not in found
    assert "dice_nodule" not in found  # one structure: it is the whole
    assert found["dice"]["value"] == pytest.approx(0.85)
    assert volumes(judged, ("nodule",)) == []


def test_intervals_draw_patients_not_images() -> None:
    rng = np.random.default_rng(0)
    whose = np.repeat(np.arange(30), 6)
    values = np.repeat(rng.normal(0.8, 0.05, 30), 6) + rng.normal(0, 0.001, 180)
    patients = mean_metric("dice", values, whose)
    images = mean_metric("dice", values, np.arange(180))
    assert patients.value == images.value
    assert patients.high - patients.low > 2 * (images.high - images.low)
    assert patients.interval == "bootstrap over 30 patients"
    # as wide as Student's interval of the 30 means of patients
    means = values.reshape(30, 6).mean(axis=1)
    student = 2 * 2.045 * means.std(ddof=1) / np.sqrt(30)
    assert patients.high - patients.low == pytest.approx(student, rel=0.1)


def test_a_value_that_never_varies_has_no_interval_of_width_0() -> None:
    found = mean_metric("surface_dice_1mm", np.ones(7), np.arange(7))
    assert found.value == 1
    assert np.isnan([found.low, found.high]).all()
    assert found.interval == "not defined: the same in every image"


@pytest.mark.slow
def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(400):
        values = 1 - rng.gamma(2.0, 0.06, 40)  # skewed as Dice is, mean 0.88
        found = mean_metric("dice", values, np.arange(40), seed=seed)
        held += found.low <= 0.88 <= found.high
    assert 0.915 <= held / 400 <= 0.985


def test_bias_and_limits_of_volumes_by_hand() -> None:
    pairs = [(1.2, 1.0), (2.1, 2.0), (2.7, 3.0), (5.0, 4.6)]
    judged = Judged(np.arange(4), tuple((agreed(0.9, p, t),) for p, t in pairs))
    (part,) = volumes(judged, ("ventricle",))
    difference = np.array([0.2, 0.1, -0.3, 0.4])
    assert part["bias_ml"] == pytest.approx(0.1)
    spread = np.sqrt(((difference - 0.1) ** 2).sum() / 3)
    assert part["limits_ml"] == pytest.approx([0.1 - 1.96 * spread, 0.1 + 1.96 * spread])
    assert part["mean_true_ml"] == pytest.approx(2.65)
    assert part["pairs"][2] == pytest.approx([2.85, -0.3])
    assert part["n"] == 4


def test_a_case_is_judged_label_by_label_with_its_own_spacing() -> None:
    true = np.zeros((3, 6, 5), np.uint8)
    true[1, 1:4, 1:3] = 1
    true[2, 4, 1:5] = 2
    predicted = np.roll(true, 1, axis=1)
    record = ImageRecord("a", "a" * 64, (1, 3, 6, 5), spacing_mm=(4.0, 0.5, 2.0))
    first, second, third = judge_case(predicted, Case(record, true), 3)
    assert first.dice == pytest.approx(2 / 3)
    assert second.dice == 0
    assert second.surface_distance_mm == pytest.approx(0.5)
    assert np.isnan(third.dice)
    assert second.true_volume_ml == pytest.approx(4 * 4.0 * 0.5 * 2.0 / 1000)


def test_names_of_metrics_are_plain_words() -> None:
    assert slug("  Left / Ventricle-2 ") == "left_ventricle_2"
    assert slug("脑室") == "脑室"
    assert slug("+") == "structure"


def test_every_measure_has_its_words() -> None:
    assert set(LABELS) == set(MEASURES)
