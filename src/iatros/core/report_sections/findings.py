"""What a careful reader would want to know first, each with its numbers: one function per question, None where it
does not arise."""

from __future__ import annotations

from collections.abc import Mapping

from iatros.core.report import Finding
from iatros.core.report.numbers import is_number, number
from iatros.core.report_sections.reading import Result, estimate, metrics_of, span_of
from iatros.core.report_sections.words import metric_words


def discrimination(result: Result) -> Finding | None:
    """Whether the AUROC may be that of a coin, or is known only roughly."""
    span = span_of(result.headline.get("auroc"))
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


def calibration(result: Result) -> Finding | None:
    """Whether predictions are too extreme or too timid."""
    span = span_of(result.headline.get("calibration_slope"))
    if not span or result.split == "site":
        return None  # a mean of slopes hides sites that are too extreme behind sites that are too timid
    written = estimate(result.headline["calibration_slope"], "calibration_slope")
    if span[0] <= 1 <= span[1]:
        return Finding("Good", "good", f"Calibration slope {written}: its interval holds the ideal, 1.")
    how = "too extreme" if span[1] < 1 else "too timid"
    return Finding(
        "Watch", "watch", f"Calibration slope {written}: predictions are {how}; recalibrate before use."
    )


def sites(result: Result) -> Finding | None:
    """How far performance ranges over the sites left out in turn."""
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


def site_calibration(result: Result) -> Finding | None:
    """At how many sites the calibration slope leaves out its ideal."""
    spans = {
        str(k): span_of(metrics_of(s).get("calibration_slope")) for k, s in result.mapping("sites").items()
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


def baseline(result: Result) -> Finding | None:
    """Whether the kept model is better than the simple one."""
    chosen = next((e for e in result.items("models") if isinstance(e, Mapping) and e.get("selected")), {})
    found = chosen.get("difference_to_baseline")
    span = span_of(found)
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


def coverage(result: Result) -> Finding | None:
    """Whether conformal answers hold the truth as often as promised."""
    found = result.mapping("conformal")
    span, level = span_of(found.get("coverage")), found.get("confidence_level")
    if not span or not is_number(level):
        return None
    text = f"Conformal coverage {estimate(found['coverage'])}, promised {number(level, 2)}."
    return (
        Finding("Watch", "watch", text + " Fewer truths are held than promised.")
        if span[1] < level
        else Finding("Good", "good", text)
    )


def subgroups(result: Result) -> Finding | None:
    """The largest gap between groups of patients."""
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
