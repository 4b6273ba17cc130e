"""Heat maps: what looks at a corner is hot there, by every method; numbers agree with captum and with hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam
from scipy.ndimage import gaussian_filter
from tests.imaging.explanation.hand_built import COLOUR, IMAGE, SEQUENCE, VOLUME, LinearNetwork, corner

from iatros.core.errors import InputError, UnknownNameError
from iatros.imaging.explanation import METHODS, heat_maps, scaled
from iatros.imaging.explanation.activation import class_activation
from iatros.imaging.explanation.asking import Asked
from iatros.imaging.explanation.attribution import blurred, integrated_gradients, occlusion
from iatros.imaging.schema import InputSpec

SPECS = {"image": IMAGE, "colour": COLOUR, "volume": VOLUME, "sequence": SEQUENCE}


def inputs_for(spec: InputSpec, n: int, seed: int = 0) -> np.ndarray:
    slices = (7,) if spec.kind == "sequence" else ()
    return np.random.default_rng(seed).random((n, *slices, spec.channels, *spec.size)).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SPECS)
def test_a_network_that_looks_at_one_corner_is_hot_there(method: str, name: str) -> None:
    spec = SPECS[name]
    images = inputs_for(spec, 2)
    maps = heat_maps(corner(spec), images, np.array([1, 1]), method, spec)
    rows, columns = spec.size[-2:]
    inside = np.zeros(maps.shape, dtype=bool)
    # two pixels for the window of the convolution and what smoothing moves
    inside[..., : rows // 3 + 2, columns - columns // 3 - 2 :] = True
    if spec.kind == "volume":
        inside[:, spec.size[0] // 3 + 1 :] = False
    if spec.kind == "sequence":
        inside[:, [0, 1, 3, 4, 5, 6]] = False
    assert maps.min() >= 0
    assert maps.max(axis=tuple(range(1, maps.ndim))).tolist() == [1.0, 1.0]
    for one, there in zip(maps, inside, strict=True):
        assert there[np.unravel_index(one.argmax(), one.shape)]
        assert one[there].sum() > 0.75 * one.sum()
        assert one[there].mean() > 8 * one[~there].mean()


@pytest.mark.parametrize("method", METHODS)
def test_what_speaks_against_the_answer_is_not_hot(method: str) -> None:
    """Output 0 is the negative of output 1, so what raises one lowers the other."""
    images = inputs_for(IMAGE, 3)
    network = corner(IMAGE)
    raised, lowered = (heat_maps(network, images, np.full(3, k), method, IMAGE) for k in (1, 0))
    assert (np.minimum(raised, lowered).max(axis=(1, 2)) < 0.6).all()
    if method == "gradcam":
        assert lowered.max() == 0


@pytest.mark.parametrize("method", METHODS)
def test_one_by_one_or_together_makes_no_difference(method: str) -> None:
    images = inputs_for(COLOUR, 3)
    network, answer = corner(COLOUR), np.array([1, 0, 1])
    together = heat_maps(network, images, answer, method, COLOUR)
    alone = [heat_maps(network, images[k : k + 1], answer[k : k + 1], method, COLOUR)[0] for k in range(3)]
    np.testing.assert_allclose(together, np.stack(alone), atol=2e-5)


def test_series_of_different_length_come_as_a_list() -> None:
    series = [inputs_for(SEQUENCE, 1)[0], inputs_for(SEQUENCE, 1, seed=1)[0][:4]]
    maps = heat_maps(corner(SEQUENCE), series, np.array([1, 1]), "gradcam", SEQUENCE)
    assert [one.shape for one in maps] == [(7, 28, 20), (4, 28, 20)]
    heat = maps[0].max(axis=(1, 2))
    # 0.88 of the weight lies on the third slice and 0.02 on each other
    np.testing.assert_allclose(heat, [0.02 / 0.88] * 2 + [1.0] + [0.02 / 0.88] * 4, rtol=1e-5)


def test_grad_cam_is_captums() -> None:
    images = inputs_for(IMAGE, 3)
    network, answer = corner(IMAGE), np.array([1, 0, 1])
    ours = class_activation(Asked(network, answer), images, IMAGE, plus_plus=False)
    captum = LayerGradCam(lambda x: network.parts(x)["logits"], network.encoder)
    theirs = captum.attribute(torch.tensor(images), target=torch.tensor(answer), relu_attributions=True)
    theirs = LayerAttribution.interpolate(theirs, IMAGE.size, "bilinear")[:, 0].detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_grad_cam_plus_plus_by_hand() -> None:
    """One channel [[1, 0], [0, 3]], gradients [[2, -1], [0, 0]]: below = 2 g^2 + 4 g^3 = [[40, -2], [0, 0]].

    Shares g^2 / below are 4/40 = 0.1 and 1/-2; the weight 0.1 x 2 = 0.2, as the gradient -1 is cut off;
    the map 0.2 x the channel.
    """
    activation = torch.tensor([[[[1.0, 0.0], [0.0, 3.0]]]])

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Identity()

        def heat_layer(self) -> torch.nn.Module:
            return self.layer

        def parts(self, images: torch.Tensor, table: None = None) -> dict[str, torch.Tensor]:
            gradient = torch.tensor([[2.0, -1.0], [0.0, 0.0]])
            return {"logits": (self.layer(images) * gradient).flatten(1).sum(dim=1, keepdim=True)}

    spec = InputSpec("image", 1, (2, 2))
    made = class_activation(Asked(Network(), np.array([0])), activation.numpy(), spec, plus_plus=True)
    np.testing.assert_allclose(made, [[[0.2, 0.0], [0.0, 0.6]]], rtol=1e-6)


def test_integrated_gradients_of_a_linear_network_are_known() -> None:
    """w (x - blurred x), and together the difference of the answers (completeness)."""
    rng = np.random.default_rng(3)
    spec = InputSpec("image", 1, (13, 9))
    weights = rng.normal(size=(1, 13, 9)).astype(np.float32)
    images = rng.random((2, 1, 13, 9)).astype(np.float32)
    network = LinearNetwork(torch.tensor(weights))
    soft = blurred(images, spec)
    known = (weights * (images - soft)).sum(axis=1)
    made = integrated_gradients(Asked(network, np.array([0, 0])), images, spec)
    np.testing.assert_allclose(made, gaussian_filter(known, (0, 13 / 40, 9 / 40), mode="constant"), atol=1e-5)
    change = (weights * images).sum(axis=(1, 2, 3)) - (weights * soft).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(known.sum(axis=(1, 2)), change, rtol=1e-3)


def test_occlusion_of_a_linear_network_is_known() -> None:
    rng = np.random.default_rng(4)
    spec = InputSpec("image", 1, (5, 4))
    weights = rng.normal(size=(1, 5, 4)).astype(np.float32)
    image = rng.random((1, 1, 5, 4)).astype(np.float32)
    part = (weights * (image[0] - blurred(image, spec)[0]))[0].astype(float)
    total, count = np.zeros((5, 4)), np.zeros((5, 4))
    for top in (0, 1, 2):
        for left in (0, 1):
            window = slice(top, top + 3), slice(left, left + 3)
            total[window] += part[window].sum()
            count[window] += 1
    made = occlusion(Asked(LinearNetwork(torch.tensor(weights)), np.array([0])), image, spec)
    np.testing.assert_allclose(made[0], total / count, atol=1e-5)


def test_the_patient_table_reaches_the_network() -> None:
    images = inputs_for(IMAGE, 2)
    table = np.array([[1.0, 9.0], [-1.0, 9.0]], dtype=np.float32)
    for method in METHODS:
        maps = heat_maps(corner(IMAGE), images, np.array([1, 1]), method, IMAGE, table=table)
        other = heat_maps(corner(IMAGE), images, np.array([1, 0]), method, IMAGE)
        np.testing.assert_allclose(maps, other, atol=1e-4)


def test_heat_leaves_the_network_as_it_was() -> None:
    network = corner(IMAGE)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for method in METHODS:
        heat_maps(network, inputs_for(IMAGE, 1), np.array([1]), method, IMAGE)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network.encoder._forward_hooks
    assert all(parameter.grad is None for parameter in network.parameters())


def test_wrong_questions_are_refused() -> None:
    images = inputs_for(IMAGE, 2)
    with pytest.raises(UnknownNameError, match="gradcam"):
        heat_maps(corner(IMAGE), images, np.array([1, 1]), "grad-cam", IMAGE)
    with pytest.raises(InputError, match="one answer each"):
        heat_maps(corner(IMAGE), images, np.array([1]), "gradcam", IMAGE)
    with pytest.raises(InputError, match="3 axes"):
        heat_maps(corner(IMAGE), images[0], np.array([1]), "gradcam", IMAGE)
    assert heat_maps(corner(IMAGE), images[:0], np.array([], dtype=int), "gradcam", IMAGE).shape == (
        0,
        40,
        28,
    )


def test_a_map_without_heat_stays_empty() -> None:
    assert scaled(np.full((1, 2, 3), -4.0)).tolist() == [[[0.0] * 3] * 2]
    assert scaled(np.full((1, 2, 3), np.nan)).max() == 0
