"""Gates that look at the record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iatros.imaging.quality.origin import Origin
from iatros.imaging.schema import ImageRecord


def record(rows: int = 100, columns: int = 80, **fields: Any) -> ImageRecord:
    given = {"modality": "CR", "body_part": "CHEST", "spacing_mm": (2.0, 2.0), "shape": (1, rows, columns)}
    return ImageRecord(name="x", sha256="x", **(given | fields))


TRAINING = [record(100 + k, 80 + k, modality="DX" if k % 4 == 0 else "CR") for k in range(40)]


def said(one: ImageRecord, training: list[ImageRecord] = TRAINING) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in Origin.learned(training).check(one)]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (record(), []),
        (record(modality="dx "), []),
        (record(modality="US"), [("modality", "refuse")]),
        (record(modality=None), [("modality", "flag")]),
        (record(body_part="KNEE"), [("body-part", "refuse")]),
        (record(shape=(3, 100, 80)), [("channels", "refuse")]),
        (record(shape=(1, 5, 100, 80), spacing_mm=None), [("channels", "refuse")]),
        # columns over rows were 0.80 to 0.86
        (record(110, 140), [("proportions", "flag")]),
        (record(110, 200), [("proportions", "refuse")]),
        (record(300, 80), [("size", "flag"), ("proportions", "refuse")]),
        # the shorter side was 80 to 119 px
        (record(48, 39, spacing_mm=None), [("size", "flag")]),
        (record(24, 19, spacing_mm=None), [("size", "refuse")]),
        (record(4000, 3200, spacing_mm=None), []),
        # 200 to 278 mm tall
        (record(110, 90, spacing_mm=(0.2, 0.2)), [("size", "refuse")]),
        (record(110, 90, spacing_mm=(4.0, 4.0)), [("size", "flag")]),
    ],
)
def test_what_differs_from_training_is_said(one: ImageRecord, expected: list[tuple[str, str]]) -> None:
    assert said(one) == expected


def test_spacing_counts_for_proportions() -> None:
    assert said(record(100, 38, spacing_mm=(2.0, 4.0))) == [("size", "flag")]


def test_a_tag_that_training_images_lack_cannot_be_checked() -> None:
    training = [record(modality=None, body_part=None)] * 30
    assert said(record(modality="US"), training) == []


def test_a_missing_tag_is_usual_where_training_images_lack_it_too() -> None:
    training = [record(modality=None if k < 10 else "CR") for k in range(40)]
    assert said(record(modality=None), training) == []
    assert said(record(modality="MR"), training) == [("modality", "refuse")]


def test_slices_are_checked_where_there_are_any() -> None:
    training = [record(shape=(1, 20 + k, 50, 50), spacing_mm=(3.0, 1.0, 1.0)) for k in range(10)]
    assert said(record(shape=(1, 8, 50, 50), spacing_mm=(3.0, 1.0, 1.0)), training) == [("size", "flag")]
    assert said(record(shape=(1, 2, 50, 50), spacing_mm=(3.0, 1.0, 1.0)), training) == [("size", "refuse")]


def test_the_message_names_both_and_the_document_comes_back() -> None:
    learned = Origin.learned(TRAINING)
    found = learned.check(record(modality="US"))
    assert found[0].message == "modality US, and the model learned from CR or DX"
    assert Origin.load(json.loads(json.dumps(learned.document()))) == learned
