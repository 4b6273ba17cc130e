"""What a worker process runs: it answers over its standard pipes until its parent is gone."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from typing import IO, Any

from iatros.engines.messages import decode, encode, receive, send


class _Job:
    """A function and what it shares with the items; read at the first item, whose error a bad one becomes."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._loaded: tuple[Any, Any] | None = None

    def __call__(self, item: bytes) -> Any:
        if self._loaded is None:
            self._loaded = decode(self._content)
            self._content = b""
        function, shared = self._loaded
        return function(shared, decode(item))


def main() -> None:
    """Answer messages until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not end up among the answers
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, inbox), daemon=True).start()
    job = _Job(b"")
    while True:
        number, item = decode(inbox.get())
        if number is None:
            job = _Job(inbox.get())
        else:
            send(answers, _answer(job, number, item))


def _listen(pipe: IO[bytes], inbox: queue.SimpleQueue[bytes]) -> None:
    """Pass messages on, and end the worker at once, busy or not, when the parent is gone."""
    while (content := receive(pipe)) is not None:
        inbox.put(content)
    os._exit(0)


def _answer(job: _Job, number: int, item: bytes) -> bytes:
    try:
        return encode((number, True, job(item), ""))
    except BaseException as error:
        return encode((number, False, _portable(error), traceback.format_exc()))


def _portable(error: BaseException) -> BaseException:
    """`error` itself where it survives the journey, else its type and words."""
    try:
        decode(encode(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
