"""From judgements to the numbers of the report: metrics by split, model against model, site by site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.decision import decision_curve
from iatros.core.intervals import delong_paired, paired_bootstrap
from iatros.core.metrics import Metric, evaluate, point_metrics
from iatros.core.optimism import harrell, no_information, point_632_plus
from iatros.core.pooling import mean_over_sites, pool
from iatros.risk import DOMAIN
from iatros.risk.models import MODELS
from iatros.risk.study import Study
from iatros.risk.tuning import score
from iatros.risk.validation import Judged, Validated, join

PRIMARY = {task: names[0] for task, names in DOMAIN.metrics.items()}
_POOLED = {
    "binary": ("auroc", "oe_ratio", "calibration_slope", "calibration_intercept"),
    "multiclass": ("auroc",),
    "continuous": ("mae", "calibration_slope"),
}
_RESAMPLES = 500
_NET_BENEFIT_AT = "sensitivity 0.90"


class Evaluator:
    """Metrics of judgements of one study, all with the same level and seed."""

    def __init__(self, study: Study, confidence_level: float, seed: int) -> None:
        self.study = study
        self.confidence_level = confidence_level
        self.seed = seed

    def metrics(
        self, judged: Judged, model: str | None = None, *, resamples: int = _RESAMPLES
    ) -> dict[str, Metric]:
        """Every metric of the task for one model of a judgement (the selected one where none is named)."""
        return evaluate(
            self.study.target,
            self.study.y[judged.rows],
            judged.predictions[model] if model else judged.prediction,
            groups=self.study.groups[judged.rows],
            confidence_level=self.confidence_level,
            n_bootstrap=resamples,
            seed=self.seed,
        )

    def by_split(self, validated: Validated) -> dict[str, dict[str, Any]]:
        """`metrics` of the result: documents by split and name."""
        if validated.split == "optimism":
            return self._optimism(validated)
        if validated.split == "site":
            pooled = self.metrics(join("pooled", validated.judged))
            means = self._summary("site", [self.metrics(judged) for judged in validated.judged])
            return {"site": means, "site_pooled": _documents(pooled)}
        return {validated.split: self._summary(validated.split, [self.metrics(j) for j in validated.judged])}

    def models(self, validated: Validated, baseline: str) -> list[dict[str, Any]]:
        """One entry per trained model: its metrics on the judged patients and its difference to the baseline."""
        final = validated.final
        entries = []
        for name in final.models:
            entry: dict[str, Any] = {
                "name": name,
                "selected": name == final.selected,
                "candidate": name != baseline or name == final.selected,
                "tuning_score": self._tuning_score(final.selection[name]),
                "metrics": {validated.split: self._model_metrics(validated, name)}
                if validated.judged
                else {},
                "difference_to_baseline": self._difference(validated, name, baseline),
                "notes": final.notes[name],
                "seconds": round(final.seconds[name], 3),
            }
            entries.append(entry)
        return entries

    def _tuning_score(self, value: float | None) -> dict[str, Any] | None:
        if value is None:
            return None
        return {"metric": PRIMARY[self.study.target.task], "value": abs(value)}

    def sites(self, validated: Validated) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The table of sites and the random-effects summary over them; None, None for other validations."""
        if validated.split != "site":
            return None, None
        table, found = {}, []
        for judged in validated.judged:
            metrics = self.metrics(judged)
            found.append(metrics)
            sizes = self.study.sizes(judged.rows)
            table[judged.name] = {
                "n": sizes["n_rows"],
                "n_events": sizes["n_events"],
                "selected": judged.selected,
                **_documents(metrics),
                **self._net_benefit(judged),
            }
        pooled = {
            name: pool(
                name, [metrics[name] for metrics in found], confidence_level=self.confidence_level
            ).document()
            for name in _POOLED[self.study.target.task]
        }
        return table, pooled

    def _net_benefit(self, judged: Judged) -> dict[str, Any]:
        """Net benefit at the threshold chosen elsewhere for a sensitivity of .90, beside that of treating all."""
        if _NET_BENEFIT_AT not in judged.cuts:
            return {}
        y, groups, cut = (
            self.study.y[judged.rows],
            self.study.groups[judged.rows],
            judged.cuts[_NET_BENEFIT_AT][0],
        )
        curve = decision_curve(
            y,
            judged.prediction,
            thresholds=[float(cut)],
            groups=groups,
            seed=self.seed,
            confidence_level=self.confidence_level,
        )
        value, low, high = (curve[name][0] for name in ("model", "model_low", "model_high"))
        document = Metric(value, low, high, len(y), int(y.sum()), curve["interval"]).document()
        return {"net_benefit": {**document, "threshold": float(cut), "treat_all": curve["treat_all"][0]}}

    def _model_metrics(self, validated: Validated, name: str) -> dict[str, Any]:
        found = [self.metrics(judged, name, resamples=200) for judged in validated.judged]
        return self._summary(validated.split, found)

    def _difference(self, validated: Validated, name: str, baseline: str) -> dict[str, Any] | None:
        """Paired difference of the primary metric; over sites, the unweighted mean of theirs."""
        if name == baseline or not validated.judged or baseline not in validated.judged[0].predictions:
            return None
        found = [{"difference": self._paired(judged, name, baseline)} for judged in validated.judged]
        merged = self._summary(validated.split, found)
        return {"metric": PRIMARY[self.study.target.task], "baseline": baseline, **merged["difference"]}

    def _paired(self, judged: Judged, name: str, baseline: str) -> Metric:
        target, y, groups = self.study.target, self.study.y[judged.rows], self.study.groups[judged.rows]
        ours, theirs = judged.predictions[name], judged.predictions[baseline]
        if target.task == "binary" and len(np.unique(groups)) == len(groups):
            value, low, high, _ = delong_paired(y, ours, theirs, self.confidence_level)
            return Metric(value, low, high, len(y), int(y.sum()), "paired DeLong")
        return paired_bootstrap(
            lambda truth, prediction: abs(score(target, truth, prediction)),
            y,
            ours,
            theirs,
            groups=groups,
            n_bootstrap=200,
            confidence_level=self.confidence_level,
            seed=self.seed,
        )

    def _summary(self, split: str, found: Sequence[dict[str, Metric]]) -> dict[str, Any]:
        """Metrics of a split from those of its judgements: the mean over sites, or over repeats."""
        if len(found) == 1:
            return _documents(found[0])
        columns = {name: [metrics[name] for metrics in found] for name in found[0]}
        if split == "site":
            means = {n: mean_over_sites(parts) for n, parts in columns.items()}
        else:
            means = {name: _mean_over_repeats(parts) for name, parts in columns.items()}
        return _documents(means)

    def _optimism(self, validated: Validated) -> dict[str, dict[str, Any]]:
        """Harrell's correction, or .632+ for models that remember their patients: Harrell's would believe those."""
        assert validated.apparent is not None
        apparent = self.metrics(validated.apparent)
        if MODELS.load(validated.final.selected).interpolates:
            found, method = self._632_plus(validated, apparent), ".632+"
        else:
            plain = {name: metric.value for name, metric in apparent.items()}
            own = [self._values(first) for first, _, _ in validated.resampled]
            original = [self._values(on_all) for _, on_all, _ in validated.resampled]
            found, method = harrell(plain, own, original, confidence_level=self.confidence_level), "Harrell"
        corrected = {
            name: {
                "value": answer["corrected"],
                "low": answer["low"],
                "high": answer["high"],
                "n": apparent[name].n,
                "n_events": apparent[name].n_events,
                "interval": f"{method}: {answer['interval']}",
                "apparent": answer["apparent"],
                "optimism": answer["optimism"],
            }
            for name, answer in found.items()
        }
        return {"apparent": _documents(apparent), "optimism": corrected}

    def _632_plus(self, validated: Validated, apparent: dict[str, Metric]) -> dict[str, Any]:
        assert validated.apparent is not None
        outside = [
            point_metrics(self.study.target, self.study.y[out_of_bag], on_all.prediction[out_of_bag])
            for _, on_all, out_of_bag in validated.resampled
        ]
        chance = no_information(
            self.study.target, self.study.y, validated.apparent.prediction, seed=self.seed
        )
        return {
            name: point_632_plus(
                metric.value,
                [scores.get(name, float("nan")) for scores in outside],
                chance[name],
                confidence_level=self.confidence_level,
            )
            for name, metric in apparent.items()
            if name in chance
        }

    def _values(self, judged: Judged) -> dict[str, float]:
        return point_metrics(self.study.target, self.study.y[judged.rows], judged.prediction)


def _documents(metrics: dict[str, Metric]) -> dict[str, Any]:
    return {name: metric.document() for name, metric in metrics.items()}


def _mean_over_repeats(parts: Sequence[Metric]) -> Metric:
    """The mean of value and of both ends: repeats share their patients, so they do not narrow an interval."""
    value, low, high = (
        float(np.mean([getattr(part, end) for part in parts])) for end in ("value", "low", "high")
    )
    label = f"{parts[0].interval}; mean of {len(parts)} repeats"
    return Metric(value, low, high, parts[0].n, parts[0].n_events, label)
