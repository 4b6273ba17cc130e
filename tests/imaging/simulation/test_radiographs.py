"""Simulated radiographs: what is true of them is true, and they are hard enough to be worth learning."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import RequestError
from iatros.core.intervals import delong
from iatros.imaging.simulation import Radiographs, simulate_radiographs


@pytest.fixture(scope="module")
def found() -> Radiographs:
    """Seven hundred images."""
    return simulate_radiographs(700, size=48, seed=11, prevalence=0.3)


def test_the_same_seed_gives_the_same_images(found: Radiographs) -> None:
    again = simulate_radiographs(700, size=48, seed=11, prevalence=0.3)
    assert again.images.tobytes() == found.images.tobytes()
    assert again.patients == found.patients
    other = simulate_radiographs(700, size=48, seed=12, prevalence=0.3)
    assert other.images.tobytes() != found.images.tobytes()


def test_a_mask_lies_where_a_lesion_was_added(found: Radiographs) -> None:
    """The same thorax without contrast of the lesions differs from it inside the masks, and hardly elsewhere."""
    bare = simulate_radiographs(700, size=48, seed=11, prevalence=0.3, contrast=0.0)
    added = found.images.astype(int) - bare.images.astype(int)
    assert (added[found.labels == 0] == 0).all()
    ill = found.labels == 1
    inside, outside = added[found.masks].mean(), added[ill][~found.masks[ill]].mean()
    assert inside > 15
    assert abs(outside) < 1


def test_masks_belong_to_lesions_and_lie_inside_the_image(found: Radiographs) -> None:
    size = found.masks.reshape(len(found.masks), -1).sum(axis=1)
    assert (size[found.labels == 1] >= 4).all()
    assert (size[found.labels == 0] == 0).all()
    border = np.ones((48, 48), dtype=bool)
    border[2:-2, 2:-2] = False
    assert not found.masks[:, border].any()


def test_a_subject_has_one_label_and_one_life(found: Radiographs) -> None:
    subjects = np.array(found.patients["subject_id"])
    names, count = np.unique(subjects, return_counts=True)
    assert set(count) == {1, 2}
    assert 0.2 < (count == 2).mean() < 0.3
    for name in names[count == 2][:20]:
        one, other = np.flatnonzero(subjects == name)
        assert found.labels[one] == found.labels[other]
        assert all(
            found.patients[key][one] == found.patients[key][other]
            for key in ("sex", "age", "site", "scanner")
        )
        assert (found.images[one] != found.images[other]).mean() > 0.3


def test_prevalence_is_of_subjects(found: Radiographs) -> None:
    _, first = np.unique(found.patients["subject_id"], return_index=True)
    assert found.labels[first].mean() == pytest.approx(0.3, abs=0.06)
    assert simulate_radiographs(9, size=20, prevalence=0.0).labels.sum() == 0
    assert simulate_radiographs(9, size=20, prevalence=1.0).labels.sum() == 9


def test_neither_brightness_nor_the_border_tells(found: Radiographs) -> None:
    """The answer has to come from inside the lungs."""
    border = np.ones((48, 48), dtype=bool)
    border[6:-6, 6:-6] = False
    for seen in (found.images.mean(axis=(1, 2)), found.images[:, border].mean(axis=1)):
        _, low, high = delong(found.labels, seen)
        assert low < 0.5 < high


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 3, "size": 8}, {"n": 3, "prevalence": 1.5}])
def test_impossible_requests_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RequestError, match="simulation takes"):
        simulate_radiographs(**wrong)  # type: ignore[arg-type]
