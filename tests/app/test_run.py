from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from iatros.app import Means, execute, finish
from iatros.app.domains import load_domain
from iatros.app.outputs import default_bundle
from iatros.core.bundle import open_bundle
from iatros.core.domain import load
from iatros.core.errors import ConflictError, RequestError, StorageError, TableError, UnknownNameError
from iatros.core.progress import SilentProgress
from iatros.core.runs import home_folder, read_runs


class Notes(SilentProgress):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def train(clinic, ages, **means):
    fields = {name: means.pop(name) for name in ("fail", "way", "factor", "seed") if name in means}
    return execute("clinic", "train", clinic.TrainRequest(table=ages, outcome="age", **fields), **means)


def test_a_bundle_is_written_with_the_run_in_it(clinic, ages, tmp_path):
    result = train(clinic, ages, out=tmp_path / "b")
    bundle = open_bundle(tmp_path / "b")
    assert result["bundle"] == str(tmp_path / "b")
    assert result["documents"] == [str(tmp_path / "b" / "report.html")]
    assert bundle.manifest["created"]["run_id"] == result["run_id"]
    assert result["center"] == 60.0
    assert result["metrics"]["held_out"]["mae"]["low"] is None
    json.dumps(result, allow_nan=False)


def test_two_runs_differ_in_the_time_of_creation_only(clinic, ages, tmp_path):
    for name in "ab":
        train(clinic, ages, out=tmp_path / name)
    first, second = (open_bundle(tmp_path / name).manifest for name in "ab")
    assert first.pop("created") != second.pop("created")
    assert first == second


def test_one_line_in_the_run_log_without_patient_data(clinic, ages, tmp_path):
    result = execute(
        "clinic", "train", clinic.TrainRequest(table=[{"age": 41.5}], outcome="age"), out=tmp_path / "b"
    )
    (line,) = read_runs()
    assert line["run_id"] == result["run_id"]
    assert (line["domain"], line["action"], line["status"], line["error"]) == (
        "clinic",
        "train",
        "done",
        None,
    )
    assert line["request"]["table"] == {"rows": 1}
    assert "41.5" not in json.dumps(line)


@pytest.mark.parametrize(
    ("fail", "error", "logged"),
    [
        ("table", TableError, ("failed", "table")),
        ("fault", ZeroDivisionError, ("failed", "internal")),
        ("interrupt", KeyboardInterrupt, ("interrupted", None)),
        ("disk", StorageError, ("failed", "storage")),
    ],
)
def test_a_run_that_fails_writes_nothing_but_its_line(clinic, ages, tmp_path, fail, error, logged):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error):
        train(clinic, ages, fail=fail)
    (line,) = read_runs()
    assert (line["status"], line["error"]) == logged
    assert "secret-cell" not in json.dumps(line)
    home = home_folder()
    assert sorted(path for path in tmp_path.rglob("*") if path != home and home not in path.parents) == before


def test_an_output_that_is_there_is_refused_before_the_work(clinic, ages, bundle):
    clinic.CALLS.clear()
    with pytest.raises(ConflictError, match="is there already"):
        train(clinic, ages, out=bundle)
    assert clinic.CALLS == []


def test_overwrite_replaces_a_bundle_and_nothing_else(clinic, ages, bundle, tmp_path):
    train(clinic, ages, out=bundle, overwrite=True, factor=2)
    assert open_bundle(bundle).manifest["created"]["run_id"] == read_runs()[-1]["run_id"]
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter.txt").write_text("years of work")
    clinic.CALLS.clear()
    with pytest.raises(ConflictError, match="not a bundle"):
        train(clinic, ages, out=precious, overwrite=True)
    assert clinic.CALLS == []
    assert (precious / "chapter.txt").read_text() == "years of work"


def test_a_failed_overwrite_leaves_the_old_bundle_whole(clinic, ages, bundle):
    with pytest.raises(StorageError):
        train(clinic, ages, out=bundle, overwrite=True, fail="bundle-disk")
    open_bundle(bundle)


def test_the_default_bundle_is_named_by_its_input(clinic, ages, bundle, tmp_path):
    assert train(clinic, ages)["bundle"] == "ages-bundle"
    again = execute("clinic", "recalibrate", clinic.AskRequest(model=bundle, table=ages))
    assert again["bundle"] == "mean-recalibrate"
    rows = execute("clinic", "train", clinic.TrainRequest(table=[{"age": 1}], outcome="age"))
    assert rows["bundle"] == "table-bundle"


@pytest.mark.parametrize(
    ("domain", "fields"),
    [
        ("risk", {"table": "study/heart.v2.csv", "outcome": "num"}),
        ("imaging", {"images": "study/heart.v2.csv"}),
        ("molecules", {"compounds": "study/heart.v2.csv", "outcome": "IC50"}),
    ],
)
def test_the_default_bundle_of_every_domain_is_named_by_its_input(domain, fields):
    action = load_domain(domain).action("train")
    assert default_bundle(action, load(action.request)(**fields)) == Path("heart-bundle")


def test_a_table_is_written_where_one_is_asked_for(clinic, ages, bundle, tmp_path):
    request = clinic.AskRequest(model=bundle, table=ages, subject="name")
    assert "table" not in execute("clinic", "predict", request)
    result = execute("clinic", "predict", request, out=tmp_path / "answers.csv")
    assert result["table"] == str(tmp_path / "answers.csv")
    assert (
        tmp_path / "answers.csv"
    ).read_text() == "row,mean,subject\n0,60.0,'=cmd()\n1,60.0,Bo\n2,60.0,-5\n"


def test_a_parquet_table_keeps_its_types(clinic, ages, bundle, tmp_path):
    import polars as pl

    request = clinic.AskRequest(model=bundle, table=ages, subject="name")
    execute("clinic", "predict", request, out=tmp_path / "answers.parquet")
    frame = pl.read_parquet(tmp_path / "answers.parquet")
    assert frame.schema == {"row": pl.Int64, "mean": pl.Float64, "subject": pl.String}
    assert frame["subject"][0] == "=cmd()"


def test_documents_go_to_a_folder(clinic, ages, bundle, tmp_path):
    request = clinic.AskRequest(model=bundle, table=ages)
    assert "documents" not in execute("clinic", "evaluate", request)
    result = execute("clinic", "evaluate", request, out=tmp_path / "external")
    assert result["documents"] == [str(tmp_path / "external" / "report.html")]
    written = json.loads((tmp_path / "external" / "result.json").read_text())
    assert written["metrics"] == result["metrics"]
    with pytest.raises(ConflictError):
        execute("clinic", "evaluate", request, out=tmp_path / "external")
    execute("clinic", "evaluate", request, out=tmp_path / "external", overwrite=True)
    (tmp_path / "other").mkdir()
    with pytest.raises(ConflictError, match="not the output"):
        execute("clinic", "evaluate", request, out=tmp_path / "other", overwrite=True)


@pytest.mark.parametrize(
    ("action", "means", "message"),
    [
        ("explain", {"out": "x"}, "explain writes no file"),
        ("predict", {"out": "x.xlsx"}, "a table is written as .csv or .parquet"),
        ("predict", {"resume": True}, "only a run that writes a bundle"),
        ("predict", {"workers": 0, "engine": "processes"}, "workers"),
    ],
)
def test_means_that_make_no_sense_are_refused(clinic, ages, bundle, action, means, message):
    with pytest.raises(RequestError, match=message):
        execute("clinic", action, clinic.AskRequest(model=bundle, table=ages), **means)


def test_unknown_names_are_refused_with_the_nearest(clinic, ages):
    request = clinic.TrainRequest(table=ages, outcome="age")
    with pytest.raises(UnknownNameError, match="did you mean clinic"):
        execute("clinc", "train", request)
    with pytest.raises(UnknownNameError, match="did you mean train"):
        execute("clinic", "trian", request)
    with pytest.raises(UnknownNameError, match="engine"):
        execute("clinic", "train", request, engine="quantum")
    with pytest.raises(RequestError, match="takes a AskRequest, not a TrainRequest"):
        execute("clinic", "predict", request)


def test_an_unwritable_log_is_a_note_not_a_failure(clinic, ages, tmp_path, monkeypatch):
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    monkeypatch.setenv("IATROS_HOME", str(blocked))
    notes = Notes()
    result = train(clinic, ages, progress=notes)
    assert Path(result["bundle"]).is_dir()
    assert any("run log" in note for note in notes.notes)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_a_storage_error(clinic, ages, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StorageError):
        train(clinic, ages, out=closed / "b")


def test_the_table_comes_beside_the_result(clinic, ages, bundle):
    finished = finish("clinic", "predict", clinic.AskRequest(model=bundle, table=ages), Means())
    assert finished.table == {"row": [0, 1, 2], "mean": [60.0] * 3}
    assert finished.result["n"] == 3
