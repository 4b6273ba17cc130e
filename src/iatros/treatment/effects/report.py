"""The report of an effect: laid out along the protocol of a target trial, from the result of the action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from iatros.core.checklist import answers
from iatros.core.report import Document, Facts, Finding, Findings, KeyNumber, KeyNumbers, Row, Section, Table
from iatros.core.report.document import Block
from iatros.core.report_sections.checklist import checklist_section
from iatros.core.report_sections.flow import flow_section
from iatros.core.report_sections.reading import Result, blocks, capital, estimate
from iatros.core.report_sections.record import closing, reproducibility_section
from iatros.treatment.effects.items import ITEMS
from iatros.treatment.effects.report_pictures import balance_section, individual_section, overlap_section
from iatros.treatment.effects.report_tables import average_section, checks_section

_BANNER = (
    "Research software, not a medical device. An estimated effect supports a clinician's judgement about treatment and "
    "does not replace it."
)


def build(result: Mapping[str, Any]) -> Document:
    """The report as a document; a part that `result` lacks is named as not available.

    >>> build({"treatment": {"arms": ["no", "yes"], "reference": "no"}}).sections[0].title
    'Protocol'
    """
    reading = Result(result, {"overlap": "the run held no propensities"})
    version = reading.mapping("versions").get("iatros")
    return Document(
        title=_title(reading),
        kicker="Treatment effect report",
        subtitle=capital(str(reading.part("estimand") or "")),
        banner=_BANNER,
        opening=_opening(reading),
        sections=tuple(section(reading) for section in _SECTIONS),
        closing=closing(version),
    )


def _title(result: Result) -> str:
    treatment = result.mapping("treatment")
    others = [str(arm) for arm in treatment.get("arms") or [] if arm != treatment.get("reference")]
    column = treatment.get("column", "treatment")
    return f"Effect of {column}: {', '.join(others)} against {treatment.get('reference', 'the reference')}"


def _opening(result: Result) -> tuple[Block, ...]:
    numbers = [
        KeyNumber(
            f"{one['arm']} against {one['reference']}",
            estimate(one["difference"]),
            str(one["difference"]["interval"]),
        )
        for one in result.items("average")
        if one["reference"] == result.mapping("treatment").get("reference")
    ]
    items: list[Finding] = []
    if result.part("design") == "observational":
        items.append(
            Finding(
                "Assumed", "watch", "Observational: unmeasured confounding is assumed away, see Assumptions."
            )
        )
    refusal = result.mapping("overlap").get("refusal")
    if refusal:
        items.append(Finding("Refused", "bad", capital(refusal) + "."))
    for test in result.items("heterogeneity"):
        found = test["evidence"]
        items.append(
            Finding(
                "Differs" if found else "No evidence",
                "neutral" if found else "watch",
                capital(test["statement"]) + ".",
            )
        )
    items += [
        Finding(
            "Doubt",
            "bad",
            f"The negative control {one['outcome']} differs between the arms after adjustment.",
        )
        for one in result.mapping("checks").get("negative_controls") or []
        if one["away_from_zero"]
    ]
    return blocks(KeyNumbers(tuple(numbers)) if numbers else None, Findings(tuple(items)) if items else None)


def _protocol(result: Result) -> Section:
    target, treatment = result.mapping("target"), result.mapping("treatment")
    horizon = target.get("horizon")
    follow_up = (
        f"until {horizon:g} {target.get('unit') or ''}".strip()
        if horizon
        else "Missing: the run cannot know this"
    )
    missing = "Missing: not given (eligibility, time_zero of the request)"
    how = {"trial": "by chance (trial)", "observational": "by choice (observational)"}
    facts = (
        ("Eligibility", str(result.part("eligibility") or missing)),
        (
            "Treatment strategies",
            f"{treatment.get('column')}: {', '.join(map(str, treatment.get('arms') or []))}",
        ),
        ("Assignment", how.get(str(result.part("design")), "not recorded")),
        ("Time zero", str(result.part("time_zero") or missing)),
        ("Follow-up", follow_up),
        ("Outcome", _outcome(target)),
        ("Estimand", str(result.part("estimand") or "not recorded")),
        ("Analysed as", "assigned: the arm in the table, whatever was taken later"),
    )
    return Section("Protocol", (Facts(facts),), "protocol")


def _outcome(target: Mapping[str, Any]) -> str:
    kind = str(target.get("kind", "not recorded"))
    what = f"{target.get('name')} ({kind})"
    if target.get("event") is not None:
        what += f", the event is {target['event']}"
    return what + f"; {target.get('better', 'higher')} is better"


def _assumptions(result: Result) -> Section:
    rows = tuple(
        Row((str(one["name"]), str(one["says"]), str(one["data"]))) for one in result.items("assumptions")
    )
    found = (
        Table(("Assumption", "What it says", "What the data say"), rows)
        if rows
        else result.absent("assumptions")
    )
    return Section("Assumptions", (found,), "assumptions")


def _flow(result: Result) -> Section:
    return flow_section(result, caption="Rows are lines of the table; the boxes side by side are the arms.")


def _checklist(result: Result) -> Section:
    return checklist_section(
        answers(ITEMS, result.document),
        name="Effect estimation",
        introduction="Items along the protocol of a target trial (Hernan and Robins 2016), numbered by us;",
        anchor="items",
    )


def _record(result: Result) -> Section:
    return reproducibility_section(
        result,
        promise="The same request on the same data with the same versions gives the same estimates, byte for byte.",
    )


_SECTIONS: tuple[Callable[[Result], Section], ...] = (
    _protocol,
    _flow,
    average_section,
    overlap_section,
    balance_section,
    individual_section,
    checks_section,
    _assumptions,
    _record,
    _checklist,
)
