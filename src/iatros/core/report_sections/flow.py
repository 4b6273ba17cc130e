"""How many records were read, kept and put on which side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import Block, FlowDiagram, FlowStep, Section
from iatros.core.report.numbers import count, is_number, percent
from iatros.core.report_sections.reading import Result, capital
from iatros.core.report_sections.words import split_label

_SITES_SHOWN = 12
_ROWS = "rows"
_CAPTION = "Rows are lines of the table; a patient may have several, and all of them stand on one side."


def flow_section(
    result: Result, *, title: str = "Flow of patients", noun: str = "rows", caption: str = _CAPTION
) -> Section:
    """Section: how many patients were read, kept and put on which side; `noun` is what a record is called."""
    steps = [step for step in result.items("flow") if isinstance(step, Mapping)]
    found: Block = _flow(result, steps, noun, caption) if steps else result.absent("flow")
    return Section(title, (found,), "flow")


def _flow(result: Result, steps: list[Mapping[str, Any]], noun: str, caption: str) -> FlowDiagram:
    drawn, before = [], None
    for step in steps:
        lines = [_people(step, noun)]
        lost = _lost(step, before, noun)
        if step.get("note"):
            (lost if lost else lines).append(str(step["note"]))
        drawn.append(FlowStep(capital(str(step.get("step", ""))), tuple(lines), tuple(lost)))
        before = step
    branches = _branches(result, noun)
    more = len(result.mapping("sites")) - _SITES_SHOWN
    return FlowDiagram(
        "From the file to the analysis",
        "; ".join(f"{step.name}: {', '.join(step.lines)}" for step in (*drawn, *branches)),
        tuple(drawn),
        branches,
        caption=caption + (f" {more} further sites are in section Sites." if more > 0 else ""),
    )


def _people(step: Mapping[str, Any], noun: str) -> str:
    rows, patients = step.get("n_rows"), step.get("n_patients")
    if patients is None or rows == patients:
        return f"{count(rows)} {'patients' if noun == _ROWS else noun}"
    return f"{count(rows)} {noun} of {count(patients)} patients"


def _branches(result: Result, noun: str) -> tuple[FlowStep, ...]:
    """The sides (one that was cross-fitted is a remark under the training patients), or the sites left out in turn."""
    sites = {name: site for name, site in result.mapping("sites").items() if isinstance(site, Mapping)}
    if sites:
        return tuple(
            FlowStep(str(name), ("left out in turn:", *_side_lines({**site, "n_rows": site.get("n")}, noun)))
            for name, site in list(sites.items())[:_SITES_SHOWN]
        )
    sides = {name: side for name, side in result.mapping("splits").items() if isinstance(side, Mapping)}
    crossed = [name for name, side in sides.items() if side.get("cross_fitted")]
    drawn = []
    for name, side in sides.items():
        if name in crossed or side.get("n_rows") == 0:
            continue
        lines = _side_lines(side, noun)
        if name == "train" and crossed:
            lines.append(f"{' and '.join(crossed)}: cross-fitted on these")
        drawn.append(FlowStep(capital(split_label(name)), tuple(lines)))
    return tuple(drawn)


def _side_lines(side: Mapping[str, Any], noun: str) -> list[str]:
    lines = [_people(side, noun)]
    events, rows = side.get("n_events"), side.get("n_rows")
    if is_number(events):
        share = f" ({percent(events / rows)})" if is_number(rows) and rows else ""
        lines.append(f"{count(events)} events{share}")
    return lines


def _lost(step: Mapping[str, Any], before: Mapping[str, Any] | None, noun: str) -> list[str]:
    if before is None or not is_number(step.get("n_rows")) or not is_number(before.get("n_rows")):
        return []
    rows = before["n_rows"] - step["n_rows"]
    if rows <= 0:
        return []
    patients = (before.get("n_patients") or 0) - (step.get("n_patients") or 0)
    people = f" of {count(patients)} patients" if 0 < patients < rows else ""
    return [
        f"Left out: {count(rows)} {noun if people or not patients or noun != _ROWS else 'patients'}{people}"
    ]
