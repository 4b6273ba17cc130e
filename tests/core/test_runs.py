"""The log of runs: one whole line a run, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iatros.core import runs
from iatros.core.errors import StorageError
from iatros.core.runs import append_run, home_folder, new_run_id, read_runs


def test_append_and_read() -> None:
    assert read_runs() == []
    path = append_run({"run_id": "a", "auroc": np.float64(0.8), "low": float("nan"), "name": "Köln"})
    append_run({"run_id": "b"})
    assert path == home_folder() / "runs.jsonl"
    assert read_runs() == [{"run_id": "a", "auroc": 0.8, "low": None, "name": "Köln"}, {"run_id": "b"}]
    assert read_runs(last=1) == [{"run_id": "b"}]
    assert read_runs(last=0) == []
    assert read_runs(last=9) == read_runs()
    assert len(path.read_text("utf-8").splitlines()) == 2


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append_run({"run_id": "x"}, home=tmp_path / "other")
    assert read_runs(tmp_path / "other") == [{"run_id": "x"}]
    monkeypatch.delenv("IATROS_HOME")
    assert home_folder() == Path.home() / ".iatros"


def test_run_ids_sort_by_time_and_never_repeat() -> None:
    names = [new_run_id() for _ in range(500)]
    assert len(set(names)) == 500
    stamp = datetime.strptime(names[0].split("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - stamp).total_seconds()) < 60


def test_a_newline_in_a_value_stays_in_its_line() -> None:
    append_run({"run_id": "a", "note": "one\ntwo\u2028three"})
    assert read_runs()[0]["note"] == "one\ntwo\u2028three"


def test_a_torn_line_is_told_and_kept_apart() -> None:
    path = append_run({"run_id": "a"})
    with path.open("ab") as file:
        file.write(b'{"run_id": "to')
    append_run({"run_id": "c"})
    found = read_runs()
    assert [record["run_id"] for record in found] == ["a", None, "c"]
    assert found[1]["broken"] == "line 2 is not a record"


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_log_as_it_was(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    path = append_run({"run_id": "a"})
    before = path.read_bytes()

    def fail(_: Any) -> None:
        raise fault

    monkeypatch.setattr(runs.os, "fsync", fail)
    with pytest.raises((StorageError, KeyboardInterrupt)):
        append_run({"run_id": "b"})
    assert path.read_bytes() == before


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="IATROS_HOME"):
        append_run({"run_id": "a"}, home=tmp_path / "file")


def test_what_json_cannot_hold_is_refused_before_anything_is_written() -> None:
    with pytest.raises(TypeError):
        append_run({"run_id": object()})
    assert read_runs() == []


def test_processes_append_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from iatros.core.runs import append_run\n"
        "for k in range(50): append_run({'run_id': f'{sys.argv[2]}-{k}', 'filler': 'x' * 5000}, Path(sys.argv[1]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(k)], env=environment)
        for k in range(3)
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert {json.loads(line)["run_id"] for line in lines} == {f"{k}-{j}" for k in range(3) for j in range(50)}
    assert len(lines) == 150
