"""The model card of a model of activity: one page of Markdown that travels with the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.model_card import plain, table
from iatros.core.report.numbers import NONE, count
from iatros.core.report_sections.reading import Result
from iatros.molecules.report_sections.opening import findings, question
from iatros.molecules.report_sections.words import VALIDATIONS, headline, split_label, words, written

_NOTICE = (
    "> Research software, not a medical device. Predicted activities are for choosing what to measure next."
)


def model_card(result: Mapping[str, Any]) -> str:
    """The card as Markdown; names from the data are escaped, so they can neither format nor link.

    >>> model_card({"model": "forest", "target": {"name": "logS"}}).splitlines()[0]
    '# Model card: forest for logS'
    """
    reading = Result(result)
    parts = [
        f"# Model card: {plain(reading.model)} for {plain(reading.outcome)}",
        _NOTICE,
        _identity(reading),
        _use(reading),
        _data(reading),
        _performance(reading),
        _weigh(reading),
    ]
    return "\n\n".join(parts) + "\n"


def _identity(result: Result) -> str:
    rows = [
        ("Question", question(result)),
        ("Model", result.model),
        ("iatros", result.mapping("versions").get("iatros") or NONE),
        ("Seed", result.document.get("seed", NONE)),
        ("Data fingerprint", result.mapping("data").get("fingerprint") or NONE),
    ]
    return "## Model\n\n" + table(("", ""), rows)


def _use(result: Result) -> str:
    gives = (
        "the probability of each endpoint and a conformal set of classes"
        if result.task == "binary"
        else "the value of each endpoint and a conformal interval"
    )
    return (
        f"## Use\n\nGives {gives} for a structure, with the similarity to the compounds that were learned from and "
        "whether the compound lies in the domain of applicability.\n\n"
        "Not stated by the run, to be written by the authors: the assay and its protocol, what the predictions are to "
        "decide, what must not be done with them."
    )


def _data(result: Result) -> str:
    data = result.mapping("data")
    lines = [
        f"{count(data.get('n_used'))} compounds from {count(data.get('n_read'))} lines; "
        f"{count(data.get('n_refused'))} lines refused."
    ]
    rows = [
        (split_label(name), count(side.get("n_rows")), count(side.get("n_groups")))
        for name, side in result.mapping("splits").items()
        if isinstance(side, Mapping)
    ]
    if rows:
        lines.append(table(("Side", "Compounds", "Groups"), rows))
    return "## Data\n\n" + "\n\n".join(lines)


def _performance(result: Result) -> str:
    names = headline(result)
    if not names:
        return "## Performance\n\nNo metric was recorded for compounds that the model had not seen."
    rows = [
        (
            words(name).label,
            written(result.headline[name], name),
            result.headline[name].get("interval") or NONE,
        )
        for name in names
    ]
    how = VALIDATIONS.get(result.validation, ("", ""))[1]
    intro = plain(f"On {split_label(result.split)}. {how}".strip())
    return f"## Performance\n\n{intro}\n\n" + table(
        ("Metric", "Value (interval)", "Method of the interval"), rows
    )


def _weigh(result: Result) -> str:
    lines = [f"- {one.word}: {plain(one.text)}" for one in findings(result)]
    lines.append(
        "- Performance in another assay or another chemical series is unknown: evaluate there first."
    )
    return "## What to weigh\n\n" + "\n".join(lines)
