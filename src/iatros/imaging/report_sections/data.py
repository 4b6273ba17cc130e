"""Which images there are: where they came from, what was refused, and whom they show on each side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import Block, Cell, Facts, Finding, Findings, Row, Section, Table
from iatros.core.report.numbers import NONE, count, is_number, number, rounded
from iatros.core.report_sections.reading import Result, blocks, capital
from iatros.core.report_sections.words import split_label

_REFUSED_SHOWN = 40
_REASONS_SHOWN = 12
_LEVELS_SHOWN = 12
_SOURCES = {
    "dicom": "DICOM files",
    "folders": "a folder of images per class",
    "manifest": "a table that names the images",
    "nifti": "NIfTI volumes",
    "archive": "an array archive (.npz)",
    "dicomweb": "a query to a PACS over DICOMweb",
    "inline": "images sent with the request",
}


def data_section(result: Result) -> Section:
    """Section: source, refused files with their reasons, what the network sees of an image, how labels were read."""
    data = result.mapping("data")
    facts = (
        ("Source", source_words(result)),
        ("Images read", count(data.get("n_read"))),
        ("Files or images refused", count(data.get("n_refused", len(data.get("refused") or [])))),
        ("Images used", count(data.get("n_used"))),
        ("What the network sees", input_words(result)),
        ("Fingerprint", str(data.get("fingerprint") or "not recorded")),
    )
    notes = tuple(Finding("Note", "neutral", capital(str(note))) for note in result.items("notes"))
    found = blocks(Facts(facts), *_refused(data), Findings(notes) if notes else None)
    return Section("Images and labels", found, "data")


def source_words(result: Result) -> str:
    """Where the images came from: `DICOM files`."""
    source = str(result.mapping("data").get("source") or "not recorded")
    return _SOURCES.get(source, source)


def input_words(result: Result) -> str:
    """`grey images of 28 x 28 px`; `volumes of 32 x 64 x 64 voxels`; `up to 32 slices of 128 x 128 px`."""
    spec = result.mapping("input") or result.mapping("network").get("spec") or {}
    size = [str(side) for side in spec.get("size") or ()]
    if not size:
        return "not recorded"
    grey = "grey" if spec.get("channels") == 1 else "colour"
    fitted = {"pad": ", padded to fit", "stretch": ", stretched to fit"}.get(str(spec.get("fit")), "")
    kind = spec.get("kind")
    if kind == "sequence":
        return f"up to {spec.get('max_slices', NONE)} {grey} slices of {' x '.join(size)} px{fitted}"
    if kind == "volume":
        return f"{grey} volumes of {' x '.join(size)} voxels"
    return f"{grey} images of {' x '.join(size)} px{fitted}"


def _refused(data: Mapping[str, Any]) -> tuple[Block, ...]:
    refused = [entry for entry in data.get("refused") or [] if isinstance(entry, Mapping)]
    if not refused:
        return ()
    total = max(len(refused), data.get("n_refused") or 0)
    reasons: dict[str, int] = {}
    for entry in refused:
        reason = str(entry.get("reason") or "not recorded")
        reasons[reason] = reasons.get(reason, 0) + 1
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    listed = f" of the first {count(len(refused))} that are listed" if total > len(refused) else ""
    summary = Table(
        ("Why" + listed, "Number"),
        tuple(Row((reason, count(n))) for reason, n in ordered[:_REASONS_SHOWN]),
        caption="What was refused, by reason",
        foot=f"{len(ordered) - _REASONS_SHOWN} further reasons." if len(ordered) > _REASONS_SHOWN else "",
        right=(1,),
        compact=True,
    )
    rows = tuple(
        Row((str(entry.get("name") or NONE), str(entry.get("reason") or "")))
        for entry in refused[:_REFUSED_SHOWN]
    )
    foot = (
        f"The first {len(rows)} of {count(total)}; iatros imaging read lists all."
        if total > len(rows)
        else ""
    )
    return summary, Table(("Name", "Why"), rows, caption="Refused, by name", foot=foot, compact=True)


def characteristics_section(result: Result) -> Section:
    """Section: patients and scanners on each side."""
    found = result.mapping("characteristics")
    sides = [str(side) for side in found.get("sides") or ()]
    entries = [entry for entry in found.get("rows") or [] if isinstance(entry, Mapping)]
    if not sides or not entries:
        return Section(
            "Patients and scanners by side", (result.absent("characteristics"),), "characteristics"
        )
    sizes = found["sides"]
    header = ("Characteristic", *(capital(split_label(side)) + _size(sizes.get(side)) for side in sides))
    rows = [row for entry in entries for row in _rows(entry, sides)]
    table = Table(
        header,
        tuple(rows),
        foot="Age and sex are of patients, the rest of images. Mean (SD), or counts (per cent of the known); counts "
        "under 5 are hidden.",
        right=tuple(range(1, len(header))),
        compact=len(sides) > 3,
    )
    return Section("Patients and scanners by side", (table,), "characteristics")


def _size(sizes: Any) -> str:
    if not isinstance(sizes, Mapping):
        return ""
    return f" ({count(sizes.get('n_images'))} images of {count(sizes.get('n_patients'))} patients)"


def _rows(entry: Mapping[str, Any], sides: list[str]) -> list[Row]:
    by_side = entry.get("by_side") or {}
    name = str(entry.get("name", ""))
    parts = [by_side.get(side) or {} for side in sides]
    missing = [part.get("n_missing") for part in parts]
    if entry.get("kind") == "numeric":
        rows = [Row((name, *(_numeric(part) for part in parts)))]
    else:
        levels = list(entry.get("levels") or ())
        rows = [Row((f"{name}, n (%)", *("" for _ in sides)))]
        rows += [
            Row((str(level), *(_level(part, level) for part in parts)), indent=1)
            for level in levels[:_LEVELS_SHOWN]
        ]
        if len(levels) > _LEVELS_SHOWN:
            rows.append(Row((f"{len(levels) - _LEVELS_SHOWN} further", *("" for _ in sides)), indent=1))
    if any(missing):
        shown: list[Cell] = [count(n) for n in missing]
        rows.append(Row(("not known", *shown), indent=1))
    return rows


def _numeric(part: Mapping[str, Any]) -> str:
    if not is_number(part.get("mean")):
        return NONE
    return f"{rounded(part['mean'])} ({rounded(part.get('sd'))})"


def _level(part: Mapping[str, Any], level: str) -> str:
    found = (part.get("levels") or {}).get(level)
    if not isinstance(found, Mapping):
        return "0"
    if found.get("n") is None:
        return "<5"
    return f"{count(found['n'])} ({number(found.get('percent'), 1)})"
