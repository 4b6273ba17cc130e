"""What is wrong with an objective, said before the search or after its first compounds, and not at its end."""

from __future__ import annotations

import random
from collections.abc import Sequence

from iatros.molecules.objectives.checking import MOST, Checked, check_scored
from iatros.molecules.objectives.objective import Objective
from iatros.molecules.optimisers.ledger import Ledger

AFTER = MOST
"""Calls after which an objective that has not told one compound from another is given up."""
_FIRST = 200
"""Start compounds that are looked at; more, up to `MOST`, only where these would have the objective refused."""


def look_at_start(objective: Objective, ledger: Ledger, start: Sequence[str], *, seed: int) -> Checked:
    """The objective on start compounds drawn at random, which the ledger counts as prescreened.

    InputError with the range of each part where it is 0 for all of them, always the same, or contradicts itself.
    """
    most = min(len(start), MOST)
    if ledger.budget.charge == "all":
        most = min(most, max(1, ledger.budget.calls // 10))
    drawn = random.Random(f"{seed} start").sample(list(start), most)
    seen = list(dict.fromkeys(ledger.prescreen(drawn[:_FIRST]).smiles))
    checked = check_scored(objective, [ledger.rows[text].scored for text in seen])
    if checked.problems and most > _FIRST:
        seen += ledger.prescreen(drawn[_FIRST:]).smiles
        checked = check_scored(objective, [ledger.rows[text].scored for text in dict.fromkeys(seen)])
    checked.refuse()
    return checked


def look_again(objective: Objective, ledger: Ledger) -> None:
    """The same on the first compounds that the search asked for."""
    check_scored(objective, [row.scored for row in ledger.rows.values() if row.call][:MOST]).refuse()
