"""The stored network: batches, lengths, threads, and inputs that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.imaging.small_networks import (
    IMAGE,
    SEQUENCE,
    SmallNetwork,
    SmallSequenceNetwork,
    inputs_for,
    seeded,
)

from iatros.core.errors import BundleError, InputError
from iatros.imaging.export import to_onnx
from iatros.imaging.runtime.network import StoredNetwork
from iatros.imaging.schema import InputSpec


@pytest.fixture(scope="module")
def image_onnx() -> bytes:
    return to_onnx(seeded(4, SmallNetwork, IMAGE, 3), IMAGE)


@pytest.fixture(scope="module")
def sequence_onnx() -> bytes:
    return to_onnx(seeded(4, SmallSequenceNetwork, SEQUENCE, 2, "gru"), SEQUENCE)


@pytest.fixture(scope="module")
def table_onnx() -> bytes:
    return to_onnx(seeded(4, SmallNetwork, IMAGE, 2, 3), IMAGE, n_columns=3)


def test_an_answer_does_not_depend_on_its_batch_or_on_the_threads(image_onnx: bytes) -> None:
    images = inputs_for(IMAGE, 13)
    whole = StoredNetwork(image_onnx, IMAGE, threads=2).run(images)
    single = StoredNetwork(image_onnx, IMAGE, threads=1)
    for name, values in whole.items():
        assert values.shape[0] == 13
        np.testing.assert_array_equal(single.run(images, batch_size=64)[name], values)
        np.testing.assert_allclose(single.run(images, batch_size=5)[name], values, atol=1e-6)
        np.testing.assert_allclose(single.run(images[7:8])[name][0], values[7], atol=1e-6)


def test_studies_of_different_length_come_back_in_their_order(sequence_onnx: bytes) -> None:
    network = StoredNetwork(sequence_onnx, SEQUENCE, threads=1)
    studies = inputs_for(SEQUENCE, 8)
    together = network.run(studies, batch_size=6)
    assert [len(weights) for weights in together["slice_weights"]] == [1, 4, 2, 7, 4, 1, 4, 2]
    for row, study in enumerate(studies):
        alone = network.run([study])
        np.testing.assert_allclose(alone["logits"][0], together["logits"][row], atol=1e-6)
        np.testing.assert_allclose(alone["features"][0], together["features"][row], atol=1e-6)
        np.testing.assert_allclose(alone["slice_weights"][0], together["slice_weights"][row], atol=1e-6)
    stacked = np.stack([studies[1], studies[4], studies[6]])
    np.testing.assert_allclose(network.run(stacked)["logits"], together["logits"][[1, 4, 6]], atol=1e-6)


def test_each_image_is_answered_with_its_own_row_of_the_table(table_onnx: bytes) -> None:
    network = StoredNetwork(table_onnx, IMAGE, threads=1)
    assert network.n_columns == 3
    images = inputs_for(IMAGE, 5)
    table = np.arange(15, dtype=np.float64).reshape(5, 3) / 7
    whole = network.run(images, table, batch_size=2)
    backwards = network.run(images[::-1], table[::-1], batch_size=2)
    np.testing.assert_allclose(backwards["logits"][::-1], whole["logits"], atol=1e-6)
    moved = network.run(images, np.roll(table, 1, axis=0))
    assert np.abs(moved["logits"] - whole["logits"]).max() > 0.01


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (np.zeros((2, 1, 10, 14), np.float32), r"shape \(1, 14, 10\), got \(1, 10, 14\)"),
        (np.zeros((2, 3, 14, 10), np.float32), r"got \(3, 14, 10\)"),
        (np.zeros((0, 1, 14, 10), np.float32), "no images"),
    ],
)
def test_images_of_another_shape_are_refused(image_onnx: bytes, inputs: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        StoredNetwork(image_onnx, IMAGE).run(inputs)


def test_a_study_without_slices_is_refused(sequence_onnx: bytes) -> None:
    studies = [np.ones((2, 1, 11, 8), np.float32), np.ones((0, 1, 11, 8), np.float32)]
    with pytest.raises(InputError, match=r"\(slices, 1, 11, 8\), got \(0, 1, 11, 8\)"):
        StoredNetwork(sequence_onnx, SEQUENCE).run(studies)


@pytest.mark.parametrize("table", [None, np.zeros((4, 2)), np.zeros((3, 3))])
def test_a_table_that_does_not_go_with_the_images_is_refused(table_onnx: bytes, table: Any) -> None:
    with pytest.raises(InputError, match=r"takes a table of shape \(4, 3\)"):
        StoredNetwork(table_onnx, IMAGE).run(inputs_for(IMAGE, 4), table)


def test_a_table_where_none_is_taken_is_refused(image_onnx: bytes) -> None:
    with pytest.raises(InputError, match="takes a table of shape none"):
        StoredNetwork(image_onnx, IMAGE).run(inputs_for(IMAGE, 4), np.zeros((4, 1)))


def test_what_is_no_graph_of_ours_is_refused(image_onnx: bytes) -> None:
    with pytest.raises(BundleError, match="cannot be opened by onnxruntime"):
        StoredNetwork(b"not a graph", IMAGE).run(inputs_for(IMAGE, 1))
    with pytest.raises(BundleError, match="cannot be opened by onnxruntime"):
        StoredNetwork(image_onnx[: len(image_onnx) // 2], IMAGE).run(inputs_for(IMAGE, 1))
    import onnx

    model = onnx.load_from_string(image_onnx)
    for value in (*model.graph.output, *model.graph.node):
        if getattr(value, "name", "") == "logits":
            value.name = "other"
    for node in model.graph.node:
        node.output[:] = ["other" if name == "logits" else name for name in node.output]
    with pytest.raises(BundleError, match="does not put out logits and features"):
        StoredNetwork(model.SerializeToString(), IMAGE).run(inputs_for(IMAGE, 1))


def test_a_graph_that_does_not_fit_the_spec_is_no_silent_answer(image_onnx: bytes) -> None:
    other = InputSpec("image", 1, (10, 14))
    with pytest.raises(BundleError, match="does not take images of shape"):
        StoredNetwork(image_onnx, other).run(np.zeros((1, 1, 10, 14), np.float32))
