"""What is decided about an image: accuracy at stated operating points, classes and labels in turn, and the mix-ups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Block,
    Cell,
    ForestPanel,
    ForestPlot,
    ForestRow,
    Heading,
    Paragraph,
    Row,
    Section,
    Table,
)
from iatros.core.report.numbers import NONE, count, number
from iatros.core.report_sections.reading import Result, blocks, estimate, forest_point

_SHARES = ("accuracy", "sensitivity", "specificity", "ppv", "npv")
_LABELS = {
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
}
_CLASSES_SHOWN = 30
_MATRIX = 14


def answers_section(result: Result) -> Section:
    """Section: the numbers of a decision, each at an operating point that is named; then class by class."""
    points = [row for row in result.items("operating_points") if isinstance(row, Mapping)]
    classes, labels = result.mapping("classes"), result.mapping("labels")
    if not points and not classes and not labels:
        return Section("Decisions", (result.absent("operating_points"),), "answers")
    lead = (
        "An accuracy without its operating point says little: the same network has one at the 0.5 of its own output, "
        "another after calibration, another at a chosen threshold. Operating points were set without the images that "
        "they are judged on here."
    )
    found = blocks(
        Paragraph(lead, "lead"),
        result.drawn_note,
        _points(points) if points and not labels else None,
        *_labels(labels),
        *_classes(classes),
        *_matrix(result),
    )
    return Section("Decisions", found, "answers")


def _points(points: list[Mapping[str, Any]]) -> Table:
    shares = [name for name in _SHARES if any(isinstance(row.get(name), Mapping) for row in points)]
    counted = any(row.get("tp") is not None for row in points)
    header = ["Operating point", "Threshold", *(["TP", "FP", "TN", "FN"] if counted else [])]
    header += [_LABELS[name] for name in shares]
    rows = []
    for row in points:
        cells: list[Cell] = [str(row.get("name", "")), number(row.get("threshold"))]
        cells += [count(row.get(name)) for name in (("tp", "fp", "tn", "fn") if counted else ())]
        cells += [estimate(row.get(name)) for name in shares]
        rows.append(Row(tuple(cells)))
    return Table(
        tuple(header),
        tuple(rows),
        caption="At stated operating points",
        foot="Wilson's intervals, over patients where a patient has several images.",
        right=tuple(range(1, len(header))),
        stacked=True,
        compact=True,
    )


def _classes(classes: Mapping[str, Any]) -> tuple[Block, ...]:
    entries = [(str(name), part) for name, part in classes.items() if isinstance(part, Mapping)][
        :_CLASSES_SHOWN
    ]
    if not entries:
        return ()
    names = ("auroc", "auprc", "sensitivity", "ppv")
    rows = tuple(
        Row(
            (
                name,
                count(part.get("n")),
                *(estimate(part.get(one)) if part.get(one) else NONE for one in names),
            )
        )
        for name, part in entries
    )
    foot = "Each class against all others; sensitivity and PPV are those of the likeliest class."
    if len(classes) > _CLASSES_SHOWN:
        foot += f" {_CLASSES_SHOWN} of {len(classes)} classes are shown."
    table = Table(
        ("Class", "n", "AUROC", "AUPRC", "Sensitivity", "PPV"),
        rows,
        foot=foot,
        right=(1, 2, 3, 4, 5),
        stacked=len(entries) <= 8,
        compact=True,
    )
    return Heading("Class by class"), table


def _matrix(result: Result) -> tuple[Block, ...]:
    """True classes in rows, answers in columns."""
    counts = result.items("confusion")
    classes = result.classes
    if not counts or len(classes) > _MATRIX:
        return ()
    rows = tuple(
        Row((name, *(count(n) for n in line), count(sum(line))))
        for name, line in zip(classes, counts, strict=True)
    )
    sums = [sum(column) for column in zip(*counts, strict=True)]
    total = Row(("answered", *(count(n) for n in sums), count(sum(sums))), "strong")
    table = Table(
        ("True class", *classes, "in all"),
        (*rows, total),
        foot="Rows: the truth; columns: the likeliest class after calibration.",
        right=tuple(range(1, len(classes) + 2)),
        compact=len(classes) > 6,
    )
    return Heading("What was taken for what"), table


def _labels(labels: Mapping[str, Any]) -> tuple[Block, ...]:
    entries = [(str(name), part) for name, part in labels.items() if isinstance(part, Mapping)]
    if not entries:
        return ()
    panels = (ForestPanel("AUROC", 0.5, high=1.0), ForestPanel("AUPRC", high=1.0))
    rows = []
    for name, part in entries:
        metrics = part.get("metrics") or {}
        document = metrics.get("auroc") or {}
        rows.append(
            ForestRow(
                name,
                (forest_point(metrics.get("auroc")), forest_point(metrics.get("auprc"))),
                (count(document.get("n")), count(document.get("n_events"))),
                weight=0.5,
            )
        )
    plot = ForestPlot(
        "Label by label",
        f"AUROC and AUPRC of {len(entries)} labels with their intervals.",
        panels,
        tuple(rows),
        ("n", "with it"),
        caption="The level of chance of an AUPRC is the share of images that have the label.",
    )
    return plot, _label_points(entries)


def _label_points(entries: list[tuple[str, Mapping[str, Any]]]) -> Table:
    rows: list[Row] = []
    for name, part in entries:
        rows.append(Row((name,), "heading"))
        for point in part.get("operating_points") or []:
            cells: list[Cell] = [str(point.get("name", "")), number(point.get("threshold"))]
            rows.append(Row((*cells, *(estimate(point.get(one)) for one in _SHARES)), indent=1))
    header = ("Operating point", "Threshold", *(_LABELS[one] for one in _SHARES))
    return Table(
        header,
        tuple(rows),
        caption="At stated operating points",
        right=tuple(range(1, 7)),
        stacked=True,
        compact=True,
    )
