"""Contributions: sums by fragment, pieces by hand, and checks that tell maps of the model from the structure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from scipy.stats import spearmanr

from iatros.core.errors import InputError
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.molecules.attribution import (
    ExchangedFeatures,
    agreement,
    contributions,
    likeness_after_exchange,
    likeness_to_structure,
    rank_correlation,
)
from iatros.molecules.models.hiding import EachAtomHidden

PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"


def test_a_contribution_is_what_the_answer_loses() -> None:
    hidden = np.linspace(0.1, 0.9, 11)
    found = contributions(PARACETAMOL, 0.7, hidden)
    assert found.atoms == pytest.approx(0.7 - hidden)
    assert found.elements == ("C", "C", "O", "N", "C", "C", "C", "C", "O", "C", "C")
    assert sum(part.contribution for part in found.fragments) == pytest.approx(found.atoms.sum())
    sizes = [abs(part.contribution) for part in found.fragments]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("smiles", "pieces"),
    [
        (PARACETAMOL, [(0, 1, 2), (3,), (4, 5, 6, 7, 9, 10), (8,)]),
        ("O=[N+]([O-])c1ccc2ccccc2c1", [(0, 1, 2), tuple(range(3, 13))]),
        ("[Na+].CC(=O)[O-]", [(0,), (1, 2, 3, 4)]),
        ("Oc1ccccc1", [(0,), (1, 2, 3, 4, 5, 6)]),
        ("CCCC", [(0, 1, 2, 3)]),
    ],
)
def test_pieces_are_ring_systems_and_what_brics_leaves_whole_beside_them(smiles, pieces) -> None:
    n = Chem.MolFromSmiles(smiles).GetNumAtoms()
    found = contributions(smiles, 0.0, np.zeros(n))
    assert sorted(part.atoms for part in found.fragments) == pieces


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(
        [
            "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
            "CN1CCC[C@H]1c1cccnc1",
            "[Na+].CC(=O)[O-]",
            "C",
            "O=C(O)c1ccccc1OC(C)=O",
        ]
    ),
    st.integers(0, 1000),
)
def test_every_atom_is_in_one_fragment(smiles: str, seed: int) -> None:
    n = Chem.MolFromSmiles(smiles).GetNumAtoms()
    found = contributions(smiles, 1.0, np.random.default_rng(seed).normal(size=n))
    assert sorted(atom for part in found.fragments for atom in part.atoms) == list(range(n))
    for part in found.fragments:
        assert part.contribution == pytest.approx(found.atoms[list(part.atoms)].sum())


def test_fits_that_agree_and_fits_that_do_not() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=11)
    same = [lambda _, k=k: 1 - true - 0.01 * k for k in range(3)]
    assert agreement([PARACETAMOL], same, [np.ones(1)] * 3) == pytest.approx(1)
    noise = [lambda _, k=k: np.random.default_rng(k).normal(size=11) for k in range(20)]
    assert abs(agreement([PARACETAMOL], noise, [np.ones(1)] * 20)) < 0.2
    assert agreement([PARACETAMOL], same[:1], [np.ones(1)]) is None


def test_a_map_of_the_neighbours_alone_is_found_out() -> None:
    distance = Chem.GetDistanceMatrix(Chem.MolFromSmiles(PARACETAMOL))
    crowded = (distance <= 2).sum(axis=1)
    assert likeness_to_structure([contributions(PARACETAMOL, 0.0, crowded.astype(float))]) == pytest.approx(1)
    nitro = np.zeros(11)
    nitro[8] = -1.0
    assert likeness_to_structure([contributions(PARACETAMOL, 0.0, nitro)]) < 0.5


def test_rank_correlation_equals_scipy_and_is_0_without_contrast() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 5, 40).astype(float), rng.integers(0, 5, 40).astype(float)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert rank_correlation(a, np.ones(40)) == 0.0


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="3 atoms"):
        contributions("CCO", 0.0, np.zeros(2))
    with pytest.raises(InputError, match="finite"):
        contributions("CCO", 0.0, np.array([0.0, np.inf, 0.0]))
    with pytest.raises(InputError, match="SMILES"):
        contributions("C1CC", 0.0, np.zeros(3))


def test_exchanged_features_are_the_same_in_other_places() -> None:
    plain, exchanged = EachAtomHidden(PARACETAMOL), ExchangedFeatures(PARACETAMOL, 3)
    for fingerprint in (Fingerprint("morgan", n_bits=512), Fingerprint("morgan-counts", n_bits=512)):
        before, after = plain.matrix([fingerprint]), exchanged.matrix([fingerprint])
        assert not np.array_equal(before, after)
        assert np.array_equal(before.sum(axis=1), after.sum(axis=1))
        assert np.array_equal(after, ExchangedFeatures(PARACETAMOL, 3).matrix([fingerprint]))


def test_exchange_tells_what_was_learned_from_how_many_features_there_are() -> None:
    """Of two linear models one has a weight for each feature, the other the same for all."""
    fingerprint = Fingerprint("morgan-counts", n_bits=2048)
    weights = np.random.default_rng(1).normal(size=2048)
    for w, alike in ((weights, False), (np.ones(2048), True)):
        hidden = EachAtomHidden(PARACETAMOL).matrix([fingerprint]) @ w
        found = [contributions(PARACETAMOL, 0.0, hidden.astype(float))]
        likeness = likeness_after_exchange(found, lambda one, w=w: one.matrix([fingerprint]) @ w)
        assert likeness == pytest.approx(1) if alike else abs(likeness) < 0.5
    assert likeness_after_exchange(found, lambda one: np.ones(len(one))) is None
