"""Rules learned from a cohort, each judged on patients that neither it nor anything before it had learned from.

For every fold the nuisances, the doubly robust scores, the individual effects, the depth of the tree and the tree
itself, and the arm that is best for all, are learned on the other folds alone, in folds of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iatros.core.context import Context
from iatros.core.splits import task_seed
from iatros.treatment.effects.nuisance import Nuisances
from iatros.treatment.effects.propensity import LEAST
from iatros.treatment.effects.schema import Better, EffectCohort
from iatros.treatment.effects.selection import (
    INNER_FOLDS,
    PLAIN,
    Candidate,
    NuisanceModels,
    fit_candidate,
    pieces_of,
)
from iatros.treatment.policies.trees import PolicyTree, fit_tree
from iatros.treatment.policies.values import Observed

BEST_ARM, TREE, PLUG_IN = "best arm", "tree", "largest effect"
"""The rules that are learned: the arm that is best for all, the tree, and each patient's arm of the largest effect."""

DEFAULT_CANDIDATE = Candidate("dr", "ridge")
"""How individual effects are learned unless asked otherwise: a regression of doubly robust scores."""

_QUICK_CUTS = 32
"""Cut points of a column while the depth is chosen."""


@dataclass(frozen=True)
class Preference:
    """Which outcome is better, and by how much (in its unit) an arm must be better than the reference to be given."""

    better: Better = "higher"
    least_benefit: float = 0.0

    def utility(self, outcomes: np.ndarray) -> np.ndarray:
        """Outcomes or scores (n, k) as what is to be made large: `least_benefit` is the price of arms 1 to k - 1."""
        turned = np.array(outcomes if self.better == "higher" else -outcomes, dtype=float)
        turned[:, 1:] -= self.least_benefit
        return turned

    def of_effects(self, effects: np.ndarray) -> np.ndarray:
        """Effects (n, k - 1) against the reference as utilities (n, k)."""
        return self.utility(np.hstack([np.zeros((len(effects), 1)), effects]))


@dataclass(frozen=True)
class Learning:
    """How rules are learned: the models before them, the candidate for individual effects, and the tree.

    `depth` None chooses between 0, 1 and 2 questions by folds inside the rows learned from. `min_share` is the least
    share of those rows at each end of the tree; `columns` are the places of the features that it may ask about.
    """

    preference: Preference = Preference()
    models: NuisanceModels = PLAIN
    candidate: Candidate = DEFAULT_CANDIDATE
    depth: int | None = None
    min_share: float = 0.05
    columns: tuple[int, ...] | None = None
    seed: int = 0


@dataclass(frozen=True)
class Rules:
    """What was learned from some rows, for others: `effects` (m, k - 1) and the arms of the three rules, each (m,)."""

    effects: np.ndarray
    given: dict[str, np.ndarray]
    tree: PolicyTree
    best_arm: int


@dataclass(frozen=True)
class CrossFitted:
    """The rules of each fold put together: effects (n, k - 1), and by name the arm of each row (n,).

    `trees` and `best_arms` are those of each fold; a value is that of the way of learning, not of one of them.
    """

    effects: np.ndarray
    given: dict[str, np.ndarray]
    trees: tuple[PolicyTree, ...]
    best_arms: tuple[int, ...]


def observed(cohort: EffectCohort, nuisances: Nuisances) -> Observed:
    """What the values of rules are computed from; a probability below LEAST counts as LEAST, as in the scores."""
    return Observed(
        cohort.arms, cohort.arm, cohort.y, np.maximum(nuisances.e, LEAST), nuisances.gamma, nuisances.weight,
        cohort.groups,
    )  # fmt: skip


def cross_fit(cohort: EffectCohort, fold: np.ndarray, learning: Learning, context: Context) -> CrossFitted:
    """The rules for each row by what was learned on the other folds (`fold` is that of each row, patients whole)."""
    numbers = [int(number) for number in np.unique(fold)]
    found: list[Rules] = context.engine.map(
        _of_fold, numbers, (cohort, fold, learning), progress=context.progress, label="rules learned"
    )
    effects = np.empty((len(cohort), cohort.n_arms - 1))
    given = {name: np.empty(len(cohort), dtype=np.int64) for name in (BEST_ARM, TREE, PLUG_IN)}
    for number, rules in zip(numbers, found, strict=True):
        effects[fold == number] = rules.effects
        for name, arms in rules.given.items():
            given[name][fold == number] = arms
    return CrossFitted(effects, given, tuple(one.tree for one in found), tuple(one.best_arm for one in found))


def _of_fold(shared: tuple[EffectCohort, np.ndarray, Learning], number: int) -> Rules:
    cohort, fold, learning = shared
    train = cohort.take(np.flatnonzero(fold != number))
    return learn(train, cohort.X[fold == number], learning, seed=task_seed(learning.seed, f"policy/{number}"))


def learn(cohort: EffectCohort, asked: np.ndarray, learning: Learning, *, seed: int) -> Rules:
    """The three rules learned from `cohort`, for the covariates `asked` (m, p)."""
    pieces = pieces_of(
        cohort, bases=learning.models.bases, propensity_base=learning.models.propensity,
        censoring=learning.models.censoring, folds=INNER_FOLDS, seed=seed,
    )  # fmt: skip
    scores = learning.preference.utility(pieces.scored.gamma)
    effects = fit_candidate(learning.candidate, pieces, seed).effects(asked)
    columns = _columns(cohort, learning)
    tree = learn_tree(
        cohort.X[:, columns], scores, [cohort.names[j] for j in columns], cohort.arms,
        fold=pieces.scored.fold, depth=learning.depth, min_share=learning.min_share,
    )  # fmt: skip
    best = int(np.argmax(scores.mean(axis=0)))
    given = {
        BEST_ARM: np.full(len(asked), best),
        TREE: tree.assign(asked[:, columns]),
        PLUG_IN: np.argmax(learning.preference.of_effects(effects), axis=1),
    }
    return Rules(effects, given, tree, best)


def _columns(cohort: EffectCohort, learning: Learning) -> list[int]:
    return list(range(cohort.X.shape[1]) if learning.columns is None else learning.columns)


def learn_tree(
    x: np.ndarray,
    scores: np.ndarray,
    columns: Sequence[str],
    arms: Sequence[str],
    *,
    fold: np.ndarray,
    depth: int | None,
    min_share: float,
) -> PolicyTree:
    """The exact tree on scores (n, k), of `depth` questions or of as many as are worth asking.

    With `depth` None trees of 0, 1 and 2 questions are learned on the other folds and scored on each; kept is the
    smallest depth whose mean score is no more than one standard error (of the paired difference) below the best.
    """
    min_leaf = max(1, round(min_share * len(x)))
    if depth is None:
        depth = _chosen_depth(x, scores, columns, arms, fold, min_share)
    return fit_tree(x, scores, columns, arms, depth=depth, min_leaf=min_leaf)


def _chosen_depth(
    x: np.ndarray,
    scores: np.ndarray,
    columns: Sequence[str],
    arms: Sequence[str],
    fold: np.ndarray,
    min_share: float,
) -> int:
    reached = np.empty((3, len(x)))
    for number in np.unique(fold):
        out, train = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        min_leaf = max(1, round(min_share * len(train)))
        for depth in range(3):
            tree = fit_tree(
                x[train], scores[train], columns, arms, depth=depth, min_leaf=min_leaf, max_cuts=_QUICK_CUTS
            )
            reached[depth, out] = scores[out, tree.assign(x[out])]
    best = int(np.argmax(reached.mean(axis=1)))
    for depth in range(best):
        gap = reached[best] - reached[depth]
        if gap.mean() <= gap.std(ddof=1) / np.sqrt(len(gap)):
            return depth
    return best
