"""The items of TRIPOD+AI, their parts included: what each asks, and which parts of a result answer it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One item or part of an item.

    `needs` are the parts of a result that must be there for it to be answered, `authors` what remains
    for people to write even then. An item without `needs` is one that no run can answer.
    """

    code: str
    chapter: str
    topic: str
    asks: str
    needs: tuple[str, ...] = ()
    section: str = ""
    """Address of the section of the report that answers it."""
    where: str = ""
    authors: str = ""
    only_with: str = ""
    """The part without which the item does not apply, and what to say then."""
    otherwise: str = ""


_TITLE, _INTRODUCTION, _METHODS = "Title and abstract", "Introduction", "Methods"
_OPEN, _INVOLVEMENT, _RESULTS, _DISCUSSION = (
    "Open science",
    "Patient and public involvement",
    "Results",
    "Discussion",
)

# fmt: off
ITEMS: tuple[Item, ...] = (
    Item("1", _TITLE, "Title",
         "say that a prediction model is developed or evaluated, in whom, for which outcome",
         needs=("target", "model"), where="The title names model and outcome.",
         authors="the target population"),
    Item("2", _TITLE, "Abstract", "a structured summary along TRIPOD+AI for abstracts",
         authors="the abstract"),
    Item("3a", _INTRODUCTION, "Background",
         "the clinical setting, diagnostic or prognostic, why a model, which exist already",
         authors="setting, rationale and earlier models"),
    Item("3b", _INTRODUCTION, "Purpose", "for which patients, at which point of their care, for whom to use",
         authors="intended patients, place in the pathway, intended users"),
    Item("3c", _INTRODUCTION, "Health inequalities",
         "known inequalities between groups of people that matter here", authors="known inequalities"),
    Item("4", _INTRODUCTION, "Objectives", "whether the study develops, evaluates, or both",
         needs=("validation",), section="models", where="Development and evaluation, section Models.",
         authors="the aim in clinical words"),
    Item("5a", _METHODS, "Data source",
         "where the data of development and of evaluation come from, and whom they stand for",
         needs=("data.source",), section="data", where="File and fingerprint, section Data.",
         authors="study design, and whom the data represent"),
    Item("5b", _METHODS, "Dates", "when patients were entered, and the end of follow-up",
         authors="start and end of accrual and of follow-up"),
    Item("6a", _METHODS, "Setting", "kind, number and place of the centres", needs=("sites",),
         section="sites", where="The sites are named, section Sites.", authors="kind of care and places"),
    Item("6b", _METHODS, "Eligibility", "who could be in the study and who could not", needs=("flow",),
         section="flow", where="Cohort rules with counts, section Flow.",
         authors="criteria applied before the table was made"),
    Item("6c", _METHODS, "Treatments", "treatments that patients had, and how they were dealt with",
         authors="treatments"),
    Item("7", _METHODS, "Data preparation",
         "cleaning and checks of quality, and whether they were alike in all groups",
         needs=("data.fingerprint", "schema"), section="data",
         where="Types, refusals and audit, sections Data and Leakage.",
         authors="what was done before the table reached iatros"),
    Item("8a", _METHODS, "Outcome",
         "what it is, over which horizon, how and when it was measured, the same way in all groups",
         needs=("target",), where="Column and event, in the title block.",
         authors="definition, time horizon and way of measuring"),
    Item("8b", _METHODS, "Outcome assessors", "who judged the outcome where it takes judgement",
         authors="assessors"),
    Item("8c", _METHODS, "Outcome blinding", "whether assessors knew the predictors",
         authors="blinding of the outcome"),
    Item("9a", _METHODS, "Choice of predictors",
         "why these were offered to the model, and any selection beforehand", needs=("schema",),
         section="data", where="Columns offered, section Data.", authors="why these columns and not others"),
    Item("9b", _METHODS, "Predictor definitions", "what each is, how and when it was measured",
         needs=("schema",), section="data", where="Kind, unit, range and time of recording, section Data.",
         authors="ways of measuring"),
    Item("9c", _METHODS, "Predictor assessors", "who judged predictors that take judgement",
         authors="assessors"),
    Item("10", _METHODS, "Sample size", "how it came about, and whether it is enough for the purpose",
         needs=("sample_size",), section="sample-size", where="Riley's criteria, section Sample size."),
    Item("11", _METHODS, "Missing data", "how missing values were handled, and why any data were left out",
         needs=("request", "table_one"), section="data", where="Section Data."),
    Item("12a", _METHODS, "Use of the data", "which patients served to develop and which to evaluate",
         needs=("splits",), section="flow", where="Sides with counts, section Flow."),
    Item("12b", _METHODS, "Handling of predictors", "functional form, scaling, transformation",
         needs=("request",), section="reproducibility",
         where="Request and parameters, section Reproducibility."),
    Item("12c", _METHODS, "Building the model",
         "kind of model and why, every step, tuning, and internal validation", needs=("models", "validation"),
         section="models", where="Sections Models and Reproducibility.", authors="why these kinds of model"),
    Item("12d", _METHODS, "Heterogeneity",
         "whether and how differences between centres or countries were looked at", needs=("sites", "pooled"),
         section="sites", where="Internal-external validation, section Sites.", only_with="sites",
         otherwise="Sites were not compared in this run."),
    Item("12e", _METHODS, "Performance measures", "all measures and plots, and how models are compared",
         needs=("metrics",), section="models", where="Sections Models to Decision curve."),
    Item("12f", _METHODS, "Model updating", "any recalibration that followed from the evaluation",
         needs=("parent",), section="reproducibility",
         where="The parent bundle is named, section Reproducibility.", only_with="parent",
         otherwise="This model was not made from another."),
    Item("12g", _METHODS, "Making predictions",
         "how predictions were calculated for the evaluation: formula, code, service", needs=("versions",),
         section="reproducibility", where="By iatros, versions in section Reproducibility."),
    Item("13", _METHODS, "Class imbalance",
         "whether it was acted on, why and how, and what that did to calibration",
         needs=("request", "calibration"), section="calibration",
         where="No patients were resampled; class weights only where a parameter in "
         "the request says so, followed by calibration."),
    Item("14", _METHODS, "Fairness", "what was done about fairness, and why", needs=("subgroups",),
         section="subgroups", where="Subgroups with gaps, section Subgroups.",
         authors="why these groups, and what follows"),
    Item("15", _METHODS, "Model output",
         "what the model gives: probabilities, classes; how thresholds were found", needs=("target", "task"),
         section="thresholds", where="Sections Thresholds and Conformal prediction."),
    Item("16", _METHODS, "Development against evaluation",
         "differences in setting, eligibility, outcome and predictors", needs=("validation", "splits"),
         section="models", where="The validation is described in section Models.",
         authors="differences in setting and measuring"),
    Item("17", _METHODS, "Ethics", "approval, and consent or its waiver",
         authors="committee, number, consent"),
    Item("18a", _OPEN, "Funding", "who paid, and their part in the study", authors="funding"),
    Item("18b", _OPEN, "Conflicts of interest", "of every author", authors="declarations"),
    Item("18c", _OPEN, "Protocol", "where it can be read, or that there is none", authors="protocol"),
    Item("18d", _OPEN, "Registration", "register and number, or that there is none", authors="registration"),
    Item("18e", _OPEN, "Data sharing", "who can have the data, and how", authors="access to the data"),
    Item("18f", _OPEN, "Code sharing", "where the code is", needs=("versions", "request"),
         section="reproducibility", where="iatros and the request, section Reproducibility.",
         authors="where further code can be had"),
    Item("19", _INVOLVEMENT, "Involvement", "how patients and the public took part, or that they did not",
         authors="patient and public involvement"),
    Item("20a", _RESULTS, "Flow",
         "patients through the study, with and without the outcome, and their follow-up",
         needs=("flow", "splits"), section="flow", where="Section Flow.",
         authors="length of follow-up, where there was one"),
    Item("20b", _RESULTS, "Characteristics", "of the patients, with outcome and missing values, by source",
         needs=("table_one",), section="table-one", where="Table 1."),
    Item("20c", _RESULTS, "Comparison",
         "predictors of the development patients against those of the evaluation patients", needs=("splits",),
         section="flow", where="Sizes and events by side, section Flow.", authors="predictors side by side"),
    Item("21", _RESULTS, "Numbers analysed", "patients and events in each analysis",
         needs=("splits", "metrics"), section="flow", where="Section Flow, and n with every number."),
    Item("22", _RESULTS, "The model itself", "enough to predict for a new patient, and who may use it",
         needs=("model", "schema"), section="reproducibility",
         where="The bundle beside this report predicts; its columns are in section Data.",
         authors="who may have the bundle"),
    Item("23a", _RESULTS, "Performance", "with intervals, and in the groups that matter", needs=("metrics",),
         section="models", where="Sections Models to Subgroups."),
    Item("23b", _RESULTS, "Heterogeneity", "of performance between centres or countries",
         needs=("sites", "pooled"), section="sites", where="Section Sites.", only_with="sites",
         otherwise="Sites were not compared in this run."),
    Item("24", _RESULTS, "Updating", "results of any updating: the new model and its performance",
         needs=("parent", "metrics"), section="calibration", where="Section Calibration.", only_with="parent",
         otherwise="This model was not made from another."),
    Item("25", _DISCUSSION, "Interpretation",
         "what the results mean, fairness included, beside earlier studies", authors="interpretation"),
    Item("26", _DISCUSSION, "Limitations",
         "such as who is not represented, sample size, overfitting, missing data",
         needs=("sample_size", "leakage"), section="sample-size", where="What to weigh, in the title block.",
         authors="what the authors know beyond it"),
    Item("27a", _DISCUSSION, "Poor input", "what to do at the bedside about poor or missing input",
         needs=("schema",), section="data",
         where="Missing values are filled; values outside the training range are "
         "flagged by predict.", authors="what users should do then"),
    Item("27b", _DISCUSSION, "Users", "what users must do and know",
         authors="interaction and expertise needed"),
    Item("27c", _DISCUSSION, "Next steps", "research that is still needed, for use elsewhere above all",
         authors="next steps"),
)
# fmt: on
