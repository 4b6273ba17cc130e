"""The result of a training: every part of the report, put together from what the validation has left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.metrics import Metric, evaluate
from iatros.core.pooling import mean_over_sites, pool
from iatros.core.task import Target
from iatros.imaging import DOMAIN
from iatros.imaging.characteristics import characteristics
from iatros.imaging.cohort import Cohort, column, subgroup_labels
from iatros.imaging.comparison import compare
from iatros.imaging.evaluation import documents, evidence, evidence_of_labels
from iatros.imaging.examples import examples
from iatros.imaging.explanation_checks import explanation_checks
from iatros.imaging.gating import count_on
from iatros.imaging.judging import Judged, join
from iatros.imaging.levels import slice_and_study
from iatros.imaging.prevalence import consequences, prevalence_of
from iatros.imaging.storing import Stored
from iatros.imaging.validation import Validated

_WEIGHED = 6
"""Studies whose slice weights are shown."""
_POOLED = {
    "binary": ("auroc", "oe_ratio", "calibration_slope", "calibration_intercept"),
    "multiclass": ("auroc",),
    "continuous": ("mae", "calibration_slope"),
}


def training_result(run: Validated, stored: Stored, context: Context) -> dict[str, Any]:
    """Everything that is known after a training, as plain values; `images` holds pictures in base64."""
    cohort, request = run.cohort, run.request
    shown = join(run.plan.split, run.judged)
    with context.progress.step("metrics and intervals"):
        parts = judged_evidence(run, shown)
        metrics, sites, pooled = _by_split(run, shown, parts.pop("metrics"))
        shift = _prevalence(run, shown, parts)
        networks = _compared(run, shown)
    target = cohort.targets[0]
    chosen = run.final.chosen
    result = {
        "domain": "imaging",
        "model": chosen.candidate.name,
        "task": _task(run),
        "target": _target(cohort),
        "targets": [_described(one) for one in cohort.targets],
        "objective": cohort.objective,
        "validation": request.validation if request.validation != "auto" else "held-out",
        "headline_split": run.plan.split,
        "seed": request.seed,
        "metrics": metrics,
        "sites": sites,
        "pooled": pooled,
        "models": networks,
        "splits": _sizes(run),
        "flow": list(cohort.flow),
        "input": chosen.candidate.spec.document() | {"slicewise": chosen.candidate.slicewise},
        **parts,
        "calibration": {
            "kind": run.final.heads[0].calibrator.kind,
            "cross_fitted": False,
            **parts["calibration"],
        },
        "folds": _folds(run),
        "chosen_thresholds": _thresholds(run),
        "prevalence": shift,
        "slices": _levels(run, shown) if target.task in _POOLED and len(cohort.targets) == 1 else None,
        "leakage": run.audited.document,
        "quality": count_on(
            stored.gates,
            cohort.records,
            cohort.collection.pixels,
            shown.rows,
            cohort.groups,
            context,
            features=chosen.features,
        ),
        "history": _history(run),
        "characteristics": characteristics(
            cohort.records, cohort.groups, _sides(run, shown) or {run.plan.split: shown.rows}
        ),
        "network": _network(run, stored),
        "export": stored.export,
        "images": examples(cohort, run.final, shown, request, context),
        "explanation_checks": explanation_checks(run, shown, context),
        "data": cohort.data(),
        "notes": _notes(run),
        "request": request.model_dump(mode="json"),
        "parent": None,
    }
    return result


def judged_evidence(run: Validated, judged: Judged) -> dict[str, Any]:
    """`evidence` of the judged images, of one target or of several labels."""
    cohort, request = run.cohort, run.request
    common: dict[str, Any] = {
        "subgroups": _subgroups(run, judged.rows),
        "confidence_level": request.confidence_level,
        "coverage": request.coverage,
        "seed": request.seed,
    }
    groups = cohort.groups[judged.rows]
    answers = judged.answers
    y = [np.asarray(values)[judged.rows] for values in cohort.y]
    conformal = [(one.covered, one.extent) for one in answers]
    if len(cohort.targets) > 1:
        return evidence_of_labels(
            cohort.targets,
            y,
            [one.prediction for one in answers],
            groups,
            uncalibrated=[one.uncalibrated for one in answers],
            cuts=[one.cuts for one in answers],
            conformal=conformal,
            **common,
        )
    return evidence(
        cohort.targets[0],
        y[0],
        answers[0].prediction,
        groups,
        uncalibrated=answers[0].uncalibrated,
        cuts=answers[0].cuts,
        conformal=conformal[0],
        ordered=cohort.objective == "ordinal",
        **common,
    )


def _subgroups(run: Validated, rows: np.ndarray) -> dict[str, np.ndarray]:
    labels = subgroup_labels(run.cohort.records, run.request.subgroup)
    return {name: values[rows] for name, values in labels.items()}


def _by_split(
    run: Validated, shown: Judged, metrics: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]:
    """`metrics` by split, the table of sites, and the random-effects summary over them."""
    split = run.plan.split
    if split != "site" or len(run.cohort.targets) > 1:
        return {split: metrics}, None, None
    cohort, request = run.cohort, run.request
    target = cohort.targets[0]
    table, found = {}, []
    for judged in run.judged:
        one = _of_part(run, judged)
        sizes = cohort.sizes(judged.rows)
        found.append(one)
        table[judged.name] = {
            "n": sizes["n_rows"],
            "n_events": sizes["n_events"],
            "selected": judged.chosen,
            **documents(one),
        }
    pooled = {
        name: pool(name, [one[name] for one in found], confidence_level=request.confidence_level).document()
        for name in _POOLED[target.task]
    }
    means = documents({name: mean_over_sites([one[name] for one in found]) for name in found[0]})
    return {"site": means, "site_pooled": metrics}, table, pooled


def _of_part(run: Validated, judged: Judged) -> dict[str, Metric]:
    """The metrics of the first target among the rows of one part."""
    cohort, request = run.cohort, run.request
    return evaluate(
        cohort.targets[0],
        np.asarray(cohort.y[0])[judged.rows],
        judged.answers[0].prediction,
        groups=cohort.groups[judged.rows],
        confidence_level=request.confidence_level,
        seed=request.seed,
    )


def _folds(run: Validated) -> dict[str, Any] | None:
    """The metric that models are chosen by in `each` fold of a cross-validation, and its `mean`.

    The numbers over all images together also compare images of different folds, whose networks are scaled each in its
    own way; the mean over folds does not (Airola et al., 2011).
    """
    if run.plan.split != "cross_validation" or len(run.cohort.targets) > 1:
        return None
    name = DOMAIN.metrics[run.cohort.targets[0].task][0]
    found = [_of_part(run, judged)[name] for judged in run.judged]
    each = [
        {"fold": number, "n": len(judged.rows), name: one.document()}
        for number, (judged, one) in enumerate(zip(run.judged, found, strict=True), start=1)
    ]
    mean = replace(mean_over_sites(found), interval=f"errors within each of {len(found)} folds")
    return {"metric": name, "mean": mean.document(), "each": each}


def _sides(run: Validated, shown: Judged) -> dict[str, np.ndarray]:
    """Rows of every side that is one: none where all patients are judged in turn."""
    if not run.plan.final_is_judged:
        return {}
    sides = run.final.sides.named()
    if np.array_equal(sides["tuning"], sides["calibration"]):
        del sides["calibration"]
    return {**sides, "held_out": shown.rows}


def _prevalence(run: Validated, shown: Judged, parts: dict[str, Any]) -> dict[str, Any] | None:
    """How common the finding is where the network learned and where it was judged, and what that does."""
    cohort, level = run.cohort, run.request.confidence_level
    found: dict[str, Any] = {}
    sides = _sides(run, shown)
    if sides:
        found["sides"] = prevalence_of(
            cohort.targets, cohort.y, cohort.groups, sides, reference="train", confidence_level=level
        )
    sites = cohort.sites
    if sites is not None and len(set(sites.tolist()) - {None}) > 1:
        rows = {str(name): np.flatnonzero(sites == name) for name in sorted(set(sites.tolist()) - {None})}
        largest = max(rows, key=lambda name: len(rows[name]))
        found["sites"] = prevalence_of(
            cohort.targets, cohort.y, cohort.groups, rows, reference=largest, confidence_level=level
        )
    point = next((row for row in parts["operating_points"] if row["on"] == "calibrated"), None)
    levels = next((part["levels"] for part in found.values() if "levels" in part), None)
    if levels and point is not None and cohort.targets[0].task == "binary":
        found["consequences"] = consequences(
            levels,
            point["sensitivity"],
            point["specificity"],
            threshold=point["threshold"],
            confidence_level=level,
        )
    return found or None


def _compared(run: Validated, shown: Judged) -> list[dict[str, Any]]:
    """Every network on the judged images, uncalibrated, each against the baseline."""
    cohort, names = run.cohort, [one.candidate.name for one in run.final.trained]
    baseline = DOMAIN.baseline if DOMAIN.baseline in names else names[-1]
    return compare(
        cohort.targets,
        [np.asarray(values)[shown.rows] for values in cohort.y],
        shown.candidates,
        cohort.groups[shown.rows],
        split=run.plan.split,
        kept=run.final.chosen.candidate.name,
        baseline=baseline,
        tuning_scores={one.candidate.name: one.score for one in run.final.trained},
        confidence_level=run.request.confidence_level,
        seed=run.request.seed,
    )


def _weighed(run: Validated, shown: Judged) -> dict[str, Any]:
    """Of a network over series: how much weight each slice had in the first answers."""
    rows = shown.rows[:_WEIGHED]
    target, y = run.cohort.targets[0], np.asarray(run.cohort.y[0])
    weights = run.final.chosen.outputs(rows)["slice_weights"]
    return {
        "examples": [
            {
                "truth": _said(target, y[row]),
                "prediction": _said(target, _answer(target, shown.answers[0].prediction[place])),
                "weights": np.asarray(weights[place]).round(4).tolist(),
            }
            for place, row in enumerate(rows)
        ]
    }


def _answer(target: Target, prediction: Any) -> float:
    """The class number that is answered, or the value."""
    if target.task == "binary":
        return float(prediction >= 0.5)
    return float(np.argmax(prediction)) if target.task == "multiclass" else float(prediction)


def _said(target: Target, value: float) -> str:
    return f"{value:.3g}" if target.task == "continuous" else target.classes[int(value)]


def _levels(run: Validated, shown: Judged) -> dict[str, Any] | None:
    """The same answers slice by slice and study by study: slices of a series, or several images of one study."""
    cohort = run.cohort
    if run.final.chosen.candidate.spec.kind == "sequence":
        return _weighed(run, shown)
    target, y = cohort.targets[0], np.asarray(cohort.y[0])
    common: dict[str, Any] = {"confidence_level": run.request.confidence_level, "seed": run.request.seed}
    if shown.slices is not None:
        rows = shown.slices.rows
        return slice_and_study(
            target, y[rows], shown.slices.predictions[0], rows, cohort.groups[rows], **common
        )
    studies = column(cohort.records, "study_uid")
    if studies is None:
        return None
    rows = shown.rows[[studies[row] is not None for row in shown.rows]]
    named = studies[rows]
    if len(set(named.tolist())) == len(named):
        return None
    places = np.flatnonzero([studies[row] is not None for row in shown.rows])
    prediction = shown.answers[0].prediction[places]
    return slice_and_study(target, y[rows], prediction, named.astype(str), cohort.groups[rows], **common)


def _task(run: Validated) -> str:
    if len(run.cohort.targets) > 1:
        return "multilabel"
    return "ordinal" if run.cohort.objective == "ordinal" else run.cohort.targets[0].task


def _target(cohort: Cohort) -> dict[str, Any]:
    if len(cohort.targets) == 1:
        return _described(cohort.targets[0])
    names = [target.name for target in cohort.targets]
    return {"name": ", ".join(names), "task": "multilabel", "classes": names, "unit": None}


def _described(target: Target) -> dict[str, Any]:
    return {"name": target.name, "task": target.task, "classes": list(target.classes), "unit": target.unit}


def _sizes(run: Validated) -> dict[str, Any]:
    sides = run.final.sides.named()
    if run.plan.final_is_judged:
        sides[run.plan.split] = run.judged[0].rows
    return {name: run.cohort.sizes(rows) for name, rows in sides.items() if len(rows)}


def _thresholds(run: Validated) -> list[dict[str, Any]]:
    several = len(run.final.heads) > 1
    return [
        {**cut, "target": head.target.name} if several else cut
        for head in run.final.heads
        for cut in head.thresholds
    ]


def _history(run: Validated) -> list[dict[str, Any]]:
    """The learning curve of each network, the kept one first: the first member's of an ensemble."""
    order = sorted(run.final.trained, key=lambda one: one is not run.final.chosen)
    metric = "mae" if run.cohort.targets[0].task == "continuous" else "auroc"
    return [
        {
            "name": one.candidate.name,
            "metric": metric,
            "best_epoch": one.members[0].best_epoch,
            # without the seconds, which differ from run to run
            "epochs": [
                {k: v for k, v in epoch.items() if k != "seconds"} for epoch in one.members[0].history
            ],
        }
        for one in order
    ]


def _network(run: Validated, stored: Stored) -> dict[str, Any]:
    """The kept network, and how fast and how exactly it was trained."""
    members = run.final.chosen.members
    return stored.network | {
        "members": len(members),
        "n_parameters": sum(value.numel() for value in members[0].network.parameters()),
        "precision": members[0].precision,
        "images_per_second": round(float(np.mean([one.images_per_second for one in members])), 1),
        "notes": list(members[0].notes),
    }


def _notes(run: Validated) -> list[str]:
    notes = [*run.cohort.notes, *run.plan.notes]
    if run.final.sides.note:
        notes.append(run.final.sides.note)
    if run.request.calibration == "auto" and any(
        head.calibrator.kind == "none" and head.target.task != "continuous" for head in run.final.heads
    ):
        notes.append("a class is missing on the calibration side, so nothing was calibrated")
    return [*notes, *run.audited.notes]
