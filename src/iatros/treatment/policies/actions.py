"""Policy: from a table of subjects to the values of rules, learned and given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.context import Context, Produced
from iatros.core.delimited import csv_text
from iatros.core.errors import FitError
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.core.splits import task_seed
from iatros.treatment.effects.nuisance import Nuisances, fit_nuisances
from iatros.treatment.effects.overlap import Overlap, overlap
from iatros.treatment.effects.selection import Candidate, NuisanceModels
from iatros.treatment.effects.study import Study, open_study
from iatros.treatment.policies.comparing import Rule, Terms, compare
from iatros.treatment.policies.effect_calibration import calibration_of_effects
from iatros.treatment.policies.given import given_rules
from iatros.treatment.policies.learning import (
    BEST_ARM,
    PLUG_IN,
    TREE,
    CrossFitted,
    Learning,
    Preference,
    Rules,
    cross_fit,
    learn,
    observed,
)
from iatros.treatment.policies.report import build
from iatros.treatment.policies.uplift import ranks_within, uplift
from iatros.treatment.policies.wording import Feature, expression, features_of, in_units, lines
from iatros.treatment.policy_requests import PolicyRequest

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "lightgbm", "econml")


def policy(request: PolicyRequest, context: Context) -> Produced:
    """The values of one arm for all, of learned rules and of the request's own, with how they differ.

    The table holds, for each subject, the arm of every rule; those of learned rules come from a rule that had not
    learned from the subject. FitError where the arms do not overlap: values would be guesses then.
    """
    study = open_study(request)
    cohort = study.cohort
    given = given_rules(request, study)
    learning = _learning(request, study)
    with context.progress.step("outcome models and propensities"):
        nuisances = fit_nuisances(
            cohort, bases=(request.outcome_model,), propensity_base=request.propensity_model,
            censoring=request.censoring, folds=request.folds, seed=request.seed,
        )  # fmt: skip
    found = overlap(cohort, nuisances.e)
    if (refusal := found.refusal(cohort.arms)) is not None:
        raise FitError(
            f"the value of a rule cannot be told: {refusal}",
            hint="leave out arms, or subjects who could not have been given each of them",
        )
    learned = cross_fit(cohort, nuisances.fold, learning, context)
    with context.progress.step("the rules learned from all"):
        final = learn(cohort, cohort.X, learning, seed=task_seed(request.seed, "policy/all"))
    rules = [*_learned(cohort.arms, learned, final), *given]
    with context.progress.step("values and intervals"):
        result = _result(study, request, nuisances, found, learned, final, rules)
    for note in result["notes"]:
        context.progress.note(note)
    result = plain(result)
    table = _table(study, rules, learned)
    documents = {"report.html": render(build(result)).encode(), "rules.csv": csv_text(table).encode()}
    return Produced(result, table=table, documents=documents)


def _learning(request: PolicyRequest, study: Study) -> Learning:
    columns = None
    if request.asks:
        sources = [study.covariates.encoder.sources[j] for j in study.covariates.kept]
        study.covariates.table.select(list(request.asks))  # a name that is no covariate is refused
        columns = tuple(j for j, source in enumerate(sources) if source in request.asks)
    return Learning(
        Preference(request.better, request.least_benefit),
        NuisanceModels((request.outcome_model,), request.propensity_model, request.censoring),
        Candidate(request.learner, request.base), None if request.depth == "auto" else int(request.depth),
        request.smallest_share, columns, request.seed,
    )  # fmt: skip


def _learned(arms: Sequence[str], learned: CrossFitted, final: Rules) -> list[Rule]:
    n = len(learned.effects)
    rules = [Rule(f"all {arm}", "fixed", np.full(n, k), f"{arm} for everyone") for k, arm in enumerate(arms)]
    told = {
        BEST_ARM: f"the arm that is best for all, chosen without the subject's fold; from all: {arms[final.best_arm]}",
        TREE: "a tree of few questions, learned without the subject's fold",
        PLUG_IN: "the arm of the largest individual effect, learned without the subject's fold",
    }
    return rules + [Rule(name, "learned", learned.given[name], text) for name, text in told.items()]


def _result(
    study: Study,
    request: PolicyRequest,
    nuisances: Nuisances,
    found: Overlap,
    learned: CrossFitted,
    final: Rules,
    rules: Sequence[Rule],
) -> dict[str, Any]:
    cohort = study.cohort
    terms = Terms(
        Preference(request.better, request.least_benefit), request.confidence_level, request.bootstraps,
        request.seed,
    )  # fmt: skip
    reference = f"all {cohort.arms[0]}"
    compared = compare(observed(cohort, nuisances), rules, (reference, BEST_ARM), terms)
    result: dict[str, Any] = {
        "domain": "treatment",
        "question": "policy",
        "design": request.design,
        "treatment": {"column": request.treatment, "arms": list(cohort.arms), "reference": cohort.arms[0]},
        "target": study.outcome,
        "least_benefit": request.least_benefit,
        "n": len(cohort),
        "n_patients": len(np.unique(cohort.groups)),
        "splits": {
            name: {"n_rows": int((cohort.arm == k).sum()),
                   "n_patients": len(np.unique(cohort.groups[cohort.arm == k]))}
            for k, name in enumerate(cohort.arms)
        },
        "flow": list(study.flow),
        "rules": compared,
        "against": [reference, BEST_ARM],
        "tree": _tree(study, request, learned, final),
        "uplift": _uplift(study, request, nuisances, learned),
        "overlap": found.document(cohort.arms) | {"n_held": nuisances.n_held},
        "nuisances": {
            "outcome_model": request.outcome_model, "propensity_model": _propensity_words(request),
            "folds": request.folds, "censoring": request.censoring if cohort.kind == "time-to-event" else None,
            "individual_effects": Candidate(request.learner, request.base).name,
        },
        "eligibility": request.eligibility,
        "time_zero": request.time_zero,
        "covariates": list(study.covariates.encoder.columns),
        "data": study.data,
        "request": request.model_dump(mode="json"),
        "seed": request.seed,
        "versions": versions(_LIBRARIES),
    }  # fmt: skip
    result["estimates"] = [
        {"name": f"value, {rule['name']}", **rule["value"]["doubly-robust"]} for rule in result["rules"]
    ]
    result["notes"] = [*study.notes, *_notes(result)]
    return result


def _propensity_words(request: PolicyRequest) -> str:
    if request.propensity:
        return "known by design"
    return "share of each arm" if request.design == "trial" else request.propensity_model


def _tree(study: Study, request: PolicyRequest, learned: CrossFitted, final: Rules) -> dict[str, Any]:
    """The tree learned from all subjects, those of the folds, and how often they agree."""
    encoder, kept = study.covariates.encoder, study.covariates.kept
    places = [int(j) for j in kept if not request.asks or encoder.sources[j] in request.asks]
    centre, scale, every = encoder.centre[places], encoder.scale[places], _features(study)
    features = [every[j] for j in places]
    tree = in_units(final.tree, centre, scale)
    agree = float(np.mean(learned.given[TREE] == final.given[TREE]))
    return {
        "lines": lines(tree, features),
        "rule": expression(tree, features),
        "depth": tree.depth,
        "n_folds": len(learned.trees),
        "folds": [lines(in_units(one, centre, scale), features) for one in learned.trees],
        "agreement": agree,
    }


def _features(study: Study) -> list[Feature]:
    """Every feature of the encoder in the words of the table."""
    covariates = study.covariates
    encoder = covariates.encoder
    encoded = encoder.transform(covariates.table.frame)
    filled = covariates.imputer.transform(encoded)
    return features_of(
        encoder, encoded * encoder.scale + encoder.centre, filled * encoder.scale + encoder.centre
    )


def _uplift(
    study: Study, request: PolicyRequest, nuisances: Nuisances, learned: CrossFitted
) -> list[dict[str, Any]]:
    """For each arm but the reference how well its predicted effects order the subjects, and how large they are."""
    cohort = study.cohort
    sign = 1.0 if cohort.better == "higher" else -1.0
    found = []
    for k in range(1, cohort.n_arms):
        predicted, pseudo = sign * learned.effects[:, k - 1], sign * nuisances.pseudo(k)
        curve = uplift(
            ranks_within(predicted, nuisances.fold), pseudo, groups=cohort.groups, n_bootstrap=request.bootstraps,
            seed=request.seed, confidence_level=request.confidence_level,
        )  # fmt: skip
        calibrated = calibration_of_effects(
            predicted, pseudo, nuisances.fold, groups=cohort.groups, confidence_level=request.confidence_level
        )
        found.append(
            {
                "arm": cohort.arms[k],
                "reference": cohort.arms[0],
                "auuc": curve.auuc.document(),
                "qini": curve.qini.document(),
                "curve": {"share": curve.share, "gain": curve.gain, "low": curve.low, "high": curve.high},
                "slope": calibrated.slope.document(),
                "excess": calibrated.excess.document(),
                "fifths": [
                    {"predicted": one.predicted, "found": one.found.document()} for one in calibrated.fifths
                ],
            }
        )
    return found


def _table(study: Study, rules: Sequence[Rule], learned: CrossFitted) -> dict[str, list[Any]]:
    arms = study.cohort.arms
    table: dict[str, list[Any]] = {"row": [int(row) for row in study.rows]}
    if study.subjects is not None:
        table["subject"] = list(study.subjects)
    table["received"] = [arms[code] for code in study.cohort.arm]
    for rule in rules:
        if rule.origin != "fixed":
            table[rule.name.replace(" ", "_")] = [arms[code] for code in rule.given]
    for k, arm in enumerate(arms[1:]):
        table[f"effect_{arm}"] = learned.effects[:, k].tolist()
    return table


def _notes(result: dict[str, Any]) -> list[str]:
    """What a reader must know, most important first."""
    notes = []
    for rule in result["rules"]:
        gain = rule["against"].get(BEST_ARM, {}).get("gain")
        if rule["origin"] != "learned" or gain is None or gain["low"] > 0:
            continue
        if gain["low"] == gain["high"]:
            notes.append(f"{rule['name']}: in no fold did anything pay but the best arm for all")
        else:
            notes.append(
                f"{rule['name']}: no evidence that it is better than the best arm for all "
                f"(gain {gain['value']:.3g}, interval {gain['low']:.3g} to {gain['high']:.3g})"
            )
    if result["design"] == "observational":
        notes.append(
            "observational: that nothing unmeasured drives both treatment and outcome is assumed, not shown"
        )
    return notes
