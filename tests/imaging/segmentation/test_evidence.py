"""What a segmentation says against itself: copies of volumes, gates, 8-bit precision, and Dice by site."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest

pytest.importorskip("torch")

from tests.imaging.segmentation.conftest import SPACING, make_volume, write_decathlon
from tests.imaging.segmentation.test_actions import a_request

from iatros.core.bundle import Bundle, open_bundle, write_bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import BundleError, InputError
from iatros.imaging.auditing import audit_notes, join_copies
from iatros.imaging.gating import count_on, learn_gates
from iatros.imaging.leakage import audit_images
from iatros.imaging.quality import Finding, Gates
from iatros.imaging.reporting import findings
from iatros.imaging.requests import EvaluateRequest, FindingsRequest, PredictRequest
from iatros.imaging.schema import Collection, ImageRecord, InputSpec
from iatros.imaging.segmentation import evaluate_segmentation, predict_segmentation, train_segmentation
from iatros.imaging.segmentation.development import sides
from iatros.imaging.segmentation.study import Study, open_study
from iatros.imaging.segmentation.turned import turned, turned_pixels
from iatros.imaging.sources import open_collection

AFFINE = np.diag([*SPACING, 1.0])


def named(collection: Collection, sites: list[str | None]) -> Collection:
    records = tuple(
        replace(record, site=site) for record, site in zip(collection.records, sites, strict=True)
    )
    return replace(collection, records=records)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve volumes: `copy_a` is `ball_03` again, `copy_b` is `ball_05` brighter, with more contrast and noise."""
    root = write_decathlon(tmp_path_factory.mktemp("copied"), range(10))
    for source, name in (("ball_03", "copy_a"), ("ball_05", "copy_b")):
        for folder in ("imagesTr", "labelsTr"):
            shutil.copy(root / folder / f"{source}.nii.gz", root / folder / f"{name}.nii.gz")
    path = root / "imagesTr" / "copy_b.nii.gz"
    image = nibabel.load(path)
    values = np.asarray(image.dataobj)
    noise = np.random.default_rng(1).normal(0, 2, values.shape)
    nibabel.save(nibabel.Nifti1Image((1.3 * values + 25 + noise).astype(np.float32), image.affine), path)
    return root


@pytest.fixture(scope="module")
def produced(copied: Path) -> Produced:
    collection = named(open_collection(copied, Context()), ["north", "south"] * 5 + ["south", None])
    request = a_request(copied, validation="cross-validation", folds=2, epochs=8)
    return train_segmentation(request, Context(), collection)


@pytest.fixture(scope="module")
def bundle(produced: Produced, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    assert produced.bundle is not None
    return open_bundle(write_bundle(produced.bundle, tmp_path_factory.mktemp("bundles") / "copied"))


def test_patients_with_the_same_volume_are_joined_and_listed(produced: Produced) -> None:
    found = produced.result["leakage"]
    assert (found["n_exact"], found["n_near"]) == (1, 1)
    assert (found["n_groups_before"], found["n_groups"]) == (12, 10)
    listed = {(pair["one"][-14:-7], pair["other"][-13:-7]) for pair in found["pairs"]}
    assert listed == {("ball_03", "copy_a"), ("ball_05", "copy_b")}
    assert produced.result["metrics"]["cross_validation"]["dice"]["interval"].endswith("10 patients")
    assert "n_contradicting" not in found  # label maps are not looked at
    said = "pairs of images: 1 identical, 1 nearly identical, kept on one side"
    assert said in produced.result["notes"]
    assert produced.bundle is not None
    report = produced.bundle.documents["report.html"].decode()
    assert "12 → 10" in report
    assert "copy_a" in report
    assert "another label" not in report
    assert "Labels</th>" not in report
    assert "scanner or a page size" not in report  # nothing was guessed without the structure


def test_near_copies_are_not_looked_for_where_not_asked(copied: Path) -> None:
    study = open_study(open_collection(copied, Context()), ("rear", "front"), Context())
    request = a_request(copied, near_duplicates=False)
    found, groups = join_copies(
        study.seen, study.seen_pixels, None, study.groups, request, Context(), sided=False
    )
    assert (found.document["n_exact"], found.document["n_near"]) == (1, 0)
    assert len(np.unique(groups)) == 11


def test_the_sources_own_sides_are_kept_whatever_they_share(copied: Path) -> None:
    collection = open_collection(copied, Context())
    given = ["train"] * 6 + ["tuning", "train", "held_out", "held_out", "held_out", "tuning"]
    records = tuple(replace(r, split=side) for r, side in zip(collection.records, given, strict=True))
    study = open_study(replace(collection, records=records), ("rear", "front"), Context())
    request = a_request(copied)
    found, groups = join_copies(
        study.seen, study.seen_pixels, None, study.groups, request, Context(), sided=True
    )
    assert groups is study.groups
    assert found.document["n_by_sides"] == {"train and held_out": 1, "tuning and train": 1}
    assert any("split is kept" in note for note in audit_notes(found.document, joined=False))
    train, tuning = sides(study, np.arange(8), request)
    assert tuning.tolist() == [6]
    # with sides drawn anew, joined patients stand on one: the source's tuning side is not taken
    joined = replace(study, groups=found.groups)
    drawn = a_request(copied, validation="held-out")
    train, tuning = sides(joined, np.arange(12), drawn)
    assert not set(found.groups[train]) & set(found.groups[tuning])


def test_dice_by_site(produced: Produced, bundle: Bundle) -> None:
    found = produced.result["sites"]
    assert list(found) == ["north", "south"]
    assert (found["north"]["n"], found["south"]["n"]) == (5, 6)
    assert found["south"]["n_patients"] == 5  # two of its images are copies
    assert {"dice", "dice_rear", "dice_front"} <= set(found["north"])
    cases = {case["row"]: case for case in produced.result["cases"]}
    north = [(cases[row]["dice_rear"] + cases[row]["dice_front"]) / 2 for row in (0, 2, 4, 6, 8)]
    assert found["north"]["dice"]["value"] == pytest.approx(np.mean(north))
    assert found["north"]["dice"]["low"] < np.mean(north) < found["north"]["dice"]["high"]
    report = bundle.read("report.html").decode()
    assert "Dice by site" in report
    assert "left out in turn" not in report


def test_the_8_bit_form_outlines_nearly_the_same(bundle: Bundle, copied: Path) -> None:
    export = bundle.manifest["export"]
    assert export["metric"] == "dice"
    assert export["n"] == 1  # of cross-validation, the tuning image of the final network
    assert abs(export["difference"]["value"]) < 0.03
    assert export["int8"]["value"] - export["fp32"]["value"] == pytest.approx(export["difference"]["value"])
    assert len(bundle.read("network0.int8.onnx")) < 0.6 * len(bundle.read("network0.onnx"))
    collection = open_collection(copied, Context())
    voxels: dict[str, list[int]] = {}
    for precision in ("fp32", "int8"):
        request = PredictRequest(model=bundle.path, images=copied, precision=precision)
        rows = predict_segmentation(bundle, request, Context(), collection).result["predictions"]
        voxels[precision] = [row["voxels_front"] for row in rows]
    assert voxels["int8"] == pytest.approx(voxels["fp32"], rel=0.1)
    assert voxels["int8"] != voxels["fp32"]


def test_without_the_8_bit_form_it_cannot_be_asked(bundle: Bundle, copied: Path) -> None:
    files = {name: entry for name, entry in bundle.manifest["files"].items() if "int8" not in name}
    without = replace(bundle, manifest={**bundle.manifest, "files": files})
    request = PredictRequest(model=bundle.path, images=copied, precision="int8")
    with pytest.raises(BundleError, match="no 8-bit form"):
        predict_segmentation(without, request, Context(), open_collection(copied, Context()))


def write_strange(root: Path) -> Path:
    """A volume of the usual kind, one of voxels four times as long, and one of noise."""
    values, _ = make_volume(40)
    noise = np.random.default_rng(0).uniform(0, 1, values.shape).astype(np.float32)
    for name, shown, affine in (
        ("a_usual", values, AFFINE),
        ("b_large", values, AFFINE @ np.diag([4.0, 4.0, 4.0, 1.0])),
        ("c_noise", noise, AFFINE),
    ):
        nibabel.save(nibabel.Nifti1Image(shown, affine), root / f"{name}.nii.gz")
    return root


def test_gates_refuse_before_anything_is_outlined(bundle: Bundle, tmp_path: Path) -> None:
    collection = open_collection(write_strange(tmp_path), Context())
    assert bundle.manifest["quality"]["features"] is None
    request = PredictRequest(model=bundle.path, images=tmp_path)
    found = predict_segmentation(bundle, request, Context(), collection)
    usual, large, noise = found.result["predictions"]
    assert usual["status"] == "answered"
    assert usual["quality"] == []
    assert usual["voxels_front"] > 0
    assert large["status"] == noise["status"] == "refused"
    assert "height in mm" in large["flags"]
    assert {one["code"] for one in large["quality"] if one["severity"] == "refuse"} == {"size"}
    assert "between neighbouring pixels" in noise["flags"]
    assert all(noise[key] is None for key in ("voxels_front", "volume_ml_front", "certainty_front"))
    assert found.result["n_refused"] == 2
    assert "2 of 3 images failed a quality gate and got no answer; see flags" in found.result["notes"]
    assert found.table is not None
    assert found.table["voxels_front"][1:] == [None, None]
    asked = request.model_copy(update={"refuse": False})
    again = predict_segmentation(bundle, asked, Context(), collection).result["predictions"]
    assert again[1]["status"] == "answered"
    assert again[1]["voxels_front"] is not None
    assert "height in mm" in again[1]["flags"]


def test_findings_of_a_refused_volume_are_not_written(bundle: Bundle, tmp_path: Path) -> None:
    write_strange(tmp_path)
    request = FindingsRequest(model=bundle.path, images=tmp_path, objects=("seg",))
    found = findings(request, Context())
    status = [row["status"] for row in found.result["findings"]]
    assert status == ["written", "refused", "refused"]
    assert "height in mm" in found.result["findings"][1]["reason"]
    assert list(found.documents) == ["seg/0001-a_usual.nii.gz"]
    (tmp_path / "a_usual.nii.gz").unlink()
    with pytest.raises(InputError, match="a quality gate refuses all 2"):
        findings(request, Context())


def test_evaluation_counts_gates_and_sites(bundle: Bundle, tmp_path: Path) -> None:
    root = write_decathlon(tmp_path, range(60, 64))
    collection = named(open_collection(root, Context()), ["east", "east", "west", "west"])
    request = EvaluateRequest(model=bundle.path, images=root, precision="int8")
    found = evaluate_segmentation(bundle, request, Context(), collection).result
    assert found["quality"]["n_checked"] == 4
    assert found["quality"]["n_refused"] == 0
    assert found["quality"]["passed"]["low"] < found["quality"]["passed"]["value"]
    assert found["sites"]["west"]["n"] == 2


def test_a_series_cut_another_way_is_compared_as_the_network_sees_it() -> None:
    # slices to the left, rows to the head, columns to the back: sagittal, turned to axial
    affine = ((-2.0, 0, 0, 0), (0, 0, -0.5, 0), (0, 3.0, 0, 0), (0, 0, 0, 1.0))
    pixels = np.arange(24, dtype=np.uint8).reshape(1, 2, 3, 4)
    record = ImageRecord("x", "x", (1, 2, 3, 4), spacing_mm=(2.0, 3.0, 0.5), affine=affine)
    seen = turned(record)
    assert seen.shape == (1, 3, 4, 2)
    assert seen.spacing_mm == (3.0, 0.5, 2.0)
    collection: Any = SimpleNamespace(pixels=lambda _: pixels)
    assert (turned_pixels(collection, seen) == pixels.transpose(0, 2, 3, 1)).all()


@pytest.fixture(scope="module")
def hippocampi(request: pytest.FixtureRequest) -> Study:
    folder: Path = request.getfixturevalue("shared_data")
    collection = open_collection(folder / "msd_hippocampus", Context())
    return open_study(collection, ("anterior", "posterior"), Context())


@pytest.fixture(scope="module")
def gates(hippocampi: Study) -> Gates:
    rows = np.arange(44)
    spec = InputSpec("volume", 1, (40, 56, 40))
    return learn_gates(hippocampi.seen, hippocampi.seen_pixels, spec, rows[:40], rows[40:], 0, Context())


def test_hippocampi_of_different_patients_are_no_copies_and_pass(hippocampi: Study, gates: Gates) -> None:
    for n in (6, 60):  # with few volumes, nothing of the collection tells how alike strangers are
        found = audit_images(hippocampi.seen[:n], hippocampi.seen_pixels, None, hippocampi.groups[:n])
        assert len(found.pairs) == 0
    assert found.document["check"]["altered"]["linked"]["value"] > 0.9
    counted = count_on(
        gates, hippocampi.seen, hippocampi.seen_pixels, np.arange(44, 60), hippocampi.groups, Context()
    )
    assert counted["n_refused"] == 0
    assert counted["n_flagged"] <= 1
    # one gate for unlike images instead of two
    assert counted["unlike"]["stated"] == {"flag": 0.005, "refuse": 0.0005}
    assert gates.picture is not None
    assert gates.picture.n == 22  # too few were unseen, so half set the limits


def test_hippocampi_of_other_brightness_are_refused(hippocampi: Study, gates: Gates) -> None:
    def asked(change: Any) -> list[list[Finding]]:
        def changed(record: ImageRecord) -> np.ndarray:
            shares = hippocampi.seen_pixels(record) / 65535.0
            return np.round(65535 * change(shares)).astype(np.uint16)

        return gates.check_many(hippocampi.seen[44:], changed, None)

    for change in (lambda x: 1 - x, lambda x: 0.15 * x, lambda x: x**3):
        assert all(found[0].severity == "refuse" for found in asked(change))
