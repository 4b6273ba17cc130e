"""The head of the report: the question, the headline numbers, and what a reader must weigh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from iatros.core.report import Block, Facts, Finding, Findings, Heading
from iatros.core.report.numbers import count, is_number, number, percent
from iatros.core.report_sections import findings as shared
from iatros.core.report_sections.headline import headline_numbers, judged_by, model_line
from iatros.core.report_sections.reading import Result, blocks, estimate, span_of
from iatros.core.report_sections.words import metric_words, split_label
from iatros.imaging.report_sections.data import input_words, source_words
from iatros.imaging.report_sections.shift import p_words, shifted

HEADLINE: dict[str, tuple[str, ...]] = {
    "binary": ("auroc", "auprc", "accuracy", "sensitivity", "specificity"),
    "multiclass": ("auroc", "accuracy", "balanced_accuracy", "log_loss", "ece"),
    "ordinal": ("auroc", "quadratic_kappa", "accuracy", "within_one_grade", "log_loss"),
    "multilabel": ("auroc", "auprc", "accuracy", "brier"),
    "continuous": ("mae", "rmse", "r2", "calibration_slope"),
}
_INT8_LOSS = 0.003
_INT8_LOSS_OF_ERROR = 0.01
"""What 8-bit numbers may cost before it is said: of a share, and of a mean error as a part of it."""
_BORDER = 0.75
"""AUROC of a guess without the finding from which it is called bad."""


def question(result: Result) -> str:
    """What is asked of each image or study, in one sentence."""
    kind = (result.mapping("input") or result.mapping("network").get("spec") or {}).get("kind")
    this = {"volume": "this volume", "sequence": "this study"}.get(str(kind), "this image")
    if result.task == "continuous":
        unit = f", in {result.unit}" if result.unit else ""
        return f"How large is {result.outcome} in {this}{unit}?"
    if result.task == "multilabel":
        return f"Which of these does {this} show: {', '.join(result.classes)}?"
    if result.task in ("multiclass", "ordinal"):
        which = "grade" if is_ordinal(result) else "class"
        return f"Which {which} does {this} show: {', '.join(result.classes)}?"
    return f"Does {this} show {result.event}?"


def title(result: Result) -> str:
    """The title: developed or evaluated, what, by which network (CLAIM item 1)."""
    done = {"external": "Evaluating", "recalibration": "Recalibrating"}.get(
        result.validation, "Developing and evaluating"
    )
    article = "an" if result.model[:1] in "aeiou" else "a"
    what = {
        "binary": result.event,
        "multilabel": f"{len(result.classes)} findings",
    }.get(result.task, result.outcome)
    return f"{done} {article} {result.model} network for {what} in medical images"


def opening(result: Result) -> tuple[Block, ...]:
    """Facts, headline numbers and findings, under the title."""
    data = result.mapping("data")
    used = data.get("n_used")
    facts = (
        ("Images", source_words(result) + (f", {count(used)} used" if used else "")),
        ("Seen as", input_words(result)),
        ("Network", model_line(result)),
        ("Judged by", judged_by(result)),
    )
    found = findings(result)
    return blocks(
        Facts(facts),
        headline_numbers(result, headline(result)),
        Heading("What to weigh before trusting it") if found else None,
        Findings(found) if found else None,
    )


def headline(result: Result) -> tuple[str, ...]:
    """Names of the headline metrics."""
    return HEADLINE.get("ordinal" if is_ordinal(result) else result.task, HEADLINE["binary"])


def is_ordinal(result: Result) -> bool:
    """Whether the classes are ordered grades."""
    return result.task == "ordinal" or result.part("objective") == "ordinal"


def findings(result: Result) -> tuple[Finding, ...]:
    """What a careful reader would want to know first, each with its numbers."""
    checks: tuple[Callable[[Result], Finding | None], ...] = (
        _crossing,
        _copies,
        _border,
        _metadata,
        _shift,
        shared.discrimination,
        shared.calibration,
        _worse_calibrated,
        shared.sites,
        shared.site_calibration,
        shared.baseline,
        shared.coverage,
        _class_coverage,
        shared.subgroups,
        _quality,
        _heat_maps,
        _int8,
        _refused,
    )
    return tuple(found for found in (check(result) for check in checks) if found)


def doubts(result: Result) -> tuple[Finding, ...]:
    """What copies, quality gates and 8-bit numbers give to weigh, whatever the network answers."""
    checks = (_crossing, _copies, _quality, _int8)
    return tuple(found for found in (check(result) for check in checks) if found)


def _crossing(result: Result) -> Finding | None:
    n = result.mapping("leakage").get("n_crossing")
    if not is_number(n) or n <= 0:
        return None
    verb = "image has" if n == 1 else "images have"
    return Finding(
        "Leak", "bad", f"{count(n)} held-out {verb} a copy on another side of the source's own split."
    )


def _copies(result: Result) -> Finding | None:
    audit = result.mapping("leakage")
    if not audit:
        return None
    n = (audit.get("n_exact") or 0) + (audit.get("n_near") or 0)
    out = audit.get("n_contradicting") or 0
    if not n:
        return Finding("Good", "good", "Leakage audit: no copies among the images.")
    text = f"Leakage audit: {count(n)} {'pair' if n == 1 else 'pairs'} of the same or nearly the same image."
    if out:
        text += f" {count(out)} images were left out because copies have another label."
        return Finding("Watch", "watch", text)
    return Finding("Note", "neutral", text)


def _border(result: Result) -> Finding | None:
    return _guess(result, "border", "A model that sees only the border of the image")


def _metadata(result: Result) -> Finding | None:
    return _guess(result, "metadata", "A model that sees no pixel, only size, scanner, site, sex and age,")


def _guess(result: Result, key: str, who: str) -> Finding | None:
    """What can be guessed without the finding, where it is more than chance."""
    part = result.mapping("leakage").get(key)
    span = span_of(part)
    if not isinstance(part, Mapping) or not span:
        return None
    metric = str(part.get("metric") or "auroc")
    chance = 0.5 if metric == "auroc" else 0.0
    if span[0] <= chance:
        return None
    text = f"{who} reaches {metric_words(metric).label} {estimate(part, metric)}: part of the answer needs no finding."
    bad = metric == "auroc" and part["value"] >= _BORDER
    return Finding("Suspect" if bad else "Watch", "bad" if bad else "watch", text)


def _shift(result: Result) -> Finding | None:
    """The side that differs most from the reference in how common the finding is."""
    sides = result.mapping("prevalence").get("sides")
    if not isinstance(sides, Mapping) or sides.get("task") != "binary" or not shifted(sides):
        return None
    known = {
        str(name): part
        for name, part in (sides.get("differences") or {}).items()
        if isinstance(part, Mapping) and is_number(part.get("value"))
    }
    judged = known.get(result.split)
    name = result.split if judged else max(known, key=lambda one: abs(known[one]["value"]), default="")
    if not name or not is_number(known[name].get("p_value")) or known[name]["p_value"] >= 0.05:
        return None
    return Finding("Watch", "watch", _shift_words(sides, name, known[name]))


def _shift_words(sides: Mapping[str, Any], name: str, difference: Mapping[str, Any]) -> str:
    reference = str(sides.get("reference"))
    share, before = (estimate(sides["levels"][one].get("share")) for one in (name, reference))
    shift = difference.get("log_odds_shift")
    text = (
        f"Prevalence shift: {share} in {split_label(name)}, {before} in {split_label(reference)} "
        f"({p_words(difference['p_value'])})"
    )
    if isinstance(shift, Mapping) and is_number(shift.get("value")):
        way = "high" if shift["value"] < 0 else "low"
        size = number(abs(shift["value"]), 2)
        text += f"; probabilities calibrated at the latter are expected to run {way} by {size} in log-odds"
    return text + ". PPV, NPV and accuracy move with it."


def _worse_calibrated(result: Result) -> Finding | None:
    """A calibrator that does harm where it is judged: too few patients, or patients too unlike these."""
    found = result.mapping("calibration")
    before, after = ((found.get(side) or {}).get("log_loss") for side in ("before", "after"))
    span, value = span_of(before), estimate(after, "log_loss").value
    if not span or not is_number(value) or value <= span[1]:
        return None
    text = (
        f"Calibration made the log loss worse, {estimate(before, 'log_loss')} before and {estimate(after, 'log_loss')} "
        "after: the patients that it was fitted on are too few, or too unlike the judged ones."
    )
    return Finding("Watch", "bad", text)


def _class_coverage(result: Result) -> Finding | None:
    found = result.mapping("conformal")
    level = found.get("confidence_level")
    if not is_number(level):
        return None
    short = [
        f"{name} ({estimate(part)})"
        for name, part in (found.get("by_class") or {}).items()
        if (span := span_of(part)) and span[1] < level
    ]
    if not short:
        return None
    text = f"Conformal sets hold the truth less often than the promised {number(level, 2)} in {', '.join(short)}."
    return Finding("Watch", "watch", text)


def _quality(result: Result) -> Finding | None:
    found = result.mapping("quality")
    n = found.get("n_checked")
    odd = [found.get(name) for name in ("n_refused", "n_flagged")]
    if not is_number(n) or not n or not any(is_number(k) and k > 0 for k in odd):
        return None
    refused, flagged = (k if is_number(k) else 0 for k in odd)
    text = (
        f"Quality gates would refuse {count(refused)} ({percent(refused / n)}) and flag {count(flagged)} "
        f"({percent(flagged / n)}) of {count(n)} judged images."
    )
    many = (refused + flagged) / n > 0.1
    return Finding("Watch" if many else "Note", "watch" if many else "neutral", text)


def _heat_maps(result: Result) -> Finding | None:
    found = result.mapping("explanation_checks").get("randomisation")
    if not isinstance(found, Mapping) or not is_number(found.get("similarity")):
        return None
    text = f"Heat maps keep a likeness of {number(found['similarity'], 2)} when all weights are random"
    if found.get("passes"):
        return Finding("Good", "good", f"{text}: they show what was learned.")
    return Finding("Watch", "bad", f"{text}: they show the image rather than what was learned.")


def _int8(result: Result) -> Finding | None:
    export = result.mapping("export")
    lost, whole = (estimate(export.get(name)).value for name in ("difference", "fp32"))
    if not is_number(lost) or not is_number(whole):
        return None
    metric = str(export.get("metric") or "auroc")
    worse = lost > _INT8_LOSS_OF_ERROR * whole if metric == "mae" else lost < -_INT8_LOSS
    if not worse:
        return None
    text = f"8-bit numbers change {metric_words(metric).running} by {estimate(export['difference'])}: predict in fp32."
    return Finding("Watch", "watch", text)


def _refused(result: Result) -> Finding | None:
    data = result.mapping("data")
    refused = data.get("n_refused", len(data.get("refused") or []))
    if not is_number(refused) or refused <= 0:
        return None
    verb = "file or image was" if refused == 1 else "files or images were"
    return Finding("Note", "neutral", f"{count(refused)} {verb} refused; section Images and labels says why.")
