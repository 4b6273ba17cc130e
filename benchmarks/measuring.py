"""Runs commands as whole processes and keeps what they said, how long they took and how much memory they held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IATROS = Path(sys.executable).with_name("iatros")


@dataclass(frozen=True)
class Ran:
    """One finished process; `peak_mb` is the largest resident set of the process or of one of its children."""

    answer: dict[str, Any]
    seconds: float
    peak_mb: float
    command: str


def iatros(*arguments: str, folder: Path) -> Ran:
    """Run `iatros ARGUMENTS --json` in `folder`; a failure stops the benchmark with what the command said."""
    return run([str(IATROS), *arguments, "--json"], folder=folder)


def run(command: list[str], *, folder: Path) -> Ran:
    """Run `command`, whose standard output is one JSON document."""
    out = folder / "stdout.json"
    started = time.perf_counter()
    with out.open("wb") as stream, (folder / "stderr.txt").open("wb") as errors:
        process = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed: {(folder / 'stderr.txt').read_text()[-2000:]}")
    shown = " ".join(["iatros" if part == str(IATROS) else part for part in command])
    return Ran(json.loads(out.read_text() or "{}"), seconds, usage.ru_maxrss / 1024, shown)


def median_run(command: list[str], *, folder: Path, repeats: int = 5) -> tuple[float, float]:
    """Median wall seconds and peak memory (MB) of `repeats` runs after one that is not counted."""
    seconds, peaks = [], []
    for number in range(repeats + 1):
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
        if number:
            seconds.append(time.perf_counter() - started)
            peaks.append(usage.ru_maxrss / 1024)
    return sorted(seconds)[len(seconds) // 2], max(peaks)
