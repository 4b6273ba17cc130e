"""Reasons for doubt before any network is asked: copies, contradictions, what the border tells, quality gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import Block, Cell, Heading, Note, Paragraph, Row, Section, Table
from iatros.core.report.numbers import NONE, count, is_number, number, percent
from iatros.core.report_sections.reading import Result, blocks, capital, estimate
from iatros.core.report_sections.words import metric_words
from iatros.imaging.quality.finding import CODES

_PAIRS = 20
_NAMES = 12


def leakage_section(result: Result) -> Section:
    """Section: the same picture twice, labels that contradict, and what can be guessed without the finding."""
    audit = result.mapping("leakage")
    if not audit:
        return Section("Leakage audit", (result.absent("leakage"),), "leakage")
    guessing = _guessing(result, audit)
    lead = "The same or nearly the same picture on two sides lets a network remember instead of recognise" + (
        "; a border, a scanner or a page size that goes with the finding lets it guess. Neither would help with the "
        "next patient."
        if guessing
        else ". That would not help with the next patient."
    )
    found = blocks(
        Paragraph(lead, "lead"),
        _copies(audit),
        _found_again(audit),
        *_crossing(audit),
        *_pairs(audit),
        *_contradicting(audit),
        *guessing,
    )
    return Section("Leakage audit", found, "leakage")


def _copies(audit: Mapping[str, Any]) -> Table:
    joined = f"{count(audit.get('n_groups_before'))} → {count(audit.get('n_groups'))}"
    rows = [
        Row(("Images looked at", count(audit.get("n_images")))),
        Row(("Pairs of identical images", count(audit.get("n_exact")))),
        Row(("Pairs of nearly identical images", count(audit.get("n_near")))),
        Row(("Patients before and after joining those with copies", joined)),
    ]
    if "n_contradicting" in audit:
        named = "Images left out, the same picture having another label"
        rows.append(Row((named, count(audit["n_contradicting"]))))
    rows.append(Row(("Held-out images with a copy on another side", count(audit.get("n_crossing")))))
    foot = "" if audit.get("check") else "Only identical pixels were looked for."
    return Table(("", "Number"), tuple(rows), caption="Copies", foot=foot, right=(1,))


def _found_again(audit: Mapping[str, Any]) -> Table | None:
    """Which altered copies of these very images the search finds, as it was tried here."""
    check = audit.get("check")
    if not isinstance(check, Mapping):
        return None
    tried = [part for part in check.values() if isinstance(part, Mapping)]
    rows = tuple(
        Row((capital(str(part.get("by", ""))), estimate(part.get("linked")), estimate(part.get("same"))))
        for part in tried
    )
    return Table(
        ("Altered copies of these images", "Found as a copy", "Held to be the same picture"),
        rows,
        caption="What the search finds",
        foot=f"Tried on {count(check.get('n'))} of the images. Mirror images are not looked for.",
        right=(1, 2),
    )


def _crossing(audit: Mapping[str, Any]) -> tuple[Block, ...]:
    n = audit.get("n_crossing") or 0
    if not n:
        return ()
    sides = (audit.get("n_by_sides") or {}).items()
    by = "; ".join(
        f"{name.replace('_', ' ')}: {count(k)} {'pair' if k == 1 else 'pairs'}" for name, k in sides
    )
    names = [str(name) for name in audit.get("crossing") or []]
    listed = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
    text = (
        f"{count(n)} held-out {'image has' if n == 1 else 'images have'} a copy on another side of the source's own "
        "split, which was kept" + (f" ({by})" if by else "") + (f": {listed}." if listed else ".")
    )
    return (Note(text, "warning"),)


def _pairs(audit: Mapping[str, Any]) -> tuple[Block, ...]:
    pairs = [pair for pair in audit.get("pairs") or [] if isinstance(pair, Mapping)]
    if not pairs:
        return ()
    labelled = any(pair.get("labels") for pair in pairs)
    rows = tuple(
        Row(
            (
                str(pair.get("one", "")),
                str(pair.get("other", "")),
                *(
                    (" / ".join(_label(label) for label in pair.get("labels") or ()) or NONE,)
                    if labelled
                    else ()
                ),
                " / ".join(str(side).replace("_", " ") for side in pair.get("sides") or () if side) or NONE,
                number(pair.get("likeness"), 3),
            )
        )
        for pair in pairs[:_PAIRS]
    )
    total = (audit.get("n_exact") or 0) + (audit.get("n_near") or 0)
    foot = "Likeness is 1 for identical pixels." + (
        f" {len(rows)} of {count(total)} pairs are shown." if total > len(rows) else ""
    )
    header = ("One", "Other", *(("Labels",) if labelled else ()), "Sides", "Likeness")
    right = (len(header) - 1,)
    return (Table(header, rows, caption="Pairs of copies", foot=foot, right=right, compact=True),)


def _label(label: Any) -> str:
    if isinstance(label, (list, tuple)):
        return ", ".join(_label(one) for one in label)
    return NONE if label is None else f"{label:g}" if is_number(label) else str(label)


def _contradicting(audit: Mapping[str, Any]) -> tuple[Block, ...]:
    names = [str(name) for name in audit.get("contradicting") or []]
    if not names:
        return ()
    more = f" and {len(names) - 3 * _NAMES} more" if len(names) > 3 * _NAMES else ""
    text = f"Left out because the same picture has another label elsewhere: {', '.join(names[: 3 * _NAMES])}{more}."
    return (Note(text),)


def _guessing(result: Result, audit: Mapping[str, Any]) -> tuple[Block, ...]:
    """The network beside models that see only the border, or only what is known of the image without a pixel."""
    named = (
        ("border", "Only the outermost tenth of the image"),
        ("metadata", "No pixel: size, scanner, site, sex, age"),
    )
    found = [
        (words, audit[key])
        for key, words in named
        if isinstance(audit.get(key), Mapping) and is_number(audit[key].get("value"))
    ]
    if not found:
        return ()
    metric = str(found[0][1].get("metric") or "auroc")
    rows = []
    if isinstance(result.headline.get(metric), Mapping):
        rows.append(
            Row((f"The network ({result.model})", estimate(result.headline[metric], metric), ""), "strong")
        )
    for words, part in found:
        features = ", ".join(str(name) for name in part.get("features") or ())
        rows.append(Row((words, estimate(part, metric), features)))
    table = Table(
        ("What is seen", metric_words(metric).label, "Features"),
        tuple(rows),
        foot="The guessing models are cross-validated over patients on all images. What they reach is no merit of the "
        "network: the nearer they come to it, the less its own number says about the finding.",
        right=(1,),
    )
    return Heading("What can be guessed without seeing the finding"), table


def quality_section(result: Result) -> Section:
    """Section: which of the judged images the gates would refuse or flag, and why."""
    found = result.mapping("quality")
    if not found:
        return Section("Quality gates", (result.absent("quality"),), "quality")
    n = found.get("n_checked")
    lead = (
        "Before an image is answered, gates compare it with the training images. Refused images get no answer unless "
        "one is asked for; flagged ones get an answer with the reason beside it. The judged images are counted here as "
        "the gates would treat them; none was left out of the numbers for it."
    )
    rows = [
        Row((CODES.get(code, code.replace("-", " ")), _share(part, "refuse", n), _share(part, "flag", n)))
        for code, part in sorted((found.get("codes") or {}).items())
        if isinstance(part, Mapping)
    ]
    rows.append(
        Row(("any of them", _told(found, "refused", n), _told(found, "flagged", n)), "strong"),
    )
    table = Table(
        ("What is unusual", "Refused", "Flagged"),
        tuple(Row((capital(str(row.cells[0])), *row.cells[1:]), row.kind) for row in rows),
        caption=f"Of {count(n)} judged images",
        right=(1, 2),
    )
    return Section("Quality gates", blocks(Paragraph(lead, "lead"), table, _false_alarms(found)), "quality")


def _told(found: Mapping[str, Any], name: str, n: Any) -> Cell:
    """The share with its interval where it was measured, else the count."""
    return estimate(found[name]) if isinstance(found.get(name), Mapping) else _part(found.get(f"n_{name}"), n)


def _false_alarms(found: Mapping[str, Any]) -> Block | None:
    """How often the gates for unlike images speak up here, beside how often they were set to on such images."""
    unlike = found.get("unlike")
    if not isinstance(unlike, Mapping):
        return None
    stated = unlike.get("stated") or {}
    told = "; ".join(
        f"{words} {estimate(unlike.get(name))}, set to {_rate(stated.get(key))}"
        for name, key, words in (("flagged", "flag", "flagged or refused"), ("refused", "refuse", "refused"))
    )
    return Paragraph(f"Images that the gates for unlike images would stop here: {told}.", "small")


def _rate(share: Any) -> str:
    """A stated share, which may be far below 0.1 %."""
    return percent(share, 2 if is_number(share) and share < 0.001 else 1)


def _share(part: Mapping[str, Any], severity: str, n: Any) -> str:
    return _part(part.get(severity) or 0, n)


def _part(k: Any, n: Any) -> str:
    if not is_number(k):
        return NONE
    return count(k) + (f" ({percent(k / n)})" if is_number(n) and n and k else "")
