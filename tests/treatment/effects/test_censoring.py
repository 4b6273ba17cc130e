import numpy as np
import pandas as pd
import pytest

from iatros.treatment.effects.censoring import _cox_coefficients, inverse_censoring_weights
from iatros.treatment.effects.schema import EffectCohort, outcome_at_horizon


def timed(n=300, seed=3, horizon=1.2):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=n), rng.gamma(2.0, 0.5, n)])
    arm = (rng.random(n) < 0.35).astype(np.int64)
    dies = rng.exponential(np.exp(0.4 * X[:, 0] + 0.5 * arm))
    leaves = rng.exponential(2.0 * np.exp(-0.5 * X[:, 0]))
    time, event = np.minimum(dies, leaves), (dies <= leaves).astype(np.int64)
    y = outcome_at_horizon(time, event, horizon, "survival")
    cohort = EffectCohort(
        X,
        ("a", "b"),
        arm,
        ("no", "yes"),
        y,
        np.arange(n),
        kind="time-to-event",
        time=time,
        event=event,
        horizon=horizon,
    )
    return cohort, dies


def test_weights_are_one_over_kaplan_meier_of_censoring_as_lifelines_has_it():
    from lifelines import KaplanMeierFitter

    cohort, _ = timed()
    weight = inverse_censoring_weights(cohort, cohort)
    assert (weight[~cohort.known] == 0).all()
    for arm in (0, 1):
        rows = np.flatnonzero((cohort.arm == arm) & cohort.known)
        inside = cohort.arm == arm
        fitted = KaplanMeierFitter().fit(cohort.time[inside], 1 - cohort.event[inside])
        # just before: a subject cannot be censored earlier than when it was seen
        until = np.minimum(cohort.time[rows], cohort.horizon) - 1e-9
        expected = 1 / fitted.survival_function_at_times(until).to_numpy()
        np.testing.assert_allclose(weight[rows], expected, rtol=1e-10)


def test_weights_restore_the_share_that_censoring_hides():
    cohort, dies = timed(n=4000, seed=8)
    truth = (dies > cohort.horizon).mean()
    for model, most in (("cox", 0.025), ("kaplan-meier", 0.05)):
        weight = inverse_censoring_weights(cohort, cohort, model)
        found = np.nansum(weight * np.nan_to_num(cohort.y)) / len(cohort)
        assert found == pytest.approx(truth, abs=most), model


def test_coefficients_of_the_cox_model_are_those_of_lifelines():
    from lifelines import CoxPHFitter

    cohort, _ = timed()
    order = np.argsort(cohort.time)
    Z, happened = cohort.X[order], cohort.event[order] == 1
    ours = _cox_coefficients(Z, cohort.time[order], happened, penalty=1e-9)
    frame = pd.DataFrame(Z, columns=["a", "b"]).assign(time=cohort.time[order], event=happened.astype(int))
    theirs = CoxPHFitter().fit(frame, "time", "event").params_
    np.testing.assert_allclose(ours, theirs[["a", "b"]], atol=1e-5)


def test_where_nothing_is_censored_every_weight_is_one(cohort):
    assert (inverse_censoring_weights(cohort, cohort) == 1).all()
    whole, _ = timed()
    told = EffectCohort(
        whole.X, whole.names, whole.arm, whole.arms,
        outcome_at_horizon(whole.time, np.ones(len(whole)), whole.horizon, "survival"), whole.groups,
        kind="time-to-event", time=whole.time, event=np.ones(len(whole), dtype=int), horizon=whole.horizon,
    )  # fmt: skip
    for model in ("kaplan-meier", "cox"):
        assert (inverse_censoring_weights(told, told, model) == 1).all()
