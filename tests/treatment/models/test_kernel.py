from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iatros.core.errors import BundleFormatError, FitError, InputError, LimitError
from iatros.treatment.models import kernel as module
from iatros.treatment.models.kernel import Kernel, KernelParams
from iatros.treatment.models.kernel_exposures import auroc, average_precision
from iatros.treatment.models.kernel_features import FeatureKernel
from iatros.treatment.responses.estimator import load_predictor
from iatros.treatment.responses.schema import (
    Ask,
    Block,
    Features,
    Responses,
    Subjects,
    Treatments,
)

N, M = 60, 14
NONE = np.empty(0, dtype=np.int64)


def features(n, seed, telling):
    """Numbers that tell (n, 2), a category of three levels and bits, in blocks."""
    rng = np.random.default_rng(seed)
    numbers = telling + 0.1 * rng.normal(size=(n, 2))
    category, bits = np.eye(3)[rng.integers(3, size=n)], (rng.random((n, 20)) < 0.3).astype(float)
    blocks = (
        Block("numbers", "numbers", 0, 2), Block("site", "categories", 2, 5), Block("bits", "bits", 5, 25)
    )  # fmt: skip
    return Features(np.hstack([numbers, category, bits]), blocks)


def truth(seed=0):
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(N, 2)), rng.normal(size=(M, 2))
    return u, v, 4.0 + rng.normal(size=M)[None, :] + u @ v.T


def made(outcome, *, seed=0, share=0.6, with_features=True):
    """Responses of 60 subjects to 14 treatments, of which `share` is there, and the noiseless truth."""
    u, v, value = truth(seed)
    rng = np.random.default_rng(seed + 1)
    seen = value + 0.3 * rng.normal(size=value.shape)
    if outcome == "binary":
        seen = (rng.random(value.shape) < 1 / (1 + np.exp(-2.0 * (value - 4.0)))).astype(float)
    if outcome == "implicit":
        taken = np.argsort(-seen, axis=1)[:, :5]
        given = np.zeros(value.shape, dtype=bool)
        np.put_along_axis(given, taken, values=True, axis=1)
        subject, treatment = np.nonzero(given & (rng.random(value.shape) < 0.8))
        y = np.full(len(subject), 2.0)
    else:
        subject, treatment = np.nonzero(rng.random(value.shape) < share)
        y = seen[subject, treatment]
    return Responses(
        tuple(f"s{k}" for k in range(N)), tuple(f"t{k}" for k in range(M)),
        subject.astype(np.int64), treatment.astype(np.int64), y, outcome,
        of_subjects=features(N, 2, u) if with_features else None,
        of_treatments=features(M, 3, v) if with_features else None,
    ), value  # fmt: skip


def every(responses, known=None, history=None):
    s, t = responses.shape
    known = np.arange(s) if known is None else known
    start, treatment, y = history or (np.zeros(s + 1, dtype=np.int64), NONE, np.empty(0))
    subjects = Subjects(known, start, treatment, y, responses.of_subjects)
    return Ask.every(subjects, Treatments(np.arange(t), responses.of_treatments))


def table(predictor, responses, **asked):
    return predictor.predict(every(responses, **asked)).reshape(responses.shape)


def fit(responses, newness="pairs", **params):
    return Kernel(KernelParams(**params)).fit(responses, newness=newness, seed=0)


@pytest.mark.parametrize("outcome", ["continuous", "binary", "implicit"])
@pytest.mark.parametrize("newness", ["pairs", "subjects", "treatments", "time"])
@pytest.mark.parametrize("with_features", [True, False])
def test_every_outcome_and_newness_is_learned_stored_and_read_again(outcome, newness, with_features):
    responses, _ = made(outcome, with_features=with_features)
    predictor, notes = fit(responses, newness)
    told = table(predictor, responses)
    assert np.isfinite(told).all()
    if outcome == "binary":
        assert ((told > 0.0) & (told < 1.0)).all()
    document, files = predictor.save()
    again = load_predictor(document, files.__getitem__)
    assert np.array_equal(table(again, responses), told)
    assert notes["ridge"] > 0.0
    assert fit(responses, newness)[0].save()[1] == files


def test_hidden_pairs_are_predicted_better_than_by_means():
    responses, value = made("continuous")
    seen = np.zeros(value.shape, dtype=bool)
    seen[responses.subject, responses.treatment] = True
    told = table(fit(responses)[0], responses)
    means = np.nanmean(np.where(seen, value, np.nan), axis=0)
    error, of_means = ((told - value)[~seen] ** 2).mean(), ((means[None, :] - value)[~seen] ** 2).mean()
    assert error < 0.25 * of_means


def turned(responses):
    """Subjects for treatments, and treatments for subjects."""
    return replace(
        responses, subjects=responses.treatments, treatments=responses.subjects, subject=responses.treatment,
        treatment=responses.subject, of_subjects=responses.of_treatments, of_treatments=responses.of_subjects,
    )  # fmt: skip


def test_new_subjects_are_predicted_from_their_features():
    responses, value = made("continuous", share=0.9)
    train = responses.take(np.flatnonzero(responses.subject < 50))
    predictor, notes = fit(train, "subjects")
    told, base = table(predictor, responses)[50:], value[:50].mean(axis=0)
    assert np.corrcoef((told - base).ravel(), (value[50:] - base).ravel())[0, 1] > 0.8
    weights = notes["features"]["subjects"]
    assert weights["numbers, gaussian"] > 0.8
    assert sum(weights.values()) == pytest.approx(1.0, abs=1e-3)


def test_new_treatments_are_learned_as_new_subjects_of_the_turned_table():
    responses, _ = made("continuous", share=0.9)
    train = responses.take(np.flatnonzero(responses.subject < 50))
    told = table(fit(train, "subjects")[0], responses)
    other = table(fit(turned(train), "treatments")[0], turned(responses))
    assert other.T[50:] == pytest.approx(told[50:], abs=0.15)
    assert np.corrcoef(other.T[50:].ravel(), told[50:].ravel())[0, 1] > 0.99


def test_of_a_subject_of_whom_nothing_is_known_the_treatments_tell():
    responses, value = made("continuous", with_features=False)
    predictor, _ = fit(responses)
    told = table(predictor, responses, known=np.full(N, -1))
    assert told == pytest.approx(np.tile(told[:1], (N, 1)))
    assert np.corrcoef(told[0], value.mean(axis=0))[0, 1] > 0.97


def test_past_responses_of_a_new_subject_count():
    responses, value = made("continuous", with_features=False)
    train = responses.take(np.flatnonzero(responses.subject < 50))
    predictor, _ = fit(train, penalty=1.0)
    start = np.concatenate([np.zeros(51, dtype=np.int64), 7 * np.arange(1, 11)])
    past = np.tile(np.arange(7), 10), value[50:, :7].ravel()
    known = np.where(np.arange(N) < 50, np.arange(N), -1)
    with_past = table(predictor, responses, known=known, history=(start, *past))[50:, 7:]
    without = table(predictor, responses, known=known)[50:, 7:]
    assert ((with_past - value[50:, 7:]) ** 2).mean() < 0.4 * ((without - value[50:, 7:]) ** 2).mean()


@pytest.mark.parametrize("newness", ["pairs", "subjects"])
def test_hidden_exposures_stand_high(newness):
    responses, _ = made("implicit")
    hidden = responses.subject >= 50 if newness == "subjects" else np.arange(len(responses)) % 10 == 0
    predictor, _ = fit(responses.take(np.flatnonzero(~hidden)), newness)
    told = table(predictor, responses)
    given = np.zeros(told.shape, dtype=bool)
    given[responses.subject, responses.treatment] = True
    at = responses.subject[hidden], responses.treatment[hidden]
    rows = np.unique(at[0])
    others = told[rows][~given[rows]]
    higher = (told[at][:, None] > others[None, :]).mean()
    assert higher > (0.75 if newness == "pairs" else 0.7)


def test_probabilities_are_calibrated_on_hidden_responses():
    responses, value = made("binary", share=0.7)
    seen = np.zeros(value.shape, dtype=bool)
    seen[responses.subject, responses.treatment] = True
    told = table(fit(responses)[0], responses)[~seen]
    true = 1 / (1 + np.exp(-2.0 * (value[~seen] - 4.0)))
    assert abs(told.mean() - true.mean()) < 0.06
    assert np.corrcoef(told, true)[0, 1] > 0.7


@pytest.mark.parametrize("outcome", ["continuous", "implicit"])
def test_no_answer_depends_on_the_other_pairs(outcome):
    responses, _ = made(outcome)
    predictor, _ = fit(responses)
    ask = every(responses)
    whole = predictor.predict(ask)
    rows = np.array([700, 3, 99])
    some = replace(ask, subject=ask.subject[rows], treatment=ask.treatment[rows])
    assert predictor.predict(some) == pytest.approx(whole[rows], abs=1e-10)


def test_many_subjects_are_answered_in_blocks(monkeypatch):
    responses, _ = made("continuous")
    predictor, _ = fit(responses)
    ask = every(responses)
    rows = np.random.default_rng(1).permutation(len(ask))
    shuffled = replace(ask, subject=ask.subject[rows], treatment=ask.treatment[rows])
    whole = predictor.predict(shuffled)
    monkeypatch.setattr(module, "_BLOCK", 500)
    assert predictor.predict(shuffled) == pytest.approx(whole, abs=1e-10)


def test_nothing_of_a_hidden_pair_enters_what_is_said_of_it():
    responses, _ = made("continuous")
    other = replace(responses, y=np.where(np.arange(len(responses)) == 5, 99.0, responses.y))
    kept = np.flatnonzero(np.arange(len(responses)) != 5)
    assert np.array_equal(
        table(fit(responses.take(kept))[0], responses), table(fit(other.take(kept))[0], responses)
    )


def test_a_known_subject_is_answered_without_its_features_being_told_again():
    responses, _ = made("continuous")
    predictor, _ = fit(responses)
    bare = replace(responses, of_subjects=None, of_treatments=None)
    assert table(predictor, bare) == pytest.approx(table(predictor, responses), abs=1e-9)


def test_a_name_without_responses_is_new_and_similarities_keep_their_order():
    responses, _ = made("continuous", share=0.9)
    values = responses.of_subjects.values
    square = ((values[:, None, :2] - values[None, :, :2]) ** 2).sum(axis=2)
    similar = Features(np.exp(-square), (Block("similar", "similarity", 0, N),))
    responses = replace(responses, of_subjects=similar, of_treatments=None)
    train = responses.take(np.flatnonzero(responses.subject % 6 != 0))
    predictor, _ = fit(train, "subjects")
    told = table(predictor, responses)
    value = truth()[2]
    hidden = np.arange(N) % 6 == 0
    left = value - value[~hidden].mean(axis=0)
    assert np.corrcoef((told - value + left)[hidden].ravel(), left[hidden].ravel())[0, 1] > 0.8


def test_similarities_that_are_no_kernel_are_learned_from():
    responses, _ = made("continuous")
    rng = np.random.default_rng(6)
    one = rng.random((N, N))
    similar = Features((one + one.T) / 2.0, (Block("similar", "similarity", 0, N),))
    responses = replace(responses, of_subjects=similar)
    assert np.isfinite(table(fit(responses)[0], responses)).all()


def test_every_parameter_changes_the_answer():
    responses, _ = made("continuous")
    exposures, _ = made("implicit")
    plain = table(fit(responses)[0], responses)
    changes = {"ridge": 5.0, "profile_weight": 0.3, "profile_width": 2.0, "n_factors": 1, "penalty": 300.0}
    for name, value in changes.items():
        assert not np.allclose(table(fit(responses, **{name: value})[0], responses), plain), name
    smoother = table(fit(exposures, ridge=1.0, smoothing=0.9)[0], exposures)
    assert not np.allclose(smoother, table(fit(exposures, ridge=1.0)[0], exposures))
    assert set(KernelParams.model_fields) == {*changes, "smoothing"}


def test_a_table_too_large_is_refused(monkeypatch):
    responses, _ = made("continuous")
    monkeypatch.setattr(module, "MAX_CELLS", 100)
    with pytest.raises(LimitError, match="60 subjects and 14 treatments"):
        fit(responses)


def test_one_treatment_is_refused():
    responses, _ = made("continuous")
    with pytest.raises(FitError, match="two treatments"):
        fit(responses.take(np.flatnonzero(responses.treatment == 0)))


def test_fewer_columns_of_features_than_learned_from_are_refused():
    responses, _ = made("continuous")
    predictor, _ = fit(responses)
    short = Features(responses.of_subjects.values[:, :2], (Block("numbers", "numbers", 0, 2),))
    with pytest.raises(InputError, match="2 columns, the model learned from 25"):
        table(predictor, replace(responses, of_subjects=short))


def test_a_bundle_with_an_unknown_kernel_is_refused():
    responses, _ = made("continuous")
    document, files = fit(responses)[0].save()
    document["subjects"][0]["form"] = "unheard"
    with pytest.raises(BundleFormatError, match="unheard"):
        load_predictor(document, files.__getitem__)


def test_kernels_of_features_by_hand():
    values = np.array([[0.0, 1.0, 0.0, 1.0, 1.0], [2.0, 1.0, 0.0, 1.0, 0.0], [4.0, 0.0, 1.0, 0.0, 1.0]])
    blocks = (
        Block("age", "numbers", 0, 1), Block("sex", "categories", 1, 3), Block("bits", "bits", 3, 5)
    )  # fmt: skip
    found = FeatureKernel.of(Features(values, blocks), np.arange(3)).known()
    distance = 8.0  # squared distances 4, 16, 4
    first = (np.exp(-4 / distance) + 1.0 + 0.5) / 3
    second = (np.exp(-16 / distance) + 0.0 + 0.5) / 3
    assert found[0, 1] == pytest.approx(first)
    assert found[0, 2] == pytest.approx(second)
    assert np.diag(found) == pytest.approx(np.ones(3))


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 10_000))
def test_ranking_measures_are_those_of_all_pairs(n_events, n_others, seed):
    rng = np.random.default_rng(seed)
    events, others = rng.integers(4, size=n_events), rng.integers(4, size=n_others)
    precision = [(events >= one).sum() / ((events >= one).sum() + (others >= one).sum()) for one in events]
    higher = [(one > other) + 0.5 * (one == other) for one in events for other in others]
    assert average_precision(events, others) == pytest.approx(np.mean(precision))
    assert auroc(events, others) == pytest.approx(np.mean(higher))


def test_a_subject_without_exposures_is_a_row_of_zeros_but_where_subjects_will_be_new():
    responses, _ = made("implicit")
    train = responses.take(np.flatnonzero(responses.subject != 7))
    for newness, n in (("pairs", N), ("subjects", N - 1), ("treatments", N)):
        predictor, notes = fit(train, newness)
        assert notes["n_subjects"] == n
        assert np.isfinite(table(predictor, responses)[7]).all()
