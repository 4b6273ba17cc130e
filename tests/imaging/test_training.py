from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from iatros.app import execute
from iatros.core.bundle import open_bundle
from iatros.core.errors import InputError, OutcomeError, RequestError
from iatros.imaging.requests import (
    EvaluateRequest,
    ExplainRequest,
    FindingsRequest,
    PredictRequest,
    TrainRequest,
)
from iatros.imaging.simulation import simulate_volumes, write_npz, write_radiographs


def train(folder, images, **fields):
    fields = {"model": ("cnn",), "epochs": 1, "explain": "gradcam", "int8": False, **fields}
    request = TrainRequest(images=images, **fields)
    return execute("imaging", "train", request, out=folder / "bundle", overwrite=True, engine="serial")


class TestABundle:
    def test_holds_every_part_of_the_evidence(self, trained):
        result = trained.result
        metrics = result["metrics"]["held_out"]
        for name in ("auroc", "auprc", "accuracy", "sensitivity", "specificity", "calibration_slope"):
            assert metrics[name]["low"] <= metrics[name]["value"] <= metrics[name]["high"]
        assert set(result["splits"]) == {"train", "tuning", "calibration", "held_out"}
        assert result["subgroups"].keys() >= {"sex", "age_band", "site", "scanner"}
        assert result["conformal"]["by_class"].keys() == {"clear", "lesion"}
        assert {row["on"] for row in result["operating_points"]} == {"raw", "calibrated"}
        assert result["prevalence"]["sides"]["reference"] == "train"
        assert result["leakage"]["border"]["metric"] == "auroc"
        assert result["quality"]["n_checked"] == result["splits"]["held_out"]["n_rows"]
        assert result["export"]["int8"]
        assert result["explanation_checks"]["pointing"]["n"] > 0
        assert {one["kind"] for one in result["images"]} >= {"right", "uncertain"}
        assert not any("png" in one for one in result["images"])

    def test_is_whole_and_holds_no_pickle(self, trained):
        bundle = open_bundle(trained.bundle)
        names = set(bundle.manifest["files"])
        assert {
            "network0.onnx",
            "network0.int8.onnx",
            "network0.safetensors",
            "calibration.safetensors",
        } <= names
        assert {path.suffix for path in trained.bundle.iterdir()} <= {
            ".onnx", ".safetensors", ".json", ".sha256", ".html", ".md",
        }  # fmt: skip
        page = (trained.bundle / "report.html").read_text()
        assert "data:image/png;base64," in page
        assert "<script" not in page

    def test_no_patient_stands_on_two_sides(self, trained):
        sizes = trained.result["splits"]
        total = trained.result["flow"][-1]["n_patients"]
        assert sum(side["n_patients"] for side in sizes.values()) == total


class TestPredict:
    def test_answers_every_image_of_a_folder(self, trained):
        found = execute("imaging", "predict", PredictRequest(model=trained.bundle, images=trained.manifest))
        assert found["n"] == 320
        p = [row["probability"] for row in found["predictions"] if row["status"] == "answered"]
        assert all(0 <= value <= 1 for value in p)
        assert len(p) > 300

    def test_a_volume_given_to_a_network_of_images_is_refused(self, trained, shared_data):
        request = PredictRequest(
            model=trained.bundle, images=shared_data / "nifti_ct_small" / "example_ct_sm.nii.gz"
        )
        with pytest.raises(InputError, match="this is a volume, and the model takes single images"):
            execute("imaging", "predict", request)

    def test_a_colour_image_given_to_a_grey_network_is_refused_by_name(self, trained, tmp_path):
        from PIL import Image

        Image.fromarray(np.zeros((20, 30, 3), dtype=np.uint8) + np.arange(3, dtype=np.uint8) * 80).save(
            tmp_path / "c.png"
        )
        Image.open(trained.manifest.parent / "images" / "00000.png").save(tmp_path / "grey.png")
        found = execute("imaging", "predict", PredictRequest(model=trained.bundle, images=tmp_path))
        assert [one["name"] for one in found["refused"]] == ["c.png"]
        assert "colour image" in found["refused"][0]["reason"]
        assert [row["name"] for row in found["predictions"]] == ["grey.png"]

    def test_the_8_bit_form_answers_nearly_alike(self, trained):
        full = execute("imaging", "predict", PredictRequest(model=trained.bundle, images=trained.manifest))
        small = execute(
            "imaging",
            "predict",
            PredictRequest(model=trained.bundle, images=trained.manifest, precision="int8"),
        )
        a, b = ([row["probability"] for row in found["predictions"]] for found in (full, small))
        both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
        gaps = np.abs([x - y for x, y in both])
        assert 0 < gaps.max() < 0.15


def test_an_unknown_class_at_evaluation_is_refused_by_name(trained, tmp_path):
    lines = trained.manifest.read_text().splitlines()
    lines[1] = lines[1].replace("clear", "fracture").replace("lesion", "fracture")
    changed = trained.manifest.with_name("changed.csv")
    changed.write_text("\n".join(lines) + "\n")
    found = execute("imaging", "evaluate", EvaluateRequest(model=trained.bundle, images=changed))
    assert found["data"]["n_used"] == 319
    assert found["data"]["refused"][0]["reason"] == "its class is none of those that the model knows"


def test_the_sources_own_split_is_kept(tmp_path):
    archive = write_npz(tmp_path / "set.npz", n=500, size=28, seed=1)
    result = train(tmp_path, archive)
    with np.load(archive) as stored:
        assert result["splits"]["held_out"]["n_rows"] == len(stored["test_images"])
        assert result["splits"]["train"]["n_rows"] == len(stored["train_images"])
    assert result["export"] == {"int8": False, "reason": "not asked for"}
    request = EvaluateRequest(model=tmp_path / "bundle", images=archive, side="held_out")
    again = execute("imaging", "evaluate", request)["metrics"]["external"]
    for name in ("auroc", "brier", "sensitivity"):
        assert again[name]["value"] == pytest.approx(result["metrics"]["held_out"][name]["value"], abs=1e-4)


def test_cross_validation_judges_every_image_once(tmp_path):
    manifest = write_radiographs(tmp_path / "set", n=240, size=28, seed=2)
    result = train(tmp_path, manifest, validation="cross-validation", folds=2, positive="lesion")
    assert result["metrics"]["cross_validation"]["auroc"]["n"] == 240
    each = result["folds"]["each"]
    assert [one["fold"] for one in each] == [1, 2]
    assert sum(one["n"] for one in each) == 240
    mean = result["folds"]["mean"]
    assert mean["value"] == pytest.approx(np.mean([one["auroc"]["value"] for one in each]))
    assert mean["low"] < mean["value"] < mean["high"]
    assert "Fold by fold" in (tmp_path / "bundle" / "report.html").read_text()


def test_sites_are_left_out_in_turn_and_pooled(tmp_path):
    manifest = write_radiographs(tmp_path / "set", n=300, size=28, seed=3)
    result = train(tmp_path, manifest, validation="site", positive="lesion")
    assert sum(site["n"] for site in result["sites"].values()) == 300
    assert result["pooled"]["auroc"]["prediction_low"] is not None
    assert set(result["prevalence"]["sites"]["levels"]) == set(result["sites"])


def write_series(folder, n, seed):
    from nibabel import Nifti1Image, save

    found = simulate_volumes(n, True, seed, size=16, slices=(5, 8))
    folder.mkdir()
    lines = ["path,label,subject_id"]
    for k, (volume, label) in enumerate(zip(found.volumes, found.labels, strict=True)):
        array = np.transpose(volume, (2, 1, 0)).astype(np.uint8)
        save(Nifti1Image(array, np.diag([1.0, 1.0, 3.0, 1.0])), folder / f"{k}.nii.gz")
        lines.append(f"{k}.nii.gz,{label},p{k}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


@pytest.mark.parametrize("model", ["cnn", "cnn-rnn", "resnet"])
def test_volumes_as_slices_as_a_series_and_as_a_whole(tmp_path, model):
    manifest = write_series(tmp_path / "series", 90, 4)
    params = ("resnet.width=4",) if model == "resnet" else ()
    result = train(tmp_path, manifest, model=(model,), param=params)
    kinds = {"cnn": "image", "cnn-rnn": "sequence", "resnet": "volume"}
    assert result["input"]["kind"] == kinds[model]
    found = execute(
        "imaging", "predict", PredictRequest(model=tmp_path / "bundle", images=manifest, refuse=False)
    )
    assert found["n"] == 90
    if model == "cnn":
        assert (
            result["slices"]["slice"]["n"]
            > result["slices"]["study"]["n"]
            == result["splits"]["held_out"]["n_rows"]
        )
    if model == "cnn-rnn":
        weights = found["predictions"][0]["slice_weights"]
        assert 5 <= len(weights) <= 8
        assert sum(weights) == pytest.approx(1, abs=1e-3)


def rewrite(manifest, **columns):
    """The manifest with more columns, each a function of the row's place."""
    lines = manifest.read_text().splitlines()
    rows = [lines[0] + "".join(f",{name}" for name in columns)]
    rows += [line + "".join(f",{make(k)}" for make in columns.values()) for k, line in enumerate(lines[1:])]
    manifest.write_text("\n".join(rows) + "\n")
    return manifest


def test_several_labels_have_their_own_evidence(tmp_path):
    manifest = write_radiographs(tmp_path / "set", n=260, size=28, seed=5)
    rewrite(manifest, device=lambda k: int(k % 3 == 0), bright=lambda k: "" if k % 7 == 0 else int(k % 2))
    result = train(tmp_path, manifest, label=("device", "bright"))
    assert result["task"] == "multilabel"
    assert set(result["labels"]) == {"device", "bright"}
    assert result["metrics"]["held_out"]["auroc"]["value"] is not None
    found = execute(
        "imaging", "predict", PredictRequest(model=tmp_path / "bundle", images=manifest, refuse=False)
    )
    assert {"device_probability", "bright_probability"} <= set(found["predictions"][0])


def test_grades_and_quantities(tmp_path):
    manifest = write_radiographs(tmp_path / "set", n=260, size=28, seed=6)
    rewrite(manifest, grade=lambda k: k % 3, weight=lambda k: round(50 + 0.37 * k, 2))
    graded = train(tmp_path, manifest, label=("grade",), task="ordinal")
    assert "quadratic_kappa" in graded["metrics"]["held_out"]
    weighed = train(tmp_path, manifest, label=("weight",))
    assert weighed["task"] == "continuous"
    assert weighed["metrics"]["held_out"]["mae"]["value"] > 0
    found = execute(
        "imaging", "predict", PredictRequest(model=tmp_path / "bundle", images=manifest, refuse=False)
    )
    row = found["predictions"][0]
    assert row["low"] < row["prediction"] < row["high"]


def test_an_image_and_a_patient_table_together(tmp_path):
    manifest = write_radiographs(tmp_path / "set", n=260, size=28, seed=8)
    result = train(tmp_path, manifest, model=("fusion", "cnn"), positive="lesion", features=("sex", "age"))
    assert {one["name"] for one in result["models"]} == {"fusion", "cnn"}
    assert (
        next(m for m in result["models"] if m["name"] == "fusion")["difference_to_baseline"]["baseline"]
        == "cnn"
    )


def test_the_patient_table_is_given_beside_the_images(tmp_path):
    table = write_radiographs(tmp_path / "set", n=120, size=28, seed=8)
    images = tmp_path / "set" / "images"
    rows = pl.read_csv(table).with_columns(pl.col("path").str.split("/").list.last())
    table = tmp_path / "patients.csv"
    rows.write_csv(table)
    train(tmp_path, images, table=table, model=("fusion",), positive="lesion", features=("sex", "age"))
    bundle = tmp_path / "bundle"
    older = tmp_path / "older.csv"
    rows.with_columns(age=pl.lit(95)).write_csv(older)

    def explained(given):
        request = ExplainRequest(model=bundle, images=images, table=given, most=3, method="gradcam")
        return [row["probability"] for row in execute("imaging", "explain", request)["images"]]

    asked = PredictRequest(model=bundle, images=images, table=table, refuse=False)
    predicted = [row["probability"] for row in execute("imaging", "predict", asked)["predictions"][:3]]
    assert explained(table) == pytest.approx(predicted)
    assert explained(older) != pytest.approx(predicted)
    found = execute(
        "imaging", "findings", FindingsRequest(model=bundle, images=images, table=table, objects=("fhir",))
    )
    assert found["n"] == 120
    assert found["n_written"] >= 115  # a gate may refuse one of them


def test_an_ensemble_says_how_far_its_members_differ(tmp_path):
    manifest = write_radiographs(tmp_path / "set", n=240, size=28, seed=9)
    train(tmp_path, manifest, ensemble=2, positive="lesion")
    found = execute(
        "imaging", "predict", PredictRequest(model=tmp_path / "bundle", images=manifest, refuse=False)
    )
    assert max(row["spread"] for row in found["predictions"]) > 0


def test_contradicting_copies_are_left_out_and_listed(tmp_path):
    manifest = write_radiographs(tmp_path / "set", n=240, size=28, seed=10)
    lines = manifest.read_text().splitlines()
    cells = lines[1].split(",")
    cells[1] = "lesion" if cells[1] == "clear" else "clear"
    cells[2] = "someone-else"
    copy = manifest.parent / "copy.png"
    copy.write_bytes((manifest.parent / cells[0]).read_bytes())
    cells[0] = copy.name
    manifest.write_text("\n".join([*lines, ",".join(cells)]) + "\n")
    result = train(tmp_path, manifest, positive="lesion")
    assert result["leakage"]["n_contradicting"] == 2
    assert sum("another label" in one["reason"] for one in result["data"]["refused"]) == 2
    assert result["data"]["n_used"] == 239


def test_the_same_request_gives_the_same_bytes(tmp_path):
    manifest = write_radiographs(tmp_path / "set", n=200, size=28, seed=11)
    one = train(tmp_path / "one", manifest, positive="lesion")
    two = train(tmp_path / "two", manifest, positive="lesion")
    first, second = (open_bundle(result["bundle"]) for result in (one, two))
    assert {**first.manifest, "created": None} == {**second.manifest, "created": None}


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"positive": "fracture"}, OutcomeError, "no image is of the class 'fracture'"),
        ({"label": ("nothing",)}, OutcomeError, "no column called 'nothing'"),
        ({"positive": "lesion", "model": ("resnett",)}, Exception, "did you mean resnet"),
        ({"positive": "lesion", "model": ("cnn-rnn",)}, RequestError, "takes series of slices"),
        ({"positive": "lesion", "param": ("cnn.width=x",)}, RequestError, "width"),
        ({"positive": "lesion", "validation": "site", "site": "nowhere"}, RequestError, "needs the hospital"),
    ],
)
def test_what_cannot_be_trained_is_said(tmp_path, fields, error, said):
    manifest = write_radiographs(tmp_path / "set", n=60, size=28, seed=12)
    with pytest.raises(error, match=said):
        train(tmp_path, manifest, **fields)


def test_one_patient_on_two_given_sides_is_refused(tmp_path):
    manifest = write_radiographs(tmp_path / "set", n=60, size=28, seed=13)
    rewrite(manifest, split=lambda k: "test" if k % 2 else "train")
    with pytest.raises(InputError, match="two sides"):
        train(tmp_path, manifest, positive="lesion")


def test_the_result_is_plain(trained):
    assert json.loads(json.dumps(trained.result)) == trained.result
