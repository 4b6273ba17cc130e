"""Runs commands as whole processes and keeps what they said, how long they took and how much memory they held."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

IATROS = Path(sys.executable).with_name("iatros")


@dataclass(frozen=True)
class Ran:
    """One finished process; `peak_mb` is the most that it and its workers held together (shared pages count twice)."""

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
        process = psutil.Popen(command, cwd=folder, stdout=stream, stderr=errors)
        peak = _watch(process)
    seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed: {(folder / 'stderr.txt').read_text()[-2000:]}")
    shown = shlex.join("iatros" if part == str(IATROS) else part for part in command)
    return Ran(json.loads(out.read_text() or "{}"), seconds, peak / 2**20, shown)


def _watch(process: psutil.Popen) -> int:
    """Wait for the process; the largest sum of its and its children's resident sets, looked at ten times a second."""
    peak = 0
    while process.poll() is None:
        held = 0
        with contextlib.suppress(psutil.Error):
            held = process.memory_info().rss
            for child in process.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    held += child.memory_info().rss
        peak = max(peak, held)
        time.sleep(0.1)
    return peak


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
