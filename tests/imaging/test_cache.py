"""The cache of decoded pixels: same content, same pixels; damage is noticed; several writers do not disturb."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import StorageError, UnknownNameError
from iatros.imaging.cache import CachedPixels, PixelCache, cache_folder, pack_key, pixel_hash


def images() -> list[np.ndarray]:
    return [
        np.arange(15, dtype=np.uint8).reshape(1, 3, 5),
        (np.arange(42, dtype=np.uint16) * 1500).reshape(3, 2, 7),
        np.arange(24, dtype=np.uint16).reshape(1, 4, 2, 3),
    ]


def test_what_was_put_is_found(tmp_path: Path) -> None:
    cache = PixelCache(tmp_path)
    put = cache.put("ab12", images(), {"flags": ["oblique"]})
    found = cache.find("ab12")
    assert found == put
    assert found is not None
    assert found.noticed == {"flags": ["oblique"]}
    store = CachedPixels(found.images)
    for stored, pixels in zip(found.images, images(), strict=True):
        read = store.read(stored.sha256)
        assert read.dtype == pixels.dtype
        assert np.array_equal(read, pixels)
        assert not read.flags.writeable
    assert store.size_bytes() == 15 + 84 + 48
    assert cache.find("cd34") is None


def test_large_packs_are_mapped(tmp_path: Path) -> None:
    large = np.random.default_rng(0).integers(0, 65536, (1, 3, 1100, 900), dtype=np.uint16)
    pack = PixelCache(tmp_path).put("ab", [large], {})
    store = pickle.loads(pickle.dumps(CachedPixels(pack.images)))
    pixels = store.read(pack.images[0].sha256)
    assert type(pixels.base.base).__name__ in ("mmap", "memoryview")
    assert np.array_equal(pixels, large)


@pytest.mark.parametrize("place", [0, 9, 20, 60, -250, -180, -60])
def test_a_damaged_pack_is_not_found(tmp_path: Path, place: int) -> None:
    cache = PixelCache(tmp_path)
    cache.put("ab12", images(), {})
    (path,) = tmp_path.rglob("*.pixels")
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(bytes(content))
    assert cache.find("ab12") is None
    path.write_bytes(bytes(content[:-100]))
    assert cache.find("ab12") is None
    path.write_bytes(b"")
    assert cache.find("ab12") is None


def test_names_say_nothing_and_follow_the_content() -> None:
    key = pack_key("dicom", ["f00d"], {"members": [[0, 0]]}, None)
    assert len(key) == 64
    assert key == pack_key("dicom", ["f00d"], {"members": [[0, 0]]}, None)
    assert (
        len(
            {
                key,
                pack_key("dicom", ["f00d"], {"members": [[0, 0]]}, (40.0, 400.0)),
                pack_key("dicom", ["beef"], {}, None),
            }
        )
        == 3
    )


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 6), columns=st.integers(1, 6))
def test_the_hash_tells_shape_and_type_apart(rows: int, columns: int) -> None:
    flat = np.zeros((1, rows, columns), dtype=np.uint8)
    wide = flat.reshape(1, 1, rows * columns)
    assert (pixel_hash(flat) == pixel_hash(wide)) == (rows == 1)
    assert pixel_hash(flat) != pixel_hash(flat.astype(np.uint16))
    assert pixel_hash(flat.copy(order="F")) == pixel_hash(flat)


def test_several_writers_leave_one_whole_pack(tmp_path: Path) -> None:
    cache = PixelCache(tmp_path)
    threads = [threading.Thread(target=cache.put, args=("ab12", images(), {})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.find("ab12") is not None
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".pixels"]


def test_the_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IATROS_CACHE", str(tmp_path / "fast"))
    assert cache_folder() == tmp_path / "fast"
    monkeypatch.delenv("IATROS_CACHE")
    assert cache_folder() == Path(os.environ["IATROS_HOME"]) / "cache" / "pixels"


def test_where_nothing_can_be_written_the_error_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="name another folder in IATROS_CACHE"):
        PixelCache(tmp_path / "file").put("ab12", images(), {})


def test_unknown_and_vanished_pixels(tmp_path: Path) -> None:
    pack = PixelCache(tmp_path).put("ab12", images(), {})
    store = CachedPixels(pack.images)
    with pytest.raises(UnknownNameError, match="no image of this collection"):
        store.read("0" * 64)
    next(tmp_path.rglob("*.pixels")).unlink()
    with pytest.raises(StorageError, match="emptied while it was in use"):
        store.read(pack.images[0].sha256)
