"""The risk report and the model card: every part drawn, absent parts named, nothing from the data runs."""

from __future__ import annotations

import copy
import html as html_module
import json
import re
from typing import Any

import numpy as np
import pytest

from iatros.core.checklist import UNKNOWN
from iatros.core.model_card import plain
from iatros.core.report import Document, Estimate, Finding, Note, Table, render
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.tripod import checklist, missing_items
from iatros.core.tripod_items import ITEMS
from iatros.risk.model_card import model_card
from iatros.risk.report import build, html
from iatros.risk.report_sections.opening import findings

HOSTILE = '<script>alert("x")</script>'
SPLIT = {
    "held-out": "held_out",
    "cross-validation": "cross_validation",
    "optimism": "optimism",
    "time": "time",
    "site": "site",
}


def metric(
    value: float, half: float = 0.03, *, n: int = 184, events: int | None = 61, how: str = "DeLong"
) -> dict[str, Any]:
    return {
        "value": value,
        "low": value - half,
        "high": value + half,
        "n": n,
        "n_events": events,
        "interval": how,
    }


BINARY = {
    "auroc": metric(0.871, 0.045),
    "auprc": metric(0.802, 0.07, how="bootstrap over 184 patients"),
    "brier": metric(0.132, 0.02, how="bootstrap over 184 patients"),
    "brier_skill": metric(0.41, 0.09, how="bootstrap over 184 patients"),
    "log_loss": metric(0.413, 0.05, how="bootstrap over 184 patients"),
    "calibration_slope": metric(0.74, 0.16, how="bootstrap over 184 patients"),
    "calibration_intercept": metric(0.08, 0.31, how="bootstrap over 184 patients"),
    "oe_ratio": metric(1.05, 0.18, how="bootstrap over 184 patients"),
    "ece": metric(0.046, 0.02, how="bootstrap over 184 patients"),
    "accuracy": metric(0.81, 0.05, how="Wilson"),
    "sensitivity": metric(0.77, 0.1, how="Wilson"),
    "specificity": metric(0.83, 0.06, how="Wilson"),
}
CONTINUOUS = {
    name: metric(value, half, n=940, events=None, how="bootstrap over 940 patients")
    for name, value, half in (
        ("mae", 8.55, 0.41),
        ("rmse", 11.9, 0.7),
        ("r2", 0.43, 0.05),
        ("spearman", 0.66, 0.04),
        ("bias", -0.31, 0.6),
        ("calibration_slope", 1.02, 0.07),
        ("within_20_percent", 0.47, 0.03),
    )
}
MULTICLASS = {
    "auroc": metric(0.83, 0.04, events=None),
    "accuracy": metric(0.66, 0.05, events=None),
    "balanced_accuracy": metric(0.6, 0.05, events=None),
    "log_loss": metric(0.83, 0.06, events=None),
    "ece": metric(0.06, 0.02, events=None),
}
METRICS = {"binary": BINARY, "multiclass": MULTICLASS, "continuous": CONTINUOUS}


def example(task: str = "binary", validation: str = "held-out") -> dict[str, Any]:
    """A result of the shape that a training returns; numbers are simulated, not fitted."""
    rng = np.random.default_rng(5)
    metrics, split = METRICS[task], SPLIT[validation]
    result: dict[str, Any] = {
        "domain": "risk",
        "model": "boosting",
        "task": task,
        "target": TARGETS[task],
        "run_id": "20260314-101502-7f3a",
        "seed": 7,
        "validation": validation,
        "metrics": {split: metrics},
        "models": models(task, split),
        "splits": {
            "train": {"n_rows": 736, "n_patients": 702, "n_events": 246},
            "calibration": {"n_rows": 736, "n_patients": 702, "n_events": 246, "cross_fitted": True},
            "held_out": {"n_rows": 184, "n_patients": 184, "n_events": 61},
        },
        "flow": [
            {"step": "read from the file", "n_rows": 1012, "n_patients": 961, "note": None},
            {"step": "kept by the rule discharge!=11,13", "n_rows": 948, "n_patients": 910, "note": None},
            {
                "step": "with a known outcome",
                "n_rows": 920,
                "n_patients": 886,
                "note": "28 outcomes are missing",
            },
        ],
        "table_one": table_one(task),
        "curves": curves(task, rng),
        "thresholds": thresholds() if task == "binary" else [],
        "subgroups": subgroups(task),
        "leakage": leakage(),
        "explanation": explanation(rng),
        "calibration": {
            "kind": "slope",
            "cross_fitted": True,
            "before": {
                "brier": metric(0.139, 0.02),
                "calibration_slope": metric(0.61, 0.12),
                "ece": metric(0.071, 0.02),
            },
            "after": {
                "brier": metric(0.132, 0.02),
                "calibration_slope": metric(0.74, 0.16),
                "ece": metric(0.046, 0.02),
            },
        },
        "conformal": {
            "kind": "prediction interval" if task == "continuous" else "prediction set",
            "confidence_level": 0.9,
            "coverage": metric(0.912, 0.04, how="Wilson"),
            "mean_extent": 31.4 if task == "continuous" else 1.27,
            "extent_unit": "outcome unit" if task == "continuous" else "classes",
        },
        "sample_size": {
            "required": 1013,
            "criteria": {
                "shrinkage": 1013,
                "r2_difference": 402,
                "overall_risk": 341,
                "mean_absolute_error": None,
            },
            "n_parameters": 18,
            "available": 702,
            "enough": False,
            "reference": "Riley et al. BMJ 2020;368:m441",
        },
        "instability": instability(rng),
        "data": {
            "source": "heart_disease.csv",
            "fingerprint": "sha256:9d1f3c0b7a52e6c4b8d2f1a09e7c6b5d4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c",
            "n_read": 1015,
            "n_refused": 31,
            "n_used": 920,
            "refused": [
                {"row": 17, "column": None, "reason": "the line has 15 cells, the header 14"},
                {"row": 402, "column": "chol", "reason": "an infinite value"},
                {"row": 633, "column": "num", "reason": "the outcome is missing"},
            ],
        },
        "schema": {"columns": SCHEMA},
        "notes": ["num is read as binary: '>0' is the event"],
        "request": {
            "table": "heart_disease.csv",
            "outcome": "num",
            "positive": ">0",
            "impute": "model",
            "seed": 7,
        },
        "versions": {"iatros": "0.1.0", "python": "3.11.9", "numpy": "2.3.1", "lightgbm": "4.6.0"},
        "parent": None,
        "created": {"at": "2026-03-14T10:15:02Z", "seconds": 41.2},
    }
    if task != "binary":
        for side in result["splits"].values():
            side["n_events"] = None
        result["calibration"]["before"] = {name: metrics[name] for name in list(metrics)[-2:]}
        result["calibration"]["after"] = result["calibration"]["before"]
    if validation == "site":
        result["metrics"]["site_pooled"] = metrics
        result["sites"], result["pooled"] = sites(task), pooled(task)
    if validation == "optimism":
        result["metrics"] = {"apparent": metrics, "optimism": metrics}
    return result


TARGETS = {
    "binary": {"name": "num", "task": "binary", "classes": ["not >0", ">0"], "unit": None},
    "multiclass": {
        "name": "stage",
        "task": "multiclass",
        "classes": ["early", "middle", "late"],
        "unit": None,
    },
    "continuous": {"name": "dose", "task": "continuous", "classes": [], "unit": "mg/week"},
}
SCHEMA = [
    {
        "name": "age",
        "kind": "numeric",
        "unit": "years",
        "levels": [],
        "low": 28.0,
        "high": 77.0,
        "recorded": "at_prediction",
    },
    {
        "name": "sex",
        "kind": "categorical",
        "unit": None,
        "levels": ["female", "male"],
        "low": None,
        "high": None,
    },
    {
        "name": "chol",
        "kind": "numeric",
        "unit": "mg/dl",
        "levels": [],
        "low": 85.0,
        "high": 603.0,
        "recorded": "unknown",
    },
    {"name": "thal", "kind": "categorical", "unit": None, "levels": ["fixed", "normal", "reversible"]},
    {"name": "ca", "kind": "numeric", "unit": None, "levels": [], "low": None, "high": None},
    {"name": "slos", "kind": "numeric", "unit": "days", "levels": [], "low": 3.0, "high": 343.0},
    {"name": "d.time", "kind": "numeric", "unit": "days", "levels": [], "low": 3.0, "high": 2029.0},
    {"name": "seen_on", "kind": "date", "unit": None, "levels": [], "low": 17000.0, "high": 18400.0},
]


def models(task: str, split: str) -> list[dict[str, Any]]:
    metrics = METRICS[task]
    primary = "mae" if task == "continuous" else "auroc"
    entries = []
    for k, name in enumerate(("logistic", "forest", "boosting")):
        shifted = {key: {**doc, "value": doc["value"] - 0.01 * (2 - k)} for key, doc in metrics.items()}
        difference = (
            None
            if name == "logistic"
            else {"metric": primary, "baseline": "logistic", **metric(0.01 * k, 0.025)}
        )
        entries.append(
            {
                "name": name,
                "selected": name == "boosting",
                "candidate": name != "logistic",
                "tuning_score": {"metric": primary, "value": 0.85 + 0.01 * k},
                "metrics": {} if split == "optimism" else {split: shifted},
                "difference_to_baseline": difference,
                "notes": {},
                "seconds": 1.3 * (k + 1) ** 2,
            }
        )
    return entries


def table_one(task: str) -> list[dict[str, Any]]:
    groups = {"binary": ["not >0", ">0"], "multiclass": ["early", "middle", "late"]}.get(
        task, ["dose at most 28", "dose above 28"]
    )

    def numeric(mean: float, sd: float, median: float) -> dict[str, Any]:
        return {
            "n": 400,
            "mean": mean,
            "sd": sd,
            "median": median,
            "q1": median - sd * 0.7,
            "q3": median + sd * 0.7,
        }

    def categorical(first: int, second: int, third: int | None) -> dict[str, Any]:
        return {
            "n": 460,
            "levels": {
                "normal": {"n": first, "percent": 61.2},
                "reversible": {"n": second, "percent": 35.7},
                "fixed": {"n": third, "percent": None if third is None else 3.1},
            },
            "n_levels": 3,
        }

    def entry(
        column: str, kind: str, unit: str | None, makers: Any, missing: float, smd: float
    ) -> dict[str, Any]:
        made = [makers(k) for k in range(len(groups) + 1)]
        return {
            "column": column,
            "kind": kind,
            "unit": unit,
            "overall": made[0],
            "by_outcome": dict(zip(groups, made[1:], strict=True)),
            "missing_percent": missing,
            "smd": smd if task == "binary" else None,
        }

    return [
        entry("age", "numeric", "years", lambda k: numeric(53.5 + k, 9.4, 54.0 + k), 0.0, 0.61),
        entry("sex", "categorical", None, lambda k: categorical(282 - 9 * k, 164 + 4 * k, 14), 0.0, 0.48),
        entry("chol", "numeric", "mg/dl", lambda k: numeric(199.1 - 3 * k, 110.8, 223.0 - k), 3.3, -0.21),
        entry("thal", "categorical", None, lambda k: categorical(282 - 9 * k, 164 + 4 * k, None), 52.8, 0.97),
        entry("ca", "numeric", None, lambda k: {"n": 0}, 100.0, 0.0) | {"smd": None},
        entry(
            "seen_on", "date", "days since 1970-01-01", lambda k: numeric(17800.0, 300.0, 17810.0), 12.0, 0.02
        ),
    ]


def curves(task: str, rng: np.random.Generator) -> dict[str, Any]:
    risk = rng.beta(0.9, 1.6, 900)
    y = rng.random(900) < 1 / (1 + np.exp(-0.8 * np.log(risk / (1 - risk))))
    roc = roc_points(y, risk)
    if task == "multiclass":
        return {
            "roc": {
                name: roc_points(y, risk + rng.normal(0, s, 900))
                for name, s in (("early", 0.1), ("middle", 0.4), ("late", 0.2))
            }
        }
    if task == "continuous":
        return {"calibration": calibration_points(risk * 60 + 5, risk * 58 + 7 + rng.normal(0, 8, 900))}
    edges = np.linspace(0, 1, 41)
    calibration = calibration_points(risk, y.astype(float))
    calibration["histogram"] = {
        "edges": edges.tolist(),
        "events": np.histogram(risk[y], edges)[0].tolist(),
        "non_events": np.histogram(risk[~y], edges)[0].tolist(),
    }
    order = np.argsort(-risk)
    hits = np.cumsum(y[order])
    pr = {"recall": (hits / hits[-1]).tolist(), "precision": (hits / np.arange(1, 901)).tolist()}
    return {"roc": roc, "pr": pr, "calibration": calibration, "decision": decision_points(y, risk)}


def roc_points(y: np.ndarray, risk: np.ndarray) -> dict[str, list[float]]:
    order = np.argsort(-risk)
    tpr, fpr = np.cumsum(y[order]) / y.sum(), np.cumsum(~y[order]) / (~y).sum()
    return {"fpr": [0.0, *fpr.tolist()], "tpr": [0.0, *tpr.tolist()]}


def calibration_points(predicted: np.ndarray, observed: np.ndarray) -> dict[str, Any]:
    cuts = np.array_split(np.argsort(predicted), 10)
    grid = np.linspace(predicted.min(), predicted.max(), 50)
    slope, intercept = np.polyfit(predicted, observed, 1)
    curve = intercept + slope * grid
    reach = np.ptp(observed) * 0.06
    return {
        "smooth": {
            "grid": grid.tolist(),
            "observed": curve.tolist(),
            "low": (curve - reach).tolist(),
            "high": (curve + reach).tolist(),
        },
        "reliability": [
            {
                "mean_predicted": float(predicted[cut].mean()),
                "observed": float(observed[cut].mean()),
                "low": float(observed[cut].mean() - reach),
                "high": float(observed[cut].mean() + reach),
                "n": len(cut),
            }
            for cut in cuts
        ],
    }


def decision_points(y: np.ndarray, risk: np.ndarray) -> dict[str, list[float]]:
    thresholds = np.linspace(0.01, 0.99, 99)
    odds = thresholds / (1 - thresholds)
    model = np.array(
        [
            ((risk >= t) & y).mean() - ((risk >= t) & ~y).mean() * o
            for t, o in zip(thresholds, odds, strict=True)
        ]
    )
    return {
        "thresholds": thresholds.tolist(),
        "model": model.tolist(),
        "model_low": (model - 0.025).tolist(),
        "model_high": (model + 0.025).tolist(),
        "treat_all": (y.mean() - (1 - y.mean()) * odds).tolist(),
        "treat_none": [0.0] * 99,
    }


def thresholds() -> list[dict[str, Any]]:
    rows = (
        ("sensitivity 0.95", 0.11, 58, 55, 68, 3),
        ("sensitivity 0.90", 0.19, 55, 38, 85, 6),
        ("youden", 0.37, 49, 19, 104, 12),
    )
    return [
        {
            "name": name,
            "threshold": threshold,
            "tp": tp,
            "fp": fp,
            "tn": tn,
            "fn": fn,
            "sensitivity": metric(tp / (tp + fn), 0.05),
            "specificity": metric(tn / (tn + fp), 0.06),
            "ppv": metric(tp / (tp + fp), 0.07),
            "npv": metric(tn / (tn + fn), 0.04),
            "alerts_per_100": 100 * (tp + fp) / 184,
            "net_benefit": tp / 184 - fp / 184 * threshold / (1 - threshold),
        }
        for name, threshold, tp, fp, tn, fn in rows
    ]


def subgroups(task: str) -> dict[str, Any]:
    main = METRICS[task]
    primary = "mae" if task == "continuous" else "auroc"

    def level(n: int, shift: float) -> dict[str, Any]:
        events = n // 3 if task == "binary" else None
        return {
            "n": n,
            "n_events": events,
            "metrics": {
                k: {
                    **d,
                    "value": d["value"] + shift,
                    "low": d["low"] + shift - 0.03,
                    "high": d["high"] + shift + 0.03,
                }
                for k, d in main.items()
            },
        }

    gap = {primary: {"value": 0.062, "low": 0.011, "high": 0.133, "best": "male", "worst": "female"}}
    return {
        "sex": {"levels": {"female": level(52, -0.05), "male": level(132, 0.012)}, "gap": gap},
        "age_band": {
            "levels": {
                "<40": {"n": 9, "n_events": 2, "suppressed": True},
                "40-49": level(41, 0.02),
                "50-59": level(78, -0.01),
                "60-69": level(49, -0.03),
            },
            "gap": {primary: {"value": 0.05, "low": 0.004, "high": 0.15, "best": "40-49", "worst": "60-69"}},
        },
    }


def sites(task: str) -> dict[str, Any]:
    found = {}
    for name, n, events, shift in (
        ("Cleveland", 303, 139, 0.03),
        ("Hungary", 294, 106, 0.035),
        ("Switzerland", 123, 115, -0.12),
        ("Long Beach VA", 200, 149, -0.13),
    ):
        metrics = {
            k: {
                **d,
                "value": d["value"] + shift,
                "low": d["low"] + shift * 1.4,
                "high": d["high"] + shift / 2,
            }
            for k, d in METRICS[task].items()
        }
        found[name] = {
            "n": n,
            "n_events": events if task == "binary" else None,
            "selected": "ensemble",
            **metrics,
        }
    return found


def pooled(task: str) -> dict[str, Any]:
    names = {
        "binary": ("auroc", "oe_ratio", "calibration_slope"),
        "multiclass": ("auroc",),
        "continuous": ("mae", "calibration_slope"),
    }[task]
    return {
        name: {
            "mean": METRICS[task][name]["value"],
            "low": METRICS[task][name]["value"] - 0.11,
            "high": METRICS[task][name]["value"] + 0.1,
            "tau2": 0.0121,
            "i2": 0.83,
            "prediction_low": METRICS[task][name]["value"] - 0.3,
            "prediction_high": METRICS[task][name]["value"] + 0.25,
            "method": "REML with Hartung-Knapp",
        }
        for name in names
    }


def leakage() -> dict[str, Any]:
    return {
        "suspects": [
            {
                "columns": ["slos", "d.time"],
                "check": "equality rule",
                "severity": "certain",
                "evidence": "slos equals d.time in 2,360 rows, and the outcome is 1 in all of them and in no other",
                "statistic": 1.0,
            },
            {
                "columns": ["d.time"],
                "check": "constant-outcome region",
                "severity": "likely",
                "evidence": "above 59 the outcome never occurs in 5,211 rows",
                "statistic": 0.99,
            },
            {
                "columns": ["totcst"],
                "check": "single column",
                "severity": "look",
                "evidence": "AUROC 0.71 alone",
                "statistic": 0.71,
            },
        ],
        "n_suspects": 3,
        "checks": ["single column", "constant-outcome region", "equality rule", "missingness", "identifiers"],
        "score": {"metric": "auroc", "with": metric(0.993, 0.002), "without": metric(0.861, 0.011)},
    }


def explanation(rng: np.random.Generator) -> dict[str, Any]:
    names = [
        "thal",
        "ca",
        "cp",
        "oldpeak",
        "exang",
        "thalach",
        "sex",
        "age",
        "chol",
        "trestbps",
        "slope_of_the_peak_exercise_segment",
    ]
    strength = np.sort(rng.gamma(1.2, 0.25, len(names)))[::-1]
    ages = np.linspace(28, 77, 20)
    return {
        "shap": [{"column": n, "mean_absolute": float(s)} for n, s in zip(names, strength, strict=True)],
        "importance": [
            {
                "column": n,
                "value": float(s / 12 - 0.004),
                "low": float(s / 12 - 0.02),
                "high": float(s / 12 + 0.012),
            }
            for n, s in zip(names, strength, strict=True)
        ],
        "partial_dependence": [
            {"column": "age", "grid": ages.tolist(), "mean": (0.25 + 0.004 * (ages - 28)).tolist()},
            {"column": "chol", "grid": [85.0, 200.0, 300.0, 603.0], "mean": [0.31, 0.33, 0.36, 0.37]},
            {"column": "thal", "grid": ["normal", "fixed", "reversible"], "mean": [0.24, 0.39, 0.51]},
        ],
    }


def instability(rng: np.random.Generator) -> dict[str, Any]:
    prediction = np.sort(rng.beta(0.9, 1.5, 120))
    reach = 0.04 + 0.2 * prediction * (1 - prediction) * rng.gamma(4, 0.25, 120)
    return {
        "mape": {"mean": 0.054, "median": 0.048, "p95": 0.121},
        "interval_width": {"mean": 0.21, "median": 0.19, "p95": 0.44},
        "low": {"mean": 0.2, "median": 0.2, "p95": 0.6},
        "confidence_level": 0.95,
        "n_resamples": 100,
        "n_patients": 500,
        "source": "Riley and Collins 2023",
        "patients": {
            "prediction": prediction.tolist(),
            "low": np.clip(prediction - reach, 0, 1).tolist(),
            "high": np.clip(prediction + reach, 0, 1).tolist(),
        },
    }


CASES = [(task, validation) for task in METRICS for validation in SPLIT]


def text_of(document: Document, anchor: str) -> str:
    """Everything that the section at `anchor` says, as one string."""
    section = next(section for section in document.sections if section.anchor == anchor)
    return repr(section)


@pytest.mark.parametrize(("task", "validation"), CASES)
def test_every_kind_of_result_makes_a_whole_report(task: str, validation: str) -> None:
    result = example(task, validation)
    before = copy.deepcopy(result)
    document = build(result)
    page = render(document)
    assert result == before, "the result is read, never changed"
    titles = [section.title.split(":")[0] for section in document.sections]
    assert titles[:2] == ["Flow of patients", "Table 1"]
    assert titles[-1] == "TRIPOD+AI checklist"
    assert len(titles) == 16
    assert "Research software, not a medical device" in page
    assert page.count("<svg") >= 8
    assert "None" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.S)
    assert ">nan<" not in page


def test_the_report_survives_json() -> None:
    result = example("binary", "site")
    assert html(json.loads(json.dumps(result))) == html(result)


@pytest.mark.parametrize("part", sorted(example("binary", "site")))
@pytest.mark.parametrize("value", [None, {}, []])
def test_any_part_may_be_absent(part: str, value: Any) -> None:
    result = example("binary", "site") | {part: value}
    assert "</html>" in html(result)
    assert model_card(result).startswith("# Model card")


@pytest.mark.parametrize(
    "part", ["leakage", "subgroups", "sites", "instability", "sample_size", "conformal", "table_one"]
)
def test_an_absent_part_is_named_with_its_reason(part: str) -> None:
    anchors = {"table_one": "table-one", "instability": "sample-size", "sample_size": "sample-size"}
    given = build(example("binary", "site") | {part: {"reason": "the moon was full"}})
    assert "Not available: the moon was full." in text_of(given, anchors.get(part, part))
    silent = build(example("binary", "site") | {part: None})
    assert "Not available: " in text_of(silent, anchors.get(part, part))


def test_parts_may_lie_under_report() -> None:
    flat = example("binary", "held-out")
    nested = {key: flat.pop(key) for key in ("curves", "leakage", "explanation", "table_one")}
    assert html({**flat, "report": nested}) == html({**flat, **nested})


def test_names_from_the_data_cannot_run() -> None:
    def poison(value: Any) -> Any:
        if isinstance(value, dict):
            return {key if key in KEYS else HOSTILE + str(key): poison(part) for key, part in value.items()}
        if isinstance(value, list):
            return [poison(part) for part in value]
        return HOSTILE if isinstance(value, str) else value

    result = poison(example("binary", "site"))
    page = html({**result, "task": "binary", "validation": "site"})
    assert "<script" not in page
    assert html_module.escape(HOSTILE, quote=True) in page
    card = model_card({**result, "task": "binary", "validation": "site"})
    assert "<script" not in card
    assert "[x\\](http:&#47;&#47;evil)" in model_card({**result, "model": "[x](http://evil)"})


def _keys(value: Any) -> set[str]:
    """Every key of the example that is part of its shape rather than a name from the data."""
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values())) if value else set()
    return set().union(*map(_keys, value)) if isinstance(value, list) and value else set()


KEYS = _keys(example("binary", "site")) - {
    "sex",
    "age_band",
    "female",
    "male",
    "Cleveland",
    "normal",
    "not >0",
    ">0",
}


@pytest.mark.parametrize("table", [[{"name": "Erika Mustermann"}], {"rows": [{"name": "Erika Mustermann"}]}])
def test_inline_patients_never_enter_the_report(table: Any) -> None:
    result = example()
    result["request"]["table"] = table
    page = html(result)
    assert "Mustermann" not in page
    assert "a table given in memory" in page


def test_a_table_is_named_as_the_request_names_it() -> None:
    result = example()
    result["request"]["table"] = {"file": "heart.csv"}
    assert "heart.csv" in text_of(build(result), "reproducibility")
    result["request"]["table"] = {"frame": [303, 14]}
    assert "303" in text_of(build(result), "reproducibility")


def test_a_mean_slope_over_sites_is_never_called_good() -> None:
    result = example("binary", "site")
    result["metrics"]["site"] = {**BINARY, "calibration_slope": metric(1.05, 0.2)}
    for slope, site in zip((1.7, 1.76, 0.37, 0.49), result["sites"].values(), strict=True):
        site["calibration_slope"] = metric(slope, 0.3)
    texts = [finding.text for finding in findings(Result(result)) if finding.tone == "good"]
    assert not [text for text in texts if "slope" in text]
    assert "mean; by site from 0.37 to 1.76" in repr(build(result).opening)


def test_a_procedure_that_chose_other_models_has_its_own_row() -> None:
    result = example("binary", "site")
    assert "chosen anew" not in text_of(build(result), "models")
    result["metrics"]["site"] = {**BINARY, "auroc": metric(0.81)}
    assert "chosen anew in each part" in text_of(build(result), "models")


def test_subgroup_levels_are_in_the_order_that_people_count() -> None:
    result = example()
    level = result["subgroups"]["sex"]["levels"]["male"]
    result["subgroups"] = {
        "age_band": {"levels": {n: level for n in (">=80", "40-49", "missing", "<40", "100-109")}}
    }
    section = text_of(build(result), "subgroups")
    places = [section.index(f"label='{name}'") for name in ("<40", "40-49", "100-109", ">=80", "missing")]
    assert places == sorted(places)


def test_headline_is_the_validation_and_never_the_training_patients() -> None:
    result = example("binary", "optimism")
    assert Result(result).split == "optimism"
    assert Result({"metrics": {"apparent": BINARY, "fresh": BINARY}}).split == "fresh"
    assert Result({"metrics": {"a": BINARY, "b": BINARY}, "headline_split": "b"}).split == "b"
    shown = text_of(build(result), "discrimination")
    assert "its own training patients" in shown, "curves of an optimism run are apparent, and must say so"


def test_every_number_carries_its_interval_and_method() -> None:
    page = html(example())
    assert "0.826 to 0.916" in page
    assert "DeLong" in page
    models = next(section for section in build(example()).sections if section.anchor == "models")
    for table in (block for block in models.blocks if isinstance(block, Table)):
        for row in table.rows:
            assert all(
                cell.low is not None
                for cell in row.cells
                if isinstance(cell, Estimate) and cell.value is not None
            )


def test_small_cells_stay_hidden_in_table_one() -> None:
    section = text_of(build(example()), "table-one")
    assert "'<5'" in section
    assert "(None" not in section


def test_findings_name_what_a_reader_must_weigh() -> None:
    found = findings(Result(example("binary", "site")))
    words = [finding.word for finding in found]
    texts = " ".join(finding.text for finding in found)
    assert words[0] == "Leak"
    assert "slos, d.time give the outcome away (certain)" in texts
    assert "Fewer than 20 events or non-events at Switzerland" in texts
    assert "leaves out 1 at 4 of 4 sites" in texts
    assert "the interval holds 0" in texts


def test_a_leak_that_the_model_does_not_use_is_only_noted() -> None:
    result = example()
    result["schema"] = {"columns": [column for column in SCHEMA if column["name"] not in ("slos", "d.time")]}
    finding = findings(Result(result))[0]
    assert finding.tone == "neutral"
    assert finding.text.endswith("the model does not use them.")


def test_partial_dependence_has_a_line_for_each_class() -> None:
    result = example("multiclass")
    result["explanation"]["partial_dependence"] = [
        {
            "column": "age",
            "grid": [30.0, 50.0],
            "classes": ["early", "middle", "late"],
            "mean": [[0.5, 0.4], [0.3, 0.3], [0.2, 0.3]],
        }
    ]
    section = text_of(build(result), "explanation")
    assert section.count("Series(name=") == 3
    assert "y=[0.2, 0.3]" in section


@pytest.mark.parametrize(
    ("change", "word", "tone"),
    [
        ({"calibration_slope": metric(1.0, 0.1)}, "its interval holds the ideal", "good"),
        ({"calibration_slope": metric(1.5, 0.2)}, "too timid", "watch"),
        ({"calibration_slope": metric(0.6, 0.2)}, "too extreme", "watch"),
        ({"auroc": metric(0.55, 0.1)}, "the value of a coin", "bad"),
        ({"auroc": {**metric(0.8, 0.0), "low": None, "high": None}}, "Calibration slope", "watch"),
    ],
)
def test_findings_follow_the_numbers(change: dict[str, Any], word: str, tone: str) -> None:
    result = example()
    result["metrics"] = {"held_out": {**BINARY, **change}}
    assert any(word in finding.text and finding.tone == tone for finding in findings(Result(result)))


def test_a_worse_error_is_not_praised() -> None:
    result = example("continuous")
    chosen = next(entry for entry in result["models"] if entry["selected"])
    chosen["difference_to_baseline"] = {"metric": "mae", "baseline": "logistic", **metric(0.4, 0.1)}
    finding = next(found for found in findings(Result(result)) if "baseline" in found.text)
    assert finding == Finding("Watch", "watch", finding.text)
    assert finding.text.endswith("it does worse.")


def test_decision_curve_says_where_the_model_helps() -> None:
    result = example()
    thresholds_at = [0.1, 0.2, 0.3, 0.4]
    result["curves"]["decision"] = {
        "thresholds": thresholds_at,
        "model": [0.2, 0.19, 0.1, -0.1],
        "model_low": [None] * 4,
        "model_high": [None] * 4,
        "treat_all": [0.25, 0.15, 0.02, -0.2],
        "treat_none": [0.0] * 4,
    }
    assert "From thresholds of 20% to 30%" in text_of(build(result), "decision")


def test_thresholds_say_whose_patients_chose_them() -> None:
    assert "chosen on patients other than" in text_of(build(example("binary", "held-out")), "thresholds")
    assert "judged here too" in text_of(build(example("binary", "optimism")), "thresholds")


def test_alerts_are_told_in_words() -> None:
    assert "of 100 patients 61.4 raise an alert, 31.5 rightly and 29.9 needlessly" in text_of(
        build(example()), "thresholds"
    )


def test_tripod_has_27_items_each_answered_or_missing() -> None:
    numbers = {int(re.match(r"\d+", item.code).group()) for item in ITEMS}  # type: ignore[union-attr]
    assert numbers == set(range(1, 28))
    assert len({item.code for item in ITEMS}) == len(ITEMS)
    anchors = {section.anchor for section in build(example()).sections}
    assert {item.section for item in ITEMS if item.section} <= anchors
    assert all(item.authors for item in ITEMS if not item.needs)
    assert all(item.where for item in ITEMS if item.needs)


def test_tripod_never_claims_what_the_run_does_not_hold() -> None:
    empty = checklist({})
    assert not [answer for answer in empty if answer.status in ("reported", "in part")]
    full = {answer.item.code: answer for answer in checklist(example("binary", "site"))}
    assert full["10"].status == "reported"
    assert full["17"].status == "missing"
    assert full["17"].text.startswith(UNKNOWN)
    assert full["23b"].status == "reported"
    assert full["24"].status == "not applicable"
    held_out = {answer.item.code: answer for answer in checklist(example("binary", "held-out"))}
    assert held_out["23b"].status == "not applicable"
    without = {answer.item.code: answer for answer in checklist(example() | {"sample_size": {"reason": "x"}})}
    assert without["10"].status == "missing"
    assert "10" in missing_items(example() | {"sample_size": None})


def test_external_validation_and_recalibration_have_reports() -> None:
    result = {
        "domain": "risk",
        "model": "forest",
        "task": "binary",
        "target": TARGETS["binary"],
        "validation": "external",
        "headline_split": "external",
        "metrics": {"external": BINARY},
        "splits": {"external": {"n_rows": 184, "n_patients": 184, "n_events": 61}},
        "curves": example()["curves"],
        "parent": {"name": "heart", "sha256": "ab"},
    }
    document = build(result)
    assert document.title.startswith("Evaluating a forest model")
    assert "see the report of the training" in text_of(document, "table-one")
    assert isinstance(document.sections[0].blocks[0], Note)
    again = build(result | {"validation": "recalibration", "headline_split": "external"})
    assert again.title.startswith("Recalibrating")


def test_model_card_is_one_page_that_names_its_limits() -> None:
    card = model_card(example("binary", "site"))
    assert card.startswith("# Model card: boosting for num &gt;0")
    assert "not a medical device" in card
    assert "0.871 (0.826 to 0.916)" in card
    assert "| Switzerland |" in card
    assert "17 ethics" in card
    assert len(card.splitlines()) < 110
    assert plain("a|b\n`c` https://x") == "a\\|b \\`c\\` https:&#47;&#47;x"


def test_selected_columns_are_shown_with_their_stability() -> None:
    result = example("binary", "held-out")
    result["models"][0]["notes"] = {
        "selection": {
            "method": "boruta",
            "columns": ["age"],
            "n_columns": 2,
            "frequency": {"age": 0.95, "chol": 0.2},
            "stability": 0.62,
            "n_resamples": 20,
        }
    }
    section = text_of(build(result), "explanation")
    assert "1 of 2 columns by boruta selection" in section
    assert "age (kept)" in section
    assert "chol (kept)" not in section
    assert "stability 0.62" in section
    del result["models"][0]["notes"]
    assert "Selected columns" not in text_of(build(result), "explanation")
