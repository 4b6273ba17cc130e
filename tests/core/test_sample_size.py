"""Sample sizes against the worked examples that Riley and colleagues published."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from iatros.core.errors import InputError
from iatros.core.sample_size import cox_snell_from_c, riley_binary, riley_continuous


def test_the_chagas_example() -> None:
    """Riley et al. 2019, Stat Med 38:1276, and the R package pmsampsize: 623, 662 and 221 patients."""
    answer = riley_binary(1000, 174, 24, cox_snell_r2=0.288)
    criteria = answer["criteria"]
    assert (criteria["shrinkage"], criteria["r2_difference"], criteria["overall_risk"]) == (623, 662, 221)
    assert answer["required"] == max(criteria.values())
    assert answer["events_per_parameter"] == pytest.approx(7.25)


def test_the_pre_eclampsia_example() -> None:
    """Riley et al. 2020, BMJ 368:m441: 30 parameters, 5 % with the outcome, R2 15 % of its maximum of 0.33."""
    answer = riley_binary(5249, 262, 30, cox_snell_r2=0.05)
    assert answer["criteria"]["shrinkage"] == 5249
    logged = -0.508 + 0.259 * np.log(262 / 5249) + 0.504 * np.log(30) - np.log(0.05)  # criterion B2
    assert answer["criteria"]["mean_absolute_error"] == np.ceil(np.exp(logged / 0.544))
    assert answer["anticipated"]["max_r2"] == pytest.approx(0.33, abs=0.005)
    assert answer["enough"]
    assert not riley_binary(5248, 262, 30, cox_snell_r2=0.05)["enough"]
    assert riley_binary(5248, 262, 30)["anticipated"]["source"] == "15 % of the maximum"


def test_the_lung_function_example() -> None:
    """Riley et al. 2019, Stat Med 38:1262, and pmsampsize: FEV1, 25 parameters, R2 0.2: 918 patients."""
    answer = riley_continuous(900, 25, r2=0.2, mean=1.9, sd=0.6)
    assert answer["criteria"] == {
        "shrinkage": 918,
        "r2_difference": 401,
        "residual_sd": 259,
        "mean_outcome": 918,
    }
    assert answer["required"] == 918
    assert not answer["enough"]


def test_mean_outcome_can_be_what_decides_and_is_left_out_where_it_means_nothing() -> None:
    wide = riley_continuous(900, 5, r2=0.5, mean=1.0, sd=4.0)
    n = wide["criteria"]["mean_outcome"]
    assert n > max(value for key, value in wide["criteria"].items() if key != "mean_outcome")
    assert 1.96 * 4 * np.sqrt(0.5 / n) == pytest.approx(0.1, rel=0.01)
    assert riley_continuous(900, 5, r2=0.5, mean=-2.0, sd=4.0)["criteria"]["mean_outcome"] is None


@pytest.mark.parametrize(("c", "prevalence"), [(0.89, 0.174), (0.7, 0.05), (0.6, 0.5)])
def test_cox_snell_from_c_is_what_a_large_simulation_gives(c: float, prevalence: float) -> None:
    """Riley et al. 2021, Stat Med 40:859: the algorithm simulates; here the simulation is the check."""
    rng = np.random.default_rng(1)
    y = (rng.random(200_000) < prevalence).astype(float)
    from scipy.stats import norm

    x = rng.normal(size=200_000) + np.sqrt(2) * norm.ppf(c) * y
    fit = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial()).fit()
    expected = 1 - np.exp(2 * (fit.llnull - fit.llf) / len(y))
    assert cox_snell_from_c(c, prevalence) == pytest.approx(expected, abs=0.004)


def test_c_statistics_at_the_ends() -> None:
    assert cox_snell_from_c(0.5, 0.2) == pytest.approx(0.0, abs=1e-9)
    assert cox_snell_from_c(0.3, 0.2) == pytest.approx(0.0, abs=1e-9)
    top = riley_binary(100, 30, 2, c_statistic=1.0)["anticipated"]
    assert top["cox_snell_r2"] == pytest.approx(top["max_r2"])
    useless = riley_binary(10_000, 3000, 4, c_statistic=0.5)
    assert useless["required"] is None
    assert not useless["enough"]


def test_more_than_thirty_parameters_have_no_criterion_for_the_error() -> None:
    assert riley_binary(10_000, 500, 31)["criteria"]["mean_absolute_error"] is None


@pytest.mark.parametrize("call", [
    lambda: riley_binary(100, 0, 5),
    lambda: riley_binary(100, 100, 5),
    lambda: riley_binary(100, 20, 0),
    lambda: riley_binary(100, 20, 5, cox_snell_r2=0.9),
    lambda: riley_binary(100, 20, 5, c_statistic=1.2),
    lambda: riley_continuous(100, 5, r2=1.0, mean=1, sd=1),
])  # fmt: skip
def test_impossible_inputs_are_refused(call) -> None:
    with pytest.raises(InputError):
        call()
