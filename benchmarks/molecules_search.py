"""How fast compounds are prepared, searched and compared, beside what RDKit alone takes.

Every function returns numbers; sizes are arguments, so that each can be tried in seconds. Nothing here decides what
counts as reached.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from iatros.core.engine import Engine
from iatros.engines import open_engine
from iatros.learners.compounds.fingerprints import Fingerprint, compute
from iatros.learners.compounds.index import Entry, build_library, open_library
from iatros.learners.compounds.tanimoto import build_index, nearest, search

SMILES_FILES = {
    "zinc": ("zinc250k/250k_rndm_zinc_drugs_clean.smi.gz", 0),
    "moses": ("moses/test.csv.gz", 1),
    "moses-scaffolds": ("moses/test_scaffolds.csv.gz", 1),
}
BARE = """
import sys
from rdkit import Chem, RDLogger
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.MolStandardize import rdMolStandardize
RDLogger.DisableLog("rdApp.*")
generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
uncharger = rdMolStandardize.Uncharger(True)
normalizer, reionizer = rdMolStandardize.Normalizer(), rdMolStandardize.Reionizer()
chooser, metals = rdMolStandardize.LargestFragmentChooser(), rdMolStandardize.MetalDisconnector()
sys.stdout.write("ready\\n"); sys.stdout.flush()
lines = sys.stdin.read().split()
sys.stdin = None
n = 0
for text in lines:
    mol = Chem.MolFromSmiles(text)
    if mol is None:
        continue
    for step in (metals.Disconnect, chooser.choose, normalizer.normalize, reionizer.reionize, uncharger.uncharge):
        mol = step(mol)
    Chem.MolToSmiles(mol)
    generator.GetFingerprint(mol)
    n += 1
print(n)
"""
"""One bare RDKit process: parse, the standardisers that curation uses, canonical SMILES, fingerprint, one by one."""


def smiles(name: str, most: int | None = None) -> list[str]:
    """The first `most` SMILES of a shared file, of all where not given."""
    path, skipped = SMILES_FILES[name]
    with gzip.open(data.SHARED / path, "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[skipped:]
    return [line.split(",")[0].strip() for line in lines if line.strip()][:most]


def query_speed(*, n: int = 1_000_000, n_queries: int = 200, k: int = 10) -> dict[str, Any]:
    """Milliseconds for one query at a time among `n` compounds, opened from disk, each query's first time.

    The shared files have 600,000 compounds. What is missing is made from theirs: the upper half of the bits of one
    compound and the lower half of another's, so that numbers of bits and of bits in common are as in real ones.
    Queries are compounds of the HIV set, which are none of these.
    """
    with open_engine() as engine, tempfile.TemporaryDirectory() as folder:
        words = _many(n, engine)
        queries = _hiv(n_queries, engine)
        started = time.perf_counter()
        index = build_index(words)
        indexed = time.perf_counter() - started
        search(index, queries[:1], k)  # compiles
        milliseconds = []
        for query in queries:
            started = time.perf_counter()
            search(index, query[None], k)
            milliseconds.append(1e3 * (time.perf_counter() - started))
        opened = _opening(Path(folder), engine)
    return {
        "n": len(words),
        "n_queries": len(queries),
        "index_s": indexed,
        "median_ms": float(np.median(milliseconds)),
        "p95_ms": float(np.quantile(milliseconds, 0.95)),
        "worst_ms": max(milliseconds),
        **opened,
    }


def _many(n: int, engine: Engine) -> np.ndarray:
    parts: list[np.ndarray] = []
    for name in SMILES_FILES:
        left = n - sum(len(part) for part in parts)
        if left > 0:
            parts.append(compute(smiles(name, left), engine=engine).values)
    words = np.concatenate(parts)
    rng = np.random.default_rng(0)
    missing = max(0, n - len(words))
    one, other = rng.integers(0, len(words), (2, missing))
    half = words.shape[1] // 2
    return np.concatenate([words, np.hstack([words[one, :half], words[other, half:]])])


def _hiv(n: int, engine: Engine) -> np.ndarray:
    with gzip.open(data.SHARED / "moleculenet" / "HIV.csv.gz", "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1:]
    chosen = [line.split(",")[0] for line in lines if line.strip()]
    return compute(chosen[:: max(1, len(chosen) // n)][:n], engine=engine).values


def _opening(folder: Path, engine: Engine, n: int = 20_000) -> dict[str, float]:
    """Milliseconds to open an index on disk; they do not depend on the number of compounds."""
    entries = [Entry(text, "", line) for line, text in enumerate(smiles("moses", n), start=2)]
    build_library(entries, folder / "library", engine=engine)
    started = time.perf_counter()
    open_library(folder / "library")
    return {"open_ms": 1e3 * (time.perf_counter() - started)}


def nearest_speed(
    *, n_a: int = 30_000, n_b: int = 176_000, threads: int | None = None, n_bits: int = 2048
) -> dict[str, Any]:
    """Seconds to find for each of `n_a` ZINC compounds the nearest of `n_b` of the MOSES test set, exactly.

    `rdkit_s` is what RDKit's bulk similarity would take on one thread, from 30 of the compounds.
    """
    fingerprint = Fingerprint("morgan", n_bits=n_bits)
    with open_engine() as engine:
        a = compute(smiles("zinc", n_a), fingerprint, engine=engine).values
        b = compute(smiles("moses", n_b), fingerprint, engine=engine).values
    nearest(a[:2], b[:2])  # compiles
    started, used = time.perf_counter(), time.process_time()
    rows, similarities = nearest(a, build_index(b), threads=threads)
    seconds, processor = time.perf_counter() - started, time.process_time() - used
    rdkit, agrees = _bulk(a[:: max(1, len(a) // 30)][:30], b)
    return {
        "n_a": len(a),
        "n_b": len(b),
        "seconds": seconds,
        "processor_s": processor,
        "rdkit_s": rdkit * len(a),
        "equal_to_rdkit": bool(np.array_equal(agrees, similarities[:: max(1, len(a) // 30)][:30])),
        "mean_similarity": float(similarities.mean()),
        "n_distinct": len(set(rows.tolist())),
    }


def _bulk(a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray]:
    """RDKit's seconds for one compound against all of `b`, and the similarities of the nearest."""
    from rdkit.DataStructs import BulkTanimotoSimilarity, CreateFromBinaryText

    vectors = [CreateFromBinaryText(row.tobytes()) for row in b]
    queries = [CreateFromBinaryText(row.tobytes()) for row in a]
    started = time.process_time()
    best = [max(BulkTanimotoSimilarity(query, vectors)) for query in queries]
    return (time.process_time() - started) / len(a), np.array(best)


def preparation_speed(*, n: int = 20_000, repeats: int = 3) -> dict[str, Any]:
    """Seconds to parse, standardise and fingerprint `n` compounds on two workers, and in two bare RDKit processes.

    The two take turns. Each side has its processes started and its libraries imported before the clock runs.
    `share` is bare over ours: 1 where the library costs nothing, the median over the turns.
    """
    chosen = smiles("zinc", n)
    ours, bare = [], []
    with open_engine("processes", 2) as engine:
        _prepare(chosen[:4000], engine)
        for _ in range(repeats):
            started = time.perf_counter()
            made = _prepare(chosen, engine)
            ours.append(time.perf_counter() - started)
            seconds, n_bare = _bare(chosen)
            bare.append(seconds)
    shares = [theirs / own for theirs, own in zip(bare, ours, strict=True)]
    return {
        "n": len(chosen),
        "n_ours": made,
        "n_bare": n_bare,
        "ours_s": float(np.median(ours)),
        "bare_s": float(np.median(bare)),
        "share": float(np.median(shares)),
        "shares": shares,
    }


def _prepare(chosen: list[str], engine: Engine) -> int:
    from iatros.core.progress import SilentProgress

    batches = [chosen[start : start + 1000] for start in range(0, len(chosen), 1000)]
    found = engine.map(prepared, batches, Fingerprint(), progress=SilentProgress(), label="compounds")
    return sum(len(words) for words in found)


def prepared(fingerprint: Fingerprint, batch: list[str]) -> np.ndarray:
    """Words of the compounds of a batch, standardised as `iatros molecules curate` does; what a worker runs."""
    from rdkit import rdBase

    from iatros.learners.compounds.fingerprints import of_molecules
    from iatros.molecules.curation.parsing import parse
    from iatros.molecules.curation.standardising import Rules, standardise

    molecules = []
    with rdBase.BlockLogs():
        for text in batch:
            try:
                molecules.append(standardise(parse(text), Rules()).mol)
            except ValueError:  # what is no molecule, with its reason
                continue
        return of_molecules(fingerprint, molecules)


def _bare(chosen: list[str]) -> tuple[float, int]:
    """Seconds that two processes take for half of the compounds each, and how many they read."""
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BARE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=one_thread,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    started = time.perf_counter()
    for number, process in enumerate(processes):
        assert process.stdin is not None
        process.stdin.write("\n".join(chosen[number::2]))
        process.stdin.close()
    counts = [int(process.stdout.read()) for process in processes if process.stdout is not None]
    seconds = time.perf_counter() - started
    for process in processes:
        process.wait()
    return seconds, sum(counts)
