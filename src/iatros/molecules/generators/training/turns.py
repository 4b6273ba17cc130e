"""The loop in which adversaries take turns: resumable after a kill with the same result, and looked at on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from iatros.learners.training import one_thread
from iatros.molecules.generators.generator import Training
from iatros.molecules.generators.training.stages import Clock, as_columns
from iatros.molecules.generators.training.weights import restore, state_of

if TYPE_CHECKING:
    import torch

LOOKS = 10
"""Times that the adversaries are looked at."""
_KEPT = "turns"


class Opponents(Protocol):
    """Networks that learn from each other."""

    told: ClassVar[tuple[str, ...]]
    """Names of the numbers of a turn, whose means are kept."""
    seen: ClassVar[tuple[str, ...]]
    """Names of the numbers of a look."""
    optimisers: dict[str, torch.optim.Optimizer]

    @property
    def networks(self) -> dict[str, torch.nn.Module]:
        """All that learns, by name."""
        ...

    def turn(self, number: int, share: float, rng: np.random.Generator) -> Sequence[float]:
        """Learn once, `share` (0 to 1) of the way; what is random comes from `rng` or torch. The numbers `told`."""
        ...

    def look(self, rng: np.random.Generator) -> Mapping[str, float]:
        """The numbers `seen`."""
        ...


def take_turns(
    opponents: Opponents, total: int, training: Training, label: str, *, seed: int
) -> list[dict[str, float]]:
    """Teach them in place for `total` turns or the time given; `turn`, the numbers told and those seen at each look.

    torch runs on one thread, so the result is the same on any number of threads.
    """
    import torch

    number, history, sums, clock = _restored(opponents, training)
    with one_thread(seed), training.progress.step(label, total) as shown:
        shown.advance(number)
        while (share := max(number / total, clock.share())) < 1.0:
            torch.manual_seed((seed * 1_000_003 + number) % 2**63)
            told = opponents.turn(number, share, np.random.default_rng([seed, number, 23]))
            sums = sums + np.array([*told, 1.0])
            number += 1
            shown.advance(1)
            looked = max(number / total, clock.share()) >= (len(history) + 1) / LOOKS
            if looked:
                means = dict(zip(opponents.told, (sums[:-1] / sums[-1]).tolist(), strict=True))
                seen = opponents.look(np.random.default_rng([seed, number, 29]))
                history.append({"turn": float(number), **means, **seen})
                sums = np.zeros(len(sums))
            if looked or clock.is_time_to_keep():
                arrays = state_of(opponents.networks, opponents.optimisers)
                arrays["history"] = as_columns(history, _columns(opponents))
                arrays["at"] = np.array([number, clock.spent(), *sums])
                training.checkpoint.put(_KEPT, arrays)
    return history


def _columns(opponents: Opponents) -> tuple[str, ...]:
    return ("turn", *opponents.told, *opponents.seen)


def _restored(
    opponents: Opponents, training: Training
) -> tuple[int, list[dict[str, float]], np.ndarray, Clock]:
    kept = training.checkpoint.get(_KEPT)
    if kept is None:
        return 0, [], np.zeros(len(opponents.told) + 1), Clock(training.seconds)
    restore(kept, opponents.networks, opponents.optimisers)
    columns = _columns(opponents)
    history = [dict(zip(columns, row, strict=True)) for row in kept["history"].tolist()]
    number, spent, *sums = kept["at"].tolist()
    return int(number), history, np.array(sums), Clock(training.seconds, spent)
