import json

import numpy as np
import pytest
from tests.treatment.effects.conftest import simulated

from iatros.core.checklist import answers as checklist_answers
from iatros.core.context import Context
from iatros.treatment.effect_requests import EffectRequest
from iatros.treatment.effects.actions import effect
from iatros.treatment.effects.items import ITEMS

QUICK = {"placebos": 2, "resamples": 20, "outcome_model": "ridge", "base": "ridge"}


def rows_of(cohort, **more):
    return [
        {
            "patient": f"p{i}",
            **dict(zip(cohort.names, map(float, x), strict=True)),
            "arm": cohort.arms[a],
            "y": float(y),
        }
        | {name: float(values[i]) for name, values in more.items()}
        for i, (x, a, y) in enumerate(zip(cohort.X, cohort.arm, cohort.y, strict=True))
    ]


def asked(rows, **fields):
    return EffectRequest(
        **{"table": rows, "treatment": "arm", "outcome": "y", "subject": "patient", **QUICK, **fields}
    )


@pytest.fixture(scope="module")
def found():
    cohort, effects = simulated(n=400, slope=1.0)
    control = cohort.X[:, 0] + np.random.default_rng(6).normal(size=400)
    patients = [{"patient": f"fresh {i}", "a": 0.1 * i, "b": 0.5 * i, "c": 0.0, "d": 1.0} for i in range(5)]
    patients[4]["c"] = 40.0
    request = asked(rows_of(cohort, control=control), patients=patients, negative_control=("control",))
    return cohort, effects, effect(request, Context()), request


def test_the_average_and_the_individual_effects_come_out_with_intervals(found):
    _, effects, produced, _ = found
    result = produced.result
    difference = result["average"][0]["difference"]
    assert difference["low"] < effects.mean() < difference["high"]
    assert result["average"][0]["unadjusted"]["low"] > effects.mean()
    assert set(result["means"]) == {"arm 0", "arm 1"}
    assert result["model"] != "constant"
    assert result["heterogeneity"][0]["evidence"]
    assert result["models"][0]["name"] == "constant"
    chosen = next(one for one in result["models"] if one["selected"])
    assert chosen["over_constant"]["high"] < 0
    assert json.loads(json.dumps(result)) == result


def test_the_table_is_of_new_patients_and_the_file_of_the_cohort(found):
    _, _, produced, _ = found
    table = produced.table
    assert table["subject"] == [f"fresh {i}" for i in range(5)]
    values = table["effect_arm 1"][:4]
    # the effect grows with b, and so does what a patient gains
    assert values == sorted(values)
    assert table["rank_arm 1"][:4] == [4, 3, 2, 1]
    for low, value, high in zip(table["low_arm 1"][:4], values, table["high_arm 1"][:4], strict=True):
        assert low < value < high
    assert produced.result["patients"][2]["subject"] == "fresh 2"
    # nobody in the cohort is like the last one, so that there is nothing to compare with
    assert [bool(flag) for flag in table["flags"]] == [False, False, False, False, True]
    assert table["effect_arm 1"][4] is None
    assert table["rank_arm 1"][4] is None
    lines = produced.documents["effects.csv"].decode().splitlines()
    assert len(lines) == 401
    assert lines[0].startswith(
        "row,subject,arm,compared,reason,propensity_arm 0,propensity_arm 1,effect_arm 1"
    )


def test_assumptions_are_named_and_confounding_first(found):
    result = found[2].result
    assert result["assumptions"][0]["name"] == "no unmeasured confounding"
    assert any(note.startswith("observational:") for note in result["notes"])
    assert result["checks"]["negative_controls"][0]["outcome"] == "control"
    assert not result["checks"]["negative_controls"][0]["away_from_zero"]
    assert result["average"][0]["e_value"]["point"] > 1


def test_the_report_holds_every_item_and_no_patient(found):
    _, _, produced, _ = found
    page = produced.documents["report.html"].decode()
    for title in (
        "Protocol",
        "Average effects",
        "Overlap",
        "Balance",
        "Individual effects",
        "Checks",
        "Assumptions",
    ):
        assert title in page
    assert "fresh 2" not in page
    assert "p17" not in page
    status = {answer.item.code: answer.status for answer in checklist_answers(ITEMS, produced.result)}
    assert status["2"] == "missing"
    assert status["15"] == "not applicable"
    assert status["17"] == "reported"
    assert status["23"] == "missing"


def test_words_of_the_request_answer_items_of_the_protocol(found):
    _, _, produced, _ = found
    told = dict(
        produced.result, eligibility="adults with a first event", time_zero="the day of the first event"
    )
    status = {answer.item.code: answer.status for answer in checklist_answers(ITEMS, told)}
    assert status["2"] == "in part"
    assert status["5"] == "reported"


def test_the_same_request_gives_the_same_bytes_and_another_seed_other_folds(found):
    _, _, produced, request = found
    again = effect(request, Context())
    assert again.result == produced.result
    assert again.documents == produced.documents
    other = effect(request.model_copy(update={"seed": 1}), Context())
    assert other.result["average"][0]["difference"] != produced.result["average"][0]["difference"]


@pytest.fixture(scope="module")
def plain():
    cohort, _ = simulated(n=140, kind="binary")
    table = rows_of(cohort)
    table[0]["c"] = 99.0
    request = asked(table, learner="t")
    return table, request, effect(request, Context())


@pytest.mark.parametrize(
    "change",
    [
        {"reference": "arm 1"}, {"design": "trial"}, {"better": "lower"}, {"folds": 3}, {"exclude": ("a",)},
        {"learner": "s"}, {"learner": "constant"}, {"outcome_model": "forest"}, {"propensity_model": "boosting"},
        {"confidence_level": 0.8}, {"placebos": 3}, {"resamples": 22, "learner": "t"}, {"eligibility": "adults"},
        {"time_zero": "diagnosis"}, {"covariates": ("a", "b")}, {"positive": "1"}, {"missing": ("99",)},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_every_field_changes_the_answer(plain, change):
    table, request, before = plain
    if "positive" in change:
        table = [{**row, "y": {0.0: "0", 1.0: "1"}[row["y"]]} for row in table]
        changed = asked(table, learner="t", positive="0")
    else:
        changed = request.model_copy(update=change)
    after = effect(changed, Context())
    skip = {"request", "versions", "seed"}
    one = {key: value for key, value in before.result.items() if key not in skip}
    two = {key: value for key, value in after.result.items() if key not in skip}
    assert one != two or before.table != after.table


def test_hormone_therapy_in_gbsg2_is_analysed_as_observational_with_censoring_weights():
    from lifelines.datasets import load_gbsg2

    request = EffectRequest(
        table=load_gbsg2(),
        treatment="horTh",
        time="time",
        event="cens",
        horizon=1826.0,
        learner="constant",
        **QUICK,
    )
    result = effect(request, Context()).result
    assert result["design"] == "observational"
    assert result["target"]["kind"] == "time-to-event"
    assert result["target"]["n_events"] == 299
    difference = result["average"][0]["difference"]
    # longer free of recurrence with hormone therapy: the direction of the published hazard ratio, 0.69
    assert 0 < difference["low"] < difference["value"] < 0.3
    assert result["nuisances"]["censoring"] == "kaplan-meier"
    assert [one["name"] for one in result["assumptions"]][-1] == "censoring"
    cox = effect(request.model_copy(update={"censoring": "cox"}), Context()).result["average"][0][
        "difference"
    ]
    assert cox["value"] == pytest.approx(difference["value"], abs=0.05)
    assert cox["value"] != difference["value"]
    mean_time = effect(request.model_copy(update={"measure": "restricted-mean"}), Context()).result
    assert 0 < mean_time["average"][0]["difference"]["value"] < 400


def test_where_overlap_fails_nobody_is_ranked_and_the_numbers_are_told():
    rng = np.random.default_rng(0)
    cohort, _ = simulated(n=300)
    steep = (rng.random(300) < 1 / (1 + np.exp(-9 * cohort.X[:, 0]))).astype(int)
    table = [{**row, "arm": ("no", "yes")[a]} for row, a in zip(rows_of(cohort), steep, strict=True)]
    produced = effect(asked(table, learner="t"), Context())
    refusal = produced.result["overlap"]["refusal"]
    assert "not ranked" in refusal
    assert produced.result["notes"][0] == refusal
    assert set(produced.table["effect_yes"]) == {None}
    assert produced.result["individual"]["n_compared"] == 0


def test_without_heterogeneity_the_result_says_so():
    cohort, _ = simulated(n=300, slope=0.0, seed=4)
    result = effect(asked(rows_of(cohort)), Context()).result
    assert not result["heterogeneity"][0]["evidence"]
    assert any(note.startswith("no evidence of heterogeneity") for note in result["notes"])


def test_three_arms_are_compared_in_pairs():
    cohort, effects = simulated(n=500, arms=3, slope=0.0)
    result = effect(asked(rows_of(cohort), learner="t"), Context()).result
    assert len(result["average"]) == 3
    by_pair = {(one["arm"], one["reference"]): one["difference"] for one in result["average"]}
    for k, name in ((1, "arm 1"), (2, "arm 2")):
        one = by_pair[name, "arm 0"]
        assert one["low"] < effects[:, k - 1].mean() < one["high"]
    assert len(result["heterogeneity"]) == 2
