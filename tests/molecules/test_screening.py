"""Screening: the best of a library, each line accounted for, a diverse choice, and memory that stays bounded."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, RequestError, TableError, UnknownNameError
from iatros.core.request import build
from iatros.core.task import Target
from iatros.engines.processes import ProcessEngine
from iatros.molecules import screening
from iatros.molecules.schema import Entry
from iatros.molecules.scoring import ActivityModel, Answers
from iatros.molecules.screening import Best, Candidate, screen
from iatros.molecules.search_requests import ScreenRequest

LIBRARY = """\
CCO ethanol
CCCCCC hexane
C1CC broken

CCCC butane
[Na+].CC(=O)[O-] acetate
CCCCCC(C) heptane
CCCCCC hexane again
OC(=O)c1ccccc1O salicylic acid
O=C1C=CC(=O)C=C1 quinone
"""


class Counting:
    """A model whose first endpoint is the number of carbon atoms, and whose second their negative."""

    binary = False
    endpoints = (Target("carbons", "continuous"), Target("fewer", "continuous"))

    def answer(self, compounds: Any) -> Answers:
        mols = [Chem.MolFromSmiles(text) for text in compounds.smiles]
        carbons = np.array([sum(atom.GetSymbol() == "C" for atom in mol.GetAtoms()) for mol in mols], float)
        value = np.column_stack([carbons, -carbons])
        inside = np.array([not mol.GetRingInfo().NumRings() for mol in mols])
        return Answers(
            value, value, np.full(value.shape, 0.5), value - 1, np.full(value.shape, np.inf),
            np.zeros((*value.shape, 2), bool), carbons / 10, inside,
            tuple("" if one else "unlike" for one in inside),
        )  # fmt: skip


@pytest.fixture
def bundle(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A bundle that holds `Counting`."""
    rules = {"tautomer": False, "max_heavy_atoms": 200}
    made = SimpleNamespace(manifest={"standardisation": rules}, manifest_sha256="0", name="bundle")
    monkeypatch.setattr(screening, "open_bundle", lambda _: made)
    monkeypatch.setattr(ActivityModel, "from_bundle", classmethod(lambda *_: Counting()))
    screening._model.cache_clear()
    yield made
    screening._model.cache_clear()


def ask(library: Any, context: Context | None = None, **fields: Any) -> Produced:
    return screen(ScreenRequest(library=library, **fields), context or Context())


def by_model(library: Any, **fields: Any) -> Produced:
    return ask(library, **{"bundle": "bundle", "endpoint": "carbons", **fields})


def written_by(produced: Produced, name: str) -> str:
    content = produced.documents[name]
    if isinstance(content, bytes):
        return content.decode()
    file = io.BytesIO()
    content(file)
    return file.getvalue().decode()


def names(produced: Produced) -> list[str]:
    return [row["name"] for row in produced.result["best"]]


@pytest.mark.usefixtures("bundle")
def test_the_best_come_first_and_every_line_is_accounted_for(written: Callable[..., Path]) -> None:
    context = Context()  # whose scratch holds the refused lines until they are written
    produced = by_model(written(LIBRARY), context=context)
    result = produced.result
    assert names(produced) == [
        "heptane", "salicylic acid", "hexane", "quinone", "butane", "ethanol", "acetate",
    ]  # fmt: skip
    counts = ("n_lines", "n_blank_lines", "n_refused", "n_left_out", "n_ranked", "n_outside_domain", "n_kept")
    assert [result[name] for name in counts] == [10, 1, 1, 0, 8, 2, 7]
    assert result["refused"] == [
        {"line": 3, "reason": "not valid SMILES: the ring 1 is opened and not closed"}
    ]
    (refused,) = csv.DictReader(io.StringIO(written_by(produced, "refused.csv")))
    assert (refused["line"], refused["name"]) == ("3", "broken")
    salicylic = result["best"][1]
    assert (salicylic["line"], salicylic["prediction"], salicylic["low"], salicylic["high"]) == (
        9,
        7.0,
        6.0,
        None,
    )
    assert (salicylic["in_domain"], salicylic["outside_because"]) == (False, "unlike")
    assert "brenk: chinone_1" in result["best"][3]["alerts"]


@pytest.mark.usefixtures("bundle")
def test_documents_hold_what_the_result_says(written: Callable[..., Path]) -> None:
    produced = by_model(written(LIBRARY), diverse=3)
    rows = list(csv.DictReader(io.StringIO(written_by(produced, "best.csv"))))
    assert [row["name"] for row in rows] == names(produced)
    supplier = Chem.SDMolSupplier()
    supplier.SetData(written_by(produced, "best.sdf"))
    mols = list(supplier)
    assert [mol.GetProp("_Name") for mol in mols] == names(produced)
    assert [Chem.MolToSmiles(mol) for mol in mols] == [row["smiles"] for row in rows]
    assert [mol.GetProp("prediction") for mol in mols] == [row["prediction"] for row in rows]


@pytest.mark.usefixtures("bundle")
def test_a_name_cannot_break_an_sdf_record() -> None:
    evil = "x\n$$$$\n>  <prediction>\n99"
    produced = by_model([{"smiles": "CCO", "name": evil}, {"smiles": "CCCO", "name": "=1+1"}])
    supplier = Chem.SDMolSupplier()
    supplier.SetData(written_by(produced, "best.sdf"))
    assert [mol.GetProp("prediction") for mol in supplier] == ["3.0", "2.0"]
    assert "'=1+1" in written_by(produced, "best.csv")


@pytest.mark.usefixtures("bundle")
def test_each_field_changes_the_answer(written: Callable[..., Path]) -> None:
    path = written("smiles,b,id,alt\nCCO,CCCN,x,p\nO=C1C=CC(=O)C=C1,CN,y,q\nCCCC,CCCCC,z,r\n", "two.csv")
    base = {"endpoint": "carbons", "smiles": "smiles", "identifier": "id"}
    plain = by_model(path, **base).result
    for change in (
        {"endpoint": "fewer"},
        {"smiles": "b"},
        {"identifier": "alt"},
        {"order": "low"},
        {"top": 2},
        {"diverse": 1},
        {"min_similarity": 0.3},
        {"domain": "only"},
        {"alerts": "none"},
        {"bundle": None, "endpoint": None, "like": "CCO"},
    ):
        assert by_model(path, **{**base, **change}).result != plain, change


@pytest.mark.usefixtures("bundle")
def test_what_lies_outside_can_be_left_out(written: Callable[..., Path]) -> None:
    produced = by_model(written(LIBRARY), domain="only", min_similarity=0.35)
    assert names(produced) == ["heptane", "hexane", "butane"]
    assert (produced.result["n_left_out"], produced.result["n_ranked"]) == (4, 4)


def test_likeness_ranks_as_rdkit_says_and_needs_no_model(written: Callable[..., Path]) -> None:
    from rdkit import DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    produced = ask(written(LIBRARY), like="CC(=O)Oc1ccccc1C(=O)O", top=2)
    aspirin, salicylic = (
        generator.GetFingerprint(Chem.MolFromSmiles(text))
        for text in ("CC(=O)Oc1ccccc1C(=O)O", "OC(=O)c1ccccc1O")
    )
    assert names(produced)[0] == "salicylic acid"
    assert produced.result["best"][0]["similarity"] == DataStructs.TanimotoSimilarity(aspirin, salicylic)
    assert produced.result["ranked_by"] == "similarity"
    assert "in_domain" not in produced.result["best"][0]


def test_the_diverse_choice_is_max_min_and_begins_with_the_best(written: Callable[..., Path]) -> None:
    text = "".join(f"{'C' * n}c1ccccc1 b{n}\n{'C' * n}N n{n}\n" for n in range(1, 12))
    produced = ask(written(text), like="CCCc1ccccc1", diverse=3, alerts="none")
    picked = [produced.result["best"][rank - 1] for rank in produced.result["diverse"]]
    assert picked[0]["rank"] == 1
    assert [row["diverse"] for row in picked] == [1, 2, 3]
    assert picked[1]["name"].startswith("n")


def test_engine_changes_nothing(written: Callable[..., Path]) -> None:
    path = written("".join(f"{'C' * (n % 37 + 1)}O{'C' * (n % 11)} m{n}\n" for n in range(1200)))
    with ProcessEngine(2) as engine:
        there = ask(path, Context(engine=engine), like="CCCCOCC", alerts="none")
    here = ask(path, like="CCCCOCC", alerts="none")
    assert there.result == here.result
    assert written_by(there, "best.sdf") == written_by(here, "best.sdf")


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=60),
    st.integers(1, 8),
    st.booleans(),
)
def test_the_heap_keeps_what_sorting_everything_would(
    made: list[tuple[int, int]], n: int, high: bool
) -> None:
    value_of: dict[int, int] = {}
    best, rows, seen = Best(n, high=high), [], set()
    for line, (compound, value) in enumerate(made, start=1):
        value = value_of.setdefault(compound, value)  # one compound has one value
        best.add(Entry(line), Candidate(float(value), str(compound), ()))
        if compound not in seen:
            seen.add(compound)
            rows.append((-value if high else value, line))
    expected = [line for _, line in sorted(rows)[:n]]
    assert [entry.line for entry, _ in best.ranked()] == expected


@pytest.mark.usefixtures("bundle")
def test_bad_questions_are_refused(written: Callable[..., Path]) -> None:
    path = written(LIBRARY)
    with pytest.raises(InputError, match="several endpoints: carbons, fewer"):
        ask(path, bundle="bundle")
    with pytest.raises(UnknownNameError, match="'carbon'"):
        by_model(path, endpoint="carbon")
    with pytest.raises(InputError, match="a structure is needed"):
        ask(path, like="aspirin")
    with pytest.raises(TableError, match="no compounds"):
        by_model(written("\n\n", "empty.smi"))
    produced = by_model(written("C1CC\n", "bad.smi"))
    assert (produced.result["n_kept"], produced.result["best"], produced.result["diverse"]) == (0, [], [])
    assert written_by(produced, "best.sdf") == ""


@pytest.mark.usefixtures("bundle")
def test_a_bundle_that_changes_in_between_is_noticed(bundle: SimpleNamespace) -> None:
    with pytest.raises(InputError, match="replaced while"):
        screening._model("bundle", "another")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "either bundle"),
        ({"bundle": "b", "like": "CCO"}, "either bundle"),
        ({"like": "CCO", "endpoint": "y"}, "about a model"),
        ({"like": "CCO", "domain": "only"}, "that of a model"),
        ({"like": "CCO", "order": "low"}, "order low"),
        ({"like": "CCO", "alerts": "paints"}, "no set"),
        ({"bundle": "b", "top": 0}, "top"),
        ({"bundle": "b", "min_similarity": 2.0}, "min_similarity"),
    ],
)
def test_bad_fields_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        build(ScreenRequest, {"library": ["CCO"], **fields})


def test_the_structure_is_not_in_what_is_logged() -> None:
    assert "c1ccccc1" not in ScreenRequest(library=["CCO"], like="Cc1ccccc1").model_dump_json()


def test_asking_loads_none_of_the_libraries_that_train() -> None:
    code = """
import sys
from iatros.core.context import Context
from iatros.molecules.search_requests import ScreenRequest, TargetsRequest
from iatros.molecules.screening import screen
from iatros.molecules.targeting import targets

screen(ScreenRequest(library=["CCO", "CCCO"], like="CCCN"), Context())
rows = [{"smiles": "C" * n + "c1ccccc1", "target": f"T{n % 3}"} for n in range(1, 30)]
targets(TargetsRequest(structure="CCc1ccccc1", reference=rows), Context())
print(sorted({"torch", "sklearn", "lightgbm", "pandas", "chemprop"} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
