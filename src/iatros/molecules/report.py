"""The report of a model of activity: a document from the result of a training or an evaluation.

Keys of a result. A metric document is `core.intervals.Metric.document()`; a part that a run has not is absent or None.
`domain`, `model`, `task` (binary, continuous), `target` (the one endpoint, or how many), `endpoints` (each `name`,
`task`, `classes`, `unit`), `validation`, `headline_split`, `seed`, `metrics` (by split), `models`
(`comparison.beside_each_other`), `splits` (`n_rows`, `n_groups`, `n_values` by endpoint), `flow`, `chosen_thresholds`,
`data`, `notes`, `request`, `versions`, `parent` as in other domains, and

* `noun`: what the groups of the intervals are: scaffolds, clusters.
* `endpoint_metrics`: metric documents by endpoint; `measured`: `evidence.measured`.
* `by_endpoint`: `evidence.by_endpoint` (`curves`, `calibration`, `conformal`, `thresholds`).
* `calibrators`: the calibrator's document by endpoint.
* `domain_of_applicability`: `Domain.document()` with `inside` and `outside` (`n`, `metrics`).
* `drawn_apart` (`drawn_apart.drawn_apart`), `near_duplicates` (`duplicates.near_duplicates`), `cliffs` (a list, one for
  each endpoint), `y_scrambling` (`chance.y_scrambling`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from iatros.core.report import Document, Section, render
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.record import closing, reproducibility_section
from iatros.molecules.report_sections.compounds import compounds_section
from iatros.molecules.report_sections.opening import opening, question, title
from iatros.molecules.report_sections.performance import (
    models_section,
    performance_section,
    thresholds_section,
)
from iatros.molecules.report_sections.pictures import pictures_section
from iatros.molecules.report_sections.training import limits_section, training_section
from iatros.molecules.report_sections.trust import conformal_section, domain_section, trust_section

_SECTIONS: tuple[Callable[[Result], Section], ...] = (
    compounds_section,
    models_section,
    performance_section,
    pictures_section,
    thresholds_section,
    conformal_section,
    domain_section,
    trust_section,
    training_section,
    limits_section,
    reproducibility_section,
)
_REASONS = {
    "flow": "the run recorded no flow of compounds",
    "by_endpoint": "no endpoint could be judged: one class, or no variation",
    "thresholds": "no endpoint could be judged",
    "conformal": "no endpoint could be judged",
    "near_duplicates": "the run compared no sides",
}
_OF_TRAINING = frozenset({"drawn_apart", "near_duplicates", "cliffs", "y_scrambling"})
_BANNER = (
    "Research software, not a medical device. Predicted activities are for choosing what to measure next; none has "
    "been approved for any other use."
)


def build(result: Mapping[str, Any]) -> Document:
    """The report as a document; a part that `result` lacks is named as not available, with the reason.

    >>> build({"task": "binary", "target": {"name": "hERG"}, "model": "forest"}).sections[0].title
    'Compounds and endpoints'
    """
    reading = Result(result, _REASONS, _OF_TRAINING)
    version = reading.mapping("versions").get("iatros")
    return Document(
        title=title(reading),
        kicker="Compound activity model report",
        subtitle=question(reading),
        banner=_BANNER,
        opening=opening(reading),
        sections=tuple(
            section(reading)
            for section in _SECTIONS
            if reading.task != "continuous" or section is not thresholds_section
        ),
        closing=closing(version),
    )


def html(result: Mapping[str, Any]) -> str:
    """The report as one self-contained HTML page.

    >>> html({"model": "forest"}).startswith("<!DOCTYPE html>")
    True
    """
    return render(build(result))
