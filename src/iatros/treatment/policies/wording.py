"""A tree as people read it, and as a rule that can be given back."""

from __future__ import annotations

from iatros.treatment.policies.grammar import quoted
from iatros.treatment.policies.trees import Leaf, PolicyTree, Split

_MISSING = " missing"


def lines(tree: PolicyTree) -> list[str]:
    """The rule, one question or arm a line, indented by depth, with the patients that were learned from."""
    return _lines(tree.root, tree, "")


def expression(tree: PolicyTree) -> str:
    """The rule as `grammar.parse` reads it: the same arm for every patient whose values are all known."""
    clauses = _clauses(tree.root, tree, ())
    told = [f"{' and '.join(path)} -> {quoted(tree.arms[arm])}" for path, arm in clauses[:-1]]
    return ", ".join([*told, f"else {quoted(tree.arms[clauses[-1][1]])}"])


def _lines(node: Split | Leaf, tree: PolicyTree, indent: str) -> list[str]:
    if isinstance(node, Leaf):
        return [f"{indent}{tree.arms[node.arm]} (n = {node.n:,})"]
    low, high = _questions(tree.columns[node.column], node.cut)
    deeper = indent + "    "
    return [
        f"{indent}{low}:", *_lines(node.low, tree, deeper), f"{indent}{high}:", *_lines(node.high, tree, deeper)
    ]  # fmt: skip


def _questions(name: str, cut: float) -> tuple[str, str]:
    """What is true on the low and on the high side; a feature such as `sex=f` is 0 or 1."""
    column, level = _level(name)
    if level is not None:
        return f"{column} is not {level}", f"{column} is {level}"
    if name.endswith(_MISSING):
        column = name.removesuffix(_MISSING)
        return f"{column} is known", f"{column} is missing"
    return f"{name} at most {cut:.6g}", f"{name} above {cut:.6g}"


def _clauses(
    node: Split | Leaf, tree: PolicyTree, path: tuple[str, ...]
) -> list[tuple[tuple[str, ...], int]]:
    """Conditions and arm of each end; an end is reached only by who met none of the conditions before it."""
    if isinstance(node, Leaf):
        return [(path, node.arm)]
    name = tree.columns[node.column]
    column, level = _level(name)
    if level is not None:
        condition = f"{quoted(column)} != {quoted(level)}"
    elif name.endswith(_MISSING):
        condition = f"not missing({quoted(name.removesuffix(_MISSING))})"
    else:
        condition = f"{quoted(name)} <= {node.cut!r}"
    return [*_clauses(node.low, tree, (*path, condition)), *_clauses(node.high, tree, path)]


def _level(name: str) -> tuple[str, str | None]:
    """Column and level of a feature that says whether the one has the other."""
    column, sign, level = name.partition("=")
    return (column, level) if sign else (name, None)
