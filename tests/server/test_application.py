from __future__ import annotations

import json
import logging

import pytest
from fastapi.testclient import TestClient

from iatros.core.bundle import open_bundle
from iatros.core.runs import read_runs
from iatros.server import create_app

KEY = "a-key-that-only-tests-know"
ROWS = [{"name": "A", "age": 1}, {"name": "B", "age": 2}]


@pytest.fixture
def client(clinic, bundle):
    app = create_app(bundle.parent, KEY)
    return TestClient(app, headers={"X-API-Key": KEY}, raise_server_exceptions=False)


def ask(client, action="predict", **fields):
    return client.post(f"/clinic/{action}", json={"model": "mean", "table": ROWS, **fields})


def test_predict_over_http(client):
    answer = ask(client, factor=2, subject="name")
    assert answer.status_code == 200
    document = answer.json()
    assert document["predictions"] == [
        {"row": 0, "mean": 120.0, "subject": "A"},
        {"row": 1, "mean": 120.0, "subject": "B"},
    ]
    assert answer.headers["iatros-notice"] == "research software, not a medical device"
    assert answer.headers["cache-control"] == "no-store"
    assert read_runs()[-1]["run_id"] == document["run_id"]


def test_models_are_listed_and_shown_without_paths(client, bundle):
    listed = client.get("/models")
    assert [one["name"] for one in listed.json()["models"]] == ["mean"]
    shown = client.get("/models/mean").json()
    assert shown["domain"] == "clinic"
    assert shown["manifest_sha256"] == listed.json()["models"][0]["manifest_sha256"]
    assert str(bundle.parent) not in listed.text + client.get("/models/mean").text


def test_every_action_that_names_a_model_has_an_address(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert {f"/clinic/{name}" for name in ("predict", "evaluate", "explain", "recalibrate")} <= set(paths)
    assert "/clinic/train" not in paths
    assert {f"/risk/{name}" for name in ("predict", "evaluate", "explain", "recalibrate")} <= set(paths)
    assert client.post("/clinic/train", json={}).status_code == 404
    for action in ("evaluate", "explain"):
        assert ask(client, action).status_code == 200


def test_openapi_describes_the_body_without_paths(client):
    schema = client.get("/openapi.json").json()
    body = schema["paths"]["/clinic/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["model", "table"]
    assert body["additionalProperties"] is False
    assert body["properties"]["table"]["items"] == {"type": "object"}
    assert "codes" not in body["properties"]
    assert schema["components"]["securitySchemes"]["key"]["name"] == "X-API-Key"
    assert "not a medical device" in schema["info"]["description"]
    json.dumps(schema)


def test_recalibrate_makes_a_new_model_by_name(client, bundle):
    answer = ask(client, "recalibrate", factor=3)
    assert answer.status_code == 200
    assert answer.json()["bundle"] == "mean-recalibrate"
    assert str(bundle.parent) not in answer.text
    assert open_bundle(bundle.parent / "mean-recalibrate").manifest["parent"]["name"] == "mean"
    assert ask(client, "recalibrate").status_code == 409
    body = {"model": "mean-recalibrate", "table": ROWS}
    named = client.post("/clinic/recalibrate?save_as=local-2", json=body)
    assert named.json()["bundle"] == "local-2"
    assert (
        client.post("/clinic/predict", json={**body, "model": "local-2"}).json()["predictions"][0]["mean"]
        == 180.0
    )


@pytest.mark.parametrize(
    "name", ["../elsewhere", "a/b", "/etc/passwd", "..", ".hidden", "", "a\x00b", "x" * 200]
)
def test_names_that_are_paths_are_refused(client, name):
    answer = client.post("/clinic/predict", json={"model": name, "table": ROWS})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "request"
    if name and "\x00" not in name:
        saved = client.post(
            "/clinic/recalibrate", params={"save_as": name}, json={"model": "mean", "table": ROWS}
        )
        assert saved.status_code == 422


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"table": "/etc/passwd"}, 422, "list of rows"),
        ({"table": {"age": 1}}, 422, "list of rows"),
        ({"table": [1, 2]}, 422, "list of objects"),
        ({"table": []}, 422, "no rows"),
        ({"codes": "/etc/passwd"}, 422, "codes is a path on the server"),
        ({"model": 3}, 422, "model must be the name"),
        ({"model": "men"}, 404, "no bundle is called 'men'"),
        ({"factor": -1}, 422, "factor: Input should be greater than 0"),
        ({"facto": 1}, 422, "facto is not known, did you mean factor?"),
        ({"subject": 7}, 422, "subject: Input should be a valid string"),
    ],
)
def test_wrong_fields_are_named(client, bundle, fields, status, message):
    answer = ask(client, **fields)
    assert answer.status_code == status
    assert message in answer.json()["error"]["message"]
    assert str(bundle.parent) not in answer.text


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "one JSON object"),
        (b'"text"', "one JSON object"),
        (b'{"model": "mean", "table": [{"age": NaN}]}', "NaN"),
        (b'{"model": "mean", "table": [{"age": -Infinity}]}', "Infinity"),
        (b"\xff\xfe\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_bodies_that_are_no_request(client, body, message):
    answer = client.post("/clinic/predict", content=body)
    assert answer.status_code == 422
    assert message in answer.json()["error"]["message"]


def test_large_bodies_are_refused(clinic, bundle):
    client = TestClient(create_app(bundle.parent, KEY, max_body_bytes=1000), headers={"X-API-Key": KEY})
    body = json.dumps({"model": "mean", "table": ROWS * 100}).encode()
    answer = client.post("/clinic/predict", content=body)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "limit"

    def pieces():
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    assert client.post("/clinic/predict", content=pieces()).status_code == 413


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "missing"),
        ({"X-API-Key": ""}, "missing"),
        ({"X-API-Key": "wrong"}, "wrong"),
        ({"X-API-Key": "ключ".encode()}, "wrong"),
        ({"Authorization": f"Bearer {KEY}"}, None),
        ({"Authorization": f"bearer {KEY}"}, None),
        ({"Authorization": f"Basic {KEY}"}, "missing"),
        ({"Authorization": "Bearer wrong"}, "wrong"),
    ],
)
def test_the_key(clinic, bundle, headers, message):
    client = TestClient(create_app(bundle.parent, KEY))
    for answer in (
        client.get("/models", headers=headers),
        client.post("/clinic/predict", json={"model": "mean", "table": ROWS}, headers=headers),
    ):
        if message is None:
            assert answer.status_code == 200
        else:
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert f"the API key is {message}" == answer.json()["error"]["message"]


def test_what_is_open_without_a_key(clinic, bundle):
    client = TestClient(create_app(bundle.parent, KEY))
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/openapi.json").status_code == 200
    for path in ("/docs", "/redoc", "/", "/models/mean", "/nowhere"):
        assert client.get(path).status_code == 401


def test_other_addresses_and_methods_have_the_same_shape(client):
    for answer, status in (
        (client.get("/nowhere"), 404),
        (client.get("/clinic/predict"), 405),
        (client.delete("/models"), 405),
        (client.get("/models/nothing"), 404),
        (client.get("/models/.."), 404),
        (ask(client, "predict", table=ROWS), 200),
        (client.post("/clinic/predict?save_as=x", json={"model": "mean", "table": ROWS}), 422),
    ):
        assert answer.status_code == status
        if status != 200:
            assert set(answer.json()) == {"error"}
            assert set(answer.json()["error"]) == {"code", "message", "where", "hint"}


def test_a_fault_tells_and_logs_nothing_of_the_patient(client, clinic, monkeypatch, caplog):
    def broken(request, context):
        raise ValueError("patient Miller, age 41")

    monkeypatch.setattr(clinic, "predict", broken)
    with caplog.at_level(logging.DEBUG):
        answer = ask(client)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "Miller" not in answer.text + caplog.text
    assert "ValueError at" in caplog.text
    assert read_runs()[-1]["error"] == "internal"


def test_a_broken_bundle_is_refused_and_listed_as_broken(client, bundle):
    weights = bundle / "mean.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    answer = ask(client)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "tampered-bundle"
    (listed,) = client.get("/models").json()["models"]
    assert listed["valid"] is False
    assert str(bundle.parent) not in listed["reason"]
    assert client.get("/models/mean").status_code == 422


def test_many_calls_at_once_answer_each_its_own(client):
    from concurrent.futures import ThreadPoolExecutor

    def one(number):
        return ask(client, factor=number).json()["predictions"][0]["mean"]

    with client, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(1, 25))) == [60.0 * number for number in range(1, 25)]
