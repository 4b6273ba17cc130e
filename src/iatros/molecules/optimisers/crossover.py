"""Two compounds exchange parts: along a chain, across a ring, or one takes over a substituent of the other.

Cutting a single bond in chains and two bonds in rings follows Jensen 2019 (Chem. Sci. 10:3567); grafting a substituent
of a good compound onto another is the idea of retrieving fragments (Lee et al. 2024, arXiv:2411.12078).
"""

from __future__ import annotations

import random
from typing import Any

from iatros.molecules.optimisers.genes import Bond, Gene, joined

_LARGEST_GRAFT = 14
"""Heavy atoms of the largest substituent that is taken over."""


def crossed(first: Gene, second: Gene, rng: random.Random) -> Any:
    """An editable molecule with parts of both, or None where they could not be put together."""
    kind = rng.choices((in_chain, in_ring, graft), (50, 25, 25))[0]
    return kind(first, second, rng)


def in_chain(first: Gene, second: Gene, rng: random.Random) -> Any:
    """A part of each, on one side of a single bond outside rings, bound to each other."""
    one, other = _half(first, rng), _half(second, rng)
    if one is None or other is None:
        return None
    return joined(first, one[0], second, other[0], [(one[1], other[1], 1)])


def graft(first: Gene, second: Gene, rng: random.Random) -> Any:
    """The first with a substituent of the second at an atom with room."""
    places, part = first.open_atoms, _half(second, rng)
    if part is None or not places:
        return None
    if len(part[0]) > _LARGEST_GRAFT:
        return None
    return joined(first, set(range(len(first))), second, part[0], [(rng.choice(places), part[1], 1)])


def in_ring(first: Gene, second: Gene, rng: random.Random) -> Any:
    """A part of each, on one side of two bonds of a ring, closed to a new ring."""
    one, other = _arc(first, rng), _arc(second, rng)
    if one is None or other is None:
        return None
    (kept, ends), (kept_other, ends_other) = one, other
    if rng.random() < 0.5:
        ends_other = ends_other[::-1]
    if ends[0][0] == ends[1][0] and ends_other[0][0] == ends_other[1][0]:
        return None
    bonds = [(a, b, min(order, order_b)) for (a, order), (b, order_b) in zip(ends, ends_other, strict=True)]
    return joined(first, kept, second, kept_other, bonds)


def _half(one: Gene, rng: random.Random) -> tuple[set[int], int] | None:
    """Atoms on one side of a single bond outside rings, and the atom that is left with room."""
    bonds = [bond for bond in one.bonds if bond.order == 1 and not bond.in_ring]
    if not bonds:
        return None
    bond = rng.choice(bonds)
    begin, end = (bond.begin, bond.end) if rng.random() < 0.5 else (bond.end, bond.begin)
    return one.side(begin, [(begin, end)]), begin


def _arc(one: Gene, rng: random.Random) -> tuple[set[int], list[tuple[int, int]]] | None:
    """Atoms on one side of two bonds of a ring, and for each bond the atom that is left and the bond's order.

    None where cutting two bonds does not part the compound, as in fused rings across the shared bond's sides.
    """
    if not one.rings:
        return None
    ring = rng.choice(one.rings)
    orders = {frozenset((bond.begin, bond.end)): bond for bond in one.bonds}
    around: list[tuple[int, int, Bond]] = [
        (a, b, orders[frozenset((a, b))]) for a, b in zip(ring, (*ring[1:], ring[0]), strict=True)
    ]
    (a, b, cut), (c, d, cut_too) = rng.sample(around, 2)
    kept = one.side(b, [(a, b), (c, d)])
    if a in kept:
        return None
    inner = c if c in kept else d
    if rng.random() < 0.5:
        kept = one.side(a, [(a, b), (c, d)])
        return kept, [(a, cut.order), (d if c == inner else c, cut_too.order)]
    return kept, [(b, cut.order), (inner, cut_too.order)]
