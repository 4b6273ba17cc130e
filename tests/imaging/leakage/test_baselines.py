"""What is told by the border, and by what is known without an image."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.core.splits import folds
from iatros.imaging.leakage import audit_images, baselines, border_baseline, metadata_baseline
from iatros.imaging.leakage.baselines import border_features, metadata_features
from iatros.imaging.schema import ImageRecord

N = 160


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "_TREES", 60)


@pytest.fixture(scope="module")
def planes() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Noise, a label for 1 in 3, two images a patient, and folds."""
    rng = np.random.default_rng(0)
    y = np.repeat((np.arange(N // 2) % 3 == 0).astype(int), 2)
    groups = np.repeat(np.arange(N // 2), 2)
    images = rng.integers(60, 120, (N, 40, 60)).astype(np.uint8)
    return images, y, groups, folds(groups=groups, strata=y, n_folds=4, seed=1)


def test_a_label_in_the_middle_is_not_seen(planes: tuple[np.ndarray, ...]) -> None:
    images, y, groups, fold = planes
    images = images.copy()
    images[y == 1, 6:-6, 8:-8] += 100
    found = border_baseline(images, y, groups, fold, seed=0)
    assert found["low"] < 0.5 < found["high"]
    assert (found["n"], found["n_events"], found["metric"]) == (N, 54, "auroc")
    assert found["interval"] == "bootstrap over 80 patients"


def test_a_mark_at_the_border_is_seen(planes: tuple[np.ndarray, ...]) -> None:
    images, y, groups, fold = planes
    images = images.copy()
    images[y == 1, 1:3, 20:26] = 255
    assert border_baseline(images, y, groups, fold, seed=0)["value"] > 0.95


def test_the_features_do_not_change_with_the_middle() -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (3, 50, 30)).astype(np.float32)
    before = border_features(images)
    images[:, 5:-5, 3:-3] = rng.random((3, 40, 24)) * 255
    assert np.array_equal(border_features(images), before)
    images[:, 4, 10] += 40
    assert not np.array_equal(border_features(images), before)


def test_several_classes_and_quantities(planes: tuple[np.ndarray, ...]) -> None:
    images, _, groups, fold = planes
    images = images.copy()
    grade = np.arange(N) // 2 % 3
    images[:, :4] = (grade * 80)[:, None, None]
    found = border_baseline(images, grade, groups, fold, seed=0)
    assert (found["metric"], found["n_events"]) == ("auroc", None)
    assert found["value"] > 0.99
    value = border_baseline(images, grade.astype(float), groups, fold, seed=0)
    assert value["metric"] == "r2"
    assert value["value"] > 0.9


def test_shapes_are_checked() -> None:
    with pytest.raises(InputError, match="at least 10 x 10, got shape \\(2, 1, 20, 20\\)"):
        border_features(np.zeros((2, 1, 20, 20), dtype=np.float32))


def records(y: np.ndarray, rng: np.random.Generator) -> list[ImageRecord]:
    return [
        ImageRecord(
            name=str(row),
            sha256=str(row),
            shape=(1, 40, 60),
            scanner="A" if label == (rng.random() < 0.9) else "B",
            age=float(rng.integers(20, 90)) if rng.random() < 0.8 else None,
            columns={"ward": "x" if rng.random() < 0.5 else None, "label": str(label)},
        )
        for row, label in enumerate(y)
    ]


def test_a_scanner_that_goes_with_the_label_is_seen(planes: tuple[np.ndarray, ...]) -> None:
    _, y, groups, fold = planes
    told = records(y, np.random.default_rng(2))
    found = metadata_baseline(told, y, groups, fold, seed=0)
    assert found["value"] > 0.7
    assert found["features"] == ["age", "scanner"]
    named = metadata_baseline(told, y, groups, fold, seed=0, columns=("ward",))
    assert named["features"] == ["age", "scanner", "ward"]


def test_metadata_without_differences_say_so(planes: tuple[np.ndarray, ...]) -> None:
    _, y, groups, fold = planes
    alike = [ImageRecord(name=str(k), sha256=str(k), shape=(1, 8, 9)) for k in range(N)]
    found = metadata_baseline(alike, y, groups, fold, seed=0)
    assert found["value"] is None
    assert found["interval"] == "not defined: nothing but the pixels differs between the images"


def test_shape_spacing_and_unknown_values_are_features() -> None:
    told = [
        ImageRecord(name="a", sha256="a", shape=(1, 10, 20), spacing_mm=(0.5, 0.7)),
        ImageRecord(name="b", sha256="b", shape=(1, 10, 40), sex="F"),
        ImageRecord(name="c", sha256="c", shape=(1, 4, 10, 40), spacing_mm=(3.0, 1.0, 1.0), sex="M"),
    ]
    values, names = metadata_features(told, ())
    assert names == ["slices", "columns", "proportions", "spacing_mm", "slice_spacing_mm", "sex"]
    assert values[:, 1].tolist() == [20.0, 40.0, 40.0]
    assert values[:, 2].tolist() == [2.0, 4.0, 4.0]
    # three indicators of sex, the unknown among them
    assert values.shape == (3, 8)
    assert values[:, 5:].sum(axis=1).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.slow
def test_the_border_of_busi_tells_malignant_lesions(shared_data: Path) -> None:
    with np.load(shared_data / "busi" / "busi_gray128.npz") as archive:
        images, labels = archive["images"], archive["labels"].astype(int)
    told = [
        ImageRecord(name=str(k), sha256=hashlib.sha256(image.tobytes()).hexdigest(), shape=(1, 128, 128))
        for k, image in enumerate(images)
    ]
    audit = audit_images(told, lambda record: images[int(record.name)][None], labels, None)
    kept = np.setdiff1d(np.arange(780), audit.drop)
    y, groups = (labels[kept] == 2).astype(int), audit.groups[kept]
    found = border_baseline(
        images[kept], y, groups, folds(groups=groups, strata=y, n_folds=5, seed=0), seed=0
    )
    assert 0.76 < found["value"] < 0.86
    assert found["low"] > 0.7
