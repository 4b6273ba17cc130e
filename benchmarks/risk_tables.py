"""Clinical risk from tables: UCI heart disease, Diabetes-130, IWPC warfarin, SUPPORT2, and the cost of one answer."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks import data
from benchmarks.measuring import IATROS, iatros, median_run
from benchmarks.results import Line

Part = tuple[list[Line], dict[str, Any]]
_SPLITS = 3
_WARFARIN_SPLITS = 10
_SUPPORT2_PLANTED = {"d.time", "sfdm2", "death"}


def heart(folder: Path) -> Part:
    """Leave one hospital out of four: the ensemble against logistic regression."""
    table, dictionary = data.heart(folder)
    ran = iatros(
        "risk", "train", table.name, "--outcome", "num", "--positive", ">0", "--site", "site",
        "--dictionary", dictionary.name, "--model", "ensemble", "--validation", "site",
        "--out", "heart-bundle", "--overwrite", folder=folder,
    )  # fmt: skip
    auroc = ran.answer["metrics"]["site"]["auroc"]
    sites = ran.answer["sites"]
    ensemble = next(entry for entry in ran.answer["models"] if entry["name"] == "ensemble")
    difference = ensemble["difference_to_baseline"]
    each = ", ".join(f"{name} {site['auroc']['value']:.3f}" for name, site in sites.items())
    slopes = ", ".join(f"{name} {site['calibration_slope']['value']:.2f}" for name, site in sites.items())
    said = any("switzerland" in note for note in ran.answer["notes"])
    lines = [
        Line("leave-one-site-out AUROC, unweighted mean of four sites", "UCI heart disease, 920 patients",
             "at least .815",
             f"{_interval(auroc)} ({each})", auroc["value"] >= 0.815, ran.command,
             "the report says that Switzerland's 8 patients without disease leave the mean uncertain" if said else ""),
        Line("ensemble less logistic regression, paired", "UCI heart disease", "interval not below 0",
             _interval(difference, "+.3f"), difference["high"] >= 0, ran.command),
        Line("calibration slope at each new site is reported", "UCI heart disease", "shown", slopes,
             all(site["calibration_slope"]["low"] is not None for site in sites.values()), ran.command),
    ]  # fmt: skip
    return lines, {"auroc": auroc, "difference": difference, "seconds": ran.seconds}


def diabetes(folder: Path) -> Part:
    """30-day readmission; three patient-grouped splits."""
    table = data.diabetes(folder)
    runs = [
        iatros(
            "risk", "train", table.name, "--outcome", "readmitted", "--positive", "<30", "--subject", "patient_nbr",
            "--exclude", "encounter_id", "--keep", data.NO_READMISSION, "--model", "boosting", "--seed", str(seed),
            "--engine", "processes", "--out", f"diabetes-bundle-{seed}", "--overwrite", folder=folder,
        )
        for seed in range(_SPLITS)
    ]  # fmt: skip
    aurocs = [run.answer["metrics"]["held_out"]["auroc"] for run in runs]
    value = mean(auroc["value"] for auroc in aurocs)
    seconds, peak = max(run.seconds for run in runs), max(run.peak_mb for run in runs)
    what = "Diabetes-130, patients who can be readmitted"
    lines = [
        Line("30-day readmission AUROC, mean of three splits", what, "at least .675",
             f"{value:.4f} ({'; '.join(_interval(auroc) for auroc in aurocs)})", value >= 0.675, runs[0].command),
        Line("seconds for one split, everything included", what, "under 120", f"{seconds:.0f}", seconds < 120,
             runs[0].command),
        Line("peak memory of one split, workers included", what, "under 3 GB", f"{peak / 1024:.2f} GB",
             peak < 3 * 1024, runs[0].command),
    ]  # fmt: skip
    return lines, {
        "auroc": aurocs,
        "seconds": [run.seconds for run in runs],
        "peak_mb": [run.peak_mb for run in runs],
    }


def warfarin(folder: Path) -> Part:
    """Weekly dose, learned as its square root."""
    table = data.warfarin(folder)
    common = (
        "risk", "train", table.name, "--outcome", "dose_mg_week", "--task", "continuous", "--target-transform", "sqrt",
        "--model", "logistic,svm,boosting", "--instability", "0", "--overwrite",
    )  # fmt: skip
    runs = [
        iatros(
            *common, "--seed", str(seed), "--engine", "processes", "--out", "warfarin-bundle", folder=folder
        )
        for seed in range(_WARFARIN_SPLITS)
    ]
    errors = [run.answer["metrics"]["held_out"]["mae"]["value"] for run in runs]
    within = [run.answer["metrics"]["held_out"]["within_20_percent"]["value"] for run in runs]
    away = iatros(
        *common, "--site", "race", "--validation", "site", "--engine", "processes", "--out", "ancestry-bundle",
        folder=folder,
    )  # fmt: skip
    ancestries = ", ".join(
        f"{name} {site['mae']['value']:.2f}" for name, site in away.answer["sites"].items()
    )
    what = f"IWPC, {runs[0].answer['data']['n_used']} patients"
    lines = [
        Line(f"dose MAE, mg/week, {_WARFARIN_SPLITS} random 80/20 splits", what, "at most 8.65",
             f"{mean(errors):.2f} (splits {min(errors):.2f} to {max(errors):.2f}; within 20 %: {_percent(within)})",
             mean(errors) <= 8.65, runs[0].command),
        Line("dose MAE, mg/week, leave one ancestry out", what, "reported",
             f"mean {away.answer['metrics']['site']['mae']['value']:.2f} ({ancestries})",
             len(away.answer["sites"]) > 1, away.command),
    ]  # fmt: skip
    return lines, {
        "mae": errors,
        "within_20_percent": within,
        "ancestry": away.answer["metrics"]["site"]["mae"],
    }


def support2(folder: Path) -> Part:
    """The audit must find the columns that give death in hospital away."""
    shutil.copy(data.support2(), folder / "support2.csv")
    ran = iatros(
        "risk", "train", "support2.csv", "--outcome", "hospdead", "--positive", "1", "--model", "logistic",
        "--instability", "0", "--out", "support2-bundle", "--overwrite", folder=folder,
    )  # fmt: skip
    suspects = ran.answer["leakage"]["suspects"]
    grave = {column for suspect in suspects if suspect["severity"] != "look" for column in suspect["columns"]}
    rule = any({"slos", "d.time"} == set(suspect["columns"]) for suspect in suspects)
    others = sorted(
        {column for suspect in suspects for column in suspect["columns"]} - _SUPPORT2_PLANTED - {"slos"}
    )
    score = ran.answer["leakage"]["score"]
    lines = [
        Line("leakage audit finds d.time, sfdm2, death and slos == d.time by itself", "SUPPORT2, death in hospital",
             "all four", f"{', '.join(sorted(grave & _SUPPORT2_PLANTED))}; rule {'found' if rule else 'missed'}",
             grave >= _SUPPORT2_PLANTED and rule, ran.command, f"also named: {', '.join(others) or 'none'}"),
        Line("quick score with and without the suspects", "SUPPORT2", "shown",
             f"{_interval(score['with'])} with, {_interval(score['without'])} without",
             score["with"]["value"] > score["without"]["value"], ran.command),
    ]  # fmt: skip
    return lines, {"suspects": suspects, "score": score}


def cost(folder: Path) -> Part:
    """What a person waits for, and what one answer holds in memory."""
    got = iatros("data", "get", "breast-cancer", folder=folder)
    shutil.copy(got.answer["table"], folder / "breast.csv")
    iatros(
        "risk", "train", "breast.csv", "--outcome", "diagnosis", "--positive", "malignant", "--model", "forest",
        "--out", "forest-bundle", "--overwrite", folder=folder,
    )  # fmt: skip
    rows = (folder / "breast.csv").read_text().splitlines()
    (folder / "one.csv").write_text("\n".join(rows[:2]) + "\n")
    helped, _ = median_run([str(IATROS), "--help"], folder=folder)
    predict = [str(IATROS), "risk", "predict", "forest-bundle", "one.csv"]
    seconds, peak = median_run(predict, folder=folder)
    bare, _ = median_run([sys.executable, "-c", "pass"], folder=folder)
    command = "iatros risk predict forest-bundle one.csv"
    lines = [
        Line("iatros --help, seconds", "median of 5", "under 0.5", f"{helped:.2f}", helped < 0.5, "iatros --help",
             f"an empty Python takes {bare:.2f} s"),
        Line("predict one patient with a forest bundle, seconds", "median of 5", "under 1.5", f"{seconds:.2f}",
             seconds < 1.5, command),
        Line("peak memory of predict", "largest of 5", "under 400 MB", f"{peak:.0f} MB", peak < 400, command),
    ]  # fmt: skip
    return lines, {"help_s": helped, "predict_s": seconds, "predict_peak_mb": peak}


PARTS: dict[str, Callable[[Path], Part]] = {
    "heart": heart,
    "diabetes": diabetes,
    "warfarin": warfarin,
    "support2": support2,
    "cost": cost,
}


def _interval(metric: dict[str, Any], form: str = ".3f") -> str:
    return f"{metric['value']:{form}} [{metric['low']:{form}}, {metric['high']:{form}}]"


def _percent(shares: list[float]) -> str:
    return f"{100 * mean(shares):.1f} %"
