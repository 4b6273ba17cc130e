"""A result as the report reads it: parts that may be absent, and why, and which split is the headline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from iatros.core.report import Block, Estimate, ForestPoint, Note, Paragraph
from iatros.core.report.numbers import NONE, is_number, number, rounded
from iatros.core.report_sections.words import NO_TRAINING, OWN_PATIENTS, metric_words

_REASONS = {
    "flow": "the run recorded no flow of patients",
    "models": "the run compared no models",
    "roc": "ROC curves belong to binary and multi-class outcomes",
    "pr": "precision-recall curves belong to binary outcomes",
    "calibration_curve": "the run drew no calibration curve for this kind of outcome",
    "decision": "decision curves belong to binary outcomes",
    "thresholds": "thresholds belong to binary outcomes",
    "subgroups": "no subgroup was asked for (subgroup)",
    "sites": "sites were not left out in turn (validation site)",
    "leakage": "no leakage audit was run",
    "conformal": "no conformal sets or intervals were made",
    "calibration": "the run recorded no calibrator",
}
_OF_TRAINING = frozenset({"flow", "models", "sites", "leakage", "calibration"})


@dataclass(frozen=True)
class Result:
    """The result of a training (or of an evaluation); parts lie at its head or under `report`.

    `reasons` says for the parts of a domain why one may be absent, and `of_training` which of them belong to the
    report of a training alone.
    """

    document: Mapping[str, Any]
    reasons: Mapping[str, str] = field(default_factory=dict)
    of_training: frozenset[str] = frozenset()

    def part(self, name: str) -> Any:
        """The part called `name`, or None where it is absent, empty, or only a reason."""
        for holder in (self.document, self.document.get("report") or {}):
            value = holder.get(name)
            if value is not None and value != {} and value != []:
                return None if _only_reason(value) else value
        return None

    def mapping(self, name: str) -> Mapping[str, Any]:
        """The part as a mapping; empty where it is absent."""
        value = self.part(name)
        return value if isinstance(value, Mapping) else {}

    def items(self, name: str) -> list[Any]:
        """The part as a list; empty where it is absent."""
        value = self.part(name)
        return list(value) if isinstance(value, (list, tuple)) else []

    def absent(self, name: str, *, within: str | None = None) -> Note:
        """The remark that stands where a part would."""
        for holder in (self.document, self.document.get("report") or {}):
            for key in (name, within):
                value = holder.get(key) if key else None
                if _only_reason(value):
                    return Note(f"Not available: {_reason(value)}.", "absent")
            given = (holder.get("reasons") or {}).get(name)
            if given:
                return Note(f"Not available: {given}.", "absent")
        if self.validation in NO_TRAINING and name in _OF_TRAINING | self.of_training:
            return Note("Not available: see the report of the training of this model.", "absent")
        known = {**_REASONS, **self.reasons}
        return Note(f"Not available: {known.get(name, 'the run did not record it')}.", "absent")

    @property
    def task(self) -> str:
        """binary, multiclass or continuous."""
        return str(self.part("task") or self.mapping("target").get("task") or "binary")

    @property
    def outcome(self) -> str:
        """The column that is predicted."""
        return str(self.mapping("target").get("name") or "the outcome")

    @property
    def unit(self) -> str | None:
        """Of a continuous outcome."""
        unit = self.mapping("target").get("unit")
        return str(unit) if unit else None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; for a binary outcome the event last."""
        return tuple(str(name) for name in self.mapping("target").get("classes") or ())

    @property
    def event(self) -> str:
        """The event in words: `num >0`."""
        return f"{self.outcome} {self.classes[1]}" if len(self.classes) == 2 else self.outcome

    @property
    def model(self) -> str:
        """The method that was kept."""
        model = self.part("model")
        return str(model.get("name", "")) if isinstance(model, Mapping) else str(model or "model")

    @property
    def validation(self) -> str:
        """held-out, cross-validation, optimism, time, site, or empty where the run was no training."""
        return str(self.part("validation") or self.mapping("request").get("validation") or "")

    @property
    def split(self) -> str:
        """The split whose numbers are the headline: the validation's, never one that the model has seen."""
        splits = list(self.mapping("metrics"))
        for wanted in (str(self.part("headline_split") or ""), self.validation.replace("-", "_")):
            if wanted in splits:
                return wanted
        fresh = [name for name in splits if name not in OWN_PATIENTS]
        return (fresh or splits or ["held_out"])[0]

    @property
    def headline(self) -> Mapping[str, Any]:
        """Metric documents of the headline split."""
        found = self.mapping("metrics").get(self.split)
        return found if isinstance(found, Mapping) else {}

    @property
    def drawn(self) -> Mapping[str, Any]:
        """Metric documents of the predictions that the curves are drawn from."""
        other = {"site": "site_pooled", "optimism": "apparent"}.get(self.split, self.split)
        found = self.mapping("metrics").get(other)
        return found if isinstance(found, Mapping) else self.headline

    @property
    def drawn_note(self) -> Block | None:
        """What to know of curves and thresholds where they do not show the headline's predictions."""
        if self.split == "optimism":
            return Note(
                "From the model's predictions for its own training patients, so this looks better than the numbers "
                "that are corrected for optimism.",
                "warning",
            )
        if self.split == "site" and self.mapping("sites"):
            return Paragraph(
                "All sites taken together, each predicted by models that had not seen it.", "small"
            )
        return None

    @property
    def explanation(self) -> Mapping[str, Any]:
        """SHAP, permutation importance, partial dependence."""
        return self.mapping("explanation")

    def curve(self, name: str) -> Any:
        """One of the curves, or None."""
        value = self.mapping("curves").get(name)
        return None if _only_reason(value) or not value else value

    def absent_curve(self, name: str) -> Note:
        """The remark that stands where a curve would."""
        value = self.mapping("curves").get(name)
        if _only_reason(value):
            return Note(f"Not available: {_reason(value)}.", "absent")
        return self.absent("calibration_curve" if name == "calibration" else name, within="curves")


def estimate(document: Any, name: str = "") -> Estimate:
    """The metric document (or a bare number) as a cell."""
    if not isinstance(document, Mapping):
        return Estimate(document, digits=metric_words(name).digits)
    value = document.get("value", document.get("corrected", document.get("mean")))
    low, high = document.get("low"), document.get("high")
    return Estimate(value, low, high, _digits(name, value, low, high))


def _digits(name: str, *values: Any) -> int:
    words = metric_words(name)
    size = max((abs(value) for value in values if is_number(value)), default=0.0)
    if not words.in_unit or size < 1:
        return words.digits
    return 2 if size < 100 else 1 if size < 1000 else 0


def forest_point(document: Any) -> ForestPoint | None:
    """The metric document as a mark; None where there is no such metric at all."""
    if not isinstance(document, Mapping):
        return None
    found = estimate(document)
    return ForestPoint(number_or_none(found.value), number_or_none(found.low), number_or_none(found.high))


def number_or_none(value: Any) -> float | None:
    """`value` where it is a finite number."""
    return float(value) if is_number(value) else None


def metrics_of(document: Any) -> Mapping[str, Any]:
    """Metric documents of a site or a subgroup level, wherever they lie in it."""
    if not isinstance(document, Mapping):
        return {}
    inner = document.get("metrics")
    return inner if isinstance(inner, Mapping) else document


def present(names: Iterable[str], documents: Iterable[Mapping[str, Any]]) -> list[str]:
    """The metrics among `names` that at least one of `documents` has."""
    every = list(documents)
    return [name for name in names if any(isinstance(doc.get(name), Mapping) for doc in every)]


def scalar(name: str, value: Any) -> str:
    """A part of a result that is one number, word or metric document, as text."""
    if isinstance(value, Mapping):
        return str(estimate(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return number(value, 0) if name.startswith("n_") else rounded(value) if is_number(value) else NONE


def from_key(name: str) -> str:
    """A key of a result as words: `mean_extent` is `Mean extent`."""
    return capital(name.replace("_", " "))


def capital(text: str) -> str:
    """`text` as it stands at the head of a line."""
    return text[:1].upper() + text[1:]


def span_of(document: Any) -> tuple[float, float] | None:
    """Low and high of a metric document where both are known."""
    if (
        not isinstance(document, Mapping)
        or not is_number(document.get("low"))
        or not is_number(document.get("high"))
    ):
        return None
    return document["low"], document["high"]


def blocks(*found: Block | None) -> tuple[Block, ...]:
    """The blocks that exist."""
    return tuple(block for block in found if block is not None)


def _only_reason(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return (
        isinstance(value, Mapping) and bool(value) and set(value) <= {"reason", "not_available", "available"}
    )


def _reason(value: Mapping[str, Any]) -> str:
    return str(value.get("reason") or value.get("not_available") or "the run did not record it").rstrip(".")
