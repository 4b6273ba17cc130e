"""Commands run in this process: what is printed where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iatros.cli.entry import run
from iatros.core.bundle import open_bundle


@pytest.fixture
def iatros(clinic, capsys):
    """Run a command; gives its exit code, stdout and stderr."""

    def call(*tokens):
        code = run([str(token) for token in tokens])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_train_prints_the_table_the_notes_and_the_places(iatros, ages, tmp_path):
    code, out, err = iatros("clinic", "train", ages, "--outcome", "age", "--out", tmp_path / "b")
    assert code == 0
    assert "1.000" in out
    assert "mae" in out
    assert "held out" in out
    assert "note: the mean is the same for everyone" in out
    assert f"bundle: {tmp_path / 'b'}" in out
    assert f"report: {tmp_path / 'b' / 'report.html'}" in out
    assert err == ""


def test_json_is_one_document_and_nothing_else(iatros, ages, tmp_path, monkeypatch):
    monkeypatch.setenv("CLINIC_SLOW", "0.001")
    code, out, err = iatros("clinic", "train", ages, "--outcome", "age", "--out", tmp_path / "b", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["center"] == 60.0
    assert document["metrics"]["held_out"]["mae"] == {"value": 1.0, "low": None, "high": 2.0, "n": 3}
    assert "note: step 3" in err


def test_quiet_says_nothing_on_stderr(iatros, ages, tmp_path, monkeypatch):
    monkeypatch.setenv("CLINIC_SLOW", "0.001")
    assert iatros("clinic", "train", ages, "--outcome", "age", "--quiet")[2] == ""


def test_predict_shows_the_first_rows_and_writes_all(iatros, bundle, tmp_path):
    many = tmp_path / "many.csv"
    many.write_text("name,age\n" + "x,1\n" * 30)
    code, out, _ = iatros("clinic", "predict", bundle, many, "--out", tmp_path / "answers.csv")
    assert code == 0
    assert "20 more" in out
    assert f"table: {tmp_path / 'answers.csv'}" in out
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 31


def test_explain_shows_bars(iatros, bundle, ages):
    out = iatros("clinic", "explain", bundle, ages)[1]
    assert "age = 3" in out
    assert "-60.000" in out
    assert "█" in out


@pytest.mark.parametrize(
    ("fail", "code", "message"),
    [
        ("table", 3, "iatros: t.csv, line 3, column age: text in a numeric column (got 'secret-cell')"),
        ("disk", 7, "iatros: No space left on device: somewhere; free space, or choose another place"),
        (
            "fault",
            1,
            "iatros: this is a fault of iatros itself (ZeroDivisionError); run it again with --traceback",
        ),
        ("interrupt", 130, "iatros: interrupted; no output was written"),
    ],
)
def test_each_failure_is_one_line_and_an_exit_code(iatros, ages, tmp_path, fail, code, message):
    got, out, err = iatros("clinic", "train", ages, "--outcome", "age", "--fail", fail)
    assert got == code
    assert out == ""
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert not (tmp_path / "ages-bundle").exists()


def test_errors_are_documents_too_with_json_and_hold_no_cell(iatros, ages):
    code, out, err = iatros("clinic", "train", ages, "--outcome", "age", "--fail", "table", "--json")
    assert code == 3
    error = json.loads(out)["error"]
    assert error == {
        "code": "table",
        "message": "text in a numeric column",
        "where": "t.csv, line 3, column age",
        "hint": None,
    }
    assert "secret-cell" not in out
    assert "secret-cell" in err
    assert json.loads(iatros("clinic", "train", "--nonsense", "--json")[1])["error"]["code"] == "request"


def test_too_little_memory_is_a_limit(iatros, ages, clinic, monkeypatch):
    def too_large(request, context):
        raise MemoryError

    monkeypatch.setattr(clinic, "train", too_large)
    code, _, err = iatros("clinic", "train", ages, "--outcome", "age")
    assert code == 3
    assert "not enough memory" in err


def test_the_traceback_of_a_fault_is_shown_on_request(iatros, ages):
    with pytest.raises(ZeroDivisionError):
        iatros("clinic", "train", ages, "--outcome", "age", "--fail", "fault", "--traceback")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["clinic", "train", "t.csv", "--outcom", "age"], "--outcom is not known; did you mean --outcome"),
        (["clinic", "train", "t.csv", "--outcom=age"], "--outcom is not known; did you mean --outcome"),
        (["clinic", "train", "t.csv", "--zzz"], "--zzz is not known; see --help"),
        (["clinic", "train", "t.csv", "--out-come", "x"], "--out-come is not known; did you mean --outcome"),
        (["clinic", "train", "--outcome", "age"], "TABLE is missing; see --help"),
        (["clinic", "predict"], "MODEL and TABLE is missing"),
        (["clinic", "train", "t.csv"], "--outcome is required"),
        (["clinic", "train", "a.csv", "b.csv", "--outcome", "age"], "1 arguments too many: 'b.csv'"),
        (["clinic", "train", "t.csv", "--outcome"], "--outcome needs a value"),
        (["clinic", "train", "t.csv", "--outcome", "a", "--outcome", "b"], "--outcome is given twice"),
        (
            ["clinic", "train", "t.csv", "--outcome", "a", "--factor", "99"],
            "--factor: Input should be less than",
        ),
        (
            ["clinic", "train", "t.csv", "--outcome", "a", "--factor", "x"],
            "--factor: Input should be a valid number",
        ),
        (
            ["clinic", "train", "t.csv", "--outcome", "a", "--way", "mode"],
            "--way: Input should be 'mean' or 'median'",
        ),
        (["clinic", "train", "t.csv", "--outcome", "a", "--workers", "x"], "--workers"),
        (["clinic", "train", "t.csv", "--outcome", "a", "--engine", "proceses"], "did you mean processes"),
        (["clinic", "explain", "b", "t.csv", "--out", "x"], "--out is not known"),
        (["clinic", "predict", "b", "t.csv", "--resume"], "--resume is not known"),
        (["clinic", "trian"], "no command is called 'trian'; did you mean train"),
        (["clinc"], "no command is called 'clinc'; did you mean clinic"),
        (["models", "show", "forrest"], "no model is called 'forrest'; did you mean forest"),
        (["models", "show"], "needs a value"),
        (["data", "get", "no-such-set"], "no dataset is called 'no-such-set'"),
        (["bundles", "show", "nowhere"], "no bundle is called 'nowhere'"),
        (["bundles", "list", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_every_slip_is_one_line_that_says_what_to_do(iatros, tokens, message):
    code, out, err = iatros(*tokens)
    assert code in (2, 4)
    assert message in err
    assert err.startswith("iatros: ")
    assert err.count("\n") == 1
    assert out == ""


def test_values_keep_what_was_typed(iatros, ages, tmp_path):
    tokens = ["--names", "a,b", "--names", "c", "--param", "x=1,2", "--param=-9", "--names", "-9", "--drop"]
    out = iatros("clinic", "train", ages, "--outcome", "age", "--json", *tokens)[1]
    request = json.loads(out)["request"]
    assert request["names"] == ["a", "b", "c", "-9"]
    assert request["param"] == ["x=1,2", "-9"]
    assert request["drop"] is True


def test_config_gives_fields_and_flags_win(iatros, ages, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text(
        f"table: {ages}\noutcome: age\nfactor: 2\nway: median\ndrop: true\nparam: [a=1, 'b=2,3']\n"
    )
    code, out, _ = iatros("clinic", "train", "--config", config, "--factor", "3", "--no-drop", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["center"] == 150.0
    assert document["request"]["param"] == ["a=1", "b=2,3"]
    assert document["request"]["drop"] is False


def test_resume_from_the_command_line(iatros, ages, tmp_path, monkeypatch):
    tokens = ("clinic", "train", ages, "--outcome", "age", "--resume", "--json")
    monkeypatch.setenv("CLINIC_STOP", "7")
    code, _, err = iatros(*tokens)
    assert code == 130
    assert err.endswith(
        "iatros: interrupted; no output was written; the same command goes on with the work that was kept\n"
    )
    monkeypatch.delenv("CLINIC_STOP")
    code, _, err = iatros(*tokens, "--seed", "4")
    assert code == 6
    assert "differs in seed" in err
    assert json.loads(iatros(*tokens)[1])["steps_done_before"] == 7


def test_engines_give_the_same(iatros, ages, tmp_path):
    centers = []
    for engine in ("serial", "processes"):
        tokens = ("--engine", engine, "--out", tmp_path / engine, "--json")
        centers.append(json.loads(iatros("clinic", "train", ages, "--outcome", "age", *tokens)[1])["center"])
    assert centers == [60.0, 60.0]


def test_bundles_are_listed_shown_and_verified(iatros, bundle):
    code, out, _ = iatros("bundles", "list", bundle.parent, "--json")
    assert code == 0
    assert [one["name"] for one in json.loads(out)["bundles"]] == ["mean"]
    assert "whole" in iatros("bundles", "list", bundle.parent)[1]
    assert json.loads(iatros("bundles", "show", bundle, "--json")[1])["model"] == "mean"
    assert "clinic" in iatros("bundles", "show", bundle)[1]
    assert json.loads(iatros("bundles", "verify", bundle, "--json")[1])["valid"] is True
    assert "mean.safetensors" in iatros("bundles", "verify", bundle)[1]


def test_a_changed_byte_is_exit_code_4(iatros, bundle, ages):
    weights = bundle / "mean.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    for tokens in (("bundles", "verify", bundle), ("clinic", "predict", bundle, ages)):
        code, out, err = iatros(*tokens)
        assert code == 4
        assert "mean.safetensors" in err
        assert out == ""
    assert "BROKEN" in iatros("bundles", "list", bundle.parent)[1]


def test_a_pickle_is_never_opened(iatros, ages, tmp_path):
    import pickle

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    code, _, err = iatros("clinic", "predict", path, ages)
    assert code == 4
    assert "pickle" in err


def test_models_are_listed_and_shown(iatros):
    listed = json.loads(iatros("models", "list", "--json")[1])["models"]
    assert {"name": "mean", "domain": "clinic", "summary": "the mean of the column", "extra": None} in listed
    shown = json.loads(iatros("models", "show", "forest", "--domain", "risk", "--json")[1])
    assert {"n_estimators"} <= {parameter["name"] for parameter in shown["parameters"]}
    assert "forest.n_estimators" in iatros("models", "show", "forest", "--domain", "risk")[1]


def test_datasets_are_listed(iatros):
    found = json.loads(iatros("data", "list", "--json")[1])["datasets"]
    assert {"breast-cancer", "uci-heart-disease"} <= {one["name"] for one in found}
    assert all(one["licence"] for one in found)
    assert "breast-cancer" in iatros("data", "list")[1]


def test_an_embedded_dataset_is_got_and_verified(iatros):
    found = json.loads(iatros("data", "get", "breast-cancer", "--json")[1])
    assert found["n_rows"] == 569
    assert Path(found["table"]).read_text().splitlines()[0].endswith("diagnosis")
    verified = json.loads(iatros("data", "verify", "--json")[1])["datasets"]
    assert [(one["name"], one["valid"]) for one in verified] == [("breast-cancer", True)]


def test_a_dataset_is_copied_where_it_is_asked_for(iatros, tmp_path):
    out = tmp_path / "cancer.csv"
    assert iatros("data", "get", "breast-cancer", "--out", out)[0] == 0
    assert len(out.read_text().splitlines()) == 570
    code, _, err = iatros("data", "get", "breast-cancer", "--out", out)
    assert code == 6
    assert "is there already" in err
    assert iatros("data", "get", "breast-cancer", "--out", out, "--overwrite")[0] == 0
    assert iatros("data", "get", "breast-cancer", "--out", tmp_path / "cancer.xlsx")[0] == 2


def test_a_broken_dataset_in_the_cache_is_named(iatros):
    from iatros.core.cards import data_folder

    assert iatros("data", "verify")[1] == "datasets in the cache: none\n"
    (data_folder() / "support2").mkdir(parents=True)
    code, out, _ = iatros("data", "verify")
    assert code == 2
    assert "support2" in out
    assert "BROKEN" in out
    assert iatros("data", "verify", "support2")[0] == 2


def test_the_doctor_says_what_is_here(iatros):
    found = json.loads(iatros("doctor", "--json")[1])
    assert found["packages"]["numpy"]
    assert "bf16" in iatros("doctor")[1]


def test_help_at_every_level(iatros):
    assert "What is the mean?" in iatros("--help")[1]
    assert "train something" in iatros("clinic", "--help")[1]
    text = " ".join(iatros("clinic", "train", "--help")[1].replace("│", " ").split())
    for said in (
        "Usage: iatros clinic train TABLE --outcome TEXT [OPTIONS]",
        "how: mean, median [default: mean]",
        "multiplies the mean [unit: mg] [default: 1.0]",
        "--drop --no-drop",
        "--config FILE",
        "[default: ./TABLE-bundle]",
    ):
        assert said in text
    assert iatros()[1].startswith("Usage: iatros COMMAND")
    assert iatros("--version")[1].strip()


def test_serve_without_a_key_is_refused(iatros, tmp_path, monkeypatch):
    monkeypatch.delenv("IATROS_API_KEY", raising=False)
    code, _, err = iatros("serve", "--models", tmp_path)
    assert code == 9
    assert "IATROS_API_KEY is not set" in err


def test_the_written_bundle_opens(iatros, ages, tmp_path):
    iatros("clinic", "train", ages, "--outcome", "age")
    assert open_bundle(tmp_path / "ages-bundle").manifest["domain"] == "clinic"


def test_a_flag_of_one_letter_has_its_short_form(iatros, tmp_path):
    library = tmp_path / "library.smi"
    library.write_text("CCO ethanol\nCCCO propanol\nCCCCO butanol\n")
    for flag in ("-k", "--k"):
        code, out, _ = iatros(
            "molecules", "neighbours", "CCCO", library, flag, "2", "--workers", "1", "--json"
        )
        assert code == 0
        assert [one["name"] for one in json.loads(out)["neighbours"]] == ["propanol", "butanol"]
