"""How the model came about, and what the run cannot know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import Block, Cell, Facts, Heading, Paragraph, Row, Section, Table
from iatros.core.report.numbers import NONE, count, number, rounded
from iatros.core.report_sections.reading import Result, blocks, from_key
from iatros.molecules.report_sections.words import words, written

_SHOWN = 40
_KINDS = {
    "none": "predictions are the model's own",
    "intercept": "all predictions are moved by the same amount",
    "slope": "predictions are moved and stretched",
    "isotonic": "a monotone step curve",
}


def training_section(result: Result) -> Section:
    """Section: the fits of each model, the weights of the ensemble, and what calibration changed."""
    if result.validation == "external":
        return Section("Training", (result.absent("models"),), "training")
    found = blocks(*_models(result), *_weights(result), *_calibrators(result))
    return Section("Training", found or (result.absent("models"),), "training")


def _models(result: Result) -> tuple[Block, ...]:
    entries = [entry for entry in result.items("models") if isinstance(entry, Mapping)]
    notes = {str(entry.get("name")): entry.get("notes") or {} for entry in entries}
    for each in list(notes.values()):
        notes |= {str(name): one for name, one in (each.get("members") or {}).items()}
    facts = tuple((name, _told(one)) for name, one in notes.items() if one.get("n_fits"))
    return (Heading("Fits"), Facts(facts)) if facts else ()


def _told(notes: Mapping[str, Any]) -> str:
    """Number and size of the fits, and what the first of them has to say in single numbers."""
    sizes = notes.get("fold_sizes") or []
    said = [f"{count(notes.get('n_fits'))} fits, each without one part of {_span(sizes)} compounds"]
    first = next((one for one in notes.get("fits") or [] if isinstance(one, Mapping)), {})
    said += [
        f"{from_key(str(key)).lower()} {rounded(value)}"
        for key, value in first.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return "; ".join(said)


def _span(sizes: list[Any]) -> str:
    if not sizes:
        return NONE
    low, high = min(sizes), max(sizes)
    return count(low) if low == high else f"{count(low)} to {count(high)}"


def _weights(result: Result) -> tuple[Block, ...]:
    kept = next(
        (
            e
            for e in result.items("models")
            if isinstance(e, Mapping) and (e.get("notes") or {}).get("weights")
        ),
        {},
    )
    weights = (kept.get("notes") or {}).get("weights")
    if not isinstance(weights, Mapping):
        return ()
    names = [str(one.get("name")) for one in result.items("endpoints") if isinstance(one, Mapping)]
    rows = []
    for place, name in enumerate(names[:_SHOWN]):
        cells: list[Cell] = [
            name,
            *(number(each[place], 2) for each in weights.values() if place < len(each)),
        ]
        rows.append(Row(tuple(cells)))
    table = Table(
        ("Endpoint", *map(str, weights)), tuple(rows), right=tuple(range(1, len(weights) + 1)), compact=True
    )
    return Heading("Weights of the ensemble"), table


def _calibrators(result: Result) -> tuple[Block, ...]:
    found = result.mapping("calibrators")
    rows: list[Row] = []
    moved = {
        str(name): part.get("calibration") or {}
        for name, part in result.mapping("by_endpoint").items()
        if isinstance(part, Mapping)
    }
    shown = "brier" if result.task == "binary" else "mae"
    for name, one in list(found.items())[:_SHOWN]:
        kind = str(one.get("kind")) if isinstance(one, Mapping) else NONE
        sides = [(moved.get(str(name), {}).get(side) or {}).get(shown) for side in ("before", "after")]
        cells: list[Cell] = [str(name), f"{kind}: {_KINDS.get(kind, kind)}"]
        cells += [written(side, shown) if isinstance(side, Mapping) else NONE for side in sides]
        rows.append(Row(tuple(cells)))
    if not rows:
        return ()
    header = ("Endpoint", "Calibrator", f"{words(shown).label} before", "After")
    said = Paragraph(
        "Fitted on predictions for compounds that the fits had not seen; judged on the judged compounds."
    )
    return Heading("Calibration"), said, Table(header, tuple(rows), right=(2, 3), compact=len(rows) > 8)


def limits_section(result: Result) -> Section:
    """Section: what a reader must add, and what the run said in passing."""
    standing = (
        "A prediction is about the assay that was learned from: another protocol, cell line or laboratory measures "
        "something else.",
        "Intervals and coverage hold for compounds that are to these as the judged compounds were; for others see the "
        "domain of applicability.",
        "Three-dimensional structure, tautomers and protonation in the assay are seen only as far as the standardised "
        "structure shows them.",
        "No prediction replaces a measurement where a decision hangs on one compound.",
    )
    notes = [str(note) for note in result.items("notes")]
    found = blocks(
        *(Paragraph(text) for text in standing),
        Heading("Remarks of the run") if notes else None,
        *(Paragraph(note, "small") for note in notes),
    )
    return Section("Limits", found, "limits")
