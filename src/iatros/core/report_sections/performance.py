"""How well the model predicts: models beside each other, discrimination."""

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
from iatros.core.report.numbers import NONE, is_number, number, percent
from iatros.core.report_sections.reading import Result, blocks, capital, estimate, present
from iatros.core.report_sections.words import HEADLINE, METRICS, VALIDATIONS, metric_words, split_label


def models_section(result: Result) -> Section:
    """Section: every trained model on the same patients, and every number of the one that was kept."""
    entries = [entry for entry in result.items("models") if isinstance(entry, Mapping)]
    how = VALIDATIONS.get(result.validation)
    lead = Paragraph(f"Judged by {how[0]}. {how[1]}", "lead") if how else None
    compared = _comparison(result, entries) if entries else result.absent("models")
    found = blocks(lead, compared, *_every_number(result))
    return Section("Models beside each other", found, "models")


def _comparison(result: Result, entries: list[Mapping[str, Any]]) -> Block:
    judged = [_judged_metrics(result, entry) for entry in entries]
    names = present(HEADLINE.get(result.task, HEADLINE["binary"]), judged)
    first = next((e["difference_to_baseline"] for e in entries if e.get("difference_to_baseline")), None)
    timed = any(is_number(entry.get("seconds")) for entry in entries)
    header = ["Model", *(metric_words(name).label for name in names)]
    if first:
        header.append(
            f"{metric_words(str(first.get('metric'))).label}, difference to {first.get('baseline')}"
        )
    header += ["Tuning score", *(["Seconds"] if timed else [])]
    rows = []
    for entry, metrics in zip(entries, judged, strict=True):
        cells: list[Cell] = [_model_label(entry), *_cells(metrics, names)]
        if first:
            cells.append(_difference(entry))
        cells += [_tuning(entry), *([number(entry.get("seconds"), 1)] if timed else [])]
        rows.append(Row(tuple(cells), "strong" if entry.get("selected") else "plain"))
    if _chosen_anew(result, entries, judged):
        blank: list[Cell] = [NONE] * (len(header) - 1 - len(names))
        rows.append(Row(("chosen anew in each part", *_cells(result.headline, names), *blank), "strong"))
    foot = (
        f"{capital(split_label(result.split))}. The model was chosen by its tuning score, on other patients than "
        "those that it is judged on here; differences are paired on the same patients."
    )
    right = tuple(range(1, len(header)))
    return Table(tuple(header), tuple(rows), foot=foot, right=right, stacked=True, compact=len(header) > 6)


def _cells(metrics: Mapping[str, Any], names: list[str]) -> list[Cell]:
    return [estimate(metrics[name], name) if metrics.get(name) else NONE for name in names]


def _difference(entry: Mapping[str, Any]) -> Cell:
    found = entry.get("difference_to_baseline")
    return estimate(found) if isinstance(found, Mapping) else "baseline"


def _chosen_anew(result: Result, entries: list[Mapping[str, Any]], judged: list[Mapping[str, Any]]) -> bool:
    """Whether the headline judges a procedure that chose another model in some part of the patients."""
    kept = next((found for entry, found in zip(entries, judged, strict=True) if entry.get("selected")), {})
    if result.validation not in ("site", "cross-validation") or not kept:
        return False
    return any(
        estimate(kept[name]).value != estimate(result.headline.get(name)).value
        for name in kept
        if name in result.headline
    )


def _judged_metrics(result: Result, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    metrics = entry.get("metrics")
    if not isinstance(metrics, Mapping) or not metrics:
        return result.headline if entry.get("selected") else {}
    found = metrics.get(result.split)
    if isinstance(found, Mapping):
        return found
    return next((value for value in metrics.values() if isinstance(value, Mapping)), {})


def _model_label(entry: Mapping[str, Any]) -> str:
    name = str(entry.get("name", ""))
    if entry.get("selected"):
        return f"{name} (kept)"
    return f"{name} (baseline)" if entry.get("candidate") is False else name


def _tuning(entry: Mapping[str, Any]) -> str:
    score = entry.get("tuning_score")
    return number(score.get("value")) if isinstance(score, Mapping) else number(score)


def _every_number(result: Result) -> tuple[Block, ...]:
    """Every metric of the kept model, one column per split, with the method of its interval."""
    splits = {name: found for name, found in result.mapping("metrics").items() if isinstance(found, Mapping)}
    splits = dict(sorted(splits.items(), key=lambda item: item[0] != result.split))
    known = [name for name in METRICS if any(name in found for found in splits.values())]
    known += sorted({name for found in splits.values() for name in found} - set(known))
    if not known:
        return (result.absent("metrics"),)
    rows = []
    for name in known:
        cells: list[Cell] = [metric_words(name).label]
        cells += [estimate(found.get(name), name) if found.get(name) else NONE for found in splits.values()]
        documents = [found[name] for found in splits.values() if isinstance(found.get(name), Mapping)]
        how = str(documents[0].get("interval") or NONE) if documents else NONE
        rows.append(Row((*cells, metric_words(name).tells or NONE, how)))
    headers = [capital(split_label(name)) + _size(found) for name, found in splits.items()]
    table = Table(
        ("Metric", *headers, "What it tells", "Interval"),
        tuple(rows),
        right=tuple(range(1, len(headers) + 1)),
        stacked=len(headers) > 1,
        compact=True,
    )
    return Heading(f"Every number of {_judged_name(result)}"), table


def _judged_name(result: Result) -> str:
    if result.validation in ("site", "cross-validation", "optimism"):
        return "the whole procedure, which chooses and fits anew in each part"
    return f"the kept model ({result.model})"


def _size(found: Mapping[str, Any]) -> str:
    document = next((value for value in found.values() if isinstance(value, Mapping)), {})
    n, events = document.get("n"), document.get("n_events")
    if not is_number(n):
        return ""
    return f" (n = {number(n, 0)}" + (f", {number(events, 0)} events)" if is_number(events) else ")")


def discrimination_section(result: Result) -> Section:
    """Section: does it tell patients apart? ROC and precision-recall curves."""
    if result.task == "continuous":
        return Section("Discrimination", _agreement(result), "discrimination")
    charts = [chart for chart in (_roc(result), _precision_recall(result)) if chart]
    found = blocks(
        Paragraph(
            "Whether patients with the outcome are ranked above those without it. A curve near the upper left (ROC) "
            "or the upper right (precision-recall) is good; the grey line is chance.",
            "lead",
        ),
        result.drawn_note if charts else None,
        Grid(tuple(charts)) if charts else None,
        None if result.curve("roc") else result.absent_curve("roc"),
        None if result.curve("pr") else result.absent_curve("pr"),
    )
    return Section("Discrimination", found, "discrimination")


def _agreement(result: Result) -> tuple[Block, ...]:
    names = present(("r2", "spearman", "pearson", "mae", "rmse", "within_20_percent"), [result.headline])
    facts = Facts(
        tuple((metric_words(name).label, str(estimate(result.headline[name], name))) for name in names)
    )
    note = result.absent_curve("roc")
    return (facts, note) if names else (note,)


def _roc(result: Result) -> LineChart | None:
    curves = _by_class(result.curve("roc"), "fpr")
    if not curves:
        return None
    series = [
        Series(name, curve["fpr"], curve["tpr"], curve.get("low", ()), curve.get("high", ()))
        for name, curve in curves
    ]
    chance = Series("", (0, 1), (0, 1), dash="dashed", role="reference")
    auroc = result.drawn.get("auroc")
    corner = (f"AUROC {estimate(auroc, 'auroc')}",) if auroc else ()
    return LineChart(
        "ROC curve",
        f"True positive rate against false positive rate. {' '.join(corner)}",
        Axis("1 − specificity (false alarms among non-events)", 0, 1),
        Axis("sensitivity (events found)", 0, 1),
        (chance, *series),
        points=_operating_points(result, "roc"),
        corner=corner,
        height=360,
    )


def _by_class(curve: Any, key: str) -> list[tuple[str, Mapping[str, Any]]]:
    """One curve, or one for each class."""
    if not isinstance(curve, Mapping):
        return []
    if key in curve:
        return [("", curve)]
    return [(str(name), part) for name, part in curve.items() if isinstance(part, Mapping) and key in part]


def _operating_points(result: Result, kind: str) -> tuple[Points, ...]:
    rows = [row for row in result.items("thresholds") if isinstance(row, Mapping)]
    sensitivity = [estimate(row.get("sensitivity")).value for row in rows]
    other = [estimate(row.get("specificity" if kind == "roc" else "ppv")).value for row in rows]
    pairs = [(a, b) for a, b in zip(sensitivity, other, strict=True) if is_number(a) and is_number(b)]
    if not pairs:
        return ()
    if kind == "roc":
        return (
            Points(
                "chosen thresholds", [1 - b for _, b in pairs], [a for a, _ in pairs], colour=1, hollow=True
            ),
        )
    return (Points("chosen thresholds", [a for a, _ in pairs], [b for _, b in pairs], colour=1, hollow=True),)


def _precision_recall(result: Result) -> LineChart | None:
    curves = _by_class(result.curve("pr"), "recall")
    if not curves:
        return None
    series = [Series(name, curve["recall"], curve["precision"]) for name, curve in curves]
    document = result.drawn.get("auprc") or {}
    n, events = document.get("n"), document.get("n_events")
    share = events / n if is_number(n) and is_number(events) and n else None
    chance = (
        (Series("", (0, 1), (share, share), dash="dashed", role="reference"),) if share is not None else ()
    )
    corner = ((f"AUPRC {estimate(document, 'auprc')}",) if document else ()) + (
        (f"share of events {percent(share)}",) if share is not None else ()
    )
    return LineChart(
        "Precision-recall curve",
        f"Precision against recall. {'; '.join(corner)}",
        Axis("sensitivity (recall)", 0, 1),
        Axis("PPV (precision)", 0, 1),
        (*chance, *series),
        points=_operating_points(result, "pr"),
        corner=corner,
        corner_at="top-right" if share is not None and share < 0.35 else "bottom-left",
        height=360,
    )
