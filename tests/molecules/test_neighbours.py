"""Neighbours of one compound in a library: found, told with name and line, and indexed once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, RequestError, TableError, UnknownNameError
from iatros.core.request import build
from iatros.core.runs import home_folder
from iatros.engines.processes import ProcessEngine
from iatros.molecules import libraries
from iatros.molecules.neighbours import neighbours
from iatros.molecules.search_requests import NeighboursRequest

ACIDS = """\
OC(=O)c1ccccc1 benzoic acid
CC(=O)Oc1ccccc1C(=O)O aspirin
C1CC broken

OC(=O)c1ccccc1O salicylic acid
CCCCCCCC octane
C(=O)(O)c1ccccc1O the same again
"""


def ask(structure: str, library: Any, context: Context | None = None, **fields: Any) -> Produced:
    return neighbours(NeighboursRequest(structure=structure, library=library, **fields), context or Context())


def found(produced: Produced) -> list[tuple[str, int]]:
    return [(row["name"], row["line"]) for row in produced.result["neighbours"]]


def test_neighbours_are_those_of_rdkit_with_name_and_line(written: Callable[..., Path]) -> None:
    from rdkit import Chem, DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    produced = ask("OC(=O)c1ccccc1O", written(ACIDS))
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    query, aspirin = (
        generator.GetFingerprint(Chem.MolFromSmiles(text))
        for text in ("OC(=O)c1ccccc1O", "CC(=O)Oc1ccccc1C(=O)O")
    )
    rows = produced.result["neighbours"]
    assert found(produced)[:2] == [("salicylic acid", 5), ("the same again", 7)]
    assert [row["similarity"] for row in rows[:2]] == [1.0, 1.0]
    by_name = {row["name"]: row for row in rows}
    assert by_name["aspirin"]["similarity"] == DataStructs.TanimotoSimilarity(query, aspirin)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[-1]["name"] == "octane"
    assert rows[1]["smiles"] == "C(=O)(O)c1ccccc1O"
    assert produced.table == {key: [row[key] for row in rows] for key in rows[0]}


def test_what_could_not_be_read_is_told(written: Callable[..., Path]) -> None:
    result = ask("CCO", written(ACIDS)).result
    assert (result["n_compounds"], result["n_refused"]) == (5, 1)
    assert result["refused"] == [{"line": 3, "reason": "not a valid SMILES"}]
    assert any("1 lines of the library could not be read" in note for note in result["notes"])


def test_each_field_changes_the_answer(written: Callable[..., Path]) -> None:
    path = written("smiles,b,id,other\nOC(=O)c1ccccc1O,CCN,x,p\nCCO,OC(=O)c1ccccc1,y,q\n", "two.csv")
    plain = {"smiles": "smiles", "identifier": "id"}
    answer = ask("OC(=O)c1ccccc1O", path, **plain).result["neighbours"]
    for change in (
        {"smiles": "b"},
        {"identifier": "other"},
        {"k": 1},
        {"threshold": 0.9},
        {"fingerprint": "maccs"},
    ):
        assert ask("OC(=O)c1ccccc1O", path, **{**plain, **change}).result["neighbours"] != answer, change


@pytest.mark.parametrize("fingerprint", ["morgan", "feature-morgan", "avalon", "maccs"])
def test_a_compound_is_its_own_nearest_by_every_fingerprint(
    written: Callable[..., Path], fingerprint: str
) -> None:
    produced = ask("CC(=O)Oc1ccccc1C(=O)O", written(ACIDS), fingerprint=fingerprint, k=1)
    assert found(produced) == [("aspirin", 2)]


def test_inchi_is_read_in_question_and_library() -> None:
    salicylic = "InChI=1S/C7H6O3/c8-6-4-2-1-3-5(6)7(9)10/h1-4,8H,(H,9,10)"
    rows = ask(salicylic, ["CCO", salicylic, "InChI=1S/nothing"]).result["neighbours"]
    assert [row["line"] for row in rows] == [2, 1]
    assert rows[0]["similarity"] == 1.0


def test_a_file_is_indexed_once_for_each_content(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(ACIDS)
    first = ask("CCO", path).result

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("built again")

    with monkeypatch.context() as patched:
        patched.setattr(libraries, "build_library", never)
        assert ask("CCO", path).result == first
        with pytest.raises(AssertionError):
            ask("CCO", path, fingerprint="maccs")
    path.write_text("CCO ethanol\n")
    assert found(ask("CCO", path)) == [("ethanol", 1)]


def test_a_damaged_index_is_built_again(written: Callable[..., Path]) -> None:
    path = written(ACIDS)
    first = ask("CCO", path).result
    (bits,) = (home_folder() / "cache" / "libraries").rglob("bits.npy")
    bits.write_bytes(b"nothing")
    assert ask("CCO", path).result == first


def test_engine_changes_nothing(written: Callable[..., Path]) -> None:
    library = ["CCO", "CCN", "c1ccccc1O", "nothing"]
    with ProcessEngine(2) as engine:
        assert ask("CCO", library, Context(engine=engine)).result == ask("CCO", library).result


def test_a_threshold_that_nothing_reaches_is_told(written: Callable[..., Path]) -> None:
    produced = ask("CCCCCCCCCCCCN", written(ACIDS), threshold=0.99)
    assert produced.result["neighbours"] == []
    assert produced.table is not None
    assert set(produced.table) == {"rank", "similarity", "smiles", "name", "line"}
    assert any(
        "no more than 0 compounds are at least 0.99 similar" in note for note in produced.result["notes"]
    )


def test_the_structure_is_not_in_what_is_logged() -> None:
    request = NeighboursRequest(structure="CC(=O)Oc1ccccc1C(=O)O", library=["CCO"])
    assert "c1ccccc1" not in request.model_dump_json()


@pytest.mark.parametrize(
    ("structure", "said"),
    [
        ("aspirin", "a structure is needed"),
        ("C1CC", "ring 1"),
        ("", "no structure"),
        ("C(C)(C)(C)(C)C", "valence"),
    ],
)
def test_a_question_that_is_no_structure_says_why(structure: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        ask(structure, ["CCO"])
    assert raised.value.where == "structure"


def test_bad_libraries_are_refused(written: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read"):
        ask("CCO", tmp_path / "nowhere.smi")
    for _ in range(2):
        with pytest.raises(TableError, match="no compounds"):
            ask("CCO", written("\n\n"))
    with pytest.raises(TableError, match="does not say"):
        ask("CCO", written(ACIDS, "compounds.xyz"))
    with pytest.raises(UnknownNameError, match="'c'"):
        ask("CCO", written("smiles,b\nCCO,1\n", "two.csv"), smiles="c")
    assert not list((home_folder() / "cache" / "libraries").glob("*.partial"))


@pytest.mark.parametrize("fields", [{"k": 0}, {"threshold": 1.5}, {"fingerprint": "erg"}, {"radius": 3}])
def test_bad_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        build(NeighboursRequest, {"structure": "CCO", "library": ["CCO"], **fields})


def test_the_longest_unused_library_makes_room(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "MOST_ENTRIES", 2)
    cache = home_folder() / "cache" / "libraries"
    one, two, three = (written(ACIDS, f"{name}.smi") for name in ("one", "two", "three"))
    for path in (one, two):
        ask("CCO", path)
    (first,) = (folder for folder in cache.iterdir() if "one.smi" in (folder / "index.json").read_text())
    ask("CCO", one)
    ask("CCO", three)
    sources = [(folder / "index.json").read_text() for folder in cache.iterdir()]
    assert first.exists()
    assert sorted(name for name in ("one", "two", "three") for text in sources if f"{name}.smi" in text) == [
        "one",
        "three",
    ]
