"""What every engine promises: it gives what a plain loop gives, whatever the number of workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iatros.core.engine import Engine
from iatros.core.errors import FitError, RequestError, SplitError, TableError, UnknownNameError
from iatros.core.progress import SilentProgress
from iatros.engines import DEFAULT_ENGINE, ENGINES, open_engine

JOBS = """
import time
import numpy as np
from iatros.core.errors import FitError, TableError

def draw(shared, item):
    rng = np.random.default_rng([item, shared["seed"]])
    time.sleep(0.002 * (item % 3))  # later items overtake earlier ones
    return {"item": item, "draw": rng.normal(size=3), "text": shared["text"]}

def solve(shared, item):
    from threadpoolctl import threadpool_limits
    with threadpool_limits(1):
        return np.linalg.lstsq(shared[item:], shared[item:, 0] ** 2, rcond=None)[0]

def fail(shared, item):
    time.sleep(0.1 if item == 2 else 0.0)  # the first failing item is the slowest to fail
    if item == 2:
        raise TableError("text in a numeric column", hint="fix it", where="x.csv, row 2", cell="abc")
    if item in (3, 5):
        raise FitError(f"item {item}")
    return item

class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")

def fail_as(shared, item):
    raise {"value": ValueError("v"), "zero": ZeroDivisionError(), "key": KeyError("k"), "exit": SystemExit(3),
           "stop": StopIteration(), "odd": Odd(1, 2)}[item]

def nothing(shared, item):
    return None
"""

CASES = [("serial", None), ("processes", 1), ("processes", 2), ("processes", 3)]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A module of jobs, in a folder that workers can import from too."""
    import importlib
    import sys

    folder = tmp_path_factory.mktemp("jobs")
    (folder / "iatros_engine_contract_jobs.py").write_text(JOBS)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("iatros_engine_contract_jobs")
    sys.path.remove(str(folder))


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def engine(request: pytest.FixtureRequest, jobs: Any) -> Iterator[Engine]:
    opened = open_engine(*request.param)
    yield opened
    opened.close()


def run(engine: Engine, function: Any, items: Any, shared: Any = None, progress: Any = None) -> list[Any]:
    return engine.map(function, items, shared, progress=progress or SilentProgress(), label="work")


def test_every_engine_is_tested() -> None:
    assert {name for name, _ in CASES} == set(ENGINES)


def test_it_equals_a_plain_loop_to_the_bit(engine: Engine, jobs: Any) -> None:
    shared = {"seed": 5, "text": "Köln"}
    expected = [jobs.draw(shared, item) for item in range(20)]
    found = run(engine, jobs.draw, range(20), shared)
    assert [one["item"] for one in found] == list(range(20))
    for one, other in zip(found, expected, strict=True):
        assert one["draw"].tobytes() == other["draw"].tobytes()
        assert one["text"] == other["text"]


def test_linear_algebra_too(engine: Engine, jobs: Any) -> None:
    X = np.random.default_rng(0).normal(size=(400, 30))
    found = run(engine, jobs.solve, [0, 1, 7], X)
    for item, one in zip([0, 1, 7], found, strict=True):
        assert one.tobytes() == jobs.solve(X, item).tobytes()


def test_no_items_and_no_answer(engine: Engine, jobs: Any) -> None:
    assert run(engine, jobs.draw, []) == []
    assert run(engine, jobs.nothing, ["only"]) == [None]


def test_the_error_is_that_of_the_first_item_that_fails(engine: Engine, jobs: Any) -> None:
    with pytest.raises(TableError) as caught:
        run(engine, jobs.fail, range(40))
    error = caught.value
    assert (error.message, error.hint, error.where, error.cell) == (
        "text in a numeric column", "fix it", "x.csv, row 2", "abc",
    )  # fmt: skip
    with pytest.raises(FitError, match="item 5"):
        run(engine, jobs.fail, [0, 5, 2, 3])
    assert run(engine, jobs.fail, [0, 1, 4]) == [0, 1, 4]  # it can be used again


@pytest.mark.parametrize(
    ("item", "kind"),
    [("value", ValueError), ("zero", ZeroDivisionError), ("key", KeyError), ("exit", SystemExit)],
)
def test_errors_keep_their_type(engine: Engine, jobs: Any, item: str, kind: type[BaseException]) -> None:
    with pytest.raises(kind):
        run(engine, jobs.fail_as, [item])


def test_an_error_that_cannot_travel_keeps_its_words(engine: Engine, jobs: Any) -> None:
    with pytest.raises(Exception, match="1 and 2"):
        run(engine, jobs.fail_as, ["odd"])


def test_progress_is_told(engine: Engine, jobs: Any) -> None:
    class Told:
        seen: tuple[str, int | None] = ("", None)
        done = 0

        def advance(self, count: int = 1) -> None:
            self.done += count

        @contextmanager
        def step(self, label: str, total: int | None = None) -> Iterator[Any]:
            self.seen = (label, total)
            yield self

        def note(self, message: str) -> None:
            raise AssertionError(message)

    told = Told()
    run(engine, jobs.draw, range(7), {"seed": 0, "text": ""}, told)
    assert told.seen == ("work", 7)
    assert told.done == 7


def test_names_and_numbers_are_checked() -> None:
    with pytest.raises(UnknownNameError, match="did you mean processes"):
        open_engine("process")
    with pytest.raises(RequestError, match="at least 1"):
        open_engine("processes", 0)
    with pytest.raises(RequestError, match="one worker, got 4"):
        open_engine("serial", 4)
    assert open_engine().name == DEFAULT_ENGINE
    assert open_engine("processes").workers >= 1


def test_a_split_error_made_by_real_code_crosses(engine: Engine) -> None:
    """The real functions of the library are importable by workers without any preparation."""
    from iatros.core.splits import bootstrap_rows

    groups = np.array(["a", "b", "b", "c"])
    found = run(engine, bootstrap_rows, [1, 2], groups)
    for seed, one in zip([1, 2], found, strict=True):
        assert np.array_equal(one[0], bootstrap_rows(groups, seed)[0])
    with pytest.raises(SplitError, match="patient column is empty"):
        run(engine, bootstrap_rows, [1], np.array(["a", None], dtype=object))


def test_resamples_of_real_data(engine: Engine, shared_data: Path) -> None:
    """Bootstrap of the four hospitals: the same draws on every engine."""
    from iatros.core.splits import bootstrap_rows
    from iatros.risk.dataset_tables import load_heart_disease

    sites = load_heart_disease(shared_data / "uci_heart_disease")["site"].to_numpy()
    found = run(engine, bootstrap_rows, range(5), sites)
    sizes = [len(rows) for rows, _ in found]
    assert sizes == [len(bootstrap_rows(sites, seed)[0]) for seed in range(5)]
