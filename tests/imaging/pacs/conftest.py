"""Orthanc, a real PACS, started on loopback with a folder and ports of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_PLUGINS = ("/usr/share/orthanc/plugins", "/usr/lib/orthanc", "/usr/lib/x86_64-linux-gnu/orthanc")
_START_SECONDS = 60


@dataclass(frozen=True)
class Pacs:
    """Where the PACS listens."""

    http_port: int
    dicom_port: int

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    @property
    def node(self) -> str:
        return f"ORTHANC@127.0.0.1:{self.dicom_port}"


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pacs]:
    """A PACS that lets everyone in."""
    yield from _orthanc(tmp_path_factory.mktemp("orthanc"))


@pytest.fixture(scope="module")
def guarded_pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pacs]:
    """A PACS that wants the user `reader` with the password `schlüssel`."""
    yield from _orthanc(tmp_path_factory.mktemp("orthanc-guarded"), {"reader": "schlüssel"})


def _orthanc(folder: Path, users: dict[str, str] | None = None) -> Iterator[Pacs]:
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
    found = [path for place in _PLUGINS for path in Path(place).glob("libOrthancDicomWeb.so*")]
    if program is None or not found:
        if os.environ.get("CI"):
            pytest.fail("orthanc and orthanc-dicomweb must be installed in CI")
        pytest.skip("Orthanc or its DICOMweb plugin is not installed")
    where = Pacs(_free_port(), _free_port())
    settings: dict[str, Any] = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": where.http_port,
        "DicomPort": where.dicom_port,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": users is not None,
        "RegisteredUsers": users or {},
        "UnknownSopClassAccepted": True,
        "Plugins": [str(found[0])],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, str(folder / "settings.json")], stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
        try:
            _wait(where, process, folder / "log")
            yield where
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(where: Pacs, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the PACS answers; an answer of 401 is one too."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"Orthanc ended at once: {log.read_text(errors='replace')[-2000:]}")
        try:
            urllib.request.urlopen(f"{where.web}/studies", timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(
        f"Orthanc did not answer within {_START_SECONDS} s: {log.read_text(errors='replace')[-2000:]}"
    )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
