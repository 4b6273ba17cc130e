"""The head of the report: the question, the headline numbers, and what a reader must weigh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from iatros.core.report import Block, Facts, Finding, Findings, Heading, KeyNumber, KeyNumbers, Note
from iatros.core.report.numbers import count, is_number, number, percent
from iatros.core.report_sections.reading import Result, blocks, span_of
from iatros.molecules.report_sections.words import (
    LOWER_IS_BETTER,
    active,
    endpoints,
    headline,
    judged_by,
    running,
    words,
    written,
)

_FEW_GROUPS = 20
_WIDE_SLOPE = 1.0
"""Width of an interval of the calibration slope from which it says little."""


def question(result: Result) -> str:
    """What is asked of each compound, in one sentence."""
    asked = endpoints(result)
    if len(asked) > 1:
        return (
            f"What will a compound show of {len(asked)} endpoints: {_listed([_name(one) for one in asked])}?"
        )
    first = asked[0] if asked else {"name": result.outcome}
    if result.task == "binary":
        return f"How likely is {active(first)} of this compound?"
    unit = f", in {first['unit']}" if first.get("unit") else ""
    return f"What will {_name(first)} of this compound be{unit}?"


def title(result: Result) -> str:
    """The title: developed or evaluated, what, by which model."""
    done = "Evaluating" if result.validation == "external" else "Developing and evaluating"
    article = "an" if result.model[:1] in "aeiou" else "a"
    return f"{done} {article} {result.model} model of {result.outcome}"


def opening(result: Result) -> tuple[Block, ...]:
    """Facts, headline numbers and findings, under the title."""
    data = result.mapping("data")
    facts = (
        ("Compounds", f"{data.get('source') or 'not recorded'}, {count(data.get('n_used'))} compounds used"),
        ("Endpoints", _listed([_name(one) for one in endpoints(result)])),
        ("Model", _model(result)),
        ("Judged by", _judged(result)),
    )
    found = findings(result)
    return blocks(
        Facts(facts),
        _numbers(result),
        Heading("What to weigh before trusting it") if found else None,
        Findings(found) if found else None,
    )


def findings(result: Result) -> tuple[Finding, ...]:
    """What a careful reader would want to know first, each with its numbers."""
    checks: tuple[Callable[[Result], Finding | None], ...] = (
        _chance,
        _scrambled,
        _baseline,
        _drawn_apart,
        _near,
        _calibration,
        _coverage,
        _domain,
        _cliffs,
        _bounds,
        _few,
        _refused,
    )
    return tuple(found for found in (check(result) for check in checks) if found)


def _name(endpoint: Mapping[str, Any]) -> str:
    return str(endpoint.get("name", ""))


def _listed(names: list[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _model(result: Result) -> str:
    others = [
        str(one.get("name"))
        for one in result.items("models")
        if isinstance(one, Mapping) and not one.get("selected")
    ]
    return result.model + (f" (also trained: {', '.join(others)})" if others else "")


def _judged(result: Result) -> str:
    side = result.mapping("splits").get(result.split) or {}
    said = judged_by(result)
    if is_number(side.get("n_rows")):
        said += f", n = {count(side['n_rows'])}"
    return said


def _numbers(result: Result) -> Block:
    names = headline(result)
    if not names:
        return Note(
            "No metric could be computed: the judged compounds are of one class, or all alike.", "warning"
        )
    return KeyNumbers(
        tuple(
            KeyNumber(
                words(name).label,
                written(result.headline[name], name),
                str(result.headline[name].get("interval") or ""),
            )
            for name in names
        )
    )


def _chance(result: Result) -> Finding | None:
    """Whether the ranking may be that of a coin."""
    name = "auroc" if result.task == "binary" else "concordance_index"
    span = span_of(result.headline.get(name))
    if span is None or span[0] > 0.5:
        return None
    said = written(result.headline[name], name)
    return Finding(
        "Doubt", "bad", f"{words(name).label} {said}: the interval holds 0.5, the value of a coin."
    )


def _scrambled(result: Result) -> Finding | None:
    found = result.mapping("y_scrambling")
    if not is_number(found.get("p_value")):
        return None
    metric = running(str(found.get("metric")))
    said = (
        f"y-scrambling: a quick model reaches {metric} {number(found.get('score'))} on the real outcomes and "
        f"{number(found.get('mean_permuted'))} on shuffled ones (p {number(found['p_value'], 2)}, "
        f"{count(found.get('n'))} shuffles)"
    )
    if found["p_value"] <= max(0.05, 1.0001 / (found.get("n", 0) + 1)):
        return Finding("Good", "good", said + ".")
    return Finding("Doubt", "bad", said + ": the structures may say nothing about the outcome.")


def _baseline(result: Result) -> Finding | None:
    """Whether the kept model is better than a forest over circular fingerprints."""
    chosen = next((e for e in result.items("models") if isinstance(e, Mapping) and e.get("selected")), {})
    found = chosen.get("difference_to_baseline")
    span = span_of(found)
    if span is None or not isinstance(found, Mapping):
        return None
    metric = str(found.get("metric"))
    said = (
        f"{words(metric).label} of {chosen.get('name')} less that of the baseline ({found.get('baseline')}): "
        f"{written(found, metric)}"
    )
    if span[0] <= 0 <= span[1]:
        return Finding("Note", "neutral", f"{said}; the interval holds 0, so the baseline may do as well.")
    if (span[1] < 0) == (metric in LOWER_IS_BETTER):
        return Finding("Good", "good", f"{said}.")
    return Finding("Watch", "watch", f"{said}; it does worse.")


def _drawn_apart(result: Result) -> Finding | None:
    """Whether how a compound was drawn tells what was measured of it."""
    found = [one for one in result.items("drawn_apart") if isinstance(one, Mapping)]
    if not found:
        return None
    first = found[0]
    low, high = first["low"], first["high"]
    said = (
        f"As the file draws them, {percent(low['share'])} of the compounds whose {first['endpoint']} is {low['label']}"
        f", and {percent(high['share'])} of those where it is {high['label']}, had to be changed ({first['change']})"
    )
    if more := len(found) - 1:
        said += f", and {more} more such difference{'s' if more > 1 else ''}"
    return Finding(
        "Watch",
        "watch",
        f"{said}: they may come from different sources. All are read in one form here; a model that reads structures "
        "as drawn could tell them by the drawing.",
    )


def _near(result: Result) -> Finding | None:
    found = result.mapping("near_duplicates")
    if not is_number(found.get("n_near")) or not found.get("n_test"):
        return None
    share = found["n_near"] / found["n_test"]
    said = (
        f"{count(found['n_near'])} of {count(found['n_test'])} judged compounds ({percent(share)}) are at least "
        f"{number(found.get('threshold'), 1)} similar to one that was learned from"
    )
    if share > 0.1:
        return Finding("Watch", "watch", f"{said}: the numbers are too good for new series.")
    return Finding("Note", "neutral", f"{said}.")


def _calibration(result: Result) -> Finding | None:
    """Whether predictions are too extreme or too timid."""
    span = span_of(result.headline.get("calibration_slope"))
    if span is None:
        return None
    said = f"Calibration slope {written(result.headline['calibration_slope'], 'calibration_slope')}"
    if span[0] <= 1 <= span[1]:
        if span[1] - span[0] > _WIDE_SLOPE:
            return Finding(
                "Note", "neutral", f"{said}: too few compounds to tell whether it is 1, the ideal."
            )
        return Finding("Good", "good", f"{said}: its interval holds the ideal, 1.")
    return Finding("Watch", "watch", f"{said}: predictions are too {'extreme' if span[1] < 1 else 'timid'}.")


def _coverage(result: Result) -> Finding | None:
    """Endpoints whose conformal answers hold the truth less often than promised."""
    found = {
        name: part["conformal"]
        for name, part in result.mapping("by_endpoint").items()
        if isinstance(part, Mapping) and isinstance(part.get("conformal"), Mapping)
    }
    spans = {name: span_of(one.get("coverage")) for name, one in found.items()}
    known = {name: span for name, span in spans.items() if span is not None}
    if not known:
        return None
    level = next(iter(found.values())).get("confidence_level")
    short = [name for name, span in known.items() if span[1] < level]
    if short:
        return Finding(
            "Watch",
            "watch",
            f"Conformal answers hold fewer truths than the {percent(level, 0)} promised: {_listed(short)}.",
        )
    if len(known) == 1:
        one = next(iter(found.values()))
        said = f"Conformal coverage {written(one['coverage'], 'coverage')}, promised {number(level, 2)}"
        if one["coverage"]["value"] < level:
            return Finding("Note", "neutral", f"{said}: it may be less in new series.")
        return Finding("Good", "good", f"{said}.")
    return Finding(
        "Good", "good", f"Conformal coverage is not below the {percent(level, 0)} promised at any endpoint."
    )


def _domain(result: Result) -> Finding | None:
    found = result.mapping("domain_of_applicability")
    inside, outside = (found.get(name) or {} for name in ("inside", "outside"))
    if not is_number(outside.get("n")) or not is_number(inside.get("n")):
        return None
    total = inside["n"] + outside["n"]
    if not total:
        return None
    share = outside["n"] / total
    said = (
        f"{count(outside['n'])} of {count(total)} judged compounds ({percent(share)}) lie outside the domain"
    )
    name = (
        "auroc"
        if result.task == "binary"
        else "rmse"
        if "rmse" in inside.get("metrics", {})
        else "relative_rmse"
    )
    pair = [(side.get("metrics") or {}).get(name) for side in (inside, outside)]
    if all(isinstance(one, Mapping) for one in pair):
        said += f"; {words(name).label} inside {written(pair[0], name)}, outside {written(pair[1], name)}"
    return Finding("Watch" if share > 0.2 else "Note", "watch" if share > 0.2 else "neutral", said + ".")


def _cliffs(result: Result) -> Finding | None:
    worse = []
    for one in result.items("cliffs"):
        span = span_of(one.get("difference")) if isinstance(one, Mapping) else None
        if span is not None and span[0] > 0:
            worse.append(str(one.get("endpoint")))
    if not worse:
        return None
    return Finding(
        "Note", "neutral", f"The model is more wrong at activity cliffs than elsewhere: {_listed(worse)}."
    )


def _bounds(result: Result) -> Finding | None:
    rows = [one for one in result.items("measured") if isinstance(one, Mapping) and one.get("n_bounds")]
    if not rows:
        return None
    n = sum(one["n_bounds"] for one in rows)
    total = n + sum(one.get("n_values", 0) for one in rows)
    return Finding(
        "Note",
        "neutral",
        f"{count(n)} of {count(total)} measurements are bounds (above or below); errors are those of exact values.",
    )


def _few(result: Result) -> Finding | None:
    n = (result.mapping("splits").get(result.split) or {}).get("n_groups")
    if not is_number(n) or n >= _FEW_GROUPS:
        return None
    return Finding("Watch", "watch", f"Only {count(n)} groups of compounds were judged: intervals are rough.")


def _refused(result: Result) -> Finding | None:
    data = result.mapping("data")
    if not is_number(data.get("n_refused")) or data["n_refused"] <= 0:
        return None
    return Finding(
        "Note",
        "neutral",
        f"{count(data['n_refused'])} of {count(data.get('n_read'))} lines were refused; section Compounds says why.",
    )
