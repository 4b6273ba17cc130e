"""The stored model: ensembles, mirror images, calibration, and the way through a bundle and back."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.imaging.small_networks import (
    IMAGE,
    SEQUENCE,
    SmallNetwork,
    SmallSequenceNetwork,
    inputs_for,
    seeded,
)

from iatros.core.bundle import BundleDraft, open_bundle, write_bundle
from iatros.core.calibration import Calibrator
from iatros.core.conformal import ConformalInterval, ConformalSet
from iatros.core.errors import BundleError, TamperedBundleError
from iatros.core.task import Target
from iatros.imaging.export import to_onnx
from iatros.imaging.fitting import network_outputs
from iatros.imaging.fusion_table import fit_table_encoder
from iatros.imaging.quantisation import quantise
from iatros.imaging.runtime.network import StoredNetwork
from iatros.imaging.scoring import ImagingModel, network_file

GRADES = Target("grade", "multiclass", ("none", "mild", "severe"))
PLATT = {"intercept": np.array([-0.7]), "slope": np.array([1.4]), "scale": np.array([0.0])}
IMAGES = inputs_for(IMAGE, 9)


@pytest.fixture(scope="module")
def members() -> list[Any]:
    return [seeded(seed, SmallNetwork, IMAGE, 3) for seed in (11, 12)]


@pytest.fixture(scope="module")
def stored(members: list[Any]) -> tuple[StoredNetwork, ...]:
    return tuple(StoredNetwork(to_onnx(network, IMAGE), IMAGE, threads=1) for network in members)


@pytest.fixture(scope="module")
def model(stored: tuple[StoredNetwork, ...]) -> ImagingModel:
    """Two members, three labels at once, of which the second has no conformal rule."""
    return ImagingModel(
        name="resnet",
        targets=tuple(Target(name, "binary", ("no", name)) for name in ("effusion", "nodule", "fracture")),
        objective="binary-cross-entropy",
        spec=IMAGE,
        networks=stored,
        test_time=True,
        calibrators=(
            Calibrator("none"),
            Calibrator("slope", PLATT),
            Calibrator(
                "isotonic", {"x": np.array([0.2, 0.9]), "y": np.array([0.1, 0.6]), "scale": np.zeros(1)}
            ),
        ),
        conformal=(
            ConformalSet(0.9, np.array([0.4, np.inf])),
            None,
            ConformalSet(0.8, np.array([0.31, 0.62])),
        ),
    )


def written(model: ImagingModel, path: Path, more: dict[str, bytes] | None = None) -> Path:
    document, files = model.save()
    manifest = {
        "domain": "imaging",
        "model": model.name,
        "network": {"spec": model.spec.document()},
        "predictor": document,
    }
    return write_bundle(BundleDraft(manifest, {**files, **(more or {})}), path)


def test_logits_are_the_mean_over_members_and_mirror_images(model: ImagingModel, members: list[Any]) -> None:
    expected = np.mean(
        [network_outputs(network, IMAGES, test_time=True)["logits"] for network in members], axis=0
    )
    raw = model.raw(IMAGES)
    np.testing.assert_allclose(raw.logits, expected, atol=1e-5)
    straight = replace(model, test_time=False).raw(IMAGES)
    assert np.abs(straight.logits - raw.logits).max() > 1e-4
    np.testing.assert_array_equal(straight.features, raw.features)
    np.testing.assert_allclose(raw.features, network_outputs(members[0], IMAGES)["features"], atol=1e-5)
    assert raw.slice_weights is None


def test_an_image_and_its_mirror_image_get_the_same_answer(model: ImagingModel) -> None:
    for one, other in zip(model.predict(IMAGES), model.predict(IMAGES[..., ::-1]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_spread_is_the_deviation_of_the_probability_in_which_members_differ_most(model: ImagingModel) -> None:
    each = [
        1 / (1 + np.exp(-replace(model, networks=(network,)).raw(IMAGES).logits))
        for network in model.networks
    ]
    # the standard deviation of two numbers is half their distance
    expected = (np.abs(each[0] - each[1]) / 2).max(axis=1)
    np.testing.assert_allclose(model.raw(IMAGES).spread, expected, atol=1e-7)
    assert expected.min() > 0
    assert np.isnan(replace(model, networks=model.networks[:1]).raw(IMAGES).spread).all()


def test_each_target_goes_through_its_own_calibrator(model: ImagingModel) -> None:
    effusion, nodule, fracture = model.predict(IMAGES)
    logits = model.raw(IMAGES).logits
    np.testing.assert_allclose(effusion, 1 / (1 + np.exp(-logits[:, 0])))
    np.testing.assert_allclose(nodule, 1 / (1 + np.exp(0.7 - 1.4 * logits[:, 1])))
    p = 1 / (1 + np.exp(-logits[:, 2]))
    np.testing.assert_allclose(fracture, np.clip(0.1 + (p - 0.2) * 0.5 / 0.7, 0.1, 0.6))
    np.testing.assert_allclose(model.finish_uncalibrated(logits)[2], p)


def test_a_bundle_gives_the_same_model_back(model: ImagingModel, tmp_path: Path) -> None:
    bundle = open_bundle(written(model, tmp_path / "b"))
    again = ImagingModel.from_bundle(bundle)
    for one, other in zip(model.predict(IMAGES), again.predict(IMAGES), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.raw(IMAGES).spread, model.raw(IMAGES).spread)
    assert again.targets == model.targets
    assert again.spec == model.spec
    assert (again.name, again.objective, again.test_time) == ("resnet", "binary-cross-entropy", True)
    first, second, third = again.conformal
    assert isinstance(first, ConformalSet)
    assert isinstance(third, ConformalSet)
    assert second is None
    np.testing.assert_array_equal(first.thresholds, [0.4, np.inf])
    assert third.confidence_level == 0.8


def test_graded_and_continuous_models_come_back_too(
    stored: tuple[StoredNetwork, ...], members: list[Any], tmp_path: Path
) -> None:
    del members
    rule = {"scale": np.array([1.0]), "intercept": np.array([0.4, -0.1, -0.3]), "slope": np.array([0.8])}
    grades = ImagingModel(
        "cnn", (GRADES,), "cross-entropy", IMAGE, stored[:1], False,
        (Calibrator("slope", rule),), (ConformalSet(0.9, np.array([0.5, 0.6, 0.7])),),
    )  # fmt: skip
    again = ImagingModel.from_bundle(open_bundle(written(grades, tmp_path / "grades")))
    np.testing.assert_array_equal(again.predict(IMAGES)[0], grades.predict(IMAGES)[0])
    np.testing.assert_allclose(again.predict(IMAGES)[0].sum(axis=1), 1.0)
    value = ImagingModel(
        "cnn", (Target("age", "continuous", unit="years"),), "squared-error", IMAGE, stored[1:], True,
        (Calibrator("none"),), (ConformalInterval(0.9, np.array([-3.0, 5.0])),),
    )  # fmt: skip
    back = ImagingModel.from_bundle(open_bundle(written(value, tmp_path / "value")))
    low, high = back.conformal[0].apply(back.predict(IMAGES)[0])  # type: ignore[union-attr]
    np.testing.assert_allclose(high - low, 8.0)
    np.testing.assert_array_equal(back.predict(IMAGES)[0], value.predict(IMAGES)[0])
    assert back.targets[0].unit == "years"


def test_the_weights_of_slices_are_those_of_the_study_as_it_is(tmp_path: Path) -> None:
    network = seeded(2, SmallSequenceNetwork, SEQUENCE, 1, "gru")
    onnx = to_onnx(network, SEQUENCE)
    model = ImagingModel(
        "cnn-rnn", (Target("bleed", "binary", ("no", "yes")),), "binary-cross-entropy", SEQUENCE,
        (StoredNetwork(onnx, SEQUENCE, threads=1),), True, (Calibrator("none"),), (None,),
    )  # fmt: skip
    studies = inputs_for(SEQUENCE, 6)
    raw = ImagingModel.from_bundle(open_bundle(written(model, tmp_path / "b"))).raw(studies)
    expected = network_outputs(network, studies, test_time=True)
    np.testing.assert_allclose(raw.logits, expected["logits"], atol=1e-5)
    assert raw.slice_weights is not None
    for given, wanted in zip(raw.slice_weights, expected["slice_weights"], strict=True):
        np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_the_patient_table_travels_with_the_model(tmp_path: Path) -> None:
    frame = pl.DataFrame({"age": [61.0, None, 33.0, 80.0, 47.0, 52.0], "sex": ["f", "m", "m", "f", "f", "m"]})
    encoder = fit_table_encoder(frame, np.arange(5))
    network = seeded(2, SmallNetwork, IMAGE, 1, len(encoder.names))
    onnx = to_onnx(network, IMAGE, n_columns=len(encoder.names))
    model = ImagingModel(
        "fusion", (Target("heart failure", "binary", ("no", "yes")),), "binary-cross-entropy", IMAGE,
        (StoredNetwork(onnx, IMAGE, threads=1),), False, (Calibrator("none"),), (None,), encoder,
    )  # fmt: skip
    again = ImagingModel.from_bundle(open_bundle(written(model, tmp_path / "b")))
    assert again.table is not None
    rows = again.table.apply(frame)
    np.testing.assert_array_equal(rows, encoder.apply(frame))
    np.testing.assert_array_equal(
        again.predict(IMAGES[:6], rows)[0], model.predict(IMAGES[:6], encoder.apply(frame))[0]
    )


def test_the_8_bit_form_answers_where_it_is_asked_for(model: ImagingModel, tmp_path: Path) -> None:
    small = {
        network_file(member, "int8"): quantise(network.onnx, inputs_for(IMAGE, 40, seed=1))
        for member, network in enumerate(model.networks)
    }
    bundle = open_bundle(written(model, tmp_path / "b", small))
    full, fewer = ImagingModel.from_bundle(bundle), ImagingModel.from_bundle(bundle, precision="int8")
    gap = np.abs(full.raw(IMAGES).logits - fewer.raw(IMAGES).logits).max()
    assert 0 < gap < 0.05
    assert {network.onnx for network in fewer.networks} == set(small.values())


def test_a_bundle_without_the_8_bit_form_says_so(model: ImagingModel, tmp_path: Path) -> None:
    bundle = open_bundle(written(model, tmp_path / "b"))
    with pytest.raises(BundleError, match="no 8-bit form of its network; ask with precision fp32"):
        ImagingModel.from_bundle(bundle, precision="int8")


def test_a_changed_network_is_refused(model: ImagingModel, tmp_path: Path) -> None:
    path = written(model, tmp_path / "b")
    bundle = open_bundle(path)
    file = path / network_file(1)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(TamperedBundleError, match=r"network1\.onnx changed after the bundle was opened"):
        ImagingModel.from_bundle(bundle)
    with pytest.raises(TamperedBundleError, match=r"network1\.onnx differs from its hash"):
        open_bundle(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"domain": "risk"}, "answers questions of risk, not of imaging"),
        ({"predictor": None}, "outlines findings"),
        ({"objective": "hinge"}, "objective 'hinge' is not known"),
        ({"conformal": ["Oracle", None, None]}, "rule 'Oracle' is not known"),
    ],
)
def test_a_bundle_that_this_version_does_not_know_is_refused(
    model: ImagingModel, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    document, files = model.save()
    manifest = {
        "domain": "imaging", "model": "resnet", "network": {"spec": IMAGE.document()}, "predictor": document,
    }  # fmt: skip
    for key, value in change.items():
        (manifest if key in manifest else document)[key] = value
    if manifest["predictor"] is None:
        del manifest["predictor"]
    bundle = open_bundle(write_bundle(BundleDraft(manifest, files), tmp_path / "b"))
    with pytest.raises(BundleError, match=said):
        ImagingModel.from_bundle(bundle)


def test_predicting_imports_nothing_that_can_train(model: ImagingModel, tmp_path: Path) -> None:
    path = written(model, tmp_path / "b")
    np.save(tmp_path / "images.npy", IMAGES)
    code = f"""
import sys
import numpy as np
from iatros.core.bundle import open_bundle
from iatros.imaging import heads, inputs, scoring
from iatros.imaging.runtime import network
from iatros.imaging.schema import InputSpec
pixels = np.arange(1 * 17 * 23, dtype=np.uint8).reshape(1, 17, 23)
one = inputs.prepare(pixels, InputSpec("image", 1, (14, 10)))
model = scoring.ImagingModel.from_bundle(open_bundle({str(path)!r}))
print(model.predict(np.concatenate([np.load({str(tmp_path / "images.npy")!r}), one[None]]))[0][0])
heavy = {{"torch", "monai", "lightning", "sklearn", "pandas", "captum", "onnx", "onnxscript", "scipy"}}
print(sorted(heavy & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    answer, loaded = run.stdout.splitlines()
    assert float(answer) == pytest.approx(model.predict(IMAGES)[0][0], abs=1e-6)
    assert loaded == "[]"
