"""Every network of the registry as ONNX: the same answers, the same bytes, nothing about the machine."""

from __future__ import annotations

import logging
import re
import warnings
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
from iatros.imaging.export import checked_onnx, to_onnx
from iatros.imaging.fitting import network_outputs
from iatros.imaging.models import MODELS
from iatros.imaging.quantisation import quantise
from iatros.imaging.runtime.network import StoredNetwork
from iatros.imaging.schema import InputSpec

SPECS = {
    "image": InputSpec("image", 3, (20, 14)),
    "volume": InputSpec("volume", 1, (9, 12, 10)),
    "sequence": InputSpec("sequence", 1, (18, 13)),
}
NARROW = {
    "cnn": {"width": 8, "dense": 16},
    "resnet": {"width": 8},
    "densenet": {"width": 8, "growth": 4},
    "cnn-rnn": {"width": 4, "units": 6},
    "fusion": {"width": 8},
}
N_COLUMNS = 5


def cases() -> list[Any]:
    """Every registered classification network with every kind of input that it takes, and both cells."""
    found = []
    for name in MODELS.names():
        if name == "unet":
            continue
        for kind in MODELS.load(name).kinds:
            variants = [{"cell": cell} for cell in ("gru", "lstm", "none")] if name == "cnn-rnn" else [{}]
            variants += [{"standardise": "image"}] if name in ("cnn", "cnn-rnn") else []
            # the many layers of a dense network take long to write down, and its image form says the same
            marks = [pytest.mark.slow] if (name, kind) == ("densenet", "volume") else []
            found += [
                pytest.param(name, kind, more, id="-".join([name, kind, *more.values()]), marks=marks)
                for more in variants
            ]
    return found


def built(name: str, kind: str, more: dict[str, Any]) -> tuple[nn.Module, InputSpec, Any, np.ndarray | None]:
    model = MODELS.load(name)
    spec = SPECS[kind]
    columns = N_COLUMNS if name == "fusion" else 0
    params = model.Params(**NARROW.get(name, {}), **more)
    network = seeded(3, model.build, params, spec, 3, n_columns=columns)
    table = np.random.default_rng(8).normal(size=(7, columns)).astype(np.float32) if columns else None
    return network, spec, inputs_for(spec, 7), table


@pytest.mark.parametrize(("name", "kind", "more"), cases())
def test_a_stored_network_answers_as_the_trained_one(name: str, kind: str, more: dict[str, Any]) -> None:
    network, spec, inputs, table = built(name, kind, more)
    onnx = checked_onnx(network, spec, inputs, table=table)
    expected = network_outputs(network, inputs, table=table, batch_size=4)
    answered = StoredNetwork(onnx, spec, threads=1).run(inputs, table, batch_size=3)
    assert set(answered) == set(expected)
    assert answered["logits"].shape == (7, 3)
    for output in ("logits", "features"):
        np.testing.assert_allclose(answered[output], expected[output], atol=1e-5, rtol=1e-4)
    for given, wanted in zip(
        answered.get("slice_weights", []), expected.get("slice_weights", []), strict=True
    ):
        np.testing.assert_allclose(given, wanted, atol=1e-5)
        assert given.sum() == pytest.approx(1.0, abs=1e-5)
    # a check that could pass for a constant network would say nothing
    assert np.ptp(answered["logits"], axis=0).min() > 1e-4


@pytest.mark.parametrize(
    ("name", "kind", "more"),
    [("resnet", "volume", {}), ("cnn-rnn", "sequence", {"cell": "gru"})],
)
def test_two_exports_are_the_same_bytes_without_a_trace_of_the_machine(
    name: str, kind: str, more: dict[str, Any]
) -> None:
    import onnx

    network, spec, _, _ = built(name, kind, more)
    first = to_onnx(network, spec)
    assert to_onnx(network, spec) == first
    model = onnx.load_from_string(first)
    for initial in model.graph.initializer:  # their numbers may spell anything
        initial.ClearField("raw_data")
    words = re.findall(r'"([^"]*)"', str(model))
    assert "images" in words
    assert [word for word in words if re.search(r"[/\\]|site-packages|python|torch|\.py|line \d", word)] == []
    assert model.producer_name == "iatros"


def test_the_export_of_a_sequence_does_not_depend_on_what_was_exported_before() -> None:
    network = seeded(1, SmallSequenceNetwork, SEQUENCE, 2, "lstm")
    studies = [np.full((length, 1, 11, 8), 0.1 * length, dtype=np.float32) for length in (1, 2, 9)]
    for _ in range(2):
        stored = StoredNetwork(to_onnx(network, SEQUENCE), SEQUENCE).run(studies)
        for study, logits in zip(studies, stored["logits"], strict=True):
            with torch.no_grad():
                expected = network.parts(torch.from_numpy(study[None]))["logits"][0].numpy()
            np.testing.assert_allclose(logits, expected, atol=1e-5)


class Deep(nn.Module):
    """Two recurrent layers in one direction whose last states are the features."""

    def __init__(self, cell: type[nn.GRU] | type[nn.LSTM], *, bias: bool) -> None:
        super().__init__()
        self.recurrent = cell(88, 5, num_layers=2, bias=bias)
        self.head = nn.Linear(5, 2)

    def parts(self, images: torch.Tensor, table: Any = None, lengths: Any = None) -> dict[str, torch.Tensor]:
        steps = images.flatten(2).transpose(0, 1)
        out, state = self.recurrent(steps)
        last = state[0] if isinstance(state, tuple) else state
        weights = torch.softmax(out.sum(dim=2), dim=0).transpose(0, 1)
        return {"logits": self.head(last[0] + last[1]), "features": last[1], "slice_weights": weights}


@pytest.mark.parametrize(("cell", "bias"), [(nn.GRU, False), (nn.LSTM, True)])
def test_stacked_recurrent_layers_in_one_direction_keep_their_states(cell: Any, bias: bool) -> None:
    network = seeded(2, Deep, cell, bias=bias)
    checked_onnx(network, SEQUENCE, inputs_for(SEQUENCE, 5))


def test_an_lstm_with_projections_is_refused() -> None:
    network = seeded(1, SmallSequenceNetwork, SEQUENCE, 2, "lstm")
    network.recurrent = nn.LSTM(16, 6, proj_size=3, batch_first=True, bidirectional=True)
    with pytest.raises(FitError, match="projections"):
        to_onnx(network, SEQUENCE)


def test_a_network_in_training_mode_is_stored_as_it_predicts_and_left_as_it_was() -> None:
    network = seeded(1, SmallNetwork, IMAGE, 3)
    expected = to_onnx(network, IMAGE)
    network.train()
    assert to_onnx(network, IMAGE) == expected
    assert network.training


class Noisy(SmallNetwork):
    """Answers otherwise in torch than in the graph: the second call adds what the first did not."""

    calls = 0

    def parts(self, images: torch.Tensor, table: Any = None, lengths: Any = None) -> dict[str, torch.Tensor]:
        parts = super().parts(images, table, lengths)
        type(self).calls += 1
        return parts if type(self).calls == 1 else {**parts, "logits": parts["logits"] + 3e-4}


def test_a_stored_form_that_answers_otherwise_is_refused() -> None:
    with pytest.raises(FitError, match=r"differs from the trained one by .* in its logits"):
        checked_onnx(seeded(1, Noisy, IMAGE, 2), IMAGE, inputs_for(IMAGE, 3))


class Fickle(SmallNetwork):
    """Takes another way by the values of the images."""

    def parts(self, images: torch.Tensor, table: Any = None, lengths: Any = None) -> dict[str, torch.Tensor]:
        if float(images.mean()) > 0.5:
            images = 1 - images
        return super().parts(images, table, lengths)


def test_a_network_that_cannot_be_exported_is_an_error_in_one_line() -> None:
    with pytest.raises(FitError, match="cannot be written as ONNX") as caught:
        to_onnx(seeded(1, Fickle, IMAGE, 2), IMAGE)
    assert "\n" not in str(caught.value)


def test_nothing_is_printed_or_logged(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    network = seeded(1, SmallNetwork, VOLUME, 2)
    level = logging.getLogger("torch").level
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        warnings.simplefilter("error")
        onnx = to_onnx(network, VOLUME)
        quantise(onnx, inputs_for(VOLUME, 8))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []
    assert logging.getLogger("torch").level == level
