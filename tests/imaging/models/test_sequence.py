"""Studies of slices: padding changes nothing, order counts where it should, and weights add up."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from iatros.imaging.models import MODELS
from iatros.imaging.schema import InputSpec

SPEC = InputSpec("sequence", 1, (16, 11))
KINDS = [
    {"cell": cell, "pooling": pooling}
    for cell in ("gru", "lstm", "none")
    for pooling in ("attention", "mean")
]


def built(**params: Any) -> Any:
    kind = MODELS.load("cnn-rnn")
    torch.manual_seed(4)
    return kind.build(kind.Params(width=4, units=6, **params), SPEC, 2).eval()


def studies(*lengths: int) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(5)
    return [torch.rand((length, 1, *SPEC.size), generator=random) for length in lengths]


def padded(several: list[torch.Tensor], longest: int, filled: float) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.full((len(several), longest, 1, *SPEC.size), filled)
    for place, study in zip(images, several, strict=True):
        place[: len(study)] = study
    return images, torch.tensor([len(study) for study in several])


@pytest.mark.parametrize("params", KINDS)
def test_a_padded_study_gets_the_answer_of_the_study_alone(params: dict[str, str]) -> None:
    network = built(**params)
    several = studies(3, 7, 1, 4)
    # what lies in the padding is never looked at, be it not a number
    images, lengths = padded(several, 9, float("nan"))
    with torch.no_grad():
        together = network.parts(images, lengths=lengths)
    for number, study in enumerate(several):
        with torch.no_grad():
            alone = network.parts(study.unsqueeze(0))
        torch.testing.assert_close(together["logits"][number], alone["logits"][0], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(together["features"][number], alone["features"][0], atol=1e-6, rtol=1e-5)
        weights = together["slice_weights"][number]
        torch.testing.assert_close(weights[: len(study)], alone["slice_weights"][0], atol=1e-6, rtol=1e-5)
        assert (weights[len(study) :] == 0).all()
        assert float(weights.sum()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("params", KINDS)
def test_padding_reaches_neither_gradients_nor_running_statistics(params: dict[str, str]) -> None:
    several = studies(2, 5, 3)
    found = []
    for longest, filled in ((5, 0.0), (8, 7.0)):
        network = built(**params).train()
        network.dropout.p = 0.0
        images, lengths = padded(several, longest, filled)
        network.parts(images, lengths=lengths)["logits"].square().sum().backward()
        found.append(
            [value.grad for value in network.parameters() if value.grad is not None] + list(network.buffers())
        )
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_the_order_of_the_slices_counts_only_with_a_cell() -> None:
    study = studies(6)[0].unsqueeze(0)
    for params in KINDS:
        network = built(**params)
        same = torch.allclose(network(study), network(study.flip(1)), atol=1e-6)
        assert same == (params["cell"] == "none")


def test_mean_pooling_weighs_all_slices_alike_and_attention_does_not() -> None:
    images, lengths = padded(studies(4, 2), 4, 0.0)
    mean = built(cell="none", pooling="mean").parts(images, lengths=lengths)["slice_weights"]
    torch.testing.assert_close(mean, torch.tensor([[0.25] * 4, [0.5, 0.5, 0.0, 0.0]]))
    weights = built(cell="none", pooling="attention").parts(images, lengths=lengths)["slice_weights"]
    assert float((weights[0].max() - weights[0].min()).detach()) > 1e-4
