"""The same question through Python, the command line and HTTP: the same answer, the same error."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from iatros.app.domains import load_domain
from iatros.app.plain import plain
from iatros.app.python import workbench
from iatros.cli.entry import run
from iatros.core.bundle import open_bundle
from iatros.core.errors import IatrosError
from iatros.server import create_app

KEY = "a-key-that-only-tests-know"
OF_THE_RUN = {"run_id", "seconds", "bundle", "documents"}
"""Keys that tell one run from another, or say where a door wrote."""

ASKED = [
    ("predict", {}),
    ("predict", {"subject": "patient"}),
    ("evaluate", {}),
    ("evaluate", {"subject": "patient", "subgroup": ["sex"], "confidence_level": 0.9, "seed": 3}),
    ("explain", {"row": 2, "top": 2}),
    ("explain", {"seed": 1}),
    ("recalibrate", {"method": "intercept"}),
    ("recalibrate", {"subject": "patient", "seed": 5}),
]


def patients(n: int, seed: int) -> list[dict[str, Any]]:
    """Lopsided patients: more than one row for some, missing values, a rare level, 30 % events."""
    draw = random.Random(seed)
    rows = []
    for number in range(n):
        age = round(draw.gauss(60, 12), 1)
        marker = None if draw.random() < 0.1 else round(draw.expovariate(0.5), 3)
        sex = "female" if draw.random() < 0.3 else "male"
        odds = 0.06 * (age - 70) + 0.5 * (marker or 1.0) - 0.4 * (sex == "female")
        died = "yes" if draw.random() < 1 / (1 + 2.718281828**-odds) else "no"
        rows.append({"patient": f"p{number // 2}", "age": age, "marker": marker, "sex": sex, "died": died})
    return rows


def write(rows: list[dict[str, Any]], path: Path) -> Path:
    """`rows` as CSV."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


class World:
    """A folder with one trained bundle, local patients, and the three doors to ask through."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.bundle = self.models / "mortality"
        self.rows = patients(80, seed=2)
        self.table = write(self.rows, folder / "local.csv")
        self.client = TestClient(create_app(self.models, KEY), headers={"X-API-Key": KEY})
        self.python = workbench("risk")
        self.runs = 0

    def out(self, action: str) -> dict[str, Path]:
        """A new place for an action that must write; only bundles must."""
        self.runs += 1
        return {"out": self.folder / f"out-{self.runs}"} if action == "recalibrate" else {}

    def by_python(self, action: str, table: Any, **fields: Any) -> dict[str, Any]:
        """The result, or the document of the error."""
        model = fields.pop("model", self.bundle)
        try:
            return getattr(self.python, action)(model, table, **fields, **self.out(action))
        except IatrosError as error:
            return error.document() | {"exit": error.exit_code, "status": error.http_status}

    def by_command(self, action: str, table: Path, **fields: Any) -> dict[str, Any]:
        """What `--json` prints; for an error with the exit code."""
        tokens = ["risk", action, str(fields.pop("model", self.bundle)), str(table), "--json", "--quiet"]
        for name, value in {**fields, **self.out(action)}.items():
            for one in value if isinstance(value, list) else [value]:
                tokens += [f"--{name.replace('_', '-')}", str(one)]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(tokens)
        document = json.loads(out.getvalue())
        return document | {"exit": code} if code else document

    def by_http(self, action: str, rows: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        """The answer; for an error with the status."""
        self.runs += 1
        query = {"save_as": f"saved-{self.runs}"} if action == "recalibrate" else {}
        body = {"model": "mortality", "table": rows, **fields}
        answer = self.client.post(f"/risk/{action}", json=body, params=query)
        document = answer.json()
        return document if answer.status_code == 200 else document | {"status": answer.status_code}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("parity")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IATROS_HOME", str(folder / "home"))
        table = write(patients(400, seed=1), folder / "train.csv")
        asked = {
            "outcome": "died",
            "positive": "yes",
            "subject": "patient",
            "model": "logistic",
            "instability": 0,
        }
        workbench("risk").train(table, out=folder / "models" / "mortality", **asked)
        yield World(folder)


def the_same(result: dict[str, Any], *, source: bool = True) -> dict[str, Any]:
    """`result` without what tells one run from another, and without the name of the table unless `source`."""
    kept = {key: value for key, value in result.items() if key not in OF_THE_RUN}
    return kept if source else without_tables({key: value for key, value in kept.items() if key != "data"})


def without_tables(value: Any) -> Any:
    """`value` without the entries that name a table."""
    if isinstance(value, dict):
        return {key: without_tables(item) for key, item in value.items() if key != "table"}
    return [without_tables(item) for item in value] if isinstance(value, list) else value


def test_every_action_that_names_a_model_is_asked():
    known = {action.name for action in load_domain("risk").actions if action.needs_model}
    assert known == {action for action, _ in ASKED}


@pytest.mark.parametrize(
    ("action", "fields"), ASKED, ids=lambda one: one if isinstance(one, str) else ",".join(one)
)
def test_answers(world, action, fields):
    from_file = world.by_python(action, world.table, **fields)
    assert "error" not in from_file
    from_rows = world.by_python(action, world.rows, **fields)
    assert the_same(world.by_command(action, world.table, **fields)) == the_same(from_file)
    assert the_same(world.by_http(action, world.rows, **fields)) == the_same(plain(from_rows))
    assert the_same(from_file, source=False) == the_same(from_rows, source=False)


def test_training_gives_the_same_bundle_by_command_and_by_python(world):
    """And twice: the same data and seed give the same bytes, and the same manifest but for its creation."""
    out = world.folder / "by-command"
    tokens = ["--outcome", "died", "--positive", "yes", "--subject", "patient", "--model", "logistic"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        table = str(world.folder / "train.csv")
        code = run(["risk", "train", table, *tokens, "--instability", "0", "--out", str(out), "--json"])
    assert code == 0
    first, second = open_bundle(world.bundle), open_bundle(out)
    assert {**first.manifest, "created": None} == {**second.manifest, "created": None}
    document = json.loads(printed.getvalue())
    assert document["bundle"] == str(out)
    assert document["metrics"] == second.manifest["metrics"]
    assert document["run_id"] == second.manifest["created"]["run_id"]


def without(name):
    return lambda rows: [{key: value for key, value in row.items() if key != name} for row in rows]


def with_cell(name, value):
    return lambda rows: [rows[0], {**rows[1], name: value}, *rows[2:]]


WRONG_TABLES = {
    "a column is missing": without("age"),
    "a column is too much": lambda rows: [{**row, "surprise": 1} for row in rows],
    "text in a numeric column": with_cell("age", "secret-cell"),
}


@pytest.mark.parametrize("change", WRONG_TABLES.values(), ids=WRONG_TABLES)
@pytest.mark.parametrize("action", ["predict", "explain"])
def test_errors_of_tables(world, action, change, tmp_path):
    rows = change(world.rows)
    table = write(rows, tmp_path / "wrong.csv")
    from_file, from_rows = world.by_python(action, table), world.by_python(action, rows)
    by_command, by_http = world.by_command(action, table), world.by_http(action, rows)
    assert by_command["error"] == from_file["error"]
    assert by_http["error"] == from_rows["error"]
    assert by_command["exit"] == from_file["exit"] == from_rows["exit"] == 3
    assert by_http["status"] == from_rows["status"] == 422
    assert from_file["error"]["code"] == from_rows["error"]["code"] == "schema"
    assert "secret-cell" not in json.dumps([by_command, by_http])


def test_errors_of_empty_tables(world, tmp_path):
    table = tmp_path / "empty.csv"
    table.write_text("patient,age,marker,sex\n")
    codes = {
        world.by_python("predict", table)["error"]["code"],
        world.by_command("predict", table)["error"]["code"],
        world.by_python("predict", [])["error"]["code"],
        world.by_http("predict", [])["error"]["code"],
    }
    assert codes == {"table"}


WRONG_FIELDS = [
    ("predict", {"subject": "nobody"}),
    ("evaluate", {"confidence_level": 2}),
    ("evaluate", {"subgroup": ["nothing"]}),
    ("explain", {"row": -1}),
    ("explain", {"row": 10_000}),
    ("recalibrate", {"method": "magic"}),
]


@pytest.mark.parametrize(("action", "fields"), WRONG_FIELDS, ids=str)
def test_errors_of_fields(world, action, fields):
    answers = [
        world.by_python(action, world.rows, **fields),
        world.by_command(action, world.table, **{name: value for name, value in fields.items()}),
        world.by_http(action, world.rows, **fields),
    ]
    assert len({answer["error"]["code"] for answer in answers}) == 1
    messages = {
        answer["error"]["message"].replace("--", "").replace("confidence-level", "confidence_level")
        for answer in answers
    }
    assert len(messages) == 1
    assert answers[1]["exit"] == answers[0]["exit"]
    assert answers[2]["status"] == answers[0]["status"]


def test_errors_of_unknown_fields_name_the_nearest(world):
    by_python = world.by_python("evaluate", world.rows, subgrup=["sex"])
    by_http = world.by_http("evaluate", world.rows, subgrup=["sex"])
    by_command = world.by_command("evaluate", world.table, subgrup="sex")
    assert by_python["error"] == by_http["error"]
    for answer in (by_python, by_http, by_command):
        assert answer["error"]["code"] == "request"
        assert "subgroup" in f"{answer['error']['message']} {answer['error']['hint']}"


def test_errors_of_models(world):
    broken = world.models / "broken"
    shutil.copytree(world.bundle, broken, dirs_exist_ok=True)
    weights = next(path for path in broken.iterdir() if path.suffix == ".safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    for name, code in (("broken", "tampered-bundle"), ("mortalty", "unknown-name")):
        by_python = world.by_python("predict", world.rows, model=world.models / name)
        by_command = world.by_command("predict", world.table, model=world.models / name)
        by_http = world.by_http("predict", world.rows, model=name)
        assert by_python["error"] == by_command["error"] == by_http["error"]
        assert by_python["error"]["code"] == code
        assert by_python["exit"] == by_command["exit"]
        assert by_python["status"] == by_http["status"]
