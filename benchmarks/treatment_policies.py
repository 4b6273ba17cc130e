"""Rules of treatment: ACTG175, where chance assigned four arms, and cohorts whose every value is known.

`python -m benchmarks.treatment_policies actg175|coverage` prints one JSON document. In ACTG175 each rule is judged on
patients that nothing before it had learned from, in ten divisions into five folds; the best arm for all is chosen in
the training folds too. Nothing is chosen by what comes out.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import data
from benchmarks.results import Line
from iatros.core.context import Context
from iatros.core.intervals import Metric, normal_quantile, wilson
from iatros.treatment.effects.nuisance import fit_nuisances
from iatros.treatment.effects.schema import EffectCohort, outcome_at_horizon
from iatros.treatment.policies.learning import (
    BEST_ARM,
    PLUG_IN,
    TREE,
    Learning,
    cross_fit,
    learn,
    observed,
)
from iatros.treatment.policies.uplift import ranks_within, uplift
from iatros.treatment.policies.values import METHODS, Observed, Ratio, difference, interval, value_of
from iatros.treatment.policies.wording import lines

DIVISIONS = 10
REPEATS = 500
ARMS = ("zidovudine", "zidovudine+didanosine", "zidovudine+zalcitabine", "didanosine")
COVARIATES = (
    "age", "wtkg", "hemo", "homo", "drugs", "karnof", "oprior", "z30", "preanti", "race", "gender", "str2", "strat",
    "symptom", "cd40", "cd80",
)  # fmt: skip
"""All that was known before treatment, but for `zprior`, which is the same for everyone."""
HORIZON = 900.0
"""Days; of 1,618 patients without an event 82 % were followed that long, the others are weighted for."""
_COMMAND = "python -m benchmarks.run treatment"


def actg_cohort(outcome: str) -> EffectCohort:
    """`cd4`: CD4 cells at 20 weeks; `time`: mean days until HORIZON free of a fall of CD4 by half, AIDS or death."""
    text = (data.SHARED / "actg175" / "ACTG175.csv").read_text()
    # the file numbers its lines in a column without a name
    table = pl.read_csv(io.StringIO('"line",' + text), null_values="NA")
    X = table.select(COVARIATES).to_numpy().astype(float)
    arm = table["arms"].to_numpy().astype(np.int64)
    n = len(arm)
    cohort = EffectCohort(
        X, COVARIATES, arm, ARMS, table["cd420"].to_numpy().astype(float), np.arange(n), design="trial",
        assignment=np.full((n, 4), 0.25),
    )  # fmt: skip
    if outcome == "cd4":
        return cohort
    days, event = table["days"].to_numpy().astype(float), table["cens"].to_numpy().astype(float)
    y = outcome_at_horizon(days, event, HORIZON, "restricted-mean")
    return dataclasses.replace(
        cohort, y=y, kind="time-to-event", time=days, event=event, horizon=HORIZON, measure="restricted-mean"
    )


def actg175(outcome: str, divisions: int = DIVISIONS) -> dict[str, Any]:
    """Learned rules less the best arm for all, each division and all of them together; the values; the final tree."""
    cohort = actg_cohort(outcome)
    started = time.perf_counter()
    each: list[dict[str, Any]] = []
    for seed in range(divisions):
        nuisances = fit_nuisances(cohort, seed=seed)
        found = cross_fit(cohort, nuisances.fold, Learning(seed=seed), Context())
        forced = cross_fit(cohort, nuisances.fold, Learning(seed=seed, depth=2), Context())
        seen = observed(cohort, nuisances)
        best = value_of(seen, found.given[BEST_ARM])
        rules = {
            TREE: found.given[TREE],
            "tree of two questions": forced.given[TREE],
            PLUG_IN: found.given[PLUG_IN],
        }
        each.append(
            {
                "values": _values(seen, rules | {BEST_ARM: found.given[BEST_ARM]}),
                "less_best": {
                    name: difference(value_of(seen, given), best).document() for name, given in rules.items()
                },
                "best_arms": [ARMS[arm] for arm in found.best_arms],
                "qini": {
                    ARMS[k]: uplift(
                        ranks_within(found.effects[:, k - 1], nuisances.fold),
                        nuisances.pseudo(k),
                        n_bootstrap=200,
                    ).qini.document()
                    for k in range(1, 4)
                },
            }
        )
    seconds = (time.perf_counter() - started) / divisions
    tree = learn(cohort, cohort.X, Learning(), seed=0).tree
    return {
        "n": len(cohort), "outcome": outcome, "divisions": each, "seconds": seconds, "tree": lines(tree),
        "less_best": {
            name: joined([one["less_best"][name] for one in each]).document() for name in each[0]["less_best"]
        },
        "values": {name: joined([one["values"][name] for one in each]).document() for name in each[0]["values"]},
    }  # fmt: skip


def _values(seen: Observed, rules: dict[str, np.ndarray]) -> dict[str, Any]:
    fixed = {f"all {arm}": np.full(len(seen), k) for k, arm in enumerate(ARMS)}
    return {name: interval(value_of(seen, given)).document() for name, given in (fixed | rules).items()}


def joined(documents: list[dict[str, Any]]) -> Metric:
    """The median over divisions, its variance the median of theirs with the square of how far each lies from it.

    Chernozhukov et al. 2018, "Double/debiased machine learning", section 3.4.
    """
    value = float(np.median([one["value"] for one in documents]))
    z = normal_quantile(0.95)
    variances = [
        ((one["high"] - one["low"]) / (2 * z)) ** 2 + (one["value"] - value) ** 2 for one in documents
    ]
    half = z * float(np.sqrt(np.median(variances)))
    label = f"median of {len(documents)} divisions"
    return Metric(value, value - half, value + half, documents[0]["n"], None, label)


def simulated(n: int, seed: int) -> EffectCohort:
    """n patients, three arms by choice: b gains 1 where x1 is above 0.5 and loses 0.5 elsewhere, c gains 0.2.

    Outcomes are 10 + x2 + the gain + standard noise. The odds of b and c against a are exp(0.5 x2) and 0.7. Two other
    covariates do nothing.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    odds = np.column_stack([np.ones(n), np.exp(0.5 * X[:, 1]), np.full(n, 0.7)])
    share = odds / odds.sum(axis=1, keepdims=True)
    arm = (rng.random((n, 1)) > share.cumsum(axis=1)).sum(axis=1)
    y = mean_outcomes(X)[np.arange(n), arm] + rng.normal(size=n)
    return EffectCohort(X, ("x1", "x2", "x3", "x4"), arm, ("a", "b", "c"), y, np.arange(n))


def mean_outcomes(X: np.ndarray) -> np.ndarray:
    """The expected outcome of each arm (n, 3)."""
    gain = np.column_stack([np.zeros(len(X)), np.where(X[:, 0] > 0.5, 1.0, -0.5), np.full(len(X), 0.2)])
    return np.asarray(10 + X[:, 1:2] + gain)


def coverage(repeats: int = REPEATS, n: int = 600) -> dict[str, Any]:
    """How often 95 % intervals hold the known value, by rule and estimator, and the known difference of two rules.

    The truth of a learned rule is that of the five rules of the folds, on 20,000 other patients, by their shares.
    """
    other = np.random.default_rng(10**6).normal(size=(20_000, 4))
    means = mean_outcomes(other)
    held: dict[str, list[bool]] = {}
    gap: list[float] = []
    for seed in range(repeats):
        cohort = simulated(n, seed)
        nuisances = fit_nuisances(cohort, seed=seed)
        found = cross_fit(cohort, nuisances.fold, Learning(seed=seed, depth=1), Context())
        seen = observed(cohort, nuisances)
        sizes = np.bincount(nuisances.fold) / n
        by_tree = [means[np.arange(len(other)), tree.assign(other)].mean() for tree in found.trees]
        best = [means[:, arm].mean() for arm in found.best_arms]
        by_rule = np.where(other[:, 0] > 0.5, means[:, 1], means[:, 2])
        rules = {
            "all b": (np.ones(n, dtype=np.int64), float(means[:, 1].mean())),
            "b where x1 is above 0.5, else c": (np.where(cohort.X[:, 0] > 0.5, 1, 2), float(by_rule.mean())),
            TREE: (found.given[TREE], float(sizes @ by_tree)),
            BEST_ARM: (found.given[BEST_ARM], float(sizes @ best)),
        }  # fmt: skip
        for name, (given, truth) in rules.items():
            for method in METHODS:
                held.setdefault(f"{name}, {method}", []).append(_holds(value_of(seen, given, method), truth))
        less = difference(value_of(seen, found.given[TREE]), value_of(seen, found.given[BEST_ARM]))
        truth = float(sizes @ (np.array(by_tree) - best))
        held.setdefault(f"{TREE} less {BEST_ARM}, doubly-robust", []).append(less.low <= truth <= less.high)
        gap.append(less.value - truth)
    answer: dict[str, Any] = {"n": n, "repeats": repeats, "bias_of_the_difference": float(np.mean(gap))}
    answer["error_of_the_bias"] = float(np.std(gap, ddof=1) / np.sqrt(repeats))
    for name, hits in held.items():
        low, high = wilson(sum(hits), repeats)
        answer[name] = {"value": float(np.mean(hits)), "low": low, "high": high}
    return answer


def _holds(value: Ratio, truth: float) -> bool:
    metric = interval(value)
    return bool(metric.low <= truth <= metric.high)


def actg175_lines(folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """Learned rules less the best arm for all, for both outcomes, whatever the sign."""
    del folder
    found: list[Line] = []
    detail = {}
    units = {"cd4": "CD4 cells per mm3 at 20 weeks", "time": f"days free of progression up to {HORIZON:g}"}
    for outcome, unit in units.items():
        one = detail[outcome] = actg175(outcome)
        values = ", ".join(
            f"{name} {value['value']:.1f}" for name, value in one["values"].items() if name.startswith("all ")
        )
        note = f"median of {DIVISIONS} divisions; values: {values}; {one['seconds']:.0f} s a division"
        for name, gap in one["less_best"].items():
            measured = f"{gap['value']:+.2f} [{gap['low']:+.2f}, {gap['high']:+.2f}]"
            found.append(
                Line(f"{name} less best arm, {unit}", f"ACTG175, {one['n']:,} patients, four arms",
                     "shown, whatever its sign", measured, True, f"{_COMMAND} policies-actg175",
                     note if name == TREE else "")
            )  # fmt: skip
    return found, detail


def coverage_lines(folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """Intervals of values by doubly robust scores hold the truth in 93 to 97 %; weighting is shown."""
    del folder
    detail = coverage()
    said = f"simulated by choice, n {detail['n']}, {detail['repeats']} repeats"
    found = []
    for name, share in detail.items():
        if isinstance(share, dict):
            asked = name.endswith("doubly-robust")
            found.append(
                Line(f"95 % intervals that hold the value, {name}", said, "93 to 97 %" if asked else "shown",
                     f"{share['value']:.1%} [{share['low']:.1%}, {share['high']:.1%}]",
                     not asked or 0.93 <= share["value"] <= 0.97, f"{_COMMAND} policies-coverage")
            )  # fmt: skip
    return found, detail


PARTS = {"policies-actg175": actg175_lines, "policies-coverage": coverage_lines}


def main() -> None:
    """One measurement, printed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("actg175", "coverage"))
    parser.add_argument("--repeats", type=int, default=REPEATS)
    chosen = parser.parse_args()
    if chosen.part == "coverage":
        found = coverage(chosen.repeats)
    else:
        found = {outcome: actg175(outcome) for outcome in ("cd4", "time")}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
