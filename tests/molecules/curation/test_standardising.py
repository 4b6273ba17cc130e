"""Standard forms, worked out by hand from the rules that the module states."""

from __future__ import annotations

import csv
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase

from iatros.molecules.curation import standardising
from iatros.molecules.curation.fragments import has_carbon
from iatros.molecules.curation.parsing import StructureError, parse
from iatros.molecules.curation.standardising import Rules, standardise


@pytest.fixture(autouse=True)
def _quiet():
    with rdBase.BlockLogs():
        yield


def standard(text, **rules):
    return standardise(parse(text), Rules(**rules))


@pytest.mark.parametrize(
    ("text", "smiles", "changes"),
    [
        ("CCO", "CCO", ()),
        ("CC(=O)[O-].[Na+]", "CC(=O)O", ("removed [Na+]", "neutralised")),
        ("[Na]OC(=O)c1ccccc1", "O=C(O)c1ccccc1", ("metal detached", "removed [Na+]", "neutralised")),
        ("CC[NH3+].[Cl-]", "CCN", ("removed [Cl-]", "neutralised")),
        ("[NH3+]CC(=O)[O-]", "NCC(=O)O", ("neutralised",)),
        ("OC(=O)C.CC(=O)O", "CC(=O)O", ("one of 2 copies kept",)),
        ("CC(C)(C)C(=O)O.CCN", "CC(C)(C)C(=O)O", ("removed CCN",)),
        ("CS(C)=O", "C[S+](C)[O-]", ("groups normalised",)),
        ("C[N+](C)(C)C", "C[N+](C)(C)C", ()),
        ("C[N+](C)(C)CC(=O)[O-]", "C[N+](C)(C)CC(=O)[O-]", ()),
        ("C[C@H](N)C(=O)O", "C[C@H](N)C(=O)O", ()),
        ("F/C=C/F", "F/C=C/F", ()),
        ("OC1=CC=CC=N1", "Oc1ccccn1", ()),
    ],
)
def test_golden_forms(text, smiles, changes):
    found = standard(text)
    assert (found.smiles, found.changes) == (smiles, changes)


def test_tautomers_meet_only_where_asked():
    hydroxy, oxo = "Oc1ccccn1", "O=c1cccc[nH]1"
    assert standard(hydroxy).smiles != standard(oxo).smiles
    assert standard(hydroxy, tautomer=True).smiles == standard(oxo, tautomer=True).smiles == oxo
    assert standard(hydroxy, tautomer=True).changes == ("tautomer",)


def test_a_tautomer_keeps_stereo():
    text = "C[C@H](N)c1ccnc(O)c1"
    assert "@" in standard(text, tautomer=True).smiles


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("[2H]C(Cl)(Cl)Cl", "isotopes"),
        ("C[N+](C)(C)C", "charged"),
        ("C[CH]C", "radical"),
        ("C[As](C)C", "unusual element"),
        ("CC(O)CC", "stereo not given"),
        ("CC=CC", "stereo not given"),
        ("C[C@H](O)[C@@H](N)C |&1:1,3|", "enhanced stereo left out"),
        ("c1ccccc1C(=O)O.c1ccccc1N", "mixture"),
        ("CC(=O)[O-].CC(=O)[O-].[Zn+2]", "metal ion removed"),
    ],
)
def test_what_is_unusual_is_flagged(text, flag):
    assert flag in standard(text).flags


def test_what_is_usual_is_not():
    assert standard("CC(=O)[O-].[Na+]").flags == ()
    assert standard("CC(O)C").flags == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[Na+].[Cl-]", "no organic fragment"),
        ("O", "no organic fragment"),
        ("O=C=O", "no organic fragment"),
        ("[C-]#N.[K+]", "no organic fragment"),
        ("OB(O)O", "no organic fragment"),
        ("[C]", "no organic fragment"),
        ("N[Pt](N)(Cl)Cl", "no organic fragment"),
        ("C1CC2(C1)C(=O)O[Pt]OC2=O", "metal complex: of Pt"),
        ("CC[Hg]Cl", "metal complex: of Hg"),
        ("C[Mg]Br", "metal complex: of Mg"),
        ("*CC", "not one definite compound"),
        ("C~C", "not one definite compound"),
        ("C" * 201, "too large: 201 heavy atoms, 200 are allowed"),
    ],
)
def test_what_is_no_compound_is_refused(text, reason):
    with pytest.raises(StructureError) as raised:
        standard(text)
    assert str(raised.value).startswith(reason)


@pytest.mark.parametrize("text", ["C", "CO", "C=O", "NC(N)=O", "ClC(Cl)(Cl)Cl", "FC(F)F", "OB(O)c1ccccc1"])
def test_small_organic_compounds_are_compounds(text):
    assert standard(text).smiles == Chem.CanonSmiles(text)


def test_the_limit_counts_the_kept_part():
    assert standard("C" * 12 + "." + "Cl", max_heavy_atoms=12).smiles == "C" * 12
    with pytest.raises(StructureError, match="13 heavy atoms"):
        standard("C" * 13, max_heavy_atoms=12)


def test_the_order_of_parts_does_not_matter():
    parts = ["CC(=O)[O-]", "[NH3+]Cc1ccccc1", "O", "Cl", "[NH3+]Cc1cccnc1"]
    found = {standard(".".join(order)).smiles for order in itertools.permutations(parts)}
    assert found == {"NCc1cccnc1"}  # same number of heavy atoms as benzylamine, and heavier by the nitrogen


def test_carbon_is_told_from_every_other_element():
    table = Chem.GetPeriodicTable()
    for number in range(1, 104):
        assert has_carbon(f"[{table.GetElementSymbol(number)}+]") == (number == 6)
    assert all(map(has_carbon, ("Cs1ccnc1", "OCo1cccc1", "[13CH4]", "C[C@@H](F)Cl", "[cH-]1cccc1")))
    assert not any(map(has_carbon, ("ClCl", "[Cl-]", "N[Co]N", "[Sc+3].[OH-]", "Cl[Cu]Cl")))


def test_a_form_that_never_settles_is_refused(monkeypatch):
    flips = itertools.cycle([lambda mol: Chem.MolFromSmiles("CCN"), lambda mol: Chem.MolFromSmiles("CCO")])
    monkeypatch.setattr(standardising, "_steps", lambda *_: [("flip", next(flips))])
    with pytest.raises(StructureError, match="keeps changing"):
        standard("CCO")


SALTS = ["CC(=O)[O-].[Na+]", "O=N(=O)c1ccccc1", "C[N+]([O-])(C)C", "NCC[NH3+].[Cl-]", "CS(=O)CC", "CN=[N+]=[N-]",
         "OP(=O)([O-])[O-].C[NH3+]", "C1=CC(=O)NC=C1", "Oc1ccccn1", "CC(=N)N", "[O-][n+]1ccccc1",
         "CC(O)=CC"]  # fmt: skip


@given(st.sampled_from(SALTS), st.sampled_from(SALTS), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_standard_form_is_its_own_standard_form(one, other, tautomer):
    found = standard(f"{one}.{other}", tautomer=tautomer)
    again = standard(found.smiles, tautomer=tautomer)
    assert (again.smiles, again.changes) == (found.smiles, ())


def test_short_cuts_change_nothing_on_real_compounds(shared_data):
    # Steps are left out where SMILES show that they cannot apply; RDKit's whole procedure must then agree.
    with (shared_data / "moleculenet" / "BBBP.csv").open() as file:
        rows = [row["smiles"] for row in csv.DictReader(file)][::9]
    n = 0
    for text in rows:
        try:
            found = standard(text)
        except StructureError:
            continue
        tools = standardising._tools()
        mol = tools.uncharger.uncharge(tools.reionizer.reionize(tools.normalizer.normalize(found.mol)))
        assert Chem.MolToSmiles(mol) == found.smiles
        assert standard(found.smiles).smiles == found.smiles
        n += 1
    assert n > 200


@pytest.mark.parametrize(
    "smiles",
    [
        "CC[NH+](C)C", "CC(=[NH2+])N", "C[NH+]=C(N)N(C)C", "c1cc[nH+]cc1", "C[N+](C)(C)CC([O-])=O", "[NH3+]CC([O-])=O",
        "C[n+]1ccccc1", "CN=C(N)[N+](C)=C(C)N", "CS(C)=O", "C[S+](C)[O-]", "C[S+2]([O-])([O-])C", "CP(C)(C)=O",
        "C[P+](C)(C)[O-]", "CP(=O)=O", "C[As](=O)=O", "C[Se](C)=O", "C[Sb](=O)=O", "C[N+](=O)[O-]", "CN=[N+]=[N-]",
        "[O-][n+]1ccccc1C(=O)O", "CC(=O)[O-]", "OC(=O)CS(=O)(=O)[O-]", "CC[N-]S(C)(=O)=O", "[13CH3]C[15NH3+]",
        "C[N+]#N", "CC([O-])=CC=[N+](C)C", "O=S1C=CC=C1", "C[N@@H+](CC)CCC", "CC[O+]=C(N)C", "[CH2+]N(C)C",
    ],
)  # fmt: skip
def test_steps_that_are_left_out_would_change_nothing(smiles, monkeypatch):
    tools = standardising._tools()
    every = [
        ("groups normalised", tools.normalizer.normalize),
        ("charges moved", tools.reionizer.reionize),
        ("neutralised", tools.uncharger.uncharge),
    ]
    found = standardise(parse(smiles), Rules())
    monkeypatch.setattr(standardising, "_steps", lambda *_: every)
    assert standardise(parse(smiles), Rules())[1:] == found[1:]


def test_a_query_that_no_smiles_shows_is_refused():
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    substituted = block.replace("M  END", "M  SUB  1   1   2\nM  END")
    assert Chem.MolToSmiles(parse(substituted, molblock=True)) == "CCO"
    for mol in (parse(substituted, molblock=True), parse("CCO |rb:0:2|")):
        with pytest.raises(StructureError, match="query atom"):
            standardise(mol, Rules())
