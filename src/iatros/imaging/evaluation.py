"""From answers to evidence: every number of a report about one target, and about several labels at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from iatros.core.conformal import ConformalInterval, ConformalSet, reached
from iatros.core.decision import threshold_table
from iatros.core.errors import OutcomeError
from iatros.core.evidence import calibration_change, curves
from iatros.core.intervals import Metric, proportion
from iatros.core.metrics import evaluate, macro_metrics, ordinal_metrics
from iatros.core.subgroups import subgroup_metrics
from iatros.core.task import Target
from iatros.imaging.operating import classes_in_turn, confusion, operating_points

Conformal = ConformalSet | ConformalInterval | tuple[np.ndarray, np.ndarray] | None
"""A rule; or, where parts of a validation have rules of their own, for each row whether its set or interval held
the truth (n,) and how large it was (n,)."""

_FEWEST_IN_SUBGROUP = 20
_MOST_CURVES = 12
"""Classes up to which each has a calibration curve of its own."""


def evidence(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    groups: np.ndarray,
    *,
    uncalibrated: np.ndarray,
    cuts: Mapping[str, np.ndarray | float],
    subgroups: Mapping[str, np.ndarray],
    conformal: Conformal,
    confidence_level: float,
    coverage: float,
    seed: int,
    ordered: bool = False,
) -> dict[str, Any]:
    """Everything that is told of one target on judged images that neither network nor calibrator has seen.

    `y` and `prediction` (calibrated) are as in `Target`, `uncalibrated` is what the network itself said, `groups`
    (n,) the patients. `y` may be NaN for images whose truth is not known: they are left out. `cuts` are thresholds by
    name, chosen on other patients: one number, or (n,) where parts of a validation chose their own. `coverage` is
    what the conformal answers promise. `ordered`: the classes are grades from low to high.

    Gives `metrics` (as `core.metrics.evaluate`; for grades with `quadratic_kappa` and `within_one_grade`),
    `operating_points` (accuracy and what goes with it, at stated points), `curves`, `thresholds`, `subgroups`,
    `calibration` (`before`, `after`), `conformal` (with `by_class`), and for classes `classes` and `confusion`.
    Raises OutcomeError where no truth is known.
    """
    n, known = len(y), np.flatnonzero(np.isfinite(np.asarray(y, dtype=float)))
    if not len(known):
        raise OutcomeError(f"no image has a known {target.name}", hint="label at least one")
    y = np.asarray(y)[known]
    y = y.astype(float) if target.task == "continuous" else y.astype(np.int64)
    prediction, uncalibrated, groups = prediction[known], uncalibrated[known], np.asarray(groups)[known]
    chosen = {name: np.broadcast_to(np.asarray(cut, dtype=float), (n,))[known] for name, cut in cuts.items()}
    found = evaluate(target, y, prediction, groups=groups, confidence_level=confidence_level, seed=seed)
    if ordered:
        found |= ordinal_metrics(
            y, prediction.argmax(axis=1), groups=groups, confidence_level=confidence_level, seed=seed
        )
    answer: dict[str, Any] = {
        "metrics": documents(found),
        "operating_points": operating_points(
            target, y, prediction, uncalibrated, chosen, groups=groups, confidence_level=confidence_level
        ),
        "curves": curves(target, y, prediction, groups, seed),
        "thresholds": _thresholds(target, y, prediction, chosen, groups, confidence_level),
        "subgroups": subgroup_metrics(
            target,
            y,
            prediction,
            {name: np.asarray(labels, dtype=object)[known] for name, labels in subgroups.items()},
            groups=groups,
            min_size=_FEWEST_IN_SUBGROUP,
            confidence_level=confidence_level,
            seed=seed,
        ),
        "calibration": calibration_change(
            target, y, uncalibrated, prediction, groups=groups, confidence_level=confidence_level, seed=seed
        ),
        "conformal": _conformal(
            target, y, prediction, groups, _rows(conformal, known), coverage, confidence_level
        ),
    }
    if target.task == "multiclass":
        answer["curves"]["calibration"] = _calibration_by_class(target, y, prediction, groups, seed)
        answer["classes"] = classes_in_turn(
            target, y, prediction, groups=groups, confidence_level=confidence_level, seed=seed
        )
        answer["confusion"] = confusion(target, y, prediction)
    return answer


def evidence_of_labels(
    targets: Sequence[Target],
    y: Sequence[np.ndarray],
    prediction: Sequence[np.ndarray],
    groups: np.ndarray,
    *,
    uncalibrated: Sequence[np.ndarray],
    cuts: Sequence[Mapping[str, np.ndarray | float]],
    subgroups: Mapping[str, np.ndarray],
    conformal: Sequence[Conformal],
    confidence_level: float,
    coverage: float,
    seed: int,
) -> dict[str, Any]:
    """`evidence` of each label of a multi-label task, and the means over labels.

    Every sequence has one entry per label. Gives `labels` (the evidence by name), `metrics` (macro means with
    intervals over joint resamples), and, gathered under the names of the labels, `curves`, `thresholds`,
    `operating_points`, `calibration` and `conformal`; `subgroups` holds the macro AUROC within each group.
    """
    labels = {
        target.name: evidence(
            target,
            y[k],
            prediction[k],
            groups,
            uncalibrated=uncalibrated[k],
            cuts=cuts[k],
            subgroups=subgroups,
            conformal=conformal[k],
            confidence_level=confidence_level,
            coverage=coverage,
            seed=seed,
        )
        for k, target in enumerate(targets)
    }

    def means(
        truth: Sequence[np.ndarray], said: Sequence[np.ndarray], patients: np.ndarray
    ) -> dict[str, Any]:
        return documents(
            macro_metrics(truth, said, groups=patients, confidence_level=confidence_level, seed=seed)
        )

    return {
        "labels": labels,
        "metrics": means(y, prediction, groups),
        "curves": {
            kind: {name: part["curves"][kind] for name, part in labels.items() if kind in part["curves"]}
            for kind in ("roc", "pr", "calibration")
        },
        "thresholds": [
            {**row, "name": f"{name}: {row['name']}"}
            for name, part in labels.items()
            for row in part["thresholds"]
        ],
        "operating_points": [
            {**row, "name": f"{name}: {row['name']}"}
            for name, part in labels.items()
            for row in part["operating_points"]
        ],
        "calibration": {"before": means(y, uncalibrated, groups), "after": means(y, prediction, groups)},
        "conformal": _conformal_of_labels(labels, coverage),
        "subgroups": _macro_subgroups(y, prediction, groups, subgroups, means),
    }


def _calibration_by_class(
    target: Target, y: np.ndarray, prediction: np.ndarray, groups: np.ndarray, seed: int
) -> dict[str, Any]:
    """The calibration curve of each class against all others, for the classes that occur and are not too many."""
    if len(target.classes) > _MOST_CURVES:
        return {}
    return {
        name: curves(
            Target(name, "binary", ("other", name)), (y == k).astype(int), prediction[:, k], groups, seed
        )["calibration"]
        for k, name in enumerate(target.classes)
        if (y == k).any()
    }


def documents(metrics: Mapping[str, Metric]) -> dict[str, Any]:
    """Metrics as plain values for JSON."""
    return {name: metric.document() for name, metric in metrics.items()}


def _rows(conformal: Conformal, known: np.ndarray) -> Conformal:
    if isinstance(conformal, tuple):
        return conformal[0][known], conformal[1][known]
    return conformal


def _thresholds(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    cuts: Mapping[str, np.ndarray],
    groups: np.ndarray,
    confidence_level: float,
) -> list[dict[str, Any]]:
    """What each threshold does; where parts chose their own, probabilities are moved so that every decision stays."""
    if target.task != "binary":
        return []
    table = []
    for name, cut in cuts.items():
        mean = float(cut.mean())
        row = [{"name": name, "threshold": mean}]
        table += threshold_table(
            y, prediction - cut + mean, row, groups=groups, confidence_level=confidence_level
        )
    return table


def _conformal(
    target: Target,
    y: np.ndarray,
    prediction: np.ndarray,
    groups: np.ndarray,
    conformal: Conformal,
    promised: float,
    confidence_level: float,
) -> dict[str, Any] | None:
    """Coverage reached, in all and within each class, and how many classes the sets name."""
    if conformal is None:
        return None
    covered, extent = conformal if isinstance(conformal, tuple) else _asked(conformal, y, prediction)
    covered = np.asarray(covered, dtype=float) == 1
    document = reached(target, promised, covered, extent, groups)
    if target.task == "continuous":
        return document

    def share(hits: np.ndarray, rows: np.ndarray | slice) -> dict[str, Any]:
        return proportion(hits[rows], groups=groups[rows], confidence_level=confidence_level).document()

    everyone = slice(None)
    document["sets_of_one_class"] = share(extent == 1, everyone)
    document["empty_sets"] = share(extent == 0, everyone)
    document["by_class"] = {name: share(covered, y == k) for k, name in enumerate(target.classes)}
    return document


def _asked(
    rule: ConformalSet | ConformalInterval, y: np.ndarray, prediction: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(rule, ConformalSet):
        sets = rule.sets(prediction)
        return sets[np.arange(len(y)), y.astype(int)], sets.sum(axis=1).astype(float)
    low, high = rule.apply(prediction)
    return (low <= y) & (y <= high), high - low


def _conformal_of_labels(labels: Mapping[str, Any], promised: float) -> dict[str, Any] | None:
    """Coverage within each class of each label; a promise for every label at once was not made."""
    by_class = {
        f"{name}: {one}": share
        for name, part in labels.items()
        for one, share in ((part["conformal"] or {}).get("by_class") or {}).items()
    }
    if not by_class:
        return None
    return {"kind": "prediction set", "confidence_level": promised, "by_class": by_class}


def _macro_subgroups(
    y: Sequence[np.ndarray],
    prediction: Sequence[np.ndarray],
    groups: np.ndarray,
    subgroups: Mapping[str, np.ndarray],
    means: Any,
) -> dict[str, Any]:
    """Macro means within each group of patients; groups too small to show are suppressed."""
    answer: dict[str, Any] = {}
    for name, labels in subgroups.items():
        clean = np.array(
            ["missing" if one is None or one == "" else str(one) for one in labels], dtype=object
        )
        levels: dict[str, Any] = {}
        for level in sorted(set(clean)):
            rows = clean == level
            if len(np.unique(groups[rows])) < _FEWEST_IN_SUBGROUP:
                levels[level] = {"n": None, "n_events": None, "metrics": {}, "suppressed": True}
                continue
            found = means([one[rows] for one in y], [one[rows] for one in prediction], groups[rows])
            levels[level] = {"n": int(rows.sum()), "n_events": None, "metrics": found}
        answer[name] = {"levels": levels, "gap": {}}
    return answer
