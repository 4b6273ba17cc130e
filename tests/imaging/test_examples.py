from __future__ import annotations

import numpy as np

from iatros.imaging.examples import pick


def test_the_surest_right_of_each_class_the_surest_wrong_and_the_least_sure():
    p = np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.30, 0.90, 0.97, 0.48, 0.60])
    y = np.array([0, 0, 0, 0, 1, 0, 1, 0, 1, 1])
    found = pick(y, np.column_stack([1 - p, p]))
    by_kind = {
        kind: [place for name, place in found if name == kind] for kind in ("right", "wrong", "uncertain")
    }
    assert by_kind["right"] == [0, 6, 1, 9]
    assert by_kind["wrong"] == [7, 4, 8]
    assert by_kind["uncertain"] == [8, 9, 5, 6]
