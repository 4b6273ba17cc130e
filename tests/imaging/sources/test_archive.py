"""NumPy archives: sides, labels, channels, names, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.imaging.sources.reading import opened

from iatros.core.errors import InputError


def saved(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def stack(n: int, start: int = 0) -> np.ndarray:
    return (np.arange(n * 4 * 5, dtype=np.uint8) + start).reshape(n, 4, 5)


def test_medmnist_keeps_its_sides_and_labels(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.npz",
        train_images=stack(3), train_labels=np.array([[1], [0], [1]], dtype=np.uint8),
        val_images=stack(1, 7), val_labels=np.array([[0]], dtype=np.uint8),
        test_images=stack(2, 9), test_labels=np.array([[2], [1]], dtype=np.uint8),
    )  # fmt: skip
    found = opened(path)
    assert found.source == "archive"
    assert [(r.name, r.split, r.columns["label"]) for r in found.records] == [
        ("train/0", "train", 1.0), ("train/1", "train", 0.0), ("train/2", "train", 1.0), ("val/0", "tuning", 0.0),
        ("test/0", "held_out", 2.0), ("test/1", "held_out", 1.0),
    ]  # fmt: skip
    assert np.array_equal(found.pixels(found.records[5]), stack(2, 9)[1:])


def test_plain_images_with_names_and_words_as_labels(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.npz",
        images=stack(2),
        labels=np.array(["benign", "normal"]),
        names=np.array(["b.png", "n.png"]),
    )
    assert [(r.name, r.columns, r.split) for r in opened(path).records] == [
        ("b.png", {"label": "benign"}, None),
        ("n.png", {"label": "normal"}, None),
    ]


def test_several_labels_colour_and_volumes(tmp_path: Path) -> None:
    many = opened(saved(tmp_path / "m.npz", images=stack(2), labels=np.array([[1, 0, 1], [0, 0, 1]])))
    assert many.records[0].columns == {"label_0": 1.0, "label_1": 0.0, "label_2": 1.0}
    colour = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    found = opened(saved(tmp_path / "c.npz", images=colour))
    assert np.array_equal(found.pixels(found.records[1]), np.moveaxis(colour[1], -1, 0))
    assert found.records[0].columns == {}
    volumes = opened(saved(tmp_path / "v.npz", images=np.zeros((2, 6, 4, 5), dtype=np.uint8)))
    assert volumes.records[0].shape == (1, 6, 4, 5)
    truth = opened(saved(tmp_path / "f.npz", images=np.linspace(0, 1, 120).reshape(2, 6, 10)))
    pixels = truth.pixels(truth.records[0])
    assert pixels.dtype == np.uint16
    assert (pixels.min(), pixels.max()) == (0, 65535)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": np.zeros((2, 3, 4))}, "neither an array images nor train_images"),
        ({"images": np.array([{"a": 1}], dtype=object)}, "holds Python objects, which are not read"),
        ({"images": np.zeros((3, 4))}, "which is not that of images"),
        ({"images": np.array([["a", "b"]])}, "holds <U1, not numbers"),
        ({"images": np.zeros((2, 3, 4, 5, 7))}, "has 7 channels; 1 or 3 can be read"),
        (
            {"images": stack(3), "labels": np.array([1, 0])},
            r"the array labels has the shape \(2,\) for 3 images",
        ),
    ],
)
def test_archives_that_hold_no_images(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        opened(saved(tmp_path / "a.npz", **arrays))


def test_a_damaged_archive_and_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.npz", images=np.zeros((400, 90, 90), dtype=np.uint8))
    monkeypatch.setattr("iatros.imaging.sources.archive.MAX_FILE_BYTES", 10**6)
    with pytest.raises(InputError, match="would unpack to more than the 1,000,000 bytes allowed"):
        opened(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="damaged or cut short"):
        opened(path)


def test_pneumoniamnist_has_the_published_counts(shared_data: Path) -> None:
    found = opened(shared_data / "pneumoniamnist" / "pneumoniamnist_28_reconstructed.npz")
    counts: dict[tuple[str | None, Any], int] = {}
    for record in found.records:
        key = (record.split, record.columns["label"])
        counts[key] = counts.get(key, 0) + 1
    # MedMNIST v2 (Yang et al. 2023): 4708 / 524 / 624, normal and pneumonia
    assert counts == {
        ("train", 0.0): 1214, ("train", 1.0): 3494, ("tuning", 0.0): 135, ("tuning", 1.0): 389,
        ("held_out", 0.0): 234, ("held_out", 1.0): 390,
    }  # fmt: skip
