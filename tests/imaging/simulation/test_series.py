"""Series: where order matters nothing but the order may tell, and the other way round."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.intervals import delong
from iatros.imaging.simulation import DISC, RING, content_task, order_task, simulate_volumes


def test_where_order_matters_every_study_holds_the_same_contents() -> None:
    volumes, labels, contents = simulate_volumes(60, True, seed=4)
    assert {len(volume) for volume in volumes} == set(range(7, 14))
    for content, label, volume in zip(contents, labels, volumes, strict=True):
        assert len(content) == len(volume)
        assert sorted(content[content > 0]) == [RING, DISC]
        ring, disc = np.flatnonzero(content == RING)[0], np.flatnonzero(content == DISC)[0]
        assert (ring < disc) == bool(label)


def test_where_order_does_not_matter_the_number_of_discs_tells() -> None:
    _, labels, contents = simulate_volumes(300, False, seed=4)
    assert all(set(content) <= {RING, DISC} for content in contents)
    share = np.array([(content == DISC).mean() for content in contents])
    assert share[labels == 1].mean() == pytest.approx(2 / 3, abs=0.04)
    assert share[labels == 0].mean() == pytest.approx(1 / 3, abs=0.04)
    _, low, high = delong(labels, share)
    assert 0.85 < low < high < 0.99
    # the order says nothing: discs lie as far up for one label as for the other
    seen = share > 0
    places = [np.flatnonzero(content == DISC) / (len(content) - 1) for content in contents]
    place = np.array([where.mean() if len(where) else np.nan for where in places])
    _, low, high = delong(labels[seen], place[seen])
    assert low < 0.5 < high


def test_the_structures_can_be_seen() -> None:
    volumes, _, contents = simulate_volumes(80, True, seed=9, size=40)
    middle = [volume[:, 14:26, 14:26].astype(float).mean(axis=(1, 2)) for volume in volumes]
    shown = np.concatenate([m[c == DISC] for m, c in zip(middle, contents, strict=True)])
    empty = np.concatenate([m[c == 0] for m, c in zip(middle, contents, strict=True)])
    assert shown.mean() - empty.mean() > 3 * empty.std()


def test_series_are_the_same_for_the_same_seed() -> None:
    one, other = simulate_volumes(5, True, seed=2), simulate_volumes(5, True, seed=2)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one.volumes, other.volumes, strict=True))


def test_order_task_turns_half_and_keeps_every_slice() -> None:
    volumes = [np.random.default_rng(k).integers(0, 255, (5 + k, 3, 4)) for k in range(9)]
    made, turned = order_task(volumes, seed=1)
    assert turned.sum() == 4
    for volume, shown, label in zip(volumes, made, turned, strict=True):
        np.testing.assert_array_equal(shown, volume[::-1] if label else volume)


def test_content_task_tells_in_every_slice_and_not_by_order() -> None:
    volumes = [np.random.default_rng(k).integers(0, 255, (6, 3, 4)) for k in range(40)]
    made, labels = content_task(volumes, seed=1)
    assert labels.sum() == 20
    orders = []
    for volume, shown, label in zip(volumes, made, labels, strict=True):
        upright = shown[:, ::-1] if label else shown
        orders.append(bool((upright != volume).any()))
        np.testing.assert_array_equal(upright[::-1] if orders[-1] else upright, volume)
    assert 10 < sum(orders) < 30
