"""Spreading work over workers, and the cache in front of the decoders."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.imaging.sources.dying import Part, doubled
from tests.imaging.sources.made_dicom import dicom, ramp, series
from tests.imaging.sources.reading import opened, reasons

from iatros.core.context import Context
from iatros.core.engine import SerialEngine
from iatros.engines import open_engine
from iatros.imaging.schema import Refused
from iatros.imaging.sources import open_collection, raster
from iatros.imaging.sources.decoding import chunks, spread


@given(costs=st.lists(st.integers(0, 10**9), min_size=1, max_size=60), workers=st.integers(1, 8))
def test_every_part_is_in_one_chunk_and_the_first_chunk_is_the_dearest(
    costs: list[int], workers: int
) -> None:
    made = chunks(costs, workers)
    assert sorted(place for chunk in made for place in chunk) == list(range(len(costs)))
    assert costs[made[0][0]] == max(costs)


def test_big_files_go_alone_and_small_ones_together() -> None:
    made = chunks([50_000_000, *[1000] * 30, 90_000_000], workers=2)
    assert made[0] == [31]
    assert made[1] == [0]
    assert all(len(chunk) > 1 for chunk in made[2:])


def test_little_work_goes_in_few_messages() -> None:
    made = chunks([1000] * 131, workers=2)
    assert len(made) < 50
    assert max(len(chunk) for chunk in made) - min(len(chunk) for chunk in made[:-1]) <= 1


def test_what_kills_a_worker_is_refused_and_the_rest_is_done() -> None:
    parts = [Part(f"p{number}", deadly=number == 4) for number in range(9)]
    engine = open_engine("processes", 2)
    try:
        answers = spread(
            doubled, parts, None, Context(engine=engine), label="double", cost=lambda part: 10**7, native=True
        )
    finally:
        engine.close()
    assert answers[4] == Refused(
        "p4", "decoding it ended the worker process: the file is damaged, or the memory does not suffice"
    )
    assert [answer for place, answer in enumerate(answers) if place != 4] == [
        f"p{number}p{number}" for number in range(9) if number != 4
    ]


class Watched(SerialEngine):
    """An engine that notes what it was given, by the label."""

    def __init__(self) -> None:
        self.given: dict[str, list[Any]] = {}

    def map(self, function: Any, items: Any, *rest: Any, label: str, **options: Any) -> list[Any]:
        self.given[label] = [part for chunk in items for part in chunk]
        return super().map(function, items, *rest, label=label, **options)


@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "damaged"])
def test_copies_of_a_file_are_decoded_once_and_answered_each(
    shared_data: Path, tmp_path: Path, damaged: bool
) -> None:
    content = (shared_data / "dicom" / "pydicom_misc" / "emri_small_jpeg_2k_lossless.dcm").read_bytes()
    for name in ("b", "a", "c"):
        beginning = b"\xff\x4f\xff\x51"  # of each codestream
        (tmp_path / f"{name}.dcm").write_bytes(content.replace(beginning, b"1234") if damaged else content)
    engine = Watched()
    found = opened(tmp_path, context=Context(engine=engine))
    assert len(engine.given["decode images"]) == 1
    answers = found.refused if damaged else found.records
    assert [one.name for one in answers] == ["a.dcm", "b.dcm", "c.dcm"]
    if damaged:
        assert len(set(reasons(found).values())) == 1
    else:
        assert len({record.sha256 for record in found.records}) == 1
        assert found.pixels(found.records[2]).shape == found.records[0].shape


def test_what_takes_longest_is_begun_first(shared_data: Path, tmp_path: Path) -> None:
    """Lossless JPEG 2000 takes longer than lossy of as many pixels, and a series as many times as it has files."""
    for name in ("US1_J2KI.dcm", "US1_J2KR.dcm", "emri_small_RLE.dcm"):
        shutil.copy(shared_data / "dicom" / "pydicom_misc" / name, tmp_path)
    series(tmp_path, [float(place) for place in range(12)])
    engine = Watched()
    opened(tmp_path, context=Context(engine=engine))
    names = [unit.name for unit in engine.given["decode images"]]
    lossless, lossy, slices, small = (
        next(place for place, name in enumerate(names) if word in name)
        for word in ("US1_J2KR", "US1_J2KI", "1.2.", "emri")
    )
    assert lossless < lossy
    assert lossless < slices < small


@pytest.mark.parametrize(("file", "in_a_worker"), [("MR2_J2KR.dcm", True), ("CT_small.dcm", False)])
def test_a_codec_that_may_crash_runs_in_a_worker_however_small_the_file(
    shared_data: Path, file: str, in_a_worker: bool
) -> None:
    engine = Watched()
    found = open_collection(shared_data / "dicom" / "pydicom_misc" / file, Context(engine=engine))
    assert len(found.records) == 1
    assert ("decode images" in engine.given) == in_a_worker


def test_a_second_run_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (150, 211), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    first = opened(tmp_path)

    def must_not(*_: Any) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(raster, "decode", must_not)
    second = opened(tmp_path)
    assert second.records == first.records
    assert np.array_equal(second.pixels(second.records[2]), first.pixels(first.records[2]))
    with pytest.raises(AssertionError, match="decoded again"):
        opened(tmp_path, window="100,50")


def test_a_second_run_of_dicom_is_much_faster(shared_data: Path) -> None:
    folder = shared_data / "dicom" / "pydicom_misc"
    took = []
    for _ in range(3):
        start = time.process_time()
        opened(folder)
        took.append(time.process_time() - start)
    assert min(took[1:]) < took[0] / 2


def test_a_damaged_entry_is_decoded_anew(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.mktemp("damaged")
    dicom(tmp_path / "a.dcm", ramp(30, 41))
    before = opened(tmp_path, cache=cache)
    good = before.pixels(before.records[0]).copy()
    (pack,) = cache.rglob("*.pixels")
    content = bytearray(pack.read_bytes())
    content[-100] ^= 1
    pack.write_bytes(bytes(content))
    after = opened(tmp_path, cache=cache)
    assert after.records == before.records
    assert np.array_equal(after.pixels(after.records[0]), good)


def test_a_changed_file_is_another_image(tmp_path: Path) -> None:
    dicom(tmp_path / "a.dcm", ramp(), WindowCenter=7, WindowWidth=15)
    before = opened(tmp_path).records[0].sha256
    dicom(tmp_path / "a.dcm", ramp(start=2), WindowCenter=7, WindowWidth=15)
    assert opened(tmp_path).records[0].sha256 != before


def test_the_cache_holds_nothing_of_the_patient(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("private")
    series(tmp_path, [0.0, 1.0], PatientID="SECRET-1", PatientName="Secret^Name", StudyInstanceUID="9.8.7")
    (record,) = opened(tmp_path, cache=cache).records
    assert record.subject == "SECRET-1"
    (pack,) = [path for path in cache.rglob("*") if path.is_file()]
    content = pack.read_bytes() + str(pack).encode()
    assert b"SECRET" not in content.upper()
    assert b"9.8.7" not in content
