"""Sections of numbers: average effects, and the checks whose answer is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    ForestPanel,
    ForestPlot,
    ForestPoint,
    ForestRow,
    Heading,
    Note,
    Paragraph,
    Row,
    Section,
    Table,
    Tag,
)
from iatros.core.report.numbers import number, percent
from iatros.core.report_sections.reading import Result, blocks, estimate


def average_section(result: Result) -> Section:
    """Section: mean outcome by arm, differences and ratios, beside the unadjusted difference."""
    averages = result.items("average")
    if not averages:
        return Section("Average effects", (result.absent("average"),), "average")
    nuisances = result.mapping("nuisances")
    models = ", ".join(f"{arm}: {base}" for arm, base in (nuisances.get("outcome_models") or {}).items())
    lead = (
        f"Augmented inverse probability weighting, cross-fitted in {nuisances.get('folds')} folds; outcome models "
        f"{models}; propensities: {nuisances.get('propensity_model')}."
    )
    if nuisances.get("censoring"):
        lead += f" Outcomes are weighted by the inverse probability of censoring ({nuisances['censoring']})."
    means = Table(
        ("Arm", "Mean outcome had all been in it", "Subjects in it"),
        tuple(
            Row((name, estimate(one), number(one["n"], 0))) for name, one in result.mapping("means").items()
        ),
        right=(1, 2),
    )
    table = Table(
        ("Comparison", "Difference", "Ratio", "Unadjusted difference", "n"),
        tuple(_average_row(one) for one in averages),
        right=(1, 2, 3, 4),
        foot="The unadjusted difference mixes the effect with how subjects came into their arms.",
    )
    return Section(
        "Average effects",
        blocks(Paragraph(lead, "lead"), means, table, _plot(averages), _inside(result)),
        "average",
    )


def _average_row(one: Mapping[str, Any]) -> Row:
    ratio = estimate(one["ratio"]) if one.get("ratio") else "–"
    pair = f"{one['arm']} against {one['reference']}"
    return Row(
        (
            pair,
            estimate(one["difference"]),
            ratio,
            estimate(one["unadjusted"]),
            number(one["difference"]["n"], 0),
        )
    )


def _plot(averages: list[Any]) -> ForestPlot:
    rows = []
    for one in averages:
        for kind, name in (("level", "adjusted"), ("span", "unadjusted")):
            found = one["difference" if name == "adjusted" else "unadjusted"]
            point = ForestPoint(found["value"], found["low"], found["high"])
            label = f"{one['arm']} against {one['reference']}, {name}"
            rows.append(ForestRow(label, (point,), kind="level" if kind == "level" else "span"))
    description = "; ".join(
        f"{row.label}: {row.points[0].value:.3g}"
        for row in rows
        if row.points and row.points[0] and row.points[0].value is not None
    )
    return ForestPlot(
        "Differences between arms", description, (ForestPanel("difference", 0.0, digits=3),), tuple(rows)
    )


def _inside(result: Result) -> Note | None:
    found = result.items("average_inside")
    if not found:
        return None
    said = "; ".join(
        f"{one['arm']} against {one['reference']} {estimate(one['difference'])}" for one in found
    )
    return Note(
        f"In the {number(found[0]['difference']['n'], 0)} subjects who have a counterpart in every arm: {said}."
    )


def checks_section(result: Result) -> Section:
    """Section: placebo arms, negative controls, E-values."""
    checks = result.mapping("checks")
    return Section(
        "Checks",
        blocks(
            Heading("Sensitivity to unmeasured confounding"),
            *_e_values(result),
            Heading("Placebo arms"),
            _placebo(checks.get("placebo")),
            Heading("Negative-control outcomes"),
            _controls(checks.get("negative_controls") or []),
        ),
        "checks",
    )


def _e_values(result: Result) -> tuple[Any, ...]:
    rows = tuple(
        Row(
            (
                f"{one['arm']} against {one['reference']}",
                number(one["e_value"]["point"], 2),
                number(one["e_value"]["interval"], 2),
                one["e_value"]["scale"],
            )
        )
        for one in result.items("average")
        if one.get("e_value")
    )
    if not rows:
        return (result.absent("average"),)
    lead = (
        "The E-value is the risk ratio that an unmeasured confounder would need with both treatment and outcome, "
        "beyond the measured ones, to explain the estimate away, or to move its interval to no effect (1: it "
        "holds no effect already). VanderWeele and Ding 2017."
    )
    table = Table(("Comparison", "E-value", "of the interval", "from"), rows, right=(1, 2))
    return Paragraph(lead, "lead"), table


def _placebo(found: Mapping[str, Any] | None) -> Paragraph | Note:
    if not found:
        return Note("Not available: no placebo repeats were asked for.", "absent")
    text = (
        f"With arms dealt anew {found['repeats']} times, so that there is no effect, the interval held 0 in "
        f"{percent(found['share_holding_zero'])} of them (95% interval {percent(found['low'])} to "
        f"{percent(found['high'])}). This checks the estimation on these data, not confounding."
    )
    return Paragraph(text) if found["as_expected"] else Note(text, "warning")


def _controls(found: list[Any]) -> Table | Note:
    if not found:
        return Note(
            "Not available: no outcome that the treatment cannot change was named (negative_control).",
            "absent",
        )
    rows = tuple(
        Row((one["outcome"], f"{one['arm']} against {one['reference']}", estimate(one["difference"]),
             Tag("away from 0", "bad") if one["away_from_zero"] else Tag("holds 0", "good")))
        for one in found
    )  # fmt: skip
    return Table(("Outcome", "Comparison", "Difference", "Verdict"), rows, right=(2,))
