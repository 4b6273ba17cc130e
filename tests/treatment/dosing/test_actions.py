"""From patients to a bundle, from a bundle to doses, and to metrics elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.bundle import open_bundle, write_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import NotABundleError, RequestError, SchemaError, SplitError, UnknownNameError
from iatros.treatment.dose_requests import DoseRequest
from iatros.treatment.dosing.actions import train_dose
from iatros.treatment.dosing.answers import evaluate_dose
from iatros.treatment.dosing.model import open_dose
from iatros.treatment.dosing.requested import dose
from iatros.treatment.dosing.schema import Columns
from iatros.treatment.dosing.settings import DoseSettings

SETTINGS = DoseSettings(
    models={"linear": {}, "boosting": {"n_estimators": 40}},
    n_folds=3,
    inner_folds=3,
    n_bootstrap=60,
    leave_out=("race",),
)
COLUMNS = Columns("dose", subject="patient_id", subgroup=("race",))


@pytest.fixture(scope="module")
def trained(patients: pl.DataFrame) -> Produced:
    """Trained once for this module."""
    return train_dose(patients, COLUMNS, SETTINGS, Context(), request={"dose": "dose"})


@pytest.fixture(scope="module")
def bundle(trained: Produced, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle on disk."""
    assert trained.bundle is not None
    return write_bundle(trained.bundle, tmp_path_factory.mktemp("models") / "dose")


def asked(model: Path, patients: Any, **more: Any) -> dict[str, Any]:
    """The result of asking for doses."""
    return dose(DoseRequest(model=model, patients=patients, **more), Context()).result


def test_every_number_has_its_interval_and_stands_beside_a_fixed_dose(trained: Produced) -> None:
    result = trained.result
    for name in ("mae", "rmse", "r2", "within_20_percent"):
        found = result["metrics"]["judged"][name]
        assert found["low"] < found["value"] < found["high"]
        assert found["n"] == 220
    models = {one["name"]: one for one in result["models"]}
    assert list(models) == ["blend of linear, boosting", "linear", "boosting", "median"]
    fixed = models["median"]
    assert fixed["reference"]
    assert fixed["difference"]["mae"]["high"] < 0 < fixed["difference"]["within_20_percent"]["low"]
    by_hand = result["metrics"]["judged"]["mae"]["value"] - fixed["metrics"]["mae"]["value"]
    assert fixed["difference"]["mae"]["value"] == pytest.approx(by_hand)


def test_groups_bands_and_those_left_out_are_judged(trained: Produced) -> None:
    result = trained.result
    levels = result["subgroups"]["race"]["levels"]
    assert sum(part["n"] for part in levels.values()) == 220
    assert all({"value", "low", "high"} <= set(part["coverage"]) for part in levels.values())
    for key in ("by_predicted_dose", "by_needed_dose"):
        assert list(result[key]) == ["low", "middle", "high"]
    away = result["left_out"]["race"]
    assert {name: part["n"] for name, part in away.items()} == {
        name: part["n"] for name, part in levels.items()
    }
    assert all("median" in part["others"] for part in away.values())
    assert result["conformal"]["coverage"]["value"] == pytest.approx(0.9, abs=0.07)


def test_the_report_says_where_it_errs_before_the_headline(trained: Produced) -> None:
    assert trained.bundle is not None
    page = trained.bundle.documents["report.html"].decode()
    opening = page.index("Where it errs")
    assert opening < page.index("By the predicted dose") < page.index("Over all patients")
    assert page.index("asian", opening) < page.index("Over all patients")
    assert "TRIPOD+AI" in page
    card = trained.bundle.documents["model_card.md"].decode()
    assert card.index("Where it errs") < card.index("## Performance")
    assert "not a medical device" in card


def test_the_bundle_is_the_same_twice_and_holds_no_patient(patients: pl.DataFrame, trained: Produced) -> None:
    again = train_dose(patients, COLUMNS, SETTINGS, Context(), request={"dose": "dose"})
    assert again.bundle is not None
    assert trained.bundle is not None
    assert again.bundle.files == trained.bundle.files
    assert {**again.bundle.manifest, "created": 0} == {**trained.bundle.manifest, "created": 0}
    written = json.dumps(trained.bundle.manifest) + "".join(map(str, trained.bundle.documents.values()))
    assert "p0003" not in written


def test_a_dose_for_each_patient_in_the_order_of_the_table(bundle: Path, patients: pl.DataFrame) -> None:
    some = patients.drop("dose").head(9)
    result = asked(bundle, some, subject="patient_id")
    answers = result["predictions"]
    assert [one["subject"] for one in answers] == some["patient_id"].to_list()
    assert {one["unit"] for one in answers} == {"mg/week"}
    for one in answers:
        assert one["low"] < one["dose"] < one["high"]
    alone = asked(bundle, some[4])["predictions"][0]
    assert alone["dose"] == pytest.approx(answers[4]["dose"], rel=1e-9)
    shuffled = asked(bundle, some.select(sorted(some.columns, reverse=True)).reverse())["predictions"]
    assert [one["dose"] for one in shuffled] == pytest.approx([one["dose"] for one in answers][::-1])
    assert "no prescription" in result["warning"]


def test_what_is_unlike_the_patients_learned_from_is_flagged(bundle: Path, patients: pl.DataFrame) -> None:
    row = patients.drop("dose", "patient_id", "seen").row(0, named=True)
    rows = [
        {**row, "weight": 75.0, "race": "white"},
        {**row, "weight": None, "race": "white"},
        {**row, "weight": 400.0, "race": "white"},
        {**row, "weight": 75.0, "race": "black"},
        {**row, "weight": 75.0, "race": "martian"},
    ]
    flags = [one["flags"] for one in asked(bundle, rows)["predictions"]]
    assert flags[0] == ""
    assert flags[1] == "weight is missing and was filled as in training"
    assert "weight 400 is outside" in flags[2]
    assert "patients with this race were learned from" in flags[3]
    assert "was not seen in training" in flags[4]


def test_a_dose_beyond_those_seen_is_flagged(patients: pl.DataFrame, tmp_path: Path) -> None:
    narrow = patients.select("age", "dose").with_columns((100.0 - pl.col("age")).alias("dose"))
    chosen = DoseSettings(models={"linear": {}}, scale="none", n_folds=2, inner_folds=2, n_bootstrap=0)
    produced = train_dose(narrow, Columns("dose"), chosen, Context())
    assert produced.bundle is not None
    model = write_bundle(produced.bundle, tmp_path / "narrow")
    beyond, within = asked(model, [{"age": 101}, {"age": 50}])["predictions"]
    assert "beyond those that were seen" in beyond["flags"]
    assert within["flags"] == ""
    assert within["dose"] == pytest.approx(50.0, abs=0.5)


def test_evaluated_elsewhere_in_another_unit(bundle: Path, patients: pl.DataFrame) -> None:
    weekly = evaluate_dose(bundle, patients.head(80), Context(), subgroup=("race",), n_bootstrap=40)
    daily = patients.head(80).with_columns(pl.col("dose") / 7)
    found = evaluate_dose(bundle, daily, Context(), unit="mg/day", subgroup=("race",), n_bootstrap=40)
    one, other = (each.result["metrics"]["external"]["mae"] for each in (weekly, found))
    assert other["value"] == pytest.approx(one["value"])
    assert weekly.result["parent"]["manifest_sha256"] == open_bundle(bundle).manifest_sha256
    assert b"Evaluating a model" in weekly.documents["report.html"]
    mixed = daily.with_columns(pl.lit("mg/day").alias("unit"))
    lines = evaluate_dose(bundle, mixed, Context(), unit_column="unit", n_bootstrap=40)
    assert lines.result["metrics"]["external"]["mae"]["value"] == pytest.approx(one["value"])
    with pytest.raises(RequestError, match="cannot be brought to mg/week"):
        evaluate_dose(bundle, patients, Context(), unit="IU/day")
    with pytest.raises(UnknownNameError, match="dose"):
        evaluate_dose(bundle, patients.drop("dose"), Context())


def test_wrong_questions_are_refused(bundle: Path, patients: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="'gene' is missing"):
        asked(bundle, patients.drop("gene"))
    with pytest.raises(UnknownNameError, match="name"):
        asked(bundle, patients, subject="name")
    manifest = {**open_bundle(bundle).manifest, "question": "responses"}
    for key in ("format", "files"):
        manifest.pop(key)
    from iatros.core.bundle import BundleDraft

    other = write_bundle(BundleDraft(manifest, {"x.bin": b"x"}), tmp_path / "other")
    with pytest.raises(NotABundleError, match="how much of a drug"):
        asked(other, patients)
    with pytest.raises(UnknownNameError, match="subgroup"):
        train_dose(patients, Columns("dose"), DoseSettings(leave_out=("race",)), Context())
    one_site = patients.with_columns(pl.lit("north").alias("site"))
    small = DoseSettings(models={"linear": {}}, n_folds=2, inner_folds=2, n_bootstrap=0)
    with pytest.raises(SplitError, match="at least two sites"):
        train_dose(one_site, Columns("dose", site="site"), small, Context())


def test_sites_are_left_out_in_turn_and_never_learned_from(patients: pl.DataFrame) -> None:
    sites = patients.with_columns(pl.Series("site", ["north", "south", "south", "east"] * 55))
    small = DoseSettings(models={"linear": {}}, n_folds=2, inner_folds=2, n_bootstrap=20)
    produced = train_dose(sites, Columns("dose", subject="patient_id", site="site"), small, Context())
    result = produced.result
    assert {name: part["n"] for name, part in result["sites"].items()} == {
        "east": 55,
        "north": 55,
        "south": 110,
    }
    assert result["pooled"]["mae"]["n"] == 220
    assert "site" not in [column["name"] for column in result["schema"]["columns"]]
    assert produced.bundle is not None
    assert b"Left out in turn" in produced.bundle.documents["report.html"]


def test_equations_of_warfarin_are_not_judged_on_another_drug(patients: pl.DataFrame) -> None:
    other = patients.with_columns(
        (pl.col("age") // 10).alias("age_decade"),
        pl.lit(170.0).alias("height_cm"),
        pl.col("weight").alias("weight_kg"),
    )
    small = DoseSettings(models={"linear": {}}, n_folds=2, inner_folds=2, n_bootstrap=0)
    names = [one["name"] for one in train_dose(other, Columns("dose"), small, Context()).result["models"]]
    assert names == ["linear", "median"]


@settings(deadline=None, max_examples=40)
@given(
    st.none() | st.floats(-1e6, 1e6),
    st.none() | st.floats(-1e6, 1e6),
    st.sampled_from(["AA", "AG", "GG", "new", None]),
    st.sampled_from(["white", "black", "", None]),
)
def test_whoever_asks_gets_a_dose_inside_its_interval_and_none_below_zero(
    bundle: Path, age: float | None, weight: float | None, gene: str | None, race: str | None
) -> None:
    _, model = open_dose(bundle)
    kinds = {"age": pl.Float64, "weight": pl.Float64, "gene": pl.String, "race": pl.String}
    frame = pl.DataFrame({"age": [age], "weight": [weight], "gene": [gene], "race": [race]}, schema=kinds)
    (answer,), (low,), (high,) = model.answer(frame)
    assert np.isfinite([answer, low, high]).all()
    assert 0.0 <= low <= answer <= high


def test_answering_loads_neither_torch_nor_scikit_learn(bundle: Path) -> None:
    program = (
        "import sys; from iatros.core.context import Context; from iatros.treatment.dose_requests import DoseRequest\n"
        "from iatros.treatment.dosing.requested import dose\n"
        f"rows = [{{'age': 60, 'weight': 70.0, 'gene': 'AG', 'race': 'white'}}]\n"
        f"print(dose(DoseRequest(model={str(bundle)!r}, patients=rows), Context()).result['n'])\n"
        "print([name for name in ('torch', 'sklearn', 'pandas', 'lightgbm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["1", "[]"]


def test_an_equation_is_a_model_of_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    n = 60
    table = pl.DataFrame(
        {
            "age_decade": rng.integers(2, 9, n), "height_cm": rng.normal(170, 9, n), "weight_kg": rng.normal(78, 14, n),
            "race": rng.choice(["White", "Asian"], n), "cyp2c9": rng.choice(["*1/*1", "*1/*3"], n),
            "vkorc1_1639": rng.choice(["G/G", "A/G", "A/A"], n), "dose": rng.uniform(10, 60, n),
        }
    )  # fmt: skip
    chosen = DoseSettings(models={"iwpc-clinical": {}}, n_folds=2, inner_folds=2, n_bootstrap=20)
    produced = train_dose(table, Columns("dose"), chosen, Context())
    names = [one["name"] for one in produced.result["models"]]
    assert names == ["iwpc-clinical", "median", "iwpc-pharmacogenetic"]
    assert produced.bundle is not None
    model = write_bundle(produced.bundle, tmp_path / "equation")
    row = {"age_decade": 6, "height_cm": 175.0, "weight_kg": 80.0, "race": "White", "cyp2c9": "*1/*1",
           "vkorc1_1639": "G/G"}  # fmt: skip
    assert asked(model, [row])["predictions"][0]["dose"] == pytest.approx(5.6470**2)
