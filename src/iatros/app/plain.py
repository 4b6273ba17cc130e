"""Results as plain JSON: what every door hands out is made so in this one place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    """`value` in dicts, lists, strings, numbers, booleans and None; a number that is not finite becomes None.

    >>> plain({"low": float("nan"), "names": ("a", "b")})
    {'low': None, 'names': ['a', 'b']}
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"a result holds a {type(value).__name__}, which is not plain data")


def dumps(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """`value` as one JSON document."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=ascii_only, allow_nan=False)
