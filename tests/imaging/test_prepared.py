from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import InputError, LimitError, RequestError
from iatros.core.progress import SilentProgress
from iatros.imaging import prepared as prepared_module
from iatros.imaging.choosing import candidates
from iatros.imaging.cohort import open_cohort
from iatros.imaging.prepared import prepare_records
from iatros.imaging.requests import TrainRequest
from iatros.imaging.schema import Collection, ImageRecord, InputSpec


class Pixels:
    """Each record's pixels all have the value of its place."""

    def __init__(self, shapes):
        self.shapes = shapes

    def read(self, sha256):
        place = int(sha256, 16)
        return np.full(self.shapes[place], place, dtype=np.uint8)


def collection(*shapes):
    records = tuple(
        ImageRecord(f"r{k}", f"{k:064x}", shape, columns={"label": "normal" if k % 2 else "tumour"})
        for k, shape in enumerate(shapes)
    )
    return Collection("folders", records, (), Pixels(shapes))


def request(**fields):
    return TrainRequest(images="images", **fields)


def cohort(*shapes, **fields):
    return open_cohort(collection(*shapes), request(positive="tumour", **fields))


def test_slices_that_stand_alone_are_averaged_for_their_study():
    found = collection((1, 3, 4, 4), (1, 1, 4, 4), (1, 2, 4, 4))
    ready = prepare_records(
        found, found.records, InputSpec("image", 1, (4, 4)), SilentProgress(), slicewise=True
    )
    assert ready.owner.tolist() == [0, 0, 0, 1, 2, 2]
    assert not ready.one_each
    rows = np.array([2, 0])
    assert ready.rows_of(rows).tolist() == [4, 5, 0, 1, 2]
    values = np.array([[1.0], [3.0], [0.0], [6.0], [3.0]])
    assert ready.mean_over_records(values, rows).tolist() == [[2.0], [3.0]]
    np.testing.assert_allclose(ready.arrays[:, 0, 0, 0], np.array([0, 0, 0, 1, 2, 2]) / 255)


def test_more_slices_than_wanted_are_thinned():
    found = collection((1, 9, 4, 4), (1, 2, 4, 4))
    spec = InputSpec("sequence", 1, (4, 4), max_slices=3)
    ready = prepare_records(found, found.records, spec, SilentProgress())
    assert [one.shape for one in ready.arrays] == [(3, 1, 4, 4), (2, 1, 4, 4)]
    assert ready.one_each
    alone = prepare_records(
        found, found.records, InputSpec("image", 1, (4, 4), max_slices=3), SilentProgress(), slicewise=True
    )
    assert alone.owner.tolist() == [0, 0, 0, 1, 1]


def test_what_does_not_fit_in_memory_goes_to_a_mapped_file(monkeypatch):
    monkeypatch.setattr(prepared_module, "IN_MEMORY", 100)
    found = collection(*[(1, 4, 5)] * 3)
    spec = InputSpec("image", 1, (4, 5))
    mapped = prepare_records(found, found.records, spec, SilentProgress())
    assert isinstance(mapped.arrays, np.memmap)
    np.testing.assert_allclose(mapped.arrays[:, 0, 3, 4], np.array([0, 1, 2]) / 255)
    monkeypatch.setattr(prepared_module, "MOST", 100)
    with pytest.raises(LimitError, match="choose a smaller size"):
        prepare_records(found, found.records, spec, SilentProgress())


@pytest.mark.parametrize(
    ("shapes", "fields", "spec"),
    [
        ([(1, 28, 28)] * 2, {}, ("image", 1, (28, 28))),
        ([(1, 30, 21)] * 2, {}, ("image", 1, (32, 32))),
        ([(3, 900, 700)] * 2, {}, ("image", 3, (224, 224))),
        ([(1, 900, 700)] * 2, {"size": 96}, ("image", 1, (96, 96))),
        ([(1, 11, 30, 21)] * 2, {"model": "cnn-rnn"}, ("sequence", 1, (32, 32))),
        ([(1, 11, 30, 21)] * 2, {"model": "resnet"}, ("volume", 1, (11, 32, 32))),
        ([(1, 11, 30, 21)] * 2, {"model": "cnn"}, ("image", 1, (32, 32))),
        ([(1, 300, 300, 210)] * 2, {"model": "resnet"}, ("volume", 1, (64, 64, 64))),
    ],
)  # fmt: skip
def test_what_a_network_takes_is_read_off_the_images(shapes, fields, spec):
    asked = request(positive="tumour", slices=512, **fields)
    (one,) = candidates(open_cohort(collection(*shapes), asked), asked)
    assert (one.spec.kind, one.spec.channels, one.spec.size) == spec
    assert one.slicewise == (fields.get("model") == "cnn")


def test_kinds_are_not_mixed():
    with pytest.raises(InputError, match="1 records are volumes or series and 2 are single images"):
        candidates(cohort((1, 8, 8), (1, 8, 8), (1, 3, 8, 8)), request())
    with pytest.raises(RequestError, match="cnn-rnn takes series"):
        candidates(cohort((1, 8, 8), (1, 8, 8)), request(model="cnn-rnn"))
