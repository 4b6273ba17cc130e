"""Training a generator as a whole: the bundle, what is told about it, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.molecules.generators.small import small_library

from iatros.core.bundle import BundleDraft, open_bundle, write_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import BundleError, OutcomeError, RequestError
from iatros.molecules.generating.known import HASHES, RINGS
from iatros.molecules.generating.opened import open_generator
from iatros.molecules.generating.report import report
from iatros.molecules.requests import TrainRequest
from iatros.molecules.training import train

pytest.importorskip("torch")

QUICK = ("rnn.units=32", "rnn.epochs=3", "rnn.batch_size=32", "rnn.learning_rate=0.01")
ACTIVES = [f"O=C(N{chain})c1ccc(F)cc1" for chain in ("C", "CC", "CCC", "CCCC", "CCCCC", "C(C)C")]


@pytest.fixture(scope="module")
def smiles(shared_data: Path) -> list[str]:
    return list(small_library(shared_data).smiles)


def trained(compounds: Any, **fields: Any) -> Produced:
    asked = {"compounds": compounds, "model": "rnn", "param": QUICK, **fields}
    return train(TrainRequest(**asked), Context())


@pytest.fixture(scope="module")
def produced(smiles: list[str]) -> Produced:
    return trained([*smiles, smiles[0], "C1CC", "[Na+].[Cl-]"])


@pytest.fixture(scope="module")
def bundle(produced: Produced, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert produced.bundle is not None
    path = tmp_path_factory.mktemp("bundles") / "zinc"
    write_bundle(produced.bundle, path)
    return path


@pytest.fixture
def actives(tmp_path: Path) -> Path:
    path = tmp_path / "actives.smi"
    path.write_text("\n".join(ACTIVES))
    return path


def test_the_result_has_every_part(produced: Produced, smiles: list[str]) -> None:
    result = produced.result
    counts = {"n_lines": 243, "n_blank": 0, "n_refused": 2, "n_repeated": 1, "n_used": 240}
    assert result["data"]["counts"] == counts
    assert sum(result["data"]["reasons"].values()) == 2
    shares = result["metrics"]["sample"]
    assert shares["valid"]["n"] == 1000
    assert shares["unique"]["n"] == round(shares["valid"]["value"] * 1000)
    for share in (one for one in shares.values() if one["n"]):
        assert share["low"] <= share["value"] <= share["high"]
        assert share["interval"] == "Wilson"
    assert len(result["training"]["history"]) == 3
    assert result["params"]["units"] == 32
    assert result["finetuning"] is None
    assert result["parent"] is None
    assert any("Learned from 240 compounds" in note for note in result["notes"])
    assert len(result["examples"]) <= 20
    json.dumps(result, allow_nan=False)


def test_the_bundle_writes_and_knows_what_it_learned_from(bundle: Path, produced: Produced) -> None:
    opened = open_bundle(bundle)
    assert {HASHES, RINGS, "weights.safetensors"} <= set(opened.manifest["files"])
    evidence = json.loads(opened.read("evidence.json"))
    assert evidence["training"] == produced.result["training"]
    assert len(open_generator(opened).sample(5, rng=np.random.default_rng(0))) == 5


def test_the_same_seed_gives_the_same_bytes(produced: Produced, smiles: list[str]) -> None:
    again = trained([*smiles, smiles[0], "C1CC", "[Na+].[Cl-]"])
    assert again.bundle is not None
    assert produced.bundle is not None
    assert again.bundle.files == produced.bundle.files


@pytest.mark.parametrize(
    ("seconds", "device", "said"),
    [
        (None, "cpu", "gives the same model, byte for byte"),
        (600.0, "cpu", "Time ended the training"),
        (None, "cuda", "Trained on a GPU"),
    ],
)
def test_the_report_promises_no_more_than_another_run_gives(
    produced: Produced, seconds: float | None, device: str, said: str
) -> None:
    result = produced.result
    told = {
        **result,
        "request": {**result["request"], "seconds": seconds},
        "training": {**result["training"], "device": device},
    }
    page = report(told)
    assert said in page
    assert ("byte for byte" in page) == (seconds is None and device == "cpu")


def test_the_report_tells_whole_epochs_as_such_and_parts_where_time_ended_them(produced: Produced) -> None:
    def epochs(made: float) -> str:
        told = {**produced.result, "training": {**produced.result["training"], "epochs": made}}
        found = re.search(r"<dt>Epochs</dt>\s*<dd>([^<]*)</dd>", report(told))
        assert found is not None
        return found.group(1)

    assert epochs(3.0) == "3"
    assert epochs(3.27) == "3.270"


def test_learning_goes_on_and_names_its_parent(bundle: Path, smiles: list[str]) -> None:
    result = trained(smiles, start=bundle, param=("rnn.epochs=1",)).result
    assert result["parent"] == open_bundle(bundle).parent_reference
    assert result["params"]["units"] == 32


def test_actives_are_learned_last(bundle: Path, smiles: list[str], actives: Path) -> None:
    result = trained(smiles, finetune=actives).result
    told = result["finetuning"]
    assert told["n_learned"] == 6
    assert result["actives"]["counts"]["n_used"] == 6
    assert told["after"]["similarity"]["interval"] or told["after"]["n_valid"] == 0
    assert result["request"]["finetune"] == {"file": "actives.smi"}
    assert result["metrics"]["before_finetuning"]["similarity_to_actives"] == told["before"]["similarity"]
    assert result["metrics"]["sample"]["similarity_to_actives"] == told["after"]["similarity"]
    assert "6 compounds were learned after the library" in report(result)


def test_too_few_actives(smiles: list[str], tmp_path: Path) -> None:
    few = tmp_path / "few.smi"
    few.write_text("\n".join([*ACTIVES[:4], ACTIVES[0]]))
    with pytest.raises(OutcomeError, match="holds 4 usable compounds, and 5 are needed") as told:
        trained(smiles, finetune=few)
    assert told.value.where == "few.smi"


def test_too_few_compounds(smiles: list[str]) -> None:
    with pytest.raises(OutcomeError, match="holds 99 usable compounds, and 100 are needed; refused: "):
        trained([*smiles[:99], "C1CC", smiles[0]])


def test_many_refused_lines_are_told(smiles: list[str]) -> None:
    notes = trained([*smiles, *["C1CC"] * 30], param=("rnn.units=16", "rnn.epochs=1")).result["notes"]
    assert any(note.startswith("30 of 270 lines were refused, most often because:") for note in notes)


def test_a_start_of_another_model_or_none_at_all(bundle: Path, smiles: list[str], tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="zinc was trained as rnn, and transformer is asked for") as told:
        trained(smiles, model="transformer", param=(), start=bundle)
    assert told.value.where == "start"
    opened = open_bundle(bundle)
    other = tmp_path / "activity"
    manifest = {"domain": "molecules", "model": "forest", "predictor": opened.manifest["predictor"]}
    write_bundle(BundleDraft(manifest, {}), other)
    with pytest.raises(BundleError, match="holds no generator"):
        trained(smiles, start=other)


def test_only_language_models_are_led_to_actives(smiles: list[str], actives: Path) -> None:
    from iatros.molecules.generators import GENERATORS

    others = [name for name in GENERATORS.names() if name not in ("rnn", "transformer")]
    if not others:
        pytest.skip("there is no other generator")
    with pytest.raises(RequestError, match="no language model") as told:
        trained(smiles, model=others[0], param=(), finetune=actives)
    assert told.value.where == "finetune"
