"""Segmentation: which voxels belong to a structure, how well that agrees with the truth, and what is written of it.

What trains is loaded only when training is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "train_segmentation": "training",
    "predict_segmentation": "prediction",
    "evaluate_segmentation": "external",
    "nifti_bytes": "nifti",
}

__all__ = ["evaluate_segmentation", "nifti_bytes", "predict_segmentation", "train_segmentation"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
