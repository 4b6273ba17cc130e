"""The engine `processes`: worker processes on this machine, started once and kept warm between maps.

Workers are started as `python -c`, not forked and not through multiprocessing: a fork after torch or
OpenMP has started threads can hang, and multiprocessing imports the user's script again, which fails in
scripts without a main guard and in those read from standard input.

Every worker computes with one thread, whatever the number of workers, so that no sum depends on it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from iatros.core.errors import IatrosError, LimitError
from iatros.core.progress import Progress
from iatros.engines.messages import decode, encode, receive, send

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from iatros.engines.worker import main; main()"
)
_ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "POLARS_MAX_THREADS",
        "RAYON_NUM_THREADS",
        "LOKY_MAX_CPU_COUNT",
    ),
    "1",
)

_Reply = tuple[int, bool, Any, str]
"""Number of the item, whether it went well, the answer or the error, and the worker's traceback."""


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ProcessEngine:
    """Worker processes; see `iatros.core.engine.Engine` for what is promised.

    The error that is raised is that of the first item that fails, as in a plain loop, with its own type;
    items after it are given up and their workers killed. An interrupt kills them too. If this process
    dies, its workers end at once.
    """

    name = "processes"

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or usable_cores()
        self._pool: list[_Worker] = []
        self._jobs = itertools.count(1)
        weakref.finalize(self, _kill, self._pool)

    def map(
        self,
        function: Callable[[Any, Any], Any],
        items: Sequence[Any],
        shared: Any,
        *,
        progress: Progress,
        label: str,
    ) -> list[Any]:
        """Answers in the order of `items`."""
        if getattr(function, "__module__", "") == "__main__":
            raise TypeError(f"{function.__name__} must live in a module that workers can import")
        job = (next(self._jobs), encode((function, shared)))
        replies: queue.SimpleQueue[_Reply] = queue.SimpleQueue()
        tasks = _Tasks(items)
        while len(self._pool) < min(self.workers, len(items)):
            self._pool.append(_Worker())
        threads = [
            threading.Thread(target=worker.serve, args=(job, tasks, replies), daemon=True)
            for worker in self._pool[: len(items)]
        ]
        try:
            for thread in threads:
                thread.start()
            answers = _collect(len(items), replies, progress, label)
        except BaseException:
            tasks.stop()
            _kill(self._pool, threads)
            raise
        for thread in threads:
            thread.join()
        return answers

    def close(self) -> None:
        """End the workers."""
        for worker in self._pool:
            worker.close()
        self._pool.clear()

    def __enter__(self) -> ProcessEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _kill(pool: list[_Worker], threads: Sequence[threading.Thread] = ()) -> None:
    for worker in pool:
        worker.kill()
    for thread in threads:
        if thread.ident is not None:
            thread.join(timeout=5)
    for worker in pool:
        worker.close()
    pool.clear()


def _collect(n: int, replies: queue.SimpleQueue[_Reply], progress: Progress, label: str) -> list[Any]:
    """All answers in order, or the error of the first item that failed once all before it have answered."""
    answers: dict[int, Any] = {}
    failed: dict[int, tuple[BaseException, str]] = {}
    with progress.step(label, total=n) as step:
        while len(answers) < n:
            number, well, value, trace = _next(replies)
            if well:
                answers[number] = value
                step.advance()
            else:
                failed[number] = (value, trace)
            first = min(failed, default=n)
            if first < n and all(earlier in answers for earlier in range(first)):
                error, trace = failed[first]
                if trace:
                    error.add_note(f"in a worker process:\n{trace}")
                raise error
    return [answers[number] for number in range(n)]


def _next(replies: queue.SimpleQueue[_Reply]) -> _Reply:
    """The next reply, waited for in short turns: once polars is imported, Ctrl-C does not end one long wait."""
    while True:
        with contextlib.suppress(queue.Empty):
            return replies.get(timeout=0.2)


class _Tasks:
    """Items handed out once each, in order, to whichever worker is free."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = iter(list(enumerate(items)))
        self._lock = threading.Lock()
        self._stopped = False

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        while True:
            with self._lock:
                task = None if self._stopped else next(self._items, None)
            if task is None:
                return
            yield task

    def stop(self) -> None:
        self._stopped = True


class _Worker:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        path = json.dumps([os.path.abspath(entry) for entry in sys.path])
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and a constant
            [sys.executable, "-c", _START, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._job = 0

    def serve(self, job: tuple[int, bytes], tasks: _Tasks, replies: queue.SimpleQueue[_Reply]) -> None:
        """Work through `tasks` until none is left or the process has died."""
        for number, item in tasks:
            try:
                reply = self._ask(job, number, encode(item))
            except Exception as error:
                reply = (number, False, error, "")
            replies.put(reply or (number, False, self._death(), ""))
            if reply is None:
                return
        with contextlib.suppress(OSError, ValueError):
            self._take_job((0, b""))  # what was shared may be large

    def _ask(self, job: tuple[int, bytes], number: int, item: bytes) -> _Reply | None:
        try:
            if self._job != job[0]:
                self._take_job(job)
            send(self._to, encode((number, item)))
            content = receive(self._from)
        except (OSError, ValueError):  # the pipe broke, or was closed by kill()
            return None
        return None if content is None else decode(content)

    def _take_job(self, job: tuple[int, bytes]) -> None:
        send(self._to, encode((None, b"")))
        send(self._to, job[1])
        self._job = job[0]

    def _death(self) -> IatrosError:
        status = self._process.wait()
        if status < 0:
            return LimitError(
                f"a worker process was ended by signal {-status}",
                hint="probably the memory ran out: use fewer workers or the engine serial",
            )
        return IatrosError(
            f"a worker process ended by itself with status {status}", hint="use the engine serial"
        )

    def close(self) -> None:
        """Let the process end by closing its pipe; kill it where it does not."""
        with contextlib.suppress(OSError):
            self._to.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._from.close()

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()
        self._process.wait()
