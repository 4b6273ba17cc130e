"""Made-up series of compounds whose activity is known: a sum over core and substituent, with small noise."""

from __future__ import annotations

import random
from typing import Any

CORES = {
    "c1ccccc1": 2.0, "c1ccncc1": 0.4, "c1ccc2ccccc2c1": 3.1, "C1CCCCC1": 2.6, "C1CCNCC1": -0.3,
    "c1ccoc1": 1.1, "c1ccsc1": 1.7, "C1CCOCC1": 0.2, "c1ccc2[nH]ccc2c1": 1.9, "C1CCCC1": 2.2,
}  # fmt: skip
SUBSTITUENTS = {
    "C": 0.5, "CC": 1.0, "CCO": -0.9, "OC(=O)C": -1.2, "CN": -0.6, "Cl": 0.9, "N#C": -0.4, "FC(F)(F)": 1.1,
    "CO": 0.1, "CC(=O)N": -1.6,
}  # fmt: skip
"""More compounds of low than of high activity, and scaffolds of one to twelve compounds: nothing is symmetric."""


def compounds(n: int = 90, seed: int = 1) -> list[dict[str, Any]]:
    """Rows with `smiles`, `id`, `y` and its class `active` (a third of them), in a random order."""
    draw = random.Random(seed)
    rows = []
    for core, a in CORES.items():
        for substituent, b in SUBSTITUENTS.items():
            y = round(5.0 + a + b + draw.gauss(0, 0.1), 3)
            rows.append({"smiles": substituent + core, "y": y, "active": "yes" if y > 7.2 else "no"})
    draw.shuffle(rows)
    return [{**row, "id": f"c{number}"} for number, row in enumerate(rows[:n])]
