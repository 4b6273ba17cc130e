import json

import numpy as np
import pytest

from iatros.core.bundle import write_bundle
from iatros.core.context import Context
from iatros.core.errors import NotABundleError, RequestError
from iatros.learners.proteins.alignment import similarities
from iatros.molecules.affinity import validation
from iatros.molecules.affinity.actions import train_affinity
from iatros.molecules.affinity.answers import evaluate_affinity, predict_affinity
from iatros.molecules.affinity.settings import AffinitySettings
from iatros.molecules.affinity.similarity import nearness_to_others
from iatros.molecules.affinity.sources import Columns
from iatros.molecules.affinity.splits import cut, target_groups

COLUMNS = Columns("smiles", "sequence", "pKd", target="target")
SETTINGS = AffinitySettings(
    "dti-hybrid",
    "leave-target",
    {"n_estimators": 30, "min_child_samples": 5, "n_hidden_folds": 2},
    n_folds=3,
    n_bootstrap=30,
    outcome="pKd",
)


def rows_of(pairs, floor=None):
    made = []
    for d, t, y in zip(pairs.drug, pairs.target, pairs.y, strict=True):
        value = y if floor is None else max(y, floor)
        made.append(
            {
                "smiles": pairs.smiles[d],
                "sequence": pairs.sequences[t],
                "target": pairs.targets[t],
                "pKd": value,
            }
        )
    return made


@pytest.fixture(scope="module")
def trained(gappy, tmp_path_factory):
    rows = [*rows_of(gappy, floor=5.5), {"smiles": "x", "sequence": "MKV", "target": "z", "pKd": 5}]
    produced = train_affinity(rows, COLUMNS, SETTINGS, Context(), request={"table": {"rows": len(rows)}})
    path = write_bundle(produced.bundle, tmp_path_factory.mktemp("bundles") / "model")
    return produced, path


def test_training_says_how_good_the_model_is_beside_the_baseline(trained, gappy):
    result = trained[0].result
    assert result["n"] == len(gappy)
    assert result["n_refused"] == 1
    assert [model["name"] for model in result["models"]] == ["dti-hybrid", "kron-rls"]
    for which in ("all", "uncensored"):
        for name in ("mse", "concordance_index", "rm2"):
            metric = result["metrics"][which][name]
            assert metric["low"] <= metric["value"] <= metric["high"], (which, name)
            assert "two-way bootstrap" in metric["interval"]
    assert set(result["models"][0]["difference_to_baseline"]) == {"mse", "concordance_index"}
    assert json.loads(json.dumps(result)) == result


def test_censoring_is_said_and_judged_apart(trained, gappy):
    result = trained[0].result
    share = float(np.mean(gappy.y <= 5.5))
    assert result["share_censored"] == pytest.approx(share)
    assert result["metrics"]["uncensored"]["mse"]["n"] == round((1 - share) * len(gappy))
    page = trained[0].bundle.documents["report.html"].decode()
    assert f"{100 * share:.1f} % of the pairs are censored" in page


def test_no_structure_stands_in_the_report(trained, gappy):
    page = trained[0].bundle.documents["report.html"].decode()
    assert not any(sequence in page for sequence in gappy.sequences)


def test_the_bundle_answers_with_intervals_and_nearness(trained, gappy):
    rows = [{"smiles": "CCO", "sequence": gappy.sequences[0], "target": "t0"},
            {"smiles": "CCCCCCCl", "sequence": "MKVLAGWWYTRE", "target": "new"}]  # fmt: skip
    found = predict_affinity(trained[1], rows, Columns("smiles", "sequence", target="target"), Context())
    known, new = found.result["predictions"]
    assert known["drug_similarity"] == known["target_similarity"] == 1.0
    assert new["drug_similarity"] < 1.0
    assert new["target_similarity"] < 0.6
    for one in (known, new):
        assert one["low"] < one["prediction"] < one["high"]
    assert found.table["line"] == [1, 2]
    assert (known["in_domain"], new["in_domain"]) == (True, False)
    assert found.result["n_outside_domain"] == 1


def test_a_killed_training_judges_nothing_twice(trained, gappy, tmp_path, monkeypatch):
    judged, fit_and_predict = [], validation.fit_and_predict

    def killed_at(name):
        def one(pairs, groups, side, model, params, settings):
            if model == name:
                raise KeyboardInterrupt
            judged.append(model)
            return fit_and_predict(pairs, groups, side, model, params, settings)

        return one

    rows = [*rows_of(gappy, floor=5.5), {"smiles": "x", "sequence": "MKV", "target": "z", "pKd": 5}]
    again = [rows, COLUMNS, SETTINGS, Context(checkpoint=tmp_path / "work")]
    monkeypatch.setattr(validation, "fit_and_predict", killed_at("kron-rls"))
    with pytest.raises(KeyboardInterrupt):
        train_affinity(*again, request={"table": {"rows": len(rows)}})
    assert judged == ["dti-hybrid"] * 3
    monkeypatch.setattr(validation, "fit_and_predict", killed_at("none"))
    result = train_affinity(*again, request={"table": {"rows": len(rows)}}).result
    assert judged == ["dti-hybrid"] * 3 + ["kron-rls"] * 3
    assert result == trained[0].result


def test_who_abstains_is_told_why(trained, gappy):
    rows = [
        {"smiles": "CCO", "sequence": gappy.sequences[0]},
        {"smiles": "CCCCCCCl", "sequence": gappy.sequences[0]},
    ]
    found = predict_affinity(trained[1], rows, Columns("smiles", "sequence"), Context(), abstain=True)
    known, new = found.result["predictions"]
    assert known["status"] == "answered"
    assert (new["status"], new["prediction"], new["low"]) == ("refused", None, None)
    assert new["reason"] == "outside the domain of applicability: drug unlike those learned from"
    assert (found.result["n_answered"], found.result["n_outside_domain"]) == (1, 0)


def test_the_domain_is_that_of_the_validation(trained, gappy):
    limits = trained[0].result["applicability"]
    assert limits["least_drug_similarity"] == 1.0
    groups = target_groups(gappy)
    near = nearness_to_others(gappy, cut(gappy, "leave-target", groups, 3, 0))
    fold = {}
    for number, side in enumerate(cut(gappy, "leave-target", groups, 3, 0)):
        fold |= dict.fromkeys(gappy.target[side.held_out].tolist(), number)
    alike = similarities(gappy.sequences)
    expected = [
        max(alike[one, other] for other in fold if fold[other] != fold[one]) for one in gappy.target.tolist()
    ]
    assert near.target.tolist() == pytest.approx(expected)
    assert limits["least_target_similarity"] == pytest.approx(np.quantile(expected, 0.05))


def test_intervals_hold_the_share_that_they_promise_of_unseen_pairs(trained):
    scatter, half = trained[0].result["scatter"], trained[0].result["half_width"]
    errors = np.abs(np.array(scatter["predicted"]) - np.array(scatter["measured"]))
    assert np.mean(errors <= half + 1e-4) == pytest.approx(0.9, abs=0.02)


def test_other_pairs_are_judged_by_the_bundle(trained, whole, gappy):
    known = evaluate_affinity(trained[1], rows_of(gappy), COLUMNS, Context(), n_bootstrap=20).result
    assert (known["n"], known["n_known_targets"]) == (len(gappy), len(gappy.targets))
    assert known["metrics"]["all"]["concordance_index"]["value"] > 0.7
    other = evaluate_affinity(trained[1], rows_of(whole), COLUMNS, Context(), n_bootstrap=20).result
    assert (other["n_known_drugs"], other["n_known_targets"]) == (len(whole.drugs), 0)
    assert other["metrics"]["all"]["mse"]["value"] > known["metrics"]["all"]["mse"]["value"]


def test_a_bundle_of_something_else_is_refused(trained, tmp_path):
    from dataclasses import replace

    draft = trained[0].bundle
    other = replace(draft, manifest={**draft.manifest, "question": "activity"})
    path = write_bundle(other, tmp_path / "other")
    with pytest.raises(NotABundleError, match="does not answer for pairs"):
        predict_affinity(path, [], COLUMNS, Context())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"validation": "leave-one"}, "leave-drug"),
        ({"n_folds": 1}, "n_folds"),
        ({"same_group": 0.0}, "same_group"),
        ({"confidence_level": 1.0}, "confidence_level"),
        ({"n_bootstrap": -1}, "n_bootstrap"),
    ],
)
def test_settings_out_of_bounds_are_refused(fields, said):
    with pytest.raises(RequestError, match=said):
        AffinitySettings(**fields)
