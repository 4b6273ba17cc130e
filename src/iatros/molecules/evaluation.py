"""How good predictions of activities are: every endpoint by itself, their mean, and one model less another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from iatros.core.intervals import NAN, Metric, group_codes, group_weights, percentile_interval
from iatros.core.metrics.bootstrap import bootstrap_interval
from iatros.core.metrics.evaluate import MAX_POINTS, metric_function
from iatros.core.metrics.ranking import Concordance, EarlyRecognition
from iatros.core.task import Target
from iatros.molecules.assay import Assay

NAMES: dict[str, tuple[str, ...]] = {
    "binary": (
        "auroc", "auprc", "enrichment_factor", "bedroc", "brier", "log_loss", "calibration_slope",
        "calibration_intercept", "balanced_accuracy", "mcc",
    ),
    "continuous": (
        "rmse", "mae", "r2", "pearson", "spearman", "concordance_index", "bias", "calibration_slope",
        "calibration_intercept", "auroc", "enrichment_factor", "bedroc",
    ),
}  # fmt: skip
"""The metrics of each task; the first decides between models. Of numbers, the last three tell active compounds."""
RELATIVE = "relative_rmse"
"""RMSE over the spread of the measured values: what can be averaged over endpoints in different units."""
N_BOOTSTRAP = 500
_IN_UNIT = frozenset({"rmse", "mae", "bias", "calibration_intercept"})

Function = Callable[[np.ndarray], dict[str, np.ndarray]]


def primary(endpoints: tuple[Target, ...]) -> str:
    """The metric that models are compared by: AUROC, RMSE, or of several endpoints of numbers the relative RMSE."""
    if endpoints[0].task == "continuous" and len(endpoints) > 1:
        return RELATIVE
    return NAMES[endpoints[0].task][0]


def score(assay: Assay, prediction: np.ndarray) -> float:
    """What decides between models, higher is better: mean AUROC, or minus the mean relative RMSE, over endpoints.

    Only exact values count. An endpoint that cannot be judged (one class, no variation) is left out; where that
    leaves none, the score is that of a guess.
    """
    found = []
    for column, target in enumerate(assay.endpoints):
        rows = exact_rows(assay, column)
        y, p = assay.y[rows, column], prediction[rows, column]
        if len(np.unique(y)) < 2:
            continue
        if target.task == "continuous":
            found.append(-float(np.sqrt(np.mean((y - p) ** 2)) / y.std()))
        else:
            found.append(float(metric_function(target, y.astype(int), p)(np.ones((1, len(y))))["auroc"][0]))
    if not found:
        return -1.0 if assay.task == "continuous" else 0.5
    return float(np.mean(found))


def exact_rows(assay: Assay, column: int) -> np.ndarray:
    """The compounds with a value, not only a bound, of an endpoint."""
    return np.flatnonzero(assay.measured[:, column] & (assay.bound[:, column] == 0))


@dataclass(frozen=True)
class Part:
    """The metrics of one endpoint, and the same in each resample."""

    values: dict[str, float]
    replicates: dict[str, np.ndarray]
    n: int
    n_events: int | None
    n_smaller: int
    """Groups in the rarer class, or of all."""


Judgement = tuple[Part | None, ...]
"""One part for each endpoint."""


@dataclass(frozen=True)
class Evaluator:
    """Metrics of predictions (n, k) for one assay, all in the same resamples of whole groups.

    `noun` is what a group is called in the words of an interval: scaffolds, clusters or compounds. Where values are
    predicted, `active_from` is the value from which a compound counts as active: then AUROC, enrichment and BEDROC of
    the predicted values are told as well.
    """

    assay: Assay
    confidence_level: float
    seed: int
    noun: str = "scaffolds"
    active_from: float | None = None

    def judge(self, prediction: np.ndarray) -> Judgement:
        """Every metric of `prediction` (n, k), by endpoint; None for one that cannot be judged."""
        return tuple(self._part(column, prediction[:, column]) for column in range(len(self.assay.endpoints)))

    def by_endpoint(self, judged: Judgement) -> dict[str, dict[str, Metric]]:
        """Every metric with its interval, by the names of the endpoints that can be judged.

        Values known only as bounds enter the concordance index alone: a pair counts where one is known to be greater.
        """
        return {
            target.name: self._intervals(part.values, part.replicates, part)
            for target, part in zip(self.assay.endpoints, judged, strict=True)
            if part is not None
        }

    def overall(self, judged: Judgement) -> dict[str, Metric]:
        """The metrics of the one endpoint, or their unweighted means over endpoints, jointly resampled.

        Of endpoints in different units, errors are not averaged; their relative RMSE is.
        """
        parts, k = [part for part in judged if part is not None], len(judged)
        if not parts:
            return {primary(self.assay.endpoints): self._undefined()}
        if k == 1:
            return self._intervals(parts[0].values, parts[0].replicates, parts[0])
        values, replicates = self._means(parts)
        said = f"; mean of {len(parts)}" + (f" of {k}" if len(parts) < k else "")
        return self._intervals(values, replicates, None, said=f"{said} endpoints")

    def difference(self, ours: Judgement, theirs: Judgement) -> Metric:
        """The primary metric of `ours` less that of `theirs`, with an interval over the same resamples."""
        name = primary(self.assay.endpoints)
        pair = [[part for part in judged if part is not None] for judged in (ours, theirs)]
        if not all(pair):
            return self._undefined()
        (value, drawn), (other, others) = (self._means(parts) for parts in pair)
        low, high, label = percentile_interval(
            drawn[name] - others[name], self.confidence_level, label=f"paired {self._label}"
        )
        return Metric(value[name] - other[name], low, high, len(self.assay), None, label)

    def _part(self, column: int, prediction: np.ndarray) -> Part | None:
        """One endpoint; None where it cannot be judged: no two exact values that differ."""
        rows = exact_rows(self.assay, column)
        y = self.assay.y[rows, column]
        if len(np.unique(y)) < 2:
            return None
        target = self.assay.endpoints[column]
        point, drawn = (
            _functions(self.assay, column, rows, prediction, max_points=limit, active_from=self.active_from)
            for limit in (None, MAX_POINTS)
        )
        values = {name: float(found[0]) for name, found in point(np.ones((1, len(self.assay)))).items()}
        blocks = [drawn(weights) for weights in self._weights]
        replicates = {name: np.concatenate([block[name] for block in blocks]) for name in values}
        groups = self.assay.groups[rows]
        if target.task == "continuous":
            return Part(values, replicates, len(rows), None, len(np.unique(groups)))
        fewest = min(len(np.unique(groups[y == label])) for label in (0, 1))
        return Part(values, replicates, len(rows), int(y.sum()), fewest)

    @cached_property
    def _weights(self) -> list[np.ndarray]:
        return list(group_weights(self.assay.groups, N_BOOTSTRAP, self.seed))

    @cached_property
    def _label(self) -> str:
        return f"bootstrap over {group_codes(self.assay.groups, len(self.assay))[1]} {self.noun}"

    def _means(self, parts: list[Part]) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        if len(self.assay.endpoints) == 1:
            return parts[0].values, parts[0].replicates
        names = [name for name in parts[0].values if name not in _IN_UNIT or _one_unit(self.assay.endpoints)]
        values = {name: float(np.mean([part.values[name] for part in parts])) for name in names}
        replicates = {name: np.mean([part.replicates[name] for part in parts], axis=0) for name in names}
        return values, replicates

    def _intervals(
        self,
        values: dict[str, float],
        replicates: dict[str, np.ndarray],
        part: Part | None,
        *,
        said: str = "",
    ) -> dict[str, Metric]:
        n = len(self.assay) if part is None else part.n
        n_events = None if part is None else part.n_events
        fewest = group_codes(self.assay.groups, len(self.assay))[1] if part is None else part.n_smaller
        answer = {}
        for name in (*NAMES[self.assay.task], RELATIVE):
            if name not in values or (name == RELATIVE and len(self.assay.endpoints) == 1):
                continue
            if not np.isfinite(values[name]):
                answer[name] = Metric(NAN, NAN, NAN, n, n_events, "not defined: no variation")
                continue
            low, high, label = bootstrap_interval(
                name, values[name], replicates,
                groups=self.assay.groups, n=len(self.assay), n_smaller=fewest,
                confidence_level=self.confidence_level, label=self._label,
            )  # fmt: skip
            # An interval even on the metric's own scale can reach below what a factor can be.
            low = max(low, 0.0) if name == "enrichment_factor" else low
            label = label.replace("one patient", f"one of the {self.noun}")
            answer[name] = Metric(values[name], low, high, n, n_events, label + said)
        return answer

    def _undefined(self) -> Metric:
        return Metric(NAN, NAN, NAN, len(self.assay), None, "not defined: one class, or no variation")


def _functions(
    assay: Assay,
    column: int,
    rows: np.ndarray,
    prediction: np.ndarray,
    *,
    max_points: int | None,
    active_from: float | None,
) -> Function:
    """The metrics of one endpoint as a function of weights (b, n) of all compounds."""
    target = assay.endpoints[column]
    y = assay.y[rows, column]
    if target.task == "binary":
        labels = y.astype(int)
        judged = metric_function(target, labels, prediction[rows], max_points=max_points)
        early = EarlyRecognition(labels, prediction[rows])

        def of_classes(weights: np.ndarray) -> dict[str, np.ndarray]:
            return _named(target, {**judged(weights[:, rows]), **early(weights[:, rows])})

        return _where_drawn(of_classes, rows)
    judged = metric_function(target, y, prediction[rows])
    known = np.flatnonzero(assay.measured[:, column])
    concordance = Concordance(assay.y[known, column], prediction[known], assay.bound[known, column])
    active = _of_actives(y, prediction[rows], active_from)

    def of_numbers(weights: np.ndarray) -> dict[str, np.ndarray]:
        found = {**judged(weights[:, rows]), "concordance_index": concordance(weights[:, known])}
        with np.errstate(invalid="ignore"):
            relative = np.sqrt(np.maximum(1.0 - found["r2"], 0.0))
        return _named(target, {**found, RELATIVE: relative, **active(weights[:, rows])})

    return _where_drawn(of_numbers, rows)


def _of_actives(y: np.ndarray, prediction: np.ndarray, active_from: float | None) -> Function:
    """How predicted values (n,) tell compounds of at least `active_from` from others; nothing where it is None."""
    if active_from is None:
        return lambda _: {}
    labels = (y >= active_from).astype(int)
    if len(np.unique(labels)) < 2:
        return lambda weights: {
            name: np.full(len(weights), NAN) for name in ("auroc", "enrichment_factor", "bedroc")
        }
    # the concordance of two classes is the area under the ROC curve
    ranked, early = Concordance(labels.astype(float), prediction), EarlyRecognition(labels, prediction)
    return lambda weights: {"auroc": ranked(weights), **early(weights)}


def _where_drawn(function: Function, rows: np.ndarray) -> Function:
    """`function`, with nan for the resamples in which none of `rows` was drawn: gaps can leave an endpoint out."""

    def whole(weights: np.ndarray) -> dict[str, np.ndarray]:
        drawn = weights[:, rows].sum(axis=1) > 0
        found = function(weights[drawn])
        answer = {name: np.full(len(weights), np.nan) for name in found}
        for name, values in found.items():
            answer[name][drawn] = values
        return answer

    return whole


def _named(target: Target, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: found[name] for name in (*NAMES[target.task], RELATIVE) if name in found}


def _one_unit(endpoints: tuple[Target, ...]) -> bool:
    return endpoints[0].unit is not None and len({target.unit for target in endpoints}) == 1


def documents(metrics: dict[str, Metric]) -> dict[str, Any]:
    """Metrics as JSON can hold them."""
    return {name: metric.document() for name, metric in metrics.items()}
