"""What an outcome is to the models of responses: whether it can be learned, its scale, and histories as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from iatros.core.errors import OutcomeError, RequestError
from iatros.learners.completion.sparse import SparseTable
from iatros.learners.tabular.scorers import sigmoid
from iatros.treatment.responses.schema import Ask, Outcome, Responses, Subjects


class _Model(Protocol):
    name: ClassVar[str]
    outcomes: ClassVar[tuple[Outcome, ...]]


@dataclass(frozen=True)
class Scale:
    """How outcomes are written inside a model: continuous ones as (outcome - centre) / spread, others as they are.

    `low` and `high` are the least and the greatest outcome that was learned from.
    """

    outcome: Outcome
    centre: float
    spread: float
    low: float
    high: float

    @classmethod
    def of(cls, responses: Responses) -> Scale:
        """Mean 0 and standard deviation 1 where the outcome is continuous."""
        y = responses.y
        plain = responses.outcome != "continuous"
        centre, spread = (0.0, 1.0) if plain else (float(y.mean()), float(y.std()))
        return cls(responses.outcome, centre, spread, float(y.min()), float(y.max()))

    def inward(self, y: np.ndarray) -> np.ndarray:
        """Outcomes as a model sees them."""
        scaled: np.ndarray = (y - self.centre) / self.spread
        return scaled

    def outward(self, answer: np.ndarray) -> np.ndarray:
        """What a model says (the log-odds, where binary) as an outcome; continuous ones between lowest and highest."""
        if self.outcome == "binary":
            return sigmoid(answer)
        if self.outcome == "implicit":
            return answer
        return np.clip(self.centre + self.spread * answer, self.low, self.high)

    def document(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


def check_learnable(model: type[_Model], responses: Responses) -> None:
    """Refuse an outcome that `model` does not learn, no responses at all, and outcomes that are all the same."""
    if responses.outcome not in model.outcomes:
        raise RequestError(
            f"{model.name} learns {' and '.join(model.outcomes)} outcomes, not {responses.outcome} ones",
            where="models",
        )
    if not len(responses):
        raise OutcomeError("there is no response to learn from")
    if not np.isfinite(responses.y).all():
        raise OutcomeError("an outcome is missing or infinite", hint="leave such responses out")
    if responses.outcome != "implicit" and responses.y.min() == responses.y.max():
        raise OutcomeError("all outcomes are the same; there is nothing to learn")
    if responses.outcome == "binary" and not np.isin(responses.y, (0.0, 1.0)).all():
        raise OutcomeError("a binary outcome is 0 or 1")


def table_of(responses: Responses, value: np.ndarray) -> SparseTable:
    """`value` of each response, by subjects."""
    return SparseTable.of(responses.subject, responses.treatment, value, responses.shape)


def history(subjects: Subjects, value: np.ndarray, n_treatments: int) -> SparseTable:
    """`value` of each past response that came with the question, by subjects."""
    return SparseTable(
        np.ascontiguousarray(subjects.start, dtype=np.int64),
        np.ascontiguousarray(subjects.treatment, dtype=np.int32),
        np.ascontiguousarray(value, dtype=np.float32),
        n_treatments,
    )


def looked_up(known: np.ndarray, learned: np.ndarray, otherwise: np.ndarray | float) -> np.ndarray:
    """The rows of `learned` at `known`, and `otherwise` where that is -1."""
    found: np.ndarray = (
        learned[np.maximum(known, 0)].copy() if len(learned) else np.zeros((len(known), *learned.shape[1:]))
    )
    found[known < 0] = otherwise
    return found


def products(subjects: np.ndarray, treatments: np.ndarray, ask: Ask) -> np.ndarray:
    """Offset plus offset plus the product of factors for each pair (n,) float64; each side is (members, 1 + k)."""
    answer = np.empty(len(ask))
    size = max(1, 4_000_000 // subjects.shape[1])
    for low in range(0, len(ask), size):
        part = slice(low, low + size)
        one = subjects[ask.subject[part]].astype(np.float64)
        other = treatments[ask.treatment[part]].astype(np.float64)
        answer[part] = one[:, 0] + other[:, 0] + (one[:, 1:] * other[:, 1:]).sum(axis=1)
    return answer
