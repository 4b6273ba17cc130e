"""The cards about molecules, and their tables against numbers that others published."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rdkit import Chem, rdBase

from iatros.core.cards import Card, read, verify
from iatros.core.domain import load
from iatros.molecules.datasets import CARDS


@pytest.mark.parametrize("card", list(CARDS), ids=CARDS.names())
def test_a_card_is_complete(card: Card) -> None:
    assert card.domain == "molecules"
    assert re.fullmatch(r"[a-z0-9-]+", card.name)
    assert card.page.startswith("https://")
    assert card.licence
    assert card.citation
    assert callable(load(card.loader))
    assert card.embedded == (not card.files)


@pytest.mark.parametrize(
    ("name", "rows", "unread"), [("solubility", 1282, 7), ("freesolv", 642, 0), ("approved-drugs", 2628, 0)]
)
def test_what_ships_with_a_dependency_is_read_whole(
    name: str, rows: int, unread: int, tmp_path: Path
) -> None:
    frame = read(CARDS[name], tmp_path)
    assert frame.height == rows
    with rdBase.BlockLogs():
        readable = [Chem.MolFromSmiles(text) is not None for text in frame["smiles"]]
    assert readable.count(False) == unread


def test_solubility_is_a_logarithm_and_keeps_the_split_it_comes_with(tmp_path: Path) -> None:
    frame = read(CARDS["solubility"], tmp_path)
    assert dict(frame.group_by("split").len().iter_rows()) == {"train": 1025, "test": 257}
    values = dict(zip(frame["name"], frame["logS"], strict=True))
    assert values["n-pentane"] == -3.18
    assert values["3-methylpentane"] == -3.68
    assert -12 < min(values.values()) < max(values.values()) < 2


@pytest.mark.parametrize(("name", "rows", "columns"), [("bbbp", 2050, 2), ("sider", 1427, 28)])
def test_files_have_the_hash_and_the_size_of_the_published_ones(
    name: str, rows: int, columns: int, shared_data: Path
) -> None:
    verify(CARDS[name], shared_data / "moleculenet")
    assert read(CARDS[name], shared_data / "moleculenet").shape == (rows, columns)
