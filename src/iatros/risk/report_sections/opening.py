"""The head of the report: the question, the headline numbers, and what a reader must weigh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from iatros.core.report import Block, Facts, Finding, Findings, Heading, KeyNumber, KeyNumbers, Note
from iatros.core.report.numbers import count, is_number, number, percent
from iatros.risk.report_sections.reading import Result, blocks, estimate, metrics_of, present
from iatros.risk.report_sections.words import HEADLINE, VALIDATIONS, metric_words, split_label


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
    how = VALIDATIONS.get(result.validation, ("", ""))[0] or split_label(result.split)
    used = data.get("n_used") or sum(
        (s.get("n_rows") or 0) for s in result.mapping("splits").values() if isinstance(s, Mapping)
    )
    facts = (
        ("Data", str(data.get("source") or "not recorded") + (f", {count(used)} rows used" if used else "")),
        ("Model", _model(result)),
        ("Judged by", how + _size(result)),
    )
    numbers = _numbers(result)
    found = findings(result)
    return blocks(
        Facts(facts),
        KeyNumbers(numbers)
        if numbers
        else Note("No metric was recorded for patients that the model had not seen.", "warning"),
        Heading("What to weigh before trusting it") if found else None,
        Findings(found) if found else None,
    )


def _model(result: Result) -> str:
    others = [
        str(entry.get("name"))
        for entry in result.items("models")
        if isinstance(entry, Mapping) and not entry.get("selected")
    ]
    return result.model + (
        f", kept among {len(others) + 1} (also trained: {', '.join(others)})" if others else ""
    )


def _size(result: Result) -> str:
    document = next((found for found in result.headline.values() if isinstance(found, Mapping)), {})
    n, events = document.get("n"), document.get("n_events")
    if not is_number(n):
        return ""
    return f", n = {count(n)}" + (
        f", {count(events)} events ({percent(events / n)})" if is_number(events) and n else ""
    )


def _numbers(result: Result) -> tuple[KeyNumber, ...]:
    names = present(HEADLINE.get(result.task, HEADLINE["binary"]), [result.headline])
    return tuple(
        KeyNumber(metric_words(name).label, estimate(result.headline[name], name), _how(result, name))
        for name in names
    )


def _how(result: Result, name: str) -> str:
    """The interval's method; for what must not be averaged away over sites, how far it ranges."""
    values = [estimate(metrics_of(site).get(name)).value for site in result.mapping("sites").values()]
    known = [value for value in values if is_number(value)]
    if result.split == "site" and metric_words(name).ideal is not None and len(known) > 1:
        digits = metric_words(name).digits
        return f"mean; by site from {number(min(known), digits)} to {number(max(known), digits)}"
    return str(result.headline[name].get("interval") or "")


def findings(result: Result) -> tuple[Finding, ...]:
    """What a careful reader would want to know first, each with its numbers."""
    checks: tuple[Callable[[Result], Finding | None], ...] = (
        _leakage,
        _discrimination,
        _calibration,
        _sites,
        _site_calibration,
        _baseline,
        _sample_size,
        _coverage,
        _subgroups,
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


def _interval(document: Any) -> tuple[float, float] | None:
    if (
        not isinstance(document, Mapping)
        or not is_number(document.get("low"))
        or not is_number(document.get("high"))
    ):
        return None
    return document["low"], document["high"]


def _discrimination(result: Result) -> Finding | None:
    span = _interval(result.headline.get("auroc"))
    if not span:
        return None
    written = estimate(result.headline["auroc"], "auroc")
    if span[0] <= 0.5:
        return Finding("Doubt", "bad", f"AUROC {written}: the interval holds 0.5, the value of a coin.")
    if span[1] - span[0] > 0.1:
        return Finding(
            "Watch", "watch", f"AUROC {written}: the interval is wide, there are few patients or events."
        )
    return None


def _calibration(result: Result) -> Finding | None:
    span = _interval(result.headline.get("calibration_slope"))
    if not span or result.split == "site":
        return None  # a mean of slopes hides sites that are too extreme behind sites that are too timid
    written = estimate(result.headline["calibration_slope"], "calibration_slope")
    if span[0] <= 1 <= span[1]:
        return Finding("Good", "good", f"Calibration slope {written}: its interval holds the ideal, 1.")
    how = "too extreme" if span[1] < 1 else "too timid"
    return Finding(
        "Watch", "watch", f"Calibration slope {written}: predictions are {how}; recalibrate before use."
    )


def _sites(result: Result) -> Finding | None:
    sites = result.mapping("sites")
    name = "mae" if result.task == "continuous" else "auroc"
    values = {str(k): estimate(metrics_of(site).get(name), name).value for k, site in sites.items()}
    known = {site: value for site, value in values.items() if is_number(value)}
    if len(known) < 2:
        return None
    low, high = min(known, key=lambda k: known[k]), max(known, key=lambda k: known[k])
    label = metric_words(name).label
    text = f"{label} by site runs from {number(known[low])} ({low}) to {number(known[high])} ({high})."
    few = [
        str(k)
        for k, site in sites.items()
        if result.task == "binary"
        and is_number(site.get("n_events"))
        and is_number(site.get("n"))
        and min(site["n_events"], site["n"] - site["n_events"]) < 20
    ]
    if few:
        text += f" Fewer than 20 events or non-events at {', '.join(few)}: the mean over sites is uncertain."
    return Finding("Watch" if few else "Note", "watch" if few else "neutral", text)


def _site_calibration(result: Result) -> Finding | None:
    spans = {
        str(k): _interval(metrics_of(s).get("calibration_slope")) for k, s in result.mapping("sites").items()
    }
    known = {name: span for name, span in spans.items() if span}
    off = [name for name, (low, high) in known.items() if not low <= 1 <= high]
    if not known:
        return None
    if not off:
        return Finding(
            "Good", "good", f"The calibration slope's interval holds 1 at each of the {len(known)} sites."
        )
    where = f"{len(off)} of {len(known)} sites ({', '.join(off)})"
    text = f"Calibration fails to travel: the slope's interval leaves out 1 at {where}."
    return Finding("Watch", "watch", text)


def _baseline(result: Result) -> Finding | None:
    chosen = next((e for e in result.items("models") if isinstance(e, Mapping) and e.get("selected")), {})
    found = chosen.get("difference_to_baseline")
    span = _interval(found)
    if not span or not isinstance(found, Mapping):
        return None
    metric = str(found.get("metric", ""))
    text = (
        f"{metric_words(metric).label} of {chosen.get('name')} less that of the baseline ({found.get('baseline')}): "
        f"{estimate(found)}"
    )
    if span[0] <= 0 <= span[1]:
        return Finding(
            "Note", "neutral", f"{text}; the interval holds 0, so the simpler baseline may do as well."
        )
    better = (span[0] > 0) != (metric in ("mae", "rmse", "brier", "log_loss"))
    return Finding(
        "Good" if better else "Watch",
        "good" if better else "watch",
        text + ("." if better else "; it does worse."),
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


def _coverage(result: Result) -> Finding | None:
    found = result.mapping("conformal")
    span, level = _interval(found.get("coverage")), found.get("confidence_level")
    if not span or not is_number(level):
        return None
    text = f"Conformal coverage {estimate(found['coverage'])}, promised {number(level, 2)}."
    return (
        Finding("Watch", "watch", text + " Fewer truths are held than promised.")
        if span[1] < level
        else Finding("Good", "good", text)
    )


def _subgroups(result: Result) -> Finding | None:
    name = "mae" if result.task == "continuous" else "auroc"
    gaps = [
        (str(variable), found["gap"][name])
        for variable, found in result.mapping("subgroups").items()
        if isinstance(found, Mapping) and isinstance((found.get("gap") or {}).get(name), Mapping)
    ]
    gaps = [(variable, gap) for variable, gap in gaps if is_number(gap.get("value"))]
    if not gaps:
        return None
    variable, gap = max(gaps, key=lambda item: item[1]["value"])
    label = metric_words(name).running
    return Finding(
        "Note",
        "neutral",
        f"Largest gap in {label}: {variable}, {gap.get('worst')} to {gap.get('best')}, {estimate(gap)}.",
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
