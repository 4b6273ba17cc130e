"""How fast and how exactly generated compounds are judged: the metrics of MOSES beside its own package, molsets.

30,000 compounds of the training set are judged by the two test sets, which the benchmark's authors publish as the row
`Train`. The training set is `iatros data get moses-train`. molsets is not run as it is installed, because today's
pandas, NumPy, SciPy and RDKit no longer have names that it uses: its metrics are read from its wheel with those names
put back.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.data import moses_tests
from benchmarks.measuring import Ran, iatros, run
from benchmarks.results import Line, stored_details
from iatros.core.cards import data_folder, get
from iatros.molecules.datasets import CARDS

CASE = "molecules-generate"
N = 30_000
TIMES_FASTER = 12.0
TRAIN_ROW = {"snn": 0.642, "int_div": 0.8568, "int_div_2": 0.8508, "filters": 1.0}
EQUAL = 1e-3
"""How near a metric must lie to that of molsets for the same compounds."""
_DATA = f"{N:,} compounds of the MOSES training set, test and scaffold test set"
_NAMES = {
    "valid": "valid", "unique@1000": "unique_1k", "unique@10000": "unique_10k", "FCD/Test": "fcd", "SNN/Test": "snn",
    "Frag/Test": "frag", "Scaf/Test": "scaf", "IntDiv": "int_div", "IntDiv2": "int_div_2", "Filters": "filters",
    "logP": "logp_w1", "SA": "sa_w1", "QED": "qed_w1", "weight": "weight_w1",
}  # fmt: skip
_MOLSETS = """
import csv, json, sys, time, types
import numpy as np, scipy.linalg
place, written, cores = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, place)
def module(name, **members):
    made = sys.modules[name] = types.ModuleType(name)
    made.__dict__.update(members)
    return made
class Column(list):
    values = property(lambda self: np.array(self, dtype=object))
class Frame(list):
    def append(self, other, sort=True):
        return Frame([*self, *other])
    def __getitem__(self, name):
        return Column(row[name] for row in self)
def read_csv(path, names=None):
    rows = [row for row in csv.reader(open(path)) if row]
    names, rows = (rows[0], rows[1:]) if names is None else (names, rows)
    return Frame(dict(zip(names, row)) for row in rows)
module("pandas", read_csv=read_csv, Series=type("Series", (), {}))
module("rdkit.six", iteritems=lambda held: held.items())
module("matplotlib").pyplot = module("matplotlib.pyplot")
for name, value in (("NaN", np.nan), ("row_stack", np.vstack)):
    if not hasattr(np, name):
        setattr(np, name, value)
root = scipy.linalg.sqrtm
scipy.linalg.sqrtm = lambda a, disp=True: root(a) if disp else (root(a), 0.0)
for name in ("moses", "moses.metrics", "moses.dataset"):
    module(name).__path__ = [place + "/" + name.replace(".", "/")]
def statistics(split):
    held = np.load(place + "/moses/dataset/data/" + split + "_stats.npz", allow_pickle=True)
    return held["stats"].item()
sys.modules["moses.dataset"].get_dataset = lambda split: None
sys.modules["moses.dataset"].get_statistics = statistics
from rdkit.Chem import AllChem
from moses.metrics.metrics import get_all_metrics
compounds = open(written).read().split()
started = time.perf_counter()
found = get_all_metrics(compounds, k=[1000, 10000], n_jobs=cores, train=["C"])
print(json.dumps({"seconds": time.perf_counter() - started, "metrics": {k: float(v) for k, v in found.items()}}))
"""
"""molsets' own function over its own statistics, with the names that today's packages no longer have put back."""


def metrics(folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """The suite by the command line, with nothing kept, with the references kept, and without what molsets has not."""
    sample = _sample(folder)
    with _home(folder / "home"):
        first, again = _judge(sample, folder, "first"), _judge(sample, folder, "again")
        same = _judge(sample, folder, "same", "--leave-out", "kl")
    table = {name: metric["value"] for name, metric in again.answer["metrics"]["reference"].items()}
    other = {name: metric["value"] for name, metric in again.answer["metrics"]["scaffolds"].items()}
    rival = stored_details(CASE).get("metrics-molsets", {})
    theirs = rival.get("seconds")
    beside = (
        "molsets was not run"
        if theirs is None
        else f"{theirs / same.seconds:.1f} times (molsets {theirs:,.0f} s)"
    )
    apart = _apart(table, rival.get("metrics", {})) if rival.get("sample") == _name(sample) else None
    lines = [
        Line("metrics of MOSES, references kept", _DATA, f"at least {TIMES_FASTER:.0f} times as fast as molsets",
             f"{same.seconds:.0f} s, {beside}", theirs is not None and theirs >= TIMES_FASTER * same.seconds,
             same.command,
             f"with GuacaMol's divergences {again.seconds:.0f} s, with nothing kept {first.seconds:.0f} s; the whole "
             "command is timed, its start and its page too"),
        _row_train(again, other),
    ]  # fmt: skip
    if apart is not None:
        lines.append(
            Line("equal to molsets", _DATA, f"within {EQUAL:g}", f"at most {max(apart.values()):.1e} apart",
                 max(apart.values()) <= EQUAL, again.command, "its statistics of the test sets were computed in 2020")
        )  # fmt: skip
    detail = {
        "sample": _name(sample),
        "first_seconds": first.seconds,
        "seconds": again.seconds,
        "same_seconds": same.seconds,
        "peak_mb": again.peak_mb,
        "metrics": table,
        "scaffolds": other,
        "guacamol": again.answer["guacamol"],
        "apart": apart,
    }
    return lines, detail


def _row_train(ran: Ran, other: dict[str, float]) -> Line:
    """The published row is of another draw: it must lie where the interval of this one expects another to be."""
    found = {name: ran.answer["metrics"]["reference"][name] for name in (*TRAIN_ROW, "fcd")}
    return Line(
        "the row Train", _DATA,
        ", ".join(f"{name} {value}" for name, value in TRAIN_ROW.items()) + ", each in the interval of 95 %",
        ", ".join(
            f"{name} {found[name]['value']:.4f} [{found[name]['low']:.4f}, {found[name]['high']:.4f}]"
            for name in TRAIN_ROW
        ),
        all(found[name]["low"] <= value <= found[name]["high"] for name, value in TRAIN_ROW.items()), ran.command,
        f"FCD {found['fcd']['value']:.3f}; of other scaffolds FCD {other['fcd']:.3f}, SNN {other['snn']:.3f}",
    )  # fmt: skip


def molsets(folder: Path) -> tuple[list[Line], dict[str, Any]]:
    """What molsets takes for the same compounds on as many processes as there are cores; needs its wheel.

    Its statistics of the test sets are pickles and are opened in a process of its own, for this measurement alone.
    """
    wheels = sorted((data_folder() / "moses-train").glob("molsets-*.whl"))
    if not wheels:
        raise SystemExit(f"put the wheel of molsets into {data_folder() / 'moses-train'}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(folder / "molsets")
    sample = _sample(folder)
    cores = len(os.sched_getaffinity(0))
    command = [sys.executable, "-c", _MOLSETS, str(folder / "molsets"), str(sample), str(cores)]
    ran = run(command, folder=folder)
    detail = {"sample": _name(sample), "cores": cores, "peak_mb": ran.peak_mb, **ran.answer}
    line = Line(
        "molsets, the same metrics without those of GuacaMol", _DATA, "",
        f"{ran.answer['seconds']:,.0f} s on {cores} processes", True, "make bench CASE=molecules-generate",
        "the clock runs for the metrics alone, over statistics of the test sets that it ships",
    )  # fmt: skip
    return [line], detail


def _sample(folder: Path) -> Path:
    """30,000 compounds drawn from the training set, one a line, the same every time."""
    table = Path(get(CARDS["moses-train"])["table"])
    lines = table.read_text().split()[1:]
    path = folder / "train-30000.smi"
    path.write_text("\n".join(random.Random(0).sample(lines, N)) + "\n")
    return path


def _name(sample: Path) -> str:
    return hashlib.sha256(sample.read_bytes()).hexdigest()


def _judge(sample: Path, folder: Path, out: str, *flags: str) -> Ran:
    return iatros(
        "molecules", "evaluate", sample.name, *moses_tests(folder), "--out", out, "--overwrite", *flags, folder=folder
    )  # fmt: skip


def _apart(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    """How far each metric lies from that of molsets; distances of properties relative to their size where above 1."""
    return {
        name: abs(ours[name] - theirs[other]) / max(1.0, abs(theirs[other]))
        for other, name in _NAMES.items()
        if other in theirs
    }


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    """Commands keep what they keep in `folder`, which holds nothing at first."""
    shutil.rmtree(folder, ignore_errors=True)
    before = os.environ.get("IATROS_HOME")
    os.environ["IATROS_HOME"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("IATROS_HOME")
        if before is not None:
            os.environ["IATROS_HOME"] = before
