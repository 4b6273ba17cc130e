"""Every network keeps the contract: shapes, buffers, a map to explain, any size of image."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from iatros.core.errors import RequestError
from iatros.imaging.models import MODELS
from iatros.imaging.schema import InputSpec

IMAGE = InputSpec("image", 1, (28, 20))
COLOUR = InputSpec("image", 3, (30, 75))
LARGE = InputSpec("image", 1, (130, 96))
VOLUME = InputSpec("volume", 1, (9, 20, 14))
SEQUENCE = InputSpec("sequence", 1, (20, 14))

CASES: list[tuple[str, dict[str, Any], InputSpec, int]] = [
    ("cnn", {"width": 4}, IMAGE, 0),
    ("cnn", {"width": 4}, COLOUR, 0),
    ("cnn", {"width": 4}, LARGE, 0),
    ("resnet", {"width": 8}, IMAGE, 0),
    ("resnet", {"width": 8}, LARGE, 0),
    ("resnet", {"width": 4}, VOLUME, 0),
    ("resnet", {"depth": "10", "width": 16}, COLOUR, 0),
    ("resnet", {"depth": "18", "width": 16, "stem": "large"}, LARGE, 0),
    ("resnet", {"depth": "50", "width": 16}, IMAGE, 0),
    ("resnet", {"depth": "10", "width": 16}, VOLUME, 0),
    ("densenet", {"width": 8, "growth": 4}, IMAGE, 0),
    ("densenet", {"width": 8, "growth": 4, "stem": "large"}, LARGE, 0),
    ("densenet", {"width": 8, "growth": 4}, VOLUME, 0),
    ("cnn-rnn", {"width": 4, "units": 6}, SEQUENCE, 0),
    ("fusion", {"width": 4}, IMAGE, 5),
    ("fusion", {"width": 4}, VOLUME, 2),
]


def built(name: str, params: dict[str, Any], spec: InputSpec, n_columns: int = 0) -> Any:
    kind = MODELS.load(name)
    torch.manual_seed(1)
    return kind.build(kind.Params(**params), spec, 3, n_columns=n_columns).eval()


def inputs_of(spec: InputSpec, n: int, *, slices: int = 5) -> torch.Tensor:
    shape = (slices, spec.channels, *spec.size) if spec.kind == "sequence" else (spec.channels, *spec.size)
    return torch.rand((n, *shape), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(("name", "params", "spec", "n_columns"), CASES)
def test_contract(name: str, params: dict[str, Any], spec: InputSpec, n_columns: int) -> None:
    assert spec.kind in MODELS.load(name).kinds
    network = built(name, params, spec, n_columns)
    images = inputs_of(spec, 3)
    table = torch.rand(3, n_columns) if n_columns else None
    maps: list[torch.Tensor] = []
    handle = network.heat_layer().register_forward_hook(lambda *values: maps.append(values[2]))
    parts = network.parts(images, table)
    handle.remove()
    assert parts["logits"].shape == (3, 3)
    assert parts["features"].dim() == 2
    torch.testing.assert_close(network.head(parts["features"]), parts["logits"])
    torch.testing.assert_close(network(images, table), parts["logits"])
    # the map has a place for every spatial axis, coarser than the image, and still tells where in a plane
    assert maps[0].dim() == 2 + len(spec.size)
    assert all(side < whole for side, whole in zip(maps[0].shape[2:], spec.size, strict=True))
    assert max(maps[0].shape[-2:]) >= 2
    assert (maps[0] >= 0).all()
    # one image's answer does not depend on the others of its batch
    alone = network.parts(images[1:2], None if table is None else table[1:2])["logits"]
    torch.testing.assert_close(alone[0], parts["logits"][1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "params", "spec", "n_columns"), CASES)
def test_every_parameter_learns(name: str, params: dict[str, Any], spec: InputSpec, n_columns: int) -> None:
    network = built(name, params, spec, n_columns).train()
    # the last normalisation of a block begins at 0, where nothing before it gets a gradient
    for value in network.parameters():
        if value.dim() == 1 and not value.any():
            torch.nn.init.constant_(value, 0.3)
    network(inputs_of(spec, 4), torch.rand(4, n_columns) if n_columns else None).square().sum().backward()
    without = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []


def test_normalisation_is_per_channel_and_inside() -> None:
    network = built("resnet", {"width": 8}, COLOUR)
    images = inputs_of(COLOUR, 2)
    mean, std = torch.tensor([0.1, 0.4, 0.7]), torch.tensor([0.5, 0.2, 0.3])
    scaled = (images - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    network.mean.zero_()
    network.std.fill_(1.0)
    expected = network(scaled)
    network.mean.copy_(mean)
    network.std.copy_(std)
    torch.testing.assert_close(network(images), expected)
    assert {"mean", "std"} <= set(network.state_dict())


@pytest.mark.parametrize("name", ["cnn", "resnet", "densenet", "cnn-rnn", "fusion"])
def test_an_image_standardised_by_itself_answers_alike_however_bright_it_is(name: str) -> None:
    kind = "sequence" if name == "cnn-rnn" else "image"
    spec = InputSpec(kind, 3, (28, 20))
    columns = 2 if name == "fusion" else 0
    table = torch.rand(2, columns) if columns else None
    images = inputs_of(spec, 2)
    darker = 0.1 + 0.4 * images
    by_itself = built(name, {"width": 8, "standardise": "image"}, spec, columns)
    torch.testing.assert_close(by_itself(darker, table), by_itself(images, table), atol=1e-3, rtol=1e-3)
    by_training = built(name, {"width": 8}, spec, columns)
    assert not torch.allclose(by_training(darker, table), by_training(images, table), atol=0.02)
    assert torch.isfinite(by_itself(torch.zeros_like(images), table)).all()


def test_small_images_keep_their_resolution_and_large_ones_do_not() -> None:
    small = built("resnet", {"width": 8}, IMAGE).encoder(inputs_of(IMAGE, 1))
    large = built("resnet", {"width": 8}, LARGE).encoder(inputs_of(LARGE, 1))
    assert small.shape == (1, 32, 7, 5)
    assert large.shape == (1, 32, 9, 6)


def test_fusion_uses_both_and_needs_a_table() -> None:
    network = built("fusion", {"width": 4}, IMAGE, 5)
    images, table = inputs_of(IMAGE, 2), torch.rand(2, 5)
    first = network(images, table)
    assert not torch.allclose(first, network(images, table + 1), atol=1e-4)
    assert not torch.allclose(first, network(images.flip(2), table), atol=1e-4)
    with pytest.raises(RequestError, match="patient table"):
        built("fusion", {"width": 4}, IMAGE, 0)


def test_parameters_are_bounded() -> None:
    with pytest.raises(ValidationError, match="at least 16"):
        MODELS.load("resnet").Params(depth="18", width=8)
    with pytest.raises(ValidationError, match="Extra inputs"):
        MODELS.load("cnn").Params(depth=3)
    with pytest.raises(ValidationError):
        MODELS.load("cnn-rnn").Params(cell="rnn")


@pytest.mark.parametrize("width", [4, 12])
def test_narrow_networks_train_on_odd_batches_in_two_threads(width: int) -> None:
    """oneDNN's backward pass of strided 1-wide convolutions wrote past its memory here: none must be built."""
    network = built("resnet", {"width": width}, IMAGE).train().to(memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for _ in range(3):
            images = inputs_of(IMAGE, 7).contiguous(memory_format=torch.channels_last)
            network(images).sum().backward()
    finally:
        torch.set_num_threads(threads)
    strided = [
        module
        for module in network.modules()
        if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (1, 1) and module.stride != (1, 1)
    ]
    assert strided == []
    assert all(torch.isfinite(value.grad).all() for value in network.parameters())
