"""Where repeated work runs: in this process, or on this machine's cores."""

from __future__ import annotations

from collections.abc import Callable

from iatros.core.engine import Engine, SerialEngine
from iatros.core.errors import RequestError, unknown_name


def _serial(workers: int | None) -> Engine:
    if workers not in (None, 1):
        raise RequestError(
            f"the serial engine has one worker, got {workers}",
            hint="use the engine processes, or leave workers out",
        )
    return SerialEngine()


def _processes(workers: int | None) -> Engine:
    from iatros.engines.processes import ProcessEngine

    return ProcessEngine(workers)


ENGINES: dict[str, Callable[[int | None], Engine]] = {"serial": _serial, "processes": _processes}
"""Each engine by name; every one of them gives what `serial` gives."""


DEFAULT_ENGINE = "processes"
"""What runs where nobody says otherwise; workers start with the first work, so a quick answer has none."""


def open_engine(name: str = DEFAULT_ENGINE, workers: int | None = None) -> Engine:
    """The engine called `name`; `workers` defaults to the number of cores it may use. Close it after use."""
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    if workers is not None and workers < 1:
        raise RequestError(f"workers must be at least 1, got {workers}")
    return ENGINES[name](workers)
