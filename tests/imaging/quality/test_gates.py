"""All gates together, on real and simulated images."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iatros.core.errors import FitError, InputError
from iatros.imaging.quality import CODES, FILE, Gates, fit_gates, gate_report
from iatros.imaging.schema import ImageRecord, InputSpec
from iatros.imaging.simulation import simulate_radiographs

SPEC = InputSpec("image", 1, (28, 28))


def records_of(images: Any, **fields: Any) -> list[ImageRecord]:
    return [
        ImageRecord(name=str(row), sha256=str(row), shape=(1, *np.shape(image)), **fields)
        for row, image in enumerate(images)
    ]


def pixels_of(images: Any) -> Any:
    return lambda record: images[int(record.name)][None]


def random_features(images: np.ndarray) -> np.ndarray:
    """What an untrained layer would give: rectified random projections of the image at 28 px."""
    from iatros.imaging.inputs import prepare

    flat = np.stack([prepare(np.ascontiguousarray(image)[None], SPEC).ravel() for image in images])
    weights = np.random.default_rng(42).normal(size=(784, 96)) / 28
    return np.maximum((flat - 0.5) @ weights, 0.0)


def spoken(gates: Gates, images: Any, **fields: Any) -> tuple[float, float]:
    """Shares refused, and refused or flagged."""
    found = gates.check_many(records_of(images, **fields), pixels_of(images), random_features(images))
    refused = np.mean([any(finding.severity == "refuse" for finding in one) for one in found])
    return float(refused), float(np.mean([bool(one) for one in found]))


@pytest.fixture(scope="module")
def pneumonia(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    folder: Path = request.getfixturevalue("shared_data")
    with np.load(folder / "pneumoniamnist" / "pneumoniamnist_28_reconstructed.npz") as archive:
        return {side: archive[f"{side}_images"] for side in ("train", "val", "test")}


@pytest.fixture(scope="module")
def gates(pneumonia: dict[str, np.ndarray]) -> Gates:
    images = np.concatenate([pneumonia["train"], pneumonia["val"]])
    unseen = np.arange(len(images) - len(pneumonia["val"]), len(images))
    return fit_gates(records_of(images), pixels_of(images), random_features(images), SPEC, unseen=unseen)


def test_radiographs_of_the_same_kind_pass(gates: Gates, pneumonia: dict[str, np.ndarray]) -> None:
    images = pneumonia["test"]
    report = gate_report(gates, records_of(images), pixels_of(images), random_features(images))
    assert report["n"] == 624
    assert report["passed"]["value"] >= 0.97
    assert report["refused"]["value"] <= 0.01
    assert report["unlike"]["flagged"]["value"] <= 0.03
    total = sum(report[name]["value"] for name in ("passed", "flagged", "refused"))
    assert total == pytest.approx(1.0)
    assert [row["code"] for row in report["by_code"]] == list(CODES)


def test_what_is_no_chest_radiograph_is_caught(
    gates: Gates, pneumonia: dict[str, np.ndarray], shared_data: Path
) -> None:
    rng = np.random.default_rng(0)
    images = pneumonia["test"]
    with np.load(shared_data / "busi" / "busi_gray128.npz") as archive:
        ultrasound = archive["images"][::3]
    exposed = np.clip((images.astype(float) - 127) * 6 + 127, 0, 255).astype(np.uint8)
    least = {  # share refused, share refused or flagged
        "ultrasound": (ultrasound, 0.85, 0.98),
        "negatives": (255 - images, 0.98, 0.99),
        "noise": (rng.integers(0, 256, (100, 28, 28), dtype=np.uint8), 1.0, 1.0),
        "blank": (rng.integers(90, 93, (30, 28, 28), dtype=np.uint8), 1.0, 1.0),
        "clipped": (exposed, 0.85, 1.0),
        "lying on the side": (np.rot90(images, axes=(1, 2)), 0.45, 0.8),
        "upside down": (images[:, ::-1], 0.1, 0.35),
    }
    for name, (shown, refused, caught) in least.items():
        found = spoken(gates, shown)
        assert found[0] >= refused, name
        assert found[1] >= caught, name


def test_slices_of_a_brain_are_refused(gates: Gates, shared_data: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    slices = []
    for path in sorted((shared_data / "msd_hippocampus").rglob("*.nii.gz")):
        volume = np.asarray(nibabel.load(path).dataobj)
        if np.unique(volume[:3]).size > 5:  # not a label map
            plane = volume[len(volume) // 2].astype(float)
            top = np.quantile(plane, 0.995)
            slices.append(np.clip((plane - plane.min()) / (top - plane.min()) * 255, 0, 255).astype(np.uint8))
    assert len(slices) >= 40
    refused, _ = spoken(gates, slices)
    assert refused >= 0.97


@pytest.fixture(scope="module")
def simulated() -> tuple[Gates, np.ndarray]:
    images = simulate_radiographs(420, 128, seed=5).images
    tagged = records_of(images[:300], modality="DX", body_part="CHEST")
    fitted = fit_gates(tagged, pixels_of(images), random_features(images[:300]), SPEC, seed=1)
    return fitted, images[300:]


def test_findings_come_refusals_first(simulated: tuple[Gates, np.ndarray]) -> None:
    gates, images = simulated
    record = records_of(images[:1], modality=None, body_part="KNEE", flags=("burnt-in annotation",))[0]
    found = gates.check(record, images[0][None], random_features(images[:1])[0])
    assert [(finding.code, finding.severity) for finding in found] == [
        ("body-part", "refuse"), ("modality", "flag"), ("text", "flag"),
    ]  # fmt: skip


def test_of_the_wrong_number_of_channels_nothing_else_is_asked(simulated: tuple[Gates, np.ndarray]) -> None:
    gates, _ = simulated
    record = ImageRecord(name="x", sha256="x", shape=(3, 100, 100), modality="US")
    (found,) = gates.check(record, np.zeros((3, 100, 100), dtype=np.uint8), None)
    assert found.message == "this is 3 channels, 100 x 100, and the model learned from grey images"


def test_without_features_the_other_gates_still_speak(simulated: tuple[Gates, np.ndarray]) -> None:
    gates, images = simulated
    record = records_of(images[:1], modality="DX", body_part="CHEST")[0]
    assert gates.check(record, images[0][None], None) == []
    assert next(f.code for f in gates.check(record, 255 - images[0][None], None)) == "inverted"


def test_gates_answer_the_same_from_disk(simulated: tuple[Gates, np.ndarray]) -> None:
    gates, images = simulated
    document, files = gates.save()
    again = Gates.load(json.loads(json.dumps(document)), files.__getitem__)
    shown = np.concatenate([images[:20], 255 - images[:5], images[:5, ::-1]])
    records, features = records_of(shown, modality="DX"), random_features(shown)
    assert again.check_many(records, pixels_of(shown), features) == gates.check_many(
        records, pixels_of(shown), features
    )
    assert again.save() == (document, files)
    assert list(files) == [FILE]


def test_the_same_seed_gives_the_same_bytes_and_patients_stay_together() -> None:
    images = simulate_radiographs(90, 64, seed=8).images
    records = [
        ImageRecord(name=str(k), sha256=str(k), shape=(1, 64, 64), subject=str(k // 2)) for k in range(90)
    ]
    features = random_features(images)
    first, again, other = (
        fit_gates(records, pixels_of(images), features, SPEC, seed=seed).save() for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_too_few_images_have_no_gate_for_unlike_images() -> None:
    images = simulate_radiographs(24, 64, seed=8).images
    gates = fit_gates(records_of(images), pixels_of(images), random_features(images), SPEC)
    assert gates.features is None
    assert gates.document()["features"] is None
    document, files = gates.save()
    assert Gates.load(document, files.__getitem__).picture is None
    report = gate_report(gates, records_of(images), pixels_of(images), random_features(images))
    assert report["unlike"] is None


def test_gates_of_pictures_alone_are_learned_counted_and_kept() -> None:
    images = simulate_radiographs(90, 64, seed=8).images
    gates = fit_gates(records_of(images[:60]), pixels_of(images), None, SPEC)
    document, files = gates.save()
    again = Gates.load(json.loads(json.dumps(document)), files.__getitem__)
    assert again.features is None
    assert again.picture is not None
    held = records_of(images)[60:]
    report = gate_report(again, held, pixels_of(images), None)
    assert report["unlike"]["stated"] == {"flag": 0.005, "refuse": 0.0005}
    assert report["passed"]["value"] > 0.9
    negatives = [255 - image for image in images]
    assert gate_report(again, held, pixels_of(negatives), None)["refused"]["value"] == 1.0


def test_features_must_be_one_finite_row_per_image() -> None:
    images = simulate_radiographs(24, 64, seed=8).images
    with pytest.raises(InputError, match="one row of features per image: got \\(23, 96\\) for 24"):
        fit_gates(records_of(images), pixels_of(images), random_features(images[:23]), SPEC)
    with pytest.raises(FitError, match="not finite"):
        fit_gates(records_of(images), pixels_of(images), np.full((24, 3), np.inf), SPEC)


def test_checking_needs_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys, iatros.imaging.quality\n"
        "heavy = {'torch', 'monai', 'lightning', 'sklearn', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
