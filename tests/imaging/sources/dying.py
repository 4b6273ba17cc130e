"""A function for workers that ends the process at one of its items."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    name: str
    deadly: bool = False


def doubled(_: None, parts: tuple[Part, ...]) -> list[str]:
    for part in parts:
        if part.deadly:
            os.kill(os.getpid(), signal.SIGSEGV)
    return [part.name * 2 for part in parts]
