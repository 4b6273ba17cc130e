"""What stands first in a report: the model, by what it was judged, and the headline numbers."""

from __future__ import annotations

from collections.abc import Mapping

from iatros.core.report import Block, KeyNumber, KeyNumbers, Note
from iatros.core.report.numbers import count, is_number, number, percent
from iatros.core.report_sections.reading import Result, estimate, metrics_of, present
from iatros.core.report_sections.words import HEADLINE, VALIDATIONS, metric_words, split_label


def model_line(result: Result) -> str:
    """The model, and which others were trained."""
    others = [
        str(entry.get("name"))
        for entry in result.items("models")
        if isinstance(entry, Mapping) and not entry.get("selected")
    ]
    return result.model + (
        f", kept among {len(others) + 1} (also trained: {', '.join(others)})" if others else ""
    )


def judged_by(result: Result) -> str:
    """By which patients the headline numbers are judged, and how many there are."""
    how = VALIDATIONS.get(result.validation, ("", ""))[0] or split_label(result.split)
    return how + _size(result)


def _size(result: Result) -> str:
    document = next((found for found in result.headline.values() if isinstance(found, Mapping)), {})
    n, events = document.get("n"), document.get("n_events")
    if not is_number(n):
        return ""
    return f", n = {count(n)}" + (
        f", {count(events)} events ({percent(events / n)})" if is_number(events) and n else ""
    )


def headline_numbers(result: Result, names: tuple[str, ...] = ()) -> Block:
    """The headline numbers side by side: `names`, or those of the task."""
    wanted = present(names or HEADLINE.get(result.task, HEADLINE["binary"]), [result.headline])
    if not wanted:
        return Note("No metric was recorded for patients that the model had not seen.", "warning")
    return KeyNumbers(
        tuple(
            KeyNumber(metric_words(name).label, estimate(result.headline[name], name), _how(result, name))
            for name in wanted
        )
    )


def _how(result: Result, name: str) -> str:
    """The interval's method; for what must not be averaged away over sites, how far it ranges."""
    values = [estimate(metrics_of(site).get(name)).value for site in result.mapping("sites").values()]
    known = [value for value in values if is_number(value)]
    if result.split == "site" and metric_words(name).ideal is not None and len(known) > 1:
        digits = metric_words(name).digits
        return f"mean; by site from {number(min(known), digits)} to {number(max(known), digits)}"
    return str(result.headline[name].get("interval") or "")
