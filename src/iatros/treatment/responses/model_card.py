"""The model card of a model of responses: one page of Markdown that travels with the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.model_card import NOTICE, plain, table
from iatros.core.report.numbers import NONE
from iatros.treatment.responses.findings import NEW, WORDS, estimate, findings
from iatros.treatment.responses.report import question


def model_card(result: Mapping[str, Any]) -> str:
    """The card as Markdown; names from the data are escaped, so they can neither format nor link."""
    parts = [
        f"# Model card: {plain(result['model'])} for {plain(result['target']['name'])}",
        NOTICE,
        _identity(result),
        _use(result),
        _performance(result),
        _weigh(result),
    ]
    return "\n\n".join(parts) + "\n"


def _identity(result: Mapping[str, Any]) -> str:
    data = result["data"]
    rows = [
        ("Question", question(result)),
        ("Model", result["model"]),
        ("iatros", result["versions"].get("iatros") or NONE),
        ("Seed", result["seed"]),
        ("Data fingerprint", data["fingerprint"]),
        ("Responses", f"{result['n_responses']:,}"),
        ("Subjects", f"{result['n_subjects']:,}"),
        ("Treatments", f"{result['n_treatments']:,}"),
        ("Lines read", f"{data['n_read']:,}"),
        ("Lines refused", f"{data['n_refused']:,}"),
    ]
    return "## Model\n\n" + table(("", ""), rows)


def _use(result: Mapping[str, Any]) -> str:
    return (
        f"## Use\n\nRanks treatments for a subject. An answer is {plain(result['standing'])}. It was judged for "
        f"{NEW[result['validation']]}.\n\nNot stated by the run, to be written by the authors: for whom and at which "
        "point of care it is meant, what must not be decided with it."
    )


def _performance(result: Mapping[str, Any]) -> str:
    metrics = result["metrics"]["judged"]
    rows = [
        (label, str(estimate(metrics[name])), metrics[name]["interval"])
        for name, (label, _) in WORDS.items()
        if name in metrics
    ]
    return "## Performance\n\n" + table(("Metric", "Value (interval)", "Method of the interval"), rows)


def _weigh(result: Mapping[str, Any]) -> str:
    lines = [f"- {one.word}: {plain(one.text)}" for one in findings(result)]
    lines.append("- Performance elsewhere is unknown: evaluate on local patients first.")
    return "## What to weigh\n\n" + "\n".join(lines)
