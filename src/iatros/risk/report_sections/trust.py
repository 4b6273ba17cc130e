"""Reasons for doubt: the leakage audit, sample size, instability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iatros.core.report import (
    Axis,
    Block,
    Facts,
    Heading,
    LineChart,
    Paragraph,
    Points,
    Row,
    Section,
    Series,
    Table,
    Tag,
)
from iatros.core.report.document import Tone
from iatros.core.report.numbers import NONE, is_number, number, rounded
from iatros.core.report_sections.reading import Result, blocks, capital, estimate, from_key, scalar
from iatros.core.report_sections.words import metric_words

TONES: dict[str, Tone] = {"certain": "bad", "likely": "watch", "look": "neutral"}


_CRITERIA = {
    "shrinkage": "Predictions shrunk by at most 10 per cent",
    "r2_difference": "Apparent and adjusted R² within 0.05",
    "overall_risk": "Overall risk known to within 0.05",
    "mean_absolute_error": "Mean absolute error of a risk at most 0.05",
    "residual_sd": "Residual standard deviation within 10 per cent",
    "mean_outcome": "Mean outcome within 10 per cent",
}
_INSTABILITY = {
    "mape": "Mean absolute difference from the final model's prediction",
    "interval_width": "Width of the interval of the refitted predictions",
    "changed_percent": "Per cent of refitted models on the other side of the threshold",
}


def leakage_section(result: Result) -> Section:
    """Section: columns that may know the outcome, and the score with and without them."""
    audit = result.mapping("leakage")
    if not audit:
        return Section("Leakage audit", (result.absent("leakage"),), "leakage", "TRIPOD+AI 7, 9a")
    lead = (
        "A column that is written after the outcome, or that is the outcome under another name, makes a model look "
        "better than it can be. The audit names suspects; whether a column is known when the prediction is asked for "
        "is for people who know the data to say."
    )
    found = blocks(Paragraph(lead, "lead"), *_suspects(audit), _score(audit), _checks(audit))
    return Section("Leakage audit", found, "leakage", "TRIPOD+AI 7, 9a")


def _suspects(audit: Mapping[str, Any]) -> tuple[Block, ...]:
    suspects = [suspect for suspect in audit.get("suspects") or [] if isinstance(suspect, Mapping)]
    if not suspects:
        return (Paragraph("No column is suspect by any of the checks. That is no proof that none leaks."),)
    order = {"certain": 0, "likely": 1, "look": 2}
    rows = []
    for suspect in sorted(suspects, key=lambda s: order.get(str(s.get("severity")), 3)):
        severity = str(suspect.get("severity") or "look")
        columns = ", ".join(str(name) for name in suspect.get("columns") or ()) or NONE
        tag = Tag(severity, TONES.get(severity, "neutral"))
        rows.append(Row((columns, tag, str(suspect.get("check", "")), str(suspect.get("evidence", "")))))
    return (Table(("Columns", "Verdict", "Check", "Evidence"), tuple(rows), compact=len(rows) > 8),)


def _score(audit: Mapping[str, Any]) -> Block | None:
    score = audit.get("score")
    if not isinstance(score, Mapping) or not score.get("with"):
        return None
    words = metric_words(str(score.get("metric") or "auroc"))
    rows = [Row(("with every column", estimate(score.get("with"))))]
    dropped = score.get("left_out", audit.get("suspects"))
    if score.get("without") and dropped:
        rows.append(Row(("without the suspects", estimate(score["without"]))))
    return Table(
        (capital(str(score.get("model") or "a quick model")), words.label),
        tuple(rows),
        caption="What the suspects are worth" if len(rows) > 1 else "What a quick model makes of the columns",
        foot="Without them also means without what they honestly know; the truth lies between the two."
        if len(rows) > 1
        else "",
        right=(1,),
    )


def _checks(audit: Mapping[str, Any]) -> Block | None:
    checks = audit.get("checks") or []
    told = [check for check in checks if isinstance(check, Mapping) and check.get("looks_for")]
    if told:
        rows = tuple(Row((str(check.get("name", "")), str(check["looks_for"]))) for check in told)
        return Table(("Check made", "What it looks for"), rows, compact=True)
    names = [str(check.get("name", check)) if isinstance(check, Mapping) else str(check) for check in checks]
    return Paragraph("Checks made: " + "; ".join(names) + ".", "small") if names else None


def size_section(result: Result) -> Section:
    """Section: was the sample large enough, and would another sample have given the same predictions?"""
    found = blocks(
        Heading("Sample size"),
        *_sample_size(result),
        Heading("Instability of individual predictions"),
        *_instability(result),
    )
    return Section("Sample size and instability", found, "sample-size", "TRIPOD+AI 10, 26")


def _sample_size(result: Result) -> tuple[Block, ...]:
    found = result.mapping("sample_size")
    if not found:
        return (result.absent("sample_size"),)
    rows = []
    for name, value in (found.get("criteria") or {}).items():
        required = value.get("required") if isinstance(value, Mapping) else value
        rows.append(Row((_CRITERIA.get(name) or from_key(name), number(required, 0))))
    rows.append(Row(("Required, the largest of them", number(found.get("required"), 0)), "strong"))
    enough = found.get("enough")
    verdict = " (enough)" if enough else " (too few)" if enough is False else ""
    rows.append(Row(("Available for development", number(found.get("available"), 0) + verdict), "strong"))
    parameters = found.get("n_parameters")
    lead = (
        "The smallest number of patients for which a regression with as many parameters as were offered here"
        + (f" ({number(parameters, 0)})" if is_number(parameters) else "")
        + " would overfit little. Flexible methods need more, often many times more."
    )
    reference = str(found.get("reference") or "Riley et al., BMJ 2020;368:m441")
    table = Table(("Criterion", "Patients"), tuple(rows), foot=reference + ".", right=(1,))
    return Paragraph(lead, "lead"), table


def _instability(result: Result) -> tuple[Block, ...]:
    found = result.mapping("instability")
    if not found:
        return (result.absent("instability"),)
    times = found.get("n_resamples")
    lead = (
        "The final model was refitted on resampled patients"
        + (f" {number(times, 0)} times" if is_number(times) else "")
        + ". How far the prediction for one and the same patient moves says how much of it is chance "
        "(Riley and Collins 2023)."
    )
    rows = [
        Row((words, *(rounded(found[name].get(key)) for key in ("mean", "median", "p95"))))
        for name, words in _INSTABILITY.items()
        if isinstance(found.get(name), Mapping)
    ]
    header = ("For each patient", "Mean", "Median", "95th percentile")
    table = Table(header, tuple(rows), right=(1, 2, 3)) if rows else None
    facts = [(from_key(name), scalar(name, value)) for name, value in found.items() if is_number(value)]
    facts = [] if rows else facts
    return blocks(
        Paragraph(lead, "lead"),
        table,
        Facts(tuple(facts)) if facts else None,
        _instability_chart(result, found),
    )


def _instability_chart(result: Result, found: Mapping[str, Any]) -> LineChart | None:
    shown = found.get("patients") or found.get("scatter")
    if not isinstance(shown, Mapping) or not shown.get("prediction"):
        return None
    order = sorted(range(len(shown["prediction"])), key=lambda k: float(shown["prediction"][k]))
    x = [shown["prediction"][k] for k in order]
    low, high = ([shown[name][k] for k in order] for name in ("low", "high"))
    binary = result.task != "continuous"
    limits = (0.0, 1.0) if binary else (None, None)
    ends = (0.0, 1.0) if binary else (min(x), max(x))
    return LineChart(
        "Each patient's predictions over the resamples",
        "Interval of the predictions of refitted models against the final model's prediction, for each patient.",
        Axis("prediction of the final model", *limits),
        Axis("predictions of refitted models", *limits),
        (Series("", ends, ends, dash="dashed", role="reference"),),
        points=(Points("", x, [(a + b) / 2 for a, b in zip(low, high, strict=True)], low, high),),
    )
