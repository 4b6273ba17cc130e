"""The report of a model of affinity, from the result of its training or of its evaluation elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Cell,
    Document,
    Estimate,
    Facts,
    Findings,
    Heading,
    KeyNumber,
    KeyNumbers,
    LineChart,
    Paragraph,
    Points,
    Row,
    Section,
    Series,
    Table,
)
from iatros.core.report.numbers import NONE
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.record import closing, reproducibility_section
from iatros.molecules.affinity.findings import NEW, SETS, WORDS, estimate, findings

_HEADLINE = ("mse", "concordance_index", "rm2")
_BANNER = (
    "Research software, not a medical device. Predicted affinities are for choosing what to measure next; none has "
    "been approved for any other use."
)
_STANDING = (
    "A prediction is about the assays that were learned from: another protocol or form of the protein may measure "
    "something else.",
    "A protein is its sequence and nothing more: no structure, no state, no cofactor. A compound is its standardised "
    "structure.",
    "A strong affinity is no effect: nothing is said of what the compound does to the protein, or of reaching it.",
    "No prediction replaces a measurement where a decision hangs on one pair.",
)


def build(result: Mapping[str, Any]) -> Document:
    """The report as data, ready to be drawn."""
    version = Result(result).mapping("versions").get("iatros")
    sections = [_data(result)]
    if result.get("models"):
        sections.append(_models(result))
    sections += [
        _performance(result),
        _agreement(result),
        _intervals(result),
        _limits(result),
        reproducibility_section(Result(result)),
    ]
    return Document(
        title=title(result),
        kicker="Drug-target affinity model report",
        subtitle=question(result),
        banner=_BANNER,
        opening=_opening(result),
        sections=tuple(sections),
        closing=closing(version),
    )


def title(result: Mapping[str, Any]) -> str:
    """The title: developed or evaluated, what, by which model."""
    done = "Evaluating" if result["validation"] == "external" else "Developing and evaluating"
    article = "an" if result["model"][:1] in "aeiou" else "a"
    return f"{done} {article} {result['model']} model of {result['target']['name']}"


def question(result: Mapping[str, Any]) -> str:
    """What is asked of each pair, in one sentence."""
    unit = f", in {result['target']['unit']}" if result["target"].get("unit") else ""
    return f"What will {result['target']['name']} of this compound with this protein be{unit}?"


def _opening(result: Mapping[str, Any]) -> tuple[Block, ...]:
    metrics = result["metrics"]["all"]
    others = [one["name"] for one in result.get("models", ()) if not one["selected"]]
    facts = (
        (
            "Pairs",
            f"{result['data']['source']}, {result['n']:,} pairs of {result['n_drugs']:,} drugs and "
            f"{result['n_targets']:,} targets",
        ),
        ("Model", result["model"] + (f" (also trained: {', '.join(others)})" if others else "")),
        ("Judged on", f"{NEW[result['validation']]}, n = {metrics['mse']['n']:,}"),
    )
    shown = tuple(
        KeyNumber(WORDS[name][0], estimate(metrics[name]), metrics[name]["interval"]) for name in _HEADLINE
    )
    return (
        Facts(facts),
        KeyNumbers(shown),
        Heading("What to weigh before trusting it"),
        Findings(findings(result)),
    )


def _data(result: Mapping[str, Any]) -> Section:
    facts: tuple[tuple[str, str], ...] = (
        ("Pairs", f"{result['n']:,}"),
        ("Drugs", f"{result['n_drugs']:,}"),
        ("Targets", f"{result['n_targets']:,}, with {result['n_sequences']:,} distinct sequences"),
        ("Lines read", f"{result['n_lines']:,}"),
        ("Merged into a pair on an earlier line", f"{result['n_merged']:,}"),
        ("Pairs with measurements that contradict each other", f"{result['n_conflicts']:,}"),
        ("Lines without a measurement", f"{result['n_unmeasured']:,}"),
        ("Lines refused", f"{result['n_refused']:,}"),
        ("Censored pairs", f"{100 * result['share_censored']:.1f} %"),
    )
    if "n_known_drugs" in result:
        facts += (
            ("Drugs that were learned from", f"{result['n_known_drugs']:,}"),
            ("Targets that were learned from", f"{result['n_known_targets']:,}"),
            ("Pairs outside the domain of applicability", f"{result['n_outside_domain']:,}"),
        )
    rows = tuple(Row((reason, f"{n:,}")) for reason, n in result["reasons"].items())
    blocks: tuple[Block, ...] = (Facts(facts),)
    if rows:
        blocks += (Table(("Reason of refusal", "Lines"), rows, right=(1,)),)
    return Section("Pairs and measurements", blocks, "pairs")


def _models(result: Mapping[str, Any]) -> Section:
    lead = (
        "Every model was judged on the same pairs in the same folds. The baseline is kron-rls, kernel ridge regression "
        "on the similarity of drugs times that of targets."
    )
    header = ["Model"]
    header += [
        f"{WORDS[name][0]}{', without censored pairs' if which == 'uncensored' else ''}"
        for which in result["metrics"]
        for name in _HEADLINE[:2]
    ]
    compared = any("difference_to_baseline" in one for one in result["models"])
    if compared:
        header.append("Concordance index, difference to kron-rls")
    rows = []
    for one in result["models"]:
        cells: list[Cell] = [one["name"] + (" (kept)" if one["selected"] else "")]
        for which in result["metrics"]:
            cells += [estimate(one["metrics"][which][name]) for name in _HEADLINE[:2]]
        if compared:
            found = one.get("difference_to_baseline", {}).get("concordance_index")
            cells.append(Estimate(found["value"], found["low"], found["high"]) if found else "baseline")
        rows.append(Row(tuple(cells), "strong" if one["selected"] else "plain"))
    foot = "Differences are paired: both models on the same resamples of the same pairs."
    right = tuple(range(1, len(header)))
    table = Table(
        tuple(header), tuple(rows), foot=foot if compared else "", right=right, stacked=True, compact=True
    )
    return Section("Models beside each other", (Paragraph(lead, "lead"), table), "models")


def _performance(result: Mapping[str, Any]) -> Section:
    return Section("Performance", (Paragraph(_lead(result), "lead"), _table(result)), "performance")


def _lead(result: Mapping[str, Any]) -> str:
    lead = "Intervals are of a two-way bootstrap: for new drugs and new targets of the same kinds."
    if result["validation"] == "external":
        return f"The bundle as it was trained, for {NEW[result['trained_for']]}. {lead}"
    if result["validation"] in ("leave-target", "leave-both"):
        lead = (
            f"Targets with a normalised Smith-Waterman score above {result['same_group']:g} stand on one side: "
            f"{result['n_groups']} groups, the largest of {result['largest_group']} targets. {lead}"
        )
    return (
        f"Each pair was predicted once, by a model that had learned from other folds, in {result['n_folds']} folds "
        f"that keep apart what the validation {result['validation']} asks for. {lead}"
    )


def _table(result: Mapping[str, Any]) -> Table:
    metrics = result["metrics"]
    header = ("Metric", *(f"{SETS[which]} (n = {found['mse']['n']:,})" for which, found in metrics.items()))
    rows = tuple(
        Row((label, *(estimate(found[name]) for found in metrics.values()), tells))
        for name, (label, tells) in WORDS.items()
    )
    return Table((*header, "What it tells"), rows, right=tuple(range(1, len(header))), stacked=True)


def _agreement(result: Mapping[str, Any]) -> Section:
    predicted, measured = result["scatter"]["predicted"], result["scatter"]["measured"]
    low, high = min(*predicted, *measured), max(*predicted, *measured)
    chart = LineChart(
        "Predicted and measured",
        f"{len(predicted)} pairs drawn at random, each predicted by a model that had not learned from it."
        if result["validation"] != "external"
        else f"{len(predicted)} pairs drawn at random.",
        Axis(f"Predicted {result['target']['name']}", low, high),
        Axis(f"Measured {result['target']['name']}", low, high),
        (Series("equal", [low, high], [low, high], dash="dashed", role="reference"),),
        (Points("pairs", predicted, measured, hollow=True),),
    )
    return Section("Agreement", (chart,), "agreement")


def _intervals(result: Mapping[str, Any]) -> Section:
    trained = result.get("trained_for", result["validation"])
    text = (
        f"A prediction comes with an interval of {result['half_width']:.2f} to both sides, which in training held "
        f"{100 * result['coverage']:.0f} % of the pairs that were predicted without having been learned from. It "
        f"promises as much for {NEW[trained]}, drawn like these, and nothing for others."
    )
    return Section("Intervals of predictions", (Paragraph(text), *_domain(result)), "intervals")


def _domain(result: Mapping[str, Any]) -> tuple[Block, ...]:
    """The domain of a model that was trained here; how many pairs lie outside is among the facts of an evaluation."""
    domain = result.get("applicability")
    if not domain:
        return ()
    evidence = domain["evidence"]
    text = (
        "An answer says whether its pair lies in the domain of applicability: a drug at least "
        f"{domain['least_drug_similarity']:.2f} and a target at least {domain['least_target_similarity']:.2f} similar "
        f"to the nearest one learned from, as all but {100 * evidence['share']:.0f} % of the judged pairs were to what "
        "their judge had learned from. A similarity of 1 means that only known ones lie inside."
    )
    errors = [evidence["mean_error_within"], evidence["mean_error_beyond"]]
    if None in errors:
        return (Paragraph(text),)
    told = (
        f"Mean absolute error of the judged pairs inside {errors[0]:.2f}, of the {evidence['n_beyond']:,} beyond "
        f"{errors[1]:.2f}."
    )
    return (Paragraph(text), Paragraph(told))


def _limits(result: Mapping[str, Any]) -> Section:
    notes = [str(note) for note in result["notes"]] or [NONE]
    blocks: tuple[Block, ...] = (
        *(Paragraph(text) for text in _STANDING),
        Heading("Remarks of the run"),
        *(Paragraph(note, "small") for note in notes),
    )
    return Section("Limits", blocks, "limits")
