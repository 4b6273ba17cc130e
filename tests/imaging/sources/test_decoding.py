"""Spreading work over workers, and the cache in front of the decoders."""

from __future__ import annotations

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
from tests.imaging.sources.reading import opened

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


@pytest.mark.parametrize(("file", "in_a_worker"), [("MR2_J2KR.dcm", True), ("CT_small.dcm", False)])
def test_a_codec_that_may_crash_runs_in_a_worker_however_small_the_file(
    shared_data: Path, file: str, in_a_worker: bool
) -> None:
    labels = []

    class Spy(SerialEngine):
        def map(self, *given: Any, label: str, **options: Any) -> list[Any]:
            labels.append(label)
            return super().map(*given, label=label, **options)

    found = open_collection(shared_data / "dicom" / "pydicom_misc" / file, Context(engine=Spy()))
    assert len(found.records) == 1
    assert ("decode images" in labels) == in_a_worker


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
