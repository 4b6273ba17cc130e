"""The model card of an imaging model: one page of Markdown that travels with the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.model_card import NOTICE, cautions, groups, performance, plain, sides, table, unknown
from iatros.core.report.numbers import NONE, count, number
from iatros.core.report_sections.reading import Result, estimate
from iatros.imaging.claim import checklist
from iatros.imaging.report_sections.data import input_words
from iatros.imaging.report_sections.opening import findings, headline, question
from iatros.imaging.report_sections.reading import Reading


def model_card(result: Mapping[str, Any]) -> str:
    """The card as Markdown; names from the data are escaped, so they can neither format nor link.

    >>> model_card({"model": "resnet", "target": {"name": "pneumonia"}}).splitlines()[0]
    '# Model card: resnet for pneumonia'
    """
    reading = Reading(result)
    shown = reading.event if reading.task == "binary" else reading.outcome
    parts = [
        f"# Model card: {plain(reading.model)} for {plain(shown)}",
        NOTICE,
        _identity(reading),
        _use(reading),
        _data(reading),
        performance(reading, headline(reading)),
        _points(reading),
        groups(reading),
        cautions(reading, findings(reading)),
        unknown(checklist(result), "CLAIM"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _identity(result: Result) -> str:
    data, created = result.mapping("data"), result.mapping("created")
    rows = [
        ("Question", question(result)),
        ("Network", result.model),
        ("Sees", input_words(result)),
        ("Finding", f"{result.outcome} ({result.task})"),
        ("iatros", result.mapping("versions").get("iatros") or result.part("iatros") or NONE),
        ("Run", result.part("run_id") or created.get("run_id") or NONE),
        ("Seed", result.document.get("seed", NONE)),
        ("Data fingerprint", data.get("fingerprint") or NONE),
    ]
    return "## Model\n\n" + table(("", ""), rows)


def _use(result: Result) -> str:
    gives = {
        "binary": f"the probability of {result.event}, a conformal set, and what is unusual about the image",
        "ordinal": "a probability for each grade, a conformal set, and what is unusual about the image",
        "multiclass": "a probability for each class, a conformal set, and what is unusual about the image",
        "multilabel": "the probability of each finding, a conformal set for each, and what is unusual about the image",
        "continuous": "a value with a prediction interval, and what is unusual about the image",
    }.get(result.task, "an answer")
    return (
        "## Use\n\n"
        f"Gives {plain(gives)}. Intended for research and for local validation.\n\n"
        "Not stated by the run, to be written by the authors: intended patients and examinations, place in the care "
        "pathway, intended users, what must not be done with it."
    )


def _data(result: Result) -> str:
    data = result.mapping("data")
    refused = data.get("n_refused", len(data.get("refused") or []))
    line = f"{count(data.get('n_used'))} images used of {count(data.get('n_read'))} read; {count(refused)} refused."
    return "## Data\n\n" + "\n\n".join(part for part in (line, sides(result, noun="Images")) if part)


def _points(result: Result) -> str:
    rows = [
        (
            row.get("name"),
            number(row.get("threshold")),
            *(estimate(row.get(name)) for name in ("accuracy", "sensitivity", "specificity")),
        )
        for row in result.items("operating_points")
        if isinstance(row, Mapping)
    ]
    header = ("Operating point", "Threshold", "Accuracy", "Sensitivity", "Specificity")
    return "## Decisions\n\n" + table(header, rows) if rows else ""
