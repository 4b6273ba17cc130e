from __future__ import annotations

import gzip

import pytest
from rdkit import Chem

from iatros.core.errors import RequestError, UnknownNameError
from iatros.molecules.sources import open_compounds
from iatros.molecules.sources.columns import Wanted


def block(smiles: str, title: str = "", *, v3000: bool = False) -> str:
    mol = Chem.MolFromSmiles(smiles)
    mol.SetProp("_Name", title)
    return Chem.MolToMolBlock(mol, forceV3000=v3000)


def record(smiles: str, title: str = "", **fields: str) -> str:
    data = "".join(f">  <{name}>  (1)\n{value}\n\n" for name, value in fields.items())
    return f"{block(smiles, title)}{data}$$$$\n"


def entries(path, **wanted):
    return list(open_compounds(path, Wanted(**wanted)).entries)


def test_records_with_their_first_line_title_and_fields(written):
    first = record("CCO", "ethanol", IC50="12", unit="nM")
    path = written(first + record("CN", "", IC50="7\n8", chembl_id="CHEMBL43280"), "two.sdf")
    one, two = entries(path, activity="IC50", unit="unit")
    assert (one.line, one.name, one.activity, one.unit) == (1, "ethanol", "12", "nM")
    assert (two.line, two.name, two.activity, two.unit) == (first.count("\n") + 1, "CHEMBL43280", "7 8", "")
    assert Chem.MolToSmiles(Chem.MolFromMolBlock(one.structure)) == "CCO"


def test_a_broken_record_in_the_middle_costs_only_itself(written, curated):
    cut = "\n".join(block("c1ccccc1", "cut").splitlines()[:7]) + "\n$$$$\n"
    nonsense = "title\n  x\n\nthis is no counts line\nM  END\n$$$$\n"
    five = record("CC", "five").replace("  2  1  0", "  9  1  0", 1)
    path = written(record("CCO", "a") + cut + nonsense + five + record("CN", "b"), "broken.sdf")
    found = curated(path)
    assert [row["status"] for row in found.lines] == ["kept", "refused", "refused", "refused", "kept"]
    assert [row["name"] for row in found.lines] == ["a", "cut", "title", "five", "b"]
    assert found.lines[1]["reason"] == "the record is broken: its structure does not end (M  END)"
    assert found.lines[2]["reason"] == "the record is broken: its mol block cannot be read"
    assert found.result["reasons"] == {"the record is broken": 3}


def test_a_missing_separator_refuses_the_two_it_joins(written):
    first = record("CCO", "a").replace("$$$$\n", "")
    found = entries(written(first + record("CN", "b") + record("CC", "c"), "joined.sdf"))
    assert [bool(entry.refusal) for entry in found] == [True, False]
    assert "holds two structures" in found[0].refusal


def test_valence_errors_are_named(written, curated):
    mol = Chem.MolFromSmiles("C(C)(C)(C)(C)C", sanitize=False)
    path = written(Chem.MolToMolBlock(mol, kekulize=False) + "$$$$\n" + record("CCO"), "bad.sdf")
    found = curated(path)
    assert found.lines[0]["reason"].startswith("valence: ")
    assert found.result["n_compounds"] == 1


def test_v3000_gz_and_a_last_record_without_separator(written):
    text = block("CCO", "a", v3000=True) + "$$$$\n" + block("CN", "b")
    found = entries(written(gzip.compress(text.encode()), "three.sdf.gz"))
    assert [entry.name for entry in found] == ["a", "b"]
    assert not any(entry.refusal for entry in found)


def test_stereo_of_a_mol_block_is_kept(written, curated):
    found = curated(written(record("C[C@H](N)C(=O)O"), "ala.sdf"))
    assert found.compounds[0]["smiles"] == "C[C@H](N)C(=O)O"


def test_query_atoms_and_bonds_are_not_one_compound(written, curated):
    query = record("CCC").replace(" C ", " A ", 1)
    found = curated(written(query + record("CCO"), "query.sdf"))
    assert found.reason(1).startswith("not one definite compound")


def test_a_field_that_no_record_has(written):
    path = written(record("CCO", IC50="1") + record("CN", IC50="2"), "two.sdf")
    with pytest.raises(UnknownNameError, match="did you mean IC50"):
        entries(path, activity="IC-50")


def test_smiles_has_no_meaning_for_sdf(written):
    with pytest.raises(RequestError, match="mol blocks"):
        entries(written(record("CCO"), "one.sdf"), smiles="smiles")


def test_a_record_without_end_is_not_kept_in_memory(written, monkeypatch):
    monkeypatch.setattr("iatros.molecules.sources.sdf.MAX_RECORD_LINES", 40)
    path = written("x\n" * 100 + "$$$$\n" + record("CCO", "after"), "long.sdf")
    found = entries(path)
    assert [entry.refusal for entry in found] == ["the record is too long", ""]
    assert found[1].line == 102
