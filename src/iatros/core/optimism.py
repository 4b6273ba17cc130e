"""How much better a model looks on its own training patients than on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.core.intervals import finite
from iatros.core.metrics.evaluate import checked, point_metrics
from iatros.core.task import Target


def harrell(
    apparent: Mapping[str, float],
    boot_apparent: Sequence[Mapping[str, float]],
    boot_original: Sequence[Mapping[str, float]],
    *,
    confidence_level: float = 0.95,
) -> dict[str, dict[str, Any]]:
    """Optimism-corrected metrics by name (Harrell, Lee and Mark 1996).

    Each resample's model is scored on its own resample (`boot_apparent`) and on the original patients
    (`boot_original`); the mean difference is the optimism, taken off the `apparent` value. The interval is
    the bootstrap distribution of the apparent value, moved so that its mean is the corrected value
    (location shift, Noma et al. 2021). Not for models that memorise their training patients: the optimism is
    then underestimated; see `point_632_plus`.
    """
    if len(boot_apparent) != len(boot_original) or not boot_apparent:
        raise InputError(
            f"one pair of scores per resample: got {len(boot_apparent)} and {len(boot_original)}"
        )
    answer = {}
    for name, value in apparent.items():
        own = np.array([_number(score.get(name)) for score in boot_apparent])
        other = np.array([_number(score.get(name)) for score in boot_original])
        known = np.isfinite(own) & np.isfinite(other)
        optimism = float(np.mean(own[known] - other[known])) if known.any() else float("nan")
        corrected = _number(value) - optimism
        low, high = _shifted(own[known], corrected, confidence_level)
        answer[name] = {
            "apparent": finite(_number(value)),
            "optimism": finite(optimism),
            "corrected": finite(corrected),
            "low": low,
            "high": high,
            "n_resamples": int(known.sum()),
            "interval": f"location-shifted bootstrap over {int(known.sum())} resamples",
        }
    return answer


def point_632_plus(
    apparent: float,
    out_of_bag: float | Sequence[float],
    no_information: float,
    *,
    confidence_level: float = 0.95,
) -> dict[str, Any]:
    """The .632+ estimate of one metric (Efron and Tibshirani 1997), for metrics of either direction.

    `out_of_bag` is the mean score on patients left out of resamples, or the scores of the resamples, whose
    spread then gives `low` and `high`. `no_information` is the score where predictions and outcomes have
    nothing to do with each other (see `no_information`); for AUROC 0.5. A model that memorises gets the
    weight of its out-of-bag score towards 1.
    """
    scores = np.atleast_1d(np.asarray(out_of_bag, dtype=float))
    scores = scores[np.isfinite(scores)]
    outside = float(scores.mean()) if len(scores) else float("nan")
    worst, best = sorted((apparent, no_information))
    bounded = min(max(outside, worst), best)
    span = no_information - apparent
    relative = (bounded - apparent) / span if span != 0 else 0.0
    weight = 0.632 / (1 - 0.368 * relative)
    corrected = (1 - weight) * apparent + weight * bounded
    low, high = _shifted(scores, corrected, confidence_level)
    return {
        "apparent": finite(apparent),
        "out_of_bag": finite(outside),
        "no_information": finite(no_information),
        "relative_overfitting": finite(relative),
        "weight": finite(weight),
        "corrected": finite(corrected),
        "optimism": finite(apparent - corrected),
        "low": low,
        "high": high,
        "n_resamples": len(scores),
        "interval": f"spread of the out-of-bag score over {len(scores)} resamples",
    }


def no_information(
    target: Target, y: np.ndarray, prediction: np.ndarray, *, threshold: float = 0.5, seed: int = 0
) -> dict[str, float]:
    """Each metric where every prediction meets every outcome, as if the two were independent.

    Exact where a metric is a mean over rows or does not depend on the pairing (AUROC 0.5, slope 0, r2 from
    the mean square); else the mean over 20 permutations of the outcomes.
    """
    y, prediction = checked(target, y, prediction)
    rng = np.random.default_rng(seed)
    drawn = [point_metrics(target, rng.permutation(y), prediction, threshold=threshold) for _ in range(20)]
    answer = {}
    for name in drawn[0]:
        values = np.array([scores[name] for scores in drawn])
        answer[name] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    return answer | _exact_without_information(target, y, prediction)


def _exact_without_information(target: Target, y: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    if target.task == "binary":
        prevalence = float(y.mean())
        tiny = np.finfo(float).eps
        p = np.clip(prediction, tiny, 1 - tiny)
        brier = prevalence * np.mean((1 - p) ** 2) + (1 - prevalence) * np.mean(p**2)
        log_loss = -(prevalence * np.mean(np.log(p)) + (1 - prevalence) * np.mean(np.log1p(-p)))
        return {
            "auroc": 0.5,
            "brier": float(brier),
            "log_loss": float(log_loss),
            "mcc": 0.0,
            "calibration_slope": 0.0,
        }
    if target.task == "multiclass":
        return {"auroc": 0.5}
    square = float(np.var(y) + np.var(prediction) + (y.mean() - prediction.mean()) ** 2)
    known = {"rmse": square**0.5, "spearman": 0.0, "pearson": 0.0, "calibration_slope": 0.0}
    return known | ({"r2": 1 - square / float(np.var(y))} if np.var(y) > 0 else {})


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _shifted(values: np.ndarray, centre: float, confidence_level: float) -> tuple[float | None, float | None]:
    if len(values) < 2:
        return None, None
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(values, [tail, 1 - tail]) - values.mean() + centre
    return finite(low), finite(high)
