"""A tree in the words and units of the table: as people read it, and as a rule that can be given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

import numpy as np

from iatros.learners.tabular.encoding import Encoder
from iatros.treatment.policies.grammar import quoted
from iatros.treatment.policies.trees import Leaf, PolicyTree, Split

Kind = Literal["number", "date", "rank", "level", "other", "missing"]
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Feature:
    """What a feature says of its column: a value in its unit, a rank, or whether it has a level, a rare one, or none.

    `levels` are those of the column; `fill` is what stands for a missing value of a number, date or rank, None where
    none is missing; `gaps` says whether any value of the column is.
    """

    column: str
    kind: Kind = "number"
    level: str = ""
    levels: tuple[str, ...] = ()
    fill: float | None = None
    gaps: bool = False


def features_of(encoder: Encoder, raw: np.ndarray, filled: np.ndarray) -> list[Feature]:
    """Every feature of an encoder; `raw` (n, p) are its features in their units with NaN, `filled` without."""
    found: list[Feature] = []
    for form in encoder.forms:
        kinds: list[tuple[Kind, str]]
        if form.form == "one-hot":
            kinds = [("level", level) for level in form.levels] + [("other", "")] * form.other
        else:
            kinds = [("date" if form.form == "date" else "rank" if form.form == "rank" else "number", "")]
        for kind, level in kinds:
            gone = np.isnan(raw[:, len(found)])
            fill = float(filled[gone, len(found)][0]) if gone.any() else None
            found.append(Feature(form.column, kind, level, form.levels, fill, form.indicator))
        if form.indicator:
            found.append(Feature(form.column, "missing"))
    return found


def in_units(tree: PolicyTree, centre: np.ndarray, scale: np.ndarray) -> PolicyTree:
    """The tree on features times `scale` (p,) plus `centre` (p,), its cuts to twelve figures."""

    def turned(node: Split | Leaf) -> Split | Leaf:
        if isinstance(node, Leaf):
            return node
        cut = float(f"{node.cut * scale[node.column] + centre[node.column]:.12g}")
        return Split(node.column, cut, turned(node.low), turned(node.high))

    return replace(tree, root=turned(tree.root))


def lines(tree: PolicyTree, features: Sequence[Feature] | None = None) -> list[str]:
    """The rule, one question or arm a line, indented by depth, with the patients that were learned from."""
    return _lines(tree.root, tree, features or [Feature(name) for name in tree.columns], "")


def expression(tree: PolicyTree, features: Sequence[Feature] | None = None) -> str:
    """The rule as `grammar.parse` reads it: the same arm for every patient, missing values filled as in the tree."""
    clauses = _clauses(tree.root, features or [Feature(name) for name in tree.columns], ())
    told = [f"{' and '.join(path)} -> {quoted(tree.arms[arm])}" for path, arm in clauses[:-1]]
    return ", ".join([*told, f"else {quoted(tree.arms[clauses[-1][1]])}"])


def _lines(node: Split | Leaf, tree: PolicyTree, features: Sequence[Feature], indent: str) -> list[str]:
    if isinstance(node, Leaf):
        return [f"{indent}{tree.arms[node.arm]} (n = {node.n:,})"]
    low, high = _questions(features[node.column], node.cut)
    deeper = indent + "    "
    return [
        f"{indent}{low}:", *_lines(node.low, tree, features, deeper),
        f"{indent}{high}:", *_lines(node.high, tree, features, deeper),
    ]  # fmt: skip


def _questions(feature: Feature, cut: float) -> tuple[str, str]:
    """What is true on the low and on the high side."""
    name = feature.column
    if feature.kind == "level":
        return f"{name} is not {feature.level}", f"{name} is {feature.level}"
    if feature.kind == "other":
        return f"{name} is known among {', '.join(feature.levels)}", f"{name} is none of these"
    if feature.kind == "missing":
        return f"{name} is known", f"{name} is missing"
    if feature.kind == "rank":
        low = sum(place <= cut for place in range(len(feature.levels)))
        return (
            f"{name} is {' or '.join(feature.levels[:low])}",
            f"{name} is {' or '.join(feature.levels[low:])}",
        )
    at = (_EPOCH + timedelta(days=cut)).isoformat() if feature.kind == "date" else f"{cut:.6g}"
    return _with_fill(f"{name} at most {at}", f"{name} above {at}", feature, cut)


def _with_fill(low: str, high: str, feature: Feature, cut: float) -> tuple[str, str]:
    """Where a missing value goes, if there is one."""
    if feature.fill is None:
        return low, high
    return (f"{low} or missing", high) if feature.fill <= cut else (low, f"{high} or missing")


def _clauses(
    node: Split | Leaf, features: Sequence[Feature], path: tuple[str, ...]
) -> list[tuple[tuple[str, ...], int]]:
    """Conditions and arm of each end; an end is reached only by who met none of the conditions before it."""
    if isinstance(node, Leaf):
        return [(path, node.arm)]
    condition = _condition(features[node.column], node.cut)
    return [*_clauses(node.low, features, (*path, condition)), *_clauses(node.high, features, path)]


def _condition(feature: Feature, cut: float) -> str:
    """What holds on the low side."""
    name = quoted(feature.column)
    if feature.kind == "missing":
        return f"not missing({name})"
    if feature.kind == "level":
        condition = f"{name} != {quoted(feature.level)}"
    elif feature.kind in ("number", "date"):
        condition = f"{name} <= {cut!r}"
    else:
        last = cut if feature.kind == "rank" else len(feature.levels)
        low = [quoted(level) for place, level in enumerate(feature.levels) if place <= last]
        condition = f"{name} in ({', '.join(low)})"
    if feature.fill is None and not feature.gaps:
        return condition
    goes_low = feature.fill is None or feature.fill <= cut
    return f"(missing({name}) or {condition})" if goes_low else f"not missing({name}) and {condition}"
