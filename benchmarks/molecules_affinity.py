"""Drug-target affinity on DAVIS and KIBA: the official folds, and the splits in which drugs or targets are new.

`python -m benchmarks.molecules_affinity DATA MODEL official|leave-drug|leave-target|leave-both [inner]` prints one JSON
document. `official` learns from the five training folds and is judged on the test fold; with `inner` the fifth
training fold is judged by the other four, and the test fold is not read: that is how anything is chosen. The
other splits use all pairs, five folds, groups and seed 0.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import pickle
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks import data
from benchmarks.results import Line
from iatros.core.context import Context
from iatros.learners.proteins.sequences import clean
from iatros.molecules.affinity.estimator import Newness
from iatros.molecules.affinity.evaluation import Judged, censored, difference, evaluate, point_metrics
from iatros.molecules.affinity.schema import Pairs
from iatros.molecules.affinity.settings import AffinitySettings
from iatros.molecules.affinity.splits import Sides, target_groups
from iatros.molecules.affinity.validation import fit_and_predict, judge


class _Arrays(pickle.Unpickler):
    """Opens numpy arrays of numbers and nothing else: KIBA is published as a pickle."""

    def find_class(self, module: str, name: str) -> Any:
        """The three names that an array is made of."""
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.zeros(0).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an array")


def load(name: str) -> Pairs:
    """`davis` (pKd, 30,056 pairs) or `kiba` (KIBA score, 118,254), in the order that the folds number.

    Drugs and targets are named as published: the mutants of DAVIS share a sequence and stay apart, and so do the
    43 compounds of KIBA whose structure another one has.
    """
    folder = data.SHARED / f"dti_{name}"
    drugs = json.loads((folder / "ligands_can.txt").read_text())
    targets = json.loads((folder / "proteins.txt").read_text())
    if name == "davis":
        table = np.loadtxt(folder / "drug-target_interaction_affinities_Kd__Davis_et_al.2011v1.txt")
        values = 9.0 - np.log10(table)  # Kd in nM
    else:
        with gzip.open(folder / "Y.gz") as file:
            values = np.asarray(_Arrays(io.BytesIO(file.read()), encoding="latin1").load(), dtype=float)
    drug, target = np.nonzero(~np.isnan(values))
    y = values[drug, target]
    bound = np.where((y == 5.0) & (name == "davis"), -1, 0).astype(np.int8)
    return Pairs(
        tuple(drugs),
        tuple(drugs.values()),
        tuple(targets),
        tuple(clean(text) for text in targets.values()),
        drug.astype(np.int64),
        target.astype(np.int64),
        y,
        bound,
    )


def official_sides(name: str, *, inner: bool) -> Sides:
    """The training folds and the test fold; with `inner` the fifth training fold for the test fold."""
    folder = data.SHARED / f"dti_{name}" / "folds"
    folds = [np.array(fold) for fold in json.loads((folder / "train_fold_setting1.txt").read_text())]
    if inner:
        return Sides(np.concatenate(folds[:4]), folds[4])
    test = np.array(json.loads((folder / "test_fold_setting1.txt").read_text()))
    return Sides(np.concatenate(folds), test)


def official(name: str, model: str, params: dict[str, Any], *, inner: bool = False) -> dict[str, Any]:
    """The metrics on the test fold with two-way intervals, beside KronRLS learned from the same pairs."""
    pairs, side = load(name), official_sides(name, inner=inner)
    settings = AffinitySettings(model=model, validation="pairs")
    groups = np.arange(len(pairs.targets))  # no group is cut under this validation
    started = time.perf_counter()
    prediction = fit_and_predict(pairs, groups, side, model, params, settings)
    seconds = time.perf_counter() - started
    if inner:
        return {"inner": True, "seconds": seconds, **_points(pairs, side.held_out, prediction)}
    return _document(
        pairs, _judged(side, prediction), _judged(side, _kron(pairs, groups, side, settings)), seconds
    )


def hard(name: str, model: str, params: dict[str, Any], newness: Newness) -> dict[str, Any]:
    """The metrics over all pairs, each judged once in five folds, beside KronRLS on the same folds."""
    pairs = load(name)
    groups = target_groups(pairs)
    settings = AffinitySettings(model=model, validation=newness, params=params)
    started = time.perf_counter()
    judged = judge(pairs, groups, model, settings, Context())
    seconds = time.perf_counter() - started
    document = _document(pairs, judged, judge(pairs, groups, "kron-rls", settings, Context()), seconds)
    folds = [judged.rows[judged.fold == k] for k in np.unique(judged.fold)]
    each = [_points(pairs, rows, judged.prediction[judged.fold == k])["all"] for k, rows in enumerate(folds)]
    document["mean_of_folds"] = {key: float(np.mean([one[key] for one in each])) for key in each[0]}
    return document | {"n_groups": int(groups.max()) + 1, "largest_group": int(np.bincount(groups).max())}


def _kron(pairs: Pairs, groups: np.ndarray, side: Sides, settings: AffinitySettings) -> np.ndarray:
    return fit_and_predict(pairs, groups, side, "kron-rls", {}, settings)


def _judged(side: Sides, prediction: np.ndarray) -> Judged:
    return Judged(side.held_out, prediction, np.zeros(len(side.held_out), dtype=np.int64))


def _points(pairs: Pairs, rows: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    answer = {"all": point_metrics(pairs.y[rows], prediction)}
    exact = ~censored(pairs)[rows]
    if not exact.all():
        answer["uncensored"] = point_metrics(pairs.y[rows[exact]], prediction[exact])
    return answer


def _document(pairs: Pairs, judged: Judged, baseline: Judged, seconds: float) -> dict[str, Any]:
    def shown(one: Judged) -> dict[str, Any]:
        return {
            which: {name: metric.document() for name, metric in metrics.items()}
            for which, metrics in evaluate(pairs, one).items()
        }

    return {
        "n": len(judged.rows),
        "share_censored": float(censored(pairs).mean()),
        "seconds": seconds,
        "model": shown(judged),
        "kron_rls": shown(baseline),
        "difference": difference(pairs, judged, baseline),
    }


def official_lines(
    name: str, asked: tuple[float, float], models: tuple[str, ...]
) -> tuple[list[Line], dict[str, Any]]:
    """The official test fold: the first of `models` is to reach the MSE and the concordance, the others are shown."""
    lines, detail = [], {}
    for model in models:
        found = detail[model] = official(name, model, {})
        data_said = f"{name.upper()}, official test fold, {found['n']:,} pairs"
        command = f"python -m benchmarks.molecules_affinity {name} {model} official"
        for metric, limit, better in (
            ("mse", asked[0], "at most"),
            ("concordance_index", asked[1], "at least"),
        ):
            value = found["model"]["all"][metric]
            reached = value["value"] <= limit if better == "at most" else value["value"] >= limit
            first = model == models[0]
            lines.append(
                Line(f"{metric.replace('_', ' ')}, {model}", data_said, f"{better} {limit:g}" if first else "shown",
                     _shown(found, metric), bool(reached) or not first, command,
                     f"fit and predict {found['seconds']:.0f} s" if metric == "mse" else "")
            )  # fmt: skip
    return lines, detail


def new_lines(name: str, asked: dict[Newness, float], model: str) -> tuple[list[Line], dict[str, Any]]:
    """Targets or drugs that no training pair has, five folds, beside KronRLS on the same folds."""
    lines, detail = [], {}
    for newness, limit in asked.items():
        found = detail[newness] = hard(name, model, {}, newness)
        value, gap = (
            found["model"]["all"]["concordance_index"]["value"],
            found["difference"]["concordance_index"],
        )
        lines.append(
            Line(f"concordance index, {model}, {newness}",
                 f"{name.upper()}, {found['n']:,} pairs, {found['n_groups']} groups of targets", f"at least {limit:g}",
                 f"{_shown(found, 'concordance_index')}; less KronRLS {gap['value']:+.3f} "
                 f"[{gap['low']:+.3f}, {gap['high']:+.3f}]",
                 value >= limit, f"python -m benchmarks.molecules_affinity {name} {model} {newness}")
        )  # fmt: skip
    return lines, detail


def _shown(found: dict[str, Any], metric: str) -> str:
    """The value with its interval, that of KronRLS, and both without pairs that are only known as a bound."""

    def said(one: dict[str, Any]) -> str:
        return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"

    text = f"{said(found['model']['all'][metric])} (KronRLS {found['kron_rls']['all'][metric]['value']:.3f})"
    if "uncensored" in found["model"]:
        text += f"; without the {found['share_censored']:.1%} censored {said(found['model']['uncensored'][metric])}"
    return text


def main() -> None:
    """One measurement, printed as JSON and, with --out, kept in a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=("davis", "kiba"))
    parser.add_argument("model")
    parser.add_argument("split", choices=("official", *[one for one in get_args(Newness) if one != "pairs"]))
    parser.add_argument("--inner", action="store_true")
    parser.add_argument("--params", type=json.loads, default={})
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    if chosen.split == "official":
        found = official(chosen.data, chosen.model, chosen.params, inner=chosen.inner)
    else:
        found = hard(chosen.data, chosen.model, chosen.params, chosen.split)
    text = json.dumps(found, indent=1)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
