from __future__ import annotations

import pytest
from rdkit import Chem

from iatros.molecules.curation.druglikeness import Properties, broken_rules, properties

GOOD = Properties(300.0, 2.0, 2, 3, 70.0, 3, 80.0, 40)


def test_properties_of_aspirin():
    # Formula C9H8O4: 9 x 12.011 + 8 x 1.008 + 4 x 15.999; TPSA as in PubChem (63.6).
    found = properties(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"))
    assert found.molecular_weight_g_mol == pytest.approx(180.159, abs=0.002)
    assert found.tpsa_square_angstrom == pytest.approx(63.6)
    assert (found.hydrogen_bond_donors, found.hydrogen_bond_acceptors, found.atoms) == (1, 4, 21)


def test_a_compound_that_keeps_all_rules():
    assert broken_rules(GOOD) == ()


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        ({"molecular_weight_g_mol": 501.0}, {"ghose", "rule_of_three", "moses_range"}),
        (
            {"molecular_weight_g_mol": 501.0, "logp": 5.1},
            {"lipinski", "ghose", "rule_of_three", "moses_range"},
        ),
        ({"hydrogen_bond_donors": 6, "hydrogen_bond_acceptors": 11}, {"lipinski", "rule_of_three"}),
        ({"hydrogen_bond_acceptors": 10}, {"rule_of_three"}),
        ({"tpsa_square_angstrom": 135.0}, {"egan"}),
        ({"tpsa_square_angstrom": 140.1}, {"egan", "veber"}),
        ({"rotatable_bonds": 11}, {"veber", "rule_of_three", "moses_range"}),
        ({"logp": -0.5}, {"ghose"}),
        ({"logp": 5.9}, {"egan", "ghose", "rule_of_three", "moses_range"}),
        ({"molar_refractivity": 131.0}, {"ghose"}),
        ({"atoms": 71}, {"ghose"}),
        ({"molecular_weight_g_mol": 240.0}, {"moses_range"}),
    ],
)
def test_rules_break_just_beyond_their_limits(changed, broken):
    assert set(broken_rules(GOOD._replace(**changed))) == broken
