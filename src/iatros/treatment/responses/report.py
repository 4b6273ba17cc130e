"""The report of a model of responses, from the result of its training or of its evaluation elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Cell,
    Document,
    Estimate,
    Facts,
    Findings,
    Heading,
    KeyNumber,
    KeyNumbers,
    LineChart,
    Paragraph,
    Points,
    Row,
    Section,
    Series,
    Table,
)
from iatros.core.report.numbers import NONE
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.record import closing, reproducibility_section
from iatros.core.report_sections.tripod import tripod_section
from iatros.treatment.responses.findings import NEW, WORDS, estimate, findings, main_of

_HEADLINE = {
    "continuous": ("rmse", "within_treatment", "normalised_pearson"),
    "binary": ("auroc", "within_treatment", "log_loss"),
    "implicit": ("auprc", "auroc", "recall"),
}
_BESIDE = {
    "continuous": ("rmse", "pearson", "within_treatment", "within_subject"),
    "binary": ("log_loss", "auroc", "within_treatment"),
    "implicit": ("auprc", "auroc", "recall"),
}
_TREATMENTS_SHOWN = 25
_BANNER = (
    "Research software, not a medical device. A ranking of treatments supports a clinician's judgement and does not "
    "replace it; nothing here has been approved for the care of patients."
)
_STANDING = (
    "A prediction is about subjects like these, treated as these were. It is no estimate of what a treatment changes: "
    "the action effect asks that.",
    "Treatments that were given to few rest on what is known of the others.",
    "Outcomes that are missing are not missing by chance: who stops early, or is never given a treatment, is not here.",
)


def build(result: Mapping[str, Any]) -> Document:
    """The report as data, ready to be drawn."""
    reading = Result(result)
    version = reading.mapping("versions").get("iatros")
    sections = [_data(result)]
    if result.get("models"):
        sections.append(_models(result))
    sections += [_performance(result), _agreement(result)]
    if result.get("treatments"):
        sections.append(_treatments(result))
    sections += [
        _intervals(result),
        _limits(result),
        reproducibility_section(reading),
        tripod_section(reading),
    ]
    return Document(
        title=title(result),
        kicker="Treatment response model report",
        subtitle=question(result),
        banner=_BANNER,
        opening=_opening(result),
        sections=tuple(sections),
        closing=closing(version),
    )


def title(result: Mapping[str, Any]) -> str:
    """The title: developed or evaluated, what, by which model."""
    done = "Evaluating" if result["validation"] == "external" else "Developing and evaluating"
    article = "an" if result["model"][:1] in "aeiou" else "a"
    return f"{done} {article} {result['model']} model of {result['target']['name']}"


def question(result: Mapping[str, Any]) -> str:
    """What is asked of each pair, in one sentence."""
    if result["outcome_kind"] == "implicit":
        return "Which treatments are usually given to a subject like this?"
    unit = f", in {result['target']['unit']}" if result["target"].get("unit") else ""
    if result["outcome_kind"] == "binary":
        target = result["target"]
        return f"How likely is {target['name']} {target['classes'][1]} of this subject with this treatment?"
    return f"What will {result['target']['name']} of this subject with this treatment be{unit}?"


def _opening(result: Mapping[str, Any]) -> tuple[Block, ...]:
    metrics = result["metrics"]["judged"]
    others = [one["name"] for one in result.get("models", ()) if not one["selected"]]
    facts = (
        (
            "Responses",
            f"{result['data']['source']}, {result['n_responses']:,} of {result['n_subjects']:,} subjects to "
            f"{result['n_treatments']:,} treatments",
        ),
        ("Model", result["model"] + (f" (also trained: {', '.join(others)})" if others else "")),
        ("Judged on", f"{NEW[result['validation']]}, n = {_n_judged(result):,}"),
        ("What an answer is", result["standing"].partition(":")[0]),
    )
    shown = tuple(
        KeyNumber(WORDS[name][0], estimate(metrics[name]), metrics[name]["interval"])
        for name in _HEADLINE[result["outcome_kind"]]
        if name in metrics
    )
    return (
        Facts(facts),
        KeyNumbers(shown),
        Heading("What to weigh before trusting it"),
        Findings(findings(result)),
    )


def _n_judged(result: Mapping[str, Any]) -> int:
    return int(result["metrics"]["judged"][main_of(result)]["n"])


def _data(result: Mapping[str, Any]) -> Section:
    data = result["data"]
    facts: tuple[tuple[str, str], ...] = (
        ("Responses", f"{result['n_responses']:,}"),
        ("Subjects", f"{result['n_subjects']:,}"),
        ("Treatments", f"{result['n_treatments']:,}"),
        ("Pairs that were observed", f"{100 * result['density']:.1f} %"),
        ("Lines read", f"{data['n_read']:,}"),
        ("Merged into an earlier line of the pair", f"{data['n_merged']:,}"),
        ("Lines refused", f"{data['n_refused']:,}"),
    )
    rows = tuple(Row((reason, f"{n:,}")) for reason, n in data["reasons"].items())
    blocks: tuple[Block, ...] = (Facts(facts),)
    if rows:
        blocks += (Table(("Reason of refusal", "Lines"), rows, right=(1,)),)
    return Section("Responses and lines", blocks, "data")


def _models(result: Mapping[str, Any]) -> Section:
    shown = [name for name in _BESIDE[result["outcome_kind"]] if name in result["metrics"]["judged"]]
    main = main_of(result)
    compared = any("difference_to_baseline" in one for one in result["models"])
    header = ["Model", *(WORDS[name][0] for name in shown)]
    if compared:
        header.append(f"{WORDS[main][0]}, difference to baseline")
    rows = []
    for one in result["models"]:
        metrics = one["metrics"]["judged"]
        cells: list[Cell] = [one["name"] + (" (kept)" if one["selected"] else "")]
        cells += [estimate(metrics[name]) if name in metrics else NONE for name in shown]
        if compared:
            found = one.get("difference_to_baseline", {}).get(main)
            cells.append(Estimate(found["value"], found["low"], found["high"]) if found else "baseline")
        rows.append(Row(tuple(cells), "strong" if one["selected"] else "plain"))
    lead = (
        "Every model was judged on the same pairs. The baseline is the mean of each treatment and each subject, drawn "
        "towards the mean of all."
    )
    table = Table(
        tuple(header), tuple(rows), right=tuple(range(1, len(header))), stacked=True, compact=True,
        foot="Differences are paired: both models on the same resamples of the same pairs." if compared else "",
    )  # fmt: skip
    return Section("Models beside each other", (Paragraph(lead, "lead"), table), "models")


def _performance(result: Mapping[str, Any]) -> Section:
    metrics = result["metrics"]["judged"]
    rows = tuple(
        Row((label, estimate(metrics[name]), tells))
        for name, (label, tells) in WORDS.items()
        if name in metrics
    )
    extra = (
        (Paragraph(f"Of the judged pairs {100 * result['prevalence']:.2f} % had a response (prevalence)."),)
        if result.get("prevalence") is not None
        else ()
    )
    table = Table(
        ("Metric", f"Value (n = {_n_judged(result):,})", "What it tells"), rows, right=(1,), stacked=True
    )
    return Section("Performance", (Paragraph(_lead(result), "lead"), *extra, table), "performance")


def _lead(result: Mapping[str, Any]) -> str:
    lead = (
        "Intervals are of a two-way bootstrap, for new subjects and new treatments of the same kinds; those of lists "
        f"are over subjects, and k is {result['k']}."
    )
    if result["validation"] == "external":
        return f"The bundle as it was trained, on {NEW['external']}. {lead}"
    if result["validation"] == "time":
        return f"The latest responses were judged by a model that had learned from the earlier ones. {lead}"
    told = (
        f" Of each judged subject the model was told the first {result['given']} responses, which are not judged."
        if result.get("given")
        else ""
    )
    return (
        f"Each pair was predicted once, by a model that had learned from other folds, in {result['n_folds']} folds: "
        f"it was judged on {NEW[result['validation']]}.{told} {lead}"
    )


def _agreement(result: Mapping[str, Any]) -> Section:
    if result["outcome_kind"] != "continuous":
        return _calibration(result)
    predicted, observed = result["scatter"]["predicted"], result["scatter"]["observed"]
    low, high = min(*predicted, *observed), max(*predicted, *observed)
    chart = LineChart(
        "Predicted and observed",
        f"{len(predicted)} pairs drawn at random, each predicted by a model that had not learned from it.",
        Axis(f"Predicted {result['target']['name']}", low, high),
        Axis(f"Observed {result['target']['name']}", low, high),
        (Series("equal", [low, high], [low, high], dash="dashed", role="reference"),),
        (Points("pairs", predicted, observed, hollow=True),),
    )
    return Section("Agreement", (chart,), "agreement")


def _calibration(result: Mapping[str, Any]) -> Section:
    table = result.get("calibration_table") or []
    if not table:
        return Section("Agreement", (Paragraph("No calibration was computed."),), "agreement")
    predicted, observed = [one["predicted"] for one in table], [one["observed"] for one in table]
    top = max(*predicted, *observed, 1e-6)
    chart = LineChart(
        "Predicted probability and observed share",
        "In tenths of the judged pairs; probabilities were learned from other subjects than those shown.",
        Axis("Predicted probability", 0.0, top),
        Axis("Observed share", 0.0, top),
        (Series("equal", [0.0, top], [0.0, top], dash="dashed", role="reference"),),
        (Points("tenths", predicted, observed),),
    )
    return Section("Agreement", (chart,), "agreement")


def _treatments(result: Mapping[str, Any]) -> Section:
    shown = result["treatments"][:_TREATMENTS_SHOWN]
    rows = tuple(
        Row((one["treatment"], f"{one['n']:,}", f"{one['mean']:.3g}",
             NONE if one["mean_error"] is None else f"{one['mean_error']:.3g}"))
        for one in shown
    )  # fmt: skip
    more = len(result["treatments"]) - len(shown)
    foot = f"{more} further treatments, with fewer responses, are in the result." if more > 0 else ""
    header = ("Treatment", "Responses", "Mean outcome", "Mean absolute error")
    return Section(
        "Treatments", (Table(header, rows, right=(1, 2, 3), foot=foot, compact=True),), "treatments"
    )


def _intervals(result: Mapping[str, Any]) -> Section:
    if result["outcome_kind"] == "continuous":
        found = result.get("intervals") or {}
        width = found.get("mean_width")
        text = (
            f"An answer comes with an interval that promises to hold {100 * result['coverage']:.0f} % of the outcomes "
            "of new subjects like these (split conformal, as wide for a treatment as its own errors ask for)."
        )
        if found:
            text += (
                f" It held {estimate(found['coverage'])} of outcomes of subjects that it was not learned from"
            )
            text += f", with a mean width of {width:.3g}." if width is not None else "."
    else:
        text = (
            "A probability comes with two bounds (Venn-Abers): what it would be if this pair turned out one way or the "
            "other. Far apart they say that few pairs with such scores were seen."
        )
    return Section("Intervals of predictions", (Paragraph(text),), "intervals")


def _limits(result: Mapping[str, Any]) -> Section:
    notes = [str(note) for note in result["notes"]] or [NONE]
    blocks: tuple[Block, ...] = (
        Paragraph(f"Every answer is {result['standing']}."),
        *(Paragraph(text) for text in _STANDING),
        Heading("Remarks of the run"),
        *(Paragraph(note, "small") for note in notes),
    )
    return Section("Limits", blocks, "limits")
