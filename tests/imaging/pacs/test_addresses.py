"""What is asked of a PACS, and what is not sent to it: addresses, queries, credentials and hostile answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from iatros.core.context import Context
from iatros.core.errors import AuthenticationError, InputError, LimitError, RequestError, StorageError
from iatros.imaging import pacs
from iatros.imaging.pacs import DicomWeb, Dimse, checked_address
from iatros.imaging.sources.dicomweb import _write, fetch_dicomweb, parse_address


class _Answering(BaseHTTPRequestHandler):
    """Answers every request alike and remembers what was asked."""

    status, content_type, body = 200, "application/dicom+json", b"[]"
    seen: list[tuple[str, str | None]]
    location: str | None = None

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def _answer(self) -> None:
        type(self).seen.append((self.path, self.headers.get("Authorization")))
        self.send_response(self.status)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Content-Length", str(len(self.body)))
        if self.location:
            self.send_header("Location", self.location)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[_Answering]]]:
    """The address of a server on loopback, and the class whose attributes say how it answers."""
    handler = type("Handler", (_Answering,), {"seen": []})
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_address[1]}/dicom-web", handler
    listening.shutdown()
    listening.server_close()


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "USER", "PASSWORD"):
        monkeypatch.delenv(f"IATROS_DICOMWEB_{name}", raising=False)


def test_an_address_is_a_root_and_a_query() -> None:
    root, filters, limit = parse_address(
        "https://pacs/dicom-web/?Modality=CT&StudyDate=20240101-20241231&limit=50"
    )
    assert root == "https://pacs/dicom-web/"
    assert filters == {"Modality": "CT", "StudyDate": "20240101-20241231"}
    assert limit == 50
    assert parse_address("https://pacs/x?00100020=7%267")[1] == {"PatientID": "7&7"}


@pytest.mark.parametrize("limit", ["0", "-3", "many", ""])
def test_a_limit_is_a_positive_number(limit: str) -> None:
    with pytest.raises(RequestError, match="limit"):
        parse_address(f"https://pacs/x?limit={limit}")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://user:secret@pacs/dicom-web", "password"),
        ("https://token@pacs/dicom-web", "password"),
        ("ftp://pacs/dicom-web", "https"),
        ("pacs/dicom-web", "https"),
        ("https://", "https"),
        ("https://pacs/dicom-web?x=1", "query"),
    ],
)
def test_addresses_that_are_refused(address: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        checked_address(address)
    assert "secret" not in str(caught.value)


def test_credentials_never_travel_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IATROS_DICOMWEB_TOKEN", "abc")
    with pytest.raises(RequestError, match="unencrypted"):
        DicomWeb("http://pacs.example/dicom-web")
    DicomWeb("https://pacs.example/dicom-web")
    DicomWeb("http://[::1]/dicom-web")
    monkeypatch.delenv("IATROS_DICOMWEB_TOKEN")
    DicomWeb("http://pacs.example/dicom-web")


def test_what_the_environment_says_is_sent(
    server: tuple[str, type[_Answering]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address, handler = server
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc password netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    DicomWeb(address).find_series({})
    monkeypatch.setenv("IATROS_DICOMWEB_USER", "reader")
    monkeypatch.setenv("IATROS_DICOMWEB_PASSWORD", "pw")
    DicomWeb(address).find_series({})
    monkeypatch.setenv("IATROS_DICOMWEB_TOKEN", "abc")
    DicomWeb(address).find_series({})
    assert [sent for _, sent in handler.seen] == [None, "Basic cmVhZGVyOnB3", "Bearer abc"]


def test_a_token_does_not_follow_to_another_host(
    server: tuple[str, type[_Answering]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, handler = server
    elsewhere = ThreadingHTTPServer(("127.0.0.1", 0), type("Other", (_Answering,), {"seen": []}))
    threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
    handler.status = 302
    handler.location = f"http://localhost:{elsewhere.server_address[1]}/series"
    monkeypatch.setenv("IATROS_DICOMWEB_TOKEN", "abc")
    DicomWeb(address).find_series({})
    elsewhere.shutdown()
    elsewhere.server_close()
    assert [sent for _, sent in elsewhere.RequestHandlerClass.seen] == [None]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, AuthenticationError, "IATROS_DICOMWEB_TOKEN"),
        (403, AuthenticationError, "403"),
        (404, InputError, "root of the DICOMweb services"),
        (500, InputError, "failed to find series"),
    ],
)
def test_refusals_are_told(
    server: tuple[str, type[_Answering]], tmp_path: Path, status: int, kind: type[Exception], said: str
) -> None:
    address, handler = server
    handler.status = status
    with pytest.raises(kind, match=said) as caught:
        fetch_dicomweb(f"{address}?PatientID=MRN-778812", tmp_path, Context())
    assert "778812" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>", b'{"a": 1}', b'[{"0020000E": 3}]', b"[[]]"])
def test_an_answer_that_is_not_dicomweb_is_told(
    server: tuple[str, type[_Answering]], tmp_path: Path, body: bytes
) -> None:
    address, handler = server
    handler.body = body
    with pytest.raises(InputError, match="not DICOMweb"):
        fetch_dicomweb(address, tmp_path, Context())


def test_nobody_there_and_an_empty_answer(server: tuple[str, type[_Answering]], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no series matches"):
        fetch_dicomweb(f"{server[0]}?Modality=CT", tmp_path, Context())
    with pytest.raises(InputError, match="cannot be reached"):
        fetch_dicomweb("http://127.0.0.1:1/dicom-web", tmp_path, Context())
    with pytest.raises(StorageError, match="cannot be reached"):
        DicomWeb("http://127.0.0.1:1/dicom-web").store([_instance()])
    assert list(tmp_path.iterdir()) == []


def test_more_series_than_allowed(
    server: tuple[str, type[_Answering]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, handler = server
    one = '{"0020000E": {"vr": "UI", "Value": ["1.2.%d"]}, "0020000D": {"vr": "UI", "Value": ["1.1"]}}'
    handler.body = ("[" + ",".join(one % k for k in range(5)) + "]").encode()
    monkeypatch.setattr(pacs, "MAX_SERIES", 4)
    with pytest.raises(LimitError, match="more than 4 series"):
        DicomWeb(address).find_series({})
    assert len(DicomWeb(address).find_series({}, limit=3)) == 3
    monkeypatch.setattr(pacs, "MAX_SERIES", 40)
    assert len(DicomWeb(address).find_series({})) == 5, (
        "a server that ignores the offset is not asked for ever"
    )


def test_one_refused_object_is_an_answer_not_an_error(server: tuple[str, type[_Answering]]) -> None:
    address, handler = server
    handler.status, handler.body = 409, b"{}"
    (stored,) = DicomWeb(address).store([_instance()])
    assert (stored.status, stored.code) == ("refused", "HTTP 409")
    handler.status = 200
    handler.body = b'{"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [49442]}}]}}'
    (stored,) = DicomWeb(address).store([_instance()])
    assert (stored.status, stored.code) == ("refused", "C122")
    handler.body = b'{"00081199": {"vr": "SQ", "Value": [{"00081196": {"vr": "US", "Value": [45056]}}]}}'
    (stored,) = DicomWeb(address).store([_instance()])
    assert (stored.status, stored.code) == ("warning", "B000")
    handler.status = 401
    with pytest.raises(AuthenticationError):
        DicomWeb(address).store([_instance()])


def _instance(**values: str) -> Dataset:
    from pydicom.dataset import FileMetaDataset

    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = "1.2.3", "1.2.4", "1.2.5"
    for keyword, value in values.items():
        setattr(made, keyword, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    return made


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("uid", ["../../etc/passwd", "..", ".", "", "1.2/3", "/tmp/x", "1" * 65])
def test_a_uid_cannot_lead_out_of_the_folder(tmp_path: Path, uid: str) -> None:
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        with pytest.raises(InputError, match="UID that is none"):
            _write(_instance(**{keyword: uid}), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address",
    ["pacs", "A@pacs", "A@pacs:0", "A@pacs:70000", "a-title-too-long-for-dicom@pacs:104", "@pacs:104"],
)
def test_a_node_is_named_in_one_way(address: str) -> None:
    with pytest.raises(RequestError, match="AE@HOST:PORT"):
        Dimse(address)


def test_a_node_may_have_an_address_of_version_six() -> None:
    node = Dimse("OUR PACS@[::1]:104")
    assert (node.title, node.host, node.port) == ("OUR PACS", "::1", 104)
