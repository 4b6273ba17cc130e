"""The page of a comparison: the table, published rows beside it, properties, filters and examples."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Cell,
    Document,
    Drawing,
    Estimate,
    Facts,
    FlowDiagram,
    FlowStep,
    Grid,
    Heading,
    KeyNumber,
    KeyNumbers,
    LineChart,
    Note,
    Paragraph,
    Row,
    Section,
    Series,
    Table,
)
from iatros.core.report.numbers import NONE, count, number
from iatros.core.report_sections.reading import Result, capital
from iatros.core.report_sections.record import reproducibility_section
from iatros.molecules.depicting import draw_structure
from iatros.molecules.distribution.published import MOSES
from iatros.molecules.distribution.published import Row as Published

WORDS = {
    "valid": ("Valid", "texts that are a molecule"),
    "unique_1k": ("Unique of 1,000", "different ones among the first 1,000 molecules"),
    "unique_10k": ("Unique of 10,000", "different ones among the first 10,000 molecules"),
    "fcd": (
        "FCD",
        "Fréchet ChemNet distance: 0 where both sides look alike to ChemNet; falls with more compounds",
    ),
    "snn": ("SNN", "mean Tanimoto similarity to the nearest compound of the reference"),
    "frag": ("Frag", "cosine of how often each BRICS fragment occurs"),
    "scaf": ("Scaf", "cosine of how often each Murcko scaffold of two rings or more occurs"),
    "int_div": ("IntDiv", "one less the mean similarity of two compounds"),
    "int_div_2": ("IntDiv2", "the same with squared similarities, which weigh close pairs more"),
    "filters": ("Filters", "molecules that pass the filters of MOSES"),
    "novelty": ("Novelty", "different molecules that are not in the training set"),
    "logp_w1": ("log P", "Wasserstein distance of Crippen's log P"),
    "sa_w1": ("SA", "Wasserstein distance of synthetic accessibility, 1 (easy) to 10"),
    "qed_w1": ("QED", "Wasserstein distance of drug-likeness, 0 to 1"),
    "weight_w1": ("Weight", "Wasserstein distance of molecular weight, g/mol"),
    "kl": (
        "KL score",
        "mean exp(-divergence) of GuacaMol's descriptors: 1 where nothing tells the sides apart",
    ),
    "fcd_score": ("FCD score", "exp(-0.2 FCD), as GuacaMol has it"),
}
"""Label of each metric, and what it tells."""
_HEADLINE = ("valid", "unique_10k", "fcd", "snn", "filters", "novelty")
_PUBLISHED = ("valid", "unique_1k", "unique_10k", "int_div", "int_div_2", "filters", "novelty")
_AGAINST = ("fcd", "snn", "frag", "scaf")
_PROPERTIES = {
    "logp": "log P",
    "sa": "synthetic accessibility",
    "qed": "QED",
    "weight": "molecular weight, g/mol",
}
_STANDING = (
    "Every number depends on how many compounds were written: compare sets of one size.",
    "A set that repeats its training set has the best FCD and SNN; read them with novelty and diversity. One carbon "
    "atom added to known compounds satisfies most of these metrics (Renz et al. 2019).",
    "Nothing here says that a compound can be made, or that it does anything.",
    "Intervals tell how far another sample of as many compounds would differ. Another training differs more.",
)


def build(result: Mapping[str, Any]) -> Document:
    """The report as data, ready to be drawn."""
    version = (result.get("versions") or {}).get("iatros")
    sections = [
        Section("Metrics", (_table(result),), "metrics"),
        *_beside(result),
        Section("From text to compound", (_funnel(result), *_reasons(result)), "funnel"),
        Section("Properties", (Grid(tuple(_charts(result))),), "properties"),
        Section("Filters", _filters(result), "filters"),
        *_examples(result),
        Section("GuacaMol", _guacamol(result), "guacamol"),
        Section("How to read this", tuple(Paragraph(text) for text in _STANDING), "reading"),
        reproducibility_section(
            Result(result), promise="The same compounds with the same versions give the same numbers."
        ),
    ]
    return Document(
        title="Generated compounds beside a reference",
        kicker="Distribution of generated compounds",
        subtitle=f"{result['generated']} beside {result['reference']['name']}",
        banner="Research software, not a medical device. A generated compound is an idea: nobody has made it.",
        opening=_opening(result),
        sections=tuple(sections),
        closing="Written by iatros" + (f" {version}" if version else ""),
    )


def _opening(result: Mapping[str, Any]) -> tuple[Block, ...]:
    facts = [("Generated", f"{result['generated']}, {count(result['n_written'])} texts")]
    for role, label in (("reference", "Reference"), ("scaffolds", "Reference of other scaffolds")):
        side = result.get(role)
        if side:
            known = f", recognised as {side['known_as']}" if side["known_as"] else ""
            facts.append((label, f"{side['name']}, {count(side['n'])} compounds{known}"))
    if result.get("training"):
        facts.append(("Training", f"{result['training']['name']}, {count(result['training']['n'])} lines"))
    found = result["metrics"]["reference"]
    shown = tuple(
        KeyNumber(WORDS[name][0], _estimate(found[name]), found[name]["interval"])
        for name in _HEADLINE
        if name in found
    )
    notes = tuple(Note(str(said)) for said in result["notes"])
    return (Facts(tuple(facts)), KeyNumbers(shown), *notes)


def _estimate(document: Mapping[str, Any]) -> Estimate:
    return Estimate(document["value"], document["low"], document["high"], 4)


def _table(result: Mapping[str, Any]) -> Table:
    metrics = result["metrics"]
    labels = {"reference": "Reference", "scaffolds": "Other scaffolds"}
    header = ("Metric", *(labels[role] for role in metrics), "What it tells")
    rows = []
    for name, (label, tells) in WORDS.items():
        if name in metrics["reference"]:
            cells: list[Cell] = [
                _estimate(found[name]) if name in found else NONE for found in metrics.values()
            ]
            rows.append(Row((label, *cells, tells)))
    return Table(header, tuple(rows), right=tuple(range(1, len(header) - 1)), stacked=True)


def _beside(result: Mapping[str, Any]) -> tuple[Section, ...]:
    """The published rows, where the references are those of MOSES."""
    sides = [result.get("reference") or {}, result.get("scaffolds") or {}]
    known = [side.get("known_as") for side in sides]
    if known[0] != "moses-test":
        return ()
    own = result["metrics"]["reference"]
    header = ("", *(WORDS[name][0] for name in _PUBLISHED))
    rows = [Row((one.name, *(number(getattr(one, name), 4) for name in _PUBLISHED))) for one in MOSES]
    rows.append(Row(("these compounds", *(_value(own.get(name)) for name in _PUBLISHED)), "strong"))
    blocks: list[Block] = [
        Paragraph(
            "Published rows are of 30,000 compounds each, means of three trainings where there were several "
            "(Polykovskiy et al. 2020). Train is the training set itself: 30,000 of its compounds, drawn at random, "
            "have an FCD of 0.048 against the test set.",
            "lead",
        ),
        Table(header, tuple(rows), right=tuple(range(1, len(header))), compact=True),
        Heading("Against the test set"),
        _against(0, own),
    ]
    if known[1] == "moses-test-scaffolds":
        blocks += [
            Heading("Against the test set of other scaffolds"),
            _against(1, result["metrics"]["scaffolds"]),
        ]
    return (Section("Beside published generators", tuple(blocks), "published"),)


def _against(side: int, own: Mapping[str, Any]) -> Table:
    def values(one: Published) -> tuple[str, ...]:
        return tuple(number(getattr(one, name)[side], 4) for name in _AGAINST)

    rows = [Row((one.name, *values(one))) for one in MOSES]
    rows.append(Row(("these compounds", *(_value(own.get(name)) for name in _AGAINST)), "strong"))
    header = ("", *(WORDS[name][0] for name in _AGAINST))
    return Table(header, tuple(rows), right=tuple(range(1, len(header))), compact=True)


def _value(document: Mapping[str, Any] | None) -> str:
    return NONE if document is None else number(document["value"], 4)


def _funnel(result: Mapping[str, Any]) -> FlowDiagram:
    steps, before = [], None
    for step in result["funnel"]:
        lost = () if before in (None, step["n"]) else (f"left out: {count(before - step['n'])}",)
        steps.append(FlowStep(capital(step["step"]), (count(step["n"]),), lost))
        before = step["n"]
    said = "; ".join(f"{step.name}: {', '.join(step.lines)}" for step in steps)
    return FlowDiagram("From text to compound", said, tuple(steps))


def _reasons(result: Mapping[str, Any]) -> tuple[Block, ...]:
    valid = next(step for step in result["funnel"] if step["step"] == "valid")
    rows = tuple(Row((why, count(n))) for why, n in (valid.get("reasons") or {}).items())
    return (Table(("Why a text is no molecule", "Texts"), rows, right=(1,)),) if rows else ()


def _charts(result: Mapping[str, Any]) -> list[LineChart]:
    charts = []
    for name, found in result["properties"].items():
        edges = found["edges"]
        middles = [(low + high) / 2 for low, high in pairwise(edges)]
        charts.append(
            LineChart(
                capital(_PROPERTIES[name]),
                f"Shares of the generated compounds and of the reference by {_PROPERTIES[name]}.",
                Axis(_PROPERTIES[name], edges[0], edges[-1]),
                Axis("share of the compounds", 0.0, percent=True),
                (
                    Series("generated", middles, found["generated"]),
                    Series("reference", middles, found["reference"], dash="dashed"),
                ),
                height=260,
            )
        )
    return charts


def _filters(result: Mapping[str, Any]) -> tuple[Block, ...]:
    rows = tuple(
        Row((why, count(n), f"{n / result['n_valid']:.2%}")) for why, n in result["failures"].items()
    )
    if not rows:
        return (Paragraph("Every molecule passes."),)
    lead = "A molecule can fail by several. Patterns with PAINS in the name are those of assay interference."
    return (
        Paragraph(lead, "lead"),
        Table(("What most molecules fail by", "Molecules", "Share"), rows, right=(1, 2)),
    )


def _examples(result: Mapping[str, Any]) -> tuple[Section, ...]:
    passing, failing = result["examples"]["passing"], result["examples"]["failing"]
    blocks: list[Block] = []
    if passing:
        said = "new ones that pass the filters" if result.get("training") else "that pass the filters"
        blocks += [Paragraph(f"The first compounds {said}.", "lead"), _drawn([(one, "") for one in passing])]
    if failing:
        blocks += [
            Heading("The first that fail"),
            _drawn([(one["smiles"], "; ".join(one["fails"])) for one in failing]),
        ]
    return (Section("Examples", tuple(blocks), "examples"),) if blocks else ()


def _drawn(compounds: list[tuple[str, str]]) -> Grid:
    return Grid(
        tuple(
            Drawing(draw_structure(smiles), f"the structure {smiles}", caption=said, width=220)
            for smiles, said in compounds
        ),
        columns=4,
    )


def _guacamol(result: Mapping[str, Any]) -> tuple[Block, ...]:
    found = result["guacamol"]
    shares = tuple(
        Row((name.capitalize(), NONE if found[name] is None else number(found[name], 4)))
        for name in ("validity", "uniqueness", "novelty")
    )
    lead = (
        "As GuacaMol counts them: without stereochemistry, uniqueness and novelty as shares of 10,000. Its published "
        "numbers use compounds of its training set as the reference."
    )
    blocks: list[Block] = [Paragraph(lead, "lead"), Table(("Share", ""), shares, right=(1,))]
    rows = tuple(Row((name, number(value, 4))) for name, value in found["divergences"].items())
    if rows:
        blocks.append(Table(("Descriptor", "Divergence from the reference"), rows, right=(1,)))
    return tuple(blocks)
