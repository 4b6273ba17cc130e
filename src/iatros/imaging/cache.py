"""Decoded pixels on disk, named by the content they came from, and read back memory-mapped.

A pack is one file: a magic word, length and SHA-256 of a JSON header, the header (type, shape, place and SHA-256
of each image, and what was noticed while decoding), then the pixels. It holds no metadata. Its name is a hash
of the source's bytes, of how they were read, and of `FORMAT`, so nothing about a patient is in the name, and an image
that changed is another pack. Packs are written beside their place and renamed, so that several runs can fill one
cache; one whose pixels no longer have their hash is written anew.

The cache can be deleted at any time. It lies in the folder IATROS_CACHE, by default `cache/pixels` where iatros
keeps what belongs to its user.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import mmap
import os
import shutil
import struct
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.errors import StorageError, UnknownNameError
from iatros.core.kept import write_kept
from iatros.core.runs import home_folder

FORMAT = 1
"""Part of every name: what an older version wrote is not read but written anew."""

_MAGIC = b"IATROSPX"
_LENGTH = struct.Struct("<Q")
_START = len(_MAGIC) + _LENGTH.size + hashlib.sha256().digest_size
_ALIGNED = 64
_MAPPED_BYTES = 4 * 1024**2
"""Smaller packs are read at once: a mapping holds a file descriptor for as long as the pixels are used."""
_MOST_MAPPED = 128


def cache_folder() -> Path:
    """Where decoded pixels are kept; it need not exist yet."""
    return Path(os.environ.get("IATROS_CACHE") or home_folder() / "cache" / "pixels")


@dataclass(frozen=True)
class Stored:
    """One image in a pack."""

    sha256: str
    path: str
    offset: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Pack:
    """The images of one pack, in order, and what was noticed while they were decoded."""

    images: tuple[Stored, ...]
    noticed: dict[str, Any]


def pixel_hash(pixels: np.ndarray) -> str:
    """SHA-256 of type, shape and values: the same image has the same hash whatever file it came from."""
    digest = hashlib.sha256(f"{pixels.dtype.name}{list(pixels.shape)}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def pack_key(*parts: Any) -> str:
    """The name of a pack: a hash of plain values that say what was read and how."""
    return hashlib.sha256(json.dumps([FORMAT, *parts], sort_keys=True).encode()).hexdigest()


class PixelCache:
    """A folder of packs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> Pack | None:
        """The pack called `key` once its pixels were checked; None where there is none or it is damaged."""
        path = self._path(key)
        try:
            content = _whole(path)
        except FileNotFoundError:
            return None
        try:
            pack = _parsed(path, content)
            intact = all(pixel_hash(_view(content, image)) == image.sha256 for image in pack.images)
        except (ValueError, KeyError, TypeError, struct.error):
            return None
        return pack if intact else None

    def put(self, key: str, images: Sequence[np.ndarray], noticed: dict[str, Any]) -> Pack:
        """Write the pack `key`; StorageError where the disk is full or the folder cannot be written."""
        path = self._path(key)
        header = _header(images, noticed)
        write_kept(
            path,
            itertools.chain([header], _bodies(images)),
            what="the cache of pixels could not be written",
            where=self.folder,
            hint="free space, or name another folder in IATROS_CACHE",
        )
        return _parsed(path, header)

    def _path(self, key: str) -> Path:
        return self.folder / f"v{FORMAT}" / key[:2] / f"{key}.pixels"


class CachedPixels:
    """Pixels by hash, from packs: the `PixelStore` of every source."""

    def __init__(self, images: Iterable[Stored], *, temporary: Path | None = None) -> None:
        self._images = {image.sha256: image for image in images}
        self._mapped: OrderedDict[str, Any] = OrderedDict()
        if temporary is not None:  # files of a request, which go when nobody holds their pixels any more
            weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)

    def read(self, sha256: str) -> np.ndarray:
        """Pixels of one image, read-only: uint8 or uint16, (channels, [slices,] rows, columns)."""
        image = self._images.get(sha256)
        if image is None:
            raise UnknownNameError("no image of this collection has that hash", hint="read the source again")
        return _view(self._content(image), image)

    def size_bytes(self) -> int:
        """What the decoded pixels take on the disk, in bytes."""
        return sum(int(np.prod(i.shape)) * np.dtype(i.dtype).itemsize for i in self._images.values())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": OrderedDict()}

    def _content(self, image: Stored) -> Any:
        content = self._mapped.get(image.path)
        if content is None:
            try:
                content = _whole(Path(image.path))
            except FileNotFoundError:
                raise StorageError(
                    "the cache of pixels was emptied while it was in use", hint="read the source again"
                ) from None
            self._mapped[image.path] = content
            while len(self._mapped) > _MOST_MAPPED:
                self._mapped.popitem(last=False)
        else:
            self._mapped.move_to_end(image.path)
        return content


def _whole(path: Path) -> Any:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < _MAPPED_BYTES:
            return file.read()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _view(content: Any, image: Stored) -> np.ndarray:
    count = int(np.prod(image.shape))
    return np.frombuffer(content, dtype=image.dtype, count=count, offset=image.offset).reshape(image.shape)


def _header(images: Sequence[np.ndarray], noticed: dict[str, Any]) -> bytes:
    entries, place = [], 0
    for pixels in images:
        entries.append(
            {
                "sha256": pixel_hash(pixels),
                "dtype": pixels.dtype.name,
                "shape": list(pixels.shape),
                "place": place,
            }
        )
        place += -(-pixels.nbytes // _ALIGNED) * _ALIGNED
    header = json.dumps({"images": entries, "noticed": noticed}).encode()
    header += b" " * (-(_START + len(header)) % _ALIGNED)
    return _MAGIC + _LENGTH.pack(len(header)) + hashlib.sha256(header).digest() + header


def _bodies(images: Sequence[np.ndarray]) -> Iterable[Any]:
    for pixels in images:
        yield np.ascontiguousarray(pixels).data
        yield b"\0" * (-pixels.nbytes % _ALIGNED)


def _parsed(path: Path, content: Any) -> Pack:
    """The header of a pack; ValueError where it is none."""
    if bytes(content[: len(_MAGIC)]) != _MAGIC:
        raise ValueError("not a pack")
    (length,) = _LENGTH.unpack(content[len(_MAGIC) : len(_MAGIC) + _LENGTH.size])
    document = bytes(content[_START : _START + length])
    if hashlib.sha256(document).digest() != content[_START - 32 : _START]:
        raise ValueError("the header is damaged")
    header = json.loads(document)
    images = tuple(
        Stored(e["sha256"], str(path), _START + length + e["place"], e["dtype"], tuple(e["shape"]))
        for e in header["images"]
    )
    return Pack(images, header["noticed"])
