"""How loops over sparse tables are compiled: by numba at their first call, then kept on disk, without Python's lock.

Sums may be taken in another order than written, so that one instruction adds several terms; a loop's order is fixed
when it is compiled, so the same numbers in give the same bytes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from iatros.core.errors import MissingExtraError

try:
    import numba
except ImportError as _error:
    raise MissingExtraError(
        "completing a table needs the package numba", hint="pip install 'iatros[treatment]'"
    ) from _error

Function = TypeVar("Function", bound=Callable[..., Any])
_MATHS = {"reassoc", "contract", "nsz", "arcp"}


def compiled(function: Function) -> Function:
    """`function` as machine code; the same typed face for those who call it."""
    try:
        made = numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy", fastmath=_MATHS)(
            function
        )
    except RuntimeError:  # nowhere to keep it: neither beside the source nor in the user's own cache
        made = numba.njit(nogil=True, boundscheck=False, error_model="numpy", fastmath=_MATHS)(function)
    return cast(Function, made)
