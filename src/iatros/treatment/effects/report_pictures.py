"""Sections of pictures: overlap, balance (the love plot), and the spread of individual effects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Facts,
    ForestPanel,
    ForestPlot,
    ForestPoint,
    ForestRow,
    Grid,
    Histogram,
    Note,
    Paragraph,
    Row,
    Section,
    Table,
    Tag,
)
from iatros.core.report.numbers import number, percent, rounded
from iatros.core.report_sections.reading import Result, blocks, capital, estimate

_SHOWN = 30


def overlap_section(result: Result) -> Section:
    """Section: how probabilities of each arm are spread among the subjects of every arm."""
    found = result.mapping("overlap")
    if not found:
        return Section("Overlap", (result.absent("overlap"),), "overlap")
    facts = (
        ("Probabilities", f"{number(found['least'], 3)} to {number(found['greatest'], 3)}"),
        (
            f"Outside {found['bounds']}",
            f"{number(found['n_outside'], 0)} subjects ({percent(found['share_outside'])})",
        ),
        *(
            (f"Effective sample size of {arm}", number(value, 1))
            for arm, value in found["effective_sample_size"].items()
        ),
        ("Held at 0.01 in the scores", f"{number(found['n_held'], 0)} subjects"),
    )
    refusal = found.get("refusal")
    warning = Note(capital(refusal) + ".", "warning") if refusal else None
    pictures = [
        Histogram(
            f"Probability of {of}, subjects in {among}",
            f"Histogram of the probability of {of} among the subjects in {among}",
            Axis(f"probability of {of}", 0.0, 1.0), found["edges"], counts,
        )
        for of, by_arm in list(found["histogram"].items())[1:]
        for among, counts in by_arm.items()
    ]  # fmt: skip
    return Section("Overlap", blocks(warning, Facts(facts), Grid(tuple(pictures))), "overlap")


def balance_section(result: Result) -> Section:
    """Section: the love plot of standardised differences, those that differ most first."""
    found = result.mapping("balance")
    plots = [_love(one, float(found["limit"])) for one in found.get("comparisons") or []]
    if not plots:
        return Section("Balance", (result.absent("balance"),), "balance")
    lead = Paragraph(
        f"Differences in means in standard deviations, before and after weighting by inverse propensities; beyond "
        f"{found['limit']} a covariate is called imbalanced.", "lead",
    )  # fmt: skip
    return Section("Balance", (lead, *plots), "balance")


def _love(one: Mapping[str, Any], limit: float) -> ForestPlot:
    rows = sorted(
        zip(one["covariates"], one["before"], one["after"], strict=True), key=lambda row: -abs(row[1])
    )
    drawn = []
    for name, before, after in rows[:_SHOWN]:
        label = f"{name} (still imbalanced)" if abs(after) > limit else name
        drawn.append(ForestRow(label, (ForestPoint(before), ForestPoint(after))))
    more = (
        f" The {len(rows) - _SHOWN} covariates that differ less are not drawn." if len(rows) > _SHOWN else ""
    )
    wide = 1.1 * max(2 * limit, one["worst_before"], one["worst_after"])
    panels = tuple(ForestPanel(when, 0.0, low=-wide, high=wide) for when in ("before", "after"))
    return ForestPlot(
        f"{one['arm']} against {one['reference']}",
        f"{one['n_beyond_limit_before']} covariates beyond {limit} before weighting, "
        f"{one['n_beyond_limit_after']} after; the largest {one['worst_before']:.2f} and {one['worst_after']:.2f}",
        panels, tuple(drawn),
        caption=f"Love plot: {one['n_beyond_limit_before']} of {len(rows)} covariates beyond {limit} before weighting, "
        f"{one['n_beyond_limit_after']} after.{more}",
    )  # fmt: skip


def individual_section(result: Result) -> Section:
    """Section: the test of heterogeneity, the learners compared, the spread of individual effects."""
    individual = result.mapping("individual")
    tests = [_test(one) for one in result.items("heterogeneity")]
    if not individual:
        return Section("Individual effects", (*tests, result.absent("individual")), "individual")
    lead = Paragraph(
        f"{number(individual['n_compared'], 0)} subjects are compared, {number(individual['n_not_compared'], 0)} have "
        f"no counterpart in some arm and are not. Learner: {result.model}; intervals: {individual['method']}. They "
        "hold what sampling leaves open, not what the learner smooths away.", "lead",
    )  # fmt: skip
    pictures = tuple(
        Histogram(
            f"{one['arm']} against {one['reference']}",
            f"Individual effects of {one['n']} subjects; {one['n_gain']} intervals show gain, {one['n_lose']} harm",
            Axis("individual effect"), one["edges"], one["counts"],
            caption=f"{one['n_gain']} intervals lie on the side of gain, {one['n_lose']} on that of harm.",
        )
        for one in individual["arms"]
        if one["n"] and (one["standard_deviation"] or 0.0) > 1e-9
    )  # fmt: skip
    return Section(
        "Individual effects",
        blocks(lead, *tests, _models(result), Grid(pictures) if pictures else None),
        "individual",
    )


def _test(one: Mapping[str, Any]) -> Note:
    parts = ", ".join(f"{name} {rounded(p_value)}" for name, p_value in one["by_features"].items())
    return Note(
        f"{capital(one['statement'])}. {capital(one['method'])}; p by features: {parts}; n {one['n']}."
    )


def _models(result: Result) -> Table | None:
    models = result.items("models")
    if not models:
        return None
    rows = tuple(
        Row((
            one["name"], number(one["loss"], 4), estimate(one["over_constant"]),
            Tag("chosen", "good") if one["selected"] else "",
        ))
        for one in models
    )  # fmt: skip
    return Table(
        ("Learner", "Loss", "Loss over that of one effect for all", ""), rows, right=(1, 2),
        foot="R-loss on subjects that learner and nuisances had not seen; below 0 is better than one effect for all.",
    )  # fmt: skip
