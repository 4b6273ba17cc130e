"""The report of an imaging model: a document laid out along CLAIM, from the result of a training or an evaluation.

Keys of a result. A part that a run has not is left out, or `{"reason": "..."}`; a metric document is
`core.intervals.Metric.document()`. As in risk, with the same meaning: `domain`, `model`, `task` (binary, multiclass,
ordinal, multilabel, continuous), `target` (`name`, `task`, `classes`, `unit`; labels are its classes),
`validation`, `headline_split`, `seed`, `metrics` (by split), `sites` and `pooled` (only where sites were left out in
turn), `models` (`comparison.compare`), `splits`, `flow`, `thresholds`, `chosen_thresholds`, `curves`, `subgroups`,
`calibration` (with `kind`, `cross_fitted`), `conformal`, `notes`, `request`, `versions`, `parent`, `run_id`.

* `targets`, `objective`, `input` (`InputSpec.document()`), `network` (`model`, `params`, `spec`, `members`, `threads`;
  where known `n_parameters`, `precision`, `images_per_second`).
* `data`: `source`, `fingerprint`, `n_read`, `n_used`, `n_refused`, `refused` (`name`, `reason`).
* `characteristics`: `characteristics.characteristics`, by side.
* `prevalence`: `sides` and `sites` (`prevalence.prevalence_of`), `consequences` (`prevalence.consequences`).
* `history`: a list of `name`, `metric`, `best_epoch`, `epochs` (`Fitted.history`), the kept network first.
* `folds`, of a cross-validation: `metric`, its `mean`, and `each`: `fold` (from 1), `n` and the metric by its name.
* `operating_points`, `classes`, `confusion`, `labels`: parts of `evaluation.evidence` and `evidence_of_labels`.
* `slices`: `levels.slice_and_study`; `examples` in it are `truth`, `prediction`, `weights` (one per slice).
* `leakage`: the document of `leakage.audit_images`, with `border` and `metadata` (`leakage.border_baseline`, ...).
* `quality`: `n_checked`, `n_refused`, `n_flagged`, `codes` (code to `refuse` and `flag`, numbers of judged images).
* `images`: `kind` (right, wrong, uncertain), `truth`, `prediction`, `probability`, `png` and `overlay` (base64).
* `explanation_checks`: `randomisation` and `pointing` (`explanation.checking`), `method`.
* `export`: what `export.int8_cost` gives; or `int8` False, and `reason`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from iatros.core.report import Document, Paragraph, Section, Table, render
from iatros.core.report_sections.calibration import calibration_section
from iatros.core.report_sections.conformal import conformal_section
from iatros.core.report_sections.flow import flow_section
from iatros.core.report_sections.groups import sites_section, subgroups_section
from iatros.core.report_sections.performance import discrimination_section, models_section
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.record import reproducibility_section
from iatros.core.report_sections.usefulness import decision_section, thresholds_section
from iatros.imaging.claim import claim_section
from iatros.imaging.report_sections.answers import answers_section
from iatros.imaging.report_sections.audit import leakage_section, quality_section
from iatros.imaging.report_sections.data import characteristics_section, data_section
from iatros.imaging.report_sections.opening import opening, question, title
from iatros.imaging.report_sections.pictures import checks_section, images_section
from iatros.imaging.report_sections.reading import Reading
from iatros.imaging.report_sections.shift import prevalence_section
from iatros.imaging.report_sections.training import export_section, slices_section, training_section

_FLOW = (
    "A record is one image, volume or series; a patient may have several, and all of them stand on one side."
)


_PROMISE = (
    "The same request on the same data with the same versions gives the same model, byte for byte, on the same machine "
    "with the same number of threads. Elsewhere the last digits of a sum may differ, and with them what is learned."
)


def _models(result: Result) -> Section:
    section = models_section(result)
    note = Paragraph(
        "The networks beside each other are judged by their own answers, before calibration, so that all are treated "
        "alike; every other number of this report is of calibrated answers unless it says otherwise.",
        "small",
    )
    place = next((k + 1 for k, block in enumerate(section.blocks) if isinstance(block, Table)), None)
    if place is None or not result.items("models"):
        return section
    return replace(section, blocks=(*section.blocks[:place], note, *section.blocks[place:]))


def _reproducibility(result: Result) -> Section:
    return reproducibility_section(result, promise=_PROMISE)


def _images_flow(result: Result) -> Section:
    return flow_section(result, title="Flow of images", noun="images", caption=_FLOW)


_SECTIONS: tuple[Callable[[Result], Section], ...] = (
    data_section,
    _images_flow,
    characteristics_section,
    prevalence_section,
    leakage_section,
    quality_section,
    training_section,
    _models,
    discrimination_section,
    answers_section,
    thresholds_section,
    calibration_section,
    decision_section,
    conformal_section,
    subgroups_section,
    sites_section,
    slices_section,
    images_section,
    checks_section,
    export_section,
    _reproducibility,
    claim_section,
)

_REFERENCES = {
    "data": "CLAIM 7 to 13",
    "flow": "CLAIM 19, 35",
    "characteristics": "CLAIM 36",
    "prevalence": "CLAIM 30, 36",
    "leakage": "CLAIM 20, 30",
    "quality": "CLAIM 8, 30",
    "training": "CLAIM 22 to 27",
    "models": "CLAIM 26, 28, 37",
    "discrimination": "CLAIM 28, 37",
    "answers": "CLAIM 38",
    "thresholds": "CLAIM 38",
    "calibration": "CLAIM 28, 37",
    "decision": "CLAIM 28, 37",
    "conformal": "CLAIM 29, 37",
    "subgroups": "CLAIM 30, 37",
    "sites": "CLAIM 33, 37",
    "slices": "CLAIM 37",
    "images": "CLAIM 39",
    "checks": "CLAIM 31",
    "export": "CLAIM 23",
    "reproducibility": "CLAIM 23, 43",
}
"""Items of CLAIM that each section answers, by its address."""

REASONS = {
    "flow": "the run recorded no flow of images",
    "characteristics": "nothing is recorded of the patients and scanners",
    "prevalence": "the run compared no sides or sites",
    "history": "the run recorded no training",
    "operating_points": "operating points belong to classes",
    "slices": "no slices were judged beside their studies",
    "quality": "no quality gate was asked",
    "images": "examples belong to answers that are one class",
    "explanation_checks": "the run checked no heat maps",
    "export": "the run recorded no export",
    "subgroups": "sex, age, scanner and site are unknown or do not vary, and no other was asked for (subgroup)",
}
_OF_TRAINING = frozenset({"history", "export", "explanation_checks", "characteristics"})

_BANNER = (
    "Research software, not a medical device. Nothing here has been approved for the care of patients; "
    "an answer supports the reader of an image and does not replace one."
)


def build(result: Mapping[str, Any]) -> Document:
    """The report as a document; a part that `result` lacks is named as not available, with the reason.

    >>> build({"task": "binary", "target": {"name": "pneumonia"}, "model": "resnet"}).sections[0].title
    'Images and labels'
    """
    reading = Reading(result, REASONS, _OF_TRAINING)
    version = reading.mapping("versions").get("iatros") or reading.part("iatros")
    made = reading.mapping("created").get("at")
    closing = "Written by iatros" + (f" {version}" if version else "") + (f", {made}" if made else "")
    return Document(
        title=title(reading),
        kicker="Medical imaging model report",
        subtitle=question(reading),
        banner=_BANNER,
        opening=opening(reading),
        sections=tuple(_referenced(section(reading)) for section in _SECTIONS),
        closing=closing + ". Research software, not a medical device.",
    )


def _referenced(section: Section) -> Section:
    return replace(section, references=_REFERENCES.get(section.anchor, ""))


def html(result: Mapping[str, Any]) -> str:
    """The report as one self-contained HTML page.

    >>> html({"model": "resnet"}).startswith("<!DOCTYPE html>")
    True
    """
    return render(build(result))
