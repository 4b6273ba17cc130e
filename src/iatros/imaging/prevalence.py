"""How common the finding is on each side or at each site, and what a difference does to PPV, NPV and accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import chi2, t, ttest_ind

from iatros.core.errors import InputError
from iatros.core.intervals import (
    NAN,
    Metric,
    effective_rows,
    finite,
    group_codes,
    normal_quantile,
    proportion,
)
from iatros.core.task import Target

Parts = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Truth (n,) and patients (n,) of each side or site; no image in two of them."""


def prevalence(
    target: Target, parts: Parts, *, reference: str, confidence_level: float = 0.95
) -> dict[str, Any]:
    """How common each class is (or how large the quantity) in each part, and how far the parts differ.

    NaN in a truth is left out. Gives `reference`, `levels` (per part `n`, `n_patients`, and `share` of the event,
    `shares` by class, or `mean`), `differences` (per other part, less the reference: Newcombe's interval from
    Wilson's, `p_value`; for two classes `log_odds_shift`, what the odds of every patient would have to be moved by
    if nothing but the prevalence differed), and `test` of all parts at once. Where patients repeat, counts enter as
    their effective numbers. Raises InputError where the reference is not among the parts.
    """
    if reference not in parts:
        raise InputError(f"no side is called {reference}; there are {', '.join(parts)}")
    known = {name: _known(y, groups) for name, (y, groups) in parts.items()}
    known = {name: part for name, part in known.items() if len(part[0])}
    describe = {"binary": _binary_level, "multiclass": _classes_level, "continuous": _mean_level}[target.task]
    levels = {name: describe(target, *part, confidence_level) for name, part in known.items()}
    others = [name for name in known if name != reference and reference in known]
    compare = _difference_of_means if target.task == "continuous" else _difference_of_shares
    return {
        "task": target.task,
        "reference": reference,
        "levels": levels,
        "differences": {
            name: compare(target, known[name], known[reference], confidence_level) for name in others
        },
        "test": _homogeneity(target, known) if target.task != "continuous" else None,
    }


def prevalence_of(
    targets: Sequence[Target],
    y: Sequence[np.ndarray],
    groups: np.ndarray,
    parts: Mapping[str, np.ndarray],
    *,
    reference: str,
    confidence_level: float = 0.95,
) -> dict[str, Any]:
    """`prevalence` of the rows named in `parts`; of several labels, one for each under `by_label`.

    `y` holds one truth (n,) per target, `groups` (n,) the patients; no row stands in two of the parts.
    """
    found = {
        target.name: prevalence(
            target,
            {name: (np.asarray(truth)[rows], groups[rows]) for name, rows in parts.items()},
            reference=reference,
            confidence_level=confidence_level,
        )
        for target, truth in zip(targets, y, strict=True)
    }
    return found[targets[0].name] if len(targets) == 1 else {"reference": reference, "by_label": found}


def consequences(
    levels: Mapping[str, Any],
    sensitivity: Mapping[str, Any],
    specificity: Mapping[str, Any],
    *,
    threshold: float,
    confidence_level: float = 0.95,
) -> dict[str, Any]:
    """PPV, NPV and accuracy that a threshold's sensitivity and specificity give at the prevalence of each part.

    `levels` are those of `prevalence` for two classes; `sensitivity` and `specificity` metric documents of the judged
    images at `threshold`. Both are taken to stay the same wherever the finding is rarer or more common, which holds
    if the cases themselves do not change. Intervals by the delta method from the three intervals (PPV and NPV on the
    log scale of their odds).
    """
    z = normal_quantile(confidence_level)
    answer = {
        name: _at_prevalence(level["share"], sensitivity, specificity, z)
        for name, level in levels.items()
        if isinstance(level.get("share"), Mapping)
    }
    return {
        "threshold": threshold,
        "sensitivity": dict(sensitivity),
        "specificity": dict(specificity),
        "parts": answer,
    }


def _known(y: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.isfinite(np.asarray(y, dtype=float))
    return np.asarray(y, dtype=float)[rows], np.asarray(groups)[rows]


def _binary_level(
    target: Target, y: np.ndarray, groups: np.ndarray, confidence_level: float
) -> dict[str, Any]:
    share = proportion(y == 1, groups=groups, confidence_level=confidence_level, n_events=int(y.sum()))
    return {**_sizes(y, groups), "n_events": int(y.sum()), "share": share.document()}


def _classes_level(
    target: Target, y: np.ndarray, groups: np.ndarray, confidence_level: float
) -> dict[str, Any]:
    shares = {
        name: proportion(y == k, groups=groups, confidence_level=confidence_level).document()
        for k, name in enumerate(target.classes)
    }
    return {**_sizes(y, groups), "shares": shares}


def _mean_level(target: Target, y: np.ndarray, groups: np.ndarray, confidence_level: float) -> dict[str, Any]:
    means = _means_of_patients(y, groups)
    half = NAN
    if len(means) > 1:
        half = float(
            t.ppf(0.5 + confidence_level / 2, len(means) - 1) * means.std(ddof=1) / math.sqrt(len(means))
        )
    value = float(means.mean())
    metric = Metric(
        value, value - half, value + half, len(y), None, f"Student's t over {len(means)} patients"
    )
    return {
        **_sizes(y, groups),
        "mean": metric.document(),
        "sd": finite(float(y.std(ddof=1))) if len(y) > 1 else None,
    }


def _sizes(y: np.ndarray, groups: np.ndarray) -> dict[str, int]:
    return {"n": len(y), "n_patients": group_codes(groups, len(y))[1]}


def _means_of_patients(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    codes, n_groups = group_codes(groups, len(y))
    means: np.ndarray = np.bincount(codes, weights=y, minlength=n_groups) / np.bincount(
        codes, minlength=n_groups
    )
    return means


def _difference_of_shares(
    target: Target,
    part: tuple[np.ndarray, np.ndarray],
    reference: tuple[np.ndarray, np.ndarray],
    confidence_level: float,
) -> dict[str, Any]:
    """Of the event, or by class; each less the reference's."""
    test = _chi_square(target, [part, reference])
    if target.task == "binary":
        found = _newcombe(part, reference, 1, confidence_level)
        return {
            **found.document(),
            **test,
            "log_odds_shift": _log_odds_shift(part, reference, confidence_level),
        }
    by_class = {
        name: _newcombe(part, reference, k, confidence_level).document()
        for k, name in enumerate(target.classes)
    }
    return {"by_class": by_class, **test}


def _newcombe(
    part: tuple[np.ndarray, np.ndarray],
    reference: tuple[np.ndarray, np.ndarray],
    label: int,
    confidence_level: float,
) -> Metric:
    """Difference of two shares with Newcombe's hybrid score interval (1998, method 10)."""
    one, two = (
        proportion(y == label, groups=groups, confidence_level=confidence_level)
        for y, groups in (part, reference)
    )
    below = math.hypot(one.value - one.low, two.high - two.value)
    above = math.hypot(one.high - one.value, two.value - two.low)
    value = one.value - two.value
    return Metric(value, value - below, value + above, one.n, None, "Newcombe")


def _log_odds_shift(
    part: tuple[np.ndarray, np.ndarray], reference: tuple[np.ndarray, np.ndarray], confidence_level: float
) -> dict[str, Any]:
    """Difference of the log-odds of the event, Woolf's interval; half a case is added where a part has one class."""
    value, variance = 0.0, 0.0
    for sign, (y, groups) in ((1, part), (-1, reference)):
        events, others = _effective_counts(y, groups, (1, 0))
        if min(events, others) == 0:
            events, others = events + 0.5, others + 0.5
        value += sign * math.log(events / others)
        variance += 1 / events + 1 / others
    half = normal_quantile(confidence_level) * math.sqrt(variance)
    return Metric(value, value - half, value + half, len(part[0]), None, "Woolf").document()


def _effective_counts(y: np.ndarray, groups: np.ndarray, labels: tuple[int, ...]) -> list[float]:
    """How many independent images of each class the part amounts to (Rao and Scott's first correction)."""
    codes, n_groups = group_codes(groups, len(y))
    shares = np.array([np.mean(y == label) for label in labels])
    if n_groups == len(y):
        return [float(share * len(y)) for share in shares]
    spread = shares * (1 - shares)
    variances = [
        one / effective_rows(y == label, codes, n_groups) for one, label in zip(spread, labels, strict=True)
    ]
    n = float(spread.sum() / sum(variances)) if sum(variances) > 0 else float(n_groups)
    return [float(share * n) for share in shares]


def _homogeneity(target: Target, known: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any] | None:
    return _chi_square(target, list(known.values())) if len(known) > 1 else None


def _chi_square(target: Target, parts: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Pearson's test that the classes are as common in every part, on effective counts."""
    labels = tuple(range(max(2, len(target.classes))))
    counts = np.array([_effective_counts(y, groups, labels) for y, groups in parts])
    counts = counts[:, counts.sum(axis=0) > 0]
    repeats = any(len(np.unique(groups)) < len(groups) for _, groups in parts)
    label = "chi-square" + (" on effective counts over patients" if repeats else "")
    degrees = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    if degrees < 1:
        return {"statistic": None, "degrees": degrees, "p_value": None, "test": f"{label}: one class"}
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return {
        "statistic": statistic,
        "degrees": degrees,
        "p_value": float(chi2.sf(statistic, degrees)),
        "test": label,
    }


def _difference_of_means(
    target: Target,
    part: tuple[np.ndarray, np.ndarray],
    reference: tuple[np.ndarray, np.ndarray],
    confidence_level: float,
) -> dict[str, Any]:
    """Welch's difference of the means over patients."""
    one, two = _means_of_patients(*part), _means_of_patients(*reference)
    value = float(one.mean() - two.mean())
    if min(len(one), len(two)) < 2:
        return {
            **Metric(value, NAN, NAN, len(part[0]), None, "not defined: one patient").document(),
            "p_value": None,
        }
    found = ttest_ind(one, two, equal_var=False)
    low, high = found.confidence_interval(confidence_level)
    metric = Metric(value, float(low), float(high), len(part[0]), None, "Welch over patients")
    return {**metric.document(), "p_value": finite(float(found.pvalue)), "test": "Welch's t over patients"}


def _at_prevalence(
    share: Mapping[str, Any], sensitivity: Mapping[str, Any], specificity: Mapping[str, Any], z: float
) -> dict[str, Any]:
    p, se, sp = (float(part["value"]) for part in (share, sensitivity, specificity))
    n = int(sensitivity["n"]) + int(specificity["n"])
    spread = [
        (float(part["high"]) - float(part["low"])) / (2 * z) for part in (share, sensitivity, specificity)
    ]
    accuracy = se * p + sp * (1 - p)
    error = math.sqrt(((se - sp) * spread[0]) ** 2 + (p * spread[1]) ** 2 + ((1 - p) * spread[2]) ** 2)
    low, high = max(0.0, accuracy - z * error), min(1.0, accuracy + z * error)
    said = "delta method from the intervals of sensitivity, specificity and prevalence"
    return {
        "prevalence": dict(share),
        "accuracy": Metric(accuracy, low, high, n, None, said).document(),
        "ppv": _predictive(p, se, 1 - sp, spread, z, n, said).document(),
        "npv": _predictive(1 - p, sp, 1 - se, [spread[0], spread[2], spread[1]], z, n, said).document(),
    }


def _predictive(
    p: float, hit: float, miss: float, spread: list[float], z: float, n: int, said: str
) -> Metric:
    """Predictive value from the odds p / (1 - p) times the likelihood ratio hit / miss, even on the log scale."""
    if not 0 < p < 1 or hit + miss <= 0:
        return Metric(NAN, NAN, NAN, n, None, "not defined: one class, or no such answer")
    value = p * hit / (p * hit + (1 - p) * miss)
    if not (hit > 0 and miss > 0):
        return Metric(value, NAN, NAN, n, None, "no interval: a rate of 0")
    error = math.sqrt((spread[0] / (p * (1 - p))) ** 2 + (spread[1] / hit) ** 2 + (spread[2] / miss) ** 2)
    centre = math.log(value / (1 - value))
    low, high = (1 / (1 + math.exp(-(centre + side * z * error))) for side in (-1, 1))
    return Metric(value, low, high, n, None, said)
