"""Rules that compute the outcome from one or two columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from iatros.core.leakage.columns import Coded, Severity, Suspect
from iatros.core.leakage.quick_model import sample_rows
from iatros.core.task import Target

_MIN_CELL = 20
_LIKELY_AGREEMENT = 0.98
_LIKELY_AUROC = 0.99
_MAX_COLUMNS = 120
"""Pairs are compared among at most so many columns."""


def explains_outcome(column: Coded, y: np.ndarray, target: Target, seed: int) -> list[Suspect]:
    """The column, if its value alone tells the outcome: by level, or by twenty ranges of the number."""
    if column.missing.all() or (column.categorical and len(column.levels) > len(y) / 10):
        return []
    cell = _cells(column)
    fold = np.random.default_rng(seed).integers(2, size=len(y))
    if target.task == "continuous":
        return _explains_continuous(column, cell, y, fold)
    right = 0.0
    for side in (0, 1):
        learned = _majority(cell[fold == side], y[fold == side].astype(np.int64), int(cell.max()) + 1)
        right += float((learned[cell[fold != side]] == y[fold != side]).sum())
    accuracy = right / len(y)
    common = float(np.bincount(y.astype(np.int64)).max() / len(y))
    gain = (accuracy - common) / max(1.0 - common, 1e-12)
    if gain < _LIKELY_AGREEMENT or (1 - common) * len(y) < _MIN_CELL:
        return []
    severity: Severity = "certain" if gain >= 0.9999 else "likely"
    said = f"{column.name} alone gives the right class of {target.name} in {accuracy:.2%} of {len(y)} rows"
    return [Suspect((column.name,), "explains-outcome", severity, said, accuracy)]


def _explains_continuous(column: Coded, cell: np.ndarray, y: np.ndarray, fold: np.ndarray) -> list[Suspect]:
    """The column, if it orders the outcome without exception or its ranges leave almost no variance."""
    present = ~column.missing
    if present.sum() < _MIN_CELL or np.ptp(y[present]) == 0:
        return []
    if not column.categorical and len(column.distinct[0]) >= 10:
        from scipy.stats import spearmanr

        rho = float(spearmanr(column.values[present], y[present]).statistic)
        if abs(rho) < _LIKELY_AUROC:
            return []
        severity: Severity = "certain" if abs(rho) >= 0.9999 else "likely"
        said = (
            f"{column.name} orders the outcome: Spearman's correlation is {rho:.4f} in {present.sum()} rows"
        )
        return [Suspect((column.name,), "explains-outcome", severity, said, abs(rho))]
    residual = 0.0
    size = int(cell.max()) + 1
    for side in (0, 1):
        inside, outside = fold == side, fold != side
        count = np.bincount(cell[inside], minlength=size)
        total = np.bincount(cell[inside], weights=y[inside], minlength=size)
        mean = np.where(count > 0, total / np.maximum(count, 1), y[inside].mean())
        residual += float(((y[outside] - mean[cell[outside]]) ** 2).sum())
    r2 = 1.0 - residual / float(((y - y.mean()) ** 2).sum())
    if r2 < _LIKELY_AGREEMENT:
        return []
    said = f"{column.name} alone explains {r2:.2%} of the variance of the outcome in {len(y)} rows"
    return [Suspect((column.name,), "explains-outcome", "certain" if r2 >= 0.9999 else "likely", said, r2)]


def _cells(column: Coded) -> np.ndarray:
    """Cell of each row (n,): the level, the value where there are at most 30, or one of twenty ranges; 0 = missing."""
    values, _ = column.distinct
    if column.categorical or len(values) <= 30:
        cell = np.searchsorted(values, column.values) + 1
    else:
        edges = np.unique(np.quantile(column.values[~column.missing], np.linspace(0.05, 0.95, 19)))
        cell = np.searchsorted(edges, column.values, side="right") + 1
    return np.where(column.missing, 0, cell)


def _majority(cell: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    """Commonest class in each cell (size,); the commonest of all where a cell is empty."""
    classes = int(y.max()) + 1
    table = np.bincount(cell * classes + y, minlength=size * classes).reshape(size, classes)
    answer = table.argmax(axis=1)
    answer[table.sum(axis=1) == 0] = np.bincount(y).argmax()
    return np.asarray(answer)


def column_rules(columns: Sequence[Coded], y: np.ndarray, target: Target) -> list[Suspect]:
    """Pairs of columns whose comparison (less, equal, greater, or one missing) fixes the outcome.

    Levels are compared as words, so that two columns agree where they say the same.
    """
    if target.task == "continuous":
        return []
    pairs = _comparable([c for c in columns if not c.categorical])
    labels = y.astype(np.int64)
    found = [s for a, b in pairs if (s := _numbers_rule(a, b, labels, target)) is not None]
    words = [c for c in columns if c.categorical and 1 < len(c.levels) <= 1000]
    for a, b in combinations(words[:_MAX_COLUMNS], 2):
        if set(a.levels) & set(b.levels) and (s := _words_rule(a, b, labels, target)) is not None:
            found.append(s)
    return found


def _comparable(columns: Sequence[Coded]) -> list[tuple[Coded, Coded]]:
    """Pairs of numbers (or of dates) whose ranges overlap; constant columns take no part."""
    varied = [c for c in columns if len(c.distinct[0]) > 1][:_MAX_COLUMNS]
    ends = {c.name: (c.distinct[0][0], c.distinct[0][-1]) for c in varied}
    return [
        (a, b)
        for a, b in combinations(varied, 2)
        if (a.kind == "date") == (b.kind == "date")
        and ends[a.name][0] <= ends[b.name][1]
        and ends[b.name][0] <= ends[a.name][1]
    ]


def _numbers_rule(a: Coded, b: Coded, y: np.ndarray, target: Target) -> Suspect | None:
    equal = a.values == b.values
    greater = a.values > b.values
    missing = a.missing | b.missing
    cell = np.where(missing, 3, np.where(equal, 1, np.where(greater, 2, 0)))
    words = (
        f"{a.name} < {b.name}",
        f"{a.name} == {b.name}",
        f"{a.name} > {b.name}",
        "one of them is missing",
    )
    return _cells_rule(a, b, cell, words, y, target)


def _words_rule(a: Coded, b: Coded, y: np.ndarray, target: Target) -> Suspect | None:
    place = {level: float(code) for code, level in enumerate(a.levels)}
    translated = np.array([place.get(level, -1.0) for level in b.levels])
    second = np.where(b.missing, np.nan, translated[np.nan_to_num(b.values).astype(np.int64)])
    cell = np.where(a.missing | b.missing, 3, np.where(a.values == second, 1, 0))
    words = (f"{a.name} != {b.name}", f"{a.name} == {b.name}", "", "one of them is missing")
    return _cells_rule(a, b, cell, words, y, target)


def _cells_rule(
    a: Coded, b: Coded, cell: np.ndarray, words: tuple[str, ...], y: np.ndarray, target: Target
) -> Suspect | None:
    """The pair, if the outcome is the same throughout each cell, and not the same in all of them."""
    n_classes = int(y.max()) + 1
    table = np.bincount(cell * n_classes + y, minlength=4 * n_classes).reshape(4, n_classes)
    answer = table.argmax(axis=1)
    sizes = table.sum(axis=1)
    right = int(table.max(axis=1).sum())
    common = int(table.sum(axis=0).max())
    if len(set(answer[sizes > 0])) < 2 or len(y) - common < _MIN_CELL:
        return None
    gain = (right - common) / (len(y) - common)
    if gain < _LIKELY_AGREEMENT:
        return None
    names = target.classes or tuple(str(k) for k in range(n_classes))
    parts = [
        f"{words[k]}: {names[answer[k]]} in {table[k].max()} of {sizes[k]} rows"
        for k in range(4)
        if sizes[k] > 0
    ]
    severity: Severity = "certain" if right == len(y) else "likely"
    said = f"comparing {a.name} with {b.name} gives {target.name} in {right} of {len(y)} rows ({'; '.join(parts)})"
    return Suspect((a.name, b.name), "column-rule", severity, said, right / len(y))


def arithmetic_rules(columns: Sequence[Coded], y: np.ndarray, target: Target, seed: int) -> list[Suspect]:
    """Pairs of numeric columns whose sum, difference, product or ratio is the continuous outcome, up to a factor."""
    if target.task != "continuous":
        return []
    numeric = [c for c in columns if c.kind == "numeric" and len(c.distinct[0]) > 2][:_MAX_COLUMNS]
    rows = sample_rows(len(y), seed, 400)
    found = []
    for a, b in combinations(numeric, 2):
        for sign in ("+", "-", "*", "/"):
            if _proportional(_combine(a.values[rows], b.values[rows], sign), y[rows]) < 0.9:
                continue
            share = _proportional(_combine(a.values, b.values, sign), y)
            if share >= 0.95:
                said = (
                    f"{a.name} {sign} {b.name} is proportional to the outcome in {share:.1%} of the rows "
                    "where both are present"
                )
                severity: Severity = "certain" if share >= 0.999 else "likely"
                found.append(Suspect((a.name, b.name), "arithmetic-rule", severity, said, share))
    return found


def _combine(a: np.ndarray, b: np.ndarray, sign: str) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        if sign == "/":
            return np.asarray(a / b)
        return np.asarray({"+": a + b, "-": a - b, "*": a * b}[sign])


def _proportional(x: np.ndarray, y: np.ndarray) -> float:
    """Share of usable rows in which y / x is the usual factor to one part in a million; 0 with too few rows."""
    usable = np.isfinite(x) & (x != 0) & (y != 0)
    if usable.sum() < _MIN_CELL or np.ptp(x[usable]) == 0:
        return 0.0
    factor = y[usable] / x[usable]
    usual = float(np.median(factor))
    return float(np.isclose(factor, usual, rtol=1e-6, atol=0.0).mean())
