"""New compounds: generators on MOSES, their metrics and how fast both are; goal-directed search.

The training set is `iatros data get moses-train`: from the molsets wheel, laid into that dataset's folder, or from its
official address. Each generator learns for `SECONDS` on this machine's cores, writes 30,000 texts without a filter and
is judged by both test sets.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import molecules_design, molecules_guacamol, molecules_metrics, molecules_optimise
from benchmarks.data import SHARED, linked, moses_tests
from benchmarks.measuring import iatros
from benchmarks.results import Line
from iatros.core.cards import get
from iatros.molecules.datasets import CARDS
from iatros.molecules.distribution.published import MOSES

Part = tuple[list[Line], dict[str, Any]]

N = 30_000
SECONDS = float(os.environ.get("IATROS_BENCH_SECONDS", "3600"))
"""Time to learn in, on two cores; on other hardware another budget is set by this variable, and shown."""
ASKED: dict[str, dict[str, float]] = {
    "rnn": {"valid": 0.95, "unique_10k": 0.999, "fcd": 0.45, "snn": 0.55},
    "vae": {"fcd": 0.8},
    "gan": {"valid": 0.85, "fcd": 1.5},
    "transformer": {},
}
"""What two cores and an hour must reach: at least, but of FCD at most."""
TEMPERATURE = {"rnn": 0.9, "gan": 0.8}
"""At which texts are drawn, where it is not 1: lower means more that are valid, and a little less variety."""
SHOWN = (
    "valid",
    "unique_1k",
    "unique_10k",
    "fcd",
    "snn",
    "frag",
    "scaf",
    "int_div",
    "int_div_2",
    "filters",
    "novelty",
)
_COMMAND = "python -m benchmarks.run molecules-generate {}"


def generator(name: str, folder: Path) -> Part:
    """One model: an hour of learning, 30,000 texts, the metrics beside published rows."""
    asked, temperature = ASKED[name], TEMPERATURE.get(name, 1.0)
    trained = _trained(name, folder)
    drawn = {each: _judged(name, each, folder) for each in {1.0, temperature}}
    test, other = drawn[temperature]["reference"], drawn[temperature]["scaffolds"]
    met = all(test[key] <= bound if key == "fcd" else test[key] >= bound for key, bound in asked.items())
    data = _data(N)
    wanted = ", ".join(
        f"{key} {'at most' if key == 'fcd' else 'at least'} {bound:g}" for key, bound in asked.items()
    )
    at = "" if temperature == 1.0 else f", temperature {temperature:g}"
    note = at and "the temperature was chosen on compounds of the training set that are kept for tuning"
    lines = [
        Line(
            f"{name} on the test set{at}", data, wanted or "shown", _row(test), met, trained["command"], note
        ),
        Line(f"{name} on the scaffold test set{at}", data, "shown", _row(other), True, trained["command"]),
    ]
    if at:
        lines.append(
            Line(f"{name} on the test set, as it has learned", data, "shown", _row(drawn[1.0]["reference"]), True,
                 trained["command"])
        )  # fmt: skip
    collapse = trained["training"].get("mode_collapse")
    if collapse is not None:
        lines.append(_collapse(name, collapse, trained["command"]))
    detail = {
        "test": test,
        "scaffolds": other,
        "temperature": temperature,
        "as_learned": drawn[1.0],
        "train_seconds": trained["seconds"],
        "training": trained["training"],
        "sample": trained["sample"],
    }
    return lines, detail


def _collapse(name: str, found: dict[str, Any], command: str) -> Line:
    """Whether all of the space is written: of texts as learned, and in brackets of compounds of the library itself."""
    told = ", ".join(
        f"{key.replace('_', ' ')} {value:.3f} ({found['library'][key]:.3f})"
        for key, value in found["written"].items()
    )
    return Line(f"mode collapse of {name}, as it has learned", _data(found["n"]), "shown", told, True, command,
                "in brackets as many compounds of the library; coverage: share of the tuning compounds' scaffolds that "
                "occur")  # fmt: skip


def _data(n: int) -> str:
    cores = len(os.sched_getaffinity(0))
    return f"MOSES, {n:,} texts, {SECONDS / 60:.0f} minutes of learning on {cores} cores"


def _table(folder: Path) -> str:
    """The training set as commands in `folder` name it."""
    return linked(Path(get(CARDS["moses-train"])["table"]), folder)


def _trained(name: str, folder: Path) -> dict[str, Any]:
    """What the training said, now or before the part was stopped."""
    kept = folder / f"{name}-trained.json"
    if not kept.exists():
        ran = iatros(
            "molecules", "train", _table(folder), "--model", name, "--seconds", f"{SECONDS:g}",
            "--out", f"{name}-bundle", "--overwrite", "--resume", folder=folder,
        )  # fmt: skip
        told = {
            "seconds": ran.seconds,
            "command": ran.command,
            "training": ran.answer["training"],
            "sample": ran.answer["metrics"]["sample"],
        }
        kept.write_text(json.dumps(told))
    found: dict[str, Any] = json.loads(kept.read_text())
    return found


def _judged(name: str, temperature: float, folder: Path) -> dict[str, dict[str, float]]:
    """The metrics by both test sets of what is written at a temperature, without any filter."""
    new = f"{name}-{temperature:g}"
    iatros(
        "molecules", "generate", f"{name}-bundle", "--n", str(N), "--temperature", f"{temperature:g}", "--filters",
        "none", "--no-unique", "--no-novel", "--diverse", "0", "--out", new, "--overwrite", folder=folder,
    )  # fmt: skip
    found = iatros(
        "molecules", "evaluate", f"{new}/written.smi", *moses_tests(folder), "--training", _table(folder), "--out",
        f"{new}-metrics", "--overwrite", folder=folder,
    ).answer["metrics"]  # fmt: skip
    return {
        side: {key: one["value"] for key, one in found[side].items()} for side in ("reference", "scaffolds")
    }


def published(_: Path) -> Part:
    """The rows of the benchmark's own table, to be read beside ours; those models learned for hours on a GPU."""
    lines = [
        Line(f"published: {row.name}", "MOSES, 30,000 texts", "shown",
             f"valid {row.valid:g}, unique_10k {row.unique_10k:g}, fcd {row.fcd[0]:g} / TestSF {row.fcd[1]:g}, snn "
             f"{row.snn[0]:g} / {row.snn[1]:g}, filters {row.filters:g}, novelty {row.novelty:g}", True,
             _COMMAND.format("published"))
        for row in MOSES
    ]  # fmt: skip
    return lines, {row.name: row._asdict() for row in MOSES}


def sampling(folder: Path) -> Part:
    """Texts a second of the language model with its default size, in batches, once it is open."""
    import time

    from iatros.core.bundle import open_bundle
    from iatros.molecules.generating.opened import open_generator

    moses = SHARED / "moses" / "test.csv.gz"
    iatros(
        "molecules", "train", str(moses), "--model", "rnn", "--seconds", "240", "--out", "quick", "--overwrite",
        folder=folder,
    )  # fmt: skip
    generator_ = open_generator(open_bundle(folder / "quick"))
    generator_.sample(512, rng=np.random.default_rng(1))
    begun = time.perf_counter()
    texts = generator_.sample(10_000, rng=np.random.default_rng(0))
    speed = len(texts) / (time.perf_counter() - begun)
    line = Line("texts a second, rnn of the default size", "10,000 texts in batches, two cores", "at least 600",
                f"{speed:,.0f}", speed >= 600, _COMMAND.format("sampling"), "the CharRNN of MOSES: 61")  # fmt: skip
    return [line], {"texts_per_second": speed}


def _row(found: dict[str, float]) -> str:
    return ", ".join(f"{key} {found[key]:.4f}" for key in SHOWN if found.get(key) is not None)


def _searching(part: Callable[..., Part], folder: Path) -> Part:
    return part(folder, prior=molecules_optimise.prior(folder))


PARTS: dict[str, Callable[[Path], Part]] = {
    "metrics-molsets": molecules_metrics.molsets,
    "metrics": molecules_metrics.metrics,
    "sampling": sampling,
    **{name: partial(generator, name) for name in ASKED},
    "published": published,
    "overhead": lambda _: molecules_optimise.overhead(),
    "guacamol": partial(_searching, molecules_guacamol.guacamol),
    "pmo": partial(_searching, molecules_optimise.pmo),
    "egfr-design": partial(_searching, molecules_design.egfr_design),
}
