"""Parts: what each says of compounds whose answer is known by hand, and that nothing is computed twice."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D

from iatros.core.errors import IatrosError, InputError
from iatros.molecules.objectives import likeness, molecule
from iatros.molecules.objectives.fingerprints import KINDS, fingerprint
from iatros.molecules.objectives.parts import atoms_of
from iatros.molecules.objectives.properties import PROPERTIES, largest_ring, ring_systems
from iatros.molecules.objectives.reading import load_objective

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
BIPHENYL, NAPHTHALENE = "c1ccc(-c2ccccc2)cc1", "c1ccc2ccccc2c1"


def value(part: dict[str, Any], smiles: str, **fields: Any) -> float:
    """What one part gives before its transform."""
    if "property" in part:
        part = {**part, "transform": {"kind": "identity"}}
    elif "similar_to" not in part and "distance_from" not in part:
        part = {**part, "hard": False}
    (one,) = load_objective({"parts": [{**part, "name": "it"}]}, **fields).score([smiles])
    return one.values["it"]


@pytest.mark.parametrize(
    ("name", "smiles", "expected"),
    [
        ("molecular_weight", ASPIRIN, 180.159),
        ("tpsa", ASPIRIN, 63.60),
        ("donors", ASPIRIN, 1),
        ("heavy_atoms", ASPIRIN, 13),
        ("rings", NAPHTHALENE, 2),
        ("aromatic_rings", NAPHTHALENE, 2),
        ("ring_systems", NAPHTHALENE, 1),
        ("ring_systems", BIPHENYL, 2),
        ("ring_systems", "C1CC2(C1)CC2", 1),
        ("ring_systems", "CCO", 0),
        ("largest_ring", "C1CCCCCCC1", 8),
        ("largest_ring", "CCO", 0),
        ("fraction_csp3", "CC=C", 1 / 3),
        ("fluorines", "FC(F)(F)c1ccccc1", 3),
        ("halogens", "FC(Cl)Br", 3),
        ("carbons", "CCCl", 2),
        ("charge", "C[NH3+]", 1),
        ("stereocentres", "CC(O)F", 1),
        ("rotatable_bonds", "CCCCC", 2),
    ],
)
def test_properties_by_hand(name: str, smiles: str, expected: float) -> None:
    assert value({"property": name}, smiles) == pytest.approx(expected, abs=0.01)


def test_every_property_is_a_number_of_any_compound() -> None:
    for smiles in (ASPIRIN, "C", "[Na+].[Cl-]", "C1CCCCCCCCCCCCC1"):
        mol = Chem.MolFromSmiles(smiles)
        for name, one in PROPERTIES.items():
            assert isinstance(float(one.calculate(mol)), float), name
            assert one.meaning


def test_qed_and_sa_are_between_their_bounds() -> None:
    assert value({"property": "qed"}, ASPIRIN) == pytest.approx(
        0.5501, abs=1e-4
    )  # RDKit's documentation has 0.5501
    assert (
        1.0
        <= value({"property": "sa"}, ASPIRIN)
        < 2.0
        < value({"property": "sa"}, "CC12CC1C1OC2C1(N)F")
        <= 10.0
    )


def test_rings_that_share_an_atom_are_one_system() -> None:
    assert ring_systems(Chem.MolFromSmiles("C1CCC2(CC1)CC1CCC2CC1")) == 1
    assert largest_ring(Chem.MolFromSmiles(NAPHTHALENE)) == 6


def test_likeness_and_distance() -> None:
    assert value({"similar_to": ASPIRIN}, ASPIRIN) == 1.0
    assert value({"distance_from": [ASPIRIN, "CCO"]}, "CCO") == 0.0
    near, far = (value({"similar_to": [one]}, "CCCO") for one in ("CCO", "c1ccccc1"))
    assert value({"similar_to": ["CCO", "c1ccccc1"]}, "CCCO") == near
    assert value({"similar_to": ["CCO", "c1ccccc1"], "to": "mean"}, "CCCO") == pytest.approx((near + far) / 2)
    # By hand: propane has the counts 2 CH3, 1 CH2 at radius 0, butane 2 and 2; 3 common of 4.
    counts = {"similar_to": "CCC", "fingerprint": "morgan-counts", "radius": 0}
    assert value(counts, "CCCC") == pytest.approx(3 / 4)
    bits = {"similar_to": "CCC", "fingerprint": "morgan", "radius": 0}
    assert value(bits, "CCCC") == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_every_fingerprint_compares(kind: str) -> None:
    assert value({"similar_to": ASPIRIN, "fingerprint": kind}, ASPIRIN) == 1.0
    assert 0.0 <= value({"similar_to": ASPIRIN, "fingerprint": kind}, "CC1=CC(C)(C)CCO1") < 1.0


def test_pharmacophores_are_as_alike_as_those_of_rdkit() -> None:
    texts = json.loads((Path(__file__).parent / "published_scores.json").read_text())["smiles"]
    mols = [Chem.MolFromSmiles(smiles) for smiles in texts]
    theirs = [Generate.Gen2DFingerprint(mol, Gobbi_Pharm2D.factory) for mol in mols]
    ours = [fingerprint(mol, "pharmacophore") for mol in mols]
    assert [one.GetNumOnBits() for one in ours] == [one.GetNumOnBits() for one in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert DataStructs.BulkTanimotoSimilarity(mine, ours) == DataStructs.BulkTanimotoSimilarity(
            other, theirs
        )


@pytest.mark.parametrize("kind", ["morgan", "atom-pair", "maccs", "topological"])
def test_many_references_are_searched_to_the_same_answer(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = json.loads((Path(__file__).parent / "published_scores.json").read_text())["smiles"]
    made = load_objective({"parts": [{"similar_to": texts[:20], "fingerprint": kind}]})
    one_by_one = made.score(texts)
    monkeypatch.setattr(likeness, "MANY", 1)
    searched = made.score(texts)
    assert [one.score for one in searched] == [one.score for one in one_by_one]
    assert 0.0 < min(one.score for one in searched[20:]) < 1.0


def test_references_from_files(tmp_path: Path) -> None:
    (tmp_path / "known.smi").write_text(f"{ASPIRIN} aspirin\n\nCCO\nC1CC broken\nOCC again\n")
    with gzip.open(tmp_path / "known.csv.gz", "wt") as file:
        file.write(f"name,smiles\naspirin,{ASPIRIN}\n")
    for name in ("known.smi", "known.csv.gz"):
        assert value({"similar_to": name}, ASPIRIN, folder=tmp_path) == 1.0
    made = load_objective({"parts": [{"distance_from": "known.smi"}]}, folder=tmp_path)
    told = made.document()["parts"][0]["distance_from"]
    assert (told["file"], told["n"], told["n_refused"]) == ("known.smi", 2, 1)
    again = load_objective(made.document(), folder=tmp_path)
    assert again.score(["CCCO"]) == made.score(["CCCO"])
    (tmp_path / "known.smi").write_text("CCN\n")
    with pytest.raises(InputError, match="others than sha256 says"):
        load_objective(made.document(), folder=tmp_path)
    (tmp_path / "empty.smi").write_text("\n")
    for name, said in (("empty.smi", "no compounds"), ("missing.smi", "no such file")):
        with pytest.raises(IatrosError, match=said) as error:
            load_objective({"parts": [{"similar_to": name}]}, folder=tmp_path)
        assert "part 1" in str(error.value)


@pytest.mark.parametrize(
    ("part", "yes", "no"),
    [
        ({"require": "[#7]"}, "CCN", "CCO"),
        ({"require": ["[#7]", "[#8]"]}, "OCCN", "CCN"),
        ({"forbid": ["[#7]", "[F]"]}, "CCO", "CCF"),
        ({"alerts": ["pains", "brenk"]}, "OC(=O)c1ccccc1", "O=C1C=CC(=O)C=C1"),
        ({"alerts": "moses"}, "c1ccccc1", "CCCC=O"),
        ({"elements": ["C", "O"]}, "CCO", "CCN"),
        ({"elements": "C"}, "CC", "CO"),
        ({"ring_sizes": [5, 6]}, "C1CCCCC1", "C1CCCCC1C1CCC1"),
        ({"ring_sizes": 6}, "CCO", "C1CCCC1"),
    ],
)
def test_what_is_there_or_not(part: dict[str, Any], yes: str, no: str) -> None:
    assert (value(part, yes), value(part, no)) == (1.0, 0.0)
    hard = load_objective({"parts": [part, {"property": "qed"}]}).score([yes, no])
    assert hard[0].score > 0.0
    assert not hard[0].reason
    assert hard[1].score == 0.0
    assert hard[1].reason.startswith("constraint not met: ")


def test_formulas() -> None:
    """By hand for methanol against CH4: C and H right, one atom too many in all, of spread 2; geometric over three."""
    assert value({"formula": "CH4"}, "C") == 1.0
    assert value({"formula": "CH4"}, "CO") == pytest.approx(2.718281828 ** (-0.125 / 3))
    assert value({"formula": "CH4", "mean": "arithmetic"}, "CO") == pytest.approx(
        (2 + 2.718281828**-0.125) / 3
    )
    assert atoms_of("C9H10N2O2PF2Cl") == {"C": 9, "H": 10, "N": 2, "O": 2, "P": 1, "F": 2, "Cl": 1}


def test_a_compound_is_parsed_and_fingerprinted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: Counter[Any] = Counter()

    class Parsing:
        def __getattr__(self, name: str) -> Any:
            return getattr(Chem, name)

        def MolFromSmiles(self, smiles: str) -> Any:  # noqa: N802
            counts["parsed", smiles] += 1
            return Chem.MolFromSmiles(smiles)

    def counting(mol: Any, kind: str, radius: int = 2) -> Any:
        counts[kind, radius, Chem.MolToSmiles(mol)] += 1
        return fingerprint(mol, kind, radius)

    calculate = PROPERTIES["qed"].calculate

    def qed(mol: Any) -> float:
        counts["qed", Chem.MolToSmiles(mol)] += 1
        return calculate(mol)

    parts: list[dict[str, Any]] = [
        {"property": "qed"},
        {"property": "qed", "transform": {"kind": "step", "at_least": 0.3}, "hard": True},
        {"similar_to": "CCO"},
        {"similar_to": "CCCO"},
        {"distance_from": "CCN"},
        {"similar_to": "CCO", "radius": 3},
        {"similar_to": "CCO", "fingerprint": "maccs"},
        {"distance_from": "CCO", "fingerprint": "maccs", "radius": 1},
        {"require": "[#6]"},
        {"alerts": "pains"},
        {"alerts": ["pains", "brenk"]},
    ]
    objective = load_objective({"parts": parts})
    objective.score(["CCC"])  # the references are computed with the first compound
    monkeypatch.setattr(molecule, "Chem", Parsing())
    monkeypatch.setattr(molecule, "fingerprint", counting)
    monkeypatch.setitem(PROPERTIES, "qed", PROPERTIES["qed"]._replace(calculate=qed))
    objective.score([ASPIRIN, "CCCCO", ASPIRIN])
    assert set(counts.values()) == {1}
    assert {key[0] for key in counts} == {"parsed", "morgan", "maccs", "qed"}
    assert sum(key[0] == "parsed" for key in counts) == 2
