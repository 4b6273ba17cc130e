"""What a report of an effect should hold, and which parts of a result answer it.

The items follow the protocol of a target trial (Hernan and Robins 2016; TARGET statement 2025) with the estimation and
its checks. The numbering is ours.
"""

from __future__ import annotations

from iatros.core.checklist import Item

_PROTOCOL, _DATA, _ANALYSIS, _RESULTS, _DISCUSSION = (
    "Protocol of the target trial",
    "Data",
    "Analysis",
    "Results",
    "Discussion and conduct",
)

# fmt: off
ITEMS: tuple[Item, ...] = (
    Item("1", _PROTOCOL, "Question", "the causal question and why it is asked",
         authors="the clinical question and its rationale"),
    Item("2", _PROTOCOL, "Eligibility", "who could be in the study, by what was known at time zero",
         needs=("eligibility",), section="protocol", where="In words of the request, section Protocol.",
         authors="that every criterion was known at time zero"),
    Item("3", _PROTOCOL, "Treatment strategies", "the arms, with dose, duration and what counts as adherence",
         needs=("treatment.arms",), section="protocol", where="The arms are named, section Protocol.",
         authors="dose, duration and adherence"),
    Item("4", _PROTOCOL, "Assignment", "how subjects came into their arms", needs=("design",), section="protocol",
         where="Trial or observational, section Protocol.", authors="the way of randomisation, or who chose and why"),
    Item("5", _PROTOCOL, "Time zero", "when eligibility, assignment and follow-up begin, the same for all arms",
         needs=("time_zero",), section="protocol", where="In words of the request, section Protocol."),
    Item("6", _PROTOCOL, "Follow-up", "from when to when, and what ends it", needs=("target.horizon",),
         section="protocol", where="The horizon, section Protocol.", authors="start, end and reasons for censoring"),
    Item("7", _PROTOCOL, "Outcome", "what it is, how and when it was measured, alike in all arms", needs=("target",),
         section="protocol", where="Column, kind and event, section Protocol.",
         authors="definition and way of measuring"),
    Item("8", _PROTOCOL, "Estimand", "the contrast, the scale, and in whom", needs=("estimand",), section="protocol",
         where="In a sentence, section Protocol."),
    Item("9", _PROTOCOL, "Assumptions", "what is assumed for the estimate to be an effect", needs=("assumptions",),
         section="assumptions", where="Each with what the data say of it, section Assumptions.",
         authors="why they may hold here, from knowledge of the field"),
    Item("10", _DATA, "Source", "where the data come from, and for what they were collected", needs=("data.source",),
         section="reproducibility", where="File and fingerprint.",
         authors="setting, dates, and the purpose of the data"),
    Item("11", _DATA, "Flow", "who was read, left out and why, by arm", needs=("flow", "splits"), section="flow",
         where="Section Flow."),
    Item("12", _DATA, "Covariates", "which, why these, and that they were recorded before treatment",
         needs=("covariates",), section="balance", where="Named in section Balance.",
         authors="why these suffice, such as a causal diagram"),
    Item("13", _DATA, "Missing values", "how many, and how they were handled", needs=("request",), section="protocol",
         where="Medians and indicators; subjects without arm or outcome are left out and counted.",
         authors="why values are missing"),
    Item("14", _ANALYSIS, "Estimator", "outcome model, propensities, cross-fitting, intervals", needs=("nuisances",),
         section="average", where="Sections Average effects and Overlap."),
    Item("15", _ANALYSIS, "Censoring", "how subjects lost before the horizon are dealt with",
         needs=("nuisances.censoring",), section="average", where="Inverse probability of censoring.",
         only_with="nuisances.censoring", otherwise="The outcome is known for every subject analysed."),
    Item("16", _ANALYSIS, "Individual effects", "the learner, how it was chosen, how intervals are made",
         needs=("models", "individual.method"), section="individual", where="Section Individual effects."),
    Item("17", _RESULTS, "Overlap", "the distribution of propensities by arm, and who has no counterpart",
         needs=("overlap",), section="overlap", where="Section Overlap."),
    Item("18", _RESULTS, "Balance", "of each covariate before and after weighting", needs=("balance",),
         section="balance", where="Section Balance."),
    Item("19", _RESULTS, "Effect", "with interval, absolute and where it has sense relative, beside the unadjusted one",
         needs=("average",), section="average", where="Section Average effects."),
    Item("20", _RESULTS, "Heterogeneity", "whether it was tested, and on which subjects", needs=("heterogeneity",),
         section="individual", where="Section Individual effects."),
    Item("21", _RESULTS, "Negative controls", "outcomes that the treatment cannot change",
         needs=("checks.negative_controls",), section="checks", where="Section Checks."),
    Item("22", _RESULTS, "Sensitivity", "to confounders that were not measured", needs=("average",), section="checks",
         where="E-values, section Checks.", authors="which confounder could be so strong"),
    Item("23", _DISCUSSION, "Interpretation", "what follows, beside trials of the same question",
         authors="interpretation"),
    Item("24", _DISCUSSION, "Harms", "what else the treatment does", authors="harms of each arm"),
    Item("25", _DISCUSSION, "Generalisability", "to whom the effect carries over", authors="generalisability"),
    Item("26", _DISCUSSION, "Registration and ethics", "protocol, register, approval, funding, interests",
         authors="registration, approval, funding and interests"),
    Item("27", _DISCUSSION, "Code and data", "where they can be had", needs=("versions", "request"),
         section="reproducibility", where="iatros and the request, section Reproducibility.",
         authors="access to the data"),
)
# fmt: on
