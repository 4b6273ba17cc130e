"""The answer in sentences: the same words in the report, on the picture and in the FHIR conclusion."""

from __future__ import annotations

from iatros.imaging.findings.answer import NOTICE, Answer, TargetAnswer


def sentence(target: TargetAnswer) -> str:
    """What was answered to one question, with what it is worth.

    >>> sentence(TargetAnswer("age", "continuous", value=61.25, unit="years"))
    'age: 61.25 years'
    """
    if target.value is not None:
        return f"{target.name}: {_number(target.value)}{_unit(target)}{_interval(target)}"
    named = target.classes[-1] if target.task == "binary" else target.predicted
    probability = target.probabilities[target.classes.index(str(named))]
    said = f"{target.name}: {named} with probability {probability:.3f}"
    if target.crossed is not None:
        said += (
            f" ({'at or above' if target.crossed else 'below'} the threshold of {_number(target.threshold)})"
        )
    return said + _conformal(target)


def conclusion(answer: Answer) -> str:
    """All answers, what is unusual about the image, and the notice that this is research."""
    parts = [sentence(target) for target in answer.targets]
    parts += [f"{quantity.name}: {_number(quantity.value)} {quantity.unit}" for quantity in answer.quantities]
    parts += [f"Quality: {flag}" for flag in answer.flags]
    notice = f"{NOTICE}; not for diagnosis or treatment"
    return ". ".join([*(part.rstrip(".") for part in parts), notice]) + "."


def headline(answer: Answer) -> str:
    """The first answer in few words, for a picture."""
    if not answer.targets:
        return answer.software.model
    first = answer.targets[0]
    more = f" (+{len(answer.targets) - 1})" if len(answer.targets) > 1 else ""
    if first.value is not None:
        return f"{first.name} {_number(first.value)}{_unit(first)}{more}"
    named = first.classes[-1] if first.task == "binary" else str(first.predicted)
    return f"{first.name}: {named} {first.probabilities[first.classes.index(named)]:.2f}{more}"


def _conformal(target: TargetAnswer) -> str:
    if target.conformal_set is None or target.confidence_level is None:
        return ""
    held = " or ".join(target.conformal_set) or "no class fits"
    return f"; with {100 * target.confidence_level:g} % confidence: {held}"


def _interval(target: TargetAnswer) -> str:
    if target.interval is None or target.confidence_level is None:
        return ""
    low, high = (_number(end) for end in target.interval)
    return f" ({low} to {high} with {100 * target.confidence_level:g} % confidence)"


def _unit(target: TargetAnswer) -> str:
    return f" {target.unit}" if target.unit else ""


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
