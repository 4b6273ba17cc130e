"""Named arrays as bytes, and numbers as JSON can hold them."""

from __future__ import annotations

import math
from typing import Any

from iatros.core.errors import BundleError


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: numpy's numbers and arrays as Python's, NaN and infinities as null."""
    import numpy as np

    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def pack_arrays(arrays: dict[str, Any]) -> bytes:
    """Named numeric or boolean arrays as safetensors bytes; the same arrays always give the same bytes."""
    import numpy as np
    from safetensors.numpy import save

    ready = {}
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        if array.dtype.kind not in "biuf":
            raise TypeError(f"the array {name!r} holds {array.dtype}; only numbers and booleans are stored")
        ready[name] = array
    packed: bytes = save(ready)
    return packed


def unpack_arrays(content: bytes) -> dict[str, Any]:
    """The named arrays of safetensors bytes, writable."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return {name: array.copy() for name, array in sorted(load(content).items())}
    except (SafetensorError, ValueError) as error:
        raise BundleError("an array file of the bundle cannot be read", hint="train again") from error
