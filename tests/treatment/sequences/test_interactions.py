"""The user's table of interactions."""

import numpy as np
import pytest

from iatros.core.errors import TableError, UnknownNameError
from iatros.treatment.sequences.interactions import pair_counts, read_interactions

ROWS = [{"drug_a": "warfarin", "drug_b": "aspirin"}, {"drug_a": "aspirin", "drug_b": "warfarin"},
        {"drug_a": "heparin", "drug_b": "aspirin"}]  # fmt: skip


def test_pairs_count_once_whatever_their_order_and_unknown_names_are_listed():
    found = read_interactions(ROWS)
    assert found.pairs == (("aspirin", "heparin"), ("aspirin", "warfarin"))
    matrix = found.matrix(("aspirin", "statin", "warfarin"))
    assert matrix.tolist() == [[False, False, True], [False, False, False], [True, False, False]]
    assert found.unknown(("aspirin", "statin", "warfarin")) == ["heparin"]


def test_bad_lines_are_told_by_their_place():
    with pytest.raises(TableError, match="interact with itself") as error:
        read_interactions([*ROWS, {"drug_a": "statin", "drug_b": "statin"}])
    assert "line 3" in error.value.where
    with pytest.raises(TableError, match="needs two names"):
        read_interactions([*ROWS, {"drug_a": "statin", "drug_b": None}])
    with pytest.raises(UnknownNameError, match="'drug_b'"):
        read_interactions([{"drug_a": "x", "other": "y"}])


def test_interacting_and_all_pairs_of_a_set():
    matrix = np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]], dtype=bool)
    interacting, pairs = pair_counts(np.array([[1, 1, 1], [0, 1, 1], [0, 0, 0]], dtype=bool), matrix)
    assert interacting.tolist() == [2.0, 0.0, 0.0]
    assert pairs.tolist() == [3.0, 1.0, 0.0]
