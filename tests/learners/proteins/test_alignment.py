import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.learners.proteins.alignment import SCORES, clusters, score, self_scores, similarities
from iatros.learners.proteins.sequences import LETTERS

UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"
INSULIN = (
    "MALWMRLLPLLALLALWGPDPAAAFVNQHLCGSHLVEALYLVCGERGFFYTPKTRREAEDLQVGQVELGGGPGAGSLQPLALEGSL"
    "QKRGIVEQCCTSICSLYQLENYCN"
)
IGF1 = (
    "MGKISSLPTQLFKCCFCDFLKVKMHTMSSSHLFYLALCLLTFTSSATAGPETLCGAELVDALQFVCGDRGFYFNKPTGYGSSSRRAPQTGIVDECCFRSCDLRRLEMYCAPLKP"
    "AKSARSVRAQRHTDMPKTQKYQPPSTNKNTKSQRRKGWPKTHPGGEQKEGTEASLQIRGKKKEQRREIGSRNAECRGKKGK"
)

# Biopython 1.85's PairwiseAligner: local, BLOSUM62, open_gap_score -11, extend_gap_score -1.
GOLDEN = [
    (INSULIN, IGF1, 118),
    (UBIQUITIN, INSULIN, 19),
    (UBIQUITIN, UBIQUITIN[:30] + UBIQUITIN[38:], 318),
    (UBIQUITIN, UBIQUITIN[:20] + "XX" + UBIQUITIN[20:], 369),
    ("MKVXX", "MKVXX", 14),
    ("WWWW", "PPPP", 0),
]

QUICK = settings(deadline=None)  # a busy machine is no failure
sequences = st.text(alphabet=LETTERS, min_size=1, max_size=30)


@pytest.mark.parametrize(("one", "other", "expected"), GOLDEN)
def test_scores_are_those_of_another_program(one, other, expected):
    assert score(one, other) == score(other, one) == expected


@QUICK
@given(sequences, sequences)
def test_no_alignment_scores_more_than_a_sequence_with_itself(one, other):
    assert 0 <= score(one, other) <= min(score(one, one), score(other, other))


@QUICK
@given(sequences, sequences, sequences)
def test_what_is_added_at_an_end_never_lowers_the_score(one, other, tail):
    assert score(one, other + tail) >= score(one, other)


def test_the_matrix_is_symmetric_and_its_letters_are_in_place():
    assert np.array_equal(SCORES, SCORES.T)
    assert SCORES[LETTERS.index("W"), LETTERS.index("W")] == 11
    assert SCORES[LETTERS.index("C"), LETTERS.index("E")] == -4
    assert SCORES[LETTERS.index("X"), LETTERS.index("X")] == -1


def test_similarities_among_themselves_and_with_others_agree():
    some = [INSULIN, UBIQUITIN, IGF1, INSULIN]
    square = similarities(some)
    assert np.array_equal(square, similarities(some, some))
    assert square[0, 3] == 1.0
    assert np.array_equal(square, square.T)
    own = self_scores([INSULIN, IGF1])
    assert square[0, 2] == pytest.approx(118 / np.sqrt(own[0] * own[1]))


def test_a_sequence_of_nothing_known_is_like_an_equal_one_alone():
    assert similarities(["XXX", "XXX", "MKV"]).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_clusters_follow_chains_and_stop_at_the_threshold():
    similarity = np.eye(5)
    for i, j, value in [(0, 3, 0.7), (3, 4, 0.61), (1, 2, 0.6)]:
        similarity[i, j] = similarity[j, i] = value
    assert clusters(similarity, 0.6).tolist() == [0, 1, 2, 0, 0]
