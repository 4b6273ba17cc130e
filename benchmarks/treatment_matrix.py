"""How fast the subject x treatment matrix is factorised, beside scikit-surprise, and a large one within its limits.

The matrix is simulated: 943 subjects, 1,682 treatments and 100,000 responses of one to five stars, with the long tails
and the share of each star that the well-known public matrix of this shape has. It has 24 factors of falling
strength, offsets and noise, and what a subject is given depends on what would suit it. scikit-surprise needs an
environment of its own (numpy < 2); the variable IATROS_BENCH_SURPRISE names its interpreter.

`python -m benchmarks.treatment_matrix large N_SUBJECTS N_TREATMENTS N_RESPONSES N_FACTORS N_SWEEPS` prints one JSON
document about one fit; `python -m benchmarks.treatment_matrix speed` about the comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import data, measuring
from benchmarks.results import Line
from iatros.learners.threads import fit_threads
from iatros.treatment.models import MODELS
from iatros.treatment.responses.schema import Responses

SHAPE = (943, 1682)
N_RESPONSES = 100_000
N_HELD_OUT = 20_000
LARGE = (1_000_000, 5_000, 50_000_000, 32, 10)
REPEATS = 5
DATA = "simulated, 943 x 1,682, 100,000 responses, 20,000 held out"
INTERPRETER = "IATROS_BENCH_SURPRISE"
SURPRISE = """
import json, sys, time
import numpy as np
from surprise import SVD, KNNBaseline, SVDpp, Trainset, accuracy
cells = np.load(sys.argv[1])
by_user, by_item = {}, {}
for u, i, r in zip(cells["subject"].tolist(), cells["treatment"].tolist(), cells["y"].tolist()):
    by_user.setdefault(u, []).append((i, r))
    by_item.setdefault(i, []).append((u, r))
users, items = ({n: n for n in range(size)} for size in cells["shape"].tolist())
for u in users: by_user.setdefault(u, [])
for i in items: by_item.setdefault(i, [])
train = Trainset(by_user, by_item, len(users), len(items), len(cells["y"]), (1, 5), users, items)
asked = list(zip(cells["asked_subject"].tolist(), cells["asked_treatment"].tolist(), cells["asked_y"].tolist()))
print("ready", flush=True)
for line in sys.stdin:
    name, factors = line.split()
    options = {"name": "pearson_baseline", "user_based": False}
    model = {
        "svd": lambda: SVD(n_factors=int(factors), random_state=0),
        "svd++": lambda: SVDpp(n_factors=int(factors), random_state=0, cache_ratings=True),
        "knn": lambda: KNNBaseline(k=40, sim_options=options, verbose=False),
    }[name]()
    started = time.perf_counter()
    model.fit(train)
    fitted = time.perf_counter()
    rmse = accuracy.rmse(model.test(asked), verbose=False)
    print(json.dumps({"fit_s": fitted - started, "predict_s": time.perf_counter() - fitted, "rmse": rmse}), flush=True)
"""
"""One process of scikit-surprise with its own defaults: each line in is one fit and one pass over what is asked."""

FEW_SWEEPS = 3


def simulate(*, n_factors: int = 24, seed: int = 0) -> Responses:
    """The simulated matrix of stars."""
    rng = np.random.default_rng(seed)
    s, t = SHAPE
    strength = 0.8 ** np.arange(n_factors)
    strength *= 0.62 / np.sqrt(np.square(strength).sum())
    suits = rng.normal(size=(s, n_factors)) @ (rng.normal(size=(t, n_factors)) * strength).T
    of_subject, of_treatment = rng.normal(0.0, 0.42, s), rng.normal(-0.45, 0.55, t)
    fame = 1.6 * rng.normal(size=t) + 0.9 * (of_treatment + 0.45)
    counts = _counts(np.exp(0.9 * rng.normal(size=s)), N_RESPONSES, 20, t // 2)
    order = np.argsort(-(fame + 1.05 * suits + rng.gumbel(size=(s, t))), axis=1)
    subject = np.repeat(np.arange(s), counts)
    treatment = np.concatenate([order[row, :count] for row, count in enumerate(counts)])
    level = 3.53 + of_subject[subject] + of_treatment[treatment] + suits[subject, treatment]
    y = np.clip(np.round(level + rng.normal(0.0, 0.86, len(level))), 1.0, 5.0)
    return Responses(_names("s", s), _names("t", t), subject, treatment, y)


def _counts(activity: np.ndarray, total: int, least: int, most: int) -> np.ndarray:
    """Whole numbers of responses in proportion to `activity`, within bounds, with the sum `total`."""
    counts = np.clip(np.round(activity / activity.sum() * total), least, most).astype(np.int64)
    while (missing := total - counts.sum()) != 0:
        step = np.sign(missing)
        free = np.flatnonzero((counts + step >= least) & (counts + step <= most))
        counts[free[np.argsort(-activity[free], kind="stable")][: abs(missing)]] += step
    return counts


def _names(letter: str, n: int) -> tuple[str, ...]:
    return tuple(f"{letter}{number}" for number in range(n))


def speed(*, repeats: int = REPEATS) -> dict[str, Any]:
    """Median seconds and RMSE of `svd` (100 factors), `knn` (40 neighbours) and `svd++` (20), of both sides in turns.

    Ours run through the registry with their own defaults otherwise; `svd` also with `FEW_SWEEPS` sweeps in place of 20,
    after which its RMSE is already the lower one. `share` is the median of theirs over ours within
    a turn: of fits for the factorisations, of fit and prediction for `knn`.
    """
    responses = simulate()
    order = np.random.default_rng(1).permutation(len(responses))
    held_out, train = np.sort(order[:N_HELD_OUT]), np.sort(order[N_HELD_OUT:])
    found: dict[str, Any] = {"threads": fit_threads(), "repeats": repeats}
    with (
        tempfile.TemporaryDirectory() as folder,
        _surprise(responses, train, held_out, Path(folder)) as theirs,
    ):
        few = {"n_sweeps": FEW_SWEEPS}
        for told, name, factors, more in (
            ("svd", "svd", 100, {}), ("svd, few sweeps", "svd", 100, few), ("knn", "knn", 0, {}),
            ("svd++", "svd++", 20, {}),
        ):  # fmt: skip
            params = ({"n_factors": factors} if factors else {}) | more
            _ours(name, params, responses, train, held_out)  # compiles
            turns = [
                (_ours(name, params, responses, train, held_out), theirs(f"{name} {factors}"))
                for _ in range(repeats)
            ]
            found[told] = _summary(turns, with_predictions=name == "knn")
    return found


def _ours(
    name: str, params: dict[str, Any], responses: Responses, train: np.ndarray, held_out: np.ndarray
) -> dict[str, float]:
    model = MODELS.load(name)
    started = time.perf_counter()
    fitted, _ = model(model.Params(**params)).fit(responses.take(train), newness="pairs", seed=0)
    learned = time.perf_counter()
    answer = fitted.predict(responses.pairs(held_out))
    rmse = float(np.sqrt(np.mean(np.square(answer - responses.y[held_out]))))
    return {"fit_s": learned - started, "predict_s": time.perf_counter() - learned, "rmse": rmse}


def _summary(
    turns: list[tuple[dict[str, float], dict[str, float]]], *, with_predictions: bool
) -> dict[str, Any]:
    def seconds(ran: dict[str, float]) -> float:
        return ran["fit_s"] + (ran["predict_s"] if with_predictions else 0.0)

    return {
        "ours_s": median(seconds(ours) for ours, _ in turns),
        "theirs_s": median(seconds(theirs) for _, theirs in turns),
        "share": median(seconds(theirs) / seconds(ours) for ours, theirs in turns),
        "ours_rmse": turns[0][0]["rmse"],
        "theirs_rmse": turns[0][1]["rmse"],
    }


@contextmanager
def _surprise(responses: Responses, train: np.ndarray, held_out: np.ndarray, folder: Path) -> Iterator[Any]:
    """A function that asks the process of scikit-surprise for one fit."""
    cells = {
        "shape": np.array(responses.shape),
        **{name: getattr(responses, name)[train] for name in ("subject", "treatment", "y")},
        **{f"asked_{name}": getattr(responses, name)[held_out] for name in ("subject", "treatment", "y")},
    }
    np.savez(folder / "cells.npz", **cells)
    process = subprocess.Popen(
        [os.environ[INTERPRETER], "-c", SURPRISE, str(folder / "cells.npz")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def ask(line: str) -> dict[str, float]:
        stdin.write(line + "\n")
        stdin.flush()
        answer: dict[str, float] = json.loads(stdout.readline())
        return answer

    try:
        if stdout.readline().strip() != "ready":
            raise SystemExit(f"{os.environ[INTERPRETER]} cannot run scikit-surprise")
        yield ask
    finally:
        stdin.close()
        process.wait()


def large_responses(
    n_subjects: int, n_treatments: int, n: int, n_factors: int, *, seed: int = 0
) -> Responses:
    """`n` simulated responses of different pairs: `n_factors` factors of equal strength, offsets, noise of 0.8."""
    rng = np.random.default_rng(seed)
    P = rng.standard_normal((n_subjects, n_factors), np.float32)
    Q = rng.standard_normal((n_treatments, n_factors), np.float32) * np.float32(0.9 / np.sqrt(n_factors))
    offsets = [rng.normal(0.0, 0.3, size).astype(np.float32) for size in (n_subjects, n_treatments)]
    fame = np.exp(rng.normal(size=n_treatments))
    drawn_from = np.repeat(np.arange(n_treatments), 1 + np.round(fame / fame.sum() * 2_000_000).astype(int))
    activity = np.exp(0.5 * rng.normal(size=n_subjects))
    ends = np.round(np.concatenate([[0.0], np.cumsum(activity)]) / activity.sum() * n).astype(np.int64)
    subject, treatment, y = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n)
    for low in range(0, n_subjects, 20_000):
        high = min(low + 20_000, n_subjects)
        part = slice(ends[low], ends[high])
        s, t = _pairs(
            rng, np.repeat(np.arange(low, high), np.diff(ends[low : high + 1])), drawn_from, n_treatments
        )
        subject[part], treatment[part] = s, t
        y[part] = (
            offsets[0][s] + offsets[1][t] + np.einsum("nk,nk->n", P[s], Q[t]) + rng.normal(0.0, 0.8, len(s))
        )
    return Responses(_names("s", n_subjects), _names("t", n_treatments), subject, treatment, y)


def _pairs(
    rng: np.random.Generator, subject: np.ndarray, drawn_from: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """As many different pairs as there are entries in `subject`, about as many of each subject as it has entries."""
    found = np.empty(0, np.int64)
    while len(found) < len(subject):
        drawn = subject * n + rng.choice(drawn_from, len(subject))
        found = np.sort(np.concatenate([found, drawn]))
        found = found[np.append(True, found[1:] != found[:-1])]
    kept = np.sort(rng.permutation(len(found))[: len(subject)])
    return found[kept] // n, found[kept] % n


def large(n_subjects: int, n_treatments: int, n: int, n_factors: int, n_sweeps: int) -> dict[str, Any]:
    """Seconds of one `svd` fit, and its error for 200,000 responses that it did not see (the noise has a sd of 0.8)."""
    responses = large_responses(n_subjects, n_treatments, n, n_factors)
    held_out = np.unique(np.random.default_rng(1).integers(0, n, min(200_000, n // 10)))
    asked, truth = responses.pairs(held_out), responses.y[held_out]
    kept = np.ones(n, bool)
    kept[held_out] = False
    responses = responses.take(np.flatnonzero(kept))
    model = MODELS.load("svd")
    started = time.perf_counter()
    fitted, notes = model(model.Params(n_factors=n_factors, n_sweeps=n_sweeps)).fit(
        responses, newness="pairs", seed=0
    )
    seconds = time.perf_counter() - started
    rmse = float(np.sqrt(np.mean(np.square(fitted.predict(asked) - truth))))
    return {"fit_s": seconds, "rmse": rmse, "sd": float(truth.std()), "n": len(responses), **notes}


def speed_lines(_: Path) -> tuple[list[Line], dict[str, Any]]:
    """The comparison with scikit-surprise; one line that says why it was left out, where it is not installed."""
    command = "python -m benchmarks.run treatment speed"
    if not os.environ.get(INTERPRETER):
        reason = f"not measured: {INTERPRETER} does not name a Python with scikit-surprise"
        return [Line("speed beside scikit-surprise", DATA, "5 to 10 times", reason, False, command)], {
            "skipped": reason
        }
    found = speed()
    lines = []
    for name, what, asked in (
        ("svd", "svd, 100 factors, all 20 sweeps: fit", 5.0),
        ("svd, few sweeps", f"svd, 100 factors, {FEW_SWEEPS} sweeps: fit", 5.0),
        ("knn", "knn, 40 neighbours: fit and 20,000 predictions", 5.0),
        ("svd++", "svd++, 20 factors: fit", 10.0),
    ):
        one = found[name]
        lines.append(
            Line(
                what,
                DATA,
                f"at least {asked:g} times as fast as scikit-surprise 1.1.5, at an RMSE not above its",
                f"{one['share']:.1f} times ({one['ours_s']:.2f} against {one['theirs_s']:.2f} s), "
                f"RMSE {one['ours_rmse']:.3f} against {one['theirs_rmse']:.3f}",
                one["share"] >= asked and one["ours_rmse"] <= one["theirs_rmse"],
                command,
                f"median of {found['repeats']} turns; ours on {found['threads']} threads, scikit-surprise has one",
            )
        )
    return lines, found


def large_lines(folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """One fit of the large matrix in a process of its own, with the most memory that it held."""
    call = f"import sys; sys.path.insert(0, {str(data.ROOT)!r}); from benchmarks.treatment_matrix import main; main()"
    ran = measuring.run([sys.executable, "-c", call, "large", *map(str, LARGE)], folder=folder)
    found = {**ran.answer, "peak_mb": ran.peak_mb}
    return [
        Line(
            "svd, 32 factors, 10 sweeps: fit",
            "simulated, 1,000,000 x 5,000, 50 million responses",
            "under 10 minutes and 6 GB",
            f"{found['fit_s'] / 60:.1f} minutes, {found['peak_mb'] / 1024:.1f} GB, RMSE {found['rmse']:.3f} of unseen "
            f"pairs (noise 0.8, outcomes {found['sd']:.2f})",
            found["fit_s"] < 600.0 and found["peak_mb"] < 6 * 1024,
            "make bench CASE=treatment",
            "the memory is that of the whole process, with the simulation of the matrix",
        )
    ], found


def main() -> None:
    """The numbers of one part as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("speed").add_argument("--repeats", type=int, default=REPEATS)
    parts.add_parser("large").add_argument("size", type=int, nargs=5, metavar="N")
    asked = parser.parse_args()
    found = speed(repeats=asked.repeats) if asked.part == "speed" else large(*asked.size)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
