"""The published equations of warfarin: worked by hand from the coefficients of the paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import RequestError, SchemaError
from iatros.core.task import Target
from iatros.learners.tabular.reading import read_table
from iatros.treatment.dosing.equations import (
    Clinical,
    EquationParams,
    EquationPredictor,
    Pharmacogenetic,
    genotypes,
)
from iatros.treatment.dosing.model import load_predictor

WEEK = Target("dose", "continuous", unit="mg/week")
TYPICAL = {
    "age_decade": 6, "height_cm": 175.0, "weight_kg": 80.0, "race": "White", "cyp2c9": "*1/*1", "vkorc1_1639": "G/G",
    "amiodarone": 0, "carbamazepine": 0,
}  # fmt: skip


def roots(kind: Any, *rows: dict[str, Any], target: Target = WEEK, **params: Any) -> np.ndarray:
    """The square roots that an equation gives for patients who differ from TYPICAL as said."""
    table = read_table([{**TYPICAL, **row} for row in rows])
    fitted = kind(EquationParams(**params)).fit(table, np.ones(len(rows)), target, groups=None, seed=0)
    answer: np.ndarray = fitted.predictor.predict(table.frame)
    return answer


def test_worked_by_hand() -> None:
    # 5.6044 - 6 * .2614 + 175 * .0087 + 80 * .0128 = 6.5825, squared 43.33 mg/week
    # 5.6044 - 7 * .2614 + 160 * .0087 + 60 * .0128 - .8677 - .9357 - .1092 - .5503 = 3.4717, squared 12.05
    # 5.6044 - 3 * .2614 + 180 * .0087 + 110 * .0128 - 1.6974 - 2.3312 - .2760 + 1.1816 = 4.6712, squared 21.82
    patients = (
        {},
        {"age_decade": 7, "height_cm": 160.0, "weight_kg": 60.0, "vkorc1_1639": "A/G", "cyp2c9": "*1/*3",
         "race": "Asian", "amiodarone": 1},
        {"age_decade": 3, "height_cm": 180.0, "weight_kg": 110.0, "vkorc1_1639": "A/A", "cyp2c9": "*3/*3",
         "race": "Black or African American", "carbamazepine": 1},
    )  # fmt: skip
    np.testing.assert_allclose(roots(Pharmacogenetic, *patients), [6.5825, 3.4717, 4.6712], atol=1e-9)
    # 4.0376 - 6 * .2546 + 175 * .0118 + 80 * .0134 = 5.6470
    # 4.0376 - 7 * .2546 + 160 * .0118 + 60 * .0134 - .6752 - .5695 = 3.7027
    # 4.0376 - 3 * .2546 + 180 * .0118 + 110 * .0134 + .4060 + 1.2799 = 8.5577
    np.testing.assert_allclose(roots(Clinical, *patients), [5.6470, 3.7027, 8.5577], atol=1e-9)


def test_unknown_genotypes_and_ancestry_have_terms_of_their_own() -> None:
    base, gene, cyp, mixed, other = roots(
        Pharmacogenetic,
        {},
        {"vkorc1_1639": None},
        {"cyp2c9": None},
        {"race": "Unknown"},
        {"cyp2c9": "*1/*11"},
    )
    np.testing.assert_allclose(
        [gene - base, cyp - base, mixed - base, other - base], [-0.4854, -0.2188, -0.1032, -0.2188], atol=1e-9
    )
    base, mixed = roots(Clinical, {}, {"race": None})
    assert mixed - base == pytest.approx(0.0443)


def test_the_other_genotypes_of_cyp2c9() -> None:
    found = roots(Pharmacogenetic, *({"cyp2c9": one} for one in ("*1/*1", "*1/*2", "*2/*2", "*2/*3")))
    np.testing.assert_allclose(found - found[0], [0.0, -0.5211, -1.0616, -1.9206], atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.permutations(["*1", "*3"]), st.sampled_from(["/", " / ", "|"]))
def test_a_genotype_is_one_however_it_is_written(alleles: list[str], between: str) -> None:
    frame = pl.DataFrame({"g": [between.join(alleles), between.join(alleles).replace("*", "")]})
    assert genotypes(frame, "g") == ["*1/*3", "*1/*3"]
    assert genotypes(pl.DataFrame({"g": ["GA", "a/g", None]}), "g") == ["A/G", "A/G", None]


def test_unknown_measurements_take_the_median_and_years_become_decades() -> None:
    rows = ({"height_cm": 160.0}, {"height_cm": None}, {"height_cm": 190.0}, {"height_cm": 170.0})
    found = roots(Pharmacogenetic, *rows)
    assert found[1] == pytest.approx(found[3])
    years = [{**TYPICAL, "age_years": age} for age in (69.9, 70.0)]
    for row in years:
        del row["age_decade"]
    table = read_table(years)
    predictor = Pharmacogenetic().fit(table, np.ones(2), WEEK, groups=None, seed=0).predictor
    found = predictor.predict(table.frame)
    assert found[0] == pytest.approx(6.5825)
    assert found[0] - found[1] == pytest.approx(0.2614)


def test_another_unit_of_dose_and_other_column_names() -> None:
    daily = roots(Pharmacogenetic, {}, target=Target("dose", "continuous", unit="mg/day"))
    assert daily[0] ** 2 == pytest.approx(6.5825**2 / 7)
    renamed = read_table([{**{k: v for k, v in TYPICAL.items() if k != "race"}, "ancestry": "asian"}])
    fitted = Clinical(EquationParams(ancestry="ancestry")).fit(renamed, np.ones(1), WEEK, groups=None, seed=0)
    assert fitted.predictor.predict(renamed.frame)[0] == pytest.approx(5.6470 - 0.6752)


def test_what_is_not_there_is_an_error() -> None:
    lacking = read_table([{k: v for k, v in TYPICAL.items() if k != "vkorc1_1639"}])
    with pytest.raises(SchemaError, match="needs the column 'vkorc1_1639'"):
        Pharmacogenetic().fit(lacking, np.ones(1), WEEK, groups=None, seed=0)
    Clinical().fit(lacking, np.ones(1), WEEK, groups=None, seed=0)
    with pytest.raises(RequestError, match="does not lead to IU/day"):
        roots(Clinical, {}, target=Target("dose", "continuous", unit="IU/day"))


def test_the_stored_equation_answers_alike() -> None:
    table = read_table([TYPICAL, {**TYPICAL, "weight_kg": None, "amiodarone": 1}])
    predictor = Pharmacogenetic().fit(table, np.ones(2), WEEK, groups=None, seed=0).predictor
    document, files = predictor.save()
    again = load_predictor(document, files.__getitem__)
    np.testing.assert_array_equal(again.predict(table.frame), predictor.predict(table.frame))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 8), st.floats(140, 200), st.floats(40, 150))
def test_older_patients_need_less_and_heavier_ones_more(decade: int, height: float, weight: float) -> None:
    base = {**TYPICAL, "age_decade": decade, "height_cm": height, "weight_kg": weight}
    rows = [base, {**base, "age_decade": decade + 1}, {**base, "weight_kg": weight + 1}]
    for equation in ("pharmacogenetic", "clinical"):
        predictor = EquationPredictor(equation, EquationParams(), np.zeros(3), 1.0)
        younger, older, heavier = predictor.root(pl.DataFrame(rows))
        assert older < younger < heavier
