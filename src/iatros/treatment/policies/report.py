"""The report of rules of treatment: what each is worth, how they differ, and what that rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from iatros.core.checklist import answers
from iatros.core.report import Document, Facts, Finding, Findings, KeyNumber, KeyNumbers, Paragraph, Section
from iatros.core.report.document import Block
from iatros.core.report.numbers import number, percent
from iatros.core.report_sections.checklist import checklist_section
from iatros.core.report_sections.flow import flow_section
from iatros.core.report_sections.reading import Result, blocks, capital
from iatros.core.report_sections.record import closing, reproducibility_section
from iatros.treatment.effects.report_pictures import overlap_section
from iatros.treatment.policies.items import ITEMS
from iatros.treatment.policies.learning import BEST_ARM, PLUG_IN, TREE
from iatros.treatment.policies.report_effects import effects_section
from iatros.treatment.policies.report_values import differences_section, shown, tree_section, values_section

_BANNER = (
    "Research software, not a medical device. A rule with a higher value is a hypothesis for a trial; it is no advice "
    "for a patient."
)
_FEW = 50
_LIMITS = (
    "A value is the mean outcome if the rule were followed by everyone like these subjects. It says nothing of harms "
    "that are not in the outcome, of cost, or of subjects of another kind.",
    "The value of a learned rule is that of the way of learning it, on subjects that it had not learned from. The tree "
    "printed here was learned from all of them; its own value is expected to be about the same, and is not measured.",
    "Several rules stand beside each other: the highest value among them is a little too high by chance.",
)


def build(result: Mapping[str, Any]) -> Document:
    """The report as a document; a part that `result` lacks is named as not available.

    >>> build({"treatment": {"column": "drug"}}).title
    'Rules of drug: what they are worth'
    """
    reading = Result(
        result, {"overlap": "the run held no propensities", "rules": "the run compared no rules"}
    )
    version = reading.mapping("versions").get("iatros")
    return Document(
        title=f"Rules of {reading.mapping('treatment').get('column', 'treatment')}: what they are worth",
        kicker="Treatment rule report",
        subtitle=_question(reading),
        banner=_BANNER,
        opening=_opening(reading),
        sections=tuple(section(reading) for section in _SECTIONS),
        closing=closing(version),
    )


def _question(result: Result) -> str:
    target = result.mapping("target")
    if not target:
        return ""
    return f"Mean outcome had all subjects been given what the rule names; outcome: {outcome_words(target)}"


def outcome_words(target: Mapping[str, Any]) -> str:
    """The outcome, how it is measured and which direction is good."""
    kind, name, horizon = target.get("kind"), target.get("name"), target.get("horizon")
    if kind == "time-to-event" and horizon is not None:
        unit = f" {target['unit']}" if target.get("unit") else ""
        measure = "no" if target.get("measure") == "survival" else "mean time without"
        what = f"{measure} {name} by {horizon:g}{unit}"
    elif kind == "binary":
        what = f"{name} is {target.get('event')}"
    else:
        what = f"{name}" + (f" ({target['unit']})" if target.get("unit") else "")
    return f"{what}; {target.get('better', 'higher')} is better"


def _opening(result: Result) -> tuple[Block, ...]:
    rules = {rule["name"]: rule for rule in result.items("rules")}
    numbers = []
    for name in (TREE, PLUG_IN, *(name for name, rule in rules.items() if rule["origin"] == "given")):
        gap = rules.get(name, {}).get("against", {}).get(BEST_ARM)
        if gap is not None:
            numbers.append(
                KeyNumber(
                    f"{capital(name)}, gain over the best arm", shown(gap["gain"]), gap["gain"]["interval"]
                )
            )
    items = [found for check in _CHECKS for found in check(result, rules)]
    return blocks(KeyNumbers(tuple(numbers)) if numbers else None, Findings(tuple(items)) if items else None)


def _assumed(result: Result, rules: Mapping[str, Any]) -> list[Finding]:
    if result.part("design") != "observational":
        return []
    text = "Observational: that nothing unmeasured drives both treatment and outcome is assumed, not shown."
    return [Finding("Assumed", "watch", text)]


def _against_best(result: Result, rules: Mapping[str, Any]) -> list[Finding]:
    found = []
    for name, rule in rules.items():
        gain = rule["against"].get(BEST_ARM, {}).get("gain")
        if gain is None or rule["origin"] == "fixed" or gain["low"] is None:
            continue
        if gain["low"] == gain["high"]:
            text = f"{capital(name)} gives everyone the best arm for all: in no fold did anything else pay."
            found.append(Finding("Note", "neutral", text))
            continue
        said = f"{capital(name)} gains {shown(gain)} over the best arm for all"
        if gain["low"] > 0:
            found.append(Finding("Good", "good", f"{said}."))
        elif gain["high"] < 0:
            found.append(Finding("Watch", "bad", f"{said}: it does worse."))
        else:
            found.append(Finding("Doubt", "watch", f"{said}: one arm for all may do as well."))
    return found


def _support(result: Result, rules: Mapping[str, Any]) -> list[Finding]:
    found = []
    for name, rule in rules.items():
        if rule["n_unsupported"]:
            text = (
                f"{capital(name)} gives {rule['n_unsupported']:,} of {rule['n']:,} subjects an arm that fewer than one "
                "in twenty like them had: its value leans on the outcome model there."
            )
            found.append(Finding("Watch", "watch", text))
        if rule["effective_n"] < _FEW:
            text = f"{capital(name)} was followed by as many as {rule['effective_n']:.0f} subjects count for."
            found.append(Finding("Few", "watch", text))
    return found


def _ordering(result: Result, rules: Mapping[str, Any]) -> list[Finding]:
    found = []
    for one in result.items("uplift"):
        qini = one["qini"]
        if qini["low"] is not None and qini["low"] <= 0:
            text = (
                f"Predicted effects of {one['arm']} against {one['reference']} order subjects no better than chance "
                f"as far as these data tell: Qini {shown(qini)}."
            )
            found.append(Finding("Doubt", "watch", text))
    return found


_CHECKS = (_assumed, _against_best, _support, _ordering)


def _protocol(result: Result) -> Section:
    treatment, nuisances = result.mapping("treatment"), result.mapping("nuisances")
    missing = "Missing: not given (eligibility, time_zero of the request)"
    how = {"trial": "by chance (trial)", "observational": "by choice (observational)"}
    facts = (
        ("Eligibility", str(result.part("eligibility") or missing)),
        ("Arms", f"{treatment.get('column')}: {', '.join(map(str, treatment.get('arms') or []))}"),
        ("Reference", str(treatment.get("reference"))),
        ("Assignment", how.get(str(result.part("design")), "not recorded")),
        ("Time zero", str(result.part("time_zero") or missing)),
        ("Outcome", outcome_words(result.mapping("target"))),
        (
            "Least benefit for an arm other than the reference",
            number(result.document.get("least_benefit"), 3),
        ),
        ("Covariates", ", ".join(map(str, result.items("covariates"))) or "not recorded"),
        ("Individual effects by", str(nuisances.get("individual_effects", "not recorded"))),
    )
    return Section("Protocol", (Facts(facts),), "protocol")


def _flow(result: Result) -> Section:
    caption = "Rows are lines of the table; the boxes side by side are the arms."
    return flow_section(result, title="Flow of subjects", caption=caption)


def _limits(result: Result) -> Section:
    agreement = result.mapping("tree").get("agreement")
    held = (
        f" The trees of the folds and the tree of all subjects give {percent(agreement)} of them the same arm."
        if agreement is not None
        else ""
    )
    texts = [_LIMITS[0], _LIMITS[1] + held, _LIMITS[2]]
    return Section("Limits", tuple(Paragraph(text) for text in texts), "limits")


def _checklist(result: Result) -> Section:
    return checklist_section(
        answers(ITEMS, result.document),
        name="Rules of treatment",
        introduction="Items along the protocol of a target trial (Hernan and Robins 2016), numbered by us;",
        anchor="items",
    )


def _record(result: Result) -> Section:
    return reproducibility_section(
        result,
        promise="The same request on the same data with the same versions gives the same values, byte for byte.",
    )


_SECTIONS: tuple[Callable[[Result], Section], ...] = (
    _protocol,
    _flow,
    values_section,
    differences_section,
    tree_section,
    effects_section,
    overlap_section,
    _limits,
    _record,
    _checklist,
)
