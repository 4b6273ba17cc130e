"""Explain: a model that learned about nitro groups points at them, in numbers, drawings and on the page."""

from __future__ import annotations

import base64
import itertools
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rdkit import Chem

from iatros.core.bundle import write_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError, TableError, UnknownNameError
from iatros.core.request import build
from iatros.molecules.explaining import explain
from iatros.molecules.requests import ExplainRequest, TrainRequest
from iatros.molecules.training import train

ENDS = ("C(=O)O", "CO", "N", "F", "Cl", "OC", "C#N", "C(F)(F)F", "S(C)(=O)=O", "CC")
CORES = ("c1ccc({a})cc1{b}", "c1cc({a})ncc1{b}", "C1CCC({a})CC1{b}", "c1cc({a})sc1{b}")
NITRO = Chem.MolFromSmarts("[N+](=O)[O-]")
ASKED = ["Cc1ccc(cc1[N+](=O)[O-])C(=O)OC", "CCOC(=O)c1ccccc1", "O=[N+]([O-])c1cc(C)sc1"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forest that learned whether there is a nitro group, and how many atoms there are."""
    rows = []
    for core, end, nitro in itertools.product(CORES, ENDS, (True, False)):
        smiles = core.format(a=end, b="[N+](=O)[O-]" if nitro else "C")
        size = Chem.MolFromSmiles(smiles).GetNumAtoms()
        rows.append(
            {"smiles": smiles, "nitro": "yes" if nitro else "no", "large": "yes" if size > 9 else "no"}
        )
    request = TrainRequest(
        compounds=rows, outcome="nitro,large", positive="yes", model="forest", inner_folds=2, y_scrambling=0,
        validation="random", param="forest.n_estimators=30",
    )  # fmt: skip
    return write_bundle(train(request, Context()).bundle, tmp_path_factory.mktemp("bundles") / "nitro")


@pytest.fixture(scope="module")
def explained(bundle: Path) -> Produced:
    """The answer for two compounds with a nitro group and one without."""
    rows = [{"smiles": one, "name": f"compound {k}"} for k, one in enumerate(ASKED)]
    request = ExplainRequest(model=bundle, compounds=[*rows, {"smiles": "C1CC", "name": "broken"}])
    return explain(request, Context(run_id="run-7"))


def test_the_nitro_group_contributes_most(explained: Produced) -> None:
    with_nitro = [row for row in explained.result["compounds"] if "[N+]" in row["smiles"]]
    assert len(with_nitro) == 2
    for row in with_nitro:
        nitro = set(Chem.MolFromSmiles(row["smiles"]).GetSubstructMatch(NITRO))
        by_size = sorted(row["atoms"], key=lambda atom: -atom["contribution"])
        assert {atom["atom"] for atom in by_size[:3]} == nitro
        assert set(row["fragments"][0]["atoms"]) == nitro
        assert row["fragments"][0]["contribution"] > 0.5
        assert row["prediction"] > 0.5


def test_without_a_nitro_group_nothing_contributes_as_much(explained: Produced) -> None:
    (row,) = (row for row in explained.result["compounds"] if "[N+]" not in row["smiles"])
    assert row["prediction"] < 0.5
    assert max(atom["contribution"] for atom in row["atoms"]) < explained.result["scale"] / 2


def test_numbers_belong_to_the_prediction_of_the_model(explained: Produced, bundle: Path) -> None:
    from iatros.molecules.prediction import predict
    from iatros.molecules.requests import PredictRequest

    predicted = predict(PredictRequest(model=bundle, compounds=ASKED), Context()).table
    assert predicted is not None
    assert [row["prediction"] for row in explained.result["compounds"]] == pytest.approx(
        predicted["nitro_probability"]
    )
    for row in explained.result["compounds"]:
        assert row["sum"] == pytest.approx(sum(atom["contribution"] for atom in row["atoms"]))
        assert [atom["element"] for atom in row["atoms"]] == [
            atom.GetSymbol() for atom in Chem.MolFromSmiles(row["smiles"]).GetAtoms()
        ]
    json.dumps(explained.result, allow_nan=False)


def test_checks_are_told_and_passed(explained: Produced) -> None:
    checks = explained.result["checks"]
    assert checks["agreement"]["n_fits"] == 2
    assert {name: one["passes"] for name, one in checks.items()} == {
        "agreement": True,
        "randomisation": True,
        "structure": True,
    }
    assert explained.result["n_refused"] == 1
    (refused,) = explained.result["refused"]
    assert refused["line"] == 4
    assert "ring" in refused["reason"]


def test_the_page_holds_every_drawing_and_loads_nothing(explained: Produced) -> None:
    page = explained.documents["explain.html"].decode()
    drawings = re.findall('src="data:image/svg[+]xml;base64,([^"]*)"', page)
    files = [row["document"] for row in explained.result["compounds"]]
    assert files == [f"structures/{k:04d}.svg" for k in (1, 2, 3)]
    for drawing, file in zip(drawings, files, strict=True):
        assert base64.b64decode(drawing) == explained.documents[file]
        ET.fromstring(explained.documents[file].decode())
    assert "compound 0: probability of yes" in page
    assert "do not add up" in page
    assert "Run run-7" in page
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", page)


def test_a_compound_outside_the_domain_is_marked(bundle: Path) -> None:
    strange = "OC1OC(CO)C(OC2OC(CO)C(O)C(O)C2O)C(O)C1O"
    found = explain(ExplainRequest(model=bundle, compounds=["Fc1cccc(C)c1", strange]), Context())
    assert [row["in_domain"] for row in found.result["compounds"]] == [True, False]
    assert any(note.startswith("1 of 2 compounds lie outside") for note in found.result["notes"])
    assert found.documents["explain.html"].decode().count("outside the domain of applicability:") == 2


def test_fields_change_the_answer(bundle: Path) -> None:
    def ask(**fields) -> dict:
        return explain(ExplainRequest(model=bundle, compounds=ASKED, **fields), Context()).result

    large = ask(endpoint="large")
    assert large["endpoint"] == "large"
    assert large["compounds"][0]["atoms"] != ask()["compounds"][0]["atoms"]
    few = ask(most=2, top=1)
    assert few["n"] == 2
    assert [len(row["fragments"]) for row in few["compounds"]] == [1, 1]
    assert any("first 2 of 3" in note for note in few["notes"])


def test_one_compound_twice_is_explained_once(bundle: Path) -> None:
    found = explain(ExplainRequest(model=bundle, compounds=["OCC", "CCO", "CCN"]), Context()).result
    assert [row["name"] for row in found["compounds"]] == ["line 1", "line 3"]


def test_bad_input_is_refused(bundle: Path) -> None:
    with pytest.raises(UnknownNameError, match="nitro"):
        explain(ExplainRequest(model=bundle, compounds=ASKED, endpoint="nitr"), Context())
    with pytest.raises(TableError, match="no compound"):
        explain(ExplainRequest(model=bundle, compounds=["C1CC"]), Context())
    with pytest.raises(RequestError, match="most"):
        build(ExplainRequest, {"model": bundle, "compounds": ASKED, "most": 0})


def test_explaining_needs_no_library_of_training(bundle: Path) -> None:
    program = (
        "import sys; from iatros.core.context import Context; from iatros.molecules.explaining import explain;"
        "from iatros.molecules.requests import ExplainRequest;"
        f"explain(ExplainRequest(model={str(bundle)!r}, compounds=['CCO']), Context());"
        "print(sorted({'torch', 'sklearn', 'lightgbm', 'pandas', 'chemprop'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
