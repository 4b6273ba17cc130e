"""How common the finding is on each side and at each site, and what a difference does to the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Bar,
    BarChart,
    Block,
    Cell,
    Estimate,
    Heading,
    Note,
    Paragraph,
    Row,
    Section,
    Table,
)
from iatros.core.report.numbers import NONE, count, is_number, number
from iatros.core.report_sections.reading import Result, blocks, capital, estimate
from iatros.core.report_sections.words import SPLITS

_BARS = 20


def prevalence_section(result: Result) -> Section:
    """Section: shares by side and site, their differences, and PPV, NPV and accuracy at each prevalence."""
    found = result.mapping("prevalence")
    if not found:
        return Section("Prevalence by side and site", (result.absent("prevalence"),), "prevalence")
    lead = (
        "How common the finding is where the model learned, where it was calibrated and where it is judged. "
        "Sensitivity and specificity need not change with it; accuracy, PPV, NPV and calibrated probabilities do."
    )
    parts = [
        block
        for name, words in (("sides", "Side"), ("sites", "Site"))
        for block in _parts(result, found.get(name), words)
    ]
    blocks_found = blocks(Paragraph(lead, "lead"), *parts, *_consequences(found.get("consequences")))
    return Section("Prevalence by side and site", blocks_found, "prevalence")


def _parts(result: Result, found: Any, words: str) -> tuple[Block, ...]:
    if not isinstance(found, Mapping):
        return ()
    heading = Heading(f"By {words.lower()}")
    if isinstance(found.get("by_label"), Mapping):
        return heading, _label_table(found["by_label"], words)
    levels = found.get("levels") or {}
    if not levels:
        return ()
    sentence = test_sentence(found, words.lower())
    test = Note(sentence, "warning" if shifted(found) else "remark") if sentence else None
    if found.get("task") == "binary":
        table, chart = _binary_table(found, words), _chart(result, levels)
        return blocks(heading, table, chart if len(levels) <= _BARS else None, test)
    if found.get("task") == "multiclass":
        return blocks(heading, _class_table(levels, words), test)
    return blocks(heading, _mean_table(found, words))


def shifted(found: Mapping[str, Any]) -> bool:
    """Whether the test of all parts at once finds a difference at the 5 per cent level."""
    test = found.get("test")
    return isinstance(test, Mapping) and is_number(test.get("p_value")) and test["p_value"] < 0.05


def test_sentence(found: Mapping[str, Any], words: str) -> str:
    """The test of all parts at once, in words; empty where there is none."""
    test = found.get("test")
    if not isinstance(test, Mapping) or not is_number(test.get("p_value")):
        return ""
    verdict = "The prevalence differs" if shifted(found) else "No difference in prevalence is shown"
    return (
        f"{verdict} between {words}s: {test.get('test')} {number(test.get('statistic'), 1)} with "
        f"{count(test.get('degrees'))} {'degree' if test.get('degrees') == 1 else 'degrees'} of freedom, "
        f"{p_words(test['p_value'])}."
    )


def p_words(p: float) -> str:
    """`p = 0.012`, or `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {number(p, 3)}"


def _side(name: object) -> str:
    """A side at the head of a row: `Held out`; a site keeps its name."""
    return capital(str(name).replace("_", " ")) if name in SPLITS else str(name)


def _chart(result: Result, levels: Mapping[str, Any]) -> BarChart:
    bars = tuple(
        Bar(_side(name), *(level["share"].get(end) for end in ("value", "low", "high")))
        for name, level in levels.items()
        if is_number((level.get("share") or {}).get("value"))
    )
    described = "; ".join(f"{bar.label} {number(bar.value)}" for bar in bars)
    return BarChart(
        f"Share of images with {result.event}", described, Axis("share", 0.0, 1.0), bars, colour=1, width=620
    )


def _binary_table(found: Mapping[str, Any], words: str) -> Table:
    reference = str(found.get("reference"))
    rows = []
    for name, level in found["levels"].items():
        difference = (found.get("differences") or {}).get(name)
        cells: list[Cell] = [
            _side(name),
            count(level.get("n")),
            count(level.get("n_events")),
            estimate(level.get("share")),
            estimate(difference)
            if isinstance(difference, Mapping)
            else "reference"
            if name == reference
            else NONE,
            _shift(difference),
        ]
        rows.append(Row(tuple(cells)))
    return Table(
        (
            words,
            "Images",
            "With it",
            "Prevalence",
            f"Difference to {reference.replace('_', ' ')}",
            "Shift in log-odds",
        ),
        tuple(rows),
        foot="Newcombe's interval of the difference. The shift is what calibrated log-odds would have to be moved by "
        "if the prevalence alone differed.",
        right=(1, 2, 3, 4, 5),
        stacked=True,
        compact=True,
    )


def _shift(difference: Any) -> Cell:
    found = difference.get("log_odds_shift") if isinstance(difference, Mapping) else None
    if not isinstance(found, Mapping):
        return NONE
    return Estimate(found.get("value"), found.get("low"), found.get("high"), 2)


def _class_table(levels: Mapping[str, Any], words: str) -> Table:
    classes = list(dict.fromkeys(name for level in levels.values() for name in level.get("shares") or {}))
    rows = tuple(
        Row(
            (
                _side(name),
                count(level.get("n")),
                *(estimate((level.get("shares") or {}).get(one)) for one in classes),
            )
        )
        for name, level in levels.items()
    )
    header = (words, "Images", *(str(one) for one in classes))
    return Table(header, rows, right=tuple(range(1, len(header))), stacked=True, compact=len(classes) > 4)


def _mean_table(found: Mapping[str, Any], words: str) -> Table:
    rows = []
    for name, level in found["levels"].items():
        difference = (found.get("differences") or {}).get(name)
        rows.append(
            Row(
                (
                    _side(name),
                    count(level.get("n")),
                    estimate(level.get("mean"), "mae"),
                    number(level.get("sd"), 2),
                    estimate(difference, "bias") if isinstance(difference, Mapping) else NONE,
                    p_words(difference["p_value"])
                    if isinstance(difference, Mapping) and is_number(difference.get("p_value"))
                    else NONE,
                )
            )
        )
    reference = str(found.get("reference")).replace("_", " ")
    header = (words, "Images", "Mean", "SD", f"Difference to {reference}", "Welch's test")
    return Table(header, tuple(rows), right=(1, 2, 3, 4, 5), stacked=True)


def _label_table(labels: Mapping[str, Any], words: str) -> Table:
    parts = list(dict.fromkeys(name for found in labels.values() for name in found.get("levels") or {}))
    rows = []
    for label, found in labels.items():
        levels = found.get("levels") or {}
        cells: list[Cell] = [str(label)]
        cells += [estimate((levels.get(part) or {}).get("share")) for part in parts]
        p = (found.get("test") or {}).get("p_value")
        rows.append(Row((*cells, p_words(p) if is_number(p) else NONE)))
    header = ("Label", *(_side(part) for part in parts), "Test of all")
    return Table(
        header,
        tuple(rows),
        foot=f"Share of images with each label by {words.lower()}; unknown labels are left out.",
        right=tuple(range(1, len(header))),
        stacked=True,
        compact=True,
    )


def _consequences(found: Any) -> tuple[Block, ...]:
    """What the judged sensitivity and specificity would mean at the prevalence of each side."""
    if not isinstance(found, Mapping) or not found.get("parts"):
        return ()
    rows = tuple(
        Row(
            (
                _side(name),
                estimate(part.get("prevalence")),
                estimate(part.get("ppv")),
                estimate(part.get("npv")),
                estimate(part.get("accuracy")),
            )
        )
        for name, part in found["parts"].items()
        if isinstance(part, Mapping)
    )
    said = (
        f"Sensitivity {estimate(found.get('sensitivity'))} and specificity {estimate(found.get('specificity'))} of the "
        f"judged images at a threshold of {number(found.get('threshold'), 2)}, taken to where the finding is rarer or "
        "more common. It is assumed that the cases themselves are alike."
    )
    table = Table(
        ("At the prevalence of", "Prevalence", "PPV", "NPV", "Accuracy"),
        rows,
        foot="Intervals by the delta method from those of sensitivity, specificity and prevalence.",
        right=(1, 2, 3, 4),
        stacked=True,
    )
    return Heading("What the prevalence does to an answer"), Paragraph(said, "lead"), table
