"""What a generator wrote: which texts are molecules, which of them are new."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from iatros.core.intervals import Metric, wilson
from iatros.molecules.generators.texts.reading import canonical


@dataclass(frozen=True)
class Judged:
    """`smiles` are the different valid compounds, canonical, in the order in which they were first written."""

    smiles: list[str]
    n_written: int
    n_valid: int
    n_novel: int

    def metrics(self) -> dict[str, dict[str, Any]]:
        """Shares with 95 % intervals: valid of the written, unique of the valid, novel of the unique."""
        return {
            "valid": _share(self.n_valid, self.n_written),
            "unique": _share(len(self.smiles), self.n_valid),
            "novel": _share(self.n_novel, len(self.smiles)),
        }


def judge(written: Sequence[str], known: Collection[str] = ()) -> Judged:
    """`written` texts read by RDKit; `known` canonical SMILES are not novel. Empty molecules are not valid."""
    found = [smiles for text in written if (smiles := canonical(text))]
    different = list(dict.fromkeys(found))
    return Judged(different, len(written), len(found), sum(text not in known for text in different))


def _share(n: int, of: int) -> dict[str, Any]:
    low, high = wilson(n, of)
    value = n / of if of else float("nan")
    return Metric(value, low, high, of, None, "Wilson" if of else "not defined: none").document()
