"""The report of a model of the next medications, from the result of its training or of its evaluation elsewhere."""

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
from iatros.core.report.numbers import NONE, rounded
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.record import closing, reproducibility_section
from iatros.core.report_sections.tripod import tripod_section
from iatros.core.report_sections.words import split_label
from iatros.treatment.sequences.findings import NEW, WORDS, estimate, findings, headline

_HEADLINE = ("jaccard", "prauc", "f1")
_BESIDE = ("jaccard", "f1", "prauc", "recall_at_k", "interaction_rate")
_BANNER = (
    "Research software, not a medical device. It tells what is usually prescribed, not what helps; nothing here has "
    "been approved for the care of patients."
)
_STANDING = (
    "The model imitates prescriptions. Where these were wrong, it is wrong likewise.",
    "A medication that is not recommended is not thereby unneeded, and one that is recommended is not thereby safe: "
    "interactions, contraindications and doses are checked elsewhere.",
    "What is coded is not all that was known at the bedside.",
    "Published deep models exceed logistic regression by about 0.06 in the Jaccard index on MIMIC-III; compare with it "
    "before relying on more layers.",
)


def build(result: Mapping[str, Any]) -> Document:
    """The report as data, ready to be drawn."""
    reading = Result(result)
    version = reading.mapping("versions").get("iatros")
    sections = [_data(result)]
    if result.get("models"):
        sections.append(_models(result))
    sections += [_performance(result), _agreement(result)]
    if result.get("conformal"):
        sections.append(_promise(result))
    sections += [_limits(result), reproducibility_section(reading), tripod_section(reading)]
    return Document(
        title=title(result),
        kicker="Next medication model report",
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
    return f"{done} {article} {result['model']} model of the {result['target']['name']}"


def question(result: Mapping[str, Any]) -> str:
    """What is asked of each visit, in one sentence."""
    known = (
        "this visit's other codes and all earlier visits"
        if result["known"] == "current"
        else "earlier visits"
    )
    return f"Which medications are usually prescribed next, given {known}?"


def _opening(result: Mapping[str, Any]) -> tuple[Block, ...]:
    metrics = headline(result)
    others = [one["name"] for one in result.get("models", ()) if not one["selected"]]
    facts = (
        (
            "Visits",
            f"{result['data']['source']}, {result['n_asked']:,} visits with medications of {result['n_subjects']:,} "
            "subjects",
        ),
        ("Model", result["model"] + (f" (also judged: {', '.join(others)})" if others else "")),
        ("Judged on", f"{NEW[result['validation']]}, n = {metrics['jaccard']['n']:,}"),
        ("Standing", result["statement"]),
    )
    shown = tuple(
        KeyNumber(WORDS[name][0], estimate(metrics[name]), metrics[name]["interval"]) for name in _HEADLINE
    )
    return (
        Facts(facts), KeyNumbers(shown), Heading("What to weigh before trusting it"), Findings(findings(result)),
    )  # fmt: skip


def _data(result: Mapping[str, Any]) -> Section:
    data = result["data"]
    facts: tuple[tuple[str, str], ...] = (
        ("Subjects", f"{result['n_subjects']:,}"),
        ("Visits", f"{result['n_visits']:,}"),
        ("Visits asked about", f"{result['n_asked']:,}, of which {result['n_first']:,} are first visits"),
        ("Lines read", f"{data['n_lines']:,}"),
        ("Merged into an equal code of the visit", f"{data['n_merged']:,}"),
        ("Lines refused", f"{data['n_refused']:,}"),
        *((f"Known codes: {kind}", f"{n:,}") for kind, n in result["vocabulary"].items()),
        ("Prescriptions that the model does not know", f"{result['outside_percent']:.1f} %"),
    )
    blocks: tuple[Block, ...] = (Facts(facts),)
    reasons = tuple(Row((reason, f"{n:,}")) for reason, n in data["reasons"].items())
    if reasons:
        blocks += (Table(("Reason of refusal", "Lines"), reasons, right=(1,)),)
    sides = tuple(
        Row((split_label(name), f"{side['n_rows']:,}", f"{side['n_patients']:,}"))
        for name, side in (result.get("splits") or {}).items()
    )
    if sides:
        blocks += (Table(("Side", "Visits", "Subjects"), sides, right=(1, 2)),)
    return Section("Subjects and visits", blocks, "flow")


def _models(result: Mapping[str, Any]) -> Section:
    lead = (
        "Every model was judged on the same visits. previous repeats the set of the visit before, frequency takes what "
        "is given most often, logistic is a regression on the codes."
    )
    names = [name for name in _BESIDE if name in result["models"][0]["metrics"]]
    differ: Mapping[str, Any] = next(
        (one["differences"] for one in result["models"] if "differences" in one), {}
    )
    header = [
        "Model",
        *(WORDS[name][0] for name in names),
        *(f"Jaccard index less {other}" for other in differ),
    ]
    rows = []
    for one in result["models"]:
        cells: list[Cell] = [one["name"] + (" (kept)" if one["selected"] else "")]
        cells += [estimate(one["metrics"][name]) for name in names]
        for other in differ:
            found = one.get("differences", {}).get(other, {}).get("jaccard")
            cells.append(Estimate(found["value"], found["low"], found["high"]) if found else NONE)
        rows.append(Row(tuple(cells), "strong" if one["selected"] else "plain"))
    foot = "Differences are paired: both models on the same resamples of the same subjects." if differ else ""
    table = Table(
        tuple(header), tuple(rows), foot=foot, right=tuple(range(1, len(header))), stacked=True, compact=True
    )
    return Section("Models beside each other", (Paragraph(lead, "lead"), table), "models")


def _performance(result: Mapping[str, Any]) -> Section:
    metrics = headline(result)
    lead = f"On {NEW[result['validation']]}; of a ranking the first {result['k']} count. Intervals draw subjects."
    rows = tuple(
        Row((WORDS[name][0], estimate(metrics[name]), WORDS[name][1])) for name in WORDS if name in metrics
    )
    table = Table(("Metric", "Value", "What it tells"), rows, right=(1,), stacked=True)
    return Section("Performance", (Paragraph(lead, "lead"), table), "performance")


def _agreement(result: Mapping[str, Any]) -> Section:
    points = result["reliability"]
    predicted, observed = [p["predicted"] for p in points], [p["observed"] for p in points]
    top = max([*predicted, *observed, 0.1])
    chart = LineChart(
        "Predicted and observed",
        f"{len(points)} groups of equally many visits and medications by their probability.",
        Axis("Predicted probability", 0.0, top),
        Axis("Share prescribed", 0.0, top),
        (Series("equal", [0.0, top], [0.0, top], dash="dashed", role="reference"),),
        (Points("groups", predicted, observed),),
    )
    return Section("Calibration", (chart,), "calibration")


def _promise(result: Mapping[str, Any]) -> Section:
    control = result["conformal"]
    how = (
        "on the mean over new subjects drawn like these (conformal risk control)"
        if control["certainty"] is None
        else f"with a certainty of {100 * control['certainty']:.0f} % about the calibration subjects "
        "(risk-controlling prediction sets)"
    )
    text = (
        f"Every medication with a probability of at least {rounded(control['threshold'])} is in the set that promises "
        f"to miss at most {100 * control['missed']:.0f} % of the medications that the model knows, {how}. It was "
        f"learned on {control['n_subjects']:,} subjects. It promises nothing for other hospitals or later years."
    )
    facts = (
        ("Missed on the judged visits", str(estimate(control["reached"]))),
        ("Mean size", f"{estimate(control['mean_size'])} of {control['n_medications']} medications"),
    )
    return Section("Sets with a promise", (Paragraph(text), Facts(facts)), "conformal")


def _limits(result: Mapping[str, Any]) -> Section:
    notes = [str(note) for note in result["notes"]] or [NONE]
    blocks: tuple[Block, ...] = (
        *(Paragraph(text) for text in _STANDING),
        Heading("Remarks of the run"),
        *(Paragraph(note, "small") for note in notes),
    )
    return Section("Limits", blocks, "limits")
