"""The report of a segmentation: how well label maps agree with the truth, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Document,
    Estimate,
    Facts,
    Finding,
    Findings,
    ForestPanel,
    ForestPlot,
    ForestRow,
    Grid,
    Heading,
    KeyNumber,
    KeyNumbers,
    LineChart,
    Note,
    Paragraph,
    Picture,
    Points,
    Row,
    Section,
    Series,
    Table,
)
from iatros.core.report.numbers import count, is_number, number
from iatros.core.report_sections.flow import flow_section
from iatros.core.report_sections.headline import judged_by
from iatros.core.report_sections.reading import Result, blocks, capital, estimate, forest_point
from iatros.core.report_sections.record import reproducibility_section
from iatros.imaging.report_sections.audit import leakage_section, quality_section
from iatros.imaging.report_sections.opening import doubts
from iatros.imaging.report_sections.training import export_section
from iatros.imaging.segmentation.evaluation import slug
from iatros.imaging.segmentation.examples import Example
from iatros.imaging.segmentation.outlines import COLOUR_NAMES

LABELS = {
    "dice": ("Dice", "overlap of predicted and true voxels; 1 is perfect, 0 is none", 3),
    "surface_distance_mm": (
        "Surface distance, mm",
        "mean distance between the two surfaces; 0 is perfect",
        2,
    ),
    "hausdorff95_mm": (
        "Hausdorff 95 %, mm",
        "95 of 100 points of a surface lie closer to the other than this",
        2,
    ),
    "surface_dice_1mm": ("Surface Dice, 1 mm", "share of the two surfaces within 1 mm of each other", 3),
}
_BANNER = (
    "Research software, not a medical device. Nothing here has been approved for the care of patients; "
    "an outline supports a clinician's judgement and does not replace it."
)
_EMPTY = (
    "Where a structure is neither there nor found, no measure is defined; where one alone is empty, Dice is 0 and "
    "distances are not defined. n is the number of images that have a value."
)
_OF_TRAINING = frozenset({"history", "export"})
_POOR = 0.7
"""Dice below which an outline is of doubtful use."""


def build(result: Mapping[str, Any], shown: Sequence[Example]) -> Document:
    """The report as a document; `shown` are the pictures of some judged images."""
    reading = Result(result, of_training=_OF_TRAINING)
    version = reading.mapping("versions").get("iatros")
    return Document(
        title=("Evaluating" if reading.validation == "external" else "Developing and evaluating")
        + f" a {reading.model} that outlines {spoken(structures(reading))}",
        kicker="Segmentation report",
        subtitle=f"Which voxels belong to {spoken(structures(reading))}?",
        banner=_BANNER,
        opening=_opening(reading),
        sections=(
            flow_section(
                # sites are branches of the flow only where each was left out in turn
                reading
                if reading.validation == "site"
                else replace(reading, document={**result, "sites": {}}),
                title="Flow of images",
                noun="images",
                caption="A patient may have several images; all of them stand on one side.",
            ),
            leakage_section(reading),
            quality_section(reading),
            _agreement(reading),
            _sites(reading),
            _volumes(reading),
            _examples(reading, shown),
            _training(reading),
            export_section(reading),
            reproducibility_section(reading),
        ),
        closing=f"Written by iatros{f' {version}' if version else ''}. Research software, not a medical device.",
    )


def structures(result: Result) -> tuple[str, ...]:
    """Names of the structures."""
    return result.classes


def spoken(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1] if names else "") if part)


def findings(result: Result) -> tuple[Finding, ...]:
    """What a careful reader would want to know first."""
    found = []
    headline = result.headline
    for name in structures(result):
        document = headline.get(f"dice_{slug(name)}") or (
            headline.get("dice") if len(structures(result)) == 1 else None
        )
        if isinstance(document, Mapping) and is_number(document.get("value")):
            poor = document["value"] < _POOR
            found.append(
                Finding(
                    "Watch" if poor else "Note",
                    "watch" if poor else "neutral",
                    f"Dice of {name}: {estimate(document)}"
                    + ("; its outlines often miss or add a good part." if poor else "."),
                )
            )
    found += [_bias(part, headline) for part in result.items("volumes")]
    found += doubts(result)
    refused = result.mapping("data").get("n_refused")
    if is_number(refused) and refused:
        found.append(
            Finding("Note", "neutral", f"{count(refused)} images were not used; section Training says why.")
        )
    return tuple(found)


def _bias(part: Mapping[str, Any], headline: Mapping[str, Any]) -> Finding:
    document = headline.get(f"volume_bias_ml_{slug(part['structure'])}") or {}
    low, high = document.get("low"), document.get("high")
    off = is_number(low) and is_number(high) and not low <= 0 <= high
    text = (
        f"Volume of {part['structure']}: predicted less true {estimate(document)} ml, "
        f"true mean {number(part['mean_true_ml'], 2)} ml."
    )
    return (
        Finding("Watch", "watch", text + " The interval leaves out 0.")
        if off
        else Finding("Good", "good", text)
    )


def _opening(result: Result) -> tuple[Block, ...]:
    data = result.mapping("data")
    headline = result.headline
    numbers = [
        KeyNumber(label, _estimate(headline[name], digits), str(headline[name].get("interval") or ""))
        for name, (label, _, digits) in LABELS.items()
        if isinstance(headline.get(name), Mapping)
    ]
    found = findings(result)
    return blocks(
        Facts(
            (
                (
                    "Data",
                    f"{data.get('source', 'not recorded')}, {count(data.get('n_used'))} images with label maps",
                ),
                ("Model", f"{result.model}, {_plan_line(result.mapping('plan'))}"),
                ("Judged by", judged_by(result)),
            )
        ),
        KeyNumbers(tuple(numbers)) if numbers else Note("No structure was there to be judged.", "warning"),
        Heading("What to weigh before trusting it") if found else None,
        Findings(found) if found else None,
    )


def _plan_line(plan: Mapping[str, Any]) -> str:
    patch = " x ".join(str(size) for size in plan.get("patch") or ())
    spacing = plan.get("spacing_mm")
    at = " x ".join(number(step, 2) for step in spacing) + " mm" if spacing else "pixels as they are"
    return f"patches of {patch} at {at}"


def _estimate(document: Mapping[str, Any], digits: int) -> Estimate:
    return Estimate(document.get("value"), document.get("low"), document.get("high"), digits)


def _agreement(result: Result) -> Section:
    headline, names = result.headline, structures(result)
    shown = [name for name in LABELS if isinstance(headline.get(name), Mapping)]
    if not shown:
        return Section("Agreement with the truth", (result.absent("metrics"),), "agreement")
    rows = [_measure_row("All structures", headline, shown, "", "strong")]
    if len(names) > 1:
        rows += [_measure_row(name, headline, shown, f"_{slug(name)}", "plain") for name in names]
    table = Table(
        ("Structure", *(LABELS[name][0] for name in shown), "n"),
        tuple(rows),
        foot=f"{'; '.join(f'{LABELS[n][0]}: {LABELS[n][1]}' for n in shown)}. {_EMPTY}",
        right=tuple(range(1, len(shown) + 2)),
        stacked=True,
    )
    keys = [("All structures", "dice"), *((name, f"dice_{slug(name)}") for name in names if len(names) > 1)]
    plot = ForestPlot(
        "Dice by structure",
        "; ".join(f"{label}: {estimate(headline.get(key))}" for label, key in keys),
        (ForestPanel("Dice", high=1.0, digits=3),),
        tuple(ForestRow(label, (forest_point(headline.get(key)),)) for label, key in keys),
    )
    return Section("Agreement with the truth", (table, plot), "agreement")


def _measure_row(
    label: str, headline: Mapping[str, Any], shown: Sequence[str], ending: str, kind: Any
) -> Row:
    documents = [headline.get(name + ending) or {} for name in shown]
    cells = [
        _estimate(document, LABELS[name][2]) if document else "–"
        for name, document in zip(shown, documents, strict=True)
    ]
    return Row((label, *cells, count((documents[0] or {}).get("n"))), kind=kind)


def _sites(result: Result) -> Section:
    sites = result.mapping("sites")
    if not sites:
        note = Note("Not available: the images name fewer than two sites.", "absent")
        return Section("Sites", (note,), "sites")
    unknown = "its site" if result.validation == "site" else "it"
    rows = [
        ForestRow(str(name), (forest_point(site.get("dice")),), (count(site["n"]), count(site["n_patients"])))
        for name, site in sites.items()
    ]
    plot = ForestPlot(
        "Dice by site",
        "; ".join(f"{name}: {estimate(site.get('dice'))}" for name, site in sites.items()),
        (ForestPanel("Dice, mean over structures", high=1.0, digits=3),),
        tuple(rows),
        ("Images", "Patients"),
        caption=f"Each judged image was outlined by a network that had not learned from {unknown}.",
    )
    return Section("Sites", (plot,), "sites")


def _volumes(result: Result) -> Section:
    parts = [part for part in result.items("volumes") if isinstance(part, Mapping)]
    if not parts:
        note = Note("Not available: the images do not say how large a voxel is.", "absent")
        return Section("Volumes", (note,), "volumes")
    headline = result.headline
    rows = tuple(
        Row(
            (
                part["structure"],
                number(part["mean_true_ml"], 2),
                _estimate(headline.get(f"volume_bias_ml_{slug(part['structure'])}") or {}, 3),
                f"{number(part['limits_ml'][0], 2)} to {number(part['limits_ml'][1], 2)}",
                count(part["n"]),
            )
        )
        for part in parts
    )
    table = Table(
        ("Structure", "True mean, ml", "Bias, ml", "Limits of agreement, ml", "n"),
        rows,
        foot="Bias: predicted less true. About 95 of 100 differences lie between the limits (Bland and Altman, 1986).",
        right=(1, 2, 3, 4),
    )
    return Section("Volumes", (table, Grid(tuple(_bland_altman(part) for part in parts))), "volumes")


def _bland_altman(part: Mapping[str, Any]) -> LineChart:
    means, differences = ([pair[k] for pair in part["pairs"]] for k in (0, 1))
    room = 0.05 * (max(means) - min(means))
    ends = [min(means) - room, max(means) + room]
    low, high = part["limits_ml"]
    levels = [("bias", part["bias_ml"], "solid"), ("limits", low, "dashed"), ("", high, "dashed")]
    return LineChart(
        f"Volume of {part['structure']}",
        f"Predicted less true volume against the mean of both, {part['n']} images",
        Axis("mean of both, ml"),
        Axis("predicted less true, ml"),
        tuple(
            Series(name, ends, [level, level], dash=dash, role="reference")  # type: ignore[arg-type]
            for name, level, dash in levels
            if is_number(level)
        ),
        (Points("image", means, differences),),
    )


def _examples(result: Result, shown: Sequence[Example]) -> Section:
    if not shown:
        return Section("Examples", (Note("Not available: no image was judged.", "absent"),), "examples")
    names = structures(result)
    pictures = tuple(
        Picture(
            one.png,
            f"Outlines on the {one.rank} image, true left, predicted right",
            _caption(one, names),
            560,
        )
        for one in shown
    )
    colours = ", ".join(f"{name} {COLOUR_NAMES[k % len(COLOUR_NAMES)]}" for k, name in enumerate(names))
    lead = Paragraph(
        f"True outlines on the left, predicted ones on the right, on the slice that structures fill most: {colours}. "
        "Chosen by Dice, not by eye.",
        "lead",
    )
    return Section("Examples", (lead, *pictures), "examples")


def _caption(one: Example, names: Sequence[str]) -> str:
    dice = ", ".join(f"{name} {number(value, 3)}" for name, value in zip(names, one.dice, strict=True))
    return f"The {one.rank} image by mean Dice: {dice}."


def _training(result: Result) -> Section:
    parts = [part for part in result.items("parts") if isinstance(part, Mapping)]
    if not parts:
        return Section("Training", (result.absent("history"),), "training")
    rows = tuple(
        Row(
            (
                str(part["name"]),
                count(part["n_train"]),
                count(part["n_tuning"]),
                count(part["best_epoch"]),
                number(part["tuning_dice"], 3),
                count(part["n_judged"]),
                ", ".join(number(value, 3) for value in part["dice"]),
                number(part.get("seconds"), 0),
            )
        )
        for part in parts
    )
    table = Table(
        ("Part", "Train", "Tuning", "Epoch kept", "Tuning Dice", "Judged", "Dice by structure", "Seconds"),
        rows,
        foot="The tuning images choose the epoch and nothing else.",
        right=(1, 2, 3, 4, 5, 7),
    )
    refused = result.mapping("data").get("refused") or []
    listed = Table(
        ("Not used", "Reason"),
        tuple(Row((str(one["name"]), str(one["reason"]))) for one in refused),
        compact=True,
    )
    notes = [Paragraph(f"{capital(str(note))}.", "small") for note in result.items("notes")]
    found = (*blocks(table, _curve(result)), *notes, *blocks(listed if refused else None))
    return Section("Training", found, "training")


def _curve(result: Result) -> LineChart | None:
    history = [epoch for epoch in result.items("history") if isinstance(epoch, Mapping)]
    if not history:
        return None
    judged = [epoch for epoch in history if is_number(epoch.get("tuning_dice"))]
    return LineChart(
        "Learning curve of the model in the bundle",
        f"{len(history)} epochs",
        Axis("epoch", whole=True),
        Axis("loss, Dice", low=0.0),
        (
            Series("training loss", [e["epoch"] for e in history], [e["train_loss"] for e in history]),
            Series("tuning Dice", [e["epoch"] for e in judged], [e["tuning_dice"] for e in judged]),
        ),
    )
