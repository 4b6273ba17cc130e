"""Values by hand, by their properties, and their intervals against the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core.errors import InputError
from iatros.core.intervals import t_quantile
from iatros.treatment.policies.values import (
    METHODS,
    Observed,
    bootstrapped,
    difference,
    effective_size,
    interval,
    standard_error,
    value_of,
)


def by_hand() -> Observed:
    """Four patients, arm b with probability .2, .4, .5 and .8."""
    b = np.array([0.2, 0.4, 0.5, 0.8])
    return Observed(
        ("a", "b"),
        np.array([0, 1, 0, 1]),
        np.array([1.0, 4.0, 3.0, 2.0]),
        np.column_stack([1 - b, b]),
        np.array([[1.0, 2.0], [0.0, 5.0], [4.0, -1.0], [2.0, 3.0]]),
    )


RULE = np.array([0, 1, 1, 1])


def test_three_estimators_by_hand() -> None:
    """Those who got what the rule names: patients 1, 2 and 4, with weights 1/.8, 1/.4 and 1/.8."""
    seen = by_hand()
    assert value_of(seen, RULE).value == pytest.approx((1.0 + 5.0 - 1.0 + 3.0) / 4)
    total = 1.25 * 1.0 + 2.5 * 4.0 + 1.25 * 2.0
    assert value_of(seen, RULE, "weighting").value == pytest.approx(total / 4)
    assert value_of(seen, RULE, "self-normalised").value == pytest.approx(total / 5.0)
    assert value_of(seen, RULE).effective_n == pytest.approx(25.0 / (1.25**2 + 2.5**2 + 1.25**2))


def test_the_interval_by_hand() -> None:
    seen = by_hand()
    metric = interval(value_of(seen, RULE))
    error = np.std([1.0, 5.0, -1.0, 3.0], ddof=1) / 2
    assert metric.high - metric.value == pytest.approx(3.182446 * error)
    assert metric.low == pytest.approx(2 * metric.value - metric.high)
    assert metric.n == 4
    assert "4 patients" in metric.interval
    weight = np.array([1.25, 2.5, 0.0, 1.25])
    y = seen.y
    value = float(weight @ y / weight.sum())
    influence = weight * (y - value) / 1.25
    metric = interval(value_of(seen, RULE, "self-normalised"))
    assert metric.high - value == pytest.approx(
        t_quantile(0.95, 3) * math.sqrt(4 / 3 * influence @ influence) / 4
    )


def test_a_difference_is_paired() -> None:
    """Two rules that differ for one patient differ by that patient alone."""
    seen = by_hand()
    other = np.array([0, 1, 0, 1])
    gap = difference(value_of(seen, RULE), value_of(seen, other))
    each = np.array([0.0, 0.0, -5.0, 0.0])
    assert gap.value == pytest.approx(each.mean())
    assert gap.high - gap.value == pytest.approx(t_quantile(0.95, 3) * each.std(ddof=1) / 2)


def test_rows_of_one_patient_count_once() -> None:
    """Four rows of two patients: the error is that of two sums, by hand."""
    influence = np.array([1.0, 2.0, -4.0, 1.0])
    error, n_groups = standard_error(influence, np.array([7, 7, 3, 3]))
    assert n_groups == 2
    assert error == pytest.approx(math.sqrt(2 / 1 * (3.0**2 + 3.0**2)) / 4)
    seen = by_hand()
    twice = np.repeat(np.arange(4), 2)
    doubled = seen.take(twice)
    doubled = Observed(
        seen.arms,
        doubled.arm,
        doubled.y,
        doubled.propensity,
        doubled.gamma,
        groups=np.array(list("aabbccdd")),
    )
    for method in METHODS:
        one, other = (interval(value_of(s, r, method)) for s, r in ((seen, RULE), (doubled, RULE[twice])))
        assert (one.value, one.low) == pytest.approx((other.value, other.low))


def test_censored_outcomes_count_through_their_weights() -> None:
    seen = by_hand()
    weight = np.array([2.0, 0.0, 1.0, 1.5])
    y = np.array([1.0, np.nan, 3.0, 2.0])
    partly = Observed(seen.arms, seen.arm, y, seen.propensity, seen.gamma, weight)
    assert value_of(partly, RULE, "weighting").value == pytest.approx((2.5 * 1.0 + 1.875 * 2.0) / 4)
    assert value_of(partly, RULE, "self-normalised").value == pytest.approx((2.5 + 3.75) / (2.5 + 1.875))


def test_nobody_was_given_what_the_rule_names() -> None:
    seen = by_hand().take(np.array([0, 2]))
    rule = np.array([1, 1])
    for method in METHODS:
        metric = interval(value_of(seen, rule, method))
        assert math.isnan(metric.value)
        assert "no patient counts" in metric.interval


def test_what_is_no_rule_is_refused() -> None:
    seen = by_hand()
    with pytest.raises(InputError, match="one arm"):
        value_of(seen, np.array([0, 1]))
    with pytest.raises(InputError, match="one arm"):
        value_of(seen, np.array([0.0, 1.0, 1.0, 0.0]))
    with pytest.raises(InputError, match="outside 0 to 1"):
        value_of(seen, np.array([0, 1, 2, 0]))
    with pytest.raises(InputError, match=r"shape \(4, 2\)"):
        Observed(seen.arms, seen.arm, seen.y, seen.propensity[:, :1], seen.gamma)
    with pytest.raises(InputError, match="weight"):
        Observed(seen.arms, seen.arm, seen.y, seen.propensity, seen.gamma, np.ones(3))


def draw(rng: np.random.Generator, n: int, k: int = 3) -> tuple[Observed, np.ndarray]:
    """A cohort with nonsense scores, and a rule."""
    e = rng.dirichlet(np.full(k, 4.0), size=n)
    arm = np.array([rng.choice(k, p=row) for row in e])
    gamma = rng.normal(size=(n, k))
    return Observed(tuple("abc"[:k]), arm, rng.normal(size=n), e, gamma), rng.integers(0, k, n)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.integers(4, 30))
def test_properties(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    seen, rule = draw(rng, n)
    order = rng.permutation(n)
    for method in METHODS:
        value = value_of(seen, rule, method)
        if not value.effective_n:
            continue
        metric = interval(value)
        assert metric.value == pytest.approx(interval(value_of(seen.take(order), rule[order], method)).value)
        assert metric.low == pytest.approx(interval(value_of(seen.take(order), rule[order], method)).low)
        assert value.influence.sum() == pytest.approx(0.0, abs=1e-6 * n)
        assert 1 <= value.effective_n <= n + 1e-9
        same = difference(value, value)
        assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    for arm in range(3):
        everyone = value_of(seen, np.full(n, arm))
        if everyone.effective_n:
            assert everyone.value == pytest.approx(seen.gamma[:, arm].mean())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.floats(-1000, 1000))
def test_an_origin_moves_the_self_normalised_value_as_much(seed: int, shift: float) -> None:
    seen, rule = draw(np.random.default_rng(seed), 25)
    moved = Observed(seen.arms, seen.arm, seen.y + shift, seen.propensity, seen.gamma)
    one, other = (interval(value_of(s, rule, "self-normalised")) for s in (seen, moved))
    assert other.value == pytest.approx(one.value + shift, abs=1e-8)
    assert other.high - other.low == pytest.approx(one.high - one.low, abs=1e-8)


def test_the_bootstrap_agrees_with_the_influence_function() -> None:
    seen, rule = draw(np.random.default_rng(4), 800)
    groups = np.repeat(np.arange(400), 2)
    seen = Observed(seen.arms, seen.arm, seen.y, seen.propensity, seen.gamma, groups=groups)
    other = np.zeros(800, dtype=np.int64)
    for method in METHODS:
        value, base = value_of(seen, rule, method), value_of(seen, other, method)
        for direct, drawn in (
            (interval(value), bootstrapped(value)),
            (difference(value, base), bootstrapped(value, base)),
        ):
            assert drawn.value == direct.value
            assert drawn.high - drawn.low == pytest.approx(direct.high - direct.low, rel=0.12)
            assert drawn.low == pytest.approx(direct.low, abs=0.15 * (direct.high - direct.low))
            assert "400 patients" in drawn.interval
    assert bootstrapped(value, seed=3) == bootstrapped(value, seed=3)


def test_effective_size() -> None:
    assert effective_size(np.array([2.0, 2.0, 0.0])) == pytest.approx(2.0)
    assert effective_size(np.zeros(3)) == 0.0


def test_intervals_hold_the_known_value_of_a_rule() -> None:
    """300 trials of 150 patients, assigned 1 to 2; arm b has the effect x, the rule gives it where x > 0."""
    rng = np.random.default_rng(11)
    truth = 1 / math.sqrt(2 * math.pi)
    hits = dict.fromkeys(METHODS, 0)
    e = np.tile([1 / 3, 2 / 3], (150, 1))
    for _ in range(300):
        x = rng.normal(size=150)
        arm = (rng.random(150) < 2 / 3).astype(int)
        y = arm * x + rng.normal(size=150)
        mu = np.column_stack([0.2 * x, 0.7 * x])
        gamma = mu + (arm[:, None] == np.arange(2)) * (y[:, None] - mu) / e
        seen = Observed(("a", "b"), arm, y, e, gamma)
        for method in METHODS:
            metric = interval(value_of(seen, (x > 0).astype(int), method))
            hits[method] += metric.low <= truth <= metric.high
    assert all(0.91 <= count / 300 <= 0.985 for count in hits.values()), hits
