"""The torch network of a bundle: the same weights, the same answers, and nothing that is not asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.imaging.small_networks import inputs_for, seeded

from iatros.core.bundle import BundleDraft, open_bundle, write_bundle
from iatros.core.errors import BundleError, UnknownNameError
from iatros.imaging.fitting import network_outputs
from iatros.imaging.models import MODELS
from iatros.imaging.rebuilding import network_document, network_from_bundle, pack_network
from iatros.imaging.schema import InputSpec

SPEC = InputSpec("image", 3, (17, 12), fit="stretch")


def fused(seed: int) -> Any:
    model = MODELS.load("fusion")
    return seeded(seed, model.build, model.Params(width=8, joint_units=20), SPEC, 2, n_columns=3)


def written(path: Path, files: dict[str, bytes], **changed: Any) -> Path:
    params = MODELS.load("fusion").Params(width=8, joint_units=20)
    document = network_document("fusion", params, SPEC, 2, n_columns=3) | changed
    manifest = {"domain": "imaging", "model": "fusion", "network": document}
    return write_bundle(BundleDraft(manifest, files), path)


def test_each_member_is_rebuilt_with_its_own_weights(tmp_path: Path) -> None:
    networks = [fused(1), fused(2)]
    files = {f"network{k}.safetensors": pack_network(network) for k, network in enumerate(networks)}
    bundle = open_bundle(written(tmp_path / "b", files))
    images = inputs_for(SPEC, 4)
    table = np.linspace(-1, 2, 12, dtype=np.float32).reshape(4, 3)
    for member, network in enumerate(networks):
        again = network_from_bundle(bundle, member)
        assert not again.training
        expected = network_outputs(network, images, table=table)
        given = network_outputs(again, images, table=table)
        np.testing.assert_array_equal(given["logits"], expected["logits"])
        assert pack_network(again) == files[f"network{member}.safetensors"]
    assert files["network0.safetensors"] != files["network1.safetensors"]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    bundle = open_bundle(
        written(tmp_path / "b", {"network0.safetensors": pack_network(fused(1))}, n_outputs=3)
    )
    with pytest.raises(BundleError, match="do not fit the network that the manifest describes"):
        network_from_bundle(bundle)


def test_a_member_a_file_or_a_network_that_is_not_there_is_named(tmp_path: Path) -> None:
    bundle = open_bundle(written(tmp_path / "b", {"network0.safetensors": pack_network(fused(1))}))
    with pytest.raises(UnknownNameError, match=r"network1\.safetensors"):
        network_from_bundle(bundle, 1)
    other = open_bundle(written(tmp_path / "c", {}, model="oracle"))
    with pytest.raises(UnknownNameError, match="no model is called 'oracle'"):
        network_from_bundle(other)
    draft = BundleDraft({"domain": "imaging", "model": "fusion"}, {})
    bare = open_bundle(write_bundle(draft, tmp_path / "d"))
    with pytest.raises(BundleError, match="does not say which network"):
        network_from_bundle(bare)


def test_a_file_that_holds_no_arrays_is_refused(tmp_path: Path) -> None:
    bundle = open_bundle(written(tmp_path / "b", {"network0.safetensors": b"\x80\x04pickle"}))
    with pytest.raises(BundleError, match="array file of the bundle cannot be read"):
        network_from_bundle(bundle)
