"""Graphs against chemprop's own, by hand, and in any selection."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.learners.compounds.graphs import (
    ATOM_WIDTH,
    BOND_WIDTH,
    Graphs,
    compute_graphs,
    hidden_graphs,
    read_molecule,
)

ODD = [
    "[Na+].[Cl-]",
    "C",
    "F/C=C\\F",
    "F/C=C/F",
    "C[C@H](N)C(=O)O",
    "C[C@@H](N)C(=O)O",
    "[H][H]",
    "[2H]C([2H])([2H])O",
    "[Pt](Cl)(Cl)(N)N",
    "FS(F)(F)(F)(F)F",
    "O=[As]O",
    "[Fe+3]",
    "[O-2]",
    "c1ccccc1C#N",
    "FP(F)(F)(F)F",
    "C[N+](C)(C)C",
    "*CC",
    "N->[Cu]",
    "C[Si]1(C)CC1",
    "[Ca+2]",
    "[U]",
    "I",
    "Cl[Co@OH12](Cl)(Cl)(Cl)(Cl)Cl",
]


def _same(ours: Graphs, theirs: Graphs) -> None:
    for name in ("flags", "mass", "bonds", "ends", "n_atoms", "n_bonds"):
        a, b = getattr(ours, name), getattr(theirs, name)
        assert a.dtype == b.dtype
        assert np.array_equal(a, b), name


def test_features_and_edges_are_those_of_chemprop(smiles: list[str]) -> None:
    chemprop = pytest.importorskip("chemprop.featurizers")
    featurize = chemprop.SimpleMoleculeMolGraphFeaturizer()
    assert featurize.shape == (ATOM_WIDTH, BOND_WIDTH)
    texts = [*ODD, *smiles[::12]]
    ours = compute_graphs(texts)
    begin_atom = begin_bond = 0
    for row, text in enumerate(texts):
        one, theirs = ours.take(np.array([row])), featurize(read_molecule(text))
        assert np.array_equal(one.atom_features, theirs.V), text
        assert np.array_equal(one.bond_features, theirs.E), text
        assert np.array_equal(one.edges, theirs.edge_index), text
        end_atom, end_bond = begin_atom + len(theirs.V), begin_bond + len(theirs.E)
        assert np.array_equal(ours.edges[:, begin_bond:end_bond], theirs.edge_index + begin_atom)
        assert (ours.owners[begin_atom:end_atom] == row).all()
        assert np.array_equal(theirs.rev_edge_index, np.arange(len(theirs.E)) ^ 1)
        begin_atom, begin_bond = end_atom, end_bond


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, len(ODD) - 1), max_size=12))
def test_a_selection_is_what_it_would_be_alone(rows: list[int]) -> None:
    _same(compute_graphs(ODD).take(np.array(rows)), compute_graphs([ODD[row] for row in rows]))


def test_a_hidden_atom_has_no_features_and_neither_have_its_bonds() -> None:
    whole, hidden = compute_graphs(["CC(=O)N"]), hidden_graphs("CC(=O)N")
    assert hidden.n_atoms.tolist() == [4] * 4
    assert np.array_equal(hidden.ends, np.tile(whole.ends, (4, 1)))
    bonds = {0: [0], 1: [0, 1, 2], 2: [1], 3: [2]}
    for atom in range(4):
        copy = hidden.take(np.array([atom]))
        blank = [row for row in range(4) if not copy.atom_features[row].any()]
        assert blank == [atom]
        assert [row for row in range(3) if not copy.bonds[row].any()] == bonds[atom]
        kept = np.setdiff1d(np.arange(4), [atom])
        assert np.array_equal(copy.atom_features[kept], whole.atom_features[kept])
        rest = np.setdiff1d(np.arange(3), bonds[atom])
        assert np.array_equal(copy.bonds[rest], whole.bonds[rest])


@pytest.mark.parametrize("text", ["C1CC", "", "CO poisoning", "c1cccc1", "aspirin"])
def test_what_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(InputError, match="not a valid SMILES") as caught:
        compute_graphs(["CCO", text, "C("])
    assert (caught.value.where, caught.value.cell) == ("compound 2", text)


def test_no_compounds_are_no_graphs() -> None:
    empty = compute_graphs([])
    assert len(empty) == 0
    assert empty.atom_features.shape == (0, ATOM_WIDTH)
    assert empty.edges.shape == (2, 0)
