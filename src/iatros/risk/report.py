"""The report of a risk model: a document laid out along TRIPOD+AI, from the result of a training or an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from iatros.core.report import Document, Section, render
from iatros.risk.report_sections.calibration import calibration_section
from iatros.risk.report_sections.explanation import explanation_section
from iatros.risk.report_sections.groups import sites_section, subgroups_section
from iatros.risk.report_sections.opening import opening, question, title
from iatros.risk.report_sections.patients import data_section, flow_section, table_one_section
from iatros.risk.report_sections.performance import discrimination_section, models_section
from iatros.risk.report_sections.reading import Result
from iatros.risk.report_sections.record import reproducibility_section, tripod_section
from iatros.risk.report_sections.trust import conformal_section, leakage_section, size_section
from iatros.risk.report_sections.usefulness import decision_section, thresholds_section

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

_BANNER = (
    "Research software, not a medical device. Nothing here has been approved for the care of patients; "
    "a prediction supports a clinician's judgement and does not replace it."
)


def build(result: Mapping[str, Any]) -> Document:
    """The report as a document; a part that `result` lacks is named as not available, with the reason.

    >>> build({"task": "binary", "target": {"name": "death"}, "model": "forest"}).sections[0].title
    'Flow of patients'
    """
    reading = Result(result)
    version = reading.mapping("versions").get("iatros") or reading.part("iatros")
    made = reading.mapping("created").get("at")
    closing = "Written by iatros" + (f" {version}" if version else "") + (f", {made}" if made else "")
    return Document(
        title=title(reading),
        kicker="Clinical prediction model report",
        subtitle=question(reading),
        banner=_BANNER,
        opening=opening(reading),
        sections=tuple(section(reading) for section in _SECTIONS),
        closing=closing + ". Research software, not a medical device.",
    )


def html(result: Mapping[str, Any]) -> str:
    """The report as one self-contained HTML page.

    >>> html({"model": "forest"}).startswith("<!DOCTYPE html>")
    True
    """
    return render(build(result))
