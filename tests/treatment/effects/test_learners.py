from dataclasses import replace

import numpy as np
import pytest
from tests.treatment.effects.conftest import simulated

from iatros.core.context import Context
from iatros.core.errors import UnknownNameError
from iatros.engines import open_engine
from iatros.treatment.effects.individual import individual_effects
from iatros.treatment.effects.learners import NEED_SCORES
from iatros.treatment.effects.nuisance import fit_nuisances
from iatros.treatment.effects.selection import (
    Candidate,
    candidates,
    fit_candidate,
    pieces_of,
    r_losses,
    select,
)

LEARNERS = [
    Candidate("s", "ridge"), Candidate("t", "ridge"), Candidate("x", "ridge"), Candidate("dr", "ridge"),
    Candidate("t", "gp"),
]  # fmt: skip


def pieces(cohort, candidate=None):
    scores = candidate is None or candidate.learner in NEED_SCORES
    return pieces_of(cohort, bases=("ridge",), censoring="kaplan-meier", folds=3, seed=0, scores=scores)


@pytest.mark.parametrize("candidate", LEARNERS, ids=lambda one: one.name)
@pytest.mark.parametrize("arms", [2, 3])
def test_each_learner_finds_effects_that_are_there(candidate, arms):
    cohort, effect = simulated(n=700, arms=arms)
    found = fit_candidate(candidate, pieces(cohort, candidate), 0).effects(cohort.X)
    assert found.shape == (700, arms - 1)
    spread = effect.std(axis=0)
    assert (np.sqrt(((found - effect) ** 2).mean(axis=0)) < 0.45 * spread).all()


def test_the_causal_forest_of_econml_is_better_than_one_effect_for_all_and_knows_its_error():
    cohort, effect = simulated(n=700)
    learned = fit_candidate(Candidate("causal-forest", "ridge"), pieces(cohort), 0)
    found = learned.effects(cohort.X)
    assert np.sqrt(((found - effect) ** 2).mean()) < 0.75 * effect.std()
    assert (learned.deviations(cohort.X) > 0).all()


def test_the_constant_is_the_average_with_its_error():
    cohort, _ = simulated(n=300, arms=3)
    every = pieces(cohort)
    learned = fit_candidate(Candidate("constant", "ridge"), every, 0)
    pseudo = every.scored.pseudo(2)
    np.testing.assert_allclose(learned.effects(cohort.X[:4])[:, 1], pseudo.mean())
    np.testing.assert_allclose(learned.deviations(cohort.X[:4])[:, 1], pseudo.std(ddof=1) / np.sqrt(300))


def test_effects_on_a_probability_stay_within_one():
    cohort, _ = simulated(n=300, kind="binary")
    for candidate in LEARNERS[:2] + LEARNERS[4:]:
        found = fit_candidate(candidate, pieces(cohort, candidate), 0).effects(3 * cohort.X)
        assert (np.abs(found) <= 1).all()


def test_the_loss_by_hand():
    cohort, _ = simulated(n=80)
    nuisances = replace(fit_nuisances(cohort, folds=2), weight=np.linspace(0.5, 2, 80))
    tau = np.linspace(-1, 1, 80)[:, None]
    expected = nuisances.e[:, 0] * nuisances.mu[:, 0] + nuisances.e[:, 1] * nuisances.mu[:, 1]
    by_hand = nuisances.weight * (cohort.y - expected - (cohort.arm - nuisances.e[:, 1]) * tau[:, 0]) ** 2
    np.testing.assert_allclose(r_losses(cohort, nuisances, tau), by_hand)


def test_auto_takes_a_learner_where_effects_differ_and_the_constant_where_they_do_not():
    offered = [Candidate("constant", "ridge"), *LEARNERS[:4]]
    for slope, expected in ((1.5, False), (0.0, True)):
        cohort, _ = simulated(n=500, slope=slope, confounded=False, seed=3)
        chosen = select(cohort, fit_nuisances(cohort), offered, Context())
        assert (chosen.candidate.name == "constant") is expected
        assert chosen.compared[0].over_constant.value == 0
        best = min(chosen.compared, key=lambda one: one.loss)
        assert best.candidate == chosen.candidate


def test_the_comparison_is_the_same_on_any_engine():
    cohort, _ = simulated(n=200)
    nuisances = fit_nuisances(cohort)
    offered = [Candidate("constant", "ridge"), Candidate("t", "ridge")]
    alone = select(cohort, nuisances, offered, Context())
    engine = open_engine("processes", workers=2)
    try:
        together = select(cohort, nuisances, offered, Context(engine=engine))
    finally:
        engine.close()
    np.testing.assert_array_equal(alone.effects["t-ridge"], together.effects["t-ridge"])


def test_what_is_offered_follows_the_request_and_the_size():
    cohort, _ = simulated(n=100)
    names = [one.name for one in candidates(cohort, "auto", "auto")]
    assert names[0] == "constant"
    assert {"t-gp", "s-ridge", "x-ridge", "dr-forest"} <= set(names)
    large = replace(cohort, **{k: np.resize(getattr(cohort, k), 4000) for k in ("arm", "y")}, groups=np.arange(4000),
                    X=np.resize(cohort.X, (4000, 4)))  # fmt: skip
    assert "t-gp" not in [one.name for one in candidates(large, "auto", "auto")]
    assert [one.name for one in candidates(cohort, "x", "forest")] == ["constant", "x-forest"]
    assert [one.name for one in candidates(cohort, "constant", "auto")] == ["constant"]
    assert [one.name for one in candidates(cohort, "causal-forest", "gp")] == ["constant", "causal-forest"]
    with pytest.raises(UnknownNameError, match="learner"):
        candidates(cohort, "r", "auto")


@pytest.mark.parametrize("candidate", [LEARNERS[1], LEARNERS[3], LEARNERS[4]], ids=lambda one: one.name)
def test_intervals_of_individual_effects_hold_most_of_them_and_narrow_with_more_subjects(candidate):
    widths = []
    for n in (200, 800):
        cohort, effect = simulated(n=n, seed=7)
        every = pieces(cohort, candidate)
        learned = fit_candidate(candidate, every, 0)
        found = individual_effects(every, learned, candidate, cohort.X[:200], Context(), resamples=24, seed=1)
        assert (found.low < found.value).all()
        held = (found.low <= effect[:200]) & (effect[:200] <= found.high)
        assert held.mean() > 0.75
        widths.append((found.high - found.low).mean())
        assert ("halves" in found.method) is (candidate.base != "gp")
    assert widths[1] < 0.75 * widths[0]


def test_the_same_seed_gives_the_same_intervals():
    cohort, _ = simulated(n=120)
    candidate = Candidate("t", "ridge")
    every = pieces(cohort, candidate)
    learned = fit_candidate(candidate, every, 0)
    first, second, other = (
        individual_effects(every, learned, candidate, cohort.X[:5], Context(), resamples=20, seed=seed)
        for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first.low, second.low)
    assert not np.array_equal(first.low, other.low)
