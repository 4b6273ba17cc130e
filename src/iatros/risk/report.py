"""The report of a risk model: a document laid out along TRIPOD+AI, from the result of a training or an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from iatros.core.report import Document, Section, render
from iatros.core.report_sections.calibration import calibration_section
from iatros.core.report_sections.conformal import conformal_section
from iatros.core.report_sections.flow import flow_section
from iatros.core.report_sections.groups import sites_section, subgroups_section
from iatros.core.report_sections.performance import discrimination_section, models_section
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.record import reproducibility_section
from iatros.core.report_sections.tripod import tripod_section
from iatros.core.report_sections.usefulness import decision_section, thresholds_section
from iatros.risk.report_sections.explanation import explanation_section
from iatros.risk.report_sections.opening import opening, question, title
from iatros.risk.report_sections.patients import data_section, table_one_section
from iatros.risk.report_sections.trust import leakage_section, size_section

_SECTIONS: tuple[Callable[[Result], Section], ...] = (
    flow_section,
    table_one_section,
    models_section,
    discrimination_section,
    calibration_section,
    decision_section,
    thresholds_section,
    subgroups_section,
    sites_section,
    leakage_section,
    explanation_section,
    size_section,
    conformal_section,
    data_section,
    reproducibility_section,
    tripod_section,
)

_REFERENCES = {
    "Flow of patients": "TRIPOD+AI 6b, 20a, 21",
    "Models beside each other": "TRIPOD+AI 12c, 12e, 23a",
    "Discrimination": "TRIPOD+AI 12e, 23a",
    "Calibration": "TRIPOD+AI 12e, 23a",
    "Decision curve": "TRIPOD+AI 12e, 23a",
    "Thresholds": "TRIPOD+AI 15",
    "Subgroups": "TRIPOD+AI 14, 23a",
    "Sites": "TRIPOD+AI 12d, 23b",
    "Sites left out in turn": "TRIPOD+AI 12d, 16, 23b",
    "Conformal prediction": "TRIPOD+AI 15, 23a",
    "Reproducibility": "TRIPOD+AI 18f, 22",
}
"""What the sections that every domain has answer here."""

_REASONS = {
    "table_one": "the run made no Table 1",
    "explanation": "the run explained no predictions",
    "sample_size": "the check is defined for binary and continuous outcomes, with a known c-statistic or R²",
    "instability": "the final model was not refitted on resampled patients",
}

_BANNER = (
    "Research software, not a medical device. Nothing here has been approved for the care of patients; "
    "a prediction supports a clinician's judgement and does not replace it."
)


def build(result: Mapping[str, Any]) -> Document:
    """The report as a document; a part that `result` lacks is named as not available, with the reason.

    >>> build({"task": "binary", "target": {"name": "death"}, "model": "forest"}).sections[0].title
    'Flow of patients'
    """
    reading = Result(result, _REASONS, frozenset(_REASONS))
    version = reading.mapping("versions").get("iatros") or reading.part("iatros")
    made = reading.mapping("created").get("at")
    closing = "Written by iatros" + (f" {version}" if version else "") + (f", {made}" if made else "")
    return Document(
        title=title(reading),
        kicker="Clinical prediction model report",
        subtitle=question(reading),
        banner=_BANNER,
        opening=opening(reading),
        sections=tuple(_referenced(section(reading)) for section in _SECTIONS),
        closing=closing + ". Research software, not a medical device.",
    )


def _referenced(section: Section) -> Section:
    return replace(section, references=section.references or _REFERENCES.get(section.title, ""))


def html(result: Mapping[str, Any]) -> str:
    """The report as one self-contained HTML page.

    >>> html({"model": "forest"}).startswith("<!DOCTYPE html>")
    True
    """
    return render(build(result))
