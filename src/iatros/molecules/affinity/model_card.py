"""The model card of a model of affinity: one page of Markdown that travels with the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.model_card import plain, table
from iatros.core.report.numbers import NONE
from iatros.molecules.affinity.findings import NEW, SETS, WORDS, estimate, findings
from iatros.molecules.affinity.report import question

_NOTICE = (
    "> Research software, not a medical device. Predicted affinities are for choosing what to measure next."
)


def model_card(result: Mapping[str, Any]) -> str:
    """The card as Markdown; names from the data are escaped, so they can neither format nor link."""
    parts = [
        f"# Model card: {plain(result['model'])} for {plain(result['target']['name'])}",
        _NOTICE,
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
        "## Use\n\nGives the affinity of a compound and a protein sequence with a conformal interval, and the "
        "similarity of the nearest known drug and target, with whether they lie in the domain of applicability. "
        f"It was judged for {NEW[result['validation']]}.\n\n"
        "Not stated by the run, to be written by the authors: the assays and their protocols, what the predictions are "
        "to decide, what must not be done with them."
    )


def _data(result: Mapping[str, Any]) -> str:
    rows = [
        ("Pairs", f"{result['n']:,}"),
        ("Drugs", f"{result['n_drugs']:,}"),
        ("Targets", f"{result['n_targets']:,}"),
        ("Distinct sequences", f"{result['n_sequences']:,}"),
        ("Censored pairs", f"{100 * result['share_censored']:.1f} %"),
        ("Lines read", f"{result['n_lines']:,}"),
        ("Lines refused", f"{result['n_refused']:,}"),
    ]
    return "## Data\n\n" + table(("", ""), rows)


def _performance(result: Mapping[str, Any]) -> str:
    metrics = result["metrics"]
    header = ("Metric", *(f"{SETS[which]} ({found['mse']['n']:,})" for which, found in metrics.items()))
    rows = [
        (label, *(str(estimate(found[name])) for found in metrics.values()))
        for name, (label, _) in WORDS.items()
    ]
    how = plain(metrics["all"]["mse"]["interval"])
    said = f"On {NEW[result['validation']]}, in {result['n_folds']} folds. Intervals: {how}."
    return f"## Performance\n\n{said}\n\n" + table(header, rows)


def _weigh(result: Mapping[str, Any]) -> str:
    lines = [f"- {one.word}: {plain(one.text)}" for one in findings(result)]
    lines.append("- Performance in other assays is unknown: evaluate there first.")
    return "## What to weigh\n\n" + "\n".join(lines)
