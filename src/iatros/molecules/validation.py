"""How performance is estimated: compounds kept away from the procedure that is judged on them, once or in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iatros.core.checkpoint import Checkpoint
from iatros.core.context import Context
from iatros.molecules.assay import Assay
from iatros.molecules.development import Developed, develop
from iatros.molecules.recipe import Recipe
from iatros.molecules.scoring import Answers


@dataclass(frozen=True)
class Judged:
    """Answers for the compounds at `rows`, by models developed without them and without their groups."""

    rows: np.ndarray
    selected: str
    values: dict[str, np.ndarray]
    """Calibrated predictions (n, k) by model."""
    answers: Answers
    """Of the selected model."""
    cuts: tuple[dict[str, np.ndarray], ...]
    """By endpoint, thresholds by name, one for each row: chosen on the compounds that its model was developed on."""

    @property
    def value(self) -> np.ndarray:
        """Of the selected model."""
        return self.answers.value


@dataclass(frozen=True)
class Validated:
    """The final model, and the judgement of the procedure behind it."""

    split: str
    final: Developed
    development: np.ndarray
    """Rows that the final model was developed on."""
    judged: Judged


def validate(
    assay: Assay,
    parts: list[tuple[np.ndarray, np.ndarray]],
    recipe: Recipe,
    context: Context,
    checkpoint: Checkpoint,
) -> Validated:
    """Develop and judge on each of `parts`, (development rows, judged rows).

    One part is one held-out side, and its model is the final one. Of several, each is judged by a model of its own, and
    the final model is developed on all compounds.
    """
    if len(parts) == 1:
        development, held_out = parts[0]
        final = develop(assay.take(development), recipe, context, checkpoint, "final")
        with context.progress.step("predicting the held-out compounds"):
            return Validated("held_out", final, development, judge(assay, final, held_out))
    pieces = []
    for number, (development, held_out) in enumerate(parts, start=1):
        context.progress.note(f"fold {number} of {len(parts)}")
        made = develop(assay.take(development), recipe, context, checkpoint, f"fold{number}")
        pieces.append(judge(assay, made, held_out))
    every = np.arange(len(assay))
    context.progress.note("the model on all compounds")
    final = develop(assay, recipe, context, checkpoint, "final")
    return Validated("cross_validation", final, every, _joined(pieces))


def judge(assay: Assay, developed: Developed, rows: np.ndarray) -> Judged:
    """What every model of `developed` says of the compounds at `rows`."""
    compounds = assay.compounds.take(rows)
    answers = {name: model.answer(compounds) for name, model in developed.models.items()}
    cuts = tuple(
        {cut["name"]: np.full(len(rows), cut["threshold"]) for cut in table} for table in developed.thresholds
    )
    return Judged(
        rows,
        developed.selected,
        {name: answer.value for name, answer in answers.items()},
        answers[developed.selected],
        cuts,
    )


def _joined(pieces: list[Judged]) -> Judged:
    """The parts of a cross-validation as one judgement; the selected model may differ from part to part."""
    winners = sorted({piece.selected for piece in pieces})
    names = pieces[0].values
    return Judged(
        np.concatenate([piece.rows for piece in pieces]),
        winners[0] if len(winners) == 1 else "selected",
        {name: np.concatenate([piece.values[name] for piece in pieces]) for name in names},
        Answers.joined([piece.answers for piece in pieces]),
        tuple(
            {name: np.concatenate([piece.cuts[column][name] for piece in pieces]) for name in cuts}
            for column, cuts in enumerate(pieces[0].cuts)
        ),
    )
