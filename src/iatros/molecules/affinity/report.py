"""The report of a model of affinity, from the result of its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Document,
    Estimate,
    Facts,
    KeyNumber,
    KeyNumbers,
    LineChart,
    Note,
    Paragraph,
    Points,
    Row,
    Section,
    Series,
    Table,
)
from iatros.core.report_sections.reading import Result
from iatros.core.report_sections.record import reproducibility_section

WORDS = {
    "mse": "Mean squared error",
    "rmse": "Root mean squared error",
    "concordance_index": "Concordance index",
    "rm2": "r_m²",
    "spearman": "Spearman correlation",
    "mae": "Mean absolute error",
    "r2": "R²",
}
_NEW = {
    "pairs": "pairs of drugs and targets that were each measured with others",
    "leave-drug": "drugs that were never measured",
    "leave-target": "targets that were never measured, nor any like them",
    "leave-both": "drugs and targets neither of which was ever measured",
}
_SETS = {"all": "All pairs", "uncensored": "Without censored pairs"}


def build(result: Mapping[str, Any]) -> Document:
    """The report as data, ready to be drawn."""
    return Document(
        title=f"{result['target']['name']} of compounds and proteins: {result['model']}",
        kicker="Drug-target affinity",
        subtitle=f"Judged on {_NEW[result['validation']]}",
        opening=_opening(result),
        sections=(
            _data(result),
            _performance(result),
            _agreement(result),
            _intervals(result),
            reproducibility_section(Result(result)),
        ),
    )


def _opening(result: Mapping[str, Any]) -> tuple[Block, ...]:
    metrics = result["metrics"]["all"]
    shown = tuple(
        KeyNumber(WORDS[name], _estimate(metrics[name]), metrics[name]["interval"])
        for name in ("mse", "concordance_index", "rm2")
    )
    return (KeyNumbers(shown), *_censoring(result))


def _censoring(result: Mapping[str, Any]) -> tuple[Block, ...]:
    share = result["share_censored"]
    if not share:
        return ()
    text = (
        f"{100 * share:.1f} % of the pairs are censored: their assay ended before their affinity was reached. A "
        "model that tells weak from strong looks good over all pairs, however little it knows of the strong ones; "
        "read the numbers without censored pairs as well."
    )
    return (Note(text, "warning"),)


def _data(result: Mapping[str, Any]) -> Section:
    facts = (
        ("Pairs", f"{result['n']:,}"),
        ("Drugs", f"{result['n_drugs']:,}"),
        ("Targets", f"{result['n_targets']:,}, with {result['n_sequences']:,} distinct sequences"),
        ("Lines read", f"{result['n_lines']:,}"),
        ("Merged into a pair on an earlier line", f"{result['n_merged']:,}"),
        ("Pairs with measurements further than ten-fold apart", f"{result['n_conflicts']:,}"),
        ("Lines without a measurement", f"{result['n_unmeasured']:,}"),
        ("Lines refused", f"{result['n_refused']:,}"),
        ("Censored", f"{100 * result['share_censored']:.1f} %"),
    )
    rows = tuple(Row((reason, f"{n:,}")) for reason, n in result["reasons"].items())
    blocks: tuple[Block, ...] = (Facts(facts),)
    if rows:
        blocks += (Table(("Reason of refusal", "Lines"), rows, right=(1,)),)
    return Section("Pairs", blocks, "pairs")


def _performance(result: Mapping[str, Any]) -> Section:
    lead = (
        f"Each pair was predicted once, by a model that had learned from other folds, in {result['n_folds']} folds "
        f"that keep apart what the validation {result['validation']} asks for. "
    )
    if result["validation"] in ("leave-target", "leave-both"):
        lead += (
            f"Targets with a normalised Smith-Waterman score above {result['same_group']:g} stand on one side: "
            f"{result['n_groups']} groups, the largest of {result['largest_group']} targets. "
        )
    blocks: list[Block] = [
        Paragraph(lead + "Intervals are for new drugs and new targets of the same kinds.", "lead")
    ]
    for which, words in _SETS.items():
        if which in result["metrics"]:
            blocks.append(_table(result, which, words))
    blocks += [_difference(entry) for entry in result["models"] if "difference_to_baseline" in entry]
    return Section("Performance", tuple(blocks), "performance")


def _table(result: Mapping[str, Any], which: str, words: str) -> Table:
    models = result["models"]
    rows = tuple(
        Row((words_of, *(_estimate(entry["metrics"][which][name]) for entry in models)))
        for name, words_of in WORDS.items()
    )
    return Table(
        ("Metric", *(entry["name"] for entry in models)),
        rows,
        caption=f"{words} ({result['metrics'][which]['mse']['n']:,})",
        right=tuple(range(1, len(models) + 1)),
    )


def _difference(entry: Mapping[str, Any]) -> Table:
    rows = tuple(
        Row((WORDS[name], Estimate(found["value"], found["low"], found["high"])))
        for name, found in entry["difference_to_baseline"].items()
    )
    return Table(
        ("Metric", "Difference"),
        rows,
        caption=f"{entry['name']} less kron-rls, on the same pairs",
        right=(1,),
    )


def _agreement(result: Mapping[str, Any]) -> Section:
    predicted, measured = result["scatter"]["predicted"], result["scatter"]["measured"]
    low, high = min(*predicted, *measured), max(*predicted, *measured)
    chart = LineChart(
        "Predicted and measured",
        f"{len(predicted)} pairs drawn at random, each predicted by a model that had not learned from it.",
        Axis(f"Predicted {result['target']['name']}", low, high),
        Axis(f"Measured {result['target']['name']}", low, high),
        (Series("equal", [low, high], [low, high], dash="dashed", role="reference"),),
        (Points("pairs", predicted, measured, hollow=True),),
    )
    return Section("Agreement", (chart,), "agreement")


def _intervals(result: Mapping[str, Any]) -> Section:
    text = (
        f"A prediction comes with an interval of {result['half_width']:.2f} to both sides, which held "
        f"{100 * result['coverage']:.0f} % of the pairs that were predicted without having been learned from. It "
        f"promises as much for {_NEW[result['validation']]}, drawn like these, and nothing for others. Similarity to "
        "the nearest known drug and target is given with each prediction."
    )
    return Section("Intervals of predictions", (Paragraph(text),), "intervals")


def _estimate(metric: Mapping[str, Any]) -> Estimate:
    return Estimate(metric["value"], metric["low"], metric["high"])
