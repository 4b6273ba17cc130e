"""ChemNet's activations against fcd-torch's own, and the distance against its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import linalg

from iatros.core.context import Context
from iatros.core.errors import InputError
from iatros.engines import open_engine
from iatros.molecules.distribution import chemnet, frechet
from iatros.molecules.distribution.chemnet import Moments

pytest.importorskip("fcd_torch", reason="fcd-torch is not installed")

ODD = ["C", "CC[Se]C", "C[C@H](N)C(=O)O.Cl", "C" * 360, "[Na+].[Cl-]", "BrCCl", "C" * 349]


def test_activations_are_those_of_fcd_torch(drugs: Any) -> None:
    from fcd_torch import FCD

    smiles = [*drugs.reference[:40], *ODD]
    expected = FCD(batch_size=16, canonize=False).get_predictions(smiles)
    found = chemnet.activations(smiles)
    assert np.abs(found - expected).max() < 1e-4
    assert np.ptp(expected, axis=0).max() > 0.5


def test_an_activation_depends_on_no_neighbour(drugs: Any) -> None:
    together = chemnet.activations(drugs.reference[:20])
    alone = np.concatenate([chemnet.activations([one]) for one in drugs.reference[:3]])
    assert np.abs(together[:3] - alone).max() < 1e-5


def test_moments_are_those_of_the_activations_with_repeats(drugs: Any) -> None:
    smiles = [*drugs.reference[:30], *drugs.reference[:7]]
    found = chemnet.moments(smiles, Context())
    rows = chemnet.activations(smiles).astype(float)
    assert found.n == 37
    assert found.mean == pytest.approx(rows.mean(axis=0), abs=1e-5)
    assert found.covariance == pytest.approx(np.cov(rows.T), abs=1e-5)


def test_moments_are_the_same_bytes_on_one_worker_and_on_two(drugs: Any) -> None:
    smiles = drugs.reference[:270]
    alone = chemnet.moments(smiles, Context())
    with open_engine("processes", 2) as engine:
        shared = chemnet.moments(smiles, Context(engine=engine))
    assert alone.mean.tobytes() == shared.mean.tobytes()
    assert alone.covariance.tobytes() == shared.covariance.tobytes()


def _moments(seed: int, shift: float) -> Moments:
    rows = np.random.default_rng(seed).normal(size=(400, 20)) @ np.diag(np.linspace(0.5, 2, 20)) + shift
    return Moments(400, rows.mean(axis=0), np.cov(rows.T))


def test_the_distance_is_that_of_the_formula() -> None:
    one, other = _moments(0, 0.0), _moments(1, 0.3)
    root = linalg.sqrtm(one.covariance @ other.covariance).real
    apart = one.mean - other.mean
    expected = apart @ apart + np.trace(one.covariance + other.covariance - 2 * root)
    assert frechet.distance(one, other) == pytest.approx(expected, abs=1e-8)
    assert frechet.distance(one, other) == pytest.approx(frechet.distance(other, one), abs=1e-9)
    assert frechet.distance(one, one) == pytest.approx(0.0, abs=1e-9)


def test_one_compound_has_no_distance() -> None:
    with pytest.raises(InputError, match="two compounds"):
        frechet.distance(Moments(1, np.zeros(2), np.eye(2)), _moments(0, 0.0))
