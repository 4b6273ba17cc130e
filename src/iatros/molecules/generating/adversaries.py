"""What a report says of adversaries: their losses on the way, and whether all of the library's variety is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Grid,
    LineChart,
    Paragraph,
    Row,
    Section,
    Series,
    Table,
)
from iatros.core.report.numbers import count, percent

_CHARTS = (
    ("Losses", ("critic_loss", "generator_loss", "discriminator_loss", "policy_loss", "likelihood_loss")),
    ("Penalty on the critic's slope", ("gradient_penalty",)),
    ("Wasserstein distance to compounds not learned from, as the critic estimates it", ("wasserstein",)),
    ("Reward", ("reward",)),
    ("Latent vectors: precision and recall", ("precision", "recall")),
    ("Written compounds", ("valid", "unique", "internal_diversity", "coverage")),
)
_MEASURES = (
    ("valid", "Valid", "of what was written"),
    ("unique", "Unique", "of the valid"),
    ("internal_diversity", "Internal diversity", "1 less the mean similarity of two"),
    ("coverage", "Coverage", "scaffolds of compounds not learned from that were written too"),
)
_TOLD = (
    "A generator that has found a few compounds that its opponent takes for real may write these again and again. Then "
    "fewer texts are unique, coverage and internal diversity fall below those of the library, and of the latent "
    "vectors the recall falls while the precision stays."
)


def adversarial_sections(training: Mapping[str, Any]) -> tuple[Section, ...]:
    """The section about the adversaries of a training; none where there were none."""
    looks = training.get("adversarial_history")
    if not looks:
        return ()
    return (
        Section("Adversaries", (*_times(training), *_learning(looks), *_collapse(training)), "adversaries"),
    )


def _times(training: Mapping[str, Any]) -> tuple[Block, ...]:
    seconds = training.get("seconds")
    if not seconds:
        return ()
    said = (
        f"Of the time given, {count(seconds['first'])} s were for learning the compounds themselves and "
        f"{count(seconds['second'])} s for learning from each other."
    )
    return (Paragraph(said),)


def _learning(looks: list[Mapping[str, Any]]) -> tuple[Block, ...]:
    x = [one["turn"] for one in looks]
    charts = []
    for title, names in _CHARTS:
        there = [name for name in names if name in looks[0]]
        series = tuple(Series(name.replace("_", " "), x, [one[name] for one in looks]) for name in there)
        if series:
            charts.append(
                LineChart(title, f"{title}, by turn.", Axis("turn", whole=True), Axis("value"), series)
            )
    return (Grid(tuple(charts), columns=2),)


def _collapse(training: Mapping[str, Any]) -> tuple[Block, ...]:
    collapse = training["mode_collapse"]
    rows = tuple(
        Row((label, percent(collapse["written"][name]), percent(collapse["library"][name]), of))
        for name, label, of in _MEASURES
    )
    caption = f"{count(collapse['n'])} written texts, and as many compounds of the library"
    return (
        Paragraph(_TOLD, "lead"),
        Table(("Measure", "Written", "Library", "Of"), rows, caption=caption, right=(1, 2)),
    )
