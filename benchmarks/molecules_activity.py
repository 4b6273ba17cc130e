"""Compounds: how fast they are prepared, searched and compared; curation of a large file; target fishing."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

from benchmarks import molecules_affinity, molecules_fishing, molecules_moleculenet, molecules_search
from benchmarks.data import SHARED
from benchmarks.measuring import Ran, iatros
from benchmarks.results import Line

Part = tuple[list[Line], dict[str, Any]]

STREAM_LINES = int(os.environ.get("IATROS_BENCH_LINES", "10000000"))
"""Ten million take an hour; a smaller file is set by this variable, and shown."""
STREAM_SMALL_LINES = STREAM_LINES // 10
"""What the large file is compared with: where memory is bounded and its caches are full, both take as much."""


def search(_: Path) -> Part:
    """Preparation beside bare RDKit, one query among a million compounds, and all nearest neighbours of two sets."""
    prepared = molecules_search.preparation_speed()
    query = molecules_search.query_speed()
    pairs = molecules_search.nearest_speed()
    lines = [
        Line("parse, standardise, fingerprint against two bare RDKit processes", "ZINC250k, 20,000, two workers",
             "at least 85 %", f"{prepared['share']:.0%} ({prepared['ours_s']:.1f} against {prepared['bare_s']:.1f} s)",
             prepared["share"] >= 0.85, _SEARCH,
             "bare: parse, RDKit's metal disconnector, largest fragment, normalizer, reionizer, uncharger, SMILES, "
             "fingerprint, each for every compound"),
        Line("one query among a million compounds, ten nearest, exact", "HIV against ZINC250k and MOSES",
             "under 20 ms", f"{query['median_ms']:.1f} ms (95 of 100 under {query['p95_ms']:.1f} ms)",
             query["median_ms"] < 20, _SEARCH),
        Line("nearest of 176,000 for each of 30,000, exact", "ZINC250k against the MOSES test set", "under 25 s",
             f"{pairs['seconds']:.1f} s (RDKit's bulk similarity, one thread: {pairs['rdkit_s']:.0f} s)",
             pairs["seconds"] < 25 and pairs["equal_to_rdkit"], _SEARCH),
    ]  # fmt: skip
    return lines, {"preparation": prepared, "query": query, "nearest": pairs}


def targets(_: Path) -> Part:
    """Known targets of compounds with unseen scaffolds, among the first of a ranking, against the largest targets."""
    lines, detail = [], {}
    for name in molecules_fishing.ACTIVE_FROM:
        check = molecules_fishing.check(name)
        best, plain = check["rankings"][check["chosen"]][-1], check["rankings"]["popularity"][-1]
        lines.append(
            Line(f"compounds with a known target among the first {check['first'][-1]}, {name.upper()}",
                 f"{check['n_compounds']:,} compounds, {check['split']}", "more than by popularity",
                 f"{_share(best)} by {check['chosen']}, {_share(plain)} by popularity", best["low"] > plain["value"],
                 _TARGETS, f"of several rankings the best is shown, {check['chosen']}")
        )  # fmt: skip
        detail[name] = check
    return lines, detail


def stream(folder: Path) -> Part:
    """Curate a large file with two workers: what it holds in memory, beside what a small one takes."""
    small, large = (_curated(folder, n) for n in (STREAM_SMALL_LINES, STREAM_LINES))
    held = large.answer["n_compounds"] + large.answer["n_merged"] + large.answer["n_refused"]
    lines = [
        Line(f"peak memory to curate {STREAM_LINES:,} lines", "made-up small compounds, one line in a thousand bad",
             f"at most 1.3 times that of {STREAM_SMALL_LINES:,}",
             f"{large.peak_mb:,.0f} MB against {small.peak_mb:,.0f} MB, {large.seconds / 60:.0f} minutes",
             large.peak_mb <= 1.3 * small.peak_mb, large.command),
        Line("lines accounted for", f"{STREAM_LINES:,} lines", "all", f"{held:,}", held == STREAM_LINES, large.command),
    ]  # fmt: skip
    return lines, {"seconds": [small.seconds, large.seconds], "peak_mb": [small.peak_mb, large.peak_mb]}


def _curated(folder: Path, n: int) -> Ran:
    path = folder / f"{n}.smi.gz"
    write_lines(path, n)
    return iatros(
        "molecules", "curate", path.name, "--alerts", "none", "--workers", "2", "--out", f"curated-{n}", "--overwrite",
        folder=folder,
    )  # fmt: skip


def write_lines(path: Path, n: int) -> None:
    """`n` lines of SMILES and names, packed; nearly all different compounds, and one line in a thousand is bad."""
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8", newline="\n") as file:
        file.writelines(islice(_lines(), n))


_CORES = (
    "{}c1cc({})cc({})c1", "{}c1nc({})cc({})n1", "{}c1cc({})nc({})c1", "{}C1CC({})CN({})C1", "{}c1cn({})nc1{}",
    "{}c1oc({})nc1{}", "{}N1CC({})OC({})C1", "{}C(=O)NC({})C{}", "{}C1CN({})C1{}", "{}c1sc({})cc1{}",
)  # fmt: skip
_FIRST = (
    "C",
    "CC",
    "CCC",
    "OC",
    "NC",
    "FC",
    "FC(F)(F)C",
    "COC",
    "CN(C)C",
    "N#CC",
    "CC(=O)C",
    "C9CC9C",
    "CSC",
    "NCC",
)
_OTHERS = (
    "C", "CC", "CCC", "C(C)C", "CO", "CN", "CF", "C(F)(F)F", "COC", "CN(C)C", "CC#N", "C(C)=O", "C9CC9", "CSC", "CCO",
    "CCN", "CNC", "CCOC", "CC(N)=O", "CC(C)O", "C(=O)NC", "CCCO", "CCCN", "CCF",
)  # fmt: skip
_LINKS = ("C", "CC", "OC", "NC", "SC", "C(C)C", "C(F)C", "C=CC", "C#CC", "OCC", "NCC", "C(=O)C")
_BAD = ("aspirin", "C1CC", "", "CC(C)(C)(C)C", "O", "[Na+].[Cl-]", "c1ccccc")


def _lines() -> Iterator[str]:
    """Twelve million: small compounds with three substituents on a core, and in the later ones links before it."""
    links = ["", *_LINKS, *map("".join, product(_LINKS, _LINKS))]
    every = product(links, _CORES, _FIRST, _OTHERS, _OTHERS)
    for number, (link, core, a, b, c) in enumerate(every, start=1):
        bad = number % 1000 == 0
        smiles = _BAD[number // 1000 % len(_BAD)] if bad else core.format(a + link, b, c)
        yield f"{smiles} m{number}\n"


def _share(one: dict[str, Any]) -> str:
    return f"{one['value']:.0%} [{one['low']:.0%}, {one['high']:.0%}]"


def egfr(folder: Path) -> Part:
    """pIC50 against EGFR on a balanced scaffold split, every model beside the others."""
    return _egfr(folder, "held_out", "--model", "all")


def egfr_folds(folder: Path) -> Part:
    """The same over five folds of scaffolds, the default beside the forest: every compound is held out once."""
    return _egfr(folder, "cross_validation", "--model", "ensemble,forest", "--folds", "5")


def _egfr(folder: Path, split: str, *flags: str) -> Part:
    table = folder / "egfr.csv"
    table.write_bytes((SHARED / "chembl_egfr" / "EGFR_compounds.csv").read_bytes())
    trained = iatros(
        "molecules", "train", table.name, "--smiles", "smiles", "--outcome", "pIC50", "--unit", "p",
        "--active-from", "6.3", *flags, "--y-scrambling", "0", "--out", "egfr-bundle", "--overwrite", folder=folder,
    )  # fmt: skip
    lines = []
    models = {one["name"]: one for one in trained.answer["models"]}
    for name, one in models.items():
        found, gap = one["metrics"][split], one["difference_to_baseline"]
        paired = (
            ""
            if gap is None
            else f"; RMSE less forest's {gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]"
        )
        how = "held out by scaffold" if split == "held_out" else "each held out once, by scaffold"
        lines.append(
            Line(f"RMSE and AUROC at 6.3, {name}", f"ChEMBL EGFR, {found['rmse']['n']:,} {how}",
                 "interval below the forest's" if one["selected"] else "shown",
                 f"{_value(found['rmse'])}; {_value(found['auroc'])}{paired}",
                 not one["selected"] or (gap is not None and gap["high"] < 0), trained.command)
        )  # fmt: skip
    return lines, {"models": models, "seconds": trained.seconds}


def _value(one: dict[str, Any]) -> str:
    return f"{one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"


_AFFINITY = ("dti-hybrid", "matrix-factorisation", "dti-cnn")
_SEARCH = "python -m benchmarks.run molecules-activity search"
_TARGETS = "python -m benchmarks.run molecules-activity targets"

PARTS: dict[str, Callable[[Path], Part]] = {
    "search": search,
    "targets": targets,
    **{name: partial(molecules_moleculenet.part, name) for name in molecules_moleculenet.SETS},
    "clintox-drawn-alike": partial(molecules_moleculenet.drawn_alike, "clintox"),
    "ranks": molecules_moleculenet.ranks,
    "egfr": egfr,
    "egfr-folds": egfr_folds,
    "davis": lambda _: molecules_affinity.official_lines("davis", (0.22, 0.90), _AFFINITY),
    "davis-new": lambda _: molecules_affinity.new_lines(
        "davis", {"leave-target": 0.85, "leave-drug": 0.73}, "dti-hybrid"
    ),
    "kiba": lambda _: molecules_affinity.official_lines("kiba", (0.15, 0.88), _AFFINITY[:2]),
    "stream": stream,
}
