"""Small lopsided assays whose answer is known: each chlorine adds, each hydroxyl takes away half as much."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from iatros.core.task import Target
from iatros.learners.compounds.compounds import Compounds
from iatros.molecules.assay import Assay

_CORES = (
    "c1ccccc1{}", "c1ccncc1{}", "c1ccc2ccccc2c1{}", "C1CCCCC1{}", "c1ccsc1{}", "C1CCOC1{}", "c1cc[nH]c1{}",
    "CC(=O)N{}", "CCN(CC){}", "C1CCNCC1{}", "c1ccc(cc1)C(=O)N{}", "CS(=O)(=O)N{}", "CCC(C){}", "c1cnc2[nH]ccc2c1{}",
)  # fmt: skip
_TAILS = ("C", "CCl", "CCCl", "CO", "CC(Cl)Cl", "CCO", "CF", "CC(O)CCl", "CC#N", "CCC(C)C", "CC(Cl)CO", "CCOC",
          "C(Cl)(Cl)Cl", "CCCC", "CC(O)CO", "CCN")  # fmt: skip


def made_assay(
    task: str = "continuous", *, endpoints: int = 1, bounds: float = 0.0, missing: float = 0.0, seed: int = 0
) -> Assay:
    """An assay of 224 compounds in groups by core; endpoints after the first are the first one's negative.

    Of a share of `bounds` of the values it is only known that they lie above a bound, which is 4 too low.
    """
    rng = np.random.default_rng(seed)
    smiles = [core.format(tail) for core in _CORES for tail in _TAILS]
    groups = np.repeat(np.arange(len(_CORES)), len(_TAILS))
    order = rng.permutation(len(smiles))
    smiles, groups = [smiles[at] for at in order], groups[order]
    signal = np.array([one.count("Cl") - 0.5 * one.count("O") for one in smiles])
    columns = []
    for column in range(endpoints):
        value = (1.0 if column == 0 else -1.0) * signal + rng.normal(0.0, 0.15, len(smiles))
        columns.append(5.0 + 2.0 * value if task == "continuous" else (value > 0.3).astype(float))
    y = np.stack(columns, axis=1)
    bound = np.zeros(y.shape, dtype=np.int8)
    loose = rng.random(y.shape) < bounds
    if task == "continuous":
        y[loose], bound[loose] = y[loose] - 4.0, 1
    holes = rng.random(y.shape) < missing
    y[holes], bound[holes] = np.nan, 0
    classes = ("inactive", "active") if task == "binary" else ()
    targets = tuple(Target(f"endpoint {at}", task, classes) for at in range(endpoints))  # type: ignore[arg-type]
    return Assay(Compounds(smiles), y, bound, targets, groups)


@pytest.fixture(scope="session")
def make_assay() -> Callable[..., Assay]:
    """`make_assay(task, endpoints=1, bounds=0.0, missing=0.0, seed=0)`."""
    return made_assay
