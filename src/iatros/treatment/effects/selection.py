"""Which learner: the one whose effects explain best what the nuisances leave open, on subjects it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from iatros.core.context import Context
from iatros.core.intervals import Metric, group_codes, normal_quantile
from iatros.core.splits import task_seed
from iatros.learners.threads import one_blas_thread
from iatros.treatment.effects.censoring import CensoringModel, inverse_censoring_weights
from iatros.treatment.effects.learners import LEARNERS, Learned, Pieces
from iatros.treatment.effects.nuisance import Nuisances, fit_nuisances
from iatros.treatment.effects.propensity import PropensityModel, fit_propensity
from iatros.treatment.effects.schema import EffectCohort

INNER_FOLDS = 3
"""Folds of the nuisances inside the rows that a candidate learns from."""

GP_ROWS = 1500
"""Subjects in an arm beyond which `auto` offers no Gaussian process: its time grows with their cube."""


@dataclass(frozen=True)
class Candidate:
    """One learner with one base."""

    learner: str
    base: str

    @property
    def name(self) -> str:
        """Such as t-gp; the base is left out where it changes nothing."""
        return (
            self.learner if self.learner in ("constant", "causal-forest") else f"{self.learner}-{self.base}"
        )


@dataclass(frozen=True)
class Compared:
    """The loss of each candidate on unseen subjects, and what each is worse by than the constant effect."""

    candidate: Candidate
    loss: float
    over_constant: Metric
    """Loss of the candidate minus that of the constant effect on the same subjects: below 0 is better."""


@dataclass(frozen=True)
class Selected:
    """The chosen candidate, all of them in the order offered, and each one's out-of-fold effects (n, k - 1)."""

    candidate: Candidate
    compared: tuple[Compared, ...]
    effects: dict[str, np.ndarray]


def candidates(cohort: EffectCohort, learner: str, base: str) -> list[Candidate]:
    """What is offered for the requested `learner` and `base`, either of which may be auto; the constant always."""
    if learner not in ("auto", *LEARNERS.names()):
        LEARNERS.entry(learner)
    constant = Candidate("constant", "ridge")
    if learner in ("constant", "causal-forest"):
        return [constant] if learner == "constant" else [constant, Candidate(learner, "ridge")]
    largest = int(np.bincount(cohort.arm).max())
    of_surfaces = ("ridge", "boosting") if largest > GP_ROWS else ("ridge", "gp", "boosting")
    offered = {"s": ("ridge",), "t": of_surfaces, "x": ("ridge",), "dr": ("ridge", "forest")}
    learners = list(offered) if learner == "auto" else [learner]
    if base == "auto":
        return [constant, *(Candidate(name, each) for name in learners for each in offered[name])]
    return [constant, *(Candidate(name, base) for name in learners)]


@dataclass(frozen=True)
class NuisanceModels:
    """The models behind the nuisances that learners start from: offered outcome models, propensities, censoring."""

    bases: tuple[str, ...] = ("ridge",)
    propensity: str = "ridge"
    censoring: CensoringModel = "kaplan-meier"


PLAIN = NuisanceModels()


@dataclass(frozen=True)
class _Shared:
    cohort: EffectCohort
    nuisances: Nuisances
    offered: tuple[Candidate, ...]
    models: NuisanceModels
    seed: int


def select(
    cohort: EffectCohort,
    nuisances: Nuisances,
    offered: Sequence[Candidate],
    context: Context,
    *,
    models: NuisanceModels = PLAIN,
    seed: int = 0,
    confidence_level: float = 0.95,
) -> Selected:
    """The candidate with the least R-loss (Nie and Wager 2021) over folds it has not seen; the first is the constant.

    For each fold everything a candidate needs is learned on the others, its nuisances included (in folds of their own).
    The loss of a subject is w (y - m(x) - sum_a (1[arm = a] - e_a(x)) tau_a(x))^2 with m(x) the expected outcome over
    the arms, for two or more arms alike.
    """
    shared = _Shared(cohort, nuisances, tuple(offered), models, seed)
    numbers = [int(number) for number in np.unique(nuisances.fold)]
    answers = context.engine.map(
        _unseen, numbers, shared, progress=context.progress, label="learners compared"
    )
    effects = {one.name: np.empty((len(cohort), cohort.n_arms - 1)) for one in offered}
    for number, answer in zip(numbers, answers, strict=True):
        for name, values in answer.items():
            effects[name][nuisances.fold == number] = values
    losses = {one.name: r_losses(cohort, nuisances, effects[one.name]) for one in offered}
    constant = losses[offered[0].name]
    compared = []
    for one in offered:
        worse = _mean_with_interval(losses[one.name] - constant, cohort.groups, confidence_level)
        compared.append(Compared(one, float(losses[one.name].mean()), worse))
    best = min(compared, key=lambda found: found.loss)
    return Selected(best.candidate, tuple(compared), effects)


def _unseen(shared: _Shared, number: int) -> dict[str, np.ndarray]:
    """The effects that each candidate predicts for one fold."""
    fold = shared.nuisances.fold
    out = np.flatnonzero(fold == number)
    with one_blas_thread():
        pieces = pieces_of(
            shared.cohort.take(np.flatnonzero(fold != number)), bases=shared.models.bases,
            propensity_base=shared.models.propensity, censoring=shared.models.censoring, folds=INNER_FOLDS,
            seed=task_seed(shared.seed, f"selection/{number}"),
        )  # fmt: skip
        X = shared.cohort.X[out]
        return {one.name: fit_candidate(one, pieces, shared.seed).effects(X) for one in shared.offered}


def pieces_of(
    cohort: EffectCohort,
    *,
    bases: Sequence[str],
    censoring: CensoringModel,
    folds: int,
    seed: int,
    propensity_base: str = "ridge",
    scores: bool = True,
) -> Pieces:
    """What a learner needs of `cohort`; without `scores`, what those need that are not in NEED_SCORES."""
    weight = inverse_censoring_weights(cohort, cohort, censoring)
    if not scores:
        return Pieces(cohort, weight)
    nuisances = fit_nuisances(
        cohort, bases=bases, propensity_base=propensity_base, censoring=censoring, folds=folds, seed=seed
    )
    return Pieces(cohort, weight, nuisances, propensity_of(cohort, propensity_base, seed))


def propensity_of(cohort: EffectCohort, base: str, seed: int) -> PropensityModel:
    """The propensities of subjects like those of `cohort`; the mean ones where they are known by design."""
    if cohort.assignment is not None:
        return PropensityModel(cohort.assignment.mean(axis=0))
    return fit_propensity(cohort, base=base, seed=seed)


def fit_candidate(candidate: Candidate, pieces: Pieces, seed: int) -> Learned:
    """The effects that a candidate learns from `pieces`."""
    learned: Learned = LEARNERS.load(candidate.learner)(
        pieces, candidate.base, seed=task_seed(seed, candidate.name)
    )
    return learned


def r_losses(cohort: EffectCohort, nuisances: Nuisances, effects: np.ndarray) -> np.ndarray:
    """The R-loss of each subject (n,) for its effects (n, k - 1); 0 where the outcome is not known."""
    inside = (cohort.arm[:, None] == np.arange(1, cohort.n_arms)).astype(float)
    expected = (nuisances.e * nuisances.mu).sum(axis=1)
    residual = np.where(cohort.known, np.nan_to_num(cohort.y), 0.0) - expected
    explained = ((inside - nuisances.e[:, 1:]) * effects).sum(axis=1)
    return np.asarray(nuisances.weight * (residual - explained) ** 2)


def _mean_with_interval(values: np.ndarray, groups: np.ndarray, confidence_level: float) -> Metric:
    codes, m = group_codes(groups, len(values))
    mean = float(values.mean())
    sums = np.bincount(codes, weights=values - mean, minlength=m)
    half = normal_quantile(confidence_level) * float(np.sqrt(sums @ sums * m / max(m - 1, 1))) / len(values)
    return Metric(mean, mean - half, mean + half, len(values), None, f"paired, normal over {m} patients")
