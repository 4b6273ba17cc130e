"""What every registered model of activity keeps to."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iatros.core.errors import FitError, InputError
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.assay import Assay
from iatros.molecules.models import MODELS
from iatros.molecules.models.estimator import CompoundParams, load_predictor

from .conftest import made_assay

NAMES = [entry.name for entry in MODELS if find_spec(entry.target.partition(":")[0])]
TASKS = ("binary", "continuous")
CASES = [(name, task) for name in NAMES for task in TASKS]

QUICK: dict[str, dict[str, Any]] = {
    "forest": {"n_estimators": 30},
    "boosting": {"rounds": 60},
    "mlp": {"width": 48, "epochs": 25, "batch_size": 32},
    "cnn": {"channels": 32, "embedding": 24, "dense": 32, "epochs": 16, "batch_size": 32},
    "gru": {"units": 32, "embedding": 24, "dense": 32, "epochs": 20, "batch_size": 32},
    "dmpnn": {"hidden": 32, "epochs": 16, "batch_size": 32},
    "ensemble": {
        "members": ("forest", "svm"),
        "n_folds": 3,
        "member_params": {"forest": {"n_estimators": 20}},
    },
}
"""Settings that make a fit of two hundred compounds short."""

ODD = ["C", "[Na+].[Cl-]", "O=C=O", "C" * 120, "[2H]C([2H])([2H])O", "C[Si](C)(C)C", "OB(O)c1ccccc1"]


def estimator(name: str) -> Any:
    kind = MODELS.load(name)
    return kind(kind.Params(**QUICK.get(name, {})))


@cache
def assay(task: str) -> Assay:
    """Two endpoints, the second the first one's opposite, each with gaps; some values known as bounds."""
    return made_assay(task, endpoints=2, missing=0.15, bounds=0.1)


@cache
def fitted(name: str, task: str) -> tuple[Any, dict[str, Any]]:
    return estimator(name).fit(assay(task), seed=11)


def in_range(task: str, answers: np.ndarray, shape: tuple[int, int]) -> None:
    assert answers.shape == shape
    assert answers.dtype == np.float64
    assert np.isfinite(answers).all()
    if task == "binary":
        assert answers.min() >= 0.0
        assert answers.max() <= 1.0


@pytest.mark.parametrize(("name", "task"), CASES)
def test_it_learns_both_endpoints_despite_gaps_and_bounds(name: str, task: str) -> None:
    answers = fitted(name, task)[0].predict(assay(task).compounds)
    in_range(task, answers, (224, 2))
    truth = made_assay(task, endpoints=2)
    np.testing.assert_array_equal(truth.compounds.smiles, assay(task).compounds.smiles)
    for column in range(2):
        gaps = ~assay(task).measured[:, column]
        for rows, least in ((~gaps, 0.6), (gaps, 0.5)):
            assert np.corrcoef(answers[rows, column], truth.y[rows, column])[0, 1] > least
        if task == "continuous":  # in its unit, and not pulled down by the bounds
            assert abs(np.mean(answers[:, column] - truth.y[:, column])) < 0.5


@pytest.mark.parametrize(("name", "task"), CASES)
def test_what_is_stored_equals_what_was_fitted(name: str, task: str) -> None:
    predictor = fitted(name, task)[0]
    document, files = predictor.save()
    loaded = load_predictor(json.loads(json.dumps(document, allow_nan=False)), files.__getitem__)
    fresh = assay(task).compounds.take(np.arange(30))
    np.testing.assert_allclose(loaded.predict(fresh), predictor.predict(fresh), rtol=1e-9, atol=1e-12)
    assert loaded.save() == (document, files)
    for file, content in files.items():
        assert file == Path(file).name
        assert file.endswith((".safetensors", ".onnx"))
        assert not content.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))  # a pickle


@pytest.mark.parametrize(("name", "task"), CASES)
def test_the_same_seed_gives_the_same_bytes(name: str, task: str) -> None:
    first, second = fitted(name, task), estimator(name).fit(assay(task), seed=11)
    assert first[0].save() == second[0].save()
    assert first[1] == second[1]
    assert json.loads(json.dumps(first[1], allow_nan=False)) == first[1]


@pytest.mark.parametrize(("name", "task"), CASES)
def test_each_compound_is_answered_alone_and_in_any_order(name: str, task: str) -> None:
    predictor = fitted(name, task)[0]
    fresh = assay(task).compounds.take(np.arange(12))
    together = predictor.predict(fresh)
    np.testing.assert_allclose(predictor.predict(fresh.take(np.arange(12)[::-1]))[::-1], together, atol=1e-5)
    np.testing.assert_allclose(predictor.predict(fresh.take([3])), together[3:4], atol=1e-5)
    assert predictor.predict(Compounds([])).shape == (0, 2)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_odd_compounds_still_get_an_answer(name: str, task: str) -> None:
    in_range(task, fitted(name, task)[0].predict(Compounds(ODD)), (len(ODD), 2))


@pytest.mark.parametrize(("name", "task"), CASES)
def test_hidden_has_a_line_for_each_atom_and_differs_between_them(name: str, task: str) -> None:
    predictor = fitted(name, task)[0]
    hidden = predictor.hidden("OCCCCCl")
    in_range(task, hidden, (6, 2))
    assert (np.ptp(hidden, axis=0) > 0.0).all()
    in_range(task, predictor.hidden("C"), (1, 2))


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_learned_or_read_is_refused(name: str) -> None:
    one = made_assay("binary")
    rows = np.flatnonzero(one.y[:, 0] == 1)
    with pytest.raises(FitError, match="one class only of endpoint 0"):
        estimator(name).fit(one.take(rows), seed=0)
    values = made_assay("continuous", endpoints=2)
    with pytest.raises(FitError, match="has a value of endpoint 1"):
        estimator(name).fit(replace(values, y=np.where([True, False], values.y, np.nan)), seed=0)
    with pytest.raises(InputError):
        fitted(name, "binary")[0].predict(Compounds(["CCO", "C1CC"]))


@pytest.mark.parametrize("name", NAMES)
def test_predicting_needs_no_training_library(name: str, tmp_path: Path) -> None:
    document, files = fitted(name, "binary")[0].save()
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    (tmp_path / "predictor.json").write_text(json.dumps(document))
    program = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from iatros.learners.compounds.compounds import Compounds\n"
        "from iatros.molecules.models.estimator import load_predictor\n"
        "folder = Path(sys.argv[1])\n"
        "document = json.loads((folder / 'predictor.json').read_text())\n"
        "predictor = load_predictor(document, lambda name: (folder / name).read_bytes())\n"
        "answer = predictor.predict(Compounds(['ClCCc1ccccc1', 'OCC']))\n"
        "hidden = predictor.hidden('OCC')\n"
        "heavy = ('torch', 'sklearn', 'pandas', 'lightgbm', 'optuna', 'onnx', 'chemprop')\n"
        "loaded = [n for n in heavy if n in sys.modules]\n"
        "print(json.dumps({'answer': answer.tolist(), 'hidden': hidden.tolist(), 'loaded': loaded}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    said = json.loads(done.stdout)
    assert said["loaded"] == []
    predictor = fitted(name, "binary")[0]
    np.testing.assert_allclose(
        said["answer"], predictor.predict(Compounds(["ClCCc1ccccc1", "OCC"])), atol=1e-9
    )
    np.testing.assert_allclose(said["hidden"], predictor.hidden("OCC"), atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_class_says_what_it_is(name: str) -> None:
    kind = MODELS.load(name)
    assert kind.name == name
    assert issubclass(kind.Params, CompoundParams)
    assert kind().params == kind.Params()
    for field_name, field in kind.Params.model_fields.items():
        assert field.description, field_name
    with pytest.raises(ValueError, match="extra"):
        kind.Params(no_such_parameter=1)
