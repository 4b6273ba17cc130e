"""How much faster a tree of DICOM files is decoded by two processes than by one."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import data
from iatros.core.context import Context
from iatros.engines import open_engine
from iatros.imaging.sources import open_collection


def decode_scaling(*, repeats: int = 9) -> dict[str, Any]:
    """Seconds to read and decode the shared DICOM tree into an empty cache, with one worker and with two.

    The workers are warm: each has decoded the tree once before, so that what is timed is decoding and not the import of
    libraries. The two take turns; `ratio` is the median over the pairs.
    """
    seconds: dict[int, list[float]] = {1: [], 2: []}
    engines = {workers: open_engine("processes", workers) for workers in seconds}
    before = os.environ.get("IATROS_CACHE")
    try:
        for number in range(repeats + 1):
            for workers, engine in engines.items():
                with tempfile.TemporaryDirectory() as cache:
                    os.environ["IATROS_CACHE"] = cache
                    started = time.perf_counter()
                    found = open_collection(Path(data.dicom()), Context(engine=engine))
                    if number:
                        seconds[workers].append(time.perf_counter() - started)
    finally:
        for engine in engines.values():
            engine.close()
        os.environ.pop("IATROS_CACHE")
        if before is not None:
            os.environ["IATROS_CACHE"] = before
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    return {
        "ratio": median(ratios),
        "ratios": ratios,
        "one_s": median(seconds[1]),
        "two_s": median(seconds[2]),
        "n_records": len(found.records),
        "n_refused": len(found.refused),
    }
