"""The U-Net: which axes are halved when, and what comes out."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch")

from iatros.core.errors import RequestError  # noqa: E402
from iatros.imaging.models import MODELS  # noqa: E402
from iatros.imaging.models.unet import UNet, UNetParams, halvings  # noqa: E402
from iatros.imaging.schema import InputSpec  # noqa: E402
from iatros.learners.tabular.estimators.params import check_overrides  # noqa: E402


@pytest.mark.parametrize(
    ("size", "most", "steps"),
    [
        ((40, 56, 40), 3, ((2, 2, 2), (2, 2, 2), (2, 2, 2))),
        ((12, 64, 48), 3, ((1, 2, 2), (1, 2, 2), (2, 2, 2))),
        ((5, 64, 64), 2, ((1, 2, 2), (1, 2, 2))),
        ((24, 16), 5, ((2, 2), (2, 2))),
        ((56, 24), 5, ((2, 1), (2, 2), (2, 2))),
    ],
)
def test_short_axes_wait_and_no_axis_falls_below_four(
    size: tuple[int, ...], most: int, steps: tuple[tuple[int, ...], ...]
) -> None:
    assert halvings(size, most) == steps


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        (InputSpec("image", 3, (24, 40)), {}),
        (InputSpec("volume", 1, (5, 24, 16)), {"residual": True}),
        (InputSpec("volume", 2, (16, 24, 16)), {"norm": "group", "dropout": 0.2}),
        (InputSpec("image", 1, (16, 16)), {"norm": "batch", "channels": (4, 6, 8, 10, 12)}),
    ],
)
def test_every_pixel_gets_a_logit_for_each_label(spec: InputSpec, changes: dict[str, object]) -> None:
    params = UNetParams(**{"channels": (4, 8, 12), **changes})  # type: ignore[arg-type]
    network = UNet.build(params, spec, 4).eval()
    parts = network.parts(torch.randn(2, spec.channels, *spec.size))  # type: ignore[operator]
    assert parts["logits"].shape == (2, 4, *spec.size)
    assert parts["features"].shape[0] == 2
    assert parts["features"].shape[1] == network.widths[-1]
    assert torch.isfinite(parts["logits"]).all()


def test_slices_that_are_never_halved_are_not_mixed_at_the_full_scale() -> None:
    network = UNet.build(UNetParams(channels=(4, 8, 12)), InputSpec("volume", 1, (5, 24, 16)), 2)
    kernels = [tuple(block.conv1.conv.kernel_size) for block in network.down]  # type: ignore[union-attr]
    assert kernels == [(1, 3, 3), (3, 3, 3), (3, 3, 3)]


def test_the_far_corner_matters_to_a_voxel_through_the_coarse_scales() -> None:
    network = UNet.build(UNetParams(channels=(4, 8, 12, 16)), InputSpec("image", 1, (32, 48)), 2)
    image = torch.zeros((1, 1, 32, 48), requires_grad=True)
    network(image)[0, 1, 2, 2].backward()
    assert image.grad is not None
    assert image.grad[0, 0, -1, -1] != 0


def test_parameters_are_read_and_checked() -> None:
    found = check_overrides(
        ("unet",), ("unet.channels=8,16", "unet.patch=16,32,32", "unet.norm=group"), MODELS
    )
    assert found["unet"].channels == (8, 16)  # type: ignore[attr-defined]
    assert found["unet"].patch == (16, 32, 32)  # type: ignore[attr-defined]
    with pytest.raises(RequestError, match="multiples of 4"):
        check_overrides(("unet",), ("unet.channels=6,8", "unet.norm=group"), MODELS)
    with pytest.raises(ValidationError, match="between 1 and 1024"):
        UNetParams(channels=(0, 8))
