"""Public datasets by name: where each one is, its hash, licence and citation, and how to read it.

`get` puts a dataset in one cache folder (IATROS_DATA, by default ~/.iatros/data): the publisher's files,
each checked against its SHA-256 before it gets its name, and beside them a table with a header and a data
dictionary, ready for training.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from iatros.core.domain import load
from iatros.core.errors import RequestError, StorageError, UnknownNameError, unknown_name
from iatros.core.runs import home_folder
from iatros.core.storage import write_file

MAX_BYTES = 2 * 2**30
TIMEOUT_SECONDS = 60.0
_CHUNK = 2**20


@dataclass(frozen=True)
class CardFile:
    """One file of a dataset. `urls` are tried in order; whatever the place, the hash decides."""

    name: str
    urls: tuple[str, ...]
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Published:
    """A number that others reached on the dataset."""

    metric: str
    value: float
    source: str


@dataclass(frozen=True)
class Card:
    """A public dataset.

    `loader` is `"module:function"`; the function takes the folder that holds `files` and returns a polars
    DataFrame. An embedded dataset has no files: it ships inside a dependency, and the folder is ignored.
    """

    name: str
    title: str
    domain: str
    page: str
    """The publisher's page."""
    licence: str
    citation: str
    loader: str
    files: tuple[CardFile, ...] = ()
    published: tuple[Published, ...] = ()
    embedded: bool = False
    notes: str = ""
    dictionary: dict[str, Any] = field(default_factory=dict)
    """The data dictionary that goes with the table, as `--dictionary` reads it."""

    def summary(self) -> dict[str, Any]:
        """All but the dictionary, as plain values."""
        document = asdict(self)
        del document["dictionary"]
        return document


class Cards:
    """Cards by name; a name twice is refused."""

    def __init__(self, cards: Sequence[Card]) -> None:
        self._cards: dict[str, Card] = {}
        for card in cards:
            if card.name in self._cards:
                raise RequestError(f"the dataset name {card.name!r} is taken", hint="choose another name")
            self._cards[card.name] = card

    def __iter__(self) -> Iterator[Card]:
        return iter(self._cards.values())

    def __getitem__(self, name: str) -> Card:
        if name not in self._cards:
            raise unknown_name("dataset", name, self._cards)
        return self._cards[name]

    def names(self) -> list[str]:
        """All names, in order."""
        return list(self._cards)


def data_folder() -> Path:
    """The cache of datasets; it need not exist yet."""
    return Path(os.environ.get("IATROS_DATA") or home_folder() / "data")


def read(card: Card, folder: Path | None = None) -> Any:
    """The table of `card` (polars DataFrame), from `folder` or the cache, after its files were checked."""
    folder = folder or data_folder() / card.name
    verify(card, folder)
    return load(card.loader)(folder)


def get(card: Card) -> dict[str, Any]:
    """Fetch what is not in the cache, check it, and write the table and its dictionary.

    Returns `name`, `folder`, `table` and `dictionary` (paths; the latter null where the card has none),
    `n_rows`, `n_columns`, `licence` and `citation`.
    """
    folder = data_folder() / card.name
    for file in card.files:
        if not _intact(folder / file.name, file):
            write_file(folder / file.name, _fetch(file), overwrite=True)
    frame = read(card, folder)
    text = io.BytesIO()
    frame.write_csv(text)
    table = write_file(folder / _table_name(card), text.getvalue(), overwrite=True)
    dictionary = None
    if card.dictionary:
        # JSON is YAML too, and needs no further package to write
        content = json.dumps(card.dictionary, indent=2, ensure_ascii=False).encode() + b"\n"
        dictionary = str(write_file(folder / f"{card.name}.dictionary.yaml", content, overwrite=True))
    return {
        "name": card.name,
        "folder": str(folder),
        "table": str(table),
        "dictionary": dictionary,
        "n_rows": frame.shape[0],
        "n_columns": frame.shape[1],
        "licence": card.licence,
        "citation": card.citation,
    }


def _table_name(card: Card) -> str:
    """A name that none of the publisher's files has, or the table would take the place of one."""
    name = f"{card.name}.csv"
    return f"{card.name}.table.csv" if name in {file.name for file in card.files} else name


def verify(card: Card, folder: Path | None = None) -> dict[str, Any]:
    """Each file of `card` with its hash; raises where one is missing or differs."""
    folder = folder or data_folder() / card.name
    for file in card.files:
        path = folder / file.name
        if not path.is_file():
            raise UnknownNameError(
                f"the file {file.name} of the dataset {card.name} is not there",
                where=str(folder),
                hint=f"iatros data get {card.name}",
            )
        if not _intact(path, file):
            raise RequestError(
                f"the file differs from the SHA-256 of the dataset {card.name}",
                where=str(path),
                hint="delete it and get the dataset again",
            )
    return {
        "name": card.name,
        "folder": None if card.embedded else str(folder),
        "valid": True,
        "files": [{"name": file.name, "sha256": file.sha256, "bytes": file.bytes} for file in card.files],
    }


def _intact(path: Path, file: CardFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.bytes:
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256


def _fetch(file: CardFile) -> bytes:
    """The bytes of `file` from the first place that has them; nothing else is ever kept."""
    tried = []
    for url in file.urls:
        if not url.startswith("https://"):
            raise RequestError("datasets are fetched over https only", where=file.name)
        try:
            content = _download(url, file.bytes)
        except (OSError, ValueError, http.client.HTTPException) as error:
            tried.append(f"{url}: {getattr(error, 'reason', None) or error}")
            continue
        if hashlib.sha256(content).hexdigest() == file.sha256:
            return content
        tried.append(f"{url}: other bytes than the card's SHA-256")
    raise StorageError(
        "the file could not be fetched (" + ("; ".join(tried) or "the card names no place") + ")",
        where=file.name,
        hint=f"put it by hand into {data_folder()} under the dataset's name, then verify",
    )


def _download(url: str, size: int) -> bytes:
    """At most `size` bytes of `url`; a longer answer is an error, and so is leaving https on the way."""
    if size > MAX_BYTES:
        raise ValueError(f"the card's {size} bytes are more than the {MAX_BYTES} allowed")
    content = bytearray()
    with _open(url) as answer:
        if not answer.geturl().startswith("https://"):
            raise ValueError("the server led away from https")
        while chunk := answer.read(_CHUNK):
            content += chunk
            if len(content) > size:
                raise ValueError(f"more than the {size} bytes of the card")
    return bytes(content)


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The next request, or an error where it would leave https."""
        if not newurl.startswith("https://"):
            raise urllib.error.URLError("the server led away from https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(url: str) -> Any:
    opener = urllib.request.build_opener(_OnlyHttps)
    request = urllib.request.Request(url, headers={"User-Agent": "iatros"})  # noqa: S310 - https, checked above
    return opener.open(request, timeout=TIMEOUT_SECONDS)
