"""Treatment effects: IHDP, the test of heterogeneity, the coverage of average and individual effects, and Twins.

`python -m benchmarks.treatment_effects ihdp|heterogeneity|coverage|twins` prints one JSON document. IHDP's outcomes are
half simulated, so each subject's true effect is known; it judges, and nothing is chosen by it. The simulated cohorts
are described where they are made. In Twins both outcomes of a pair were seen, and which one is shown is drawn with
confounding: simulated confounding only.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.results import Line
from iatros.core.context import Context
from iatros.core.intervals import wilson
from iatros.treatment.effects.averages import average_effects
from iatros.treatment.effects.censoring import inverse_censoring_weights
from iatros.treatment.effects.checks import unadjusted
from iatros.treatment.effects.estimation import default_bases
from iatros.treatment.effects.heterogeneity import heterogeneity_test
from iatros.treatment.effects.individual import individual_effects
from iatros.treatment.effects.learners import Learned, Pieces
from iatros.treatment.effects.nuisance import Nuisances, fit_nuisances
from iatros.treatment.effects.schema import EffectCohort
from iatros.treatment.effects.selection import (
    Candidate,
    NuisanceModels,
    Selected,
    candidates,
    fit_candidate,
    propensity_of,
    select,
)

REPLICATES = 10
REPEATS = 500
_COMMAND = "python -m benchmarks.run treatment"


def learn(cohort: EffectCohort, seed: int = 0) -> tuple[Learned, Selected, Pieces]:
    """What the action does by default: nuisances, the learner with the least R-loss, fitted on everyone."""
    nuisances = fit_nuisances(cohort, bases=default_bases(cohort), seed=seed)
    models = NuisanceModels(tuple(dict.fromkeys(nuisances.base)))
    found = select(cohort, nuisances, candidates(cohort, "auto", "auto"), Context(), models=models, seed=seed)
    pieces = pieces_from(cohort, nuisances, seed)
    return fit_candidate(found.candidate, pieces, seed), found, pieces


def pieces_from(cohort: EffectCohort, nuisances: Nuisances, seed: int) -> Pieces:
    """What a learner needs, from nuisances that are there already."""
    weight = inverse_censoring_weights(cohort, cohort)
    return Pieces(cohort, weight, nuisances, propensity_of(cohort, "ridge", seed))


def ihdp_replicate(number: int) -> tuple[EffectCohort, EffectCohort, np.ndarray, np.ndarray]:
    """Training and held-out subjects (90/10, drawn by the replicate's number) with their true effects."""
    table = np.loadtxt(data.SHARED / "ihdp" / f"ihdp_npci_{number}.csv", delimiter=",")
    n = len(table)
    order = np.random.default_rng(number).permutation(n)
    n_out = round(n / 10)
    names = tuple(f"x{j}" for j in range(1, 26))
    whole = EffectCohort(
        table[:, 5:], names, table[:, 0].astype(np.int64), ("control", "treated"), table[:, 1], np.arange(n)
    )
    effect = table[:, 4] - table[:, 3]
    out, train = order[:n_out], order[n_out:]
    return whole.take(train), whole.take(out), effect[train], effect[out]


def ihdp() -> dict[str, Any]:
    """Root mean squared error of the individual effects of held-out subjects, by replicate, for auto and the others."""
    rows: list[dict[str, Any]] = []
    for number in range(1, REPLICATES + 1):
        cohort, held_out, effect, out_effect = ihdp_replicate(number)
        started = time.perf_counter()
        learned, found, pieces = learn(cohort)
        seconds = time.perf_counter() - started
        errors = {"auto": _error(learned, held_out, out_effect)}
        for one in found.compared:
            fitted = fit_candidate(one.candidate, pieces, 0)
            errors[one.candidate.name] = _error(fitted, held_out, out_effect)
        average = average_effects(cohort, pieces.scored)[0].difference
        rows.append(
            {
                "replicate": number, "chosen": found.candidate.name, "errors": errors, "seconds": seconds,
                "average": average.document(), "true_average": float(effect.mean()), "spread": float(effect.std()),
            }
        )  # fmt: skip
    names = list(rows[0]["errors"])
    return {
        "replicates": rows,
        "mean": {name: float(np.mean([row["errors"][name] for row in rows])) for name in names},
        "median": {name: float(np.median([row["errors"][name] for row in rows])) for name in names},
        "difference_to_t_ridge": _paired(rows, "t-ridge"),
        "seconds": float(np.sum([row["seconds"] for row in rows])),
    }


def _error(learned: Learned, held_out: EffectCohort, effect: np.ndarray) -> float:
    return float(np.sqrt(np.mean((learned.effects(held_out.X)[:, 0] - effect) ** 2)))


def _paired(rows: list[dict[str, Any]], other: str) -> dict[str, float]:
    """Mean and standard error of auto's error minus another learner's over the replicates."""
    gap = np.array([row["errors"]["auto"] - row["errors"][other] for row in rows])
    return {"mean": float(gap.mean()), "standard_error": float(gap.std(ddof=1) / np.sqrt(len(gap)))}


def simulated(n: int, seed: int, slope: float) -> tuple[EffectCohort, np.ndarray]:
    """n subjects with five standard covariates, two of which assign; the effect is 0.5 + slope x2, the noise standard.

    The outcome without treatment is x1 + 0.5 x3^2, so that it is neither linear nor free of what drives assignment;
    P(treated) is 1 / (1 + exp(0.3 - 0.6 x1 - 0.3 x2)), from about .1 to .9.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    treated = rng.random(n) < 1 / (1 + np.exp(0.3 - 0.6 * X[:, 0] - 0.3 * X[:, 1]))
    effect = 0.5 + slope * X[:, 1]
    y = X[:, 0] + 0.5 * X[:, 2] ** 2 + treated * effect + rng.normal(size=n)
    names = ("x1", "x2", "x3", "x4", "x5")
    return EffectCohort(X, names, treated.astype(np.int64), ("no", "yes"), y, np.arange(n)), effect


def heterogeneity(repeats: int = REPEATS) -> dict[str, Any]:
    """How often the test rejects at 5 %: without heterogeneity, and where the effects' standard deviation is 0.4."""
    answer: dict[str, Any] = {"n": 600, "slope": 0.4, "repeats": repeats}
    for name, slope in (("size", 0.0), ("power", 0.4)):
        rejected = 0
        for seed in range(repeats):
            cohort, _ = simulated(600, 10_000 + seed, slope)
            test = heterogeneity_test(cohort, fit_nuisances(cohort, seed=seed), 1, seed=seed)
            rejected += test.p_value < 0.05
        low, high = wilson(rejected, repeats)
        answer[name] = {"value": rejected / repeats, "low": low, "high": high}
    return answer


def coverage(repeats: int = REPEATS) -> dict[str, Any]:
    """How often 95 % intervals hold the truth: of the average effect, and of a subject's own in 40 of the repeats."""
    held, inner, widths = 0, [], []
    for seed in range(repeats):
        cohort, effect = simulated(500, seed, 0.3)
        nuisances = fit_nuisances(cohort, seed=seed)
        one = average_effects(cohort, nuisances)[0].difference
        held += one.low <= 0.5 <= one.high
        widths.append(one.high - one.low)
        if seed < 40:
            candidate = Candidate("dr", "ridge")
            pieces = pieces_from(cohort, nuisances, seed)
            learned = fit_candidate(candidate, pieces, seed)
            found = individual_effects(
                pieces, learned, candidate, cohort.X[:100], Context(), resamples=40, seed=seed
            )
            inner.append(
                float(((found.low[:, 0] <= effect[:100]) & (effect[:100] <= found.high[:, 0])).mean())
            )
    low, high = wilson(held, repeats)
    return {
        "n": 500, "repeats": repeats, "average": {"value": held / repeats, "low": low, "high": high},
        "mean_width": float(np.mean(widths)), "individual_dr_ridge": float(np.mean(inner)),
    }  # fmt: skip


def twins_table() -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Covariates (n, 30) of the pairs, their names, and death within a year of the lighter and the heavier (n, 2)."""
    with gzip.open(data.SHARED / "twins" / "Twin_data.csv.gz", "rt") as file:
        names = tuple(name.strip("'’‘") for name in file.readline().strip().split(","))
        table = np.loadtxt(file, delimiter=",")
    return table[:, :-2], names[:-2], (table[:, -2:] < 9999).astype(float)


def twins(repeats: int = 5, n_learned: int = 4000) -> dict[str, Any]:
    """Error of the average effect over draws of which twin is shown, and the effects of `auto` in one of them.

    The heavier twin is shown with probability 1 / (1 + exp(-w x - noise)), w drawn from [-0.1, 0.1] for each
    standardised covariate as GANITE's authors drew it (Yoon, Jordon and van der Schaar 2018).
    """
    X, names, deaths = twins_table()
    spread = X.std(axis=0)
    Z = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    truth = float((deaths[:, 1] - deaths[:, 0]).mean())
    rows = []
    for seed in range(repeats):
        cohort = _shown_twins(Z, names, deaths, seed)
        nuisances = fit_nuisances(cohort, seed=seed)
        one = average_effects(cohort, nuisances)[0].difference
        rows.append(
            {
                "adjusted": one.document(),
                "unadjusted": unadjusted(cohort, nuisances)["heavier", "lighter"].document(),
            }
        )
    order = np.random.default_rng(0).permutation(len(Z))
    cohort = _shown_twins(Z, names, deaths, 0)
    learned, found, _ = learn(cohort.take(order[:n_learned]))
    out = order[n_learned:]
    effect = deaths[out, 1] - deaths[out, 0]
    error = float(np.sqrt(np.mean((learned.effects(Z[out])[:, 0] - effect) ** 2)))
    constant = float(np.sqrt(np.mean((effect - truth) ** 2)))
    return {
        "truth": truth, "rows": rows, "n": len(Z), "n_learned": n_learned, "chosen": found.candidate.name,
        "held": float(np.mean([row["adjusted"]["low"] <= truth <= row["adjusted"]["high"] for row in rows])),
        "error_adjusted": float(np.mean([abs(row["adjusted"]["value"] - truth) for row in rows])),
        "error_unadjusted": float(np.mean([abs(row["unadjusted"]["value"] - truth) for row in rows])),
        "error_of_effects": error, "error_of_true_average": constant,
    }  # fmt: skip


def _shown_twins(Z: np.ndarray, names: tuple[str, ...], deaths: np.ndarray, seed: int) -> EffectCohort:
    rng = np.random.default_rng(seed)
    w, noise = rng.uniform(-0.1, 0.1, Z.shape[1]), rng.normal(0.0, 0.1, len(Z))
    heavier = (rng.random(len(Z)) < 1 / (1 + np.exp(-Z @ w - noise))).astype(np.int64)
    y = deaths[np.arange(len(Z)), heavier]
    return EffectCohort(
        Z, names, heavier, ("lighter", "heavier"), y, np.arange(len(Z)), kind="binary", better="lower"
    )


def ihdp_lines(folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """IHDP out of sample: mean at most 1.0, median at most .60."""
    del folder
    found = ihdp()
    said = "IHDP, 10 replicates, 90/10"
    others = ", ".join(f"{name} {found['mean'][name]:.2f}" for name in found["mean"] if name != "auto")
    lines = []
    for which, limit in (("mean", 1.0), ("median", 0.6)):
        value = found[which]["auto"]
        lines.append(
            Line(f"root PEHE, {which}, auto", said, f"at most {limit:g}", f"{value:.2f}", value <= limit,
                 f"{_COMMAND} ihdp", others if which == "mean" else "")
        )  # fmt: skip
    return lines, found


def heterogeneity_lines(folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """The test of heterogeneity: size 3 to 7 %, power at least 80 %."""
    del folder
    found = heterogeneity()
    size, power = found["size"], found["power"]
    said = f"simulated, n {found['n']}, {found['repeats']} repeats"
    return [
        Line("rejected without heterogeneity", said, "3 to 7 %", _share(size), 0.03 <= size["value"] <= 0.07,
             f"{_COMMAND} heterogeneity"),
        Line("rejected, standard deviation of effects 0.4 (noise 1)", said, "at least 80 %", _share(power),
             power["value"] >= 0.8, f"{_COMMAND} heterogeneity"),
    ], found  # fmt: skip


def coverage_lines(folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """Coverage of the average effect: 93 to 97 %."""
    del folder
    found = coverage()
    value = found["average"]
    said = f"simulated, n {found['n']}, {found['repeats']} repeats"
    note = f"individual intervals (dr-ridge, halves) hold {found['individual_dr_ridge']:.1%} of the subjects' effects"
    return [
        Line("95 % intervals of the average effect that hold it", said, "93 to 97 %",
             _share(value), 0.93 <= value["value"] <= 0.97, f"{_COMMAND} coverage", note)
    ], found  # fmt: skip


def twins_lines(folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """Twins: shown, nothing is asked; the confounding is simulated."""
    del folder
    found = twins()
    said = f"Twins, {found['n']:,} pairs, simulated confounding"
    return [
        Line("error of the average effect", said, "shown",
             f"{found['error_adjusted']:.4f} (unadjusted {found['error_unadjusted']:.4f}, truth {found['truth']:.4f})",
             True, f"{_COMMAND} twins", f"{found['held']:.0%} of {len(found['rows'])} intervals hold it"),
        Line("root PEHE, auto", said, "shown",
             f"{found['error_of_effects']:.3f} (true average for all {found['error_of_true_average']:.3f})", True,
             f"{_COMMAND} twins", f"chosen: {found['chosen']}, learned from {found['n_learned']:,} pairs"),
    ], found  # fmt: skip


def _share(found: dict[str, float]) -> str:
    return f"{found['value']:.1%} [{found['low']:.1%}, {found['high']:.1%}]"


PARTS = {
    "ihdp": ihdp_lines,
    "heterogeneity": heterogeneity_lines,
    "coverage": coverage_lines,
    "twins": twins_lines,
}


def main() -> None:
    """One measurement, printed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=tuple(PARTS))
    chosen = parser.parse_args()
    measure = {"ihdp": ihdp, "heterogeneity": heterogeneity, "coverage": coverage, "twins": twins}
    print(json.dumps(measure[chosen.part](), indent=1))


if __name__ == "__main__":
    main()
