"""Features of a list of compounds are computed once, and picked for its parts."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.learners.compounds import compounds as module
from iatros.learners.compounds.compounds import Compounds, column_names
from iatros.learners.compounds.fingerprints import Fingerprint, compute

SMILES = ["CCO", "c1ccccc1", "CC(=O)O", "CCN"]
COUNTS, KEYS, NUMBERS = (
    Fingerprint("morgan-counts", n_bits=128),
    Fingerprint("maccs"),
    Fingerprint("descriptors"),
)


def test_parts_have_the_features_of_the_whole_in_their_order() -> None:
    whole = Compounds(SMILES)
    part = whole.take([3, 0, 0]).take([2, 0])
    assert part.smiles == ("CCO", "CCN")
    np.testing.assert_array_equal(part.values(COUNTS), compute(["CCO", "CCN"], COUNTS).values)
    assert len(whole) == 4
    assert len(part) == 2


def test_features_are_computed_once_for_all_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(module, "compute", lambda *args, **named: calls.append(1) or compute(*args, **named))
    whole = Compounds(SMILES)
    whole.take([0]).values(COUNTS)
    whole.take([1]).values(COUNTS)
    whole.values(COUNTS)
    assert len(calls) == 1


def test_a_matrix_puts_features_side_by_side_under_their_names() -> None:
    kinds = (COUNTS, KEYS, NUMBERS)
    matrix, names = Compounds(SMILES).matrix(kinds), column_names(kinds)
    assert matrix.dtype == np.float32
    assert matrix.shape == (4, len(names))
    assert names[0] == "morgan-counts:0"
    weight = matrix[:, names.index("MolWt")]
    np.testing.assert_allclose(weight, [46.069, 78.114, 60.052, 45.085], atol=1e-3)
    assert set(np.unique(matrix[:, 128:295])) == {0.0, 1.0}


def test_what_was_computed_travels_to_a_worker_and_the_means_do_not() -> None:
    whole = Compounds(SMILES)
    expected = whole.values(COUNTS)
    sent = pickle.loads(pickle.dumps(whole.take([1, 2])))
    np.testing.assert_array_equal(sent.values(COUNTS), expected[[1, 2]])
    np.testing.assert_array_equal(sent.values(KEYS), compute(SMILES, KEYS).values[[1, 2]])


def test_a_compound_that_cannot_be_read_is_named() -> None:
    with pytest.raises(InputError, match="compound 2"):
        Compounds(["CCO", "C1CC"]).values(COUNTS)
