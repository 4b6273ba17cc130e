"""The report and the model card: what stands in them, what is said where a part is missing, and what is escaped."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.molecules.series import compounds

from iatros.core.context import Context
from iatros.core.report_sections.reading import Result
from iatros.molecules import DOMAIN
from iatros.molecules.model_card import model_card
from iatros.molecules.report import build, html
from iatros.molecules.report_sections.opening import findings
from iatros.molecules.report_sections.words import METRICS, VALIDATIONS
from iatros.molecules.requests import TrainRequest
from iatros.molecules.splitting.splits import SPLITS
from iatros.molecules.training import train

NAME = "y <script>alert(1)</script> | [x](http://evil)"


def text_of(page: str) -> str:
    """What a reader sees of a page."""
    without_style = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", without_style)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Of numbers with a refused line and a second model; of classes; of two endpoints, cross-validated."""
    rows = [{**row, NAME: row["y"], "z": -row["y"]} for row in compounds()]
    quick: dict[str, Any] = {
        "model": "forest", "param": ("forest.n_estimators=10", "forest.n_bits=256"), "inner_folds": 2,
        "y_scrambling": 5,
    }  # fmt: skip
    asked = {
        "numbers": {"outcome": [NAME], "model": "forest,svm"},
        "classes": {"outcome": "active", "validation": "random"},
        "two": {"outcome": "y,z", "folds": 2, "y_scrambling": 0},
    }
    broken = [{**rows[0], "smiles": "aspirin"}, *rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IATROS_HOME", str(tmp_path_factory.mktemp("home")))
        return {
            name: train(
                TrainRequest(compounds=broken if name == "numbers" else rows, **{**quick, **fields}),
                Context(),
            ).result
            for name, fields in asked.items()
        }


@pytest.mark.parametrize("name", ["numbers", "classes", "two"])
def test_the_report_speaks_of_compounds_and_writes_no_number_without_its_interval(results, name):
    result = results[name]
    page = html(result)
    seen = text_of(page)
    assert "patient" not in seen.lower()
    assert "nan" not in re.findall(r"\bnan\b", seen)
    split = result["headline_split"]
    for metric, document in result["metrics"][split].items():
        assert METRICS[metric].label in seen
        if metric in ("auroc", "r2", "spearman"):
            assert f"{document['value']:.3f}".replace("-", "−") in seen
            assert f"{document['low']:.3f} to {document['high']:.3f}".replace("-", "−") in seen
    titles = [section.title for section in build(result).sections]
    assert titles[0] == "Compounds and endpoints"
    assert titles[-1] == "Reproducibility"
    assert len({section.anchor for section in build(result).sections}) == len(titles)


def test_names_from_the_file_are_text_and_nothing_else(results):
    page, card = html(results["numbers"]), model_card(results["numbers"])
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in card
    assert "](http://" not in card
    assert "\\|" in card


def test_refused_lines_and_what_was_learned_from_are_in_the_report(results):
    seen = text_of(html(results["numbers"]))
    assert "1 of 91 lines were refused" in seen
    assert "a name or identifier" in seen
    assert "svm" in seen
    assert "forest (baseline)" in seen or "forest (kept)" in seen


def test_the_endpoints_stand_one_by_one(results):
    page = text_of(html(results["two"]))
    assert "Endpoint by endpoint" in page
    assert "mean of 2 endpoints" in page
    assert "compounds of the folds left out" in page.lower()


def test_classes_have_thresholds_and_numbers_have_none(results):
    assert "sensitivity 0.95" in text_of(html(results["classes"]))
    assert "Thresholds" not in text_of(html(results["numbers"]))


def test_a_result_without_its_parts_says_so_part_by_part():
    seen = text_of(html({"task": "continuous", "model": "forest", "target": {"name": "logS"}}))
    assert seen.count("Not available") >= 6
    assert "No metric could be computed" in seen


def test_findings_weigh_what_the_numbers_say(results):
    base = results["numbers"]

    def words_of(**changed: Any) -> list[str]:
        return [one.word + ": " + one.text for one in findings(Result({**base, **changed}))]

    scrambled = {**base["y_scrambling"], "p_value": 0.5, "n": 20}
    assert any(one.startswith("Doubt: y-scrambling") for one in words_of(y_scrambling=scrambled))
    assert not any("As the file draws them" in one for one in words_of())
    apart = {"endpoint": "y", "change": "neutralised", "p_value": 1e-9}
    apart |= {"low": {"label": "0", "n": 90, "share": 0.4}, "high": {"label": "1", "n": 9, "share": 0.0}}
    assert any(
        one.startswith(
            "Watch: As the file draws them, 40.0% of the compounds whose y is 0, and 0.0% of those"
        )
        and "1 more such difference" in one
        for one in words_of(drawn_apart=[apart, apart])
    )
    near = {**base["near_duplicates"], "n_near": base["near_duplicates"]["n_test"]}
    assert any(
        one.startswith("Watch: ") and "too good for new series" in one
        for one in words_of(near_duplicates=near)
    )
    coin = {
        "held_out": {
            **base["metrics"]["held_out"],
            "concordance_index": {"value": 0.51, "low": 0.4, "high": 0.6},
        }
    }
    assert any("value of a coin" in one for one in words_of(metrics=coin))
    for low, high, word in (
        (0.8, 1.3, "Good"),
        (-2.0, 3.0, "Note"),
        (0.2, 0.7, "Watch"),
        (1.2, 1.9, "Watch"),
    ):
        slope = {"value": (low + high) / 2, "low": low, "high": high}
        metrics = {"held_out": {**base["metrics"]["held_out"], "calibration_slope": slope}}
        assert any(one.startswith(f"{word}: Calibration slope") for one in words_of(metrics=metrics))
    models = [
        {"name": "svm", "selected": True, "difference_to_baseline": {
            "metric": "rmse", "baseline": "forest", "value": 0.3, "low": 0.1, "high": 0.5}},
    ]  # fmt: skip
    assert any(one.startswith("Watch") and "it does worse" in one for one in words_of(models=models))
    models[0]["difference_to_baseline"] |= {"value": -0.3, "low": -0.5, "high": -0.1}
    assert any(one.startswith("Good: RMSE of svm") for one in words_of(models=models))
    short = {
        "y": {"conformal": {"confidence_level": 0.9, "coverage": {"value": 0.6, "low": 0.5, "high": 0.7}}}
    }
    assert any("fewer truths than the 90% promised: y" in one for one in words_of(by_endpoint=short))


def test_every_metric_and_validation_has_words():
    assert {name for names in DOMAIN.metrics.values() for name in names} <= set(METRICS)
    assert {*SPLITS, "external"} == set(VALIDATIONS)


def test_the_card_has_the_headline_numbers(results):
    card = model_card(results["classes"])
    auroc = results["classes"]["metrics"]["held_out"]["auroc"]
    assert f"{auroc['value']:.3f}" in card
    assert "## What to weigh" in card
    assert "patient" not in card.lower()
