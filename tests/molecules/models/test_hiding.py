"""What is left of a compound when an atom is hidden: against RDKit's similarity maps, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import Descriptors
from rdkit.Chem.Draw import SimilarityMaps

from iatros.core.errors import InputError
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint, feature_names
from iatros.learners.compounds.packing import unpack
from iatros.molecules.models.hiding import EachAtomHidden

COMPOUNDS = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "C[N+](C)(C)CC(=O)[O-]",
    "c1cc[nH]c1CCl",
    "CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O",
    "FC(F)(F)c1cc2ccccc2[nH]1.Cl",
    "C/C=C/C#N",
    "CS(=O)(=O)Nc1ncccc1Br",
    "O=[N+]([O-])c1ccccc1",
    "[2H]C1CC1",
)
HEAVY = COMPOUNDS[:-1]
"""RDKit's similarity maps leave explicit hydrogens out of every environment; the fingerprints do not."""


@pytest.mark.parametrize("smiles", HEAVY)
@pytest.mark.parametrize("features", [False, True])
def test_counts_are_those_of_rdkits_similarity_maps(smiles: str, features: bool) -> None:
    kind = "feature-morgan-counts" if features else "morgan-counts"
    counts = EachAtomHidden(smiles).values(Fingerprint(kind, n_bits=1024, radius=2))
    molecule = Chem.MolFromSmiles(smiles)
    assert len(counts) == molecule.GetNumAtoms()
    for atom, line in enumerate(counts):
        theirs = SimilarityMaps.GetMorganFingerprint(
            molecule, atomId=atom, radius=2, fpType="count", useFeatures=features
        )
        folded = np.zeros(1024, dtype=np.int64)
        for bit, count in theirs.GetNonzeroElements().items():
            folded[bit % 1024] += count
        np.testing.assert_array_equal(line, folded)


@given(smiles=st.sampled_from(COMPOUNDS), radius=st.integers(0, 3), chirality=st.booleans())
@settings(max_examples=40, deadline=None)
def test_hiding_takes_away_and_what_all_atoms_share_is_the_fingerprint(
    smiles: str, radius: int, chirality: bool
) -> None:
    counted = Fingerprint("morgan-counts", n_bits=256, radius=radius, chirality=chirality)
    whole = Compounds([smiles]).values(counted)[0].astype(int)
    left = EachAtomHidden(smiles).values(counted).astype(int)
    assert (left <= whole).all()
    assert (left.sum(axis=1) < whole.sum()).all()  # its own environment is gone
    if radius == 0:  # every environment is one atom, and is hidden once
        np.testing.assert_array_equal((whole - left).sum(axis=0), whole)
    bits = EachAtomHidden(smiles).values(Fingerprint("morgan", 256, radius, chirality))
    np.testing.assert_array_equal(unpack(bits, 256), left > 0)


def test_a_bit_that_another_environment_sets_stays() -> None:
    hexane = Fingerprint("morgan", n_bits=512, radius=0)
    whole, left = unpack(Compounds(["CCCCCC"]).values(hexane), 512), EachAtomHidden("CCCCCC").values(hexane)
    assert whole.sum() == 2
    np.testing.assert_array_equal(unpack(left, 512), np.repeat(whole, 6, axis=0))


@pytest.mark.parametrize("kind", ["avalon", "avalon-counts", "maccs", "erg", "descriptors"])
def test_the_other_kinds_are_those_of_the_compound_without_the_atom(kind: str) -> None:
    fingerprint = Fingerprint(kind, n_bits=512)
    hidden = EachAtomHidden("CCO").values(fingerprint)
    np.testing.assert_array_equal(hidden, Compounds(["CO", "C.O", "CC"]).values(fingerprint))
    pyrrole = EachAtomHidden("c1cc[nH]c1").values(fingerprint)
    np.testing.assert_array_equal(pyrrole[3:4], Compounds(["C=CC=C"]).values(fingerprint))


@pytest.mark.parametrize("smiles", COMPOUNDS)
def test_descriptors_stay_numbers(smiles: str) -> None:
    fingerprint = Fingerprint("descriptors")
    hidden = EachAtomHidden(smiles).values(fingerprint)
    assert np.isfinite(hidden).all()
    heavy = feature_names(fingerprint).index("HeavyAtomCount")
    molecule = Chem.MolFromSmiles(smiles)
    is_heavy = np.array([atom.GetAtomicNum() > 1 for atom in molecule.GetAtoms()])
    np.testing.assert_array_equal(hidden[:, heavy], Descriptors.HeavyAtomCount(molecule) - is_heavy)


@pytest.mark.parametrize("kind", ["morgan", "avalon-counts", "erg", "descriptors", "maccs"])
def test_without_its_only_atom_a_compound_has_no_feature(kind: str) -> None:
    assert not EachAtomHidden("C").values(Fingerprint(kind, n_bits=64)).any()


@pytest.mark.parametrize("smiles", ["", "  ", "C1CC", "Cc1ccccc", "ethanol"])
def test_what_cannot_be_read_is_refused(smiles: str) -> None:
    with pytest.raises(InputError, match="not a valid SMILES"):
        EachAtomHidden(smiles)


def test_atoms_that_are_taken_stay_hidden() -> None:
    counts = Fingerprint("morgan-counts", n_bits=128)
    caffeine = EachAtomHidden(COMPOUNDS[1])
    taken = caffeine.take([5, 1, 1]).take([1, 0])
    np.testing.assert_array_equal(taken.values(counts), caffeine.values(counts)[[1, 5]])
    assert len(taken) == 2
