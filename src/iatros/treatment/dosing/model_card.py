"""The model card of a model of doses: one page of Markdown that travels with the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.model_card import NOTICE, plain, table, unknown
from iatros.core.report.numbers import NONE
from iatros.core.report_sections.tripod import checklist
from iatros.treatment.dosing.findings import estimate, findings, headline, label
from iatros.treatment.dosing.report import SHOWN, judged_by, question


def model_card(result: Mapping[str, Any]) -> str:
    """The card as Markdown; names from the data are escaped, so they can neither format nor link."""
    parts = [
        f"# Model card: {plain(result['model'])} for {plain(result['target']['name'])}",
        NOTICE,
        _identity(result),
        _use(result),
        _groups(result),
        _performance(result),
        _weigh(result),
        unknown(checklist(result), "TRIPOD+AI"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _identity(result: Mapping[str, Any]) -> str:
    rows = [
        ("Question", question(result)),
        ("Model", result["model"]),
        ("Learned on", f"{result['scale']} scale"),
        ("iatros", result["versions"].get("iatros") or NONE),
        ("Seed", result["seed"]),
        ("Data fingerprint", result["data"]["fingerprint"]),
    ]
    return "## Model\n\n" + table(("", ""), rows)


def _use(result: Mapping[str, Any]) -> str:
    seen = result["seen"]
    return (
        f"## Use\n\nGives the dose of a patient with an interval that holds it for {100 * result['coverage']:.0f} % of "
        f"patients like the {seen['n']:,} that were learned from, who needed {seen['low']:g} to {seen['high']:g} "
        f"{plain(result['target']['unit'])}. Patients unlike these are flagged.\n\n"
        "Not stated by the run, to be written by the authors: the target of the treatment, how a stable dose was told, "
        "what must not be done with an answer."
    )


def _groups(result: Mapping[str, Any]) -> str:
    rows = [
        (f"{words} {name}", *_cells(part))
        for key, words in (("by_predicted_dose", "predicted dose:"), ("by_needed_dose", "needed dose:"))
        for name, part in result[key].items()
        if not part.get("suppressed")
    ]
    rows += [
        (f"{column}: {level}", *_cells(part))
        for column, found in result["subgroups"].items()
        for level, part in found["levels"].items()
        if not part.get("suppressed")
    ]
    first, second = result["bands"]
    said = f"Low is up to {first:g}, high from {second:g} {plain(result['target']['unit'])} on."
    return f"## Where it errs\n\n{said}\n\n" + table(
        ("Group", "n", *(label(name) for name in SHOWN[:2])), rows
    )


def _cells(part: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"{part['n']:,}", *(str(estimate(name, part["metrics"].get(name))) for name in SHOWN[:2]))


def _performance(result: Mapping[str, Any]) -> str:
    metrics = headline(result)
    rows = [
        (label(name), estimate(name, metrics[name]), metrics[name]["interval"])
        for name in SHOWN
        if name in metrics
    ]
    return f"## Performance\n\n{plain(judged_by(result))}.\n\n" + table(("Metric", "Value", "Interval"), rows)


def _weigh(result: Mapping[str, Any]) -> str:
    lines = [f"- {one.word}: {plain(one.text)}" for one in findings(result)]
    lines.append("- Performance elsewhere is unknown: evaluate on local patients first.")
    return "## What to weigh\n\n" + "\n".join(lines)
