"""Trained models on disk, for doors to list, show and verify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iatros.core.bundle import list_bundles, open_bundle, verify_bundle

__all__ = ["list_bundles", "show_bundle", "verify_bundle"]


def show_bundle(path: Path | str) -> dict[str, Any]:
    """The manifest of a bundle that passed every check, with its name and its own hash."""
    bundle = open_bundle(path)
    return {"name": bundle.name, "manifest_sha256": bundle.manifest_sha256, **bundle.manifest}
