"""Exact shares in linear models and trees, carried through links, averages and stacks to the model's answer.

Each part gives, for the patients x and one reference row r, its own additive shares of m(x) - m(r), and
every step after it rescales them so that they still add up. A step of one input f(m) multiplies by
(f(m_x) - f(m_r)) / (m_x - m_r); a step of several inputs (softmax) by the mean gradient on the line from
m_r to m_x, which is the same for one input (Chen, Lundberg and Lee 2022; Aumann and Shapley 1974).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from iatros.core.task import Target
from iatros.learners.attribution_trees import TreePart, tree_part
from iatros.learners.tabular.predictor import PipelinePredictor, Predictor, StackPredictor
from iatros.learners.tabular.scorers import (
    LinearScorer,
    Link,
    MeanScorer,
    OnnxScorer,
    Scorer,
    apply_link,
    sigmoid,
    softmax,
)

if TYPE_CHECKING:
    import polars as pl

_MAX_PAIRS = 4000
"""Pairs of a patient and a reference row in all, where there are trees: 500 deep trees take 1.2 ms a pair."""
_MIN_REFERENCES = 8
_ROWS_AT_ONCE = 500
_TINY = 1e-9
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


class Part(Protocol):
    """Shares one answer (a probability, or a number) among columns."""

    def answer(self, frame: pl.DataFrame) -> np.ndarray:
        """The answers (n,)."""
        ...

    def shares(self, frame: pl.DataFrame, references: pl.DataFrame) -> np.ndarray:
        """Shares (b, n, c) of the answer for each row less that for each of the b references."""
        ...


def layered_shapley(
    predictor: Predictor,
    frame: pl.DataFrame,
    background: pl.DataFrame,
    target: Target,
    number: int,
    floor: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, str, int] | None:
    """Values (n, c), bases (n,), the method in words and the number of references; None where a part is neither
    linear nor trees. `number` is the class whose log-odds are explained.
    """
    part = _part(predictor, frame.columns, target, number, background)
    if part is None:
        return None
    kinds = sorted(_kinds(part))
    references = _references(background, frame.height, seed) if "tree" in kinds else background
    values, bases = np.zeros((frame.height, frame.width)), np.zeros(frame.height)
    against = part.answer(references)[:, None]
    for begin in range(0, frame.height, _ROWS_AT_ONCE):
        rows = slice(begin, begin + _ROWS_AT_ONCE)
        block = frame[rows]
        shares = part.shares(block, references)
        if target.task == "continuous":
            bases[rows] = against.mean()
        else:
            shares *= _slope(_log_odds, part.answer(block)[None], against, floor)[:, :, None]
            bases[rows] = _log_odds(against, floor).mean()
        values[rows] = shares.mean(axis=0)
    how = "exact" if target.task == "continuous" or _one_margin(part) else "rescaled"
    said = f"{how} SHAP of {' and '.join(kinds)} models, {references.height} reference rows"
    return values, bases, said, references.height


def _references(background: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    """As many reference rows as the time allows for n patients, spread over the background."""
    wanted = max(_MIN_REFERENCES, _MAX_PAIRS // max(n, 1))
    if wanted >= background.height:
        return background
    rng = np.random.default_rng(seed)
    # the representative rows lie in the order of their clusters, so that every k-th covers all of them
    places = (np.arange(wanted) + rng.random()) * background.height / wanted
    return background[places.astype(np.int64)]


def _log_odds(p: np.ndarray, floor: float) -> np.ndarray:
    p = np.clip(p, floor, 1.0 - floor)
    return np.asarray(np.log(p) - np.log1p(-p))


def _slope(function: Any, x: np.ndarray, r: np.ndarray, *arguments: Any) -> np.ndarray:
    """(f(x) - f(r)) / (x - r), the derivative where x and r are alike."""
    gap = x - r
    near = np.abs(gap) < _TINY
    step = np.where(near, 1e-6, gap)
    start = np.where(near, r - 5e-7, r)
    return np.asarray((function(start + step, *arguments) - function(start, *arguments)) / step)


def _part(
    predictor: Predictor, columns: Sequence[str], target: Target, number: int, background: pl.DataFrame
) -> Part | None:
    if isinstance(predictor, PipelinePredictor):
        return _pipeline_part(predictor, columns, number, background)
    if isinstance(predictor, StackPredictor):
        plain = predictor.task == "continuous" or predictor.scale == "prediction"
        if not plain and predictor.task != "binary":
            return None
        used = [k for k, weight in enumerate(predictor.weights) if weight != 0]
        parts = [_part(predictor.members[k], columns, target, number, background) for k in used]
        whole = [part for part in parts if part is not None]
        if len(whole) < len(parts) or not parts:
            return None
        return _Stack(
            tuple(whole), predictor.weights[used], float(predictor.intercept[0]), plain, predictor.task
        )
    return None


@dataclass(frozen=True)
class _Stack:
    """Weighted members, on the scale of their answers or (binary outcomes) of their log-odds."""

    parts: tuple[Part, ...]
    weights: np.ndarray
    intercept: float
    plain: bool
    task: str

    def answer(self, frame: pl.DataFrame) -> np.ndarray:
        each = np.stack([part.answer(frame) for part in self.parts])
        if self.plain:
            return np.asarray(self.weights @ each) + (self.intercept if self.task == "continuous" else 0.0)
        return sigmoid(self.weights @ _log_odds(each, 1e-7) + self.intercept)

    def shares(self, frame: pl.DataFrame, references: pl.DataFrame) -> np.ndarray:
        total = np.zeros((references.height, frame.height, frame.width))
        for weight, part in zip(self.weights, self.parts, strict=True):
            shares = weight * part.shares(frame, references)
            if not self.plain:
                x, r = part.answer(frame)[None], part.answer(references)[:, None]
                shares *= _slope(_log_odds, x, r, 1e-7)[:, :, None]
            total += shares
        if self.plain:
            return total
        x, r = (_log_odds(self.answer(rows), 1e-12) for rows in (frame, references))
        return total * _slope(sigmoid, x[None], r[:, None])[:, :, None]


def _one_margin(part: Part) -> bool:
    """Whether the log-odds are themselves the additive margin, so that nothing needs the rescale rule."""
    return isinstance(part, _Pipeline) and len(part.cores) == 1 and part.cores[0][1].link == "sigmoid"


def _kinds(part: Part) -> set[str]:
    if isinstance(part, _Stack):
        return {kind for inner in part.parts for kind in _kinds(inner)}
    return {core.kind for _, core in part.cores} if isinstance(part, _Pipeline) else set()


class _Core(Protocol):
    """An additive margin: (n, k) numbers, and their shares among encoded features."""

    @property
    def kind(self) -> str: ...

    @property
    def link(self) -> Link: ...

    def margin(self, X: np.ndarray) -> np.ndarray: ...

    def contributions(self, X: np.ndarray, r: np.ndarray) -> np.ndarray:
        """(n, p, k): shares of margin(X) - margin(r), r of shape (1, p)."""
        ...


@dataclass(frozen=True)
class _LinearCore:
    scorer: LinearScorer
    kind = "linear"

    @property
    def link(self) -> Link:
        return self.scorer.link

    def margin(self, X: np.ndarray) -> np.ndarray:
        return self.scorer.margin(X)

    def contributions(self, X: np.ndarray, r: np.ndarray) -> np.ndarray:
        splines = self.scorer.splines
        gap = (splines.expand(X) - splines.expand(r)) if splines else X - r
        each = gap[:, :, None] * self.scorer.coefficients.T[None]
        shares = each[:, : X.shape[1]].copy()
        if splines is not None:
            terms = splines.knots.shape[1] - 2
            for s, feature in enumerate(splines.columns.astype(np.int64)):
                first = X.shape[1] + s * terms
                shares[:, feature] += each[:, first : first + terms].sum(axis=1)
        return np.asarray(shares)


def _core(scorer: Scorer, X: np.ndarray) -> list[_Core] | None:
    """The additive parts of a scorer, of which the mean is taken; None where there are none."""
    if isinstance(scorer, LinearScorer):
        return [_LinearCore(scorer)]
    if isinstance(scorer, OnnxScorer):
        part: TreePart | None = tree_part(scorer, X)
        return None if part is None else [part]
    if isinstance(scorer, MeanScorer):
        inner = [_core(each, X) for each in scorer.scorers]
        # nested means weigh their members unequally: leave those to the sampled method
        if any(cores is None or len(cores) != 1 for cores in inner):
            return None
        return [core for cores in inner if cores is not None for core in cores]
    return None


@dataclass(frozen=True)
class _Pipeline:
    """A pipeline: for each imputation (by its number) the parts whose mean is the answer."""

    predictor: PipelinePredictor
    cores: tuple[tuple[int, Any], ...]
    to_column: np.ndarray
    number: int

    def _matrices(self, frame: pl.DataFrame) -> list[np.ndarray]:
        X = self.predictor.encoder.transform(frame)
        return [imputer.transform(X) for imputer in self.predictor.imputers]

    def answer(self, frame: pl.DataFrame) -> np.ndarray:
        prediction = self.predictor.predict(frame)
        return np.asarray(prediction if prediction.ndim == 1 else prediction[:, self.number])

    def shares(self, frame: pl.DataFrame, references: pl.DataFrame) -> np.ndarray:
        given, against = self._matrices(frame), self._matrices(references)
        total = np.zeros((references.height, frame.height, self.to_column.shape[1]))
        for k, core in self.cores:
            X, R = given[k], against[k]
            margins, other = core.margin(X), core.margin(R)
            for b in range(len(R)):
                gradient = _mean_gradient(core.link, margins, other[b : b + 1], self.number)
                each = core.contributions(X, R[b : b + 1])
                total[b] += np.einsum("npk,nk->np", each, gradient) @ self.to_column
        return total / len(self.cores)


def _pipeline_part(
    predictor: PipelinePredictor, columns: Sequence[str], number: int, background: pl.DataFrame
) -> _Pipeline | None:
    X = predictor.encoder.transform(background)
    cores: list[tuple[int, Any]] = []
    for k, (imputer, scorer) in enumerate(zip(predictor.imputers, predictor.scorers, strict=True)):
        found = _core(scorer, imputer.transform(X))
        if found is None:
            return None
        cores += [(k, core) for core in found]
    place = {name: j for j, name in enumerate(columns)}
    sources = predictor.encoder.sources
    to_column = np.zeros((len(sources), len(columns)))
    to_column[np.arange(len(sources)), [place[name] for name in sources]] = 1.0
    return _Pipeline(predictor, tuple(cores), to_column, number)


def _mean_gradient(link: Link, m: np.ndarray, r: np.ndarray, number: int) -> np.ndarray:
    """(n, k): mean gradient of the answer for class `number` on the line from margin r (1, k) to m (n, k)."""
    if link == "identity":
        return np.ones_like(m) * (np.arange(m.shape[1]) == (number if m.shape[1] > 1 else 0))
    if link == "sigmoid":
        return _slope(sigmoid, m, r)
    total = np.zeros_like(m)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        total += 0.5 * weight * _gradient(link, r + (m - r) * (1.0 + node) / 2.0, number)
    # the quadrature is exact to a few parts in a million; make the shares add up
    wanted = apply_link(link, m)[:, number] - apply_link(link, r)[:, number]
    reached = (total * (m - r)).sum(axis=1)
    factor = np.divide(wanted, reached, out=np.ones_like(reached), where=np.abs(reached) > 1e-6)
    return total * factor[:, None]


def _gradient(link: Link, margin: np.ndarray, number: int) -> np.ndarray:
    own = np.arange(margin.shape[1]) == number
    if link == "softmax":
        p = softmax(margin)
        return np.asarray(p[:, [number]] * (own - p))
    s = sigmoid(margin)
    total = s.sum(axis=1, keepdims=True)
    return np.asarray(s * (1.0 - s) * (own / total - s[:, [number]] / total**2))
