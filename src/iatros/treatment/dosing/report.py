"""The report of a model of doses; what it gets wrong, and for whom, stands before the headline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Cell,
    Document,
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
from iatros.core.report_sections.calibration import calibration_section
from iatros.core.report_sections.flow import flow_section
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.record import closing, reproducibility_section
from iatros.core.report_sections.tripod import tripod_section
from iatros.treatment.dosing.findings import estimate, findings, headline, label

SHOWN = ("mae", "within_20_percent", "r2")
_EVERY = ("mae", "medae", "rmse", "r2", "pearson", "within_20_percent", "bias", "calibration_slope")
_BANNER = (
    "Research software, not a medical device. A predicted dose is a starting point for a clinician who follows the "
    "patient's response; nothing here has been approved for the care of patients."
)
_STANDING = (
    "The dose that a patient needed was found by those who gave treatment: what is learned is their practice, with "
    "their target and their laboratory.",
    "Patients who never reached a stable dose are not here, and they may be those who are hardest to dose.",
    "Intervals hold the promised share over all patients like these. Nothing guarantees it in one group nor later.",
    "Other drugs, new since training, are not seen. No prediction replaces monitoring.",
)
_REASONS = {"calibration": "doses are not recalibrated"}
_REFERENCES = {
    "Flow of patients": "TRIPOD+AI 6b, 20a, 21",
    "Models beside each other": "TRIPOD+AI 12c, 12e, 23a",
    "Groups of patients": "TRIPOD+AI 14, 23a",
    "Left out in turn": "TRIPOD+AI 12d, 16, 23b",
    "Calibration": "TRIPOD+AI 12e, 23a",
    "Intervals of doses": "TRIPOD+AI 15, 23a",
    "Sample size": "TRIPOD+AI 10",
    "Data": "TRIPOD+AI 5a, 7, 9, 11",
    "Reproducibility": "TRIPOD+AI 18f, 22",
}


def build(result: Mapping[str, Any]) -> Document:
    """The report as data, ready to be drawn."""
    reading = Result(result, _REASONS)
    version = reading.mapping("versions").get("iatros")
    sections = [_groups(result), flow_section(reading)]
    if result.get("models"):
        sections.append(_models(result))
    sections.append(_performance(result))
    if result.get("left_out"):
        sections.append(_left_out(result))
    if result.get("curves"):
        sections.append(calibration_section(reading))
    sections.append(_intervals(result))
    if result.get("sample_size"):
        sections.append(_sample_size(result))
    sections += [_data(result), _limits(result), reproducibility_section(reading), tripod_section(reading)]
    return Document(
        title=title(result),
        kicker="Dose model report",
        subtitle=question(result),
        banner=_BANNER,
        opening=_opening(result),
        sections=tuple(replace(one, references=_REFERENCES.get(one.title, "")) for one in sections),
        closing=closing(version),
    )


def title(result: Mapping[str, Any]) -> str:
    """The title: developed or evaluated, what, by which model."""
    done = "Evaluating" if result["validation"] == "external" else "Developing and evaluating"
    return f"{done} a model of {result['target']['name']} by {result['model']}"


def question(result: Mapping[str, Any]) -> str:
    """What is asked of each patient, in one sentence."""
    return f"Which {result['target']['name']} will this patient need, in {result['target']['unit']}?"


def judged_by(result: Mapping[str, Any]) -> str:
    """Who the patients are that the numbers are about."""
    n = headline(result)["mae"]["n"]
    if result["validation"] == "external":
        return f"patients from elsewhere or later, n = {n:,}"
    return f"every patient once, by the procedure without them, in {result['n_folds']} folds, n = {n:,}"


def _opening(result: Mapping[str, Any]) -> tuple[Block, ...]:
    """Facts, then the errors by band and by group, then the headline, then what to weigh."""
    metrics = headline(result)
    facts = (
        (
            "Patients",
            f"{result['data']['source']}, {result['data']['n_used']:,} with a dose that can be used",
        ),
        ("Model", result["model"]),
        ("Judged on", judged_by(result)),
    )
    numbers = tuple(
        KeyNumber(label(name), estimate(name, metrics[name]), metrics[name]["interval"])
        for name in SHOWN
        if name in metrics
    )
    return (
        Facts(facts),
        Heading("Where it errs"),
        by_band(result),
        by_level(result),
        Heading("Over all patients"),
        KeyNumbers(numbers),
        Heading("What to weigh before trusting it"),
        Findings(findings(result)),
    )


def by_band(result: Mapping[str, Any]) -> Table:
    """Errors of low, middle and high doses, by the dose that was predicted and by the one that was needed."""
    rows: list[Row] = []
    first, second = result["bands"]
    unit = result["target"]["unit"]
    words = {
        "low": f"up to {first:g} {unit}",
        "middle": f"{first:g} to {second:g} {unit}",
        "high": f"{second:g} {unit} and more",
    }
    for heading, key in (
        ("By the predicted dose", "by_predicted_dose"),
        ("By the dose that was needed", "by_needed_dose"),
    ):
        rows.append(Row((heading,), "heading"))
        rows += [_group_row(words[name], part) for name, part in result[key].items()]
    return Table(
        ("Dose", "n", *(label(name) for name in SHOWN[:2])), tuple(rows), right=(1, 2, 3), compact=True
    )


def by_level(result: Mapping[str, Any]) -> Block:
    """Errors and coverage in each subgroup; a remark where none was asked for."""
    rows: list[Row] = []
    for column, found in result["subgroups"].items():
        rows.append(Row((column,), "heading"))
        rows += [_group_row(level, part, coverage=True) for level, part in found["levels"].items()]
    if not rows:
        return Paragraph("No subgroup was named (subgroup): for whom it errs more is not known.", "small")
    header = ("Group", "n", *(label(name) for name in SHOWN[:2]), "Intervals hold")
    return Table(header, tuple(rows), right=(1, 2, 3, 4), compact=True)


def _group_row(name: str, part: Mapping[str, Any], *, coverage: bool = False) -> Row:
    if part.get("suppressed"):
        return Row((name, "fewer than 20", *(NONE for _ in range(3 if coverage else 2))))
    cells: list[Cell] = [name, f"{part['n']:,}"]
    cells += [estimate(metric, part["metrics"].get(metric)) for metric in SHOWN[:2]]
    if coverage:
        cells.append(estimate("coverage", part["coverage"]))
    return Row(tuple(cells))


def _groups(result: Mapping[str, Any]) -> Section:
    lead = (
        "The same answers, judged within groups. A group with few patients has a wide interval: that it overlaps "
        "another's is no proof that both fare alike."
    )
    rows: list[Row] = []
    names = ("mae", "rmse", "bias", "r2", "within_20_percent")
    for column, found in result["subgroups"].items():
        rows.append(Row((column,), "heading"))
        for level, part in found["levels"].items():
            if not part.get("suppressed"):
                cells = (estimate(name, part["metrics"].get(name)) for name in names)
                rows.append(Row((level, f"{part['n']:,}", *cells)))
    if not rows:
        return Section("Groups of patients", (by_level(result),), "subgroups")
    table = Table(
        ("Group", "n", *(label(name) for name in names)), tuple(rows), right=(1, 2, 3, 4, 5, 6), stacked=True
    )
    return Section("Groups of patients", (Paragraph(lead, "lead"), table), "subgroups")


def _models(result: Mapping[str, Any]) -> Section:
    lead = (
        "All judged on the same patients. References learn nothing but the median dose, or are published equations; "
        "differences are what is kept less the other, in the same resamples of patients."
    )
    rows = []
    for one in result["models"]:
        cells: list[Cell] = [one["name"] + (" (kept)" if one["selected"] else "")]
        cells += [
            estimate(name, one["metrics"].get(name)) for name in ("mae", "rmse", "r2", "within_20_percent")
        ]
        gap = one.get("difference")
        cells += [estimate(name, gap[name]) if gap else NONE for name in ("mae", "within_20_percent")]
        rows.append(Row(tuple(cells), "strong" if one["selected"] else "plain"))
    header = (
        "Model", "Mean absolute error", "RMSE", "R²", "Within 20 %", "Difference in error", "Difference within 20 %",
    )  # fmt: skip
    table = Table(header, tuple(rows), right=(1, 2, 3, 4, 5, 6), stacked=True, compact=True)
    return Section("Models beside each other", (Paragraph(lead, "lead"), table), "models")


def _performance(result: Mapping[str, Any]) -> Section:
    metrics = headline(result)
    rows = tuple(
        Row((label(name), estimate(name, metrics[name]), metrics[name]["interval"]))
        for name in _EVERY
        if name in metrics
    )
    predicted, needed = result["scatter"]["predicted"], result["scatter"]["needed"]
    high = max(*predicted, *needed)
    name = f"{result['target']['name']}, {result['target']['unit']}"
    chart = LineChart(
        "Predicted and needed",
        f"{len(predicted)} patients drawn at random; between the dotted lines a prediction is within 20 %.",
        Axis(f"Predicted {name}", 0.0, high),
        Axis(f"Needed {name}", 0.0, high),
        (
            Series("equal", [0.0, high], [0.0, high], dash="dashed", role="reference"),
            Series("20 % above", [0.0, high], [0.0, high / 1.2], dash="dotted", role="reference"),
            Series("20 % below", [0.0, 0.8 * high], [0.0, high], dash="dotted", role="reference"),
        ),
        (Points("patients", predicted, needed, hollow=True),),
    )
    return Section(
        "Performance", (Table(("Metric", "Value", "Interval"), rows, right=(1,)), chart), "performance"
    )


def _left_out(result: Mapping[str, Any]) -> Section:
    lead = (
        "Each group away in turn: learned from all others, judged on its patients. This is what to expect where people "
        "or practice are new; intervals promise nothing there."
    )
    rows: list[Row] = []
    for column, parts in result["left_out"].items():
        rows.append(Row((column,), "heading"))
        for level, part in parts.items():
            rows.append(_group_row(level, part, coverage=True))
            for name, metrics in part.get("others", {}).items():
                cells = (estimate(metric, metrics.get(metric)) for metric in SHOWN[:2])
                rows.append(Row((name, NONE, *cells, NONE), indent=1))
    header = ("Left out", "n", *(label(name) for name in SHOWN[:2]), "Intervals hold")
    table = Table(header, tuple(rows), right=(1, 2, 3, 4), compact=True)
    return Section("Left out in turn", (Paragraph(lead, "lead"), table), "sites")


def _intervals(result: Mapping[str, Any]) -> Section:
    found = result["conformal"]
    unit = result["target"]["unit"]
    lead = (
        "Conformal intervals: their ends come from errors on patients of the training whom the candidates had not "
        "learned from (inner folds), in each band of predicted doses by itself. They promise the share over all "
        "patients like these; the groups above show where they hold more or fewer."
    )
    width = found["mean_extent"]
    facts = (
        ("Coverage promised", f"{100 * found['confidence_level']:.0f} %"),
        ("Coverage reached", str(estimate("coverage", found["coverage"]))),
        ("Mean width", NONE if width is None else f"{width:.1f} {unit}"),
    )
    return Section("Intervals of doses", (Paragraph(lead, "lead"), Facts(facts)), "conformal")


def _sample_size(result: Mapping[str, Any]) -> Section:
    found = result["sample_size"]
    facts = tuple(
        (name.replace("_", " ").capitalize(), f"{value:,.4g}" if isinstance(value, float) else str(value))
        for name, value in found.items()
        if isinstance(value, (int, float, str)) and not isinstance(value, bool)
    )
    lead = "Riley and others 2019: how many patients a regression with as many parameters needs."
    return Section("Sample size", (Paragraph(lead, "lead"), Facts(facts)), "sample-size")


def _data(result: Mapping[str, Any]) -> Section:
    data = result["data"]
    facts = (
        ("Rows read", f"{data['n_read']:,}"),
        ("Rows without a dose", f"{data['n_without_dose']:,}"),
        ("Rows refused", f"{data['n_refused']:,}"),
        ("Rows used", f"{data['n_used']:,}"),
        ("Fingerprint", str(data["fingerprint"])),
    )
    found: tuple[Block, ...] = (Facts(facts),)
    if data["reasons"]:
        rows = tuple(Row((reason, f"{n:,}")) for reason, n in data["reasons"].items())
        found += (Table(("Reason of refusal", "Rows"), rows, right=(1,)),)
    columns = (result.get("schema") or {}).get("columns", [])
    if columns:
        missing = result["seen"]["missing"]
        rows = tuple(
            Row((one["name"], one["kind"], _range(one), f"{100 * missing[one['name']]:.1f} %"))
            for one in columns
        )
        found += (Table(("Column", "Kind", "Range or levels", "Missing"), rows, right=(3,), compact=True),)
    return Section("Data", found, "data")


def _range(column: Mapping[str, Any]) -> str:
    if column["low"] is not None:
        return f"{column['low']:g} to {column['high']:g}" + (f" {column['unit']}" if column["unit"] else "")
    return ", ".join(column["levels"][:8]) + (", ..." if len(column["levels"]) > 8 else "")


def _limits(result: Mapping[str, Any]) -> Section:
    notes = [str(note) for note in result["notes"]] or [NONE]
    found: tuple[Block, ...] = (
        *(Paragraph(text) for text in _STANDING),
        Heading("Remarks of the run"),
        *(Paragraph(note, "small") for note in notes),
    )
    return Section("Limits", found, "limits")
