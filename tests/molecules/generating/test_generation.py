"""The action generate: every text is accounted for, and what comes through is described, ordered and written."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from rdkit import Chem
from tests.molecules.series import compounds

from iatros.app import execute
from iatros.core.bundle import open_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import BundleError, InputError, RequestError
from iatros.molecules.generating import generation
from iatros.molecules.generating.generation import generate
from iatros.molecules.generation_requests import GenerateRequest
from iatros.molecules.requests import TrainRequest
from iatros.molecules.scoring import ActivityModel

TEXTS = ["CCCCCCO", "OCCCCCC", "C1CC", "c1ccc(CCN)cc1", "CC(=O)Nc1ccc(O)cc1", "", "O=C1CCCCCCC1", "CCCCCCN"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generator")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IATROS_HOME", str(folder / "home"))
        request = TrainRequest(
            compounds=[row["smiles"] for row in compounds(140)],
            model="rnn",
            param=("rnn.units=16", "rnn.epochs=1", "rnn.embedding=8"),
        )
        execute("molecules", "train", request, out=folder / "space", engine="serial")
    return folder / "space"


class Written:
    """Stands for a trained generator, and writes what is known."""

    def sample(self, n: int, **_: Any) -> list[str]:
        return TEXTS[:n]


@pytest.fixture
def writes_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "open_generator", lambda _: Written())


def asked(bundle: Path, **fields: Any) -> Produced:
    return generate(GenerateRequest(model=bundle, **{"n": len(TEXTS), **fields}), Context())


def rows_of(produced: Produced) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(produced.documents["compounds.csv"].decode())))


@pytest.mark.usefixtures("writes_known")
def test_what_comes_through_is_ordered_described_and_written(bundle: Path) -> None:
    produced = asked(bundle, filters="none", novel=False, diverse=2)
    result, rows = produced.result, rows_of(produced)
    assert [(step["step"], step["n"]) for step in result["funnel"]] == [
        ("written", 8), ("valid", 6), ("unique", 5),
    ]  # fmt: skip
    assert result["n_kept"] == len(rows) == 5
    qed = [float(row["qed"]) for row in rows]
    assert qed == sorted(qed, reverse=True)
    assert [row["rank"] for row in result["compounds"]] == [1, 2, 3, 4, 5]
    assert result["diverse"][0] == 1
    assert len(result["diverse"]) == 2
    assert sum(bool(row["diverse"]) for row in rows) == 2
    written = produced.documents["written.smi"].decode().splitlines()
    assert written == [text or "[]" for text in TEXTS]
    assert Chem.MolFromSmiles("[]") is None
    sdf = io.BytesIO()
    produced.documents["compounds.sdf"](sdf)
    read = Chem.ForwardSDMolSupplier(io.BytesIO(sdf.getvalue()))
    assert [Chem.MolToSmiles(one) for one in read] == [row["smiles"] for row in rows]
    page = produced.documents["compounds.html"].decode()
    assert "<script" not in page
    assert all(f"Structure {rank}" in page for rank in result["diverse"])


@pytest.mark.usefixtures("writes_known")
def test_filters_and_scaffold_stand_in_the_funnel(bundle: Path) -> None:
    result = asked(bundle, filters="brenk,rings", novel=False).result
    steps = {step["step"]: step for step in result["funnel"]}
    assert "no alert of brenk" in steps
    assert "O=C1CCCCCCC1" in steps["ring systems that are known"]["reasons"]


def test_the_same_seed_writes_the_same_and_another_does_not(bundle: Path) -> None:
    def texts(seed: int) -> bytes:
        return asked(bundle, n=40, seed=seed, filters="none").documents["written.smi"]

    assert texts(0) == texts(0) != texts(1)


def test_around_a_scaffold_every_compound_holds_it(bundle: Path) -> None:
    rows = rows_of(asked(bundle, n=60, scaffold="c1ccccc1", filters="none", novel=False))
    query = Chem.MolFromSmiles("c1ccccc1")
    assert all(Chem.MolFromSmiles(row["smiles"]).HasSubstructMatch(query) for row in rows)


def test_what_cannot_be_done_is_said(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError, match="no neighbourhoods"):
        asked(bundle, near="CCO")
    with pytest.raises(InputError, match="a name or identifier"):
        asked(bundle, scaffold="benzene")
    with pytest.raises(ValueError, match="no filter is called nihil"):
        GenerateRequest(model=bundle, filters="nihil")
    with pytest.raises(ValueError, match="either scaffold or near"):
        GenerateRequest(model=bundle, scaffold="C", near="C")
    monkeypatch.setenv("IATROS_HOME", str(tmp_path / "home"))
    activity = TrainRequest(
        compounds=compounds(60), outcome="y", model="forest", param=("forest.n_estimators=10",), inner_folds=2,
        y_scrambling=0, validation="random",
    )  # fmt: skip
    execute("molecules", "train", activity, out=tmp_path / "activity", engine="serial")
    with pytest.raises(BundleError, match="no generator"):
        asked(tmp_path / "activity")
    with pytest.raises(BundleError, match="writes compounds and predicts nothing"):
        ActivityModel.from_bundle(open_bundle(bundle))
    told = asked(bundle, n=60, activity=tmp_path / "activity", filters="none").result["compounds"]
    assert all({"predicted", "low", "high", "in_domain"} <= set(row) for row in told)
    values = [row["predicted"] for row in told]
    assert values == sorted(values, reverse=True)
