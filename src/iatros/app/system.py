"""What this machine and this installation can do."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

from iatros.app.models import extras, missing_extras, version_of
from iatros.version import __version__

_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "pydantic",
    "polars",
    "onnxruntime",
    "safetensors",
    "torch",
    "lightgbm",
    "optuna",
    "shap",
    "rdkit",
)


def describe_system() -> dict[str, Any]:
    """Versions, cores, memory, bf16, extras and folders; nothing heavy is imported to find out."""
    missing = missing_extras()
    return {
        "iatros": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version_of(name) for name in _PACKAGES},
        "cores": available_cores(),
        "bf16": has_bf16(),
        "memory_gib": _memory(),
        "extras": {
            name: {
                "present": not missing[name],
                "missing": missing[name],
                "install": None
                if not missing[name]
                else f"{Path(sys.executable).name} -m pip install 'iatros[{name}]'",
            }
            for name in extras()
        },
        "folders": folders(),
        "notice": "research software, not a medical device",
    }


def folders() -> dict[str, dict[str, Any]]:
    """Where runs are logged and where datasets are cached, and whether they can be written."""
    from iatros.core.cards import data_folder
    from iatros.core.runs import home_folder

    places = {"home": (home_folder(), "IATROS_HOME"), "data": (data_folder(), "IATROS_DATA")}
    return {
        name: {
            "path": str(path),
            "from": variable if os.environ.get(variable) else "default",
            "writable": _writable(path),
        }
        for name, (path, variable) in places.items()
    }


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool | None:
    """Whether the processor multiplies bfloat16 itself (AVX512-BF16 or AMX); None where the system does not say."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    return bool({"avx512_bf16", "amx_bf16"} & set(flags))


def _memory(meminfo: Path = Path("/proc/meminfo")) -> dict[str, float | None]:
    try:
        lines = meminfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {"total": None, "available": None}
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith("kB")}
    found = {"total": kib.get("MemTotal"), "available": kib.get("MemAvailable")}
    return {name: None if value is None else round(value / 2**20, 1) for name, value in found.items()}


def _writable(path: Path) -> bool:
    existing = next((folder for folder in (path, *path.parents) if folder.exists()), Path("/"))
    return os.access(existing, os.W_OK)
