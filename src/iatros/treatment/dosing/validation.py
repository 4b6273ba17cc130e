"""Every patient judged once by the whole procedure without that patient; and each site or ancestry left out in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.core.errors import RequestError, SplitError
from iatros.core.splits import check_disjoint, folds, site_folds, strata_of, task_seed
from iatros.treatment.dosing.development import develop
from iatros.treatment.dosing.equations import UNIT, EquationParams, needed
from iatros.treatment.dosing.models import EQUATIONS
from iatros.treatment.dosing.scale import backward, forward
from iatros.treatment.dosing.schema import Doses
from iatros.treatment.dosing.settings import DoseSettings, make_estimator
from iatros.treatment.dosing.units import factor

MEDIAN = "median"
"""The median dose of the patients that were learned from, for everyone: what a fixed dose achieves."""
_MOST_LEVELS = 12


@dataclass(frozen=True)
class Judged:
    """Answers for patients that the procedure had not learned from.

    `rows` (n,) are the patients, `dose`, `low` and `high` (n,) the answers, `others` what each candidate alone and each
    reference gives them; `fold` (n,) says which patients were away together. `weights` are those of each fold.
    """

    rows: np.ndarray
    dose: np.ndarray
    low: np.ndarray
    high: np.ndarray
    fold: np.ndarray
    others: dict[str, np.ndarray] = field(default_factory=dict)
    weights: list[dict[str, float]] = field(default_factory=list)

    def covered(self, y: np.ndarray) -> np.ndarray:
        """Whether each interval holds the dose that was needed (n,); `y` (all,) as the rows count."""
        truth = y[self.rows]
        return (self.low <= truth) & (truth <= self.high)


def judge(doses: Doses, settings: DoseSettings, context: Context) -> Judged:
    """Each patient once, in `settings.n_folds` folds, with the references beside the candidates."""
    fold = folds(
        groups=doses.groups,
        strata=strata_of(doses.target, doses.y),
        n_folds=settings.n_folds,
        seed=task_seed(settings.seed, "folds"),
    )
    sides = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(settings.n_folds)]
    names = [f"fold {k + 1} of {settings.n_folds}" for k in range(settings.n_folds)]
    return _over(doses, sides, names, settings, context)


def leave_out(
    doses: Doses, labels: np.ndarray, settings: DoseSettings, context: Context
) -> dict[str, Judged]:
    """Each level of `labels` (n,) away in turn, by its name; its patients are nowhere learned from.

    SplitError where there are fewer than two levels, RequestError where there are more than a dozen.
    """
    levels = set(labels.astype(str))
    if len(levels) > _MOST_LEVELS:
        raise RequestError(
            f"{len(levels)} groups cannot be left out in turn, at most {_MOST_LEVELS} can",
            where="leave_out",
            hint="join small groups, or name another column",
        )
    answer = {}
    for site in site_folds(labels, doses.groups):
        judged = _over(doses, [(site.train, site.test)], [f"without {site.site}"], settings, context)
        answer[site.site] = judged
    return answer


def known_equations(doses: Doses) -> tuple[str, ...]:
    """The published equations of warfarin that can be judged beside: where the columns are there and the unit fits.

    VKORC1 must be among the columns even for the equation without genotypes: a table of another drug may well have age,
    height, weight and ancestry.
    """
    found: list[str] = []
    if factor(UNIT, doses.unit) is None or EquationParams().vkorc1 not in doses.features.schema.names:
        return ()
    for name in EQUATIONS:
        estimator: Any = make_estimator(name, {})
        if not needed(estimator.equation, estimator.params, doses.features.schema.names):
            found.append(name)
    return tuple(found)


def _over(
    doses: Doses,
    sides: Sequence[tuple[np.ndarray, np.ndarray]],
    names: Sequence[str],
    settings: DoseSettings,
    context: Context,
) -> Judged:
    checkpoint = Checkpoint(context.checkpoint)
    parts = []
    for (train, away), name in zip(sides, names, strict=True):
        check_disjoint(doses.groups, {"train": train, "judged": away})
        if not len(away):
            raise SplitError(f"{name} is empty", hint="use fewer folds")
        kept = checkpoint.get(name)
        if kept is None:
            kept = _answers(doses.take(train), doses.take(away), settings, context, name)
            checkpoint.put(name, kept)
        parts.append(kept)
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0] if key[:2] != "w:"}
    return Judged(
        rows=np.concatenate([away for _, away in sides]),
        dose=whole["dose"],
        low=whole["low"],
        high=whole["high"],
        fold=np.repeat(np.arange(len(parts)), [len(away) for _, away in sides]),
        others={key[2:]: values for key, values in whole.items() if key[:2] == "o:"},
        weights=[{key[2:]: float(part[key][0]) for key in part if key[:2] == "w:"} for part in parts],
    )


def _answers(
    learned: Doses, asked: Doses, settings: DoseSettings, context: Context, name: str
) -> dict[str, np.ndarray]:
    """The answers of one fold as named arrays: what a checkpoint keeps."""
    developed = develop(learned, settings, context, name)
    dose, low, high = developed.model.answer(asked.features.frame)
    found = {"dose": dose, "low": low, "high": high}
    if len(settings.models) > 1:
        found |= {f"o:{one}": developed.member(one, asked) for one in settings.models}
    found[f"o:{MEDIAN}"] = np.full(len(asked), float(np.median(learned.y)))
    for equation in known_equations(learned):
        if equation not in settings.models:
            found[f"o:{equation}"] = _equation(equation, learned, asked)
    return found | {f"w:{one}": np.array([weight]) for one, weight in developed.weights.items()}


def _equation(name: str, learned: Doses, asked: Doses) -> np.ndarray:
    fitted = make_estimator(name, {}).fit(
        learned.features, forward("sqrt", learned.y), learned.target, groups=learned.groups, seed=0
    )
    return backward("sqrt", fitted.predictor.predict(asked.features.frame))
