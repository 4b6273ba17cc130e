"""Results as a training returns them, made from simulated answers by the package's own evaluation."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.task import Target
from iatros.imaging.characteristics import characteristics
from iatros.imaging.comparison import compare
from iatros.imaging.evaluation import evidence, evidence_of_labels
from iatros.imaging.levels import slice_and_study
from iatros.imaging.prevalence import consequences, prevalence_of
from iatros.imaging.schema import ImageRecord

TARGETS = {
    "binary": (Target("label", "binary", ("normal", "pneumonia")),),
    "multiclass": (Target("cell", "multiclass", ("basophil", "eosinophil", "monocyte")),),
    "ordinal": (Target("grade", "multiclass", ("none", "mild", "moderate", "severe")),),
    "multilabel": tuple(Target(name, "binary", ("no", "yes")) for name in ("effusion", "mass", "nodule")),
    "continuous": (Target("volume", "continuous", unit="ml"),),
}
_SIDES = {"train": (540, 0.71), "tuning": (90, 0.74), "calibration": (110, 0.75), "held_out": (210, 0.6)}


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of grey (rows, columns) or colour (rows, columns, 3) pixels, uint8."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows, columns = pixels.shape[:2]
    kind = 2 if pixels.ndim == 3 else 0
    head = struct.pack(">IIBBBBB", columns, rows, 8, kind, 0, 0, 0)
    lines = b"".join(b"\x00" + line.tobytes() for line in pixels)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b""))
    )


def example(task: str = "binary", validation: str = "held-out") -> dict[str, Any]:
    """A whole result; every number of the evidence is computed, from answers that are drawn."""
    rng = np.random.default_rng(11)
    targets = TARGETS[task]
    records, groups, sides, y = _cohort(task, rng)
    split = validation.replace("-", "_")
    rows = sides["held_out"]
    truth = [one[rows] for one in y]
    raw = [_answer(target, one, rng, 1.5) for target, one in zip(targets, truth, strict=True)]
    weak = [_answer(target, one, rng, 0.8) for target, one in zip(targets, truth, strict=True)]
    judged = _judged(task, targets, truth, raw, groups[rows], records, rows)
    prevalence = {
        name: prevalence_of(targets, y, groups, parts, reference=reference)
        for name, parts, reference in (
            ("sides", sides, "calibration"),
            ("sites", _sites(records), "north"),
        )
    }
    if task == "binary":
        point = judged["operating_points"][1]
        levels = prevalence["sides"]["levels"]
        prevalence["consequences"] = consequences(
            levels, point["sensitivity"], point["specificity"], threshold=0.5
        )
    models = compare(
        targets, truth, {"resnet": raw, "cnn": weak}, groups[rows],
        split=split, kept="resnet", baseline="cnn", tuning_scores={"resnet": 0.971, "cnn": 0.93},
        seconds={"resnet": 412.3, "cnn": 39.0},
    )  # fmt: skip
    metrics = judged.pop("metrics")
    result: dict[str, Any] = {
        "domain": "imaging",
        "model": "resnet",
        "task": task,
        "objective": {"ordinal": "ordinal", "multilabel": "binary-cross-entropy", "continuous": "squared-error"}.get(
            task, "cross-entropy"
        ),
        "target": _target(task, targets),
        "input": {"kind": "image", "channels": 1, "size": [28, 28], "fit": "pad", "max_slices": 32},
        "network": _network(),
        "run_id": "20261203-091544-5c1e",
        "seed": 3,
        "validation": validation,
        "headline_split": split,
        "metrics": {split: metrics},
        "models": models,
        "splits": {name: _sizes(task, one, groups, y) for name, one in sides.items()},
        "flow": [
            {"step": "read", "n_rows": len(records) + 7, "n_patients": 497},
            {"step": "with a label", "n_rows": len(records), "n_patients": len(set(groups.tolist()))},
        ],
        "data": _data(len(records)),
        "characteristics": characteristics(records, groups, sides),
        "prevalence": prevalence,
        "history": [_history("resnet", 24, rng), _history("cnn", 15, rng)],
        **judged,
        "slices": _slices(rng),
        "leakage": _leakage(),
        "quality": {
            "n_checked": 210, "n_refused": 2, "n_flagged": 11,
            "codes": {"unlike-features": {"refuse": 2, "flag": 7}, "text": {"flag": 4}},
            "refused": _metric(0.0095, 0.009, "Wilson"), "flagged": _metric(0.052, 0.03, "Wilson"),
            "unlike": {"flagged": _metric(0.043, 0.027, "Wilson"), "refused": _metric(0.0095, 0.009, "Wilson"),
                       "stated": {"flag": 0.05, "refuse": 0.01}},
        },
        "images": _images(rng) if task in ("binary", "multiclass", "ordinal") else [],
        "explanation_checks": _checks(),
        "export": {
            "n": 210, "largest_difference": 0.021, "metric": "auroc",
            "fp32": _metric(0.962, 0.02), "int8": _metric(0.961, 0.02), "difference": _metric(-0.0007, 0.0016),
        },
        "request": {
            "images": {"path": "chest"}, "table": None, "model": ["resnet", "cnn"], "augment": ["flip", "rotate"],
            "explain": "gradcam++", "validation": validation, "seed": 3,
        },
        "versions": {"python": "3.11.9", "iatros": "0.3.0", "torch": "2.13.0"},
        "notes": ["the source's own split is kept"],
        "parent": None,
    }  # fmt: skip
    result["calibration"] = {"kind": "slope", "cross_fitted": False, **result["calibration"]}
    document: dict[str, Any] = plain(result)
    return document


def _cohort(
    task: str, rng: np.random.Generator
) -> tuple[list[ImageRecord], np.ndarray, dict[str, np.ndarray], list[np.ndarray]]:
    records, groups, parts, sides, start = [], [], [[] for _ in TARGETS[task]], {}, 0
    for side, (n, share) in _SIDES.items():
        patients = start + rng.integers(0, n * 2 // 3, n)
        for patient in patients:
            person = np.random.default_rng(int(patient))
            records.append(
                ImageRecord(
                    name=f"{side}/{len(records)}",
                    sha256=f"{len(records):064x}",
                    shape=(1, 28, 28),
                    subject=str(patient),
                    site="north" if person.random() < 0.62 else "south",
                    scanner=["Astra 3", "Meridian", "Portable"][int(person.integers(0, 3))],
                    modality="DX",
                    sex=None if person.random() < 0.04 else "F" if person.random() < 0.45 else "M",
                    age=float(np.round(person.normal(57, 15))),
                    split=side,
                )
            )
        groups.append(patients)
        sides[side] = np.arange(start, start + n)
        for k, target in enumerate(TARGETS[task]):
            parts[k].append(_drawn(target, n, share - 0.2 * k, rng))
        start += n
    y = [np.concatenate(one) for one in parts]
    if task == "multilabel":
        y[2][::9] = np.nan
    return records, np.concatenate(groups), sides, y


def _drawn(target: Target, n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    if target.task == "continuous":
        return rng.normal(52 + 8 * share, 11, n)
    if target.task == "binary":
        return (rng.random(n) < share).astype(float)
    weights = np.arange(len(target.classes), 0, -1) ** (2 * share)
    return rng.choice(len(target.classes), n, p=weights / weights.sum()).astype(float)


def _answer(target: Target, y: np.ndarray, rng: np.random.Generator, skill: float) -> np.ndarray:
    """What a network of that skill says; more skill, fewer mistakes."""
    if target.task == "continuous":
        return np.asarray(y + rng.normal(0, 9 / skill, len(y)))
    if target.task == "binary":
        known = np.nan_to_num(y, nan=0.5)
        return np.asarray(1 / (1 + np.exp(-(2.4 * skill * (known - 0.45) + rng.normal(0, 1.2, len(y))))))
    scores = rng.normal(0, 1, (len(y), len(target.classes)))
    distance = np.abs(np.arange(len(target.classes)) - y[:, None])
    powers = np.exp(scores - skill * distance)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _calibrated(target: Target, raw: np.ndarray) -> np.ndarray:
    if target.task == "continuous":
        return raw + 0.3
    if target.task == "binary":
        return np.asarray(1 / (1 + np.exp(-(0.15 + 0.9 * np.log(raw / (1 - raw))))))
    powers = raw**0.9
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _judged(
    task: str,
    targets: tuple[Target, ...],
    truth: list[np.ndarray],
    raw: list[np.ndarray],
    groups: np.ndarray,
    records: list[ImageRecord],
    rows: np.ndarray,
) -> dict[str, Any]:
    calibrated = [_calibrated(target, one) for target, one in zip(targets, raw, strict=True)]
    extent = np.where(np.arange(len(rows)) % 7 == 0, 2.0, 1.0)
    covered = (np.arange(len(rows)) % 11 != 0).astype(float)
    shown = {
        "sex": np.array([records[row].sex for row in rows], dtype=object),
        "scanner": np.array([records[row].scanner for row in rows], dtype=object),
    }
    cuts = {"sensitivity 0.95": 0.31, "sensitivity 0.90": 0.4, "youden": 0.56}
    common: dict[str, Any] = {"subgroups": shown, "confidence_level": 0.95, "coverage": 0.9, "seed": 3}
    if len(targets) > 1:
        return evidence_of_labels(
            targets, truth, calibrated, groups, uncalibrated=raw, cuts=[cuts] * len(targets),
            conformal=[(covered, extent)] * len(targets), **common,
        )  # fmt: skip
    conformal = None if task == "continuous" else (covered, extent)
    return evidence(
        targets[0], truth[0], calibrated[0], groups, uncalibrated=raw[0],
        cuts=cuts if task == "binary" else {}, conformal=conformal, ordered=task == "ordinal", **common,
    )  # fmt: skip


def _sites(records: list[ImageRecord]) -> dict[str, np.ndarray]:
    site = np.array([record.site for record in records])
    return {name: np.flatnonzero(site == name) for name in ("north", "south")}


def _sizes(task: str, rows: np.ndarray, groups: np.ndarray, y: list[np.ndarray]) -> dict[str, Any]:
    events = int(y[0][rows].sum()) if task == "binary" else None
    return {"n_rows": len(rows), "n_patients": len(np.unique(groups[rows])), "n_events": events}


def _target(task: str, targets: tuple[Target, ...]) -> dict[str, Any]:
    if task == "multilabel":
        return {
            "name": "findings",
            "task": task,
            "classes": [target.name for target in targets],
            "unit": None,
        }
    (target,) = targets
    return {"name": target.name, "task": target.task, "classes": list(target.classes), "unit": target.unit}


def _network() -> dict[str, Any]:
    return {
        "model": "resnet",
        "params": {"blocks": [2, 2, 2], "width": 48, "dropout": 0.1},
        "spec": {"kind": "image", "channels": 1, "size": [28, 28], "fit": "pad", "max_slices": 32},
        "members": 2,
        "threads": 2,
        "n_parameters": 1_234_567,
        "precision": "32-true",
        "images_per_second": 1834.2,
    }


def _data(n: int) -> dict[str, Any]:
    refused = [
        {"name": f"chest/odd{k}.dcm", "reason": "no pixel data: this is a report, not an image"}
        for k in range(4)
    ]
    refused += [
        {"name": f"chest/cut{k}.dcm", "reason": "the file ends before its pixels do"} for k in range(3)
    ]
    return {
        "source": "dicom", "fingerprint": "9f" * 32, "n_read": n + 7, "n_used": n, "n_refused": 7, "refused": refused,
    }  # fmt: skip


def _history(name: str, best: int, rng: np.random.Generator) -> dict[str, Any]:
    epochs = []
    for epoch in range(1, 31):
        fall = float(np.exp(-epoch / 8))
        epochs.append(
            {
                "epoch": epoch,
                "train_loss": 0.18 + 0.5 * fall + float(rng.normal(0, 0.006)),
                "tuning_loss": 0.24 + 0.45 * fall + 0.002 * epoch + float(rng.normal(0, 0.012)),
                "tuning_score": 0.97 - 0.25 * fall - 0.0004 * abs(epoch - best) + float(rng.normal(0, 0.002)),
                "learning_rate": 1e-3 * fall,
                "seconds": 13.0,
            }
        )
    return {"name": name, "metric": "auroc", "best_epoch": best, "epochs": epochs}


def _slices(rng: np.random.Generator) -> dict[str, Any]:
    studies = np.repeat(np.arange(70), 6)
    y = np.repeat(rng.integers(0, 2, 70), 6)
    said = np.clip(0.5 + 0.25 * (y - 0.5) + rng.normal(0, 0.2, len(y)), 0.01, 0.99)
    found = slice_and_study(TARGETS["binary"][0], y, said, studies, studies)
    weights = [np.exp(-0.5 * ((np.arange(17) - centre) / 2.0) ** 2) for centre in (5, 11)]
    found["examples"] = [
        {"truth": "pneumonia", "prediction": "pneumonia", "weights": (one / one.sum()).tolist()}
        for one in weights
    ]
    return found


def _metric(value: float, half: float, how: str = "DeLong") -> dict[str, Any]:
    return {
        "value": value,
        "low": value - half,
        "high": value + half,
        "n": 210,
        "n_events": 126,
        "interval": how,
    }


def _leakage() -> dict[str, Any]:
    share = {"linked": _metric(0.97, 0.02, "Wilson"), "same": _metric(0.91, 0.04, "Wilson")}
    return {
        "n_images": 950, "n_exact": 2, "n_near": 5, "n_same": 3, "n_groups_before": 470, "n_groups": 466,
        "largest_group": 9, "n_contradicting": 2, "n_crossing": 1,
        "limit_linked": 0.93, "limit_same": 0.97,
        "check": {
            "n": 200,
            "recoloured": {"by": "brightness, contrast and noise", **share},
            "altered": {"by": "cropped, with text drawn in", **share},
        },
        "pairs": [
            {"one": "train/12", "other": "held_out/760", "likeness": 1.0, "same": True, "labels": [1, 1],
             "sides": ["train", "held_out"]},
            {"one": "train/40", "other": "train/41", "likeness": 0.981, "same": True, "labels": [0, 1],
             "sides": ["train", "train"]},
        ],
        "contradicting": ["train/40", "train/41"], "crossing": ["held_out/760"],
        "n_by_sides": {"train and held_out": 1},
        "border": {"metric": "auroc", **_metric(0.80, 0.03), "model": "boosted trees",
                   "features": ["brightness, histogram and edges of the outermost 10%"]},
        "metadata": {"metric": "auroc", **_metric(0.61, 0.05), "model": "boosted trees",
                     "features": ["scanner", "site", "age"]},
    }  # fmt: skip


def _images(rng: np.random.Generator) -> list[dict[str, Any]]:
    found = []
    for kind in ("right", "wrong", "uncertain"):
        for k in range(4):
            rows, columns = np.mgrid[0:28, 0:28]
            body = (
                90
                * np.exp(-(((rows - 14) / 11) ** 2))
                * (1 - 0.5 * np.exp(-(((np.abs(columns - 14) - 6) / 4) ** 2)))
            )
            spot = 70 * np.exp(-((rows - 8 - 3 * k) ** 2 + (columns - 9) ** 2) / 9)
            grey = np.clip(60 + body + spot + rng.normal(0, 5, (28, 28)), 0, 255).astype(np.uint8)
            heat = np.clip(spot / 70, 0, 1)[..., None]
            colour = (grey[..., None] * (1 - 0.6 * heat) + 0.6 * heat * np.array([255, 80, 0])).astype(
                np.uint8
            )
            found.append(
                {
                    "kind": kind,
                    "truth": "pneumonia" if k % 2 else "normal",
                    "prediction": "pneumonia" if (k % 2) == (kind != "wrong") else "normal",
                    "probability": {"right": 0.99, "wrong": 0.93, "uncertain": 0.51}[kind] - 0.01 * k,
                    "png": base64.b64encode(png(grey)).decode(),
                    "overlay": base64.b64encode(png(colour)).decode(),
                }
            )
    return found


def _checks() -> dict[str, Any]:
    stages = [
        {"layers": n, "deepest": f"block{n}", "rank_correlation": r, "structural_similarity": r}
        for n, r in ((1, 0.62), (5, 0.35), (9, 0.22), (14, 0.12), (18, 0.09))
    ]
    return {
        "method": "gradcam++",
        "randomisation": {"method": "gradcam++", "check": "parameter randomisation", "n": 16, "n_layers": 18,
                          "stages": stages, "similarity": 0.09, "bound": 0.5, "passes": True},
        "pointing": {"hit_rate": _metric(0.83, 0.07, "Wilson"), "hits": 83, "n": 100, "tolerance_px": 1,
                     "without_heat": 0, "chance": 0.07, "centre": 0.11, "other_maps": 0.09},
    }  # fmt: skip
