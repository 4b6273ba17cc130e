"""The surrogate: its posterior by hand on a small case, and that it finds what is alike."""

from __future__ import annotations

import random

import numpy as np
import pytest

from iatros.molecules.optimisers.diversity import scaffold
from iatros.molecules.optimisers.guide import Guide
from iatros.molecules.optimisers.surrogate import Describer, Surrogate, kernel
from iatros.molecules.optimisers.teaching import written_anew

ALCOHOLS = [f"{'C' * n}O" for n in range(2, 12)]
ARENES = [f"{'C' * n}c1ccccc1" for n in range(1, 11)]


def test_the_kernel_is_the_mean_of_two_similarities() -> None:
    bits = Describer()(["CCO", "CCO", "c1ccccc1"])
    found = kernel(bits, bits)
    np.testing.assert_allclose(np.diag(found), 1.0)
    assert found[0, 1] == 1.0
    assert 0 <= found[0, 2] < 0.2


def test_the_posterior_is_that_of_the_textbook() -> None:
    describe = Describer()
    known, asked = describe(["CCCO", "CCCCO", "c1ccccc1"]), describe(["CCCCCO", "CCCO"])
    scores = np.array([0.2, 0.6, 0.1])
    surrogate = Surrogate(noise=0.1)
    surrogate.fit(known, scores)
    expected, spread = surrogate.predict(asked)
    # Rasmussen and Williams 2006, equations 2.25 and 2.26, on standardised scores, with the noise in the spread
    inverse = np.linalg.inv(kernel(known, known) + 0.1 * np.eye(3))
    across = kernel(asked, known)
    standard = (scores - scores.mean()) / scores.std()
    np.testing.assert_allclose(
        expected, across @ inverse @ standard * scores.std() + scores.mean(), rtol=1e-9
    )
    variance = 1.1 - np.einsum("ij,jk,ik->i", across, inverse, across)
    np.testing.assert_allclose(spread, np.sqrt(variance) * scores.std(), rtol=1e-9)


def test_equal_scores_do_no_harm() -> None:
    describe = Describer()
    surrogate = Surrogate()
    surrogate.fit(describe(["CCO", "CCN"]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(surrogate.predict(describe(["CCC"]))[0], 0.5)


def test_a_guide_prefers_what_is_like_the_good_ones() -> None:
    known = [*ALCOHOLS * 3, *ARENES * 3]
    rewards = [1.0] * 30 + [0.0] * 30
    candidates = [f"CC{text}" for text in (*ALCOHOLS, *ARENES)]
    chosen = Guide(bounds=(0.0,)).choose(candidates, 8, known, rewards, random.Random(0))
    assert all("c" not in text for text in chosen)


def test_a_guide_that_knows_too_little_draws_at_random() -> None:
    chosen = Guide().choose(ARENES, 3, ALCOHOLS, [1.0] * 10, random.Random(0))
    assert len(set(chosen)) == 3
    assert Guide().choose(ARENES, 99, ALCOHOLS, [1.0] * 10, random.Random(0)) == ARENES


def test_what_cannot_be_read_again_is_like_nothing_and_written_nowhere(
    capfd: pytest.CaptureFixture[str],
) -> None:
    unreadable = "c1cccc1"  # as RDKit says of its own SMILES of a few edited molecules
    bits = Describer()([unreadable, "c1ccccc1"])
    assert kernel(bits, bits)[0, 1] == 0.0
    assert written_anew(unreadable, random.Random(0)) == unreadable
    assert scaffold(unreadable) == ""
    assert capfd.readouterr() == ("", "")
