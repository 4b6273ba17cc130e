from __future__ import annotations

import pytest

from iatros.app import execute
from iatros.core.errors import ConflictError, TableError


def train(clinic, table, out, *, fail="no", seed=0):
    request = clinic.TrainRequest(table=table, outcome="age", fail=fail, seed=seed)
    return execute("clinic", "train", request, out=out, resume=True)


@pytest.fixture
def stopped(clinic, ages, tmp_path, monkeypatch):
    """A run that was interrupted after four of its ten steps."""
    monkeypatch.setenv("CLINIC_STOP", "4")
    with pytest.raises(KeyboardInterrupt):
        train(clinic, ages, tmp_path / "b")
    monkeypatch.delenv("CLINIC_STOP")
    return tmp_path / "b.checkpoint"


def test_a_run_goes_on_where_it_stopped(clinic, ages, tmp_path, stopped):
    assert stopped.is_dir()
    assert not (tmp_path / "b").exists()
    result = train(clinic, ages, tmp_path / "b")
    assert result["steps_done_before"] == 4
    assert not stopped.exists()


def test_another_request_is_refused_by_name(clinic, ages, tmp_path, stopped):
    with pytest.raises(ConflictError, match="differs in seed"):
        train(clinic, ages, tmp_path / "b", seed=1)
    assert len(list(stopped.glob("step-*"))) == 4


def test_another_file_of_the_same_name_is_refused(clinic, ages, tmp_path, stopped):
    ages.write_text("name,age\nA,1\n")
    with pytest.raises(ConflictError, match="differs in table"):
        train(clinic, ages, tmp_path / "b")


@pytest.mark.parametrize("kind", ["polars", "pandas", "rows"])
def test_tables_in_memory_are_compared_by_content(clinic, tmp_path, monkeypatch, kind):
    import pandas as pd
    import polars as pl

    make = {"polars": pl.DataFrame, "pandas": pd.DataFrame, "rows": list}[kind]
    monkeypatch.setenv("CLINIC_STOP", "4")
    with pytest.raises(KeyboardInterrupt):
        train(clinic, make([{"age": 1.0}]), tmp_path / "b")
    monkeypatch.delenv("CLINIC_STOP")
    with pytest.raises(ConflictError, match="differs in table"):
        train(clinic, make([{"age": 2.0}]), tmp_path / "b")
    assert train(clinic, make([{"age": 1.0}]), tmp_path / "b")["steps_done_before"] == 4


def test_a_folder_of_someone_else_is_left_alone(clinic, ages, tmp_path):
    (tmp_path / "b.checkpoint").mkdir()
    (tmp_path / "b.checkpoint" / "notes.txt").write_text("mine")
    with pytest.raises(ConflictError, match="not the checkpoint"):
        train(clinic, ages, tmp_path / "b")
    assert (tmp_path / "b.checkpoint" / "notes.txt").read_text() == "mine"


def test_a_run_that_fails_at_once_leaves_no_checkpoint(clinic, ages, tmp_path):
    with pytest.raises(TableError):
        train(clinic, ages, tmp_path / "b", fail="table")
    assert not (tmp_path / "b.checkpoint").exists()


def test_without_resume_a_checkpoint_is_neither_used_nor_touched(clinic, ages, tmp_path, stopped):
    request = clinic.TrainRequest(table=ages, outcome="age")
    result = execute("clinic", "train", request, out=tmp_path / "b")
    assert result["steps_done_before"] == 0
    assert stopped.is_dir()
