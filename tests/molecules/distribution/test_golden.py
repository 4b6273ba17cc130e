"""The whole suite against what the published code gives for the same compounds.

The numbers of MOSES were computed once by molsets 0.3.1 (get_all_metrics, k = 100 and 1000), those of GuacaMol by
guacamol 0.5.5 (KLDivBenchmark over all compounds), both with RDKit 2026.03 and fcd-torch 1.0.7. Names that newer
packages no longer have (pandas' append, numpy's NaN, scipy's histogram) were put in their place.
"""

from __future__ import annotations

from typing import Any

import pytest

from iatros.core.context import Context
from iatros.molecules.evaluation_requests import EvaluateRequest
from iatros.molecules.external import evaluate

MOLSETS = {
    "valid": 0.9952380952380953,
    "unique_1k": 0.9880382775119617,
    "unique_10k": 0.9880382775119617,
    "fcd": 3.0911450184139255,
    "snn": 0.546655287756696,
    "frag": 0.9842023962543247,
    "scaf": 0.5136238943415417,
    "int_div": 0.8935063748651856,
    "int_div_2": 0.878960447868312,
    "filters": 0.6913875598086124,
    "logp_w1": 0.18402400797448157,
    "sa_w1": 0.04377251220020087,
    "qed_w1": 0.009229330855875267,
    "weight_w1": 8.670928883771301,
    "novelty": 0.5,
}
MOLSETS_SCAFFOLDS = {
    "fcd": 3.128592668038337,
    "snn": 0.5347885115241463,
    "frag": 0.9857679964416213,
    "scaf": 0.49858191824418596,
}
GUACAMOL = {
    "BertzCT": 0.006369587173615346,
    "MolLogP": 0.010839567268135883,
    "MolWt": 0.02358312884546591,
    "TPSA": 0.004581003118532456,
    "NumHAcceptors": 0.01044106224134158,
    "NumHDonors": 0.005445493398397967,
    "NumRotatableBonds": 0.008180268637208584,
    "NumAliphaticRings": 0.008097217731521285,
    "NumAromaticRings": 0.020676730251639373,
    "internal_similarity": 0.004568015567746486,
}


@pytest.fixture(scope="module")
def result(drugs: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All metrics of the drugs, computed once."""
    pytest.importorskip("fcd_torch", reason="fcd-torch is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IATROS_HOME", str(tmp_path_factory.mktemp("home")))
        request = EvaluateRequest(
            compounds=drugs.generated,
            reference=drugs.reference,
            scaffolds=drugs.scaffolds,
            training=drugs.training,
        )
        return evaluate(request, Context()).result


@pytest.mark.parametrize("name", MOLSETS)
def test_a_metric_is_that_of_molsets(result: dict[str, Any], name: str) -> None:
    tolerance = 1e-4 if name == "fcd" else 1e-6
    assert result["metrics"]["reference"][name]["value"] == pytest.approx(MOLSETS[name], abs=tolerance)


@pytest.mark.parametrize("name", MOLSETS_SCAFFOLDS)
def test_a_metric_against_other_scaffolds_is_that_of_molsets(result: dict[str, Any], name: str) -> None:
    tolerance = 1e-4 if name == "fcd" else 1e-6
    found = result["metrics"]["scaffolds"][name]["value"]
    assert found == pytest.approx(MOLSETS_SCAFFOLDS[name], abs=tolerance)


@pytest.mark.parametrize("name", GUACAMOL)
def test_a_divergence_is_that_of_guacamol(result: dict[str, Any], name: str) -> None:
    assert result["guacamol"]["divergences"][name] == pytest.approx(GUACAMOL[name], abs=1e-9)


def test_the_scores_of_guacamol_follow_from_them(result: dict[str, Any]) -> None:
    metrics = result["metrics"]["reference"]
    assert metrics["kl"]["value"] == pytest.approx(0.9897940985977609, abs=1e-9)
    assert metrics["fcd_score"]["value"] == pytest.approx(
        2.718281828459045 ** (-0.2 * MOLSETS["fcd"]), abs=1e-4
    )
    assert result["guacamol"]["validity"] == pytest.approx(MOLSETS["valid"])


def test_an_interval_holds_its_value_where_there_is_one(result: dict[str, Any]) -> None:
    for found in result["metrics"].values():
        for name, metric in found.items():
            if name in ("fcd", "kl", "fcd_score"):
                assert metric["low"] is None
                assert metric["interval"].startswith("none")
            else:
                assert metric["low"] <= metric["value"] <= metric["high"], name


def test_the_funnel_narrows(result: dict[str, Any], drugs: Any) -> None:
    steps = {step["step"]: step["n"] for step in result["funnel"]}
    assert steps["written"] == len(drugs.generated)
    assert steps["valid"] == len(drugs.generated) - 4
    assert steps["unique"] == len(set(drugs.generated)) - 4
    assert list(steps.values()) == sorted(steps.values(), reverse=True)
    assert sum(result["funnel"][1]["reasons"].values()) == 4
