import subprocess
import sys

import numpy as np
import pytest

from iatros.core.errors import BundleFormatError, RequestError, UnknownNameError
from iatros.molecules.affinity.estimator import load_predictor
from iatros.molecules.affinity.models import MODELS
from iatros.molecules.affinity.settings import make_estimator
from iatros.molecules.affinity.splits import cut, target_groups

QUICK = {
    "dti-hybrid": {"n_estimators": 40, "min_child_samples": 5, "n_hidden_folds": 3},
    "matrix-factorisation": {"penalty": 0.3, "n_factors": 4},
    "dti-cnn": {
        "n_filters": 4, "n_epochs": 30, "protein_length": 64, "smiles_length": 20, "smiles_width": 3,
        "targets_in_batch": 6, "learning_rate": 3e-3,
    },
}  # fmt: skip
NAMES = sorted(MODELS.names())


def fitted(name, pairs, newness, groups):
    return make_estimator(name, QUICK.get(name, {})).fit(pairs, newness=newness, groups=groups, seed=3)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_finds_the_rule_and_is_the_same_once_stored(name, gappy):
    side = cut(gappy, "pairs", np.arange(17), 4, seed=0)[0]
    train, held_out = gappy.take(side.train), gappy.take(side.held_out)
    predictor, notes = fitted(name, train, "pairs", np.arange(len(train.targets)))
    found = predictor.predict(held_out)
    assert notes
    assert np.mean((found - held_out.y) ** 2) < 0.35 * np.var(held_out.y)
    document, files = predictor.save()
    again = load_predictor(document, files.__getitem__)
    assert np.array_equal(again.predict(held_out), found)
    document_again, files_again = again.save()
    assert document_again == document
    assert files_again == files


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_depends_on_the_other_pairs(name, gappy):
    groups = target_groups(gappy)
    predictor, _ = fitted(name, gappy, "pairs", groups)
    rows = np.array([7, 3, 40])
    alone = [predictor.predict(gappy.take([row]))[0] for row in rows]
    assert predictor.predict(gappy.take(rows)) == pytest.approx(np.array(alone), abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("newness", ["leave-drug", "leave-target", "leave-both"])
def test_what_is_new_is_answered_as_well(name, newness, gappy):
    groups = np.arange(17)
    side = cut(gappy, newness, groups, 3, seed=0)[0]
    train, held_out = gappy.take(side.train), gappy.take(side.held_out)
    if name == "dti-cnn" and newness != "leave-both":
        pytest.skip("the network does not look at what is new: one of the splits is enough")
    predictor, _ = fitted(name, train, newness, np.arange(len(train.targets)))
    found = predictor.predict(held_out)
    assert np.isfinite(found).all()
    if name in ("kron-rls", "dti-hybrid") and newness == "leave-target":
        # the families of the hidden targets are known, so the rule is
        assert np.mean((found - held_out.y) ** 2) < 0.5 * np.var(held_out.y)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bytes(name, gappy):
    groups = np.arange(17)
    first, second = (fitted(name, gappy, "pairs", groups)[0].save() for _ in range(2))
    assert first == second


def test_profiles_are_used_where_they_are_asked_for(gappy):
    groups = np.arange(17)
    plain, with_profiles = (
        make_estimator("kron-rls", {"profiles": used}).fit(gappy, newness="pairs", groups=groups, seed=0)[0]
        for used in (False, True)
    )
    assert not np.allclose(plain.predict(gappy), with_profiles.predict(gappy))


def test_parameters_that_are_not_known_are_refused():
    with pytest.raises(RequestError, match="ridgy is not known, did you mean ridge"):
        make_estimator("kron-rls", {"ridgy": 1.0})
    with pytest.raises(RequestError, match="too wide"):
        make_estimator("dti-cnn", {"smiles_length": 20, "smiles_width": 10})
    with pytest.raises(UnknownNameError, match="kron-rls"):
        make_estimator("kron", {})


def test_a_predictor_of_another_version_is_refused():
    with pytest.raises(BundleFormatError, match="magic"):
        load_predictor({"kind": "magic"}, {}.__getitem__)


def test_predicting_imports_no_library_of_training(gappy, tmp_path):
    import json

    for name in NAMES:
        document, files = fitted(name, gappy, "pairs", np.arange(17))[0].save()
        folder = tmp_path / name
        folder.mkdir()
        (folder / "document.json").write_text(json.dumps(document))
        for file, content in files.items():
            (folder / file).write_bytes(content)
    code = f"""
import json, sys
from pathlib import Path
import numpy as np
from iatros.molecules.affinity.estimator import load_predictor
from iatros.molecules.affinity.schema import Pairs
pairs = Pairs(("a",), ("CCO",), ("b",), ("MKVLAGWWYTRE",), *np.zeros((2, 1), dtype=int), np.zeros(1), np.zeros(1))
for folder in Path({str(tmp_path)!r}).iterdir():
    document = json.loads((folder / "document.json").read_text())
    load_predictor(document, lambda name: (folder / name).read_bytes()).predict(pairs)
print([name for name in ("torch", "sklearn", "lightgbm", "pandas", "onnx") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
