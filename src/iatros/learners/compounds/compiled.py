"""How inner loops are compiled: by numba at their first call, then kept on disk; the lock of Python is released.

Where nothing can be kept, as in an installation that nobody may write to, each process compiles them anew (about two
seconds); NUMBA_CACHE_DIR names a folder for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from iatros.core.errors import MissingExtraError

try:
    import numba
    from numba.extending import intrinsic
except ImportError as _error:
    raise MissingExtraError(
        "similarities between compounds need the package numba", hint="pip install 'iatros[molecules]'"
    ) from _error

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """`function` as machine code; the same typed face for those who call it."""
    try:
        made = numba.njit(cache=True, nogil=True, boundscheck=False)(function)
    except RuntimeError:  # nowhere to keep it: neither beside the source nor in the user's own cache
        made = numba.njit(nogil=True, boundscheck=False)(function)
    return cast(Function, made)


def inlined(function: Function) -> Function:
    """`function` as machine code inside whoever calls it."""
    return cast(Function, numba.njit(nogil=True, inline="always", boundscheck=False)(function))


def _ones(typing: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return numba.types.uint64(numba.types.uint64), generate


ones = cast(Callable[[Any], int], intrinsic(_ones))
"""How many bits of a uint64 are set, by the processor's own instruction; inside compiled functions only."""
