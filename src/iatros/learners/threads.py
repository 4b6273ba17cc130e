"""How many threads a fit may use; the count never changes an answer."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any


def fit_threads() -> int:
    """All cores that this process may run on; one inside a worker, whose siblings have the others."""
    if multiprocessing.parent_process() is not None:
        return 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, int(limit)) if limit.isdigit() and int(limit) > 0 else cores


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Linear algebra on one thread: its sums, and so the stored bytes, depend on the number of threads."""
    with _controller(len(sys.modules)).limit(limits=1, user_api="blas"):
        yield


@lru_cache(maxsize=4)
def _controller(_: int) -> Any:
    """What limits the threads of the libraries that are loaded; looked for anew once more modules are imported.

    Finding them takes longer than a small fit.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
