"""Scaffolds and groups of compounds: drawn by hand."""

from __future__ import annotations

import pytest

from iatros.core.errors import InputError, UnknownNameError
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.splitting.scaffolds import groups_of, scaffold


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CC(=O)Oc1ccccc1C(=O)O", "c1ccccc1"),
        ("c1ccccc1CCc1ccncc1", "c1ccc(CCc2ccncc2)cc1"),
        ("C[C@H]1CC[C@@H](C)O1", "C1CCOC1"),
        ("O=C1CCCCC1", "O=C1CCCCC1"),
        ("CC(C)CO", ""),
    ],
)
def test_rings_and_their_linkers_remain_and_what_hangs_on_them_by_one_bond_goes(smiles, expected):
    assert scaffold(smiles) == expected


def test_mirror_images_have_one_scaffold():
    assert scaffold("N[C@H]1CC[C@@H]2CCCC[C@H]2C1") == scaffold("N[C@@H]1CC[C@H]2CCCC[C@@H]2C1")


def test_a_compound_without_a_ring_belongs_to_no_other():
    smiles = ["CCO", "Cc1ccccc1", "CCCO", "Clc1ccccc1", "CCO"]
    assert groups_of(Compounds(smiles), "scaffold").tolist() == [0, 1, 2, 1, 3]


def test_alone_each_compound_is_a_group():
    assert groups_of(Compounds(["CCO", "CCO"]), "random").tolist() == [0, 1]


def test_clusters_hold_what_is_as_similar_as_was_asked():
    smiles = ["CCCCCCCCO", "c1ccc2ccccc2c1", "CCCCCCCO", "c1ccc2ncccc2c1"]
    found = groups_of(Compounds(smiles), "cluster", similarity=0.9)
    assert found[0] == found[2]
    assert len(set(found.tolist())) == 3
    assert groups_of(Compounds(smiles), "cluster", similarity=0.05).max() < found.max()


def test_a_grouping_that_is_not_known_and_a_structure_that_cannot_be_read_are_refused():
    with pytest.raises(UnknownNameError, match="'scaffolds'"):
        groups_of(Compounds(["CCO"]), "scaffolds")
    with pytest.raises(InputError, match="cannot be read"):
        scaffold("C(C)(C)(C)(C)C")
