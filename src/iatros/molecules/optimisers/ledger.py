"""The ledger: the only way to a score. It counts what was asked, keeps every score, and ends the search."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from iatros.core.context import Context
from iatros.core.progress import SilentProgress, Step
from iatros.molecules.generators.texts import reading
from iatros.molecules.optimisers.diversity import ScaffoldFilter
from iatros.molecules.optimisers.record import Record

Charge = Literal["unique", "all"]

_PIECE = 128
"""Compounds that are scored at once; the time is looked at, and what was scored is kept, after each such piece."""
_SLOW = 0.004
"""Seconds for one compound from which on scoring is shared among the engine's workers."""
STEREO = re.compile(r"[@/\\]")
"""What stands for stereochemistry in a SMILES."""


class Scored(Protocol):
    """One compound with its score: nan with a `reason`, or what `parts` and `values` led to it."""

    smiles: str
    score: float
    parts: Any
    values: Any
    reason: str


class Scorer(Protocol):
    """What an objective is to the ledger."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def score(self, smiles: Sequence[str]) -> list[Any]:
        """One `Scored` for each compound, in order."""
        ...


@dataclass(frozen=True)
class Budget:
    """When a search ends: after `calls`, and after `seconds` where they are given.

    With the charge "unique" each different compound is one call, whatever it was asked for again; with "all" every text
    that was asked is one, what is invalid, repeated or prescreened included.
    """

    calls: int = 10_000
    seconds: float | None = None
    charge: Charge = "unique"


@dataclass(frozen=True)
class Answers:
    """To each text that was asked: its canonical SMILES ("" where invalid), score (nan where there is none), reward.

    The reward (0 where there is no score) is the score less what the diversity filter takes. `fresh` tells which were
    asked for the first time, and `cut` how many of the texts came too late: those have neither SMILES nor score.
    """

    smiles: list[str]
    scores: np.ndarray
    rewards: np.ndarray
    fresh: np.ndarray
    cut: int


@dataclass
class Row:
    """A compound of the ledger: `call` counts from 1, and is 0 for one that was only prescreened."""

    scored: Any
    reward: float
    call: int
    origin: str

    @property
    def score(self) -> float:
        """Higher is better; nan where there is none."""
        return float(self.scored.score)


@dataclass
class Counts:
    """What was asked so far."""

    asked: int = 0
    calls: int = 0
    invalid: int = 0
    repeated: int = 0
    prescreened: int = 0
    without_score: int = 0
    passed_over: int = 0
    """New compounds that the optimiser thought of and did not ask for."""
    recalled: int = 0
    """Scores that were taken from the record of a run that was broken off."""


class Ledger:
    """Scores for compounds, until the budget is spent.

    `record` holds what an earlier, broken-off run has scored already: it is not scored again, but counts as if it were,
    so that the search takes the same way. `stereo` False leaves stereochemistry out of what is asked. `history` has the
    score of each call, and `charged_at` how many texts had been asked or prescreened by then.
    """

    def __init__(
        self,
        objective: Scorer,
        budget: Budget | None = None,
        *,
        context: Context | None = None,
        record: Record | None = None,
        diversity: ScaffoldFilter | None = None,
        stereo: bool = False,
    ) -> None:
        self.objective, self.budget = objective, budget or Budget()
        self.counts, self.rows = Counts(), dict[str, Row]()
        self.history: list[float] = []
        self.charged_at: list[int] = []
        self.objective_seconds = 0.0
        self.diversity, self._stereo = diversity, stereo
        self._context = context or Context()
        self._record = Record(None) if record is None else record
        self._watchers: list[tuple[int, Callable[[Ledger], None]]] = []
        self._clock = _Clock()
        self._per_compound = 0.0
        self._step: Step | None = None
        self._shown = 0

    @property
    def charged(self) -> int:
        """Calls that count against the budget."""
        counts = self.counts
        return counts.calls if self.budget.charge == "unique" else counts.asked + counts.prescreened

    @property
    def left(self) -> int:
        """Calls that are left; none where the time is up."""
        if self.budget.seconds is not None and self._clock.spent() >= self.budget.seconds:
            return 0
        return max(0, self.budget.calls - self.charged)

    @property
    def over(self) -> bool:
        """Whether the budget is spent."""
        return self.left == 0

    @property
    def seconds(self) -> float:
        """Time since the search began, pauses between a kill and a resume left out."""
        return self._clock.spent()

    def watch(self, calls: int, tell: Callable[[Ledger], None]) -> None:
        """Have `tell` called once, when `calls` have been made."""
        self._watchers.append((calls, tell))

    def show(self, step: Step) -> None:
        """Count calls in a step of the progress."""
        self._step = step

    def ask(self, texts: Sequence[str], *, origin: str = "", canonical: bool = False) -> Answers:
        """Scores of compounds; what is beyond the budget is cut.

        With `canonical` the texts are what `canonical` or the genetic operators made, and are not read again.
        """
        return self._ask(texts, origin, counted=True, canonical=canonical)

    def sift(self, texts: Sequence[str]) -> list[str]:
        """Which of the texts are compounds that were not asked for yet: canonical, each once.

        What is invalid or repeated counts as if it had been asked, so that no model hides what it wrote in vain.
        """
        if self.budget.charge == "all":
            texts = texts[: self.left]
        new: dict[str, None] = {}
        for text in texts:
            smiles = self.canonical(text)
            if smiles and smiles not in new and self._is_new(smiles):
                new[smiles] = None
                continue
            self.counts.asked += 1
            self.counts.invalid += not smiles
            self.counts.repeated += bool(smiles)
        return list(new)

    def pass_over(self, n: int) -> None:
        """Count `n` new compounds that were candidates, and are not asked for."""
        self.counts.passed_over += n

    def prescreen(self, texts: Sequence[str]) -> Answers:
        """Scores of compounds before the search: shown, but no calls where the charge is "unique"."""
        return self._ask(texts, "prescreened", counted=False, canonical=False)

    def best(self, n: int, *, prescreened: bool = False) -> list[Row]:
        """The `n` best compounds, of equally good ones the earlier first; those without a score are left out.

        Compounds that were prescreened and never asked for are among them only where that is said.
        """
        rows = [row for row in self.rows.values() if math.isfinite(row.score) and (row.call or prescreened)]
        return sorted(rows, key=lambda row: -row.score)[:n]

    def _ask(self, texts: Sequence[str], origin: str, *, counted: bool, canonical: bool) -> Answers:
        smiles, scores = [], np.full(len(texts), np.nan)
        rewards, fresh = np.zeros(len(texts)), np.zeros(len(texts), dtype=bool)
        at = 0
        while at < len(texts) and not (counted and self.over):
            piece = texts[at : at + _PIECE]
            taken = self._affordable(piece if canonical else [*map(self.canonical, piece)], counted=counted)
            if not taken:
                break
            self._score([text for text in taken if text not in self.rows and text])
            for place, text in enumerate(taken, start=at):
                fresh[place] = self._enter(text, origin, counted=counted)
                if text:
                    scores[place], rewards[place] = self.rows[text].score, self.rows[text].reward
            smiles += taken
            at += len(taken)
            self._tell()
        cut = len(texts) - at
        return Answers([*smiles, *[""] * cut], scores, rewards, fresh, cut)

    def _affordable(self, texts: Sequence[str], *, counted: bool) -> list[str]:
        """The first of the canonical `texts`, as many as the budget has room for."""
        left = self.left if counted or self.budget.charge == "all" else len(texts)
        if self.budget.charge == "all":
            return list(texts[:left])
        new: set[str] = set()
        for place, text in enumerate(texts):
            if text and text not in new and self._is_new(text):
                if len(new) >= left:
                    return list(texts[:place])
                new.add(text)
        return list(texts)

    def _is_new(self, smiles: str) -> bool:
        row = self.rows.get(smiles)
        return row is None or row.call == 0

    def canonical(self, text: str) -> str:
        """What `text` is in the ledger: canonical SMILES, or "" where it is no molecule."""
        return reading.canonical(text if self._stereo else STEREO.sub("", text))

    def _enter(self, smiles: str, origin: str, *, counted: bool) -> bool:
        """Count a text that was asked; whether it is a call."""
        counts = self.counts
        if not counted:
            counts.prescreened += 1
            return False
        counts.asked += 1
        if not smiles:
            counts.invalid += 1
            return False
        row = self.rows[smiles]
        if row.call:
            counts.repeated += 1
            return False
        counts.calls += 1
        counts.without_score += math.isnan(row.score)
        row.call, row.origin = counts.calls, origin or row.origin
        self.history.append(row.score)
        self.charged_at.append(counts.asked + counts.prescreened)
        return True

    def _score(self, smiles: Sequence[str]) -> None:
        """Have compounds scored that the ledger does not know, and keep what comes of it."""
        wanted = list(dict.fromkeys(smiles))
        known = {text: found for text in wanted if (found := self._record.get(text)) is not None}
        missing = [text for text in wanted if text not in known]
        self.counts.recalled += len(known)
        for _, seconds in known.values():
            self._clock.recall(seconds)
        made = dict(zip(missing, self._scored(missing), strict=True)) if missing else {}
        self._record.add(made, self._clock.spent())
        for text in wanted:
            scored = made[text] if text in made else known[text][0]
            score = float(scored.score)
            reward = 0.0 if math.isnan(score) else score
            if self.diversity is not None:
                reward = self.diversity.reward(text, reward)
            self.rows[text] = Row(scored, reward, 0, "prescreened")

    def _scored(self, smiles: list[str]) -> list[Any]:
        begun = time.perf_counter()
        engine = self._context.engine
        if engine.workers > 1 and self._per_compound > _SLOW and len(smiles) > 1:
            size = math.ceil(len(smiles) / engine.workers)
            parts = [smiles[at : at + size] for at in range(0, len(smiles), size)]
            answers = engine.map(
                score_part, parts, self.objective, progress=SilentProgress(), label="scoring"
            )
            found = [one for part in answers for one in part]
        else:
            found = self.objective.score(smiles)
            self._per_compound = (time.perf_counter() - begun) / len(smiles)
        self.objective_seconds += time.perf_counter() - begun
        return found

    def _tell(self) -> None:
        if self._step is not None:
            self._step.advance(self.charged - self._shown)
            self._shown = self.charged
        due = [tell for calls, tell in self._watchers if self.counts.calls >= calls]
        self._watchers = [(calls, tell) for calls, tell in self._watchers if self.counts.calls < calls]
        for tell in due:
            tell(self)


def score_part(objective: Scorer, smiles: list[str]) -> list[Any]:
    """Some compounds scored; what a worker runs."""
    return objective.score(smiles)


@dataclass
class _Clock:
    """Seconds of a search: those that a broken-off run had spent, and those since."""

    before: float = 0.0
    begun: float = field(default_factory=time.monotonic)

    def spent(self) -> float:
        return self.before + time.monotonic() - self.begun

    def recall(self, seconds: float) -> None:
        """Take up the time at which something had been scored."""
        if seconds > self.before:
            self.before = seconds
        self.begun = time.monotonic()
