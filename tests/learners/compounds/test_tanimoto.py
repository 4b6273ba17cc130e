"""The Tanimoto kernel: what RDKit says of real molecules, exactly, and what must hold of any fingerprints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import InputError, LimitError
from iatros.learners.compounds import tanimoto
from iatros.learners.compounds.packing import pack, unpack
from iatros.learners.compounds.tanimoto import (
    build_index,
    count_similarities,
    mean_similarity,
    nearest,
    pairs_above,
    search,
    similarities,
)


def _by_hand(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Similarities from tables of zeros and ones, one pair after the other."""
    both = (a[:, None, :] & b[None, :, :]).sum(axis=2)
    either = (a[:, None, :] | b[None, :, :]).sum(axis=2)
    return np.where(either > 0, both / np.maximum(either, 1), 0.0)


def _best(row: np.ndarray, k: int, threshold: float = 0.0) -> list[int]:
    """Rows of the k largest, the earlier of two equal ones first."""
    order = np.lexsort((np.arange(len(row)), -row))
    return [int(r) for r in order if row[r] >= threshold][:k]


@st.composite
def tables(draw: st.DrawFn, width: int | None = None) -> np.ndarray:
    """Zeros and ones with some empty rows, some equal ones and very different numbers of bits."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 90))
    n_bits = width or draw(st.sampled_from([5, 64, 130, 700]))
    rows = rng.random((n, n_bits)) < rng.choice([0.0, 0.02, 0.1, 0.5, 0.95], (n, 1))
    return rows[rng.integers(0, n, n)].astype(np.uint8)


def test_all_similarities_are_those_of_rdkit(vectors: list[Any], words: np.ndarray) -> None:
    from rdkit.DataStructs import BulkTanimotoSimilarity

    theirs = np.array([BulkTanimotoSimilarity(vector, vectors) for vector in vectors[::9]])
    assert np.array_equal(similarities(words[::9], words), theirs)


@pytest.mark.parametrize(("k", "threshold"), [(1, 0.0), (7, 0.0), (50, 0.35), (2000, 0.0)])
def test_search_finds_what_rdkit_finds(
    vectors: list[Any], words: np.ndarray, k: int, threshold: float
) -> None:
    from rdkit.DataStructs import BulkTanimotoSimilarity

    places = np.arange(0, len(words), 17)
    found = search(build_index(words), words[places], k, threshold=threshold)
    for place, rows, values in zip(places, found.rows, found.similarities, strict=True):
        theirs = np.array(BulkTanimotoSimilarity(vectors[place], vectors))
        best = _best(theirs, k, threshold)
        assert rows[: len(best)].tolist() == best
        assert values[: len(best)].tolist() == theirs[best].tolist()
        assert (rows[len(best) :] == -1).all()
        assert np.isnan(values[len(best) :]).all()


def test_nearest_of_one_set_in_another_is_that_of_rdkit(vectors: list[Any], words: np.ndarray) -> None:
    from rdkit.DataStructs import BulkTanimotoSimilarity

    rows, values = nearest(words[:300], words[300:])
    for place in range(0, 300, 7):
        theirs = np.array(BulkTanimotoSimilarity(vectors[place], vectors[300:]))
        assert values[place] == theirs.max()
        assert rows[place] == theirs.argmax()


@pytest.mark.parametrize("threshold", [0.3, 0.65, 1.0])
def test_pairs_are_those_of_rdkit(vectors: list[Any], words: np.ndarray, threshold: float) -> None:
    from rdkit.DataStructs import BulkTanimotoSimilarity

    theirs = {
        (i, j): value
        for i, vector in enumerate(vectors)
        for j, value in enumerate(BulkTanimotoSimilarity(vector, vectors[i + 1 :]), start=i + 1)
        if value >= threshold
    }
    pairs, values = pairs_above(words, threshold)
    assert [tuple(pair) for pair in pairs.tolist()] == sorted(theirs)
    assert values.tolist() == [theirs[pair] for pair in sorted(theirs)]


def test_count_similarities_are_those_of_rdkit(smiles: list[str]) -> None:
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.DataStructs import BulkTanimotoSimilarity

    from iatros.learners.compounds.fingerprints import Fingerprint, compute

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    chosen = smiles[::15]
    vectors = [generator.GetCountFingerprint(Chem.MolFromSmiles(text)) for text in chosen]
    counts = compute(chosen, Fingerprint("morgan-counts", n_bits=1024)).values
    theirs = np.array([BulkTanimotoSimilarity(vector, vectors) for vector in vectors])
    assert np.array_equal(count_similarities(counts, counts), theirs)


@settings(max_examples=150, deadline=None)
@given(tables(), st.integers(1, 12), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
def test_search_and_pairs_equal_all_pairs_by_hand(table: np.ndarray, k: int, threshold: float) -> None:
    every = _by_hand(table, table)
    words = pack(table)
    index = build_index(words)
    assert np.array_equal(similarities(words, words), every)
    found = search(index, words, k, threshold=threshold)
    for row, rows in zip(every, found.rows, strict=True):
        assert rows[rows >= 0].tolist() == _best(row, k, threshold)
    if threshold:
        expected = np.argwhere(np.triu(every >= threshold, 1))
        assert np.array_equal(pairs_above(index, threshold)[0], expected.reshape(-1, 2))


@settings(max_examples=60, deadline=None)
@given(tables())
def test_similarity_is_symmetric_bounded_and_1_only_with_an_equal(table: np.ndarray) -> None:
    found = similarities(pack(table), pack(table))
    assert np.array_equal(found, found.T)
    assert ((found >= 0) & (found <= 1)).all()
    counts = table.sum(axis=1)
    assert np.array_equal(np.diag(found), (counts > 0).astype(float))
    most = np.minimum.outer(counts, counts) / np.maximum(np.maximum.outer(counts, counts), 1)
    assert (found <= most).all()
    equal = (table[:, None] == table[None]).all(axis=2)
    assert np.array_equal(found == 1.0, equal & (counts > 0)[:, None])


@settings(max_examples=60, deadline=None)
@given(tables(width=130), tables(width=130), st.randoms(use_true_random=False))
def test_order_of_rows_changes_only_their_numbers(a: np.ndarray, b: np.ndarray, random: Any) -> None:
    order = random.sample(range(len(b)), len(b))
    rows, values = nearest(pack(a), pack(b))
    moved, moved_values = nearest(pack(a), pack(b[order]))
    assert np.array_equal(values, moved_values)
    every = _by_hand(a, b)
    assert np.array_equal(rows, every.argmax(axis=1))
    assert np.array_equal(moved, every[:, order].argmax(axis=1))


def test_of_equally_similar_compounds_the_earlier_rows_come_first() -> None:
    table = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]])
    found = search(build_index(pack(table)), pack(np.array([[0, 0, 1, 1]])), 4)
    assert found.rows.tolist() == [[1, 3, 4, 2]]
    assert found.similarities.tolist() == [[1.0, 1.0, 0.5, 1 / 3]]


def test_number_of_threads_changes_nothing(words: np.ndarray) -> None:
    index = build_index(words)
    one, three = (search(index, words, 5, threads=threads) for threads in (1, 3))
    assert np.array_equal(one.rows, three.rows)
    assert np.array_equal(one.similarities, three.similarities)
    for single, several in zip(
        pairs_above(index, 0.4, threads=1), pairs_above(index, 0.4, threads=3), strict=True
    ):
        assert np.array_equal(single, several)
    assert mean_similarity(words, threads=1) == mean_similarity(words, threads=3)


def test_a_compound_can_be_kept_from_finding_itself(words: np.ndarray) -> None:
    own = np.arange(len(words))
    found = search(build_index(words), words, 3, exclude=own)
    assert not (found.rows == own[:, None]).any()
    every = similarities(words, words)
    np.fill_diagonal(every, -1.0)
    assert np.array_equal(found.rows[:, 0], every.argmax(axis=1))


def test_compounds_without_bits_are_not_similar_even_to_each_other() -> None:
    table = np.array([[0, 0, 0], [0, 0, 0], [1, 0, 1]])
    words = pack(table)
    assert similarities(words, words).tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]
    found = search(build_index(words), words[:1], 3)
    assert found.rows.tolist() == [[0, 1, 2]]
    assert found.similarities.tolist() == [[0.0, 0.0, 0.0]]
    assert count_similarities(table, table).tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert len(pairs_above(words, 0.01)[0]) == 0


def test_index_of_nothing_finds_nothing() -> None:
    index = build_index(np.empty((0, 2), np.uint64))
    found = search(index, np.array([[1, 0]], np.uint64), 2)
    assert found.rows.tolist() == [[-1, -1]]
    assert len(pairs_above(index, 0.5)[0]) == 0
    with pytest.raises(InputError, match="no compound to be near to"):
        nearest(np.array([[1, 0]], np.uint64), index)


def test_search_for_nothing_is_empty(words: np.ndarray) -> None:
    assert search(build_index(words), words[:0], 4).rows.shape == (0, 4)


def test_mean_similarity_leaves_out_a_compound_itself_unless_told(words: np.ndarray) -> None:
    words = words[:150]
    every = similarities(words, words)
    others = every[~np.eye(len(every), dtype=bool)].reshape(len(every), -1)
    assert mean_similarity(words) == pytest.approx(others.mean(), rel=1e-12)
    assert mean_similarity(words, with_self=True) == pytest.approx(every.mean(), rel=1e-12)
    assert mean_similarity(words[:20], words[20:]) == pytest.approx(every[:20, 20:].mean(), rel=1e-12)


def test_mean_similarity_with_a_power_is_that_of_moses(words: np.ndarray) -> None:
    # moses.metrics.utils.average_agg_tanimoto(agg="mean", p=2): root of the mean square of each row, then the mean.
    words = words[:90]
    every = similarities(words, words)
    expected = np.sqrt((every**2).mean(axis=1)).mean()
    assert mean_similarity(words, power=2.0, with_self=True) == pytest.approx(expected, rel=1e-12)


def test_counts_by_hand() -> None:
    a = np.array([[2, 0, 1, 5], [1, 1, 1, 1]])
    b = np.array([[1, 3, 1, 2], [0, 0, 0, 0], [2, 0, 1, 5]])
    assert count_similarities(a, b).tolist() == [[4 / 11, 0.0, 1.0], [4 / 7, 0.0, 3 / 9]]


@settings(max_examples=40, deadline=None)
@given(tables(width=64))
def test_counts_of_zeros_and_ones_are_bits(table: np.ndarray) -> None:
    assert np.array_equal(count_similarities(table, table), similarities(pack(table), pack(table)))


def test_kernel_matrix_is_positive_semidefinite(words: np.ndarray) -> None:
    assert np.linalg.eigvalsh(similarities(words[:300], words[:300])).min() > -1e-9


def test_memory_that_cannot_be_written_is_searched_too(words: np.ndarray) -> None:
    frozen = words.copy()
    frozen.flags.writeable = False
    assert np.array_equal(nearest(frozen[:5], frozen)[0], nearest(words[:5], words)[0])
    backwards = np.asfortranarray(words)
    assert np.array_equal(nearest(backwards[:5], backwards)[0], nearest(words[:5], words)[0])


def test_a_fold_bound_never_loses_a_hit_of_maccs_width(words: np.ndarray) -> None:
    narrow = np.ascontiguousarray(words[:, :3])
    every = _by_hand(unpack(narrow[:40], 192), unpack(narrow, 192))
    assert np.array_equal(nearest(narrow[:40], narrow)[0], every.argmax(axis=1))


def test_too_many_pairs_are_refused(words: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tanimoto, "MOST_PAIRS", 100)
    with pytest.raises(LimitError, match="raise the threshold"):
        pairs_above(words, 0.05)


def test_bad_input_is_refused(words: np.ndarray) -> None:
    index = build_index(words)
    with pytest.raises(InputError, match="32 and 16 words"):
        search(index, words[:2, :16], 3)
    with pytest.raises(InputError, match="at least one neighbour"):
        search(index, words[:2], 0)
    with pytest.raises(InputError, match=r"threshold 1\.5"):
        search(index, words[:2], 1, threshold=1.5)
    with pytest.raises(InputError, match="2 queries"):
        search(index, words[:2], 1, exclude=np.array([1]))
    with pytest.raises(InputError, match="above 0"):
        pairs_above(index, 0.0)
    with pytest.raises(InputError, match="packed fingerprints"):
        build_index(unpack(words, 2048))
    with pytest.raises(InputError, match="needs a pair"):
        mean_similarity(words[:1])
    with pytest.raises(InputError, match="power"):
        mean_similarity(words[:3], power=0.5)
    with pytest.raises(InputError, match="whole numbers"):
        count_similarities(np.zeros((2, 2)), np.zeros((2, 2)))
    with pytest.raises(InputError, match="negative"):
        count_similarities(np.array([[-1]]), np.array([[1]]))
    with pytest.raises(InputError, match="1 and 2 features"):
        count_similarities(np.array([[1]]), np.array([[1, 2]]))
