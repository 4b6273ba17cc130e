"""What the processor can do, and the one thing that has to be said about it before numpy is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_KERNELS = "OPENBLAS_CORETYPE"
_AMD_ZEN_5 = 26
"""The first family of AMD's processors that OpenBLAS does not know by name (its issue 6029)."""
_AVX512 = frozenset({"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"})


def has_bf16(cpuinfo: Path = _CPUINFO) -> bool | None:
    """Whether the processor multiplies bfloat16 itself (AVX512-BF16 or AMX); None where the system does not say."""
    found = _first_processor(cpuinfo)
    return bool({"avx512_bf16", "amx_bf16"} & set(found.get("flags", "").split())) if found else None


def choose_kernels(environment: MutableMapping[str, str] = os.environ, cpuinfo: Path = _CPUINFO) -> None:
    """Have OpenBLAS take its kernels for AVX-512 on AMD's Zen 5, for this process and those that it starts.

    Up to version 0.3.31 it takes those for AVX2 there, which multiply matrices little more than half as fast. It reads
    the environment when it is loaded, so that nothing is done once numpy is imported, or where the user chose already:
    the processes of one command all compute alike.
    """
    if "numpy" in sys.modules or _KERNELS in environment:
        return
    found = _first_processor(cpuinfo)
    family = found.get("cpu family", "")
    if (
        found.get("vendor_id") == "AuthenticAMD"
        and family.isdigit()
        and int(family) >= _AMD_ZEN_5
        and set(found.get("flags", "").split()) >= _AVX512
    ):
        environment[_KERNELS] = "SKYLAKEX"


def _first_processor(cpuinfo: Path) -> dict[str, str]:
    """What Linux says of the first processor, by name; empty where there is no such file."""
    found: dict[str, str] = {}
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, colon, value = line.partition(":")
                if not colon:
                    break
                found[name.strip()] = value.strip()
    except OSError:
        return {}
    return found
