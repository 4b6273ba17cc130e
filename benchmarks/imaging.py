"""Imaging: pneumonia and breast ultrasound, order in series, hippocampus, a real PACS, and speed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import (
    data,
    imaging_decoding,
    imaging_explanation,
    imaging_inference,
    imaging_order,
    imaging_segmentation,
    imaging_speed,
)
from benchmarks.measuring import Ran, iatros
from benchmarks.results import Line
from iatros.imaging.simulation import PROPERTIES, write_ultrasound

Part = tuple[list[Line], dict[str, Any]]
SEEDS = 3
_SIMULATED = 2026
_NETWORK = ("--model", "resnet", "--param", "resnet.standardise=image")


def pneumonia(folder: Path) -> Part:
    """PneumoniaMNIST at 28 px, its own split; epoch and calibration by its validation side."""
    shutil.copy(data.pneumonia(), folder / "pneumonia.npz")
    runs = [
        iatros(
            "imaging", "train", "pneumonia.npz", *_NETWORK, "--ensemble", "3", "--epochs", "30", "--seed", str(seed),
            "--out", f"pneumonia-{seed}", "--overwrite", folder=folder,
        )
        for seed in range(SEEDS)
    ]  # fmt: skip
    aurocs = [run.answer["metrics"]["held_out"]["auroc"] for run in runs]
    points = [_points(run) for run in runs]
    own = [point["raw"]["accuracy"] for point in points]
    calibrated = [point["calibrated"]["accuracy"] for point in points]
    seconds = [run.seconds for run in runs]
    what = "PneumoniaMNIST, 28 px, official test side"
    auroc, accuracy = mean(one["value"] for one in aurocs), mean(one["value"] for one in own)
    lines = [
        Line(f"test AUROC, mean of {SEEDS} seeds", what, "at least .98",
             f"{auroc:.4f} ({'; '.join(map(_interval, aurocs))})", auroc >= 0.98, runs[0].command),
        Line(f"test accuracy, mean of {SEEDS} seeds, the network's own answer", what, "at least .925",
             f"{accuracy:.4f} ({'; '.join(map(_interval, own))})", accuracy >= 0.925, runs[0].command,
             f"calibrated to the validation side's prevalence of .74 it is {mean(c['value'] for c in calibrated):.4f}"),
        Line("seconds for one seed, everything included", what, "under 900", f"{max(seconds):.0f}", max(seconds) < 900,
             runs[0].command),
    ]  # fmt: skip
    return lines, {"auroc": aurocs, "accuracy": own, "calibrated_accuracy": calibrated, "seconds": seconds}


def _points(run: Ran) -> dict[str, Any]:
    return {row["on"]: row for row in reversed(run.answer["operating_points"])}


def busi(folder: Path) -> Part:
    """Breast ultrasound at 128 px, five folds grouped by near-duplicates, beside the border alone.

    The networks start from one that learned to describe masses in simulated ultrasound.
    """
    write_ultrasound(folder / "simulated.npz", seed=_SIMULATED)
    start = iatros(
        "imaging", "train", "simulated.npz", "--label", ",".join(PROPERTIES), *_NETWORK, "--epochs", "8",
        "--held-out-fraction", "0.05", "--calibration", "none", "--explain", "gradcam", "--no-int8",
        "--no-near-duplicates", "--out", "start", "--overwrite", folder=folder,
    )  # fmt: skip
    lines, detail = [], {"start": {"metrics": start.answer["metrics"]["held_out"], "seconds": start.seconds}}
    for name, asked, members in (("rest", 0.90, 3), ("benign", 0.88, 1)):
        archive = data.busi(folder, against=name)
        ran = iatros(
            "imaging", "train", archive.name, "--positive", "malignant", "--validation", "cross-validation",
            "--folds", "5", *_NETWORK, "--weights", "start/network0.safetensors", "--learning-rate", "0.0006",
            "--ensemble", str(members), "--out", f"busi-{name}", "--overwrite", folder=folder,
        )  # fmt: skip
        found, numbers = _ultrasound(name, asked, ran, start.command)
        lines += found
        detail[name] = numbers
    return lines, detail


def _ultrasound(name: str, asked: float, ran: Ran, start: str) -> Part:
    """The lines of malignant masses against `name`; `start` is the command that made the first weights."""
    pooled, folds = ran.answer["metrics"]["cross_validation"]["auroc"], ran.answer["folds"]
    leakage = ran.answer["leakage"]
    what = f"BUSI, {ran.answer['data']['n_used']} images, 128 px"
    lines = [
        Line(f"malignant against {name}, AUROC, mean of five grouped folds", what, f"at least {asked:.2f}",
             f"{_interval(folds['mean'])} ({_each(folds)}; all images together {_interval(pooled)})",
             folds["mean"]["value"] >= asked, ran.command,
             "everything was chosen on malignant against rest, inside the development side of its fold 1; starts from "
             f"weights learned on simulated ultrasound: {start}"),
        Line(f"malignant against {name}: the border alone", what, "shown", _interval(leakage["border"]),
             leakage["border"]["value"] is not None, ran.command,
             f"{leakage['n_exact']} identical and {leakage['n_near']} nearly identical pairs kept on one side, "
             f"{leakage['n_contradicting']} images with contradicting labels left out"),
    ]  # fmt: skip
    return lines, {"auroc": pooled, "folds": folds, "leakage": leakage, "seconds": ran.seconds}


def _each(folds: dict[str, Any]) -> str:
    return ", ".join(f"{one['auroc']['value']:.3f}" for one in folds["each"])


def order(folder: Path) -> Part:
    """A recurrent network over slices against the mean over slices, where order matters and where it does not."""
    found = imaging_order.order_experiment()
    lines = []
    for name, one in found["tasks"].items():
        difference = one["difference"]
        matters = one["order_matters"]
        reached = difference["low"] > 0 if matters else difference["low"] <= 0
        lines.append(
            Line(
                f"cnn-rnn less the same encoder with mean pooling: {name}",
                one["data"],
                "interval above 0" if matters else "interval not above 0",
                f"{_interval(difference, '+.3f')} ({one['cnn_rnn']['value']:.3f} against {one['mean']['value']:.3f})",
                reached,
                "python -m benchmarks.run imaging order",
            )
        )
    return lines, found


def hippocampus(folder: Path) -> Part:
    """Both parts of the hippocampus, five folds over 60 patients."""
    found = imaging_segmentation.hippocampus_folds()
    dice = found["dice"]
    parts = {name: dice[name] for name in ("anterior", "posterior")}
    lines = [
        Line("mean Dice of each part over five folds", "MSD hippocampus, 60 patients", "at least .86 both",
             ", ".join(f"{name} {_interval(one)}" for name, one in parts.items()),
             all(one["value"] >= 0.86 for one in parts.values()), found["command"]),
        Line("seconds for one fold", "MSD hippocampus", "under 1200", f"{max(found['fold_seconds']):.0f}",
             max(found["fold_seconds"]) < 1200, found["command"]),
    ]  # fmt: skip
    return lines, found


def explanation(folder: Path) -> Part:
    """Heat maps on simulated radiographs: on the lesion, and not without the weights."""
    found = imaging_explanation.measure(folder)
    lines = [
        Line(f"pointing game, {method}", "simulated radiographs", "above the centre of the image",
             _interval(one["pointing"]["hit_rate"]) + f", centre {one['pointing']['centre']:.2f}",
             one["pointing"]["hit_rate"]["low"] > one["pointing"]["centre"], found["command"],
             f"likeness of maps with random weights {one['randomisation']['similarity']:.2f} "
             f"(bound {one['randomisation']['bound']}): {'passes' if one['randomisation']['passes'] else 'FAILS'}")
        for method, one in found["methods"].items()
    ]  # fmt: skip
    return lines, found


def pacs(folder: Path) -> Part:
    """C-STORE, QIDO, WADO, predict, STOW against Orthanc, and dciodvfy over what was written."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/imaging/pacs",
        "tests/imaging/findings",
        "-p",
        "no:cacheprovider",
    ]
    ran = subprocess.run(command, cwd=data.ROOT, capture_output=True, text=True, timeout=900, check=False)
    said = ran.stdout.strip().splitlines()[-1]
    whole = ran.returncode == 0 and "skipped" not in said
    line = Line(
        "a study through Orthanc and back; no dciodvfy errors",
        "Debian's orthanc, orthanc-dicomweb, dicom3tools",
        "all tests pass",
        said.strip("= "),
        whole,
        "python -m pytest tests/imaging/pacs tests/imaging/findings",
    )
    return [line], {"pytest": said}


def speed(folder: Path) -> Part:
    """Augmentation, the training loop, 8-bit inference, and decoding with two processes."""
    augmented = imaging_speed.augmentation_throughput()
    loop = imaging_speed.loop_overhead()
    rates = loop["images_per_second"]
    small = imaging_inference.int8_speed()
    decoded = imaging_decoding.decode_scaling()
    lines = [
        Line("batched augmentation, images per second at 28 px", "two cores", "at least 30,000",
             f"{augmented['images_per_second']:,.0f}", augmented["images_per_second"] >= 30_000, _SPEED),
        Line("training loop against a bare torch loop", "28 px, two cores", "at least 90 %",
             f"{loop['share']:.1%} ({rates['loop']:,.0f} against {rates['bare']:,.0f} images/s; "
             f"with augmentation {loop['share_augmented']:.1%})",
             loop["share"] >= 0.9, _SPEED),
        Line("8-bit inference against torch fp32 eager", "PneumoniaMNIST resnet, two cores", "at least 3x",
             f"{small['ratio']:.2f}x ({small['int8']:,.0f} against {small['torch']:,.0f} images/s)",
             small["ratio"] >= 3, _SPEED),
        Line("AUROC that 8 bits cost", "PneumoniaMNIST test side", "under .003", f"{small['auroc_loss']:.4f}",
             small["auroc_loss"] < 0.003, _SPEED),
        Line("DICOM decoding with two processes against one", "shared DICOM tree", "at least 1.8x",
             f"{decoded['ratio']:.2f}x", decoded["ratio"] >= 1.8, _SPEED),
    ]  # fmt: skip
    return lines, {"augmentation": augmented, "loop": loop, "int8": small, "decode": decoded}


_SPEED = "python -m benchmarks.run imaging speed"

PARTS: dict[str, Callable[[Path], Part]] = {
    "pneumonia": pneumonia,
    "busi": busi,
    "order": order,
    "hippocampus": hippocampus,
    "explanation": explanation,
    "pacs": pacs,
    "speed": speed,
}


def _interval(metric: dict[str, Any], form: str = ".3f") -> str:
    return f"{metric['value']:{form}} [{metric['low']:{form}}, {metric['high']:{form}}]"
