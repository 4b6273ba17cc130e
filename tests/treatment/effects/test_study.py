import numpy as np
import pytest

from iatros.core.errors import OutcomeError, RequestError, SchemaError, TableError, UnknownNameError
from iatros.core.request import build
from iatros.treatment.effect_requests import EffectRequest
from iatros.treatment.effects.study import open_study


def rows(n=240, seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for number in range(n):
        drug = ["old", "new", "newer"][int(rng.choice(3, p=[0.4, 0.35, 0.25]))]
        age = float(rng.normal(60, 9)) if number % 10 else None
        made.append(
            {"id": f"p{number}", "age": age, "sex": str(rng.choice(["f", "m"], p=[0.7, 0.3])), "flat": 3.0,
             "drug": drug, "score": float(rng.normal()), "well": "yes" if rng.random() < 0.4 else "no",
             "days": float(rng.exponential(100)), "died": int(rng.random() < 0.6), "p": 0.4}
        )  # fmt: skip
    return made


USED = {"covariates": ("age",)}


def asked(table=None, **fields):
    return EffectRequest(
        **{"table": rows() if table is None else table, "treatment": "drug", **USED, **fields}
    )


def changed(**fields):
    """The rows with the first ones changed in the columns named."""
    made = rows()
    for name, values in fields.items():
        for row, value in zip(made, values, strict=False):
            row[name] = value
    return made


def test_arms_come_by_name_the_reference_first_and_others_may_be_left_out():
    assert open_study(asked(outcome="score")).cohort.arms == ("new", "newer", "old")
    study = open_study(asked(outcome="score", reference="old", arms=("new", "old")))
    assert study.cohort.arms == ("old", "new")
    truth = [row["drug"] for row in rows() if row["drug"] != "newer"]
    assert [study.cohort.arms[code] for code in study.cohort.arm] == truth
    left_out = 240 - len(truth)
    assert study.data["n_refused"] == left_out
    assert study.flow[-1]["n_rows"] == len(truth)
    assert {one["reason"] for one in study.data["refused"]} == {"the arm is not among those compared"}
    numbers = changed()
    for row in numbers:
        row["drug"] = {"old": 0, "new": 10, "newer": 2}[row["drug"]]
    assert open_study(asked(numbers, outcome="score")).cohort.arms == ("0", "2", "10")


def test_outcomes_are_read_by_what_they_are():
    continuous = open_study(asked(outcome="score"))
    assert continuous.cohort.kind == "continuous"
    binary = open_study(asked(outcome="well"))
    assert binary.cohort.kind == "binary"
    assert binary.outcome["event"] == "yes"
    turned = open_study(asked(outcome="well", positive="no"))
    np.testing.assert_array_equal(turned.cohort.y, 1 - binary.cohort.y)
    timed = open_study(asked(time="days", event="died", horizon=60.0, better="higher"))
    days = np.array([row["days"] for row in rows()])
    died = np.array([row["died"] for row in rows()])
    assert timed.cohort.kind == "time-to-event"
    assert np.isnan(timed.cohort.y).sum() == ((days < 60) & (died == 0)).sum()
    assert timed.outcome["n_censored_before"] == ((days < 60) & (died == 0)).sum()
    longer = open_study(asked(time="days", event="died", horizon=60.0, measure="restricted-mean"))
    assert np.nanmax(longer.cohort.y) == 60.0


def test_covariates_are_encoded_completed_and_roles_never_enter():
    study = open_study(
        asked(covariates=(), outcome="score", subject="id", exclude=("well", "days", "died", "p"))
    )
    assert set(study.covariates.encoder.columns) == {"age", "sex", "flat"}
    assert "flat" not in study.cohort.names
    assert "age missing" in study.cohort.names
    assert np.isfinite(study.cohort.X).all()
    assert study.subjects[3] == "p3"
    again = study.covariates.features(study.covariates.table.frame)
    np.testing.assert_allclose(again, study.cohort.X)


def test_patients_are_groups():
    table = rows()
    for number, row in enumerate(table):
        row["id"] = f"p{number // 2}"
    study = open_study(asked(table, outcome="score", subject="id"))
    assert (study.flow[0]["n_rows"], study.flow[0]["n_patients"]) == (240, 120)
    cohort = study.cohort
    assert len(np.unique(cohort.groups)) == 120
    assert (cohort.groups[::2] == cohort.groups[1::2]).all()


def test_rows_without_arm_or_outcome_are_counted_with_the_reason():
    table = changed(drug=[None], score=["x", None])
    table = [{**row, "score": row["score"] if isinstance(row["score"], float) else None} for row in table]
    study = open_study(asked(table, outcome="score"))
    assert len(study.cohort) == 238
    assert [one["reason"] for one in study.data["refused"]] == [
        "the arm is missing",
        "the outcome is missing",
    ]
    assert [step["n_rows"] for step in study.flow] == [240, 239, 238]


def test_known_probabilities_belong_to_a_trial_of_two_arms_or_one_for_each():
    study = open_study(
        asked(outcome="score", arms=("old", "new"), reference="old", design="trial", propensity=("p",))
    )
    np.testing.assert_allclose(study.cohort.assignment[0], [0.6, 0.4])
    with pytest.raises(TableError, match="1 propensity columns for 3 arms"):
        open_study(asked(outcome="score", design="trial", propensity=("p",)))
    with pytest.raises(TableError, match="between 0 and 1"):
        open_study(
            asked(changed(p=[1.0]), outcome="score", arms=("old", "new"), design="trial", propensity=("p",))
        )


@pytest.mark.parametrize(
    ("table", "fields", "error", "said"),
    [
        (None, {"outcome": "scor"}, UnknownNameError, "score"),
        (None, {"outcome": "score", "reference": "oldest"}, UnknownNameError, "oldest"),
        (None, {"outcome": "score", "arms": ("old", "newst")}, UnknownNameError, "newst"),
        (None, {"outcome": "score", "arms": ("old",)}, TableError, "one arm only"),
        (None, {"outcome": "score", "treatment": "days"}, TableError, "dose"),
        (None, {"outcome": "score", "covariates": ("age", "score")}, RequestError, "another role"),
        (None, {"outcome": "score", "subject": "score"}, RequestError, "two roles"),
        (None, {"outcome": "score", "covariates": ("flat",)}, TableError, "no covariate varies"),
        (None, {"outcome": "flat"}, OutcomeError, "never varies"),
        (None, {"outcome": "id"}, OutcomeError, "classes"),
        (None, {"outcome": "sex"}, OutcomeError, "which of 'f' and 'm'"),
        (None, {"outcome": "well", "positive": "maybe"}, UnknownNameError, "maybe"),
        (None, {"time": "days", "event": "drug", "horizon": 50.0}, RequestError, "two roles"),
        (None, {"time": "days", "event": "sex", "horizon": 50.0}, OutcomeError, "0 where it ends with censoring"),
        (changed(died=[2]), {"time": "days", "event": "died", "horizon": 50.0}, OutcomeError, "column died"),
        (changed(days=[-1.0]), {"time": "days", "event": "died", "horizon": 50.0}, TableError, "negative"),
        (None, {"time": "days", "event": "died", "horizon": 1e-9}, OutcomeError, "later horizon"),
        (None, {"time": "days", "event": "died", "horizon": 1e6}, OutcomeError, "earlier horizon"),
        (None, {"outcome": "score", "negative_control": ("sex",)}, TableError, "negative-control"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_the_place(table, fields, error, said):
    with pytest.raises(error) as caught:
        open_study(asked(table, **fields))
    assert said in str(caught.value)


def test_an_arm_with_too_few_patients_is_refused_by_name():
    table = [row for row in rows() if row["drug"] != "newer"] + [
        row for row in rows() if row["drug"] == "newer"
    ][:12]
    with pytest.raises(TableError, match="'newer' has 12 patients"):
        open_study(asked(table, outcome="score"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"outcome": "score", "time": "days"}, "not both"),
        ({}, "or time with event and horizon"),
        ({"time": "days", "event": "died"}, "or time with event and horizon"),
        ({"outcome": "score", "propensity": ("p",)}, "design trial"),
        ({"time": "days", "event": "died", "horizon": 3, "positive": "yes"}, "give outcome"),
        ({"outcome": "score", "horizon": -1}, "horizon"),
        ({"outcome": "score", "base": "neural"}, "base"),
        ({"outcome": "score", "folds": 1}, "folds"),
        ({"outcome": "score", "dosage": 1}, "dosage is not known"),
    ],
)
def test_a_request_that_does_not_go_together_is_refused(fields, said):
    with pytest.raises(RequestError, match=said):
        build(EffectRequest, {"table": rows(3), "treatment": "drug", **fields})


def test_new_patients_with_other_columns_are_refused():
    from iatros.treatment.effects.actions import _read_patients

    request = asked(outcome="score", covariates=("age", "sex"), patients=[{"age": 50.0, "gender": "f"}])
    with pytest.raises(SchemaError, match="sex"):
        _read_patients(open_study(request), request)
