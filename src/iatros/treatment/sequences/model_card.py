"""The model card of a model of the next medications: one page of Markdown that travels with the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.model_card import NOTICE, plain, table
from iatros.core.report.numbers import NONE
from iatros.treatment.sequences.findings import NEW, WORDS, estimate, findings, headline
from iatros.treatment.sequences.report import question


def model_card(result: Mapping[str, Any]) -> str:
    """The card as Markdown; names from the data are escaped, so they can neither format nor link."""
    parts = [
        f"# Model card: {plain(result['model'])} for the {plain(result['target']['name'])}",
        NOTICE,
        _identity(result),
        _use(result),
        _data(result),
        _performance(result),
        _weigh(result),
    ]
    return "\n\n".join(parts) + "\n"


def _identity(result: Mapping[str, Any]) -> str:
    rows = [
        ("Question", question(result)),
        ("Model", result["model"]),
        ("iatros", result["versions"].get("iatros") or NONE),
        ("Seed", result["seed"]),
        ("Data fingerprint", result["data"]["fingerprint"]),
    ]
    return "## Model\n\n" + table(("", ""), rows)


def _use(result: Mapping[str, Any]) -> str:
    return (
        "## Use\n\nRanks medications by how usually they are prescribed next. What it says is "
        f"{plain(result['statement'])}. It was judged for {NEW[result['validation']]}.\n\nNot stated by the run, to be "
        "written by the authors: who the subjects are, what the answers are to be used for, what must not be done with "
        "them."
    )


def _data(result: Mapping[str, Any]) -> str:
    rows = [
        ("Subjects", f"{result['n_subjects']:,}"),
        ("Visits", f"{result['n_visits']:,}"),
        ("Visits asked about", f"{result['n_asked']:,}"),
        *((f"Known codes: {kind}", f"{n:,}") for kind, n in result["vocabulary"].items()),
        ("Lines refused", f"{result['data']['n_refused']:,}"),
    ]
    return "## Data\n\n" + table(("", ""), rows)


def _performance(result: Mapping[str, Any]) -> str:
    metrics = headline(result)
    rows = [(WORDS[name][0], str(estimate(metrics[name]))) for name in WORDS if name in metrics]
    how = plain(metrics["jaccard"]["interval"])
    return f"## Performance\n\nOn {NEW[result['validation']]}. Intervals: {how}.\n\n" + table(
        ("Metric", "Value"), rows
    )


def _weigh(result: Mapping[str, Any]) -> str:
    lines = [f"- {one.word}: {plain(one.text)}" for one in findings(result)]
    lines.append("- Performance elsewhere is unknown: evaluate there first.")
    return "## What to weigh\n\n" + "\n".join(lines)
