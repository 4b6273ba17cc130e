"""From a folder in the Decathlon's layout to a bundle, and what the bundle says of other images."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

pytest.importorskip("torch")

from tests.imaging.segmentation.conftest import make_volume, write_decathlon

from iatros.core.bundle import Bundle, open_bundle, write_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import InputError, OutcomeError, RequestError, SplitError
from iatros.imaging.reporting import findings
from iatros.imaging.requests import EvaluateRequest, FindingsRequest, PredictRequest, TrainRequest
from iatros.imaging.schema import Collection, ImageRecord
from iatros.imaging.segmentation import (
    development,
    evaluate_segmentation,
    nifti_bytes,
    predict_segmentation,
    train_segmentation,
)
from iatros.imaging.segmentation.development import mirrored, sides
from iatros.imaging.segmentation.overlap import dice
from iatros.imaging.segmentation.plan import frame
from iatros.imaging.segmentation.prediction import segment_collection
from iatros.imaging.segmentation.scoring import SegmentationModel
from iatros.imaging.segmentation.sliding import shares
from iatros.imaging.segmentation.study import open_study
from iatros.imaging.segmentation.validation import parts
from iatros.imaging.sources import open_collection

SRC = Path(__file__).resolve().parents[3] / "src"


def a_request(images: Path, **changes: object) -> TrainRequest:
    given = {
        "images": images,
        "task": "segmentation",
        "label": "rear,front",
        "epochs": 14,
        "ema": 0.9,
        "learning_rate": 0.01,
        "param": ("unet.channels=8,16", "unet.patches=3"),
        "augment": "none",
    }
    return TrainRequest(**{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def produced(balls: Path) -> Produced:
    return train_segmentation(a_request(balls), Context(), open_collection(balls, Context()))


@pytest.fixture(scope="module")
def bundle(produced: Produced, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    assert produced.bundle is not None
    return open_bundle(write_bundle(produced.bundle, tmp_path_factory.mktemp("bundles") / "balls"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_decathlon(tmp_path_factory.mktemp("elsewhere"), range(40, 43))


def test_the_halves_of_the_balls_are_found(produced: Produced) -> None:
    found = produced.result["metrics"]["held_out"]
    assert found["dice_rear"]["value"] > 0.9
    assert found["dice_front"]["value"] > 0.9
    assert found["dice"]["n"] == 2
    assert found["surface_distance_mm"]["value"] < 0.3
    assert abs(found["volume_bias_ml_front"]["value"]) < 0.06  # of about 0.3 ml
    assert found["dice"]["low"] < found["dice"]["value"] < found["dice"]["high"]
    sizes = {name: side["n_rows"] for name, side in produced.result["splits"].items()}
    assert sizes == {"train": 7, "tuning": 1, "held_out": 2}
    json.dumps(produced.result, allow_nan=False)


def test_the_bundle_says_how_it_was_made_and_holds_weights_in_both_forms(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert manifest["domain"] == "imaging"
    assert manifest["model"] == "unet"
    assert manifest["task"] == "segmentation"
    assert manifest["target"]["classes"] == ["rear", "front"]
    assert manifest["segmentation"]["plan"]["spacing_mm"] == [2.0, 0.8, 1.0]
    assert manifest["network"]["spec"]["kind"] == "volume"
    assert {"network0.onnx", "network0.safetensors", "evidence.json"} <= set(manifest["files"])
    assert b"tests/imaging" not in bundle.read("network0.onnx")
    report = bundle.read("report.html").decode()
    for word in ("Research software", "data:image/png;base64", "rear", "Bland and Altman", "worst"):
        assert word in report
    assert "ball_" not in report  # names of files stay out of what people pass on
    card = bundle.read("model_card.md").decode()
    assert card.startswith("# Model card: unet for rear and front")
    assert "Surface distance, mm front" in card


def test_the_same_request_gives_the_same_bytes(balls: Path, produced: Produced) -> None:
    again = train_segmentation(a_request(balls), Context(), open_collection(balls, Context())).bundle
    assert again is not None
    assert produced.bundle is not None
    assert again.files == produced.bundle.files
    assert {k: v for k, v in again.manifest.items() if k != "created"} == {
        k: v for k, v in produced.bundle.manifest.items() if k != "created"
    }


def test_prediction_measures_volumes_and_flags_strange_ones(
    bundle: Bundle, elsewhere: Path, tmp_path: Path
) -> None:
    values, labels = make_volume(40)
    affine = nibabel.load(elsewhere / "imagesTr" / "ball_40.nii.gz").affine
    # the same ball with voxels of twice the length along each axis is eight times as large
    doubled = affine @ np.diag([2.0, 2.0, 2.0, 1.0])
    (tmp_path / "x").mkdir()
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "x" / "a.nii.gz")
    nibabel.save(nibabel.Nifti1Image(values, doubled), tmp_path / "x" / "b.nii.gz")
    (tmp_path / "x" / "c.nii.gz").write_bytes(b"nothing")
    nibabel.save(nibabel.Nifti1Image(values[:, :, 4], affine), tmp_path / "x" / "d.nii.gz")
    request = PredictRequest(model=bundle.path, images=tmp_path / "x")
    found = predict_segmentation(bundle, request, Context(), open_collection(tmp_path / "x", Context()))
    rows = {row["name"]: row for row in found.result["predictions"]}
    voxel = 0.8 * 2.0 / 1000
    assert rows["a.nii.gz"]["volume_ml_front"] == pytest.approx(rows["a.nii.gz"]["voxels_front"] * voxel)
    assert rows["a.nii.gz"]["volume_ml_front"] == pytest.approx((labels == 2).sum() * voxel, rel=0.1)
    assert 0.5 < rows["a.nii.gz"]["certainty_front"] <= 1
    assert rows["a.nii.gz"]["flags"] == ""
    assert "in training" in rows["b.nii.gz"]["flags"]
    refused = {one["name"]: one["reason"] for one in found.result["refused"]}
    assert set(refused) == {"c.nii.gz", "d.nii.gz"}
    assert "takes volumes" in refused["d.nii.gz"]
    assert found.table is not None
    assert found.table["status"] == ["answered", "answered", "refused", "refused"]
    assert found.result["n_flagged"] == 1


def test_masks_lie_on_the_source_voxel_on_voxel(bundle: Bundle, elsewhere: Path) -> None:
    collection = open_collection(elsewhere, Context())
    for one in segment_collection(bundle, collection, Context()).found:
        record = one.record
        assert one.segmented is not None
        assert record.affine is not None
        labels = one.segmented.labels
        assert labels.shape == record.shape[1:]
        assert labels.dtype == np.uint8
        source = Path(collection.root) / record.files[0]
        written = nibabel.Nifti1Image.from_bytes(
            gzip.decompress(nifti_bytes(labels, record.affine, source=source))
        )
        true = nibabel.load(str(source).replace("imagesTr", "labelsTr"))
        assert written.affine == pytest.approx(true.affine)
        same = np.asarray(written.dataobj), np.asarray(true.dataobj)
        assert dice(same[0] == 2, same[1] == 2) > 0.9


def test_findings_write_the_masks_of_volumes_as_nifti(bundle: Bundle, elsewhere: Path) -> None:
    request = FindingsRequest(model=bundle.path, images=elsewhere, objects=("seg",))
    found = findings(request, Context())
    written = {name: content for name, content in found.documents.items() if name.startswith("seg/")}
    truths = sorted((elsewhere / "labelsTr").iterdir())
    assert len(written) == len(truths) == 3
    for name, truth in zip(sorted(written), truths, strict=True):
        assert name.endswith(f"-{truth.name}")
        image, true = nibabel.Nifti1Image.from_bytes(gzip.decompress(written[name])), nibabel.load(truth)
        assert image.affine == pytest.approx(true.affine)
        assert dice(np.asarray(image.dataobj) == 1, np.asarray(true.dataobj) == 1) > 0.9
    assert not any("no SEG" in note for row in found.result["findings"] for note in row["notes"])


def test_evaluation_elsewhere_says_what_training_said(bundle: Bundle, elsewhere: Path) -> None:
    collection = open_collection(elsewhere, Context())
    request = EvaluateRequest(model=bundle.path, images=elsewhere)
    found = evaluate_segmentation(bundle, request, Context(), collection)
    metrics = found.result["metrics"]["external"]
    assert metrics["dice"]["n"] == 3
    assert metrics["dice"]["value"] > 0.9
    assert found.result["parent"]["name"] == "balls"
    assert b"Evaluating a unet" in found.documents["report.html"]


def test_prediction_and_evaluation_need_no_torch(bundle: Bundle, elsewhere: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(SRC)!r})
from pathlib import Path
from iatros.core.bundle import open_bundle
from iatros.core.context import Context
from iatros.imaging.requests import PredictRequest
from iatros.imaging.segmentation import predict_segmentation
from iatros.imaging.sources import open_collection
request = PredictRequest(model=Path({str(bundle.path)!r}), images=Path({str(elsewhere)!r}))
collection = open_collection(request.images, Context())
found = predict_segmentation(open_bundle(request.model), request, Context(), collection)
heavy = {{"torch", "monai", "lightning", "sklearn", "pandas"}}
print(len(found.result["predictions"]), sorted(heavy & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "3 []"


def test_cross_validation_judges_every_image_once_and_keeps_a_model_of_all(
    balls: Path, produced: Produced, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert produced.bundle is not None
    stored = produced.bundle.files["network0.onnx"]
    # writing each fold's network takes seconds and is not what is asked here
    monkeypatch.setattr(development, "checked_onnx", lambda *given: stored)
    request = a_request(balls, validation="cross-validation", folds=2, epochs=1)
    found = train_segmentation(request, Context(), open_collection(balls, Context()))
    assert found.result["metrics"]["cross_validation"]["dice"]["n"] == 10
    assert [part["n_judged"] for part in found.result["parts"]] == [5, 5]
    assert sorted(case["row"] for case in found.result["cases"]) == list(range(10))
    assert found.result["splits"]["train"]["n_rows"] == 9


@pytest.mark.slow
def test_an_ensemble_with_mirror_images_answers_as_the_mean_of_its_members(
    balls: Path, tmp_path: Path
) -> None:
    request = a_request(balls, ensemble=2, augment="flip,shift")
    collection = open_collection(balls, Context())
    produced = train_segmentation(request, Context(), collection)
    assert produced.bundle is not None
    assert produced.result["mirrored"]
    assert produced.bundle.files["network0.onnx"] != produced.bundle.files["network1.onnx"]
    stored = open_bundle(write_bundle(produced.bundle, tmp_path / "two"))
    model = SegmentationModel.from_bundle(stored)
    assert model.mirror_axes == (2,)
    record = collection.records[0]
    framed = frame(collection.pixels(record), record, model.plan)
    each = [
        shares(lambda x, n=network: n.run(x)["logits"], framed.values, model.plan.patch, mirror_axes=(2,))  # type: ignore[misc]
        for network in model.networks
    ]
    assert (
        model.segment(collection.pixels(record), record).labels == framed.restore((each[0] + each[1]) / 2)[0]
    ).all()
    assert produced.result["metrics"]["held_out"]["dice"]["value"] > 0.9


def sided(collection: Collection, sides_of: list[str], subjects: list[str] | None = None) -> Collection:
    subjects = subjects or [str(k) for k in range(len(sides_of))]
    records = tuple(
        ImageRecord(**{**record.__dict__, "split": side or None, "subject": subject, "site": f"site{k % 3}"})
        for k, (record, side, subject) in enumerate(zip(collection.records, sides_of, subjects, strict=True))
    )
    return Collection(
        collection.source, records, collection.refused, collection.store, collection.notes, collection.root
    )


def test_the_sources_own_sides_are_kept_and_patients_stay_together(balls: Path) -> None:
    collection = open_collection(balls, Context())
    given = ["train"] * 5 + ["calibration", "tuning", "tuning", "held_out", "held_out"]
    study = open_study(sided(collection, given), ("rear", "front"), Context())
    request = a_request(balls)
    (part,) = parts(study, request).parts
    assert part.test.tolist() == [8, 9]
    train, tuning = sides(study, part.development, request)
    assert train.tolist() == [0, 1, 2, 3, 4, 5]
    assert tuning.tolist() == [6, 7]
    twins = open_study(
        sided(collection, given, ["a", "b", "c", "d", "e", "f", "g", "h", "a", "k"]), ("r", "f"), Context()
    )
    with pytest.raises(SplitError, match="1 patients stand on both"):
        parts(twins, request)
    pairs = open_study(sided(collection, [""] * 10, list("aabbccddee")), ("r", "f"), Context())
    drawn = parts(pairs, a_request(balls, validation="cross-validation", folds=5))
    assert all(pairs.groups[part.test[0]] == pairs.groups[part.test[1]] for part in drawn.parts)
    hospitals = parts(study, a_request(balls, validation="site"))
    assert [part.test.tolist() for part in hospitals.parts] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    plain = open_study(collection, ("r", "f"), Context())
    with pytest.raises(RequestError, match="hospital of each image"):
        parts(plain, a_request(balls, validation="site"))


def test_mirror_images_are_used_only_where_labels_have_no_side() -> None:
    assert mirrored(("anterior", "posterior"), True)
    assert not mirrored(("left kidney", "right kidney"), True)
    assert not mirrored(("Kidney_L", "Kidney_R"), True)
    assert mirrored(("cleft", "bright lesion"), True)
    assert not mirrored(("structure 1", "structure 2"), False)
    assert mirrored(("structure 1",), False)


def test_what_cannot_be_trained_is_refused_before_any_work(balls: Path, tmp_path: Path) -> None:
    collection = open_collection(balls, Context())
    with pytest.raises(RequestError, match="outlined by unet, got resnet"):
        train_segmentation(a_request(balls, model="resnet", param=()), Context(), collection)
    with pytest.raises(RequestError, match="no parameter 'chanels'"):
        train_segmentation(a_request(balls, param="unet.chanels=4,8"), Context(), collection)
    with pytest.raises(OutcomeError, match="the label 2 has no name"):
        train_segmentation(a_request(balls, label="ball"), Context(), collection)
    write_decathlon(tmp_path, range(2))
    for path in (tmp_path / "labelsTr").iterdir():
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)), path)
    with pytest.raises(OutcomeError, match=r"no image has a label map that can be used: .*the label map has"):
        train_segmentation(a_request(tmp_path), Context(), open_collection(tmp_path, Context()))


def write_spots(root: Path, n: int) -> Path:
    """A manifest of grey pictures, 30 rows and 44 columns, each with a bright spot and its mask of 0 and 255."""
    from PIL import Image

    rng = np.random.default_rng(7)
    lines = ["path,mask,subject_id,split"]
    rows, columns = np.indices((30, 44))
    for k in range(n):
        spot = np.hypot(rows - rng.integers(9, 21), columns - rng.integers(9, 35)) < 4 + k % 3
        grey = np.clip(70 + 90 * spot + rng.normal(0, 15, spot.shape), 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(root / f"picture{k}.png")
        Image.fromarray((spot * 255).astype(np.uint8)).save(root / f"spot{k}.png")
        side = "test" if k % 4 == 0 else "val" if k % 4 == 1 else "train"
        lines.append(f"picture{k}.png,spot{k}.png,p{k},{side}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root / "manifest.csv"


def test_pictures_without_a_scale_are_outlined_and_measured_in_pixels(tmp_path: Path) -> None:
    manifest = write_spots(tmp_path, 12)
    collection = open_collection(manifest, Context())
    request = a_request(manifest, label=("spot",), epochs=16)
    found = train_segmentation(request, Context(), collection)
    metrics = found.result["metrics"]["held_out"]
    assert set(metrics) == {"dice"}
    assert metrics["dice"]["n"] == 3
    assert metrics["dice"]["value"] > 0.9
    assert {name: side["n_rows"] for name, side in found.result["splits"].items()} == {
        "train": 6,
        "tuning": 3,
        "held_out": 3,
    }
    assert found.bundle is not None
    assert found.bundle.manifest["segmentation"]["plan"]["patch"] == [32, 48]
    stored = open_bundle(write_bundle(found.bundle, tmp_path / "bundle"))
    asked = PredictRequest(model=stored.path, images=manifest)
    rows = predict_segmentation(stored, asked, Context(), collection).result["predictions"]
    assert rows[0]["volume_ml_spot"] is None
    assert rows[0]["voxels_spot"] == pytest.approx(np.pi * 4**2, rel=0.2)
    (one,) = segment_collection(stored, replace(collection, records=collection.records[:1]), Context()).found
    assert one.segmented is not None
    assert one.segmented.labels.shape == (30, 44)
    assert one.record.affine is None


def test_nothing_that_suits_the_model_is_an_error(bundle: Bundle, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(tmp_path / "a.png")
    request = PredictRequest(model=bundle.path, images=tmp_path)
    with pytest.raises(InputError, match="none of 1 files can be put to this model: this is a single image"):
        predict_segmentation(bundle, request, Context(), open_collection(tmp_path, Context()))
