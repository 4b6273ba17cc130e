"""Structures drawn, plain, or with a disc for what each atom contributes: its colour the sign, its size how much."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from iatros.core.errors import InputError
from iatros.core.report.markup import Markup, element
from iatros.core.report.numbers import rounded
from iatros.core.report.style import BLUE, INK, MUTED, ORANGE

WIDTH, HEIGHT = 404, 320
_LEGEND = 46
_FAINT = 0.02
"""Share of the scale below which no disc is drawn."""
_LARGEST, _SMALLEST = 0.6, 0.2
"""Radii of the discs, in RDKit's lengths of a bond."""
_NOTED, _NOTES = 0.25, 4
"""Share of the scale from which the strongest atoms bear their number, so that colour is not needed, and how many."""


def draw_contributions(
    smiles: str,
    contributions: Sequence[float] | np.ndarray,
    scale: float,
    *,
    title: str = "",
    unit: str = "",
) -> str:
    """The structure as one SVG document, with a legend; fonts and pictures from elsewhere are not needed.

    `contributions` (atoms,) are counted as RDKit reads the atoms from `smiles`; orange discs raise the prediction,
    blue ones lower it, and one of the size and colour of `scale` is the largest. The strongest bear their number.
    InputError where the numbers do not fit the structure or are not finite.

    >>> draw_contributions("CCO", [0.0, 0.1, -0.2], 0.2).startswith("<svg")
    True
    """
    molecule = _read(smiles)
    values = np.asarray(contributions, dtype=float)
    if values.shape != (molecule.GetNumAtoms(),) or not np.isfinite(values).all():
        raise InputError(
            f"a finite contribution is needed for each of {molecule.GetNumAtoms()} atoms, got {values.shape}"
        )
    if not scale >= 0 or np.abs(values).max(initial=0.0) > scale * (1 + 1e-9):
        raise InputError("the scale must be at least the largest contribution")
    strength = values / scale if scale > 0 else np.zeros(len(values))
    words = f"{title or 'a structure'}: orange discs mark atoms that raise the prediction, blue ones lower it"
    svg: str = element(
        "svg",
        element("title", title or "Contributions of atoms"),
        element("desc", words),
        _structure(molecule, strength, scale),
        _legend(scale, unit),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {HEIGHT + _LEGEND}",
        width=WIDTH,
        height=HEIGHT + _LEGEND,
        role="img",
    )
    return str(svg)


def draw_structure(smiles: str, *, width: int = 220, height: int = 170, title: str = "") -> str:
    """The structure alone as one SVG document. InputError where the SMILES cannot be read.

    >>> draw_structure("CCO").startswith("<svg")
    True
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    options = drawer.drawOptions()
    options.useBWAtomPalette()
    options.padding = 0.06
    options.fixedBondLength = 24
    options.clearBackground = False
    drawer.DrawMolecule(rdMolDraw2D.PrepareMolForDrawing(_read(smiles)))
    drawer.FinishDrawing()
    svg: str = element(
        "svg",
        element("title", title or "a structure"),
        _inner(drawer),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
    )
    return str(svg)


def _inner(drawer: Any) -> Markup:
    """What RDKit drew, without the document around it."""
    found = re.sub(r"^.*?<!-- END OF HEADER -->|</svg>\s*$", "", drawer.GetDrawingText(), flags=re.DOTALL)
    return Markup(found.strip())


def _structure(molecule: Any, strength: np.ndarray, scale: float) -> Markup:
    from rdkit.Chem.Draw import rdMolDraw2D

    drawn = rdMolDraw2D.PrepareMolForDrawing(molecule, addChiralHs=False)
    shown = [atom for atom, share in enumerate(strength) if abs(share) > _FAINT]
    for atom in np.argsort(-np.abs(strength), kind="stable")[:_NOTES].tolist():
        if abs(strength[atom]) >= _NOTED:
            # RDKit's own font has no minus sign, and would leave it out
            note = _signed(strength[atom] * scale).replace("\u2212", "-")
            drawn.GetAtomWithIdx(atom).SetProp("atomNote", note)
    drawer = rdMolDraw2D.MolDraw2DSVG(WIDTH, HEIGHT)
    options = drawer.drawOptions()
    options.useBWAtomPalette()
    options.atomHighlightsAreCircles = True
    options.fillHighlights = True
    options.padding = 0.08
    options.fixedBondLength = 36
    options.annotationFontScale = 0.75
    options.clearBackground = False
    drawer.DrawMolecule(
        drawn,
        highlightAtoms=shown,
        highlightBonds=[],
        highlightAtomColors={atom: _colour(float(strength[atom])) for atom in shown},
        highlightAtomRadii={atom: _radius(float(strength[atom])) for atom in shown},
    )
    drawer.FinishDrawing()
    return _inner(drawer)


def _legend(scale: float, unit: str) -> Markup:
    """Discs from the strongest that lowers to the strongest that raises, with their values."""
    marks = []
    for place, share in enumerate((-1.0, -0.5, -0.25, 0.25, 0.5, 1.0)):
        x = WIDTH / 2 + (place - 2.5) * 40
        fill = "#" + "".join(f"{round(part * 255):02x}" for part in _colour(share))
        marks.append(element("circle", cx=x, cy=HEIGHT + 12, r=_radius(share) * 20, fill=fill))
        marks.append(_text(_signed(share * scale), x, HEIGHT + 38, "middle", INK))
    ends = (
        _text("lowers", WIDTH / 2 - 134, HEIGHT + 16, "end", MUTED),
        _text("raises", WIDTH / 2 + 134, HEIGHT + 16, "start", MUTED),
        _text(unit, WIDTH - 4, HEIGHT + 38, "end", MUTED) if unit else None,
    )
    return element("g", *marks, *ends, font_family="sans-serif", font_size=11)


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + rounded(value, 2)


def _text(said: str, x: float, y: float, anchor: str, fill: str) -> Markup:
    return element("text", said, x=x, y=y, text_anchor=anchor, fill=fill)


def _colour(strength: float) -> tuple[float, float, float]:
    """Orange above 0, blue below, paler towards 0."""
    full = ORANGE if strength > 0 else BLUE
    share = 0.25 + 0.55 * min(abs(strength), 1.0)
    red, green, blue = (1 - share * (1 - int(full[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return red, green, blue


def _radius(strength: float) -> float:
    return _SMALLEST + (_LARGEST - _SMALLEST) * min(abs(strength), 1.0) ** 0.5


def _read(smiles: str) -> Any:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise InputError("not a valid SMILES", cell=smiles, hint="give the structure as curated")
    return molecule
