"""Optimisers beside published ones: the oracles of PMO, and what a search costs by itself.

Parameters were chosen on four oracles of PMO with up to 2,000 calls and one or two seeds (celecoxib_rediscovery,
perindopril_mpo, sitagliptin_mpo, median1); all others, and all of GuacaMol, are measured with what came of that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import molecules_search
from benchmarks.measuring import iatros
from benchmarks.results import Line
from iatros.core.engine import SerialEngine
from iatros.core.progress import SilentProgress
from iatros.engines import open_engine
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.learners.compounds.tanimoto import nearest
from iatros.molecules.optimisers.diversity import internal_diversity
from iatros.molecules.optimisers.hybrid import Hybrid, HybridParams
from iatros.molecules.optimisers.ledger import Budget, Ledger
from iatros.molecules.optimisers.optimiser import Means
from iatros.molecules.optimisers.starting import flat

Part = tuple[list[Line], dict[str, Any]]

TUNED_ON = ("celecoxib_rediscovery", "perindopril_mpo", "sitagliptin_mpo", "median1")
PRESCREENED = 100_000
"""Compounds of the pool that are scored before a search where prescreening is asked for."""

PMO: dict[str, tuple[float, ...]] = {
    "albuterol_similarity": (0.977, 0.949, 0.896, 0.882, 0.838),
    "amlodipine_mpo": (0.749, 0.761, 0.688, 0.635, 0.661),
    "celecoxib_rediscovery": (0.778, 0.802, 0.680, 0.710, 0.630),
    "deco_hop": (0.936, 0.733, 0.649, 0.666, 0.619),
    "fexofenadine_mpo": (0.856, 0.856, 0.825, 0.784, 0.760),
    "isomers_c7h8n2o2": (0.955, 0.969, 0.878, 0.852, 0.862),
    "isomers_c9h10n2o2pf2cl": (0.850, 0.897, 0.865, 0.642, 0.719),
    "median1": (0.340, 0.379, 0.257, 0.356, 0.294),
    "median2": (0.323, 0.294, 0.301, 0.276, 0.273),
    "mestranol_similarity": (0.671, 0.708, 0.591, 0.618, 0.579),
    "osimertinib_mpo": (0.866, 0.860, 0.844, 0.837, 0.831),
    "perindopril_mpo": (0.681, 0.595, 0.547, 0.537, 0.538),
    "qed": (0.939, 0.942, 0.941, 0.941, 0.940),
    "ranolazine_mpo": (0.820, 0.819, 0.804, 0.760, 0.728),
    "scaffold_hop": (0.576, 0.615, 0.527, 0.560, 0.517),
    "sitagliptin_mpo": (0.601, 0.634, 0.582, 0.021, 0.433),
    "thiothixene_rediscovery": (0.584, 0.583, 0.519, 0.534, 0.479),
    "troglitazone_rediscovery": (0.448, 0.511, 0.427, 0.441, 0.390),
    "valsartan_smarts": (0.627, 0.135, 0.000, 0.178, 0.000),
    "zaleplon_mpo": (0.486, 0.552, 0.519, 0.358, 0.346),
}
"""Published area under the mean of the best ten: f-RAG (prescreens), Genetic-GFN, MolGA, REINVENT, Graph GA."""


def pmo(
    folder: Path,
    *,
    prior: Path,
    oracles: Sequence[str] = tuple(PMO),
    seeds: Sequence[int] = (0, 1, 2),
    prescreened_seeds: Sequence[int] = (0,),
    calls: int = 10_000,
    workers: int = 2,
) -> Part:
    """Every oracle with and without prescreening; the sums of the areas over the oracles, mean and spread of seeds."""
    jobs = [
        {"task": task, "calls": calls, "seed": seed, "suite": "pmo", "prescreen": prescreen}
        for prescreen, of in ((0, seeds), (PRESCREENED, prescreened_seeds))
        for task in oracles
        for seed in of
    ]
    found = _run(jobs, folder, prior, workers)
    plain = [one for one in found if not one["prescreen"]]
    screened = [one for one in found if one["prescreen"]]
    sums = [sum(one["auc"] for one in plain if one["seed"] == seed) for seed in seeds]
    sums_screened = [sum(one["auc"] for one in screened if one["seed"] == seed) for seed in prescreened_seeds]
    charged = [
        f"{key} {sum(one[key] for one in plain) / len(plain):,.0f}"
        for key in ("asked", "repeated", "invalid", "passed_over")
    ]
    lines = [
        Line("PMO, sum of AUC of the best ten, 20 oracles", f"ZINC250k, {calls:,} unique calls, seeds {list(seeds)}",
             "at least 13.6", f"{np.mean(sums):.3f} (seeds {', '.join(f'{one:.3f}' for one in sums)})",
             float(np.mean(sums)) >= 13.6, _COMMAND.format("pmo"),
             "published: InVirtuoGEN 16.25 and f-RAG 14.06 prescreen; Genetic-GFN 13.59, MolGA 12.34, REINVENT 11.59; "
             f"a run asked on average: {', '.join(charged)}; tuned on {', '.join(TUNED_ON)}"),
        Line("the same after prescreening", f"{PRESCREENED:,} compounds scored before the count", "shown",
             f"{np.mean(sums_screened):.3f} (seeds {', '.join(f'{one:.3f}' for one in sums_screened)})", True,
             _COMMAND.format("pmo")),
        Line("the same with every text charged", "of the runs without prescreening, invalid and repeated included",
             "shown", f"{sum(one['auc_all'] for one in plain) / len(seeds):.3f}", True, _COMMAND.format("pmo")),
        Line("the best 100 of a run", "means of the runs without prescreening", "shown",
             ", ".join(f"{name} {np.mean([one[name] for one in plain]):.3f}" for name in _QUALITY),
             True, _COMMAND.format("pmo"),
             "published (f-RAG, table 2): f-RAG .532/.800/2.03, Genetic-GFN .443/.724/3.77, MolGA .491/.845/4.61"),
    ]  # fmt: skip
    for task in oracles:
        areas = [one["auc"] for one in plain if one["task"] == task]
        with_it = [one["auc"] for one in screened if one["task"] == task]
        rag, gfn, mol_ga, reinvent, _ = PMO[task]
        lines.append(
            Line(f"PMO {task}", "mean of seeds", f"Genetic-GFN {gfn}, MolGA {mol_ga}, REINVENT {reinvent}, f-RAG {rag}",
                 f"{np.mean(areas):.3f} (prescreened {np.mean(with_it):.3f})", float(np.mean(areas)) >= gfn,
                 _COMMAND.format("pmo"))
        )  # fmt: skip
    return lines, {"runs": found, "sums": {"plain": sums, "prescreened": sums_screened}}


def prior(folder: Path, *, epochs: int = 6) -> Path:
    """A language model of ZINC250k without stereochemistry: small, because every search copies and teaches it."""
    if (folder / "prior").exists():
        return folder / "prior"
    with open_engine() as engine:
        (folder / "zinc.smi").write_text("\n".join(flat(molecules_search.smiles("zinc"), engine)))
    iatros(
        "molecules", "train", "zinc.smi", "--model", "rnn", "--param", "rnn.units=256", "--param",
        f"rnn.epochs={epochs}", "--out", "prior", "--overwrite", folder=folder,
    )  # fmt: skip
    return folder / "prior"


def overhead(*, calls: int = 5000) -> Part:
    """What a genetic search takes beyond the objective's own time, on an objective of five parts."""
    from iatros.molecules.objectives.reading import load_objective
    from iatros.molecules.optimisers.graph_ga import GraphGa

    objective = load_objective(TYPICAL)
    start = flat(molecules_search.smiles("zinc", 5000), SerialEngine())
    objective.score(start[:50])  # what is read once is read before the clock starts
    ledger = Ledger(objective, Budget(calls))
    begun = time.perf_counter()
    GraphGa().run(ledger, start, Means(seed=0))
    seconds = time.perf_counter() - begun
    beyond = (seconds - ledger.objective_seconds) / ledger.objective_seconds
    line = Line(
        "time of graph-ga beyond that of the objective", f"five parts, {ledger.counts.calls:,} calls", "at most 30 %",
        f"{beyond:.0%} ({seconds:.1f} s, the objective {ledger.objective_seconds:.1f} s)", beyond <= 0.3,
        _COMMAND.format("overhead"), "parts: QED, SA, log P, weight, similarity to a compound",
    )  # fmt: skip
    return [line], {"seconds": seconds, "objective_seconds": ledger.objective_seconds, "beyond": beyond}


def _run(jobs: list[dict[str, Any]], folder: Path, prior: Path, workers: int) -> list[dict[str, Any]]:
    """Every job on one core of its own; the pool and its fingerprints are made once and lie in `folder`."""
    with open_engine(workers=workers) as engine:
        pool = flat(molecules_search.smiles("zinc"), engine)
        (folder / "pool.smi").write_text("\n".join(pool))
        np.save(folder / "pool.npy", Compounds(pool, engine=engine).values(Fingerprint()))
        return engine.map(search, jobs, (folder, prior), progress=SilentProgress(), label="searches")


def search(given: tuple[Path, Path], job: dict[str, Any]) -> dict[str, Any]:
    """One search by `hybrid`, and what it is judged by; what is in the folder already is not searched again."""
    from iatros.core.bundle import open_bundle
    from iatros.molecules.generating.opened import open_generator
    from iatros.molecules.objectives.pmo import pmo as suite
    from iatros.molecules.objectives.pmo import pmo_auc

    folder, prior = given
    kept = folder / f"{'-'.join(str(value) for value in job.values())}.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    start, bits = (folder / "pool.smi").read_text().split("\n"), np.load(folder / "pool.npy", mmap_mode="r")
    objective, calls = suite()[job["task"]], job["calls"]
    ledger = Ledger(objective, Budget(calls))
    begun = time.perf_counter()
    means = Means(job["seed"], open_generator(open_bundle(prior)))
    Hybrid(HybridParams(prescreen=job["prescreen"])).run(ledger, start, means)
    told = {
        **job,
        "seconds": time.perf_counter() - begun,
        "auc": pmo_auc(ledger.history, calls=calls),
        "auc_all": _charged_all(ledger, calls),
        **outcome(ledger, bits),
    }
    kept.write_text(json.dumps(told))
    return told


def _charged_all(ledger: Any, calls: int) -> float:
    """The area of the same search where every text that was asked takes a place, and scores nothing if no new one."""
    from iatros.molecules.objectives.pmo import pmo_auc

    places = np.zeros(ledger.counts.asked + ledger.counts.prescreened)
    places[np.array(ledger.charged_at) - 1] = ledger.history
    return pmo_auc(places.tolist(), calls=calls)


def outcome(ledger: Ledger, start: np.ndarray) -> dict[str, Any]:
    """What a search found and what it asked for; `start` (n, words) are the bits of what it began with.

    Of the best hundred: diversity, the share less than 0.4 like any of `start`, mean synthetic accessibility.
    """
    from iatros.molecules.objectives.molecule import Molecule

    rows = ledger.best(100)
    best = [row.scored.smiles for row in rows]
    return {
        "best": best[0],
        "top": [float(np.mean([row.score for row in rows[:n]])) for n in (1, 10, 100)],
        "diversity": internal_diversity(best) or 0.0,
        "novelty": float((nearest(Compounds(best).values(Fingerprint()), np.array(start))[1] < 0.4).mean()),
        "sa": float(np.mean([Molecule(text).property("sa") for text in best])),
        **{
            name: getattr(ledger.counts, name)
            for name in ("asked", "calls", "repeated", "invalid", "passed_over", "prescreened")
        },
    }


TYPICAL = {
    "name": "typical",
    "combine": "geometric",
    "parts": [
        {"property": "qed"},
        {"property": "sa", "transform": {"kind": "reverse-sigmoid", "low": 2.0, "high": 5.0}},
        {"property": "logp", "transform": {"kind": "gaussian", "mean": 3.0, "spread": 1.5}},
        {
            "property": "molecular_weight",
            "transform": {"kind": "double-sigmoid", "low": 250.0, "high": 450.0, "width": 40.0},
        },
        {"similar_to": "COc1cc2ncnc(Nc3ccc(F)c(Cl)c3)c2cc1OCCCN1CCOCC1"},
    ],
}  # fmt: skip
"""An objective as chemists write them: drug-like, easy to make, and near gefitinib."""
_QUALITY = ("diversity", "novelty", "sa")
_COMMAND = "python -m benchmarks.run molecules-generate {}"
