"""The action findings: documents of every image, answers of the PACS, and nothing that a gate has refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pydicom
import pytest
from tests.imaging.explanation.hand_built import IMAGE, SEQUENCE, VOLUME, corner

from iatros.core.conformal import ConformalInterval, ConformalSet
from iatros.core.context import Context
from iatros.core.errors import InputError, RequestError, StorageError
from iatros.core.task import Target
from iatros.imaging import reporting
from iatros.imaging.answering import Answers
from iatros.imaging.pacs import Stored
from iatros.imaging.reporting_answers import safe_name, target_answer, time_of
from iatros.imaging.reporting_masks import coloured, mask_answer, size_of
from iatros.imaging.reporting_overlays import Overlays, Picture, _source_slices
from iatros.imaging.requests import FindingsRequest
from iatros.imaging.schema import Collection, ImageRecord, InputSpec, Refused

RUN = "20261126T101010Z-0123456789ab"
TARGET = Target("lesion", "binary", ("absent", "present"))
RULE = ConformalSet(0.9, np.array([0.8, 0.6]))


class _Drawn:
    """Stands in for the network: one grey picture, and the middle slice."""

    def __init__(self, *_: Any) -> None:
        self.drawn = 0

    def draw(self, row: int) -> Picture:
        return Picture(np.full((40, 30, 3), 60 + row, dtype=np.uint8), (1,), "present")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A model that finds a lesion in the first image and refuses the second; the images are the real ones."""
    bundle = SimpleNamespace(
        name="liver-bundle",
        manifest_sha256="cd" * 32,
        manifest={
            "domain": "imaging",
            "model": "resnet",
            "task": "binary",
            "target": "lesion",
            "request": {"window": None},
            "network": {"slicewise": False},
            "chosen_thresholds": [
                {"name": "sensitivity 0.95", "threshold": 0.1},
                {"name": "youden", "threshold": 0.4},
            ],
        },
    )
    state = SimpleNamespace(bundle=bundle, rejects=set())

    def answer(_: Any, collection: Collection, __: Context) -> Answers:
        n = len(collection.records)
        model = SimpleNamespace(targets=(TARGET,), conformal=(RULE,), objective="cross-entropy")
        findings = tuple(
            (SimpleNamespace(severity="refuse", message="far too dark", code="dark"),)
            if k in state.rejects
            else ()
            for k in range(n)
        )
        return Answers(
            model=model,  # type: ignore[arg-type]
            records=collection.records,
            predictions=(np.linspace(0.875, 0.2, n),),
            logits=np.zeros((n, 2)),
            features=np.zeros((n, 3)),
            spread=np.zeros(n),
            slice_weights=None,
            slice_predictions=None,
            slice_owner=None,
            findings=findings,  # type: ignore[arg-type]
            refused=(*collection.refused, Refused("odd.dcm", "three channels")),
        )

    monkeypatch.setattr(reporting, "open_imaging", lambda _: bundle)
    monkeypatch.setattr(reporting, "answer_collection", answer)
    monkeypatch.setattr(reporting, "Overlays", _Drawn)
    return state


def _run(images: Any, **fields: Any) -> Any:
    request = FindingsRequest(model="bundle", images=images, **fields)
    return reporting.findings(request, Context(run_id=RUN))


def test_documents_carry_the_run_and_the_answer(asked: Any, shared_data: Path) -> None:
    produced = _run(shared_data / "dicom" / "ct_series_torchio")
    (row,) = produced.result["findings"]
    assert row["status"] == "written"
    assert "probability 0.875 (at or above the threshold of 0.4)" in row["conclusion"]
    assert [one["kind"] for one in row["objects"]] == ["sc", "sr"]
    assert any("no SEG" in note for note in row["notes"])
    assert sorted(produced.documents) == row["documents"]
    assert {name.split("/")[0] for name in produced.documents} == {"fhir", "sc", "sr"}
    for name, content in produced.documents.items():
        if name.endswith(".json"):
            assert json.loads(content)["identifier"]["value"] == RUN
            continue
        made = pydicom.dcmread(io.BytesIO(content))
        assert RUN in made.SeriesDescription
        assert made.PatientID == "123456"
        assert made.InstanceCreationDate == "20261126"
        assert made.SOPInstanceUID in {one["sop_instance_uid"] for one in row["objects"]}
    assert produced.result["refused"] == [{"name": "odd.dcm", "reason": "three channels"}]
    assert (produced.result["n"], produced.result["n_written"], produced.result["n_stored"]) == (1, 1, 0)


def test_a_refused_image_gets_a_reason_and_no_documents(
    asked: Any, shared_data: Path, tmp_path: Path
) -> None:
    from PIL import Image

    for k in range(2):
        pixels = np.arange(7 * 5, dtype=np.uint8).reshape(7, 5) * (k + 1)
        Image.fromarray(pixels).save(tmp_path / f"{k}.png")
    asked.rejects = {1}
    produced = _run(tmp_path)
    first, second = produced.result["findings"]
    assert first["status"] == "written"
    assert any("pseudonymous patient" in note for note in first["notes"])
    assert (second["status"], second["reason"], second["documents"]) == ("refused", "far too dark", [])
    assert all("/0001" in name for name in produced.documents)
    assert any("quality gate" in note for note in produced.result["notes"])


def test_de_identified_documents_name_nobody(
    asked: Any, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IATROS_DEIDENTIFICATION_KEY", "a key of several words")
    folder = shared_data / "dicom" / "mr_series_hippocampus_crop"
    produced = _run(folder, deidentify=True)
    for content in produced.documents.values():
        for told in (b"Avasarala", b"PGBM-002", b"8701449723783444", b"4429.7055", b"hippocampus"):
            assert told not in content
    capture = pydicom.dcmread(
        io.BytesIO(next(content for name, content in produced.documents.items() if name.startswith("sc/")))
    )
    assert capture.PatientIdentityRemoved == "YES"
    assert capture.PatientID.startswith("ANON-")
    removed = {row["keyword"]: row["n"] for row in produced.result["removed"]}
    assert removed["PatientName"] == 32
    assert produced.documents == _run(folder, deidentify=True).documents
    assert "several words" not in json.dumps(produced.result)


def test_unknown_documents_are_told_before_anything_is_read(asked: Any) -> None:
    with pytest.raises(RequestError, match="pdf"):
        _run(Path("absent"), objects=["sr", "pdf"])


class _Node:
    """A PACS of which the test says how it answers."""

    place = "ARCHIVE@pacs:104"
    answers: tuple[str, ...] = ("stored", "refused")
    error: Exception | None = None

    def __init__(self, _: str) -> None:
        self.echoed = False

    def echo(self) -> None:
        self.echoed = True

    def store(self, objects: list[Any]) -> list[Stored]:
        if self.error is not None:
            raise self.error
        return [
            Stored(str(one.SOPClassUID), str(one.SOPInstanceUID), self.place, status, "0000")
            for one, status in zip(objects, self.answers, strict=True)
        ]


def test_what_the_pacs_said_is_listed_for_each_object(
    asked: Any, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "Dimse", _Node)
    produced = _run(shared_data / "dicom" / "ct_series_torchio", cstore="ARCHIVE@pacs:104")
    (row,) = produced.result["findings"]
    assert [one["stored"] for one in row["objects"]] == [
        [{"place": "ARCHIVE@pacs:104", "status": "stored", "code": "0000"}],
        [{"place": "ARCHIVE@pacs:104", "status": "refused", "code": "0000"}],
    ]
    assert produced.result["n_stored"] == 1
    assert any("1 of 2 objects were not stored" in note for note in produced.result["notes"])
    monkeypatch.setattr(_Node, "error", StorageError("the node went away"))
    with pytest.raises(StorageError, match="none of 2 objects"):
        _run(shared_data / "dicom" / "ct_series_torchio", cstore="ARCHIVE@pacs:104")


def test_a_pacs_that_is_not_there_stops_the_run_before_it_begins(asked: Any) -> None:
    with pytest.raises(StorageError, match="cannot be reached"):
        _run(Path("absent"), cstore="ARCHIVE@127.0.0.1:1")


def test_answers_of_targets() -> None:
    said = target_answer(TARGET, RULE, 0.75, 0.5)
    assert said.probabilities == (0.25, 0.75)
    assert said.conformal_set == ("absent", "present")
    assert said.crossed is True
    grade = Target("grade", "multiclass", ("low", "middle", "high"))
    said = target_answer(grade, ConformalSet(0.8, np.array([0.5, 0.5, 0.5])), [0.1, 0.7, 0.2], None)
    assert (said.predicted, said.conformal_set, said.crossed) == ("middle", ("middle",), None)
    age = Target("age", "continuous", unit="years")
    said = target_answer(age, ConformalInterval(0.9, np.array([-3.0, 5.0])), 61.0, None)
    assert (said.value, said.interval) == (61.0, (58.0, 66.0))
    said = target_answer(age, ConformalInterval(0.9, np.array([-np.inf, np.inf])), 61.0, None)
    assert said.interval is None


def test_slices_of_the_input_are_found_again_in_the_source() -> None:
    record = ImageRecord("x", "0" * 64, (1, 30, 8, 9))
    volume = InputSpec("volume", 1, (10, 4, 4))
    assert _source_slices(record, volume).tolist() == [1, 4, 7, 10, 13, 16, 19, 22, 25, 28]
    series = InputSpec("sequence", 1, (4, 4), max_slices=4)
    assert _source_slices(record, series).tolist() == [0, 10, 19, 29]


def _asked(spec: InputSpec, pixels: np.ndarray, **fields: Any) -> tuple[Collection, Any]:
    record = ImageRecord("x", "0" * 64, pixels.shape)
    collection = Collection("nifti", (record,), (), SimpleNamespace(read=lambda _: pixels))
    model = SimpleNamespace(targets=(TARGET,), objective="cross-entropy", spec=spec, table=None)
    given = {"slice_weights": None, "slice_predictions": None, "slice_owner": None, **fields}
    return collection, SimpleNamespace(
        model=model, records=(record,), predictions=(np.array([0.75]),), **given
    )


def _overlays(
    monkeypatch: pytest.MonkeyPatch,
    spec: InputSpec,
    collection: Collection,
    answers: Any,
    *,
    slicewise: bool = False,
) -> Overlays:
    network = corner(spec)
    monkeypatch.setattr("iatros.imaging.rebuilding.network_from_bundle", lambda _: network)
    bundle: Any = SimpleNamespace(manifest={"network": {"slicewise": slicewise}})
    return Overlays(bundle, collection, answers, "gradcam")


def _warm(rgb: np.ndarray) -> np.ndarray:
    """Where a grey image has got a colour."""
    return np.ptp(rgb.astype(int), axis=2) > 20


def test_the_heat_lies_where_the_network_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = IMAGE.size
    pixels = np.full((1, rows, columns), 90, dtype=np.uint8)
    pixels[0, 2:9, columns - 7 : columns - 1] = 255
    overlays = _overlays(monkeypatch, IMAGE, *_asked(IMAGE, pixels))
    picture = overlays.draw(0)
    assert picture.rgb.shape == (rows, columns, 3)
    assert (picture.key_slices, picture.answer) == ((), "present")
    warm = _warm(picture.rgb)
    assert warm.any()
    assert not warm[rows // 2 :].any()
    assert not warm[:, : columns // 2].any()


def test_of_a_volume_the_hottest_slice_is_shown_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    slices, rows, columns = VOLUME.size
    pixels = np.full((1, 3 * slices, rows, columns), 60, dtype=np.uint8)
    pixels[0, 3:6, 1:5, columns - 5 :] = 255
    picture = _overlays(monkeypatch, VOLUME, *_asked(VOLUME, pixels)).draw(0)
    assert picture.rgb.shape == (rows, columns, 3)
    assert picture.key_slices[0] in range(1, 9)
    assert max(picture.key_slices) < slices * 3 // 3 + 2


def test_of_a_series_the_heaviest_slice_is_shown_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = SEQUENCE.size
    pixels = np.arange(17, dtype=np.uint8)[None, :, None, None] * 9 + np.zeros(
        (1, 17, rows, columns), np.uint8
    )
    weights = [np.array([0.02, 0.02, 0.84, 0.02, 0.02, 0.05, 0.01, 0.01, 0.01])]
    picture = _overlays(monkeypatch, SEQUENCE, *_asked(SEQUENCE, pixels, slice_weights=weights)).draw(0)
    assert picture.key_slices == (4, 10, 0)


def test_a_network_of_single_slices_shows_the_surest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = IMAGE.size
    pixels = np.stack([np.full((1, rows, columns), 40 + 30 * k, dtype=np.uint8) for k in range(5)], axis=1)
    alone = (np.array([0.1, 0.4, 0.2, 0.9, 0.3, 0.99]),)
    owner = np.array([0, 0, 0, 0, 0, 1])
    asked = _asked(IMAGE, pixels, slice_predictions=alone, slice_owner=owner)
    picture = _overlays(monkeypatch, IMAGE, *asked, slicewise=True).draw(0)
    assert picture.key_slices == (3, 1, 4)
    assert picture.rgb[-1, 0].tolist() == [130, 130, 130]


def test_a_mask_is_measured_and_drawn(tmp_path: Path) -> None:
    record = ImageRecord("x", "0" * 64, (1, 3, 5, 4), spacing_mm=(2.0, 0.5, 0.5))
    mask = np.zeros((3, 5, 4), dtype=np.uint8)
    mask[1, 1:4, 1:3], mask[2, 0, 0] = 1, 2
    volume = size_of(mask == 1, "liver", record)
    assert (volume.name, volume.value, volume.ucum) == ("volume of liver", 6 * 2 * 0.25 / 1000, "mL")
    flat = ImageRecord("y", "1" * 64, (1, 5, 4), spacing_mm=(0.5, 0.5))
    assert size_of(mask[1] == 1, "liver", flat).value == 6 * 0.25
    bare = ImageRecord("z", "2" * 64, (1, 5, 4))
    assert (size_of(mask[1] == 1, "liver", bare).value, size_of(mask[1] == 1, "liver", bare).ucum) == (
        6.0,
        "1",
    )
    pixels = np.full((1, 3, 5, 4), 200, dtype=np.uint8)
    collection = Collection(
        "nifti", (record,), (), SimpleNamespace(read=lambda _: pixels), root=str(tmp_path)
    )
    sources = reporting.Sources(collection)
    bundle = SimpleNamespace(name="b", manifest_sha256="cd" * 32, manifest={"model": "unet"})
    answer = mask_answer(bundle, record, mask, ("liver", "spine"), sources, Context(run_id=RUN))  # type: ignore[arg-type]
    assert answer.key_slices == (1, 2)
    assert answer.overlay is not None
    assert answer.overlay[0, 0].tolist() == [200, 200, 200]
    assert answer.overlay[2, 1].tolist() == [215, 180, 100]
    assert answer.flags == ()
    empty = mask_answer(bundle, record, mask * 0, ("liver", "spine"), sources, Context(run_id=RUN))  # type: ignore[arg-type]
    assert empty.flags == ("no structure was found",)
    assert empty.key_slices == ()
    grey = coloured(np.zeros((3, 2, 2), dtype=np.float32), np.zeros((2, 2), dtype=np.uint8))
    assert grey.shape == (2, 2, 3)


def test_names_and_times() -> None:
    assert safe_name("../../etc/passwd", 3, hidden=False) == "0003-etc-passwd"
    assert safe_name("Mustermann, Erika.dcm", 12, hidden=True) == "0012"
    assert time_of(RUN).isoformat() == "2026-11-26T10:10:10+00:00"
    assert time_of("").tzinfo is not None


def test_where_a_gate_refuses_every_image_there_is_nothing_to_write(trained: Any, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (32, 32), 90).save(tmp_path / "blank.png")
    request = FindingsRequest(model=trained.bundle, images=tmp_path / "blank.png", objects=("fhir",))
    with pytest.raises(
        InputError, match="no image has an answer to write, a quality gate refuses all 1: nearly blank"
    ):
        reporting.findings(request, Context(run_id=RUN))
