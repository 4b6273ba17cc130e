"""The action: one table with known truth through every part, each field, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from iatros.core.context import Context
from iatros.core.errors import FitError, RequestError, TableError, UnknownNameError
from iatros.core.request import build
from iatros.treatment.effects.averages import mean_by_arm
from iatros.treatment.effects.nuisance import fit_nuisances
from iatros.treatment.effects.study import open_study
from iatros.treatment.policies.actions import policy
from iatros.treatment.policy_requests import PolicyRequest


def clinic(n: int = 300, seed: int = 4) -> pl.DataFrame:
    """Drug b lowers the score by 3 where the marker is above 1 and raises it by 2 elsewhere; c does nothing.

    Sicker patients are given b more often. The time until relapse follows the score.
    """
    rng = np.random.default_rng(seed)
    severity, marker = rng.normal(size=n), rng.gamma(2.0, 0.6, n)
    odds = np.exp(np.column_stack([np.zeros(n), 0.5 * severity, np.full(n, -0.3)]))
    share = odds / odds.sum(axis=1, keepdims=True)
    arm = (rng.random((n, 1)) > share.cumsum(axis=1)).sum(axis=1)
    effect = np.where(marker > 1.0, -3.0, 2.0) * (arm == 1)
    score = 10 + severity + effect + rng.normal(size=n)
    time = rng.exponential(np.exp(3.0 - 0.12 * score))
    follow = rng.uniform(2.0, 14.0, n)
    return pl.DataFrame(
        {
            "patient": [f"p{k:03d}" for k in range(n)],
            "drug": np.array(["a", "b", "c"])[arm],
            "severity": severity,
            "marker": np.where(rng.random(n) < 0.15, np.nan, marker.round(2)),
            "ward": rng.choice(["north", "south"], n, p=[0.7, 0.3]),
            "advice": np.where(severity > 0, "b", "c"),
            "score": score,
            "months": np.minimum(time, follow).round(3),
            "relapse": (time <= follow).astype(int),
            "chance_b": share[:, 1],
            "chance_c": share[:, 2],
        }
    ).with_columns(pl.col("marker").fill_nan(None))


CLINIC = clinic()
FIELDS: dict[str, Any] = {
    "treatment": "drug",
    "outcome": "score",
    "better": "lower",
    "subject": "patient",
    "covariates": ("severity", "marker", "ward"),
    "bootstraps": 100,
    "depth": 1,
}
TIMED: dict[str, Any] = {
    **{name: value for name, value in FIELDS.items() if name not in ("outcome", "better")},
    "time": "months",
    "event": "relapse",
    "horizon": 6.0,
}


def run(**fields: Any) -> Any:
    table = fields.pop("table", CLINIC)
    return policy(PolicyRequest(table=table, **{**FIELDS, **fields}), Context())


@pytest.fixture(scope="module")
def produced() -> Any:
    rules = ("missing(marker) -> a, marker > 1 -> b, else a", "severity > 0 -> b, else c")
    return run(rule=rules, recommended="advice")


@pytest.fixture(scope="module")
def plain_run() -> Any:
    return run()


@pytest.fixture(scope="module")
def timed_run() -> Any:
    return policy(PolicyRequest(table=CLINIC, **TIMED), Context()).result


def rule_of(result: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (rule for rule in result["rules"] if rule["name"] == name)
    return dict(found)


def test_every_rule_is_there_and_plain(produced: Any) -> None:
    result = produced.result
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    names = [rule["name"] for rule in result["rules"]]
    assert names == [
        "all a", "all b", "all c", "best arm", "tree", "largest effect", "your rule 1", "your rule 2", "column advice",
    ]  # fmt: skip
    for rule in result["rules"]:
        assert sum(rule["shares"].values()) == pytest.approx(1.0)
        assert 0 < rule["effective_n"] <= rule["n"] == 300
        for metric in (*rule["value"].values(), rule["bootstrap"], rule["gain"]):
            assert metric["low"] <= metric["value"] <= metric["high"]
    assert result["data"]["n_used"] == 300


def test_treating_all_is_worth_the_average_of_the_effects(produced: Any) -> None:
    request = PolicyRequest(table=CLINIC, **FIELDS)
    cohort = open_study(request).cohort
    means = mean_by_arm(cohort, fit_nuisances(cohort))
    for arm in "abc":
        value = rule_of(produced.result, f"all {arm}")["value"]["doubly-robust"]
        assert value["value"] == pytest.approx(means[arm].value)
        assert value["high"] - value["low"] == pytest.approx(means[arm].high - means[arm].low, rel=0.01)


def test_the_right_rule_is_learned(produced: Any) -> None:
    """P(marker > 1) is .504 and 15 % lack it: the rule gains .85 * .504 * 3 = 1.29 over all a, all b gains .5."""
    result = produced.result
    tree = result["tree"]
    assert tree["lines"][0].startswith("marker at most ")
    assert 0.8 < float(tree["lines"][0].split()[3].rstrip(":")) < 1.2
    for name in ("tree", "your rule 1"):
        gain = rule_of(result, name)["gain"]
        assert gain["low"] < 1.29 < gain["high"]
        assert rule_of(result, name)["against"]["best arm"]["gain"]["low"] > 0
    # a lower score is better: the difference of the values has the other sign than the gain
    against = rule_of(result, "tree")["against"]["all a"]
    assert against["value"]["doubly-robust"]["value"] == pytest.approx(-against["gain"]["value"])
    assert result["uplift"][0]["qini"]["low"] > 0
    assert not [note for note in result["notes"] if note.startswith("tree")]


def test_a_rule_in_words_and_a_column_are_the_same(produced: Any) -> None:
    one, other = (rule_of(produced.result, name) for name in ("your rule 2", "column advice"))
    for part in ("value", "gain", "shares", "against"):
        assert one[part] == other[part]


def test_the_tree_can_be_given_back(produced: Any) -> None:
    again = run(rule=produced.result["tree"]["rule"])
    given = rule_of(again.result, "your rule")
    agreement = np.mean([a == b for a, b in zip(again.table["tree"], _arms(again, given), strict=True)])
    assert agreement == pytest.approx(again.result["tree"]["agreement"])


def _arms(produced: Any, rule: dict[str, Any]) -> list[str]:
    return list(produced.table[rule["name"].replace(" ", "_")])


def test_the_table_says_who_is_given_what(produced: Any) -> None:
    table = produced.table
    assert list(table)[:4] == ["row", "subject", "received", "best_arm"]
    assert {len(column) for column in table.values()} == {300}
    assert table["column_advice"] == CLINIC["advice"].to_list()
    assert table["received"] == CLINIC["drug"].to_list()
    shares = rule_of(produced.result, "tree")["shares"]
    assert shares["b"] == pytest.approx(table["tree"].count("b") / 300)
    rows = list(csv.DictReader(io.StringIO(produced.documents["rules.csv"].decode())))
    assert [row["tree"] for row in rows] == table["tree"]


def test_the_report_tells_it(produced: Any) -> None:
    page = produced.documents["report.html"].decode()
    for text in ("Rules of drug", "marker at most", "your rule 1", "Qini", "the tree of all subjects"):
        assert text in page or text.capitalize() in page, text
    assert "p001" not in page


def test_same_request_same_bytes(plain_run: Any) -> None:
    one, other = plain_run, run()
    assert one.result == other.result
    assert one.documents["report.html"] == other.documents["report.html"]


@pytest.mark.parametrize(
    "changed",
    [
        {"least_benefit": 0.5},
        {"better": "higher"},
        {"reference": "c"},
        {"arms": ("a", "b")},
        {"depth": 2},
        {"depth": "auto", "smallest_share": 0.45},
        {"asks": ("severity",)},
        {"smallest_share": 0.45},
        {"learner": "t"},
        {"base": "boosting"},
        {"outcome_model": "boosting"},
        {"propensity_model": "boosting"},
        {"design": "trial"},
        {"design": "trial", "propensity": ("chance_b", "chance_c")},
        {"covariates": ("severity", "ward")},
        {"exclude": ("ward",), "covariates": ()},
        {"folds": 3},
        {"bootstraps": 150},
        {"confidence_level": 0.8},
        {"missing": ("north",)},
        {"subject": None},
        {"seed": 5},
        {"rule": "severity > 1 -> c, else a"},
        {"recommended": "advice"},
        {"eligibility": "adults"},
        {"time_zero": "first visit"},
    ],
    ids=lambda fields: "-".join(f"{name}={value}" for name, value in fields.items()),
)
def test_each_field_changes_the_answer(changed: dict[str, Any], plain_run: Any) -> None:
    def told(one: Any) -> Any:
        return {name: part for name, part in one.result.items() if name not in ("request", "covariates")}

    other = run(**changed)
    assert (told(plain_run), plain_run.table) != (told(other), other.table)


def test_rows_of_one_patient_count_once() -> None:
    """Every row twice: taken for other patients, the intervals shrink by a root of two at least."""
    twice = pl.concat([CLINIC, CLINIC])
    widths = []
    for subject in ("patient", None):
        metric = rule_of(run(table=twice, subject=subject).result, "all b")["value"]["doubly-robust"]
        widths.append(metric["high"] - metric["low"])
    assert widths[0] / widths[1] > 1.4


@pytest.mark.parametrize("changed", [{"measure": "restricted-mean"}, {"horizon": 5.0}, {"censoring": "cox"}])
def test_outcomes_in_time(changed: dict[str, Any], timed_run: dict[str, Any]) -> None:
    other = policy(PolicyRequest(table=CLINIC, **{**TIMED, **changed}), Context()).result
    assert timed_run["target"]["n_censored_before"] > 10
    assert 0 < rule_of(timed_run, "tree")["value"]["doubly-robust"]["value"] < 1
    assert timed_run["rules"] != other["rules"]


def test_where_no_question_pays_the_result_says_so() -> None:
    rng = np.random.default_rng(0)
    table = CLINIC.with_columns(
        score=pl.Series(rng.normal(size=300) + 2.0 * (CLINIC["drug"] == "b").to_numpy())
    )
    result = run(table=table, depth="auto", better="higher").result
    assert result["tree"]["depth"] == 0
    assert result["tree"]["rule"] == "else b"
    assert any("tree: in no fold did anything pay" in note for note in result["notes"])


@pytest.mark.parametrize(
    ("fields", "kind", "said"),
    [
        ({"rule": "score < 10 -> a, else b"}, RequestError, "the rule reads score, which is not known"),
        ({"rule": "drug = a -> b, else a"}, RequestError, "reads drug"),
        ({"rule": "makrer < 1 -> a, else b"}, UnknownNameError, "did you mean marker"),
        ({"rule": "severity < 1 -> aa, else b"}, UnknownNameError, "no arm is called 'aa'"),
        ({"rule": "marker < 1 -> a, else b"}, TableError, "values are missing in marker"),
        ({"rule": "marker < 1 -> a"}, RequestError, "expected a comma"),
        ({"recommended": "advise"}, UnknownNameError, "advice"),
        ({"recommended": "drug"}, RequestError, "has two roles"),
        ({"asks": "marrker"}, UnknownNameError, "marker"),
        ({"outcome": "scores"}, UnknownNameError, "score"),
    ],
)
def test_what_cannot_be_valued_is_refused(fields: dict[str, Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        run(**fields)


def test_arms_that_do_not_overlap_have_no_value() -> None:
    table = CLINIC.with_columns(
        drug=pl.when(pl.col("severity") + 0.05 * pl.col("score") > 0.6)
        .then(pl.lit("b"))
        .otherwise(pl.lit("a"))
    )
    with pytest.raises(FitError, match=r"the value of a rule cannot be told: .* no counterpart"):
        run(table=table)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"outcome": None}, "give outcome, or time"),
        ({"time": "months"}, "not both"),
        ({"least_benefit": -1.0}, "least_benefit"),
        ({"rule": ("else a", "else a")}, "given twice"),
        ({"depth": 3}, "depth"),
        ({"propensity": "chance_b"}, "design trial"),
        ({"dpeth": 1}, "did you mean depth"),
    ],
)
def test_requests_that_do_not_hold_together(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        build(PolicyRequest, {"table": CLINIC, **FIELDS, **fields})


def test_a_depth_is_a_number_or_a_word() -> None:
    depths = [PolicyRequest(table=CLINIC, **{**FIELDS, "depth": depth}).depth for depth in (1, "1", "auto")]
    assert depths == ["1", "1", "auto"]


def test_a_trial_of_four_arms(shared_data: Path) -> None:
    """ACTG175: didanosine added to zidovudine is the best arm for CD4 at 20 weeks (Hammer et al. 1996)."""
    text = (shared_data / "actg175" / "ACTG175.csv").read_text()
    table = pl.read_csv(io.StringIO('"line",' + text), null_values="NA")
    names = {0: "zdv", 1: "zdv+ddi", 2: "zdv+ddc", 3: "ddi"}
    result = policy(
        PolicyRequest(
            table=table.with_columns(pl.col("arms").replace_strict(names)), treatment="arms", reference="zdv",
            outcome="cd420", design="trial", covariates=("age", "karnof", "cd40", "cd80", "str2", "wtkg"),
            bootstraps=100, rule="str2 = 0 -> ddi, else zdv+ddi",
        ),
        Context(),
    ).result  # fmt: skip
    assert result["n"] == 2139
    assert rule_of(result, "best arm")["shares"]["zdv+ddi"] == 1.0
    for rule in result["rules"]:
        robust, alone = rule["value"]["doubly-robust"], rule["value"]["self-normalised"]
        assert robust["low"] < alone["value"] < robust["high"]
        assert robust["high"] - robust["low"] < alone["high"] - alone["low"]
