"""What a report of rules of treatment should hold, and which parts of a result answer it.

The protocol of a target trial (Hernan and Robins 2016) with what learning and valuing a rule adds. The numbering is
ours.
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
    Item("1", _PROTOCOL, "Question", "which decision a rule is to support, and who decides",
         authors="the decision, its place in the pathway and who takes it"),
    Item("2", _PROTOCOL, "Eligibility", "who could be in the study, by what was known at time zero",
         needs=("eligibility",), section="protocol", where="In words of the request, section Protocol.",
         authors="that every criterion was known at time zero"),
    Item("3", _PROTOCOL, "Arms", "what may be given, with dose and duration", needs=("treatment.arms",),
         section="protocol", where="The arms are named, section Protocol.", authors="dose, duration and adherence"),
    Item("4", _PROTOCOL, "Assignment", "how subjects came into their arms", needs=("design",), section="protocol",
         where="Trial or observational, section Protocol.", authors="the way of randomisation, or who chose and why"),
    Item("5", _PROTOCOL, "Time zero", "when eligibility, assignment and follow-up begin, the same for all arms",
         needs=("time_zero",), section="protocol", where="In words of the request, section Protocol."),
    Item("6", _PROTOCOL, "Outcome", "what it is, how and when it was measured, which direction is good",
         needs=("target",), section="protocol", where="Section Protocol.", authors="definition and way of measuring"),
    Item("7", _PROTOCOL, "Rules compared", "every rule, in words that can be followed", needs=("rules",),
         section="values", where="Sections Values and The learned tree."),
    Item("8", _PROTOCOL, "Least benefit", "what an arm must be worth to be given, and why", needs=("least_benefit",),
         section="protocol", where="Section Protocol.", authors="why this much"),
    Item("9", _DATA, "Source", "where the data come from, and for what they were collected", needs=("data.source",),
         section="reproducibility", where="File and fingerprint.", authors="setting, dates and purpose of the data"),
    Item("10", _DATA, "Flow", "who was read, left out and why, by arm", needs=("flow", "splits"), section="flow",
         where="Section Flow of subjects."),
    Item("11", _DATA, "Covariates", "which, and that they were known before treatment", needs=("covariates",),
         section="protocol", where="Named in section Protocol.", authors="that each was recorded before treatment"),
    Item("12", _DATA, "Missing values", "how they were handled, by the rules too", needs=("request",), section="tree",
         where="Medians and indicators; a given rule must say what is done.", authors="why values are missing"),
    Item("13", _ANALYSIS, "Estimators", "outcome model, propensities, cross-fitting, intervals", needs=("nuisances",),
         section="values", where="Section Values."),
    Item("14", _ANALYSIS, "Learning apart from judging", "that no subject is judged by a rule that learned from it",
         needs=("tree.n_folds",), section="tree", where="Folds and their trees, section The learned tree."),
    Item("15", _ANALYSIS, "Censoring", "how subjects lost before the horizon are dealt with",
         needs=("nuisances.censoring",), section="values", where="Inverse probability of censoring.",
         only_with="nuisances.censoring", otherwise="The outcome is known for every subject analysed."),
    Item("16", _RESULTS, "Overlap", "whether those to whom a rule gives an arm could have had it",
         needs=("overlap",), section="overlap", where="Sections Overlap and Values."),
    Item("17", _RESULTS, "Values", "of every rule, with interval, by more than one estimator", needs=("rules",),
         section="values", where="Section Values."),
    Item("18", _RESULTS, "Differences", "from the reference and from the best arm for all, paired", needs=("against",),
         section="differences", where="Section Differences."),
    Item("19", _RESULTS, "Order and size of effects", "gain curves and calibration of predicted effects",
         needs=("uplift",), section="effects", where="Section Predicted effects."),
    Item("20", _DISCUSSION, "Interpretation", "what follows for care, beside trials of the rule itself",
         authors="interpretation"),
    Item("21", _DISCUSSION, "Fairness and harms", "who is given less by the rule, and what the arms do besides",
         authors="groups that fare worse under the rule, harms of each arm"),
    Item("22", _DISCUSSION, "Registration and ethics", "protocol, register, approval, funding, interests",
         authors="registration, approval, funding and interests"),
    Item("23", _DISCUSSION, "Code and data", "where they can be had", needs=("versions", "request"),
         section="reproducibility", where="iatros and the request, section Reproducibility.",
         authors="access to the data"),
)
# fmt: on
