"""Average pooling as convolutions: the same answers, border included, and hands off what is not read."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, checker, helper

from iatros.imaging.pooling import as_convolutions


def graph(shape: list[Any], **attributes: Any) -> Any:
    """A model that averages `images` of `shape` and doubles the answer."""
    nodes = [
        helper.make_node("AveragePool", ["images"], ["mean"], "pool", **attributes),
        helper.make_node("Add", ["mean", "mean"], ["answer"], "twice"),
    ]
    floats = TensorProto.FLOAT
    free = [None] * len(shape)
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "pooled",
            [helper.make_tensor_value_info("images", floats, shape)],
            [helper.make_tensor_value_info("answer", floats, free)],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
    )
    model.ir_version = 10
    return model


def answer(model: Any, images: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(["answer"], {"images": images})[0])


def operations(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_the_answers_stay_with_any_window_stride_and_border(data: st.DataObject) -> None:
    window = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    pads = [data.draw(st.integers(0, side - 1)) for side in (*window, *window)]
    strides = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    include = data.draw(st.integers(0, 1))
    model = graph(["n", 3, 7, 10], kernel_shape=window, pads=pads, strides=strides, count_include_pad=include)
    images = np.random.default_rng(1).normal(size=(2, 3, 7, 10)).astype(np.float32)
    expected = answer(model, images)
    as_convolutions(model)
    checker.check_model(model)
    assert operations(model) in (["Conv", "Add"], ["Conv", "Mul", "Add"])
    np.testing.assert_allclose(answer(model, images), expected, atol=1e-5)


def test_the_mean_at_the_border_is_of_what_is_there() -> None:
    """Of 1 2 / 3 4 with windows of 3 x 3 around each place, every answer is the mean of all four, here doubled."""
    model = graph([1, 1, 2, 2], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    as_convolutions(model)
    assert operations(model) == ["Conv", "Mul", "Add"]
    images = np.array([[[[1, 2], [3, 4]]]], dtype=np.float32)
    np.testing.assert_allclose(answer(model, images), np.full((1, 1, 2, 2), 5.0), rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        (["n", 3, 7, 6, 5], {"kernel_shape": [2, 2, 2]}),
        (["n", 3, "rows", 6], {"kernel_shape": [2, 2]}),
        (["n", "channels", 7, 6], {"kernel_shape": [2, 2]}),
        (["n", 3, 7, 6], {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
        (["n", 3, 7, 6], {"kernel_shape": [2, 2], "dilations": [2, 1]}),
        (["n", 3, 7, 6], {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}),
    ],
    ids=["volume", "free rows", "free channels", "rounded up", "dilated", "padded by name"],
)
def test_what_is_not_read_stays_as_it_is(shape: list[Any], attributes: dict[str, Any]) -> None:
    model = graph(shape, **attributes)
    before = model.SerializeToString(deterministic=True)
    as_convolutions(model)
    assert model.SerializeToString(deterministic=True) == before
