"""Sections about rules: their values, their differences, and the learned tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iatros.core.report import (
    Code,
    Estimate,
    ForestPanel,
    ForestPlot,
    ForestRow,
    Heading,
    Paragraph,
    Row,
    Section,
    Table,
)
from iatros.core.report.numbers import is_number, number, percent
from iatros.core.report_sections.reading import Result, blocks, capital, forest_point

_METHODS = {
    "doubly-robust": "Doubly robust",
    "weighting": "Weighting",
    "self-normalised": "Self-normalised",
}


def shown(metric: Mapping[str, Any]) -> Estimate:
    """The metric document as a cell, with as many decimals as its size needs."""
    return Estimate(metric["value"], metric["low"], metric["high"], _digits([metric]))


def _digits(metrics: Sequence[Mapping[str, Any]]) -> int:
    """Decimals that suit the largest number in `metrics`."""
    ends = [one[name] for one in metrics for name in ("value", "low", "high")]
    size = max((abs(end) for end in ends if is_number(end)), default=0.0)
    return 3 if size < 1 else 2 if size < 100 else 1 if size < 1000 else 0


def values_section(result: Result) -> Section:
    """Section: every rule with its value by three estimators, and whom it gives what."""
    rules = result.items("rules")
    if not rules:
        return Section("Values", (result.absent("rules"),), "values")
    nuisances = result.mapping("nuisances")
    lead = (
        f"Doubly robust scores, cross-fitted in {nuisances.get('folds')} folds; outcome model "
        f"{nuisances.get('outcome_model')}, propensities: {nuisances.get('propensity_model')}. Weighting uses the "
        "outcomes of those alone who were given what the rule names."
    )
    if nuisances.get("censoring"):
        lead += f" Outcomes are weighted by the inverse probability of censoring ({nuisances['censoring']})."
    values = Table(
        ("Rule", *_METHODS.values(), "By the bootstrap", "Effective n"),
        tuple(_value_row(rule) for rule in rules),
        right=(1, 2, 3, 4, 5),
        stacked=True,
        foot="Mean outcome in its unit. Effective n: as how many equally weighted subjects those count who were given "
        "what the rule names.",
    )
    return Section("Values", (Paragraph(lead, "lead"), _plot(rules), values, _shares(rules)), "values")


def _value_row(rule: Mapping[str, Any]) -> Row:
    cells = [shown(rule["value"][method]) for method in _METHODS]
    return Row(
        (capital(rule["name"]), *cells, shown(rule["bootstrap"]), number(rule["effective_n"], 0)),
        "strong" if rule["origin"] == "learned" else "plain",
    )


def _plot(rules: list[Any]) -> ForestPlot:
    rows = tuple(
        ForestRow(
            capital(rule["name"]),
            (forest_point(rule["value"]["doubly-robust"]), forest_point(rule["gain"])),
            kind="pooled" if rule["origin"] == "learned" else "level",
        )
        for rule in rules
    )
    said = "; ".join(f"{rule['name']}: {shown(rule['value']['doubly-robust'])}" for rule in rules)
    return ForestPlot(
        "Value and gain of each rule",
        said,
        (
            ForestPanel("mean outcome", digits=_digits([rule["value"]["doubly-robust"] for rule in rules])),
            ForestPanel("gain over the reference", 0.0, digits=_digits([rule["gain"] for rule in rules])),
        ),
        rows,
        caption="Gain: how much better outcomes are than if all were given the reference, less the least benefit for "
        "each subject who is given another arm. Diamonds are learned rules.",
    )


def _shares(rules: list[Any]) -> Table:
    arms = list(rules[0]["shares"])
    rows = tuple(
        Row((
            capital(rule["name"]), rule["told"], *(percent(rule["shares"][arm]) for arm in arms),
            number(rule["n_followed"], 0),
        ))
        for rule in rules
    )  # fmt: skip
    return Table(
        ("Rule", "What it is", *arms, "Given so"), rows, caption="Whom it gives what",
        right=tuple(range(2, 3 + len(arms))), foot="Given so: subjects who received what the rule names.",
    )  # fmt: skip


def differences_section(result: Result) -> Section:
    """Section: each rule less the reference and less the best arm for all, paired."""
    rules, against = result.items("rules"), [str(name) for name in result.items("against")]
    found = [_against(rules, name) for name in against]
    if not found:
        return Section("Differences", (result.absent("against"),), "differences")
    lead = Paragraph(
        "Both rules on the same subjects, so what they share cancels. Gain: positive is better, whichever direction of "
        "the outcome is.", "lead",
    )  # fmt: skip
    return Section("Differences", (lead, *found), "differences")


def _against(rules: list[Any], name: str) -> Table:
    rows = tuple(
        Row((
            capital(rule["name"]),
            *(shown(rule["against"][name]["value"][method]) for method in _METHODS),
            shown(rule["against"][name]["bootstrap"]),
            shown(rule["against"][name]["gain"]),
        ))
        for rule in rules
        if name in rule["against"]
    )  # fmt: skip
    return Table(
        ("Rule", *_METHODS.values(), "By the bootstrap", "Gain"), rows, caption=f"Less {name}", right=(1, 2, 3, 4, 5),
        stacked=True,
    )  # fmt: skip


def tree_section(result: Result) -> Section:
    """Section: the tree learned from all subjects, as a rule to give back, and the trees of the folds."""
    tree = result.mapping("tree")
    if not tree:
        return Section("The learned tree", (result.absent("tree"),), "tree")
    lead = (
        f"The best tree of at most {tree['depth']} question{'s' if tree['depth'] != 1 else ''} by its scores, found by "
        "trying all; how many are worth asking was chosen on subjects that the tree had not learned from."
        if tree["depth"]
        else "No question was worth asking: one arm for all does as well on subjects not learned from."
    )
    folds = "\n\n".join(
        f"without fold {k}\n" + "\n".join(told) for k, told in enumerate(tree["folds"], start=1)
    )
    return Section(
        "The learned tree",
        blocks(
            Paragraph(lead, "lead"),
            Code("\n".join(tree["lines"])),
            Paragraph("The same as a rule (rule of the request), for other subjects:", "small"),
            Code(str(tree["rule"])),
            Heading("The trees that were valued"),
            Paragraph(
                f"One for each fold, learned on the others; {percent(tree['agreement'])} of the subjects are given the "
                "same arm by theirs and by the tree above.",
                "small",
            ),
            Code(folds),
        ),
        "tree",
    )
