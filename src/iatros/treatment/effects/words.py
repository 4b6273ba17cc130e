"""What is estimated, what is assumed, and what a test says, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iatros.treatment.effect_requests import EffectRequest
from iatros.treatment.effects.heterogeneity import HeterogeneityTest
from iatros.treatment.effects.study import Study

if TYPE_CHECKING:
    from iatros.treatment.effects.estimation import Estimated


def estimand(study: Study) -> str:
    """The average effect in one sentence."""
    cohort, name = study.cohort, study.outcome["name"]
    if cohort.kind == "continuous":
        what = f"difference in the mean of {name}"
    elif cohort.kind == "binary":
        what = f"difference in the probability that {name} is {study.outcome['event']}"
    elif cohort.measure == "survival":
        what = f"difference in the probability of no {name} by {cohort.horizon:g}"
    else:
        what = f"difference in the mean time without {name} up to {cohort.horizon:g}"
    others = ", ".join(cohort.arms[1:])
    return f"{what}, had all subjects been in {others} rather than in {cohort.arms[0]}"


def assumptions(study: Study, request: EffectRequest, found: Estimated) -> list[dict[str, str]]:
    """Each assumption that turns the numbers into effects, and what the data say of it."""
    overlap = found.overlap
    listed = [_exchangeability(study, request, found)]
    listed.append(
        {
            "name": "overlap",
            "says": "subjects of every kind are found in every arm",
            "data": f"probabilities from {overlap.least:.3f} to {overlap.greatest:.3f}, "
            f"{overlap.share_outside:.1%} of the subjects outside [0.05, 0.95]",
        }
    )
    listed.append(
        {
            "name": "consistency",
            "says": "an arm is one well-defined treatment, and no subject's treatment changes another's outcome",
            "data": "not in the data",
        }
    )
    listed.append(
        {
            "name": "covariates before treatment",
            "says": "every covariate was known before the treatment began, so that none is changed by it",
            "data": f"{len(study.covariates.encoder.columns)} columns used; when they were recorded is not known",
        }
    )
    if study.cohort.kind == "time-to-event":
        by = "arm" if request.censoring == "kaplan-meier" else "arm and covariates"
        listed.append(
            {
                "name": "censoring",
                "says": f"given {by}, subjects who are censored would have fared like those who are not",
                "data": f"{study.outcome['n_censored_before']} of {len(study.cohort)} censored before the horizon",
            }
        )
    return listed


def _exchangeability(study: Study, request: EffectRequest, found: Estimated) -> dict[str, str]:
    if request.design == "trial":
        worst = max(abs(one["worst_before"]) for one in found.balance["comparisons"])
        return {
            "name": "randomisation",
            "says": "arms were assigned by chance, and outcomes are there whatever the arm",
            "data": f"largest standardised difference {worst:.2f}; {study.data['n_refused']} subjects left out",
        }
    worst = max(abs(one["worst_after"]) for one in found.balance["comparisons"])
    e_value = found.e_values[0]
    return {
        "name": "no unmeasured confounding",
        "says": "given the covariates, which arm a subject came into does not depend on how the subject would fare; "
        "above all, nobody was given a treatment for a reason that is not in the table (confounding by indication)",
        "data": f"cannot be shown; measured covariates differ by at most {worst:.2f} standard deviations after "
        f"weighting; an unmeasured one would need risk ratios of {e_value.point:.2f} with treatment and outcome to "
        "explain the first effect away",
    }


def heterogeneity_words(test: HeterogeneityTest, evidence: bool) -> str:
    """The verdict of the test, in a sentence."""
    pair = f"{test.arm} against {test.reference}"
    if evidence:
        return (
            f"the effect of {pair} differs between subjects as the covariates tell (p = {test.p_value:.2g})"
        )
    return (
        f"no evidence of heterogeneity: that the effect of {pair} is the same for all subjects is not rejected "
        f"(p = {test.p_value:.2f}); individual effects may be noise around the average"
    )
