"""MoleculeNet on DeepChem's deterministic scaffold split, beside a forest on ECFP4 and chemprop on the same sides.

All three learn from the compounds that the protocol gives to training and to tuning, and predict the test compounds,
as the file writes them. iatros is its command's default; the forest has 500 trees on 2048 bits; chemprop is its
own command's default, which takes a tenth of the compounds to choose its epoch.

iatros standardises every structure and refuses some, such as inorganics: for those it answers nothing, and the mean
of the endpoint in development counts as its answer. In ClinTox the classes were drawn in different ways (41 % of the
compounds without, and none of those with toxicity have a protonated amine), which whoever reads structures as drawn
can learn: `clintox-drawn-alike` gives the rivals the structures that iatros reads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import polars as pl
from rdkit import Chem, rdBase

from benchmarks.data import SHARED
from benchmarks.measuring import iatros
from benchmarks.results import Line, stored_details
from iatros.core.splits import bootstrap_rows, task_seed
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import Fingerprint
from iatros.molecules.curation.parsing import StructureError
from iatros.molecules.curation.standardising import Rules, standardise
from iatros.molecules.splitting.scaffolds import groups_of
from iatros.molecules.splitting.splits import scaffold_deterministic

SEEDS = 3
RESAMPLES = 500
RIVALS = ("forest", "chemprop")


@dataclass(frozen=True)
class Assay:
    """A set of MoleculeNet: its file, its columns, and the number to be beaten where one was named."""

    file: str
    smiles: str
    outcomes: tuple[str, ...]
    asked: float | None = None


def _all_but(file: str, *others: str) -> tuple[str, ...]:
    names = pl.read_csv(SHARED / "moleculenet" / file, n_rows=1).columns
    return tuple(name for name in names if name not in others)


SETS = ("freesolv", "esol", "bace", "bbbp", "lipophilicity", "clintox", "sider", "tox21", "hiv")


def assays() -> dict[str, Assay]:
    """The sets by the names of their parts; the small ones first."""
    return {
        "freesolv": Assay("SAMPL.csv", "smiles", ("expt",), 2.2),
        "esol": Assay(
            "delaney-processed.csv", "smiles", ("measured log solubility in mols per litre",), 0.91
        ),
        "bace": Assay("bace.csv", "mol", ("Class",), 0.845),
        "bbbp": Assay("BBBP.csv", "smiles", ("BBBP",), 0.746),
        "lipophilicity": Assay("Lipophilicity.csv", "smiles", ("exp",), 0.668),
        "clintox": Assay("clintox.csv", "smiles", ("FDA_APPROVED", "CT_TOX")),
        "sider": Assay("sider.csv", "smiles", _all_but("sider.csv", "smiles")),
        "tox21": Assay("tox21.csv", "smiles", _all_but("tox21.csv", "smiles", "mol_id")),
        "hiv": Assay("HIV.csv.gz", "smiles", ("HIV_active",)),
    }


@dataclass(frozen=True)
class Sides:
    """The compounds of a file that RDKit reads, with their outcomes, cut as DeepChem cuts them."""

    smiles: list[str]
    y: np.ndarray
    development: np.ndarray
    test: np.ndarray
    groups: np.ndarray
    """The scaffold of each test compound, which intervals draw."""

    @property
    def continuous(self) -> bool:
        """Whether values are predicted, not classes."""
        return not np.isin(self.y[~np.isnan(self.y)], (0.0, 1.0)).all()

    @property
    def names(self) -> list[str]:
        """What the outcomes are called in the tables that the models read."""
        return [f"y{k}" for k in range(self.y.shape[1])]

    def frame(self, rows: np.ndarray) -> pl.DataFrame:
        """The compounds at `rows` as every model reads them; a gap is an empty cell."""
        columns = {
            name: [None if np.isnan(v) else float(v) for v in self.y[rows, k]]
            for k, name in enumerate(self.names)
        }
        return pl.DataFrame({"smiles": [self.smiles[row] for row in rows], **columns})

    def score(self, prediction: np.ndarray, rows: np.ndarray | None = None) -> float:
        """RMSE or AUROC on test compounds (`rows` of them, repeats allowed), the mean over endpoints."""
        rows = np.arange(len(self.test)) if rows is None else rows
        truth = self.y[self.test]
        found = []
        for k in range(truth.shape[1]):
            chosen = rows[~np.isnan(truth[rows, k])]
            y, p = truth[chosen, k], prediction[chosen, k]
            if self.continuous:
                found.append(float(np.sqrt(np.mean((y - p) ** 2))))
            elif 0 < y.sum() < len(y):
                found.append(_auroc(y, p))
        return mean(found) if found else float("nan")


def _auroc(y: np.ndarray, p: np.ndarray) -> float:
    from scipy.stats import rankdata

    ranks, n = rankdata(p), y.sum()
    return float((ranks[y == 1].sum() - n * (n + 1) / 2) / (n * (len(y) - n)))


def sides(assay: Assay) -> Sides:
    """The file's compounds as they are written, duplicates and salts included, as in the published protocol."""
    frame = pl.read_csv(SHARED / "moleculenet" / assay.file).drop_nulls(assay.smiles)  # HIV has empty lines
    structures = [text.strip() for text in frame[assay.smiles]]
    with rdBase.BlockLogs():
        readable = [
            k for k, text in enumerate(structures) if (m := Chem.MolFromSmiles(text)) and m.GetNumAtoms()
        ]
    smiles = [structures[k] for k in readable]
    y = frame[readable].select(pl.col(assay.outcomes).cast(pl.Float64)).to_numpy()
    train, valid, test = scaffold_deterministic(smiles)
    groups = groups_of(Compounds([smiles[row] for row in test]), "scaffold")
    return Sides(smiles, y, np.sort(np.concatenate([train, valid])), test, groups)


@dataclass(frozen=True)
class OfSeed:
    """Test predictions (n, k) with one seed, the seconds they took, the command, and for how many there are none."""

    prediction: np.ndarray
    seconds: float
    command: str
    refused: int = 0


@dataclass(frozen=True)
class Predicted:
    """What each seed predicts."""

    of_seeds: list[OfSeed]

    def score(self, cut: Sides, rows: np.ndarray | None = None) -> float:
        """The mean over seeds."""
        return mean(cut.score(one.prediction, rows) for one in self.of_seeds)

    @property
    def seconds(self) -> float:
        """Of the slowest seed."""
        return max(one.seconds for one in self.of_seeds)


def compare(cut: Sides, folder: Path) -> dict[str, Any]:
    """Predictions of all three for one set."""
    cut.frame(cut.development).write_csv(folder / "development.csv")
    cut.frame(cut.test).write_csv(folder / "test.csv")
    sides_of = np.where(np.isin(np.arange(len(cut.smiles)), cut.test), "test", "train")
    whole = cut.frame(np.arange(len(cut.smiles))).with_columns(split=pl.Series(sides_of))
    whole.write_csv(folder / "whole.csv")
    return {
        "cut": cut,
        "iatros": Predicted([_kept(_iatros, cut, folder, seed) for seed in range(SEEDS)]),
        "forest": Predicted([_kept(_forest, cut, folder, seed) for seed in range(SEEDS)]),
        "chemprop": _chemprops(cut, folder),
    }


def _kept(make: Callable[[Sides, Path, int], OfSeed], cut: Sides, folder: Path, seed: int) -> OfSeed:
    """What `make` gives, or what it gave before the part was stopped."""
    path = folder / f"{make.__name__.strip('_')}-{seed}.json"
    if path.exists():
        told = json.loads(path.read_text())
        return OfSeed(np.array(told.pop("prediction")), **told)
    found = make(cut, folder, seed)
    path.write_text(json.dumps({**asdict(found), "prediction": found.prediction.tolist()}))
    return found


def _iatros(cut: Sides, folder: Path, seed: int) -> OfSeed:
    """iatros' own command with its defaults; what it refuses gets the mean of the endpoint."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        means = np.nanmean(cut.y[cut.development], axis=0)
    trained = iatros(
        "molecules", "train", "whole.csv", "--outcome", ",".join(cut.names), "--validation", "given", "--split",
        "split", "--seed", str(seed), "--y-scrambling", "0", "--out", "bundle", "--overwrite", folder=folder,
    )  # fmt: skip
    answers = iatros("molecules", "predict", "bundle", "test.csv", folder=folder).answer["predictions"]
    read = _read(answers, cut)
    refused = int(np.isnan(read).any(axis=1).sum())
    return OfSeed(np.where(np.isnan(read), means, read), trained.seconds, trained.command, refused)


def _forest(cut: Sides, folder: Path, seed: int) -> OfSeed:
    """A random forest of 500 trees on ECFP4 (2048 bits), one for each endpoint."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    del folder
    X = Compounds(cut.smiles).matrix([Fingerprint("morgan")])
    started, columns = time.perf_counter(), []
    for k in range(cut.y.shape[1]):
        y = cut.y[:, k]
        rows = cut.development[~np.isnan(y[cut.development])]
        kind = RandomForestRegressor if cut.continuous else RandomForestClassifier
        model = kind(500, n_jobs=-1, random_state=seed).fit(X[rows], y[rows])
        columns.append(
            model.predict(X[cut.test]) if cut.continuous else model.predict_proba(X[cut.test])[:, 1]
        )
    seconds = time.perf_counter() - started
    return OfSeed(np.stack(columns, axis=1), seconds, "scikit-learn, 500 trees on ECFP4 of 2048 bits")


def _chemprops(cut: Sides, folder: Path) -> Predicted:
    """A seed on each core."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return Predicted(list(pool.map(lambda seed: _kept(_chemprop, cut, folder, seed), range(SEEDS))))


def _chemprop(cut: Sides, folder: Path, seed: int) -> OfSeed:
    """chemprop's own command with its defaults."""
    train = [
        "train", "--data-path", "development.csv", "--smiles-columns", "smiles",
        "--task-type", "regression" if cut.continuous else "classification", "--split-sizes", "0.9", "0.1", "0.0",
        "--pytorch-seed", str(seed), "--data-seed", str(seed), "--output-dir", f"chemprop-{seed}", "-q",
    ]  # fmt: skip
    predict = [
        "predict", "--test-path", "test.csv", "--smiles-columns", "smiles", "--model-paths", f"chemprop-{seed}",
        "--preds-path", f"chemprop-{seed}.csv", "-q",
    ]  # fmt: skip
    program, started = str(Path(sys.executable).with_name("chemprop")), time.perf_counter()
    for one in (train, predict):
        subprocess.run(
            [program, *one],
            cwd=folder,
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    answers = pl.read_csv(folder / f"chemprop-{seed}.csv").select(cut.names).to_numpy().astype(float)
    return OfSeed(answers, time.perf_counter() - started, "chemprop " + " ".join(train))


def _read(answers: list[dict[str, Any]], cut: Sides) -> np.ndarray:
    what = "prediction" if cut.continuous else "probability"
    names = [what] if len(cut.names) == 1 else [f"{name}_{what}" for name in cut.names]
    return np.array([[answer[name] for name in names] for answer in answers], dtype=float)


def part(name: str, folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """The lines of one set: iatros, and its difference from each rival."""
    (folder / name).mkdir(exist_ok=True)
    assay = assays()[name]
    return _lines(name, assay, compare(sides(assay), folder / name))


def drawn_alike(name: str, folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """The lines of a set whose structures all three read as iatros standardises them; what it refuses stays."""
    own = folder / f"{name}-drawn-alike"
    own.mkdir(exist_ok=True)
    cut = sides(assays()[name])
    alike = replace(cut, smiles=[_standard(smiles) for smiles in cut.smiles])
    return _lines(f"{name}, drawn alike", assays()[name], compare(alike, own))


def _standard(smiles: str) -> str:
    with rdBase.BlockLogs():
        try:
            return standardise(Chem.MolFromSmiles(smiles), Rules()).smiles
        except StructureError:
            return smiles


def ranks(_: Path) -> tuple[list[Line], dict[str, Any]]:
    """The mean rank over the sets that were measured so far, of which the results tell."""
    measured = stored_details("molecules-activity")
    of_sets = {
        name: _ranks(
            {model: measured[name][model]["score"] for model in ("iatros", *RIVALS)},
            measured[name]["continuous"],
        )
        for name in assays()
        if name in measured
    }
    means = {model: mean(one[model] for one in of_sets.values()) for model in ("iatros", *RIVALS)}
    line = Line(
        "mean rank of iatros, forest and chemprop (1 is best)", "MoleculeNet: " + ", ".join(of_sets),
        "iatros below both",
        ", ".join(f"{model} {rank:.2f}" for model, rank in means.items()),
        means["iatros"] < min(means[model] for model in RIVALS), "python -m benchmarks.run molecules-activity ranks",
    )  # fmt: skip
    return [line], of_sets


def _lines(name: str, assay: Assay, found: dict[str, Any]) -> tuple[list[Line], dict[str, Any]]:
    cut, ours = found["cut"], found["iatros"]
    metric, better = ("RMSE", "below") if cut.continuous else ("AUROC", "above")
    first = ours.of_seeds[0]
    value = ours.score(cut)
    data = f"{name}, {len(cut.development):,} compounds to develop, {len(cut.test):,} to test"
    numbers = {
        model: {"score": found[model].score(cut), "seeds": [cut.score(one.prediction) for one in found[model].of_seeds],
                "seconds": found[model].seconds}
        for model in ("iatros", *RIVALS)
    } | {"continuous": cut.continuous}  # fmt: skip
    drawn = np.array(
        [[found[model].score(cut, rows) for model in ("iatros", *RIVALS)] for rows in _resamples(cut)]
    )
    low, high = np.nanquantile(drawn[:, 0], (0.025, 0.975))
    reached = assay.asked is None or (value < assay.asked if cut.continuous else value > assay.asked)
    lines = [
        Line(f"{metric}, mean of {SEEDS} seeds", data, "shown" if assay.asked is None else f"{better} {assay.asked:g}",
             f"{value:.3f} [{low:.3f}, {high:.3f}] (forest {numbers['forest']['score']:.3f}, "
             f"chemprop {numbers['chemprop']['score']:.3f}); {ours.seconds:.0f} s", reached, first.command,
             f"{first.refused} test compounds were refused and count as the mean" if first.refused else "")
    ]  # fmt: skip
    for place, rival in enumerate(RIVALS, 1):
        gap = value - numbers[rival]["score"]
        low, high = np.nanquantile(drawn[:, 0] - drawn[:, place], (0.025, 0.975))
        numbers[f"less {rival}"] = {"value": gap, "low": float(low), "high": float(high)}
        not_worse = low <= 0 if cut.continuous else high >= 0
        lines.append(
            Line(f"{metric} less that of {rival}, paired", data,
                 f"interval not {'above' if cut.continuous else 'below'} 0", f"{gap:+.3f} [{low:+.3f}, {high:+.3f}]",
                 bool(not_worse), found[rival].of_seeds[0].command)
        )  # fmt: skip
    return lines, numbers


def _resamples(cut: Sides) -> list[np.ndarray]:
    """Test rows of as many scaffolds as there are, drawn with replacement."""
    return [
        bootstrap_rows(cut.groups, seed=task_seed(0, f"resample{number}"))[0] for number in range(RESAMPLES)
    ]


def _ranks(scores: dict[str, float], continuous: bool) -> dict[str, int]:
    ordered = sorted(scores, key=lambda model: scores[model], reverse=not continuous)
    return {model: ordered.index(model) + 1 for model in scores}
