"""Pairs from lines: compounds in one standard form, measurements reconciled, every line counted."""

from __future__ import annotations

import pytest

from iatros.core.engine import SerialEngine
from iatros.core.errors import OutcomeError, TableError
from iatros.core.progress import SilentProgress
from iatros.molecules.curation.measuring import Scale
from iatros.molecules.fishing.pairs import Active, Pairs, read_pairs
from iatros.molecules.schema import BLANK, Entry
from iatros.molecules.sources import Opened


def read(entries: list[Entry], active: Active | None = None) -> Pairs:
    opened = Opened("pairs", "inline", iter(entries))
    return read_pairs(opened, active or Active(), SerialEngine(), SilentProgress())


def ligands(pairs: Pairs) -> dict[str, list[str]]:
    return {
        target: [pairs.smiles[row] for row in pairs.members[pairs.starts[j] : pairs.starts[j + 1]]]
        for j, target in enumerate(pairs.targets)
    }


def test_forms_of_one_compound_are_one_ligand_and_names_are_tidied() -> None:
    pairs = read([
        Entry(1, "CC(=O)O", more=("COX  2",)),
        Entry(2, "[Na+].CC(=O)[O-]", more=(" COX 2 ",)),
        Entry(3, "OC(C)=O", more=("ACE",)),
        Entry(4, "CCN", more=("ACE",)),
        Entry(5, refusal=BLANK),
    ])  # fmt: skip
    assert ligands(pairs) == {"ACE": ["CC(=O)O", "CCN"], "COX 2": ["CC(=O)O"]}
    assert (pairs.n_lines, pairs.n_inactive, pairs.n_refused) == (4, 0, 0)


@pytest.mark.parametrize(
    ("cells", "counts"),
    [
        (["7"], True),
        (["6.0"], True),
        (["5.9"], False),
        (["5", "6.4", "9"], True),  # their median
        (["5", "5.8", "9"], False),
        ([">6.5"], True),
        ([">5.5"], False),  # it may be
        (["<9"], False),
        ([">6.2", "<8"], True),  # between
        ([">5.2", "<8"], False),
        (["5", "<9"], False),
    ],
)
def test_a_pair_counts_where_it_is_known_to_be_active(cells: list[str], counts: bool) -> None:
    entries = [Entry(n, "CCO", activity=cell, more=("T",)) for n, cell in enumerate(cells, start=1)]
    other = Entry(99, "CCN", activity="8", more=("T",))
    pairs = read([*entries, other], Active(Scale("p"), 6.0))
    assert ("CCO" in ligands(pairs)["T"]) is counts
    assert pairs.n_inactive == (not counts)


def test_nothing_and_nothing_active_are_refused() -> None:
    with pytest.raises(TableError, match="no compounds"):
        read([Entry(1, refusal=BLANK)])
    with pytest.raises(OutcomeError, match="of 1 lines none"):
        read([Entry(1, "CCO", activity="5", more=("T",))], Active(Scale("p"), 6.0))
    with pytest.raises(OutcomeError):
        read([Entry(1, "C1CC", more=("T",))])
