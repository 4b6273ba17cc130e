"""The action explain: what it draws, says and refuses, on networks that were trained for a moment."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from iatros.app import execute
from iatros.core.context import Context
from iatros.core.errors import RequestError, UnknownNameError
from iatros.core.task import Target
from iatros.imaging import explaining
from iatros.imaging.explaining import Explained, draw, explain, explained_outputs, shown_slices
from iatros.imaging.explanation.page import explanation_page
from iatros.imaging.explanation.place import in_border, place_of_heat, warnings
from iatros.imaging.requests import ExplainRequest, PredictRequest, TrainRequest
from iatros.imaging.schema import ImageRecord
from iatros.imaging.simulation import simulate_volumes


def ask(bundle: Path, images: Any, **fields: Any) -> Any:
    return explain(
        ExplainRequest(model=bundle, images=images, **fields), Context(run_id="20261126T101010Z-ab")
    )


def test_each_image_has_its_map_and_its_place(trained: Any) -> None:
    produced = ask(trained.bundle, trained.manifest, most=5, method="gradcam")
    result = produced.result
    assert result["n"] == len(result["images"]) == 5
    assert [row["name"] for row in result["images"]] == [f"images/{k:05d}.png" for k in range(5)]
    for row in result["images"]:
        image = Image.open(io.BytesIO(produced.documents[row["document"]]))
        assert image.size == (224, 224)
        assert row["explained"] == ("lesion" if row["probability"] >= 0.5 else "clear")
        if row["heat"]["centre"] is not None:
            assert all(0 < value < 1 for value in row["heat"]["centre"])
    check = result["checks"]["randomisation"]
    assert (check["method"], check["n"]) == ("gradcam", 5)
    assert json.loads(json.dumps(result)) == result


def test_the_answers_are_those_of_predict(trained: Any) -> None:
    produced = ask(trained.bundle, trained.manifest, most=3, method="gradcam")
    found = execute(
        "imaging", "predict", PredictRequest(model=trained.bundle, images=trained.manifest, refuse=False)
    )
    assert [row["probability"] for row in produced.result["images"]] == pytest.approx(
        [row["probability"] for row in found["predictions"][:3]]
    )


def test_fields_change_the_answer(trained: Any) -> None:
    plain = ask(trained.bundle, trained.manifest, most=2, method="gradcam")
    other = ask(trained.bundle, trained.manifest, most=2, method="occlusion")
    assert plain.documents["heat/0001.png"] != other.documents["heat/0001.png"]
    classes = [
        ask(trained.bundle, trained.manifest, most=2, method="gradcam", answer=name)
        for name in ("lesion", "clear")
    ]
    assert [row["explained"] for one in classes for row in one.result["images"]] == ["lesion"] * 2 + [
        "clear"
    ] * 2
    assert classes[0].documents["heat/0001.png"] != classes[1].documents["heat/0001.png"]
    seeds = [
        ask(trained.bundle, trained.manifest, most=2, method="gradcam", seed=seed).result["checks"]
        for seed in (0, 1)
    ]
    assert seeds[0] != seeds[1]


def test_the_page_holds_both_pictures_of_every_image(trained: Any) -> None:
    produced = ask(trained.bundle, trained.manifest, most=3, method="integrated-gradients")
    page = produced.documents["explanation.html"].decode()
    assert page.count("data:image/png;base64,") == 6
    assert "20261126T101010Z-ab" in page
    assert "images/00002.png" in page
    assert "Parameter randomisation" in page
    assert "<script" not in page


def test_an_answer_that_the_model_cannot_give_is_refused(trained: Any) -> None:
    with pytest.raises(UnknownNameError, match="lesion"):
        ask(trained.bundle, trained.manifest, answer="lesions")


def test_a_segmentation_model_is_its_own_explanation(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = SimpleNamespace(name="outlines", manifest={"task": "segmentation"})
    monkeypatch.setattr(explaining, "open_imaging", lambda _: bundle)
    with pytest.raises(RequestError, match="predict writes the outline"):
        ask(Path("outlines"), Path("images"))


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty studies of a few slices, as NIfTI with a manifest."""
    import nibabel

    folder = tmp_path_factory.mktemp("series")
    volumes, labels, _ = simulate_volumes(60, True, seed=3, size=16, slices=(4, 6))
    lines = ["path,label"]
    for k, (volume, label) in enumerate(zip(volumes, labels, strict=True)):
        nibabel.save(nibabel.Nifti1Image(np.moveaxis(volume, 0, 2), np.eye(4)), folder / f"s{k:02d}.nii.gz")
        lines.append(f"s{k:02d}.nii.gz,{'ring-first' if label else 'disc-first'}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


@pytest.mark.parametrize("model", ["cnn-rnn", "cnn"])
def test_a_series_shows_its_weightiest_slices(model: str, series: Path, tmp_path: Path) -> None:
    """cnn-rnn weighs the slices itself; cnn sees one slice at a time, and its answer for each is the weight."""
    request = TrainRequest(
        images=series,
        positive="ring-first",
        model=(model,),
        epochs=1,
        explain="gradcam",
        int8=False,
        size=16,
        calibration="none",
    )
    execute("imaging", "train", request, out=tmp_path / "bundle", engine="serial")
    produced = ask(tmp_path / "bundle", series, most=2, method="gradcam++")
    for row in produced.result["images"]:
        assert 4 <= len(row["slice_weights"]) <= 6
        assert row["shown_slices"] == list(range(len(row["slice_weights"])))
        assert len(row["heat"]["centre"] or [0, 0, 0]) == 3
        image = Image.open(io.BytesIO(produced.documents[row["document"]]))
        # four slices of 224 px beside each other with gaps of 4, the others below
        assert image.width == 4 * 224 + 3 * 4
    if model == "cnn-rnn":
        assert sum(produced.result["images"][0]["slice_weights"]) == pytest.approx(1.0, abs=1e-3)


def model_of(objective: str, *targets: Target) -> Any:
    return SimpleNamespace(objective=objective, targets=targets)


def test_the_explained_output_by_kind_of_answer() -> None:
    binary = model_of("cross-entropy", Target("lesion", "binary", ("no", "yes")))
    outputs, names = explained_outputs(binary, (np.array([0.2, 0.5, 0.9]),), None)
    assert (outputs.tolist(), names) == ([0, 1, 1], ["no", "yes", "yes"])

    labels = model_of(
        "binary-cross-entropy", *(Target(name, "binary", ("0", "1")) for name in ("mass", "fluid"))
    )
    given = (np.array([0.3, 0.8]), np.array([0.4, 0.1]))
    assert explained_outputs(labels, given, None)[1] == ["fluid", "mass"]
    assert explained_outputs(labels, given, "mass")[0].tolist() == [0, 0]

    grades = model_of("ordinal", Target("grade", "multiclass", ("none", "mild", "severe")))
    given = (np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7]]),)
    outputs, names = explained_outputs(grades, given, None)
    assert (outputs.tolist(), names) == ([0, 1], ["at least mild", "at least severe"])

    value = model_of("squared-error", Target("age", "continuous"))
    outputs, names = explained_outputs(value, (np.array([40.0, 50.0]),), None)
    assert (outputs.tolist(), names) == ([0, 0], ["age", "age"])
    with pytest.raises(RequestError, match="quantity"):
        explained_outputs(value, (np.array([40.0]),), "old")


def explained(inputs: np.ndarray, heat: np.ndarray, weights: np.ndarray | None = None) -> Explained:
    record = ImageRecord("one", "0" * 64, inputs.shape)
    return Explained(record, inputs, heat, output=0, answer="yes", table=None, weights=weights)


def test_slices_are_chosen_by_weight_and_shown_in_order() -> None:
    weights = np.linspace(0, 1, 12)[::-1].copy()
    weights[10] = 2.0
    one = explained(np.zeros((12, 1, 8, 6)), np.zeros((12, 8, 6)), weights)
    assert shown_slices(one) == [0, 1, 2, 3, 4, 5, 6, 10]
    heat = np.zeros((12, 8, 6))
    heat[7] = 1.0
    assert 7 in shown_slices(explained(np.zeros((1, 12, 8, 6)), heat))
    assert shown_slices(explained(np.zeros((1, 8, 6)), np.zeros((8, 6)))) == []


def test_a_volume_and_its_slices_look_the_same() -> None:
    """A volume has its channel before the slices, a series after."""
    volume = np.random.default_rng(0).random((1, 5, 8, 6))
    heat = np.zeros((5, 8, 6))
    heat[2, 3, 3] = 1.0
    as_volume = draw(explained(volume, heat), [1, 2])
    as_series = draw(explained(np.moveaxis(volume, 1, 0), heat), [1, 2])
    assert as_volume == as_series
    assert as_volume[0] != as_volume[1]


def test_where_the_heat_lies_by_hand() -> None:
    heat = np.zeros((10, 20))
    heat[2, 5], heat[4, 15] = 1.0, 3.0
    place = place_of_heat(heat)
    # rows (2.5 + 3 x 4.5) / 4 / 10, columns (5.5 + 3 x 15.5) / 4 / 20
    assert place["centre"] == [0.4, 0.65]
    assert place["hottest"] == [0.45, 0.775]
    assert place["border_share"] == 0.0
    assert warnings(place) == []
    heat[0, 0] = 8.0
    assert place_of_heat(heat)["border_share"] == pytest.approx(8 / 12, abs=1e-4)
    assert "67% of the heat lies in the border" in warnings(place_of_heat(heat))[0]
    assert in_border((10, 20)).mean() == pytest.approx(1 - 0.8 * 0.8)
    assert "the map is empty" in warnings(place_of_heat(np.zeros((4, 5))))[0]
    assert place_of_heat(np.ones((3, 4, 6)))["centre"] == [0.5, 0.5, 0.5]


def test_a_failed_check_is_said_on_the_page() -> None:
    stage = {"layers": 2, "deepest": "x", "rank_correlation": 0.9, "structural_similarity": 0.8}
    check = {"n": 2, "n_layers": 2, "stages": [stage], "similarity": 0.9, "bound": 0.5, "passes": False}
    said = explaining._notes([], check)
    assert "show the image and not the model" in said[0]
    result = {
        "model": "cnn", "method": "gradcam", "n": 0, "images": [], "bundle_sha256": "ab" * 32, "notes": said,
        "checks": {"randomisation": check},
    }  # fmt: skip
    page = explanation_page(result, [], "")
    assert "stay much the same for a network of random weights" in page
    assert "try another one" in page
