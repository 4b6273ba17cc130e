"""8-bit networks: what stays in float, what they cost, and how that is measured."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from tests.imaging.small_networks import (
    IMAGE,
    SEQUENCE,
    VOLUME,
    SmallNetwork,
    SmallSequenceNetwork,
    inputs_for,
    seeded,
)
from torch import nn

from iatros.core.errors import FitError
from iatros.core.intervals import delong_paired
from iatros.core.metrics.evaluate import point_metrics
from iatros.core.task import Target
from iatros.imaging.export import to_onnx
from iatros.imaging.models import MODELS
from iatros.imaging.quantisation import MAX_CALIBRATION, int8_cost, quantise
from iatros.imaging.runtime.network import StoredNetwork
from iatros.imaging.schema import InputSpec

BINARY = Target("pneumonia", "binary", ("no", "yes"))
GRADES = Target("grade", "multiclass", ("none", "mild", "severe"))
YEARS = Target("bone age", "continuous", unit="years")


def operations(onnx: bytes) -> dict[str, Any]:
    """Nodes by the name of what they put out."""
    from onnx import load_from_string

    return {name: node for node in load_from_string(onnx).graph.node for name in node.output}


@pytest.fixture(scope="module")
def learned() -> tuple[bytes, np.ndarray, np.ndarray]:
    """A residual network that has learned which images are brighter, as ONNX, with images and labels."""
    spec = InputSpec("image", 1, (20, 16))
    rng = np.random.default_rng(2)
    n = 2400  # 400 to learn from: of a few hundred others, chance alone would move the AUROC by 0.003
    y = (rng.random(n) < 0.3).astype(int)
    images = rng.random((n, 1, 20, 16), dtype=np.float32) * 0.6
    images[:, :, 4:11, 6:10] += (0.05 + 0.25 * y + 0.1 * rng.normal(size=n)).astype(np.float32)[
        :, None, None, None
    ]
    images = np.clip(images, 0, 1)
    model = MODELS.load("resnet")
    network = seeded(1, model.build, model.Params(width=8), spec, 2)
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3)
    order = torch.Generator().manual_seed(0)
    network.train()
    for _ in range(5):
        for rows in torch.randperm(400, generator=order).split(50):
            loss = nn.functional.cross_entropy(
                network(torch.from_numpy(images[rows])), torch.from_numpy(y[rows])
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return to_onnx(network.eval(), spec), images, y


def test_8_bits_keep_what_a_network_has_learned(learned: tuple[bytes, np.ndarray, np.ndarray]) -> None:
    onnx, images, y = learned
    spec = InputSpec("image", 1, (20, 16))
    small = quantise(onnx, images[:400])
    assert len(small) < 0.5 * len(onnx)
    answers = [StoredNetwork(form, spec, threads=1).run(images[400:])["logits"] for form in (onnx, small)]
    full, fewer = (1 / (1 + np.exp(each[:, 0] - each[:, 1])) for each in answers)
    assert point_metrics(BINARY, y[400:], full)["auroc"] > 0.75
    cost = int8_cost(BINARY, y[400:], full, fewer)
    assert abs(cost["difference"]["value"]) < 0.003
    assert cost["largest_difference"] == np.abs(full - fewer).max() > 0
    assert np.abs(full - fewer).mean() < 0.02


@pytest.mark.parametrize(
    ("spec", "columns"), [(IMAGE, 0), (IMAGE, 4), (VOLUME, 0)], ids=["image", "table", "volume"]
)
def test_only_the_first_and_the_last_layer_stay_in_float(spec: InputSpec, columns: int) -> None:
    onnx = to_onnx(seeded(1, SmallNetwork, spec, 3, columns), spec, n_columns=columns)
    images = inputs_for(spec, 20)
    table = np.random.default_rng(1).normal(size=(20, columns)) if columns else None
    small = quantise(onnx, images, table=table)
    nodes = operations(small)
    heads, first, second = nodes["logits"], *(node for node in nodes.values() if node.op_type == "Conv")
    assert nodes[second.input[1]].op_type == "DequantizeLinear"
    for layer in (first, heads):
        assert layer.op_type in ("Conv", "Gemm", "Add")
        assert layer.input[1] not in nodes  # its weights are a plain constant
    answers = [StoredNetwork(form, spec, threads=1).run(images, table) for form in (onnx, small)]
    gap = np.abs(answers[0]["logits"] - answers[1]["logits"]).max()
    assert 0 < gap < 0.05


def test_pooling_is_convolved_in_8_bits(learned: tuple[bytes, np.ndarray, np.ndarray]) -> None:
    onnx, images, _ = learned
    assert "AveragePool" in {node.op_type for node in operations(onnx).values()}
    nodes = operations(quantise(onnx, images[:60]))
    assert "AveragePool" not in {node.op_type for node in nodes.values()}
    by_channel = [
        node for node in nodes.values() for each in node.attribute if each.name == "group" and each.i > 1
    ]
    assert len(by_channel) == 2
    for node in by_channel:
        assert {nodes[name].op_type for name in node.input} == {"DequantizeLinear"}


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_recurrent_layers_stay_in_float_and_lengths_stay_free(cell: str) -> None:
    onnx = to_onnx(seeded(1, SmallSequenceNetwork, SEQUENCE, 2, cell), SEQUENCE)
    small = quantise(onnx, inputs_for(SEQUENCE, 12))
    (recurrent,) = [node for node in operations(small).values() if node.op_type == cell.upper()]
    assert not {"QuantizeLinear", "DequantizeLinear"} & {
        operations(small)[name].op_type for name in recurrent.input[1:] if name in operations(small)
    }
    studies = [np.full((length, 1, 11, 8), 0.3, dtype=np.float32) for length in (3, 1, 9)]
    full, fewer = (StoredNetwork(form, SEQUENCE, threads=1).run(studies) for form in (onnx, small))
    assert [len(each) for each in fewer["slice_weights"]] == [3, 1, 9]
    np.testing.assert_allclose(fewer["logits"], full["logits"], atol=0.05)


def test_the_same_network_and_images_give_the_same_bytes() -> None:
    onnx = to_onnx(seeded(1, SmallNetwork, IMAGE, 3), IMAGE)
    images = inputs_for(IMAGE, 2 * MAX_CALIBRATION + 7)
    small = quantise(onnx, images)
    assert quantise(onnx, images) == small
    assert quantise(onnx, images * np.float32(0.5)) != small
    assert b"/tmp" not in small
    assert b"float.onnx" not in small


def test_ranges_come_from_images_spread_over_all_that_are_given() -> None:
    """A bright image at the end counts, and the images between the chosen ones do not."""
    onnx = to_onnx(seeded(1, SmallNetwork, IMAGE, 3), IMAGE)
    images = inputs_for(IMAGE, 4 * MAX_CALIBRATION) * np.float32(0.3)
    small = quantise(onnx, images)
    last, between = images.copy(), images.copy()
    last[-1] = 1.0
    between[1] = 1.0
    assert quantise(onnx, last) != small
    assert quantise(onnx, between) == small


def test_a_network_without_layers_for_8_bits_is_refused_with_the_reason() -> None:
    class Plain(nn.Module):
        def parts(self, images: torch.Tensor, table: Any = None, lengths: Any = None) -> Any:
            features = images.flatten(1)
            return {"logits": features.max(dim=1, keepdim=True).values, "features": features}

    onnx = to_onnx(Plain(), IMAGE)
    with pytest.raises(FitError, match="no layer that would gain from 8 bits"):
        quantise(onnx, inputs_for(IMAGE, 3))


def test_a_network_of_one_layer_is_refused_with_the_reason() -> None:
    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(140, 2)

        def parts(self, images: torch.Tensor, table: Any = None, lengths: Any = None) -> Any:
            features = images.flatten(1)
            return {"logits": self.head(features), "features": features}

    onnx = to_onnx(seeded(1, Linear), IMAGE)
    with pytest.raises(FitError, match="no layer that would gain from 8 bits"):
        quantise(onnx, inputs_for(IMAGE, 3))


def test_what_the_quantiser_cannot_read_is_one_error_and_leaves_the_log_as_it_was() -> None:
    level = logging.getLogger().level
    with pytest.raises(FitError, match="cannot bring this network to 8 bits") as caught:
        quantise(b"no graph", inputs_for(IMAGE, 3))
    assert "no graph" not in str(caught.value)
    assert logging.getLogger().level == level
    with pytest.raises(FitError, match="none were given"):
        quantise(b"", inputs_for(IMAGE, 0))


def test_the_cost_of_a_binary_answer_is_the_paired_difference_of_areas() -> None:
    y = np.array([0, 0, 0, 0, 1, 1, 1])
    full = np.array([0.1, 0.2, 0.3, 0.6, 0.5, 0.7, 0.9])
    fewer = np.array([0.1, 0.2, 0.6, 0.6, 0.5, 0.7, 0.9])
    cost = int8_cost(BINARY, y, full, fewer)
    # of twelve pairs eleven are in order, and then ten
    assert cost["metric"] == "auroc"
    assert cost["fp32"]["value"] == pytest.approx(11 / 12)
    assert cost["int8"]["value"] == pytest.approx(10 / 12)
    assert cost["largest_difference"] == pytest.approx(0.3)
    expected = delong_paired(y, fewer, full)
    found = cost["difference"]
    assert (found["value"], found["low"], found["high"]) == pytest.approx(expected[:3])
    assert found["value"] == pytest.approx(-1 / 12)
    assert found["interval"] == "paired DeLong"
    assert cost["n"] == 7


def test_the_difference_draws_patients_where_they_repeat() -> None:
    rng = np.random.default_rng(4)
    y = np.repeat(rng.integers(0, 2, 40), 3)
    full = np.clip(0.3 * y + rng.random(120) * 0.7, 0, 1)
    fewer = np.clip(full + rng.normal(0, 0.1, 120), 0, 1)
    groups = np.repeat(np.arange(40), 3)
    found = int8_cost(BINARY, y, full, fewer, groups=groups, n_bootstrap=200)["difference"]
    assert found["interval"] == "paired bootstrap over 40 patients"
    assert found["value"] == pytest.approx(delong_paired(y, fewer, full)[0])
    assert found["low"] < found["value"] < found["high"]


def test_the_cost_of_classes_is_accuracy_and_of_a_quantity_its_error() -> None:
    y = np.array([0, 1, 2, 2, 1])
    full = np.eye(3)[[0, 1, 2, 2, 0]] * 0.7 + 0.1
    fewer = np.eye(3)[[0, 1, 2, 0, 0]] * 0.7 + 0.1
    cost = int8_cost(GRADES, y, full, fewer, n_bootstrap=100)
    assert cost["metric"] == "accuracy"
    assert (cost["fp32"]["value"], cost["int8"]["value"]) == pytest.approx((0.8, 0.6))
    assert cost["difference"]["value"] == pytest.approx(-0.2)
    years = np.array([10.0, 12.0, 7.0, 3.0])
    cost = int8_cost(
        YEARS, years, years + np.array([1, -1, 2, 0]), years + np.array([1, -1, 2, 2]), n_bootstrap=100
    )
    assert cost["metric"] == "mae"
    assert (cost["fp32"]["value"], cost["int8"]["value"]) == pytest.approx((1.0, 1.5))
    assert cost["difference"]["value"] == pytest.approx(0.5)
    assert cost["difference"]["low"] <= 0.5 <= cost["difference"]["high"]
