"""SHAP values: how much each column of a patient moved the model's answer, and from where.

The scale is the model's own: log-odds for classes (of one class against the rest), the outcome itself for
numbers. For a patient x and a reference row r, Shapley values share f(x) - f(r) among the columns, a
column that is "absent" taking r's value (interventional SHAP; Lundberg and Lee 2017, Janzing et al. 2020);
the answer is the mean over the reference rows, so that base + sum of the values = f(x).

Trees and linear models are shared out exactly in their own margin and carried to the log-odds of the whole
model by the rescale rule for each pair (x, r) (Chen, Lundberg and Lee, Nature Communications 2022): exact
where the margin is the log-odds, near for means of probabilities such as a forest, as `method` says. Any
other model is asked, with columns switched from r to x in random order and back (antithetic permutations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from iatros.core.errors import InputError
from iatros.core.task import Target
from iatros.learners.attribution_sampled import sampled_shapley
from iatros.learners.background import summarise_background
from iatros.learners.tabular.predictor import Predictor

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Explained", "explain_rows", "margin", "summarise_background"]

FLOOR = 1e-4
"""Probabilities are held this far from 0 and 1 before their log-odds are taken."""


@dataclass(frozen=True)
class Explained:
    """SHAP values of some rows: `base[i] + values[i].sum()` is the model's answer for row i, on its own scale."""

    values: np.ndarray
    """(n, n_columns); log-odds, or the unit that a continuous outcome is learned in."""
    bases: np.ndarray
    """(n,): mean answer over the reference rows."""
    method: str
    explained_class: str | None
    """The class whose log-odds are explained; None for a continuous outcome, or where each row has its own."""
    n_references: int

    @property
    def base(self) -> float:
        """The mean of `bases`, which are all alike unless each row has its own class."""
        return float(np.mean(self.bases)) if len(self.bases) else float("nan")


def margin(target: Target, prediction: np.ndarray, number: int = 1) -> np.ndarray:
    """Predictions on the scale of the explanation (n,): log-odds of class `number`, or the outcome itself.

    >>> margin(Target("death", "binary", ("no", "yes")), np.array([0.5, 0.75])).round(3).tolist()
    [0.0, 1.099]
    """
    if target.task == "continuous":
        return np.asarray(prediction, dtype=np.float64)
    p = prediction if prediction.ndim == 1 else prediction[:, number]
    p = np.clip(p, FLOOR, 1.0 - FLOOR)
    return np.asarray(np.log(p) - np.log1p(-p))


def explain_rows(
    predictor: Predictor,
    frame: pl.DataFrame,
    background: pl.DataFrame,
    *,
    columns: Sequence[str],
    target: Target,
    seed: int = 0,
    method: str = "auto",
) -> Explained:
    """SHAP values of the rows of `frame`, one for each of `columns`.

    `background` holds the reference rows. For several classes each row is explained for its own most
    likely class. `method` is "auto" (exact for trees and linear models, else sampled) or "sampled".
    """
    names = list(columns)
    if frame.height == 0 or background.height == 0:
        what = "row to explain" if frame.height == 0 else "reference row"
        raise InputError(f"there is no {what}", hint="give at least one row")
    if method not in ("auto", "sampled"):
        raise InputError(f"no explanation method is called {method!r}", hint="use auto or sampled")
    frame, background = frame.select(names), background.select(names)
    if target.task != "multiclass":
        values, bases, said, used = _one_class(predictor, frame, background, target, 1, seed, method)
        named = target.classes[1] if target.task == "binary" and len(target.classes) > 1 else None
        return Explained(values, bases, said, named, used)
    return _several_classes(predictor, frame, background, target, seed, method)


def _several_classes(
    predictor: Predictor,
    frame: pl.DataFrame,
    background: pl.DataFrame,
    target: Target,
    seed: int,
    method: str,
) -> Explained:
    """Each row for its own most likely class."""
    number = predictor.predict(frame).argmax(axis=1)
    values, bases = np.zeros((frame.height, frame.width)), np.zeros(frame.height)
    said, used = "", 0
    for k in np.unique(number):
        rows = np.flatnonzero(number == k)
        answer = _one_class(predictor, frame[rows], background, target, int(k), seed, method)
        values[rows], bases[rows], said, used = answer
    classes = {target.classes[k] for k in number}
    return Explained(values, bases, said, classes.pop() if len(classes) == 1 else None, used)


def _one_class(
    predictor: Predictor,
    frame: pl.DataFrame,
    background: pl.DataFrame,
    target: Target,
    number: int,
    seed: int,
    method: str,
) -> tuple[np.ndarray, np.ndarray, str, int]:
    """Values (n, c), bases (n,), the method in words, and the number of reference rows."""
    if method == "auto":
        from iatros.learners.attribution_layers import layered_shapley

        exact = layered_shapley(predictor, frame, background, target, number, FLOOR, seed)
        if exact is not None:
            return exact
    return sampled_shapley(
        lambda rows: margin(target, predictor.predict(rows), number), frame, background, seed=seed
    )
