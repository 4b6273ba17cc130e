"""How the network came about, what it costs to run in 8 bits, and how slices add up to studies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Cell,
    Facts,
    Grid,
    Heading,
    LineChart,
    Paragraph,
    Points,
    Row,
    Section,
    Series,
    Table,
)
from iatros.core.report.numbers import NONE, count, is_number, number, rounded
from iatros.core.report_sections.reading import Result, blocks, capital, estimate, from_key, scalar
from iatros.core.report_sections.words import metric_words
from iatros.imaging.report_sections.data import input_words

_HISTORIES = 6
_EXAMPLES = 4
_OBJECTIVES = {
    "cross-entropy": "cross-entropy over the classes",
    "binary-cross-entropy": "binary cross-entropy of each label",
    "ordinal": "cumulative odds of the ordered grades",
    "squared-error": "squared error",
}
_FORMS = {
    "fp32": "32-bit numbers",
    "int8": "8-bit numbers",
    "difference": "Difference, 8 bits less 32",
    "n": "Images compared",
    "largest_difference": "Largest difference of two answers for one image",
    "largest_change_of_dice": "Largest change of the Dice of one image",
}


def training_section(result: Result) -> Section:
    """Section: the network, what it was trained with, and the course of training."""
    histories = [one for one in result.items("history") if isinstance(one, Mapping) and one.get("epochs")]
    facts = _facts(result)
    if not histories and not facts:
        return Section("Network and training", (result.absent("history"),), "training")
    charts = [chart for one in histories[:_HISTORIES] for chart in _curves(one)]
    note = (
        Paragraph(f"{len(histories) - _HISTORIES} further networks are in the bundle's evidence.", "small")
        if len(histories) > _HISTORIES
        else None
    )
    lead = Paragraph(
        "The epoch that is kept is the one with the best score on the tuning side, never the side that judges.",
        "lead",
    )
    found = blocks(
        Facts(facts) if facts else None,
        Heading("Course of training") if charts else None,
        lead if charts else None,
        Grid(tuple(charts)) if charts else None,
        note,
        None if histories else result.absent("history"),
        _folds(result),
    )
    return Section("Network and training", found, "training")


def _folds(result: Result) -> Table | None:
    """Each fold of a cross-validation by itself, and their mean."""
    folds = result.mapping("folds")
    each = [one for one in folds.get("each") or [] if isinstance(one, Mapping)]
    if not each:
        return None
    metric = str(folds.get("metric"))
    rows = [
        Row((count(one.get("fold")), count(one.get("n")), estimate(one.get(metric), metric))) for one in each
    ]
    rows.append(Row(("mean", "", estimate(folds.get("mean"), metric)), "strong"))
    foot = (
        "Each fold is judged by a network developed on the others. The numbers elsewhere are of all images together, "
        "and so also compare images that different networks have answered; the mean over folds does not."
    )
    return Table(
        ("Fold", "Images", metric_words(metric).label),
        tuple(rows),
        caption="Fold by fold",
        foot=foot,
        right=(1, 2),
    )


def _facts(result: Result) -> tuple[tuple[str, str], ...]:
    network, request = result.mapping("network"), result.mapping("request")
    objective = str(result.part("objective") or "")
    facts = [
        ("Network", str(network.get("model") or result.model)),
        ("What it sees", input_words(result)),
        ("Objective", _OBJECTIVES.get(objective, objective)),
        ("Parameters", count(network.get("n_parameters")) if is_number(network.get("n_parameters")) else ""),
        ("Networks averaged", count(network.get("members")) if (network.get("members") or 0) > 1 else ""),
        ("Settings", _settings(network.get("params"))),
        ("Augmentation", ", ".join(map(str, request.get("augment") or ()))),
        ("Start", "weights from a file" if request.get("weights") else "random weights" if request else ""),
        ("Processor threads", count(network.get("threads")) if is_number(network.get("threads")) else ""),
        ("Numbers in training", str(network.get("precision") or "")),
        (
            "Images per second",
            rounded(network.get("images_per_second")) if is_number(network.get("images_per_second")) else "",
        ),
    ]
    known = network or objective
    return tuple((term, text) for term, text in facts if text) if known else ()


def _settings(params: Any) -> str:
    if not isinstance(params, Mapping):
        return ""
    return ", ".join(f"{name} {_plain(value)}" for name, value in params.items())


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " x ".join(map(str, value))
    return rounded(value) if is_number(value) else str(value)


def _curves(history: Mapping[str, Any]) -> list[LineChart]:
    epochs = [row for row in history["epochs"] if isinstance(row, Mapping)]
    x = [row.get("epoch", k) for k, row in enumerate(epochs, start=1)]
    name, best = str(history.get("name", "")), history.get("best_epoch")
    metric = metric_words(str(history.get("metric") or "score"))
    loss = [
        Series(label, x, [_finite(row.get(key)) for row in epochs], colour=k)
        for k, (key, label) in enumerate(
            (("train_loss", "training images"), ("tuning_loss", "tuning images"))
        )
    ]
    score = [_finite(row.get("tuning_score")) for row in epochs]
    marked: tuple[Points, ...] = ()
    if is_number(best) and best in x and score[x.index(best)] is not None:
        marked = (Points("epoch that is kept", [best], [score[x.index(best)]], colour=1, hollow=True),)
    told = [value for value in score if value is not None]
    charts = [
        LineChart(
            f"{name}: loss",
            f"Loss by epoch of {name}.",
            Axis("epoch", whole=True),
            Axis("loss"),
            tuple(loss),
            height=260,
        )
    ]
    if told:
        charts.append(
            LineChart(
                f"{name}: {metric.running} on the tuning side",
                f"{metric.label} by epoch of {name}; the best is {number(max(told))}.",
                Axis("epoch", whole=True),
                Axis(metric.label),
                (Series("", x, score, colour=0),),
                points=marked,
                height=260,
            )
        )
    return charts


def _finite(value: Any) -> float | None:
    return float(value) if is_number(value) else None


def slices_section(result: Result) -> Section:
    """Section: the same answers slice by slice and study by study, and which slices a network listens to."""
    found = result.mapping("slices")
    examples = [one for one in found.get("examples") or [] if isinstance(one, Mapping) and one.get("weights")]
    levels = [(name, found[name]) for name in ("slice", "study") if isinstance(found.get(name), Mapping)]
    if not levels and not examples:
        return Section("Slices and studies", (result.absent("slices"),), "slices")
    lead = (
        "Patients have studies, not slices. Numbers by slice count a patient many times, and a slice that does not "
        "show the finding counts as a miss; what matters at work is the study."
    )
    return Section(
        "Slices and studies",
        blocks(
            Paragraph(lead, "lead"),
            _levels(found, levels) if levels else None,
            *_weights(examples[:_EXAMPLES]),
        ),
        "slices",
    )


def _levels(found: Mapping[str, Any], levels: list[tuple[str, Mapping[str, Any]]]) -> Table:
    names = list(dict.fromkeys(name for _, level in levels for name in level.get("metrics") or {}))
    titles = {"slice": "By slice", "study": "By study"}
    header = ["Metric"]
    header += [
        f"{titles[key]} (n = {count(level.get('n'))}, {count(level.get('n_patients'))} patients)"
        for key, level in levels
    ]
    rows = []
    for name in names:
        cells: list[Cell] = [metric_words(name).label]
        cells += [estimate((level.get("metrics") or {}).get(name), name) for _, level in levels]
        rows.append(Row(tuple(cells)))
    sizes = found.get("slices_per_study") or {}
    foot = f"A study's answer is {found.get('how') or 'not recorded'}."
    if is_number(sizes.get("median")):
        foot += (
            f" Slices per study: median {rounded(sizes['median'])}, from {count(sizes.get('least'))} to "
            f"{count(sizes.get('most'))}."
        )
    return Table(tuple(header), tuple(rows), foot=foot, right=tuple(range(1, len(header))))


def _weights(examples: list[Mapping[str, Any]]) -> tuple[Block, ...]:
    charts = []
    for k, one in enumerate(examples, start=1):
        weights = [_finite(value) for value in one["weights"]]
        told = f"truth {one.get('truth', NONE)}, answered {one.get('prediction', NONE)}"
        charts.append(
            LineChart(
                f"Study {k}: {told}",
                f"Weight of each of {len(weights)} slices in the answer for one study; {told}.",
                Axis("slice", whole=True),
                Axis("weight", 0.0),
                (Series("", list(range(1, len(weights) + 1)), weights, colour=0),),
                height=220,
            )
        )
    if not charts:
        return ()
    lead = "The network weighs the slices of a study itself. The weights of one study add up to 1."
    return Heading("Which slices carry the answer"), Paragraph(lead, "lead"), Grid(tuple(charts))


def export_section(result: Result) -> Section:
    """Section: what the stored forms of the network give, and what 8-bit numbers cost."""
    found = result.mapping("export")
    if not found:
        return Section("Export", (result.absent("export"),), "export")
    lead = (
        "The bundle holds the network as ONNX, which predicts without a training library. The form in 8-bit numbers is "
        "faster; what it costs is measured on images that the network has not learned from."
    )
    if not found.get("int8"):
        reason = str(found.get("reason") or "not recorded").rstrip(".")
        note = Paragraph(f"There is no form in 8-bit numbers: {reason}.")
        return Section("Export", (Paragraph(lead, "lead"), note), "export")
    measured = {name: part for name, part in found.items() if isinstance(part, Mapping) and "value" in part}
    metric = str(found.get("metric") or "auroc")
    rows = tuple(
        Row((_FORMS.get(name, from_key(name)), estimate(part, metric), str(part.get("interval") or NONE)))
        for name, part in measured.items()
    )
    table = (
        Table((capital(metric_words(metric).label), "Value", "Interval"), rows, right=(1,)) if rows else None
    )
    facts = tuple(
        (_FORMS.get(name, from_key(name)), scalar("n_" + name if name == "n" else name, value))
        for name, value in found.items()
        if name not in ("int8", "metric") and (is_number(value) or isinstance(value, str))
    )
    return Section(
        "Export", blocks(Paragraph(lead, "lead"), table, Facts(facts) if facts else None), "export"
    )
