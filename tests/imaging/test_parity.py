"""The same question about images through Python, the command line and HTTP: the same answer, the same error."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from iatros.app.domains import load_domain
from iatros.app.plain import plain
from iatros.app.python import workbench
from iatros.cli.entry import run
from iatros.core.errors import IatrosError
from iatros.server import create_app

KEY = "a-key-that-only-tests-know"
OF_THE_RUN = {"run_id", "seconds", "documents", "data", "request"}
"""Keys that tell one run from another, or name the source: a folder is one, files inline are none."""

ASKED = [
    ("predict", {}),
    ("predict", {"precision": "int8", "refuse": False}),
    ("evaluate", {"confidence_level": 0.9, "seed": 3}),
    ("explain", {"method": "occlusion", "most": 2}),
]


def write(folder: Path) -> tuple[Path, list[dict[str, str]], Path]:
    """Ten simulated images as a folder and as files of a request, and a table of their labels."""
    from PIL import Image

    from iatros.imaging.simulation import simulate_radiographs

    found = simulate_radiographs(10, 32, 5)
    folder.mkdir()
    files, lines = [], ["path,label"]
    for k, (image, label) in enumerate(zip(found.images, found.labels, strict=True)):
        path = folder / f"{k}.png"
        Image.fromarray(image).save(path)
        files.append({"name": path.name, "content": base64.b64encode(path.read_bytes()).decode()})
        lines.append(f"{path.name},{('clear', 'lesion')[label]}")
    table = folder.with_suffix(".csv")
    table.write_text("\n".join(lines) + "\n")
    return folder, files, table


class World:
    """A bundle, images as a folder and inline, and the three doors."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        self.models = folder / "models"
        self.bundle = self.models / "lesion"
        shutil.copytree(bundle, self.bundle)
        self.folder, self.files, self.table = write(folder / "images")
        self.rows = [
            dict(zip(("path", "label"), line.split(","), strict=True))
            for line in self.table.read_text().splitlines()[1:]
        ]
        self.client = TestClient(create_app(self.models, KEY), headers={"X-API-Key": KEY})
        self.python = workbench("imaging")

    def by_python(self, action: str, images: Any, **fields: Any) -> dict[str, Any]:
        """The result, or the document of the error."""
        try:
            return getattr(self.python, action)(self.bundle, images, **fields)
        except IatrosError as error:
            return error.document() | {"exit": error.exit_code, "status": error.http_status}

    def by_command(self, action: str, **fields: Any) -> dict[str, Any]:
        """What `--json` prints; for an error with the exit code."""
        tokens = ["imaging", action, str(self.bundle), str(self.folder), "--json", "--quiet"]
        for name, value in fields.items():
            flag = f"--{name.replace('_', '-')}"
            tokens += [f"--no-{name}"] if value is False else [flag, str(value)]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(tokens)
        document = json.loads(out.getvalue())
        return document | {"exit": code} if code else document

    def by_http(self, action: str, images: Any, **fields: Any) -> dict[str, Any]:
        """The answer; for an error with the status."""
        answer = self.client.post(f"/imaging/{action}", json={"model": "lesion", "images": images, **fields})
        document = answer.json()
        return document if answer.status_code == 200 else document | {"status": answer.status_code}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, trained: Any):
    folder = tmp_path_factory.mktemp("parity")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IATROS_HOME", str(folder / "home"))
        yield World(folder, trained.bundle)


def the_same(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in OF_THE_RUN}


def test_every_action_that_names_a_model_is_asked_but_the_one_that_writes_what_it_answers():
    known = {action.name for action in load_domain("imaging").actions if action.needs_model}
    assert known - {"findings"} == {action for action, _ in ASKED}


@pytest.mark.parametrize(("action", "fields"), ASKED, ids=str)
def test_answers(world, action, fields):
    of_files = {"table": world.rows} if action == "evaluate" else {}
    of_folder = {"table": world.table} if action == "evaluate" else {}
    by_python = world.by_python(action, world.folder, **fields, **of_folder)
    assert "error" not in by_python
    inline = world.by_python(action, world.files, **fields, **of_files)
    assert the_same(world.by_command(action, **fields, **of_folder)) == the_same(plain(by_python))
    assert the_same(world.by_http(action, world.files, **fields, **of_files)) == the_same(plain(inline))
    if action == "predict":
        key = "probability"
        a, b = ([row[key] for row in found["predictions"]] for found in (by_python, inline))
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"images": "/etc"}, "not a path or an address"),
        ({"images": "https://inside/dicom-web"}, "not a path or an address"),
        ({"images": [{"name": "a.png"}]}, "name and content"),
        ({"images": [{"name": "a.png", "content": "%%%"}]}, "base64"),
        ({"images": [], "dicomweb": "https://inside/dicom-web"}, "dicomweb is an address"),
        ({"images": [], "cstore": "AE@10.0.0.1:104"}, "cstore is an address"),
    ],
)
def test_nobody_sends_the_server_elsewhere(world, fields, said):
    action = "findings" if {"dicomweb", "cstore"} & fields.keys() else "predict"
    answer = world.client.post(f"/imaging/{action}", json={"model": "lesion", **fields})
    assert answer.status_code in (413, 422)
    assert said in answer.json()["error"]["message"]


def test_errors_are_the_same(world):
    rubbish = [{"name": "a.dcm", "content": base64.b64encode(b"not an image").decode()}]
    by_python, by_http = world.by_python("predict", rubbish), world.by_http("predict", rubbish)
    assert by_python["error"] == by_http["error"]
    assert (by_python["status"], by_http["status"]) == (422, 422)
