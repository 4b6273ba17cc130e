import numpy as np
import pytest

from iatros.learners.proteins.features import WIDTH, describe, feature_names
from iatros.learners.proteins.sequences import LETTERS, SequenceError, clean, codes


def test_letters_outside_the_twenty_are_read_as_what_they_stand_for():
    assert clean("mUo\n bzJx*") == "MCKXXXX"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MK-V", "'-' at position 3"),
        ("MK1", "'1' at position 3"),
        ("M*K", "'*' at position 2"),
        (" \n", "no sequence"),
    ],
)
def test_text_that_is_no_sequence_is_refused_with_the_place(text, said):
    with pytest.raises(SequenceError, match=said.replace("*", r"\*")):
        clean(text)


def test_a_sequence_longer_than_any_protein_is_refused():
    with pytest.raises(SequenceError, match="40,001 residues"):
        clean("M" * 40_001)


def test_codes_are_places_in_the_alphabet():
    assert codes(LETTERS).tolist() == list(range(21))


def test_description_by_hand():
    found = dict(zip(feature_names(), describe(["AAGRX"])[0], strict=True))
    assert len(found) == WIDTH
    # four known letters, and one that is not
    assert found["share:A"] == pytest.approx(0.5)
    assert found["share:R"] == pytest.approx(0.25)
    assert found["log10_length"] == pytest.approx(np.log10(5))


def test_a_sequence_of_nothing_known_is_described_by_its_length_alone():
    line = describe(["XX"])[0]
    assert np.count_nonzero(line) == 1
    assert np.isfinite(line).all()
