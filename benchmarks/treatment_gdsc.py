"""Drug response of cancer cell lines (GDSC, ln IC50): unseen pairs, unseen lines, unseen drugs, ten folds each.

`python -m benchmarks.treatment_gdsc pairs|lines|drugs [--only MODEL ...]` prints one JSON document. The pooled
correlation is mostly the difference between drugs, so beside it stand the normalised one, from which the mean effects
of the training folds are taken on both sides (of a new line only the drug's, of a new drug only the line's are known),
and the mean over drugs of the correlation over lines (over lines of that over drugs, where drugs are new). Drugs of
one compound are dealt to one fold. Lines are the subjects, drugs the treatments.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import Line
from benchmarks.treatment_gdsc_beside import forest, mean_effects, nearest_drugs
from benchmarks.treatment_gdsc_data import Gdsc, load
from iatros.core.intervals import group_weights, percentile_interval
from iatros.treatment.models import MODELS
from iatros.treatment.responses.estimator import Newness
from iatros.treatment.responses.schema import Responses

SEED, N_FOLDS, LEAST_CELLS = 1, 10, 10
"""Features and settings were looked at on the folds of seed 0, so the model is judged on others."""
NEW: dict[str, Newness] = {"pairs": "pairs", "lines": "subjects", "drugs": "treatments"}
BESIDE = {"pairs": ("means",), "lines": ("means", "forest"), "drugs": ("means", "nearest", "forest")}
ASKED = {"pairs": {"pearson": 0.92}, "lines": {"normalised_pearson": 0.44, "per_drug": 0.39}, "drugs": {}}


def folds(gdsc: Gdsc, new: str) -> np.ndarray:
    """The fold of each response (n,)."""
    rng = np.random.default_rng(SEED)
    responses = gdsc.responses
    if new == "pairs":
        return rng.permutation(len(responses)) % N_FOLDS
    if new == "lines":
        return (rng.permutation(len(responses.subjects)) % N_FOLDS)[responses.subject]
    numbers, place = np.unique(gdsc.compound, return_inverse=True)
    return (rng.permutation(len(numbers)) % N_FOLDS)[place][responses.treatment]


def judge(new: str, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every metric of every model over all judged pairs, with intervals that draw lines (drugs, where they are new)."""
    gdsc = load(with_methylation=new == "lines")
    responses, dealt = gdsc.responses, folds(gdsc, new)
    models = only or ("kernel", *BESIDE[new])
    told = {model: np.full(len(responses), np.nan) for model in {"means", *models}}
    seconds, notes, tuned = dict.fromkeys(told, 0.0), [], {}
    for fold in range(N_FOLDS):
        train, rows = responses.take(np.flatnonzero(dealt != fold)), np.flatnonzero(dealt == fold)
        for model, prediction in told.items():
            started = time.perf_counter()
            if model in ("means", "nearest", "forest"):
                prediction[rows] = _beside(model, new, train, responses, rows, tuned)
            else:
                predictor, said = MODELS.load(model)().fit(train, newness=NEW[new], seed=SEED)
                prediction[rows] = predictor.predict(responses.pairs(rows))
                notes.append(said)
            seconds[model] += time.perf_counter() - started
    found = {model: metrics(responses, one, told["means"], new) for model, one in told.items()}
    return {
        "n": len(responses), "shape": responses.shape, "metrics": found, "seconds": seconds, "forest": tuned,
        "notes": notes,
    }  # fmt: skip


def _beside(
    model: str, new: str, train: Responses, responses: Responses, rows: np.ndarray, tuned: dict[str, Any]
) -> np.ndarray:
    subject, treatment = responses.subject[rows], responses.treatment[rows]
    if model == "forest":
        return forest(train, subject, treatment, new=new, tuned=tuned)
    return (mean_effects if model == "means" else nearest_drugs)(train, subject, treatment)


def metrics(
    responses: Responses, prediction: np.ndarray, base: np.ndarray, new: str
) -> dict[str, dict[str, float]]:
    """RMSE and three correlations, each with a 95 % interval over lines, or over drugs where they are new."""
    at = (responses.subject, responses.treatment)
    tables = [np.zeros(responses.shape) for _ in range(4)]
    for table, values in zip(tables, (np.ones(len(base)), responses.y, prediction, base), strict=True):
        table[at] = values
    if new == "drugs":
        tables = [table.T for table in tables]
    known, y, p, b = tables
    drawn = np.concatenate(list(group_weights(None, 200, SEED, n=len(known))))
    answer = {}
    for name, of in {
        "rmse": lambda w: np.sqrt((w @ ((y - p) ** 2)).sum(axis=1) / (w @ known).sum(axis=1)),
        "pearson": lambda w: _correlation(w, known, y, p, within=False),
        "normalised_pearson": lambda w: _correlation(w, known, y - b, p - b, within=False),
        "per_line" if new == "drugs" else "per_drug": lambda w: _correlation(w, known, y, p, within=True),
    }.items():
        low, high = percentile_interval(of(drawn), 0.95, label="")[:2]
        answer[name] = {
            "value": float(of(np.ones((1, len(known))))[0]),
            "low": float(low),
            "high": float(high),
        }
    return answer


def _correlation(
    weights: np.ndarray, known: np.ndarray, y: np.ndarray, p: np.ndarray, *, within: bool
) -> np.ndarray:
    """Pearson's r under row weights (b, n) over all cells, or the mean over columns of that within each, (b,)."""
    sums = [weights @ one for one in (known, y, p, y * y, p * p, y * p)]
    if not within:
        sums = [one.sum(axis=1, keepdims=True) for one in sums]
    n = np.maximum(sums[0], 1.0)
    my, mp, yy, pp, yp = (one / n for one in sums[1:])
    size = np.maximum((yy - my**2) * (pp - mp**2), 0.0)
    r = np.where(size > 1e-18, (yp - my * mp) / np.sqrt(np.maximum(size, 1e-18)), 0.0)
    told = sums[0] >= (LEAST_CELLS if within else 1)
    answer: np.ndarray = (r * told).sum(axis=1) / np.maximum(told.sum(axis=1), 1)
    return answer


def lines(new: str, _: Path) -> tuple[list[Line], dict[str, Any]]:
    """One split, the kernel model beside mean effects, the nearest drugs and a tuned random forest."""
    told = judge(new)
    found = []
    for name, value in told["metrics"]["kernel"].items():
        limit = ASKED[new].get(name)
        asked, reached = (
            ("shown", True) if limit is None else (f"at least {limit:g}", value["value"] >= limit)
        )
        if new == "drugs":
            nearest = told["metrics"]["nearest"][name]["value"]
            asked = "better than the nearest drugs"
            reached = value["value"] < nearest if name == "rmse" else value["value"] > nearest
        beside = "; ".join(f"{model} {told['metrics'][model][name]['value']:.3f}" for model in BESIDE[new])
        found.append(
            Line(f"{name.replace('_', ' ')}, kernel, unseen {new}", _said(told, new), asked,
                 f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}] ({beside})", bool(reached),
                 f"python -m benchmarks.run treatment gdsc-{new}",
                 f"ten fits and answers {told['seconds']['kernel']:.0f} s" if name == "rmse" else "")
        )  # fmt: skip
    return found, told


def pair_forest(_: Path) -> tuple[list[Line], dict[str, Any]]:
    """The tuned random forest on unseen pairs, each tree from 20,000 of them."""
    told = judge("pairs", ("forest",))
    return [
        Line(f"{name.replace('_', ' ')}, random forest, unseen pairs", _said(told, "pairs"), "shown",
             f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]", True,
             "python -m benchmarks.run treatment gdsc-pairs-forest")
        for name, value in told["metrics"]["forest"].items()
    ], told  # fmt: skip


def _said(told: dict[str, Any], new: str) -> str:
    return (
        f"GDSC ln IC50, unseen {new}, {told['shape'][0]} lines, {told['shape'][1]} drugs, {told['n']:,} pairs"
    )


PARTS = {**{f"gdsc-{new}": partial(lines, new) for new in NEW}, "gdsc-pairs-forest": pair_forest}


def main() -> None:
    """Judge one split and print the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("split", choices=tuple(NEW))
    parser.add_argument("--only", nargs="*", default=(), help="models to judge, in place of all")
    chosen = parser.parse_args()
    print(json.dumps(judge(chosen.split, tuple(chosen.only)), indent=1))


if __name__ == "__main__":
    main()
