"""Drawings of contributions: discs where they belong, in the colour of their sign, a legend, nothing loaded."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from rdkit import Chem

from iatros.core.errors import InputError
from iatros.molecules.depicting import draw_contributions

SVG = "{http://www.w3.org/2000/svg}"
NITROBENZENE = "O=[N+]([O-])c1ccccc1"


def _discs(svg: str) -> dict[int, tuple[float, str]]:
    """Radius and colour of the disc behind each atom."""
    found = {}
    for disc in ET.fromstring(svg).iter(f"{SVG}ellipse"):
        colour = re.search("fill:(#[0-9A-F]{6})", disc.attrib["style"])
        found[int(disc.attrib["class"].removeprefix("atom-"))] = (float(disc.attrib["rx"]), colour.group(1))
    return found


def _warm(colour: str) -> bool:
    return int(colour[1:3], 16) > int(colour[5:7], 16)


def test_discs_lie_behind_their_atoms_by_sign_and_size() -> None:
    values = [0.4, 0.2, 0.001, -0.4, 0.0, 0.0, 0.0, 0.0, -0.1]
    discs = _discs(draw_contributions(NITROBENZENE, values, 0.4))
    assert set(discs) == {0, 1, 3, 8}
    assert {atom for atom, (_, colour) in discs.items() if _warm(colour)} == {0, 1}
    assert discs[0][0] == discs[3][0] > discs[1][0] > discs[8][0]


def test_discs_lie_where_the_atoms_are() -> None:
    root = ET.fromstring(draw_contributions("CCCCCCO", [0.5, 0, 0, 0, 0, 0, -0.5], 0.5))
    warm, cold = (
        next(e for e in root.iter(f"{SVG}ellipse") if e.attrib["class"] == f"atom-{atom}") for atom in (0, 6)
    )
    bonds = [e.attrib for e in root.iter(f"{SVG}path") if "bond-0 atom-0 atom-1" in e.attrib.get("class", "")]
    start = re.match(r"M ([\d.]+),([\d.]+)", bonds[0]["d"])
    assert float(warm.attrib["cx"]) == pytest.approx(float(start.group(1)), abs=1)
    assert float(warm.attrib["cy"]) == pytest.approx(float(start.group(2)), abs=1)
    assert abs(float(cold.attrib["cx"]) - float(warm.attrib["cx"])) > 100


def test_the_legend_has_the_scale_and_the_words() -> None:
    svg = draw_contributions("CCO", [0.1, 0.2, -0.4], 0.8, title="ethanol", unit="log units")
    texts = [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]
    assert texts == ["−0.8", "−0.4", "−0.2", "+0.2", "+0.4", "+0.8", "lowers", "raises", "log units"]
    assert "<title>ethanol</title>" in svg


def test_the_strongest_atoms_bear_their_number_with_its_sign() -> None:
    """RDKit draws notes as outlines: each sign and each figure is one path, and no glyph may be lost."""
    glyphs = [
        len(re.findall("class='note'", draw_contributions("CCCCCCO", [0, 0, 0, value, 0, 0, 0], 0.5)))
        for value in (0.35, -0.35, 0.05)
    ]
    assert glyphs == [5, 5, 0]


def test_nothing_is_loaded_and_what_is_given_is_escaped() -> None:
    svg = draw_contributions("CCO", [0.1, 0.2, -0.4], 0.4, title='<script>"&', unit="<b>")
    assert "<script" not in svg
    assert "<b>" not in svg
    ET.fromstring(svg)
    assert not re.search(r"href|url\(|@import|@font-face|<image", svg)
    assert svg == draw_contributions("CCO", [0.1, 0.2, -0.4], 0.4, title='<script>"&', unit="<b>")


def test_a_compound_that_no_atom_changes_is_drawn_without_discs() -> None:
    svg = draw_contributions("c1ccccc1", [0.0] * 6, 0.0)
    assert _discs(svg) == {}
    ET.fromstring(svg)


@pytest.mark.parametrize(
    "smiles", ["[Na+].[Cl-]", "C", "C" * 190, "OC[C@@H]1O[C@H](O)[C@H](O)[C@@H](O)[C@@H]1O"]
)
def test_unusual_structures_are_drawn(smiles: str) -> None:
    n = Chem.MolFromSmiles(smiles).GetNumAtoms()
    ET.fromstring(draw_contributions(smiles, [1.0] * n, 1.0))


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="3 atoms"):
        draw_contributions("CCO", [0.1, 0.2], 1.0)
    with pytest.raises(InputError, match="finite"):
        draw_contributions("CCO", [0.1, float("nan"), 0.0], 1.0)
    with pytest.raises(InputError, match="scale"):
        draw_contributions("CCO", [0.1, 2.0, 0.0], 1.0)
    with pytest.raises(InputError, match="SMILES"):
        draw_contributions("C1CC", [0.1, 2.0, 0.0], 3.0)
