"""Evaluate with a reference, through its request, its result, its page and the command line; and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from iatros.app import molecules
from iatros.cli.entry import run
from iatros.core.context import Context
from iatros.core.errors import RequestError, TableError
from iatros.core.request import build
from iatros.molecules.distribution import comparison
from iatros.molecules.distribution.published import TEST
from iatros.molecules.evaluation_requests import EvaluateRequest
from iatros.molecules.external import evaluate

QUICK = ("fcd", "kl")
REFERENCE = [
    "CCOC(=O)c1ccccc1",
    "CCN(CC)C(=O)c1ccncc1",
    "OC1CCN(Cc2ccccc2)CC1",
    "CCCCO",
    "Cc1ccc(NC(C)=O)cc1",
]
WRITTEN = ["CCOC(=O)c1ccccc1", "CCCC=O", "C1CC", "CCCC=O", "OC1CCN(Cc2ccccc2)CC1", "NC1CCN(Cc2ccccc2)CC1"]


def compared(written: Any = None, **fields: Any) -> dict[str, Any]:
    request = EvaluateRequest(
        **{
            "compounds": WRITTEN if written is None else written,
            "reference": REFERENCE,
            "leave_out": QUICK,
            **fields,
        }
    )
    return evaluate(request, Context()).result


def test_counts_and_shares_follow_the_texts() -> None:
    result = compared(training=["CCOC(=O)c1ccccc1"])
    metrics = {name: metric["value"] for name, metric in result["metrics"]["reference"].items()}
    assert metrics["valid"] == pytest.approx(5 / 6)
    assert metrics["unique_1k"] == metrics["unique_10k"] == pytest.approx(4 / 5)
    assert metrics["filters"] == pytest.approx(3 / 5)
    assert metrics["novelty"] == pytest.approx(3 / 4)
    assert result["failures"] == {"aldehyde": 2}
    assert [(step["step"], step["n"]) for step in result["funnel"]] == [
        ("written", 6), ("valid", 5), ("unique", 4), ("not in training", 3), ("past the filters", 2),
    ]  # fmt: skip
    assert result["examples"]["passing"] == ["OC1CCN(Cc2ccccc2)CC1", "NC1CCN(Cc2ccccc2)CC1"]
    assert result["examples"]["failing"] == [{"smiles": "CCCC=O", "fails": ["aldehyde"]}]


def test_the_reference_beside_itself_is_alike() -> None:
    metrics = compared(REFERENCE)["metrics"]["reference"]
    assert metrics["snn"]["value"] == metrics["valid"]["value"] == 1.0
    assert metrics["frag"]["value"] == pytest.approx(1.0)
    assert metrics["logp_w1"]["value"] == 0.0


def test_a_second_reference_has_its_own_column() -> None:
    metrics = compared(scaffolds=["CCO", "c1ccc2ccccc2c1"])["metrics"]
    assert list(metrics) == ["reference", "scaffolds"]
    assert list(metrics["scaffolds"]) == ["snn", "frag", "scaf"]


def test_notes_say_what_limits_the_numbers(tmp_path: Path) -> None:
    path = tmp_path / "written.smi"
    path.write_text("CCO\n\nCCN\n")
    notes = " ".join(compared(path, training=["CCO"], reference=["CCO", "xx"])["notes"])
    assert "2 texts: every number depends on how many" in notes
    assert "do not count as written: 1" in notes
    assert "1 lines of the list cannot be read" in notes
    assert "1 compounds of the list stand in training" in notes
    assert "no training is given" in " ".join(compared()["notes"])


def test_the_same_compounds_give_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "written.smi"
    path.write_text("\n".join(WRITTEN))
    first, second = (
        evaluate(EvaluateRequest(compounds=path, reference=REFERENCE, leave_out=QUICK), Context())
        for _ in (1, 2)
    )
    assert json.dumps(first.result) == json.dumps(second.result)
    assert first.documents["report.html"] == second.documents["report.html"]


def test_the_page_has_published_rows_for_the_set_of_moses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    request = EvaluateRequest(compounds=WRITTEN, reference=REFERENCE, leave_out=QUICK)
    page = evaluate(request, Context()).documents["report.html"].decode()
    assert "LatentGAN" not in page
    assert "<svg" in page
    monkeypatch.setattr(comparison, "KNOWN", {compared()["reference"]["sha256"]: "moses-test"})
    page = evaluate(request, Context()).documents["report.html"].decode()
    for name in ("HMM", "NGram", "CombinatorialG", "CharRNN", "AAE", "VAE", "JTN-VAE", "LatentGAN"):
        assert f">{name}<" in page
    assert "0.0732" in page
    assert TEST not in page


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ([], "holds no compounds"),
        ([""], "none of 1 texts is a molecule: no structure is given 1"),
        (["C1CC", "xyz"], "none of 2 texts is a molecule: "),
    ],
)
def test_nothing_to_judge_is_refused(written: list[str], said: str) -> None:
    with pytest.raises(TableError, match=said):
        compared(written)


def test_a_bundle_in_place_of_compounds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(TableError, match="is a bundle"):
        compared(tmp_path)


@pytest.mark.parametrize("role", ["compounds", "reference", "scaffolds", "training"])
def test_a_file_that_is_not_there_is_told_before_the_work(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "describe", None)
    with pytest.raises(TableError, match=r"absent\.smi: there is no such file"):
        compared(**{"written" if role == "compounds" else role: tmp_path / "absent.smi"})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "model and compounds is missing"),
        ({"model": "bundle"}, "compounds is missing"),
        ({"model": "bundle", "compounds": ["C"], "training": ["C"]}, "training is about a comparison"),
        ({"model": "bundle", "compounds": ["C"], "leave_out": "fcd"}, "leave_out is about a comparison"),
        ({"model": "bundle", "compounds": ["C"], "reference": ["C"]}, "leave model out"),
        ({"reference": ["C"]}, "compounds is missing"),
        ({"compounds": ["C"], "reference": ["C"], "outcome": "y"}, "outcome is about measurements"),
        ({"compounds": ["C"], "reference": ["C"], "unit": "nM"}, "unit is about measurements"),
        ({"compounds": ["C"], "reference": ["C"], "leave_out": "snn"}, "none of fcd, kl"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        build(EvaluateRequest, fields)


def test_with_a_reference_the_only_input_is_the_compounds() -> None:
    request = EvaluateRequest(model="written.smi", reference="test.smi")
    assert request.compounds == Path("written.smi")
    assert request.model is None


def test_python_takes_the_compounds_alone_or_by_name() -> None:
    by_name = molecules.evaluate(
        compounds=REFERENCE, reference=REFERENCE, leave_out="fcd,kl", engine="serial"
    )
    assert by_name["metrics"]["reference"]["snn"]["value"] == 1.0


def test_the_command_line_prints_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written, reference = tmp_path / "written.csv", tmp_path / "reference.smi"
    written.write_text("name,smiles\n" + "".join(f"c{k},{one}\n" for k, one in enumerate(WRITTEN)))
    reference.write_text("\n".join(REFERENCE))
    command = ["molecules", "evaluate", str(written), "--reference", str(reference), "--leave-out", "fcd,kl"]
    assert run([*command, "--engine", "serial", "--quiet", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    for name in ("valid", "unique 10k", "snn", "int div 2", "weight w1", "past the filters"):
        assert name in printed
    assert (tmp_path / "out" / "report.html").is_file()
    kept = json.loads((tmp_path / "out" / "result.json").read_text())
    assert kept["request"]["reference"] == {"file": "reference.smi"}


def test_the_command_line_without_inputs_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["molecules", "evaluate"]) == 2
    assert "model and compounds is missing" in capsys.readouterr().err


def test_over_http_nobody_names_a_file_of_the_server() -> None:
    from iatros.server.bodies import closed_fields

    assert {"reference", "scaffolds", "training"} <= set(closed_fields(EvaluateRequest))
