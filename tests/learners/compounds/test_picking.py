"""Clusters and diverse picks against RDKit's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.learners.compounds.packing import pack
from iatros.learners.compounds.picking import butina, max_min
from iatros.learners.compounds.tanimoto import similarities


@pytest.mark.parametrize("similarity", [0.35, 0.6, 0.8])
def test_butina_clusters_are_those_of_rdkit(words: np.ndarray, similarity: float) -> None:
    from rdkit.ML.Cluster import Butina

    # Of two centres with as many neighbours RDKit takes the later row and we the earlier, so it gets the rows reversed.
    words = words[::3]
    reversed_words = words[::-1].copy()
    distances = 1.0 - similarities(reversed_words, reversed_words)
    theirs = Butina.ClusterData(distances, len(words), 1.0 - similarity + 1e-12, isDistData=True)
    ours = butina(words, similarity)
    assert [len(words) - 1 - cluster[0] for cluster in theirs] == ours.centres.tolist()
    for number, cluster in enumerate(theirs):
        members = sorted(len(words) - 1 - row for row in cluster)
        assert np.flatnonzero(ours.labels == number).tolist() == members


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0.1, 1.0))
def test_each_compound_is_near_the_centre_of_its_cluster(seed: int, n: int, similarity: float) -> None:
    rng = np.random.default_rng(seed)
    words = pack(rng.random((n, 40)) < rng.choice([0.0, 0.2, 0.6], (n, 1)))
    found = butina(words, similarity)
    every = similarities(words, words)
    assert sorted(set(found.labels.tolist())) == list(range(len(found.centres)))
    assert np.array_equal(found.labels[found.centres], np.arange(len(found.centres)))
    centre = found.centres[found.labels]
    near = every[np.arange(n), centre] >= similarity
    assert (near | (centre == np.arange(n))).all()


def test_max_min_picks_are_those_of_rdkit_where_no_two_are_as_far_away() -> None:
    from rdkit.DataStructs import CreateFromBinaryText
    from rdkit.SimDivFilters.rdSimDivPickers import MaxMinPicker

    rng = np.random.default_rng(7)
    words = pack(rng.random((240, 4096)) < rng.uniform(0.1, 0.6, (240, 1)))
    vectors = [CreateFromBinaryText(row.tobytes()) for row in words]
    theirs = MaxMinPicker().LazyBitVectorPick(vectors, len(vectors), 50, firstPicks=[5], seed=3)
    assert max_min(words, 50, first=[5]).tolist() == list(theirs)


def test_max_min_picks_real_molecules_as_rdkit_does(vectors: list[Any], words: np.ndarray) -> None:
    from rdkit.SimDivFilters.rdSimDivPickers import MaxMinPicker

    # RDKit shuffles the pool, so of molecules as far away it takes any; that each was one of them can be said.
    theirs = list(MaxMinPicker().LazyBitVectorPick(vectors, len(vectors), 60, firstPicks=[5], seed=3))
    every = similarities(words, words)
    for picks in (theirs, max_min(words, 60, first=[5]).tolist()):
        for number in range(1, 60):
            nearest = every[:, picks[:number]].max(axis=1)
            nearest[picks[:number]] = np.inf
            assert nearest[picks[number]] == nearest.min()


def test_max_min_takes_the_earlier_of_two_and_each_row_once() -> None:
    words = pack(np.array([[1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0]]))
    assert max_min(words, 4).tolist() == [0, 1, 2, 3]
    assert max_min(words, 3, first=[2, 0, 2]).tolist() == [2, 0, 1]


def test_bad_input_is_refused() -> None:
    words = pack(np.eye(3))
    with pytest.raises(InputError, match="rows from 0 to 2"):
        max_min(words, 2, first=[3])
    with pytest.raises(InputError, match="rows from 0"):
        max_min(words, 2, first=[])
    with pytest.raises(InputError, match="between 1 and 3 compounds"):
        max_min(words, 4)
    with pytest.raises(InputError, match="above 0"):
        butina(words, 0.0)


def test_no_compound_is_no_cluster() -> None:
    found = butina(np.empty((0, 2), np.uint64), 0.5)
    assert len(found.labels) == len(found.centres) == 0
