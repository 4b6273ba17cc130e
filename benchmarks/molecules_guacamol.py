"""The goal-directed tasks of GuacaMol, beside published numbers.

Searches start from ZINC250k and the training set of MOSES, without the targets of the task and what GuacaMol's authors
call near to them. All of it is scored for every task beforehand, as the published genetic algorithms begin with the
best of ChEMBL.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import molecules_search
from benchmarks.molecules_optimise import outcome
from benchmarks.results import Line
from iatros.core.cards import get
from iatros.core.engine import Engine
from iatros.core.progress import SilentProgress
from iatros.engines import open_engine
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.molecules.datasets import CARDS
from iatros.molecules.objectives.guacamol import NEAR, guacamol_score, targets, top_counts
from iatros.molecules.objectives.guacamol import guacamol as suite
from iatros.molecules.optimisers.hybrid import Hybrid, HybridParams
from iatros.molecules.optimisers.ledger import Budget, Ledger, Scorer
from iatros.molecules.optimisers.optimiser import Means
from iatros.molecules.optimisers.starting import flat

Part = tuple[list[Line], dict[str, Any]]

CALLS = 60_000
ATTEMPTS = 2
BEST, DRAWN = 1_000, 20_000
"""Compounds of the pool that a search is given: the best for its task, and others drawn at random."""

TASKS: dict[str, tuple[float, ...]] = {
    "celecoxib-rediscovery": (1.0, 0.732, 1.0, 0.355, 1.0),
    "troglitazone-rediscovery": (1.0, 0.515, 1.0, 0.311, 1.0),
    "thiothixene-rediscovery": (1.0, 0.598, 1.0, 0.311, 1.0),
    "aripiprazole-similarity": (1.0, 0.834, 1.0, 0.380, 1.0),
    "albuterol-similarity": (1.0, 0.907, 1.0, 0.749, 1.0),
    "mestranol-similarity": (1.0, 0.790, 1.0, 0.402, 1.0),
    "isomers-c11h24": (0.993, 0.829, 0.971, 0.410, 0.966),
    "isomers-c9h10n2o2pf2cl": (0.879, 0.889, 0.982, 0.631, 0.940),
    "median-molecules-1": (0.438, 0.334, 0.406, 0.225, 0.371),
    "median-molecules-2": (0.422, 0.380, 0.432, 0.170, 0.434),
    "osimertinib-mpo": (0.907, 0.886, 0.953, 0.784, 0.995),
    "fexofenadine-mpo": (0.959, 0.931, 0.998, 0.695, 1.0),
    "ranolazine-mpo": (0.855, 0.881, 0.920, 0.616, 0.969),
    "perindopril-mpo": (0.808, 0.661, 0.792, 0.385, 0.815),
    "amlodipine-mpo": (0.894, 0.722, 0.894, 0.533, 0.902),
    "sitagliptin-mpo": (0.545, 0.689, 0.891, 0.458, 0.763),
    "zaleplon-mpo": (0.669, 0.413, 0.754, 0.488, 0.770),
    "valsartan-smarts": (0.978, 0.552, 0.990, 0.040, 0.994),
    "deco-hop": (0.996, 0.970, 1.0, 0.590, 1.0),
    "scaffold-hop": (0.998, 0.885, 1.0, 0.478, 1.0),
}
"""Published: SMILES LSTM, SMILES GA, Graph GA, Graph MCTS (Brown et al. 2019), CReM (Polishchuk 2020)."""

_CHUNK, _BATCH = 100_000, 1_000
_NOT_YET = -1.0
_WHOLE = 1.0 - 1e-9
_POOL, _SCORES, _SECONDS = "guacamol-pool.smi", "guacamol-pool.npy", "guacamol-pool-seconds.txt"
_COMMAND = "python -m benchmarks.run molecules-generate guacamol"


def guacamol(
    folder: Path, *, prior: Path, tasks: Sequence[str] = tuple(TASKS), calls: int = CALLS, workers: int = 2
) -> Part:
    """Every task with one seed; a search ends early where as many compounds as count have the best score there is."""
    with open_engine(workers=workers) as engine:
        n_pool, scoring = score_pool(folder, engine)
        jobs = [{"task": task, "calls": calls, "attempts": ATTEMPTS, "seed": 0} for task in tasks]
        found = engine.map(search, jobs, (folder, prior), progress=SilentProgress(), label="searches")
    total = sum(one["score"] for one in found)
    seconds = sum(one["seconds"] for one in found)
    lines = [
        Line("GuacaMol, goal-directed, total of 20",
             f"pool: {n_pool:,} of ZINC250k and MOSES' training set without targets and neighbours; at most {calls:,} "
             "calls each",
             "at least 17.98", f"{total:.3f} (Graph GA 17.983, CReM 17.919, SMILES LSTM 17.341, SMILES GA 14.398)",
             total >= 17.98, _COMMAND,
             f"{seconds / 60:.0f} minutes of one core in all; the whole pool is scored beforehand, in "
             f"{scoring / 60:.0f} minutes; its best {BEST:,} and {DRAWN:,} others are what a search starts from")
    ]  # fmt: skip
    for one in found:
        lstm, ga, graph, _, crem = TASKS[one["task"]]
        lines.append(
            Line(f"GuacaMol {one['task']}", f"{one['n_left_out']:,} left out of the pool, {one['calls']:,} calls",
                 f"Graph GA {graph}, CReM {crem}, SMILES LSTM {lstm}, SMILES GA {ga}",
                 f"{one['score']:.3f} (best of the pool {one['best_of_pool']:.3f})",
                 one["score"] >= max(lstm, ga, graph, crem) - 0.0005, _COMMAND)
        )  # fmt: skip
    return lines, {"tasks": found, "total": total, "n_pool": n_pool, "scoring_seconds": scoring}


def score_pool(folder: Path, engine: Engine) -> tuple[int, float]:
    """Score the pool for every task, going on where it was stopped; how many compounds it has, and seconds in all."""
    path, texts, clock = folder / _SCORES, folder / _POOL, folder / _SECONDS
    if not texts.exists():
        moses = Path(get(CARDS["moses-train"])["table"]).read_text().split("\n")[1:]
        both = [*molecules_search.smiles("zinc"), *(line.split(",")[0] for line in moses if line.strip())]
        texts.write_text("\n".join(flat(both, engine)))
    pool = texts.read_text().split("\n")
    if not path.exists():
        np.save(path, np.full((len(pool), len(TASKS)), _NOT_YET, dtype=np.float32))
        clock.write_text("0.0")
    scores = np.load(path, mmap_mode="r+")
    for at in range(0, len(pool), _CHUNK):
        part = pool[at : at + _CHUNK]
        if not (scores[at : at + _CHUNK] == _NOT_YET).any():
            continue
        begun = time.perf_counter()
        batches = [part[begin : begin + _BATCH] for begin in range(0, len(part), _BATCH)]
        found = engine.map(pool_scores, batches, None, progress=SilentProgress(), label="pool")
        scores[at : at + _CHUNK] = np.concatenate(found)
        scores.flush()
        clock.write_text(str(float(clock.read_text()) + time.perf_counter() - begun))
    return len(pool), float(clock.read_text())


def pool_scores(_: None, batch: list[str]) -> np.ndarray:
    """Scores (n, tasks), nan where a compound is near to a target of the task, or is itself what is looked for."""
    from rdkit.DataStructs import BulkTanimotoSimilarity

    from iatros.molecules.objectives.molecule import molecules

    read = [one for one in molecules(batch) if one is not None]
    assert len(read) == len(batch)
    found = np.empty((len(batch), len(TASKS)), dtype=np.float32)
    vectors = [_circular().GetFingerprint(one.mol) for one in read]
    for column, (task, objective) in enumerate(suite().items()):
        scores = np.array([one.score for one in objective.score_molecules(read)])
        if task.startswith("isomers"):
            scores[scores >= _WHOLE] = np.nan
        known = _vectors(targets(objective))
        if known:
            near = [max(BulkTanimotoSimilarity(vector, known)) >= NEAR for vector in vectors]
            scores[near] = np.nan
        found[:, column] = scores
    return found


class UntilSolved(Ledger):
    """A ledger whose budget is spent, too, when `enough` compounds have the best score there is."""

    def __init__(self, objective: Scorer, budget: Budget, enough: int) -> None:
        super().__init__(objective, budget)
        self._enough, self._looked, self._found = enough, 0, 0

    @property
    def left(self) -> int:
        """Calls that are left."""
        self._found += sum(score >= _WHOLE for score in self.history[self._looked :])
        self._looked = len(self.history)
        return 0 if self._found >= self._enough else super().left


def search(given: tuple[Path, Path], job: dict[str, Any]) -> dict[str, Any]:
    """One task, and what it is judged by; what is in the folder already is not searched again."""
    from iatros.core.bundle import open_bundle
    from iatros.molecules.generating.opened import open_generator

    folder, prior = given
    kept = folder / f"guacamol-{'-'.join(str(value) for value in job.values())}.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    task = job["task"]
    best, drawn, n_left_out = _start(folder, task, job["seed"])
    start = list(dict.fromkeys([*best, *drawn]))
    ledger = UntilSolved(suite()[task], Budget(job["calls"]), max(top_counts(task)))
    begun = time.perf_counter()
    means = Means(job["seed"], open_generator(open_bundle(prior)))
    Hybrid(HybridParams(prescreen=len(start), attempts=job["attempts"])).run(ledger, start, means)
    told = {
        **job,
        "n_left_out": n_left_out,
        "best_of_pool": ledger.objective.score(best[:1])[0].score,
        "seconds": time.perf_counter() - begun,
        "score": guacamol_score(task, [row.scored for row in ledger.best(300)]),
        **outcome(ledger, Compounds(start).values(Fingerprint())),
    }
    kept.write_text(json.dumps(told))
    return told


def _start(folder: Path, task: str, seed: int) -> tuple[list[str], list[str], int]:
    """The best of the pool for a task, others drawn at random, and how many of the pool are left out."""
    pool = (folder / _POOL).read_text().split("\n")
    scores = np.array(np.load(folder / _SCORES, mmap_mode="r")[:, list(TASKS).index(task)])
    there = np.flatnonzero(np.isfinite(scores))
    best = there[np.argsort(-scores[there], kind="stable")[:BEST]]
    drawn = np.random.default_rng([seed, 41]).choice(there, DRAWN, replace=False)
    return [pool[row] for row in best], [pool[row] for row in drawn], len(pool) - len(there)


@cache
def _circular() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=4096)


@cache
def _vectors(smiles: tuple[str, ...]) -> list[Any]:
    from rdkit import Chem

    return [_circular().GetFingerprint(Chem.MolFromSmiles(text)) for text in smiles]
