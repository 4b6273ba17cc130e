"""Opening a source in a test, with a cache of the test's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from iatros.core.context import Context
from iatros.imaging.schema import Collection
from iatros.imaging.sources import open_collection


def opened(
    reference: Any, *, cache: Path | None = None, context: Context | None = None, **asked: Any
) -> Collection:
    """The collection of `reference`; its pixels lie in `cache` or where the test's home is."""
    before = os.environ.get("IATROS_CACHE")
    if cache is not None:
        os.environ["IATROS_CACHE"] = str(cache)
    try:
        return open_collection(reference, context or Context(), **asked)
    finally:
        if cache is not None:
            os.environ.pop("IATROS_CACHE")
            if before is not None:
                os.environ["IATROS_CACHE"] = before


def reasons(collection: Collection) -> dict[str, str]:
    """The refused files by name."""
    return {one.name: one.reason for one in collection.refused}
