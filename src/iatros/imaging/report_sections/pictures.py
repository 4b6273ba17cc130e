"""Examples to look at, with what the heat map shows, and whether heat maps of this network can be believed."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Facts,
    Grid,
    Heading,
    LineChart,
    Note,
    Paragraph,
    Picture,
    Points,
    Row,
    Section,
    Series,
    Table,
    Tag,
)
from iatros.core.report.numbers import NONE, count, is_number, number, percent, rounded
from iatros.core.report_sections.reading import Result, blocks, estimate

_KINDS = {
    "right": ("Right, and sure of it", "The surest right answers, of every class in turn."),
    "wrong": (
        "Wrong, and sure of it",
        "The surest wrong answers: where to look first for what misleads the network.",
    ),
    "uncertain": ("Most uncertain", "The answers nearest to a tie, right or wrong."),
}
_WIDTH = 198
"""Of a picture, in CSS pixels: four beside each other."""


def images_section(result: Result) -> Section:
    """Section: right, wrong and uncertain answers, each image beside its heat map."""
    shown = [one for one in result.items("images") if isinstance(one, Mapping) and one.get("png")]
    if not shown:
        return Section("Example images", (result.absent("images"),), "images")
    method = str(
        result.mapping("request").get("explain") or result.mapping("explanation_checks").get("method") or ""
    )
    lead = (
        "Chosen by rule, not by eye. Each image stands beside its heat map"
        + (f" ({method})" if method else "")
        + ": warm places moved the answer most. A heat map shows where the network looked, not whether it was right to."
    )
    found: list[Block] = [Paragraph(lead, "lead")]
    for kind in dict.fromkeys([*_KINDS, *(str(one.get("kind")) for one in shown)]):
        members = [one for one in shown if one.get("kind") == kind]
        if members:
            title, words = _KINDS.get(kind, (kind, ""))
            pictures = [picture for one in members for picture in _pair(one, title)]
            found += [Heading(title), Paragraph(words, "small"), Grid(tuple(pictures), 4)]
    return Section("Example images", tuple(found), "images")


def _pair(one: Mapping[str, Any], title: str) -> list[Picture]:
    truth, said = str(one.get("truth", NONE)), str(one.get("prediction", NONE))
    sure = f", {percent(one['probability'], 0)}" if is_number(one.get("probability")) else ""
    caption = f"Truth: {truth}. Answer: {said}{sure}."
    pictures = [Picture(base64.b64decode(one["png"]), f"{title}. {caption}", caption, _WIDTH)]
    if one.get("overlay"):
        alt = f"The same image with its heat map for the answer {said}."
        pictures.append(Picture(base64.b64decode(one["overlay"]), alt, f"Heat map for {said}.", _WIDTH))
    return pictures


def checks_section(result: Result) -> Section:
    """Section: does the heat map depend on what was learned, and does it find what is known to be there?"""
    found = result.mapping("explanation_checks")
    randomisation, pointing = found.get("randomisation"), found.get("pointing")
    if not isinstance(randomisation, Mapping) and not isinstance(pointing, Mapping):
        return Section("Checks of the heat maps", (result.absent("explanation_checks"),), "checks")
    none = Note("Not available: the place of the finding is known for none of the images.", "absent")
    blocks_found = blocks(
        *(_randomisation(randomisation) if isinstance(randomisation, Mapping) else ()),
        Heading("Pointing game"),
        *(_pointing(pointing) if isinstance(pointing, Mapping) else (none,)),
    )
    return Section("Checks of the heat maps", blocks_found, "checks")


def _randomisation(found: Mapping[str, Any]) -> tuple[Block, ...]:
    passes = bool(found.get("passes"))
    lead = (
        "A map that stays the same when the network's weights are replaced by random ones shows the image, not what "
        "the network learned (Adebayo et al. 2018). The weights are replaced layer by layer from the top."
    )
    stages = [stage for stage in found.get("stages") or [] if isinstance(stage, Mapping)]
    verdict = Table(
        ("Method", "Likeness with all weights random", "Bound", "Images", "Verdict"),
        (
            Row(
                (
                    str(found.get("method") or "heat map"),
                    number(found.get("similarity"), 2),
                    number(found.get("bound"), 2),
                    count(found.get("n")),
                    Tag("passes", "good") if passes else Tag("fails", "bad"),
                )
            ),
        ),
        foot="Likeness is the mean rank correlation of the maps' pixels: 1 the same map, 0 none. A method that fails "
        "is not to be relied on for this network.",
        right=(1, 2, 3),
    )
    return blocks(
        Heading("Parameter randomisation"),
        Paragraph(lead, "lead"),
        verdict,
        _stages(found, stages) if stages else None,
    )


def _stages(found: Mapping[str, Any], stages: list[Mapping[str, Any]]) -> LineChart:
    x = [stage.get("layers") for stage in stages]
    y = [stage.get("rank_correlation") for stage in stages]
    bound = found.get("bound")
    ends = [value for value in x if is_number(value)]
    reference = (
        (Series("", (min(ends), max(ends)), (bound, bound), dash="dashed", role="reference"),)
        if is_number(bound) and ends
        else ()
    )
    return LineChart(
        "Likeness to the true map",
        "Rank correlation of the heat maps with those of the trained network, by number of randomised layers.",
        Axis("layers with random weights, from the top", whole=True),
        Axis("rank correlation", -0.25, 1.0),
        (*reference, Series("", x, y, colour=0)),
        points=(Points("", x, y),),
        width=620,
        height=240,
    )


def _pointing(found: Mapping[str, Any]) -> tuple[Block, ...]:
    lead = (
        "How often the hottest place lies on the finding, whose place is known (Zhang et al. 2018), beside what needs "
        "no network."
    )
    facts = (
        (
            "Hits",
            f"{estimate(found.get('hit_rate'))}, {count(found.get('hits'))} of {count(found.get('n'))} images",
        ),
        ("Tolerance", f"{rounded(found.get('tolerance_px'))} px"),
        ("A place drawn at random", percent(found.get("chance"))),
        ("The middle of the image", percent(found.get("centre"))),
        ("The hottest places of other images", percent(found.get("other_maps"))),
        ("Maps without any heat", count(found.get("without_heat"))),
    )
    return Paragraph(lead, "lead"), Facts(facts)
