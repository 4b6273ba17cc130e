"""A searchable library of compounds on disk: built in one pass over any number of them, opened in milliseconds.

A folder of plain arrays that are mapped into memory, never a pickle:

* `index.json`: format, fingerprint, RDKit's version, number of compounds, the source in the caller's words, what was
  refused;
* `bits.npy` (n, words), `folded.npy` (8, n), `rows.npy` (n,), `starts.npy`: the `SearchIndex`;
* `text.bin`, `ends.npy` (n,), `lines.npy` (n,): SMILES and name of each row as given, and its line in the source.

While it is built, memory holds one portion of compounds and some twenty bytes for each of the rest.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from iatros.core.engine import Engine, SerialEngine
from iatros.core.errors import InputError, NotABundleError
from iatros.core.progress import Progress, SilentProgress
from iatros.core.storage import Scratch, write_folder
from iatros.learners.compounds import loops
from iatros.learners.compounds.fingerprints import (
    BATCH,
    BIT_KINDS,
    Features,
    Fingerprint,
    compute,
    rdkit_version,
)
from iatros.learners.compounds.packing import bit_counts, n_words
from iatros.learners.compounds.tanimoto import SearchIndex, order_by_count

FORMAT = 1
MOST_REFUSED = 1000
"""So many refused compounds are listed; the rest is only counted."""
_ROWS = 1 << 16
_NO_MORE_THAN_HEAD = 128
"""Bytes of the head of an array's file: what has no more holds an empty array, which cannot be mapped."""
_ARRAYS = ("bits", "folded", "rows", "starts", "ends", "lines")


class Entry(NamedTuple):
    """One compound of a library: its structure, what it is called there, and in which line it stands.

    A `refusal` says why its reader could not even give a structure; it is counted with those that RDKit refuses.
    """

    smiles: str
    name: str
    line: int
    refusal: str = ""


@dataclass(frozen=True)
class Library:
    """An open index: `search` finds rows, `entry` says what stands in a row."""

    search: SearchIndex
    fingerprint: Fingerprint
    source: dict[str, Any]
    n_refused: int
    refused: tuple[tuple[int, str], ...]
    text: np.ndarray
    ends: np.ndarray
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.lines)

    def entry(self, row: int) -> Entry:
        """The compound in the row that a search found."""
        if not 0 <= row < len(self):
            raise InputError(f"the library has rows from 0 to {len(self) - 1}, got {row}")
        start = int(self.ends[row - 1]) if row else 0
        smiles, _, name = bytes(self.text[start : int(self.ends[row])]).decode().partition("\t")
        return Entry(smiles, name, int(self.lines[row]))


def build_library(
    entries: Iterable[Entry],
    folder: str | Path,
    fingerprint: Fingerprint | None = None,
    *,
    source: dict[str, Any] | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Library:
    """Write the index of `entries` into `folder`, in place of what was there, and open it.

    Compounds that RDKit cannot read are refused with their line. `source` is anything plain that the caller wants to
    find in the index again. InputError for a fingerprint that is not of bits, StorageError where writing fails.
    """
    fingerprint = fingerprint or Fingerprint()
    if fingerprint.kind not in BIT_KINDS:
        raise InputError(
            f"a library is searched by bits, not by {fingerprint.kind}", hint=", ".join(BIT_KINDS)
        )
    folder = Path(folder).absolute()
    with Scratch(folder.parent) as scratch:
        read = _Read(scratch.folder(), n_words(fingerprint.n_bits))
        with _step(progress) as step:
            for portion in _portions(entries, BATCH * 4 * (engine or SerialEngine()).workers):
                given = ["" if entry.refusal else entry.smiles for entry in portion]
                read.add(portion, compute(given, fingerprint, engine=engine))
                step.advance(len(portion))
        head = {
            "format": FORMAT,
            "fingerprint": asdict(fingerprint),
            "rdkit": rdkit_version(),
            "n": read.n,
            "source": source or {},
            "n_refused": read.n_refused,
            "refused": read.refused,
        }
        read.write(folder, head)
    return open_library(folder)


def open_library(folder: str | Path) -> Library:
    """The index in `folder`, mapped into memory; NotABundleError where it holds none that can be trusted.

    Shapes are compared with the head, and the places that searching relies on are checked; the fingerprints
    themselves are not read. An index written by another version of RDKit is refused, since its bits may mean
    something else.
    """
    folder = Path(folder)
    try:
        head = json.loads((folder / "index.json").read_bytes())
        if head["format"] != FORMAT or head["rdkit"] != rdkit_version():
            raise _refused(folder, "was written by another version")
        fingerprint = Fingerprint(**head["fingerprint"])
        arrays = {name: _mapped(folder / f"{name}.npy") for name in _ARRAYS}
        text = np.asarray(_mapped_bytes(folder / "text.bin"))
        refused = tuple((int(line), str(reason)) for line, reason in head["refused"])
        n, n_refused, source = int(head["n"]), int(head["n_refused"]), dict(head["source"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refused(folder, "cannot be read") from error
    if not _fits(arrays, n, n_words(fingerprint.n_bits), len(text)):
        raise _refused(folder, "is damaged")
    search = SearchIndex(arrays["bits"], arrays["folded"], arrays["rows"], arrays["starts"])
    return Library(search, fingerprint, source, n_refused, refused, text, arrays["ends"], arrays["lines"])


def _refused(folder: Path, why: str) -> NotABundleError:
    return NotABundleError(f"the index of compounds {why}", where=str(folder), hint="build it anew")


def _mapped(path: Path) -> np.ndarray:
    """The array in `path`, mapped so that changes stay in memory: numba has another type for what cannot be written."""
    if path.stat().st_size <= _NO_MORE_THAN_HEAD:
        return np.load(path, allow_pickle=False)
    return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))


def _mapped_bytes(path: Path) -> np.ndarray:
    if path.stat().st_size == 0:
        return np.empty(0, dtype=np.uint8)
    return np.memmap(path, dtype=np.uint8, mode="r")


def _fits(arrays: dict[str, np.ndarray], n: int, width: int, n_text: int) -> bool:
    starts, ends = arrays["starts"], arrays["ends"]
    shapes = {
        "bits": ((n, width), np.uint64),
        "folded": ((loops.FOLDED_WORDS, n), np.uint64),
        "rows": ((n,), np.int64),
        "starts": ((len(starts),), np.int64),
        "ends": ((n,), np.int64),
        "lines": ((n,), np.int64),
    }
    if any(
        arrays[name].shape != shape or arrays[name].dtype != kind for name, (shape, kind) in shapes.items()
    ):
        return False
    if (
        not 2 <= len(starts) <= width * 64 + 2
        or starts[0] != 0
        or starts[-1] != n
        or (np.diff(starts) < 0).any()
    ):
        return False
    return n_text == (int(ends[-1]) if n else 0)


def _portions(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    iterator = iter(entries)
    while portion := list(itertools.islice(iterator, size)):
        yield portion


def _step(progress: Progress | None) -> Any:
    """The step under which compounds are counted while they are read."""
    return (progress or SilentProgress()).step("compounds indexed")


class _Read:
    """What has been read so far: bits and text in files, and for each compound three numbers in memory."""

    def __init__(self, folder: Path, width: int) -> None:
        self._bits = folder / "unsorted.bits"
        self._text = folder / "text.bin"
        self._bits.write_bytes(b"")
        self._text.write_bytes(b"")
        self._width = width
        self._counts: list[np.ndarray] = []
        self._sizes: list[np.ndarray] = []
        self._lines: list[np.ndarray] = []
        self.n = 0
        self.n_refused = 0
        self.refused: list[tuple[int, str]] = []

    def add(self, portion: list[Entry], found: Features) -> None:
        places = found.rows.tolist()
        texts = [f"{portion[place].smiles}\t{portion[place].name}".encode() for place in places]
        with self._bits.open("ab") as file:
            file.write(np.ascontiguousarray(found.values).data)
        with self._text.open("ab") as file:
            file.write(b"".join(texts))
        self._counts.append(bit_counts(found.values).astype(np.int32))
        self._sizes.append(np.array([len(text) for text in texts], dtype=np.int64))
        self._lines.append(np.array([portion[place].line for place in places], dtype=np.int64))
        self.n += len(texts)
        self.n_refused += len(found.refused)
        for place, reason in list(found.refused.items())[: MOST_REFUSED - len(self.refused)]:
            self.refused.append((portion[place].line, portion[place].refusal or reason))

    def write(self, folder: Path, head: dict[str, Any]) -> None:
        nothing = np.empty(0, dtype=np.int64)
        rows, starts = order_by_count(np.concatenate([nothing, *self._counts]).astype(np.int64))
        unsorted = np.empty((0, self._width), np.uint64)
        if self.n:
            unsorted = np.memmap(self._bits, dtype=np.uint64, mode="r", shape=(self.n, self._width))

        def sorted_bits() -> Iterator[np.ndarray]:
            for start in range(0, self.n, _ROWS):
                yield np.ascontiguousarray(unsorted[rows[start : start + _ROWS]])

        def bits(file: BinaryIO) -> None:
            _write_head(file, (self.n, self._width), np.uint64)
            for some in sorted_bits():
                file.write(some.data)

        def folded(file: BinaryIO) -> None:
            _write_head(file, (loops.FOLDED_WORDS, self.n), np.uint64)
            if self.n:
                kept = self._bits.with_name("folded")
                whole = np.memmap(kept, dtype=np.uint64, mode="w+", shape=(loops.FOLDED_WORDS, self.n))
                for number, some in enumerate(sorted_bits()):
                    whole[:, number * _ROWS : number * _ROWS + len(some)] = loops.fold(some)
                whole.flush()
                _copy(kept, file)

        write_folder(
            folder,
            {
                "bits.npy": bits,
                "folded.npy": folded,
                "rows.npy": lambda file: np.save(file, rows, allow_pickle=False),
                "starts.npy": lambda file: np.save(file, starts, allow_pickle=False),
                "ends.npy": lambda file: np.save(
                    file, np.cumsum(np.concatenate([nothing, *self._sizes])), allow_pickle=False
                ),
                "lines.npy": lambda file: np.save(
                    file, np.concatenate([nothing, *self._lines]), allow_pickle=False
                ),
                "text.bin": lambda file: _copy(self._text, file),
                "index.json": json.dumps(head, indent=1).encode(),
            },
        )


def _copy(path: Path, file: BinaryIO) -> None:
    with path.open("rb") as read:
        shutil.copyfileobj(read, file, 1 << 22)


def _write_head(file: BinaryIO, shape: tuple[int, ...], kind: Any) -> None:
    head = {"descr": np.dtype(kind).newbyteorder("<").str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, head)
