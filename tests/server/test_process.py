"""The server as a process: what it refuses to start with, and how it stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from iatros.core.errors import (
    AuthenticationError,
    ConflictError,
    MissingExtraError,
    RequestError,
    UnknownNameError,
)
from iatros.server import serve
from iatros.server.process import _is_loopback, key_from_environment

KEY = "a-key-that-only-tests-know"


@pytest.mark.parametrize(
    ("key", "said"), [("", "is not set"), ("short", "16 or more"), ("ключ" * 8, "ASCII")]
)
def test_no_start_without_a_good_key(monkeypatch, tmp_path, key, said):
    monkeypatch.setenv("IATROS_API_KEY", key)
    with pytest.raises(AuthenticationError, match=said):
        serve(tmp_path)


def test_a_good_key_is_taken(monkeypatch):
    monkeypatch.setenv("IATROS_API_KEY", KEY)
    assert key_from_environment() == KEY


def test_a_folder_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("IATROS_API_KEY", KEY)
    with pytest.raises(UnknownNameError, match="no such folder"):
        serve(tmp_path / "nowhere")


def test_a_port_that_is_taken_or_none(monkeypatch, tmp_path):
    monkeypatch.setenv("IATROS_API_KEY", KEY)
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(ConflictError, match="cannot be listened on"),
    ):
        serve(tmp_path, port=other.getsockname()[1])
    with pytest.raises(RequestError, match="between 0 and 65535"):
        serve(tmp_path, port=70000)


def test_a_missing_package_says_what_to_type(monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "iatros.server.process", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'iatros\[serve\]'"):
        serve(tmp_path)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("ward", False)],
)
def test_loopback(host, expected):
    assert _is_loopback(host) is expected


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_answers_and_stops(tmp_path, number, code):
    process = subprocess.Popen(
        [sys.executable, "-m", "iatros", "serve", "--models", str(tmp_path), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "IATROS_API_KEY": KEY},
    )
    try:
        address = process.stderr.readline().split(" at ")[1].split()[0]
        call = urllib.request.Request(f"{address}/models", headers={"X-API-Key": KEY})
        with urllib.request.urlopen(call, timeout=20) as answer:
            assert answer.read() == b'{"models": []}'
            assert "server" not in answer.headers
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{address}/models", timeout=20)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert process.returncode == code
        assert "Traceback" not in err
    finally:
        process.kill()
