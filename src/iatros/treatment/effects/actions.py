"""Effect: from a table of subjects to average and individual effects with what they rest on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.context import Context, Produced
from iatros.core.delimited import csv_text
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.learners.tabular.ranges import out_of_range
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table
from iatros.learners.threads import one_blas_thread
from iatros.treatment.effect_requests import EffectRequest
from iatros.treatment.effects.answers import answers, summary
from iatros.treatment.effects.averages import PairEffect
from iatros.treatment.effects.estimation import Estimated, estimate, kept
from iatros.treatment.effects.heterogeneity import HeterogeneityTest
from iatros.treatment.effects.report import build
from iatros.treatment.effects.study import Study, open_study
from iatros.treatment.effects.words import assumptions, estimand, heterogeneity_words

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "lightgbm", "econml")


def effect(request: EffectRequest, context: Context) -> Produced:
    """The effects of a table's arms.

    The table of answers is that of new patients where there are any, else that of the cohort; `effects.csv` always
    holds the cohort's own subjects.
    """
    study = open_study(request)
    patients = None if request.patients is None else _read_patients(study, request)
    asked = None if patients is None else study.covariates.features(patients.frame)
    with one_blas_thread():
        found = estimate(study, request, context, asked)
    result, own, new = _result(study, request, found, patients, asked)
    for note in result["notes"]:
        context.progress.note(note)
    result = plain(result | {"estimates": _estimates(result)})
    documents = {"report.html": render(build(result)).encode(), "effects.csv": csv_text(own).encode()}
    return Produced(result, table=own if new is None else new, documents=documents)


def _estimates(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What a screen shows first: the average effect of each arm."""
    return [
        {"name": f"average effect, {one['arm']} against {one['reference']}", **one["difference"]}
        for one in result["average"] or ()
    ]


def _read_patients(study: Study, request: EffectRequest) -> Table:
    others = [request.treatment, request.outcome, request.time, request.event, request.subject]
    known = {name for name in others if name} | {
        *request.propensity,
        *request.negative_control,
        *request.exclude,
    }
    return read_table(
        request.patients, missing_codes=request.missing, schema=study.covariates.table.schema,
        allowed_extra=tuple(sorted(known)),
    )  # fmt: skip


def _result(
    study: Study, request: EffectRequest, found: Estimated, patients: Table | None, asked: np.ndarray | None
) -> tuple[dict[str, Any], dict[str, list[Any]], dict[str, list[Any]] | None]:
    cohort, refusal = study.cohort, found.overlap.refusal(study.cohort.arms)
    names = [cohort.arms[code] for code in cohort.arm]
    own = answers(
        cohort,
        found.individual,
        found.nuisances.e,
        refusal=refusal,
        row=study.rows.tolist(),
        subject=study.subjects,
        arm=names,
    )
    new = None
    if patients is not None and found.new is not None and asked is not None:
        subject = None
        if request.subject and request.subject in patients.frame.columns:
            subject = [str(value) for value in patients.frame[request.subject].to_list()]
        new = answers(
            cohort,
            found.new,
            found.propensity.predict(asked),
            refusal=refusal,
            row=range(patients.n_rows),
            subject=subject,
            arm=None,
        )
        new["flags"] = ["; ".join(found) for found in out_of_range(patients, study.covariates.table.schema)]
    tests = [_test_document(one, request) for one in found.tests]
    result: dict[str, Any] = {
        "domain": "treatment",
        "question": "effect",
        "design": request.design,
        "treatment": {"column": request.treatment, "arms": list(cohort.arms), "reference": cohort.arms[0]},
        "target": study.outcome,
        "estimand": estimand(study),
        "n": len(cohort),
        "n_patients": len(np.unique(cohort.groups)),
        "splits": _arm_sizes(study),
        "flow": list(study.flow),
        "means": {name: one.document() for name, one in found.means.items()},
        "average": [_pair_document(found, k, one) for k, one in enumerate(found.averages)],
        "average_inside": None if found.averages_inside is None else [
            {"arm": one.arm, "reference": one.reference, "difference": one.difference.document()}
            for one in found.averages_inside
        ],
        "overlap": found.overlap.document(cohort.arms) | {"refusal": refusal, "n_held": found.nuisances.n_held},
        "balance": found.balance,
        "heterogeneity": tests,
        "model": kept(found.selected, request).name,
        "models": _models(found, request),
        "individual": {"method": found.individual.method, "arms": summary(cohort, own),
                       "n_compared": sum(own["compared"]), "n_not_compared": len(cohort) - sum(own["compared"])},
        "checks": {"placebo": found.placebo, "negative_controls": found.controls},
        "nuisances": {
            "outcome_models": dict(zip(cohort.arms, found.nuisances.base, strict=True)),
            "losses": found.nuisances.losses, "propensity_model": _propensity_words(request), "folds": request.folds,
            "censoring": request.censoring if cohort.kind == "time-to-event" else None,
        },
        "assumptions": assumptions(study, request, found),
        "eligibility": request.eligibility,
        "time_zero": request.time_zero,
        "covariates": list(study.covariates.encoder.columns),
        "data": study.data,
        "request": request.model_dump(mode="json"),
        "seed": request.seed,
        "versions": versions(_LIBRARIES),
    }  # fmt: skip
    result["notes"] = [*study.notes, *_notes(result, tests)]
    if new is not None:
        lines = zip(*new.values(), strict=True)
        result["patients"] = [dict(zip(new, values, strict=True)) for values in lines]
    return result, own, new


def _arm_sizes(study: Study) -> dict[str, dict[str, Any]]:
    cohort, sizes = study.cohort, {}
    for k, name in enumerate(cohort.arms):
        rows = cohort.arm == k
        events = None
        if cohort.kind == "binary":
            events = int(cohort.y[rows].sum())
        elif cohort.event is not None:
            events = int(cohort.event[rows].sum())
        n_patients = len(np.unique(cohort.groups[rows]))
        known = int((rows & cohort.known).sum())
        sizes[name] = {
            "n_rows": int(rows.sum()),
            "n_patients": n_patients,
            "n_events": events,
            "n_known": known,
        }
    return sizes


def _pair_document(found: Estimated, place: int, one: PairEffect) -> dict[str, Any]:
    e_value = found.e_values[place]
    return {
        "arm": one.arm,
        "reference": one.reference,
        "difference": one.difference.document(),
        "ratio": None if one.ratio is None else one.ratio.document(),
        "unadjusted": found.unadjusted[one.arm, one.reference].document(),
        "e_value": {
            "point": e_value.point,
            "interval": e_value.interval,
            "ratio": e_value.ratio,
            "scale": e_value.scale,
        },
    }


def _test_document(test: HeterogeneityTest, request: EffectRequest) -> dict[str, Any]:
    evidence = test.p_value < 1 - request.confidence_level
    return asdict(test) | {"evidence": evidence, "statement": heterogeneity_words(test, evidence)}


def _models(found: Estimated, request: EffectRequest) -> list[dict[str, Any]]:
    chosen = kept(found.selected, request).name
    return [
        {"name": one.candidate.name, "loss": one.loss, "over_constant": one.over_constant.document(),
         "selected": one.candidate.name == chosen}
        for one in found.selected.compared
    ]  # fmt: skip


def _propensity_words(request: EffectRequest) -> str:
    if request.propensity:
        return "known by design"
    return "share of each arm" if request.design == "trial" else request.propensity_model


def _notes(result: dict[str, Any], tests: list[dict[str, Any]]) -> list[str]:
    """What a reader must know, most important first."""
    notes = []
    overlap = result["overlap"]
    if overlap["refusal"]:
        notes.append(overlap["refusal"])
    elif overlap["n_outside"]:
        notes.append(
            f"{overlap['n_outside']} of {result['n']} subjects have no counterpart in some arm (a probability outside "
            f"{overlap['bounds']}): they are not ranked, and the average without them stands beside the average"
        )
    notes += [test["statement"] for test in tests if not test["evidence"]]
    if result["model"] == "constant":
        notes.append("no learner of individual effects did better on unseen subjects than one effect for all")
    notes += [
        f"the negative control {one['outcome']} differs between {one['arm']} and {one['reference']} after adjustment: "
        "confounding is left over"
        for one in result["checks"]["negative_controls"]
        if one["away_from_zero"]
    ]
    if result["design"] == "observational":
        notes.append(
            "observational: that nothing unmeasured drives both treatment and outcome is assumed, not shown"
        )
    return notes
