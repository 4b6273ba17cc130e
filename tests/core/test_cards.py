"""Dataset cards: nothing enters the cache that does not have the card's hash."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from iatros.core import cards
from iatros.core.cards import Card, CardFile, Cards, data_folder, get, read, verify
from iatros.core.errors import RequestError, StorageError, UnknownNameError

CONTENT = b"age,dead\n61,0\n75,1\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    (tmp_path / "iatros_test_loader.py").write_text(
        "import polars as pl\ndef load(folder): return pl.read_csv(folder / 'raw.csv')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return make_card()


def make_card(*urls: str, embedded: bool = False) -> Card:
    places = urls or ("https://example.org/raw.csv",)
    return Card(
        name="toy",
        title="A toy",
        domain="risk",
        page="https://example.org",
        licence="CC0",
        citation="Nobody, 2026",
        loader="iatros_test_loader:load",
        files=() if embedded else (CardFile("raw.csv", places, SHA256, len(CONTENT)),),
        embedded=embedded,
        dictionary={"columns": {"age": {"kind": "numeric", "unit": "years"}}},
    )


class Answer(io.BytesIO):
    url = "https://example.org/raw.csv"

    def geturl(self) -> str:
        return self.url


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], list[str]]:
    """Answer URLs from a dictionary of bytes, or raise what stands there; returns the URLs that were asked."""

    def start(pages: dict[str, Any]) -> list[str]:
        asked: list[str] = []

        def open_url(url: str) -> Answer:
            asked.append(url)
            page = pages[url]
            if isinstance(page, Exception):
                raise page
            return Answer(page)

        monkeypatch.setattr(cards, "_open", open_url)
        return asked

    return start


def test_get_fetches_once_and_makes_a_table(card: Card, serve: Callable[[dict[str, Any]], list[str]]) -> None:
    asked = serve({"https://example.org/raw.csv": CONTENT})
    found = get(card)
    assert found["n_rows"] == 2
    assert found["n_columns"] == 2
    assert pl.read_csv(found["table"]).rows() == [(61, 0), (75, 1)]
    assert json.loads(Path(found["dictionary"]).read_text()) == card.dictionary
    assert Path(found["folder"]) == data_folder() / "toy"
    assert verify(card)["valid"]
    get(card)
    assert len(asked) == 1
    assert read(card).shape == (2, 2)


def test_the_table_never_takes_the_place_of_a_file_of_the_publisher(
    card: Card, serve: Callable[[dict[str, Any]], list[str]]
) -> None:
    asked = serve({"https://example.org/raw.csv": CONTENT})
    card = dataclasses.replace(card, name="raw")
    assert Path(get(card)["table"]).name == "raw.table.csv"
    get(card)
    assert len(asked) == 1
    assert verify(card)["valid"]


def test_the_dictionary_is_yaml(card: Card, serve: Callable[[dict[str, Any]], list[str]]) -> None:
    import yaml

    serve({"https://example.org/raw.csv": CONTENT})
    assert yaml.safe_load(Path(get(card)["dictionary"]).read_text()) == card.dictionary


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (CONTENT[:-1] + b"0", "other bytes than the card's SHA-256"),
        (CONTENT[:-1], "other bytes than the card's SHA-256"),
        (b"", "other bytes"),
        (CONTENT + b"x", "more than the 19 bytes"),
        (b"x" * 10**7, "more than the 19 bytes"),
        (urllib.error.URLError("no route to host"), "no route to host"),
        (TimeoutError("timed out"), "timed out"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_anything_else_is_refused_and_not_kept(
    card: Card, serve: Callable[[dict[str, Any]], list[str]], page: Any, said: str
) -> None:
    serve({"https://example.org/raw.csv": page})
    with pytest.raises(StorageError, match=said):
        get(card)
    assert not list(data_folder().rglob("*.*"))


def test_the_second_place_is_tried(card: Card, serve: Callable[[dict[str, Any]], list[str]]) -> None:
    places = (
        "https://down.example/raw.csv",
        "https://changed.example/raw.csv",
        "https://good.example/raw.csv",
    )
    asked = serve({places[0]: urllib.error.URLError("down"), places[1]: b"changed", places[2]: CONTENT})
    assert get(make_card(*places))["n_rows"] == 2
    assert asked == list(places)


@pytest.mark.parametrize("url", ["http://example.org/raw.csv", "file:///etc/passwd", "ftp://example.org/x"])
def test_only_https(card: Card, serve: Callable[[dict[str, Any]], list[str]], url: str) -> None:
    asked = serve({url: CONTENT})
    with pytest.raises(RequestError, match="https only"):
        get(make_card(url))
    assert asked == []


def test_a_redirect_away_from_https_is_refused(
    card: Card, serve: Callable[[dict[str, Any]], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = cards._OnlyHttps()
    request = cards.urllib.request.Request("https://example.org/raw.csv")
    with pytest.raises(urllib.error.URLError, match="away from https"):
        handler.redirect_request(request, io.BytesIO(), 302, "Found", {}, "http://example.org/raw.csv")
    followed = handler.redirect_request(
        request, io.BytesIO(), 302, "Found", {}, "https://mirror.example/raw.csv"
    )
    assert followed is not None
    monkeypatch.setattr(Answer, "url", "http://example.org/raw.csv")
    serve({"https://example.org/raw.csv": CONTENT})
    with pytest.raises(StorageError, match="away from https"):
        get(card)


def test_verify_says_what_is_wrong(card: Card, serve: Callable[[dict[str, Any]], list[str]]) -> None:
    with pytest.raises(UnknownNameError, match="iatros data get toy"):
        verify(card)
    serve({"https://example.org/raw.csv": CONTENT})
    get(card)
    raw = data_folder() / "toy" / "raw.csv"
    raw.write_bytes(CONTENT.replace(b"75", b"76"))
    for action in (verify, read):
        with pytest.raises(RequestError, match="differs from the SHA-256"):
            action(card)
    assert get(card)["n_rows"] == 2  # fetched again
    assert raw.read_bytes() == CONTENT


def test_a_card_too_large_is_refused(
    card: Card, serve: Callable[[dict[str, Any]], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "MAX_BYTES", 10)
    serve({"https://example.org/raw.csv": CONTENT})
    with pytest.raises(StorageError, match="more than the 10 allowed"):
        get(card)


def test_names() -> None:
    registry = Cards([make_card()])
    assert registry.names() == ["toy"]
    assert [one.title for one in registry] == ["A toy"]
    with pytest.raises(UnknownNameError, match="did you mean toy"):
        registry["toi"]
    with pytest.raises(RequestError, match="taken"):
        Cards([make_card(), make_card()])


def test_summary_is_plain() -> None:
    summary = make_card().summary()
    assert json.loads(json.dumps(summary))["files"][0]["sha256"] == SHA256
    assert "dictionary" not in summary
