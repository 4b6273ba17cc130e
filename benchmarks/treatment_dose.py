"""Warfarin, the data of the IWPC: the published equations, and the default model over repeated splits.

`python -m benchmarks.treatment_dose equations|warfarin [--splits N] [--out FILE]` prints one JSON document. `warfarin`
draws 80 of 100 patients at random, N times: the whole procedure learns from them with its defaults, and is judged on
the others, beside the published equations on the same patients. Nothing is chosen on those who are judged.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.results import Line
from iatros.core.context import Context
from iatros.core.intervals import Metric
from iatros.treatment.dosing.development import Developed, develop
from iatros.treatment.dosing.evaluation import bands_of, judge_doses
from iatros.treatment.dosing.iwpc import DOSE, read_iwpc
from iatros.treatment.dosing.models import EQUATIONS
from iatros.treatment.dosing.scale import backward, forward
from iatros.treatment.dosing.schema import Columns, Doses
from iatros.treatment.dosing.settings import DoseSettings, make_estimator
from iatros.treatment.dosing.sources import read_doses

N_SPLITS = 100
_COMMAND = "python -m benchmarks.run treatment"
_SETTINGS = DoseSettings()
_ASKED_BANDS = {"low": 0.355, "middle": 0.561, "high": 0.342}
"""Within 20 % by the dose that was needed. The paper has 35.0, 55.9 and 32.8 % (N Engl J Med 2009;360:753, table 4)."""
_SAME = {"mae": 0.05, "within_20_percent": 0.005}
"""How near a figure must come to the asked one to be the same."""


def load() -> Doses:
    """Patients with a stable dose, their ancestry, age and both genotypes known."""
    table = read_iwpc(data.SHARED / "warfarin_iwpc" / "warfarin.csv").table
    return read_doses(table, Columns(DOSE, subgroup=("race",))).doses


def equations() -> dict[str, Any]:
    """Both published equations on all patients, those with known age, height and weight among them apart."""
    doses = load()
    measured = doses.features.frame.select("height_cm", "weight_kg")
    complete = measured.to_numpy().astype(float)
    sides = {"all": np.arange(len(doses)), "measured": np.flatnonzero(~np.isnan(complete).any(axis=1))}
    answer: dict[str, Any] = {name: {"n": len(rows)} for name, rows in sides.items()}
    for name in EQUATIONS:
        whole = _equation(name, doses, doses)
        for side, rows in sides.items():
            part = doses.take(rows)
            answer[side][name] = _judged(part, whole[rows])
    answer["fixed"] = _judged(doses, np.full(len(doses), float(np.median(doses.y))))
    return answer


def _equation(name: str, learned: Doses, asked: Doses) -> np.ndarray:
    fitted = make_estimator(name, {}).fit(
        learned.features, forward("sqrt", learned.y), learned.target, groups=learned.groups, seed=0
    )
    return backward("sqrt", fitted.predictor.predict(asked.features.frame))


def _judged(doses: Doses, dose: np.ndarray) -> dict[str, Any]:
    found = judge_doses(doses, dose, n_bootstrap=200)
    by_need = bands_of(doses, dose, doses.y, _SETTINGS)
    by_answer = bands_of(doses, dose, dose, _SETTINGS)
    race = {
        str(name): judge_doses(doses.take(rows), dose[rows], n_bootstrap=200)
        for name in np.unique(doses.subgroups["race"].astype(str))
        for rows in (np.flatnonzero(doses.subgroups["race"] == name),)
    }
    return {
        **_documents(found),
        "by_needed_dose": by_need,
        "by_given_dose": by_answer,
        "by_ancestry": {name: _documents(one) for name, one in race.items()},
    }


def _documents(metrics: dict[str, Metric]) -> dict[str, Any]:
    return {name: metrics[name].document() for name in ("mae", "rmse", "r2", "within_20_percent")}


def one_split(doses: Doses, number: int) -> dict[str, Any]:
    """The default procedure on four fifths of the patients, judged on the others beside the equations."""
    order = np.random.default_rng(number).permutation(len(doses))
    held, kept = np.sort(order[: len(doses) // 5]), np.sort(order[len(doses) // 5 :])
    learned, asked = doses.take(kept), doses.take(held)
    developed = develop(learned, _SETTINGS, Context(), f"split{number}")
    dose, low, high = developed.model.answer(asked.features.frame)
    race = asked.subgroups["race"]
    covered = (low <= asked.y) & (asked.y <= high)
    return {
        "split": number,
        "model": _points(asked.y, dose),
        **{name: _points(asked.y, _equation(name, learned, asked)) for name in EQUATIONS},
        "median": _points(asked.y, np.full(len(asked), float(np.median(learned.y)))),
        "coverage": float(covered.mean()),
        "width": float(np.mean(high - low)),
        "coverage_by_ancestry": {str(name): float(covered[race == name].mean()) for name in set(race)},
        "weights": developed.weights,
    }


def _points(y: np.ndarray, dose: np.ndarray) -> dict[str, float]:
    error = np.abs(dose - y)
    return {"mae": float(error.mean()), "within_20_percent": float(np.mean(error <= 0.2 * y))}


def ancestries(doses: Doses) -> dict[str, Any]:
    """The default procedure without the patients of one ancestry, judged on them."""
    answer = {}
    for name in np.unique(doses.subgroups["race"].astype(str)):
        away = doses.subgroups["race"] == name
        asked = doses.take(np.flatnonzero(away))
        developed: Developed = develop(
            doses.take(np.flatnonzero(~away)), _SETTINGS, Context(), f"without-{name}"
        )
        dose, low, high = developed.model.answer(asked.features.frame)
        answer[str(name)] = {
            "n": len(asked),
            **_documents(judge_doses(asked, dose, n_bootstrap=200)),
            "coverage": float(np.mean((low <= asked.y) & (asked.y <= high))),
            "equation": _points(asked.y, _equation(EQUATIONS[0], doses, asked)),
        }
    return answer


def warfarin(n_splits: int = N_SPLITS, kept: Path | None = None) -> dict[str, Any]:
    """All splits, their means with intervals, and each ancestry left out; `kept` is a file that lets a run go on."""
    doses = load()
    done = json.loads(kept.read_text()) if kept is not None and kept.exists() else {"splits": []}
    for number in range(len(done["splits"]), n_splits):
        done["splits"].append(one_split(doses, number))
        if kept is not None:
            kept.write_text(json.dumps(done))
    splits = done["splits"][:n_splits]
    if "without" not in done:
        done["without"] = ancestries(doses)
        if kept is not None:
            kept.write_text(json.dumps(done))
    return {"n": len(doses), "without": done["without"], **summary(splits)}


def summary(splits: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the splits with the 2.5 and 97.5 percentiles of single splits, and the mean gaps to the equation."""
    answer: dict[str, Any] = {"n_splits": len(splits)}
    for name in ("model", *EQUATIONS, "median"):
        answer[name] = {
            metric: _spread([one[name][metric] for one in splits]) for metric in ("mae", "within_20_percent")
        }
    answer["less_equation"] = {
        metric: _spread([one["model"][metric] - one[EQUATIONS[0]][metric] for one in splits])
        for metric in ("mae", "within_20_percent")
    }
    answer["coverage"] = _spread([one["coverage"] for one in splits])
    answer["width"] = _spread([one["width"] for one in splits])
    names = sorted(splits[0]["coverage_by_ancestry"])
    answer["coverage_by_ancestry"] = {
        name: _spread([one["coverage_by_ancestry"][name] for one in splits]) for name in names
    }
    answer["weights"] = {
        name: _spread([one["weights"][name] for one in splits]) for name in splits[0]["weights"]
    }
    return answer


def _spread(values: list[float]) -> dict[str, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return {"value": float(np.mean(values)), "low": float(low), "high": float(high)}


def equation_lines(_: Path) -> tuple[list[Line], dict[str, Any]]:
    """What the published equations reach on the published data, beside what the paper printed."""
    found = equations()
    lines = []
    said = f"IWPC, {found['all']['n']:,} patients"
    for name, mae, share in (("iwpc-pharmacogenetic", 8.57, 0.466), ("iwpc-clinical", 10.21, 0.396)):
        one, measured = found["all"][name], found["measured"][name]
        for what, metric, asked, times, digits, unit in (
            ("mean absolute error", "mae", mae, 1.0, 2, "mg/week"),
            ("within 20 %", "within_20_percent", share, 100.0, 1, "%"),
        ):
            value = one[metric]
            lines.append(
                Line(f"{what}, {name}", said, f"{times * asked:g} {unit}",
                     _shown(value, digits, times), abs(value["value"] - asked) <= _SAME[metric],
                     f"{_COMMAND} equations",
                     f"height and weight known (n {found['measured']['n']:,}): "
                     f"{_shown(measured[metric], digits, times)}")
            )  # fmt: skip
    bands = found["all"]["iwpc-pharmacogenetic"]["by_needed_dose"]
    values = {name: bands[name]["metrics"]["within_20_percent"]["value"] for name in _ASKED_BANDS}
    lines.append(
        Line("within 20 % by the dose that was needed, iwpc-pharmacogenetic", said,
             " / ".join(f"{100 * one:.1f}" for one in _ASKED_BANDS.values()) + " %",
             " / ".join(f"{100 * one:.1f}" for one in values.values()) + " %",
             all(abs(values[name] - one) <= _SAME["within_20_percent"] for name, one in _ASKED_BANDS.items()),
             f"{_COMMAND} equations", "up to 21, 21 to 49, 49 mg/week and more; the paper: 35.0 / 55.9 / 32.8 %")
    )  # fmt: skip
    return lines, found


def warfarin_lines(_: Path) -> tuple[list[Line], dict[str, Any]]:
    """The default model over repeated splits; each ancestry left out in turn."""
    found = warfarin()
    return lines_of(found), found


def lines_of(found: dict[str, Any]) -> list[Line]:
    """The lines of `warfarin`'s answer."""
    said = f"IWPC, {found['n']:,} patients, {found['n_splits']} splits 80/20"
    model, gap = found["model"], found["less_equation"]
    by = {name: one["value"] for name, one in found["coverage_by_ancestry"].items()}
    note = f"percentiles of single splits; weights {_weights(found['weights'])}"
    lines = [
        Line("mean absolute error, default model", said, "at most 8.55 mg/week",
             f"{_shown(model['mae'], 2)}; less the pharmacogenetic equation {_shown(gap['mae'], 2)}",
             model["mae"]["value"] <= 8.55, f"{_COMMAND} warfarin", note),
        Line("within 20 %, default model", said, "at least 46.5 %",
             f"{_shown(model['within_20_percent'], 1, 100.0)}; less the equation "
             f"{_shown(gap['within_20_percent'], 1, 100.0)}",
             model["within_20_percent"]["value"] >= 0.465, f"{_COMMAND} warfarin"),
        Line("coverage of 90 % intervals", said, "89 to 91 %", _shown(found["coverage"], 1, 100.0),
             0.89 <= found["coverage"]["value"] <= 0.91, f"{_COMMAND} warfarin",
             "by ancestry " + ", ".join(f"{name} {100 * one:.1f} %" for name, one in by.items())),
    ]  # fmt: skip
    for name, one in found["without"].items():
        lines.append(
            Line(f"mean absolute error, {name} left out", f"IWPC, {one['n']:,} patients", "shown",
                 f"{_shown(one['mae'], 2)}, within 20 % {_shown(one['within_20_percent'], 1, 100.0)}, "
                 f"coverage {100 * one['coverage']:.1f} %", True, f"{_COMMAND} warfarin",
                 f"the equation on the same patients {one['equation']['mae']:.2f}, within 20 % "
                 f"{100 * one['equation']['within_20_percent']:.1f} %")
        )  # fmt: skip
    return lines


def _weights(weights: dict[str, Any]) -> str:
    return ", ".join(f"{name} {one['value']:.2f}" for name, one in weights.items())


def _shown(one: dict[str, Any], digits: int, times: float = 1.0) -> str:
    return f"{times * one['value']:.{digits}f} [{times * one['low']:.{digits}f}, {times * one['high']:.{digits}f}]"


PARTS = {"equations": equation_lines, "warfarin": warfarin_lines}


def main() -> None:
    """One measurement, printed as JSON and, with --out, kept in a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("--splits", type=int, default=N_SPLITS)
    parser.add_argument(
        "--kept", type=Path, help="a file with the splits so far, which a later run goes on from"
    )
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    found = equations() if chosen.part == "equations" else warfarin(chosen.splits, chosen.kept)
    text = json.dumps(found, indent=1)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
