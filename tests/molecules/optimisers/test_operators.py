"""Genetic operators: what they make is valid, connected, within the rules, and the same with the same seed."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from tests.molecules.optimisers.conftest import START

from iatros.molecules.optimisers import crossover, mutation
from iatros.molecules.optimisers.genes import gene
from iatros.molecules.optimisers.population import Breeding, draw, offspring
from iatros.molecules.optimisers.rules import Rules, forbidden, made, sane

CHANGES = (
    mutation.append_atom,
    mutation.append_group,
    mutation.exchange_group,
    mutation.move_group,
    mutation.insert_atom,
    mutation.delete_atom,
    mutation.change_atom,
    mutation.change_bond,
    mutation.close_ring,
    mutation.open_ring,
    mutation.fuse_ring,
)


def _reached(change: mutation.Change, smiles: str, n: int = 300) -> set[str]:
    """Everything that a change makes of a compound."""
    one = gene(smiles)
    assert one is not None
    rng = random.Random(1)
    found = (change(one, rng) for _ in range(n))
    return {
        text for molecule in found if molecule is not None and (text := made(molecule, Rules(fewest_atoms=1)))
    }


def test_a_gene_knows_its_bonds_and_its_room() -> None:
    one = gene("Cc1cc[nH]c1")
    assert one is not None
    assert [one.hydrogens(at) for at in range(len(one))] == [3, 0, 1, 1, 1, 1]
    assert one.open_atoms == (0, 2, 3, 4, 5)
    assert sorted(bond.order for bond in one.bonds) == [1, 1, 1, 1, 2, 2]
    assert [bond.in_ring for bond in one.bonds].count(True) == 5
    assert one.side(0, [(0, 1)]) == {0}
    assert one.side(1, [(0, 1)]) == {1, 2, 3, 4, 5}
    assert gene("C.C") is None
    assert gene("C(C)(C)(C)(C)C") is None
    assert gene("c1cccc1") is None


@pytest.mark.parametrize(
    ("smiles", "hydrogens"),
    [
        ("C[C@@H](N)C(=O)O", [3, 1, 2, 0, 0, 1]),
        ("[H]/N=C(/C)F", [1, 0, 3, 0]),
        ("[O-][n+]1ccccc1", [0, 0, 1, 1, 1, 1, 1]),
        ("C[NH3+]", [3, 3]),
    ],
)
def test_brackets_fix_no_hydrogens_in_a_gene(smiles: str, hydrogens: list[int]) -> None:
    one = gene(smiles)
    assert one is not None
    assert [one.hydrogens(at) for at in range(len(one))] == hydrogens
    assert "@" not in Chem.MolToSmiles(one.molecule)


@pytest.mark.parametrize(
    ("change", "smiles", "wanted"),
    [
        (mutation.append_atom, "CC", {"CCC", "CCO", "CC=O", "CCF", "CC#N"}),
        (mutation.append_group, "C", {"c1ccc(C)cc1", "CC#N", "COC"}),
        (mutation.exchange_group, "Cc1ccccc1", {"c1ccccc1", "Fc1ccccc1", "N#Cc1ccccc1"}),
        (mutation.move_group, "Cc1cccnc1", {"Cc1ccncc1", "Cc1ccccn1"}),
        (mutation.insert_atom, "CC", {"CCC", "COC", "CNC"}),
        (mutation.delete_atom, "CCO", {"CC", "CO"}),
        (mutation.change_atom, "CC", {"CO", "CN", "CF"}),
        (mutation.change_atom, "c1ccccc1", {"c1ccncc1"}),
        (mutation.change_bond, "CCC", {"C=CC", "C#CC"}),
        (mutation.close_ring, "CCCCCC", {"C1CCCCC1", "CC1CCCC1"}),
        (mutation.open_ring, "C1CCCC1", {"CCCCC"}),
        (mutation.fuse_ring, "c1ccccc1", {"c1ccc2ccccc2c1", "c1ccc2c(c1)CCCC2"}),
    ],
)
def test_changes_reach_what_they_are_for(change: mutation.Change, smiles: str, wanted: set[str]) -> None:
    canonical = {Chem.CanonSmiles(text) for text in wanted}
    assert canonical <= {Chem.CanonSmiles(text) for text in _reached(change, smiles)}


def test_what_cannot_be_changed_gives_nothing() -> None:
    methane = gene("C")
    full = gene("FC(F)(F)F")
    assert methane is not None
    assert full is not None
    rng = random.Random(1)
    assert mutation.open_ring(methane, rng) is None
    assert mutation.move_group(methane, rng) is None
    assert mutation.append_atom(full, rng) is None
    assert crossover.in_ring(methane, methane, rng) is None
    assert crossover.in_chain(methane, full, rng) is None


def test_parents_exchange_halves_and_rings() -> None:
    rng = random.Random(2)
    ester, ring = gene("CCOC(C)=O"), gene("c1ccc(CN2CCOCC2)cc1")
    assert ester is not None
    assert ring is not None

    def reached(kind: Any) -> set[str]:
        found = [kind(ester, ring, rng) for _ in range(300)]
        texts = {made(molecule, Rules()) for molecule in found if molecule is not None}
        return {Chem.CanonSmiles(text) for text in texts if text}

    assert Chem.CanonSmiles("c1ccc(COC(C)=O)cc1") in reached(crossover.in_chain)
    assert Chem.CanonSmiles("CCOC(=O)CN1CCOCC1") in reached(crossover.graft)
    assert reached(crossover.in_ring) == set()
    pair = gene("c1ccc2[nH]ccc2c1"), gene("C1CCNCC1")
    assert pair[0] is not None
    assert pair[1] is not None
    rings = [crossover.in_ring(pair[0], pair[1], rng) for _ in range(400)]
    assert any(made(molecule, Rules()) for molecule in rings if molecule is not None)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(START), st.sampled_from(START))
def test_children_are_valid_whole_and_within_the_rules(seed: int, one: str, other: str) -> None:
    rules = Rules(most_atoms=30, largest_ring=7)
    for child in offspring([one, other], 5, random.Random(seed), rules=rules):
        molecule = Chem.MolFromSmiles(child)
        assert molecule is not None
        assert "." not in child
        assert "@" not in child
        assert 3 <= molecule.GetNumAtoms() <= 30
        assert max((len(ring) for ring in molecule.GetRingInfo().AtomRings()), default=0) <= 7
        assert forbidden(molecule) == ""
        assert all(atom.GetNumRadicalElectrons() == 0 for atom in molecule.GetAtoms())


@pytest.mark.parametrize(
    ("smiles", "rule"),
    [
        ("C=C=C", "a chain of double bonds at carbon"),
        ("C1CCC#CC1", "a triple bond in a small ring"),
        ("C1=CC1", "a double bond in a ring of three"),
        ("COOC", "peroxide"),
        ("CNCl", "halogen on nitrogen, oxygen or sulfur"),
        ("CNNNC", "three nitrogens or oxygens in a row"),
        ("CS(C)(=O)=O", ""),
        ("CN=[N+]=[N-]", ""),
        ("O=[N+]([O-])c1ccccc1", ""),
    ],
)
def test_rules_forbid_what_strain_and_reactivity_do(smiles: str, rule: str) -> None:
    assert forbidden(Chem.MolFromSmiles(smiles)) == rule


@pytest.mark.parametrize(("smiles", "largest"), [("C1CCCCCCCC1", 9), ("C1CCC2CCCCCCC21", 8), ("CCC", 0)])
def test_rings_have_at_most_so_many_members(smiles: str, largest: int) -> None:
    for bound in (7, 8, 9):
        fits = sane(Chem.RWMol(Chem.MolFromSmiles(smiles)), Rules(largest_ring=bound), aromatic=True)
        assert fits == (largest <= bound)


def test_the_same_seed_gives_the_same_children_and_none_twice() -> None:
    runs = [offspring(START, 80, random.Random(5), known={"CC(=O)O"}) for _ in range(2)]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(runs[0]) == 80
    assert runs[0] != offspring(START, 80, random.Random(6))


def test_no_child_is_known_already() -> None:
    first = offspring(["CCO", "CCN"], 40, random.Random(0))
    assert not set(first) & set(offspring(["CCO", "CCN"], 40, random.Random(0), known=set(first)))


def test_parents_are_drawn_from_the_best_more_often() -> None:
    ranked = [str(n) for n in range(1000)]
    drawn = [int(one) for one in draw(ranked, 20_000, random.Random(0), greed=3.0)]
    # u is even on [0, 3], so the best share 10^-u holds the first tenth whenever u > 1, and a tenth of it by chance:
    # 2/3 + 1/3 x the mean of 0.1 x 10^u over [0, 1] = 2/3 + 0.1 x 9 / ln(10) / 3
    wanted = 2 / 3 + 0.1 * 9 / 2.302585 / 3
    assert abs(sum(one < 100 for one in drawn) / len(drawn) - wanted) < 0.012
    even = [int(one) for one in draw(ranked, 20_000, random.Random(0), greed=0.0)]
    assert abs(sum(one < 100 for one in even) / len(even) - 0.1) < 0.01


def test_without_crossover_a_child_has_one_parent() -> None:
    breeding = Breeding(crossover=0.0, again=0.0, greed=0.0)
    children = offspring(["CCCCCCCC"], 60, random.Random(3), breeding=breeding)
    assert all("1" not in child or "C1" in child or "c1" in child for child in children)
    assert "CCCCCCC" in children
