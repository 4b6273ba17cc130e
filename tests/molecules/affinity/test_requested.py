"""Affinities through the command line: train, predict, evaluate, and what is refused."""

import csv
import json
import subprocess
import sys

import pytest

from iatros.cli.entry import run
from iatros.core.bundle import open_bundle

from .conftest import make_pairs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("affinity")
    pairs = make_pairs(0.7, seed=1)
    with (path / "pairs.csv").open("w", newline="") as file:
        write = csv.writer(file)
        write.writerow(["smiles", "protein", "sequence", "pKd", "unit"])
        for d, t, y in zip(pairs.drug, pairs.target, pairs.y, strict=True):
            write.writerow([pairs.smiles[d], pairs.targets[t], pairs.sequences[t], max(y, 5.5), "mg"])
    records = [f">{name}\n{text}\n" for name, text in zip(pairs.targets, pairs.sequences, strict=True)]
    (path / "all.fasta").write_text("".join(records))
    (path / "few.fasta").write_text("".join(records[:-1]))
    return path


def asked(folder, capsys, *words, out=None):
    """Exit code, and the document on stdout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("IATROS_HOME", str(folder / "home"))
        more = ("--out", str(out), "--overwrite") if out else ()
        code = run(["molecules", *words, "--engine", "serial", "--json", "--quiet", *more])
    return code, json.loads(capsys.readouterr().out)


TRAIN = ("train", "pairs.csv", "--protein", "protein", "--fasta", "all.fasta", "--outcome", "pKd", "--model",
         "kron-rls", "--validation", "pairs", "--folds", "3")  # fmt: skip


@pytest.fixture(scope="module")
def bundle(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("IATROS_HOME", str(folder / "home"))
        assert run(["molecules", *TRAIN, "--engine", "serial", "--quiet", "--out", "first"]) == 0
    return folder / "first"


def test_a_bundle_is_trained_asked_and_judged(folder, bundle, capsys):
    code, found = asked(folder, capsys, "predict", "first", "pairs.csv", "--fasta", "few.fasta")
    assert code == 0
    lines = found["predictions"]
    assert [one["line"] for one in lines] == list(range(2, len(lines) + 2))
    refused = [one for one in lines if one["status"] == "refused"]
    assert refused
    assert all("is no record of the FASTA file" in one["reason"] for one in refused)
    assert all(one["low"] < one["prediction"] < one["high"] for one in lines if one["status"] == "answered")
    code, judged = asked(folder, capsys, "evaluate", "first", "pairs.csv", "--protein", "sequence")
    assert code == 0
    assert judged["metrics"]["all"]["concordance_index"]["value"] > 0.7
    assert set(judged["metrics"]) == {"all", "uncensored"}


def test_all_models_are_trained_and_the_best_is_kept(folder, capsys):
    params = (
        "dti-cnn.n_epochs=1",
        "dti-cnn.n_filters=4",
        "dti-cnn.protein_length=60",
        "dti-hybrid.n_estimators=20",
    )
    words = [
        *TRAIN[:8],
        "--model",
        "all",
        *(word for one in params for word in ("--param", one)),
        *TRAIN[10:],
    ]
    code, found = asked(folder, capsys, *words, out=folder / "best")
    assert code == 0
    scores = {one["name"]: one["metrics"]["all"]["concordance_index"]["value"] for one in found["models"]}
    assert set(scores) == {"dti-hybrid", "kron-rls", "dti-cnn", "matrix-factorisation"}
    assert [one["name"] for one in found["models"] if one["selected"]] == [found["model"]]
    assert found["model"] == max(scores, key=scores.get)


def test_the_same_seed_gives_the_same_manifest_without_structures(folder, bundle, capsys):
    assert asked(folder, capsys, *TRAIN, out=folder / "second")[0] == 0
    first, second = (open_bundle(folder / name).manifest for name in ("first", "second"))
    assert {**first, "created": 0} == {**second, "created": 0}
    text = json.dumps(first)
    known = json.loads((bundle / "known.json").read_text())
    assert not any(sequence in text for sequence in known["sequences"])
    assert str(folder) not in text


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("explain", "first", "pairs.csv"), 4, "affinity of pairs"),
        (("screen", "pairs.csv", "--bundle", "first"), 4, "affinity of pairs"),
        (("predict", "first", "pairs.csv"), 2, "FASTA file"),
        (("predict", "first", "pairs.csv", "--fasta", "none.fasta"), 3, "no such file"),
        ((*TRAIN[:-2], "--unit-column", "unit"), 3, "no pair that can be used"),
        ((*TRAIN[:6], "--outcome", "sequence"), 3, "no pair that can be used"),
        (("train", "pairs.csv", "--protein", "protein", "--outcome", "pKd"), 3, "no pair that can be used"),
        ((*TRAIN[:-2], "--positive", ">=6"), 2, "positive has no meaning with protein"),
        (("train", "pairs.csv", "--outcome", "pKd", "--model", "kron-rls"), 2, "give protein"),
        (("train", "pairs.csv", "--outcome", "pKd", "--validation", "pairs"), 2, "about pairs"),
        (("train", "pairs.csv", "--outcome", "pKd", "--fasta", "all.fasta"), 2, "give protein"),
        ((*TRAIN[:8], "--model", "forest"), 2, "does not see proteins"),
        ((*TRAIN[:8], "--validation", "scaffold"), 2, "compounds alone"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(folder, bundle, capsys, words, code, said):
    got, document = asked(folder, capsys, *words)
    error = document["error"]
    assert got == code, error
    assert said in f"{error['message']} {error['hint']}"


def test_one_compound_alone_is_refused(folder, capsys):
    rows = (folder / "pairs.csv").read_text().splitlines()
    smiles = rows[1].split(",")[0] + ","
    (folder / "one.csv").write_text("\n".join([rows[0], *(row for row in rows if row.startswith(smiles))]))
    words = [word if word != "pairs.csv" else "one.csv" for word in TRAIN]
    code, document = asked(folder, capsys, *words)
    assert code == 3
    assert "of one compound" in document["error"]["message"]


def test_predicting_imports_no_library_of_training(folder, bundle):
    code = f"""
import sys
from iatros.core.context import Context
from iatros.molecules.prediction import predict
from iatros.molecules.requests import PredictRequest
predict(PredictRequest(model={str(bundle)!r}, compounds={str(folder / "pairs.csv")!r}, protein="sequence"), Context())
print([name for name in ("torch", "sklearn", "lightgbm", "pandas", "chemprop") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
