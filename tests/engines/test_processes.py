"""The engine of worker processes: what happens when things are killed, and what workers may not do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iatros.core.errors import IatrosError, LimitError
from iatros.core.progress import SilentProgress
from iatros.engines.processes import ProcessEngine, usable_cores

JOBS = """
import os, signal, sys, time

LOADED = []

class Shared:
    def __init__(self): self.pickled = 0
    def __getstate__(self):
        self.pickled += 1
        return {"pickled": self.pickled}
    def __setstate__(self, state):
        LOADED.append(1)

def who(shared, item):
    time.sleep(0.01)
    return os.getpid(), len(LOADED)

def die(shared, item):
    if item == shared: os.kill(os.getpid(), signal.SIGKILL)
    return item

def leave(shared, item): os._exit(3)

def environment(shared, item):
    return {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")}

def chatter(shared, item):
    print("from print"); sys.stdout.flush(); os.write(1, b"from write\\n"); os.system("echo from child")
    return item

def secret(shared, item): return lambda: 1

def fail_late(shared, item):
    if item == 0:
        time.sleep(0.05); raise ValueError("early")
    time.sleep(60)
    return item

def note_pid(shared, item):
    with open(shared, "a") as file: file.write(f"{os.getpid()}\\n")
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "iatros_process_jobs.py").write_text(JOBS)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def jobs(folder: Path) -> Any:
    import importlib

    return importlib.import_module("iatros_process_jobs")


@pytest.fixture
def engine(jobs: Any) -> Iterator[ProcessEngine]:
    with ProcessEngine(2) as opened:
        yield opened


def run(engine: ProcessEngine, function: Any, items: Any, shared: Any = None) -> list[Any]:
    return engine.map(function, items, shared, progress=SilentProgress(), label="work")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().split(")")[1].split()[0] == "Z")


def gone(pids: set[int], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def test_workers_are_kept_between_maps_and_shared_is_sent_once(engine: ProcessEngine, jobs: Any) -> None:
    shared = jobs.Shared()
    first = run(engine, jobs.who, range(12), shared)
    second = run(engine, jobs.who, range(12), shared)
    assert shared.pickled == 2  # once a map, not once an item
    assert {count for _, count in first} == {1}
    assert {pid for pid, _ in second} <= {pid for pid, _ in first}
    assert os.getpid() not in {pid for pid, _ in first}
    assert len({pid for pid, _ in first}) == 2


def test_closing_ends_the_workers(jobs: Any) -> None:
    engine = ProcessEngine(2)
    pids = {pid for pid, _ in run(engine, jobs.who, range(6))}
    assert all(alive(pid) for pid in pids)
    engine.close()
    assert gone(pids)
    engine.close()
    assert run(engine, jobs.die, [1]) == [1]  # it starts again when asked
    engine.close()


def test_forgetting_to_close_leaves_nothing_behind(jobs: Any) -> None:
    engine = ProcessEngine(1)
    pids = {pid for pid, _ in run(engine, jobs.who, [1])}
    del engine
    assert gone(pids)


def test_no_more_workers_than_items(jobs: Any) -> None:
    with ProcessEngine(8) as engine:
        run(engine, jobs.who, [1, 2])
        assert len(engine._pool) == 2
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("victim", [0, 3])
def test_a_killed_worker_is_an_error_that_says_memory(engine: ProcessEngine, jobs: Any, victim: int) -> None:
    with pytest.raises(LimitError, match="ended by signal 9; probably the memory ran out"):
        run(engine, jobs.die, range(6), victim)
    assert run(engine, jobs.die, range(6)) == list(range(6))


def test_a_worker_that_leaves_is_an_error(engine: ProcessEngine, jobs: Any) -> None:
    with pytest.raises(IatrosError, match="with status 3"):
        run(engine, jobs.leave, range(3))


def test_an_error_cancels_the_rest_at_once(engine: ProcessEngine, jobs: Any) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match="early") as caught:
        run(engine, jobs.fail_late, range(10))
    assert time.monotonic() - started < 10
    assert "fail_late" in "".join(caught.value.__notes__)  # where in the worker it happened


def test_workers_compute_with_one_thread(engine: ProcessEngine, jobs: Any) -> None:
    assert set(run(engine, jobs.environment, [1])[0].values()) == {"1"}


def test_what_workers_print_stays_off_standard_output(folder: Path) -> None:
    code = (
        "import iatros_process_jobs as jobs\n"
        "from iatros.core.progress import SilentProgress\n"
        "from iatros.engines import open_engine\n"
        "engine = open_engine('processes', 2)\n"
        "print(engine.map(jobs.chatter, range(3), None, progress=SilentProgress(), label='x'))\n"
    )
    done = start(code, stdin=False)
    out, err = done.communicate(timeout=60)
    assert out == "[0, 1, 2]\n"
    assert err.count("from print") == err.count("from write") == err.count("from child") == 3


@pytest.mark.parametrize("stdin", [True, False])
def test_a_script_needs_no_main_guard(folder: Path, tmp_path: Path, stdin: bool) -> None:
    code = (
        "import iatros_process_jobs as jobs\n"
        "from iatros.core.progress import SilentProgress\n"
        "from iatros.engines import open_engine\n"
        "print(open_engine('processes', 2).map(jobs.die, range(4), None, progress=SilentProgress(), label='x'))\n"
    )
    if stdin:
        done = start(code, stdin=True)
        out, err = done.communicate(code, timeout=60)
    else:
        script = tmp_path / "script.py"
        script.write_text(code)
        done = start(None, stdin=False, script=script)
        out, err = done.communicate(timeout=60)
    assert out == "[0, 1, 2, 3]\n", err


def test_a_function_of_the_script_itself_is_refused(jobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def local(shared: Any, item: Any) -> Any:
        return item

    with ProcessEngine(1) as engine:
        monkeypatch.setattr(local, "__module__", "__main__")
        with pytest.raises(TypeError, match="must live in a module"):
            run(engine, local, [1])
        assert engine._pool == []


def test_an_answer_or_an_item_that_cannot_travel_is_an_error(engine: ProcessEngine, jobs: Any) -> None:
    with pytest.raises(Exception, match=r"[Pp]ickle"):
        run(engine, jobs.secret, [1])
    with pytest.raises(Exception, match=r"[Pp]ickle"):
        run(engine, jobs.die, [lambda: 1])
    assert run(engine, jobs.die, [7]) == [7]


def start(code: str | None, *, stdin: bool, script: Path | None = None) -> subprocess.Popen[str]:
    command = ["-"] if stdin else [str(script)] if script else ["-c", code or ""]
    return subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_this_process(folder: Path, tmp_path: Path, how: signal.Signals) -> None:
    """Interrupted, killed or terminated while workers are busy for a minute: they end at once."""
    pids_file = tmp_path / "pids"
    code = (
        "import iatros_process_jobs as jobs\n"
        "from iatros.core.progress import SilentProgress\n"
        "from iatros.engines import open_engine\n"
        f"open_engine('processes', 2).map(jobs.note_pid, range(4), {str(pids_file)!r}, "
        "progress=SilentProgress(), label='x')\n"
    )
    process = start(code, stdin=False)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not pids_file.exists() or pids_file.read_text().count("\n") < 2):
        time.sleep(0.02)
    pids = {int(line) for line in pids_file.read_text().split()}
    assert len(pids) == 2
    process.send_signal(how)
    _, err = process.communicate(timeout=20)
    assert process.returncode != 0
    assert gone(pids)
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in err
