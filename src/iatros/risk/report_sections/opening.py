"""The head of the report: the question, the headline numbers, and what a reader must weigh."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from iatros.core.report import Block, Facts, Finding, Findings, Heading
from iatros.core.report.numbers import count, is_number
from iatros.core.report_sections import findings as shared
from iatros.core.report_sections.headline import headline_numbers, judged_by, model_line
from iatros.core.report_sections.reading import Result, blocks


def question(result: Result) -> str:
    """What is asked of each patient, in one sentence."""
    if result.task == "continuous":
        unit = f", in {result.unit}" if result.unit else ""
        return f"What will {result.outcome} be{unit}?"
    if result.task == "multiclass":
        return f"Which {result.outcome} does the patient have: {', '.join(result.classes)}?"
    return f"How likely is {result.event}?" if result.classes else f"How likely is {result.outcome}?"


def title(result: Result) -> str:
    """The title of the report: developed or evaluated, what, by which method (TRIPOD+AI item 1)."""
    done = {"external": "Evaluating", "recalibration": "Recalibrating"}.get(
        result.validation, "Developing and evaluating"
    )
    article = "an" if result.model[:1] in "aeiou" else "a"
    what = result.event if result.task == "binary" else result.outcome
    return f"{done} {article} {result.model} model of {what}"


def opening(result: Result) -> tuple[Block, ...]:
    """Facts, headline numbers and findings, under the title."""
    data = result.mapping("data")
    used = data.get("n_used") or sum(
        (s.get("n_rows") or 0) for s in result.mapping("splits").values() if isinstance(s, Mapping)
    )
    facts = (
        ("Data", str(data.get("source") or "not recorded") + (f", {count(used)} rows used" if used else "")),
        ("Model", model_line(result)),
        ("Judged by", judged_by(result)),
    )
    found = findings(result)
    return blocks(
        Facts(facts),
        headline_numbers(result),
        Heading("What to weigh before trusting it") if found else None,
        Findings(found) if found else None,
    )


def findings(result: Result) -> tuple[Finding, ...]:
    """What a careful reader would want to know first, each with its numbers."""
    checks: tuple[Callable[[Result], Finding | None], ...] = (
        _leakage,
        shared.discrimination,
        shared.calibration,
        shared.sites,
        shared.site_calibration,
        shared.baseline,
        _sample_size,
        shared.coverage,
        shared.subgroups,
        _missing,
        _refused,
    )
    return tuple(found for found in (check(result) for check in checks) if found)


def _leakage(result: Result) -> Finding | None:
    audit = result.mapping("leakage")
    if not audit:
        return None
    suspects = [s for s in audit.get("suspects") or [] if isinstance(s, Mapping)]
    used = {
        str(c.get("name")) for c in result.mapping("schema").get("columns") or () if isinstance(c, Mapping)
    }
    for severity in ("certain", "likely"):
        named = [
            str(name) for s in suspects if s.get("severity") == severity for name in s.get("columns") or ()
        ]
        if named:
            return _leak(severity, list(dict.fromkeys(named)), used)
    if suspects:
        return Finding(
            "Look", "neutral", f"Leakage audit: {len(suspects)} things to look at, none certain or likely."
        )
    return Finding("Good", "good", "Leakage audit: no column is suspect.")


def _leak(severity: str, columns: list[str], used: set[str]) -> Finding:
    """Columns that give the outcome away; those which the model does not use do it no harm."""
    harmful = [name for name in columns if not used or name in used]
    shown = harmful or columns
    listed = ", ".join(shown[:6]) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "")
    verb = "gives" if len(shown) == 1 else "give"
    told = f"Leakage audit: {listed} {verb} the outcome away ({severity})"
    if not harmful:
        return Finding(
            "Note", "neutral", f"{told}; the model does not use {'it' if len(shown) == 1 else 'them'}."
        )
    return Finding(
        "Leak" if severity == "certain" else "Suspect",
        "bad" if severity == "certain" else "watch",
        f"{told}.",
    )


def _sample_size(result: Result) -> Finding | None:
    found = result.mapping("sample_size")
    if found.get("enough") is None:
        return None
    required, available = count(found.get("required")), count(found.get("available"))
    text = f"{required} patients are needed by Riley's criteria, {available} were there."
    return (
        Finding("Good", "good", text)
        if found["enough"]
        else Finding("Watch", "watch", text + " Expect overfitting.")
    )


def _missing(result: Result) -> Finding | None:
    entries = [
        e for e in result.items("table_one") if isinstance(e, Mapping) and is_number(e.get("missing_percent"))
    ]
    heavy = [str(e.get("column")) for e in entries if e["missing_percent"] > 40]
    if not heavy:
        return None
    shown = ", ".join(heavy[:5]) + (f" and {len(heavy) - 5} more" if len(heavy) > 5 else "")
    return Finding(
        "Note",
        "neutral",
        f"More than 40 per cent is missing in {len(heavy)} of {len(entries)} columns: {shown}.",
    )


def _refused(result: Result) -> Finding | None:
    data = result.mapping("data")
    refused = data.get("n_refused", len(data.get("refused") or []))
    if not is_number(refused) or refused <= 0:
        return None
    return Finding(
        "Note",
        "neutral",
        f"{count(refused)} of {count(data.get('n_read'))} rows were refused; section Data says why.",
    )
