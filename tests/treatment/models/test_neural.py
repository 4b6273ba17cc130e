"""The towers: the factorisation within them, what they learn, how they answer for new names, how they are stored."""

import subprocess
import sys

import numpy as np
import pytest

from iatros.core.errors import InputError, OutcomeError
from iatros.learners.completion.factor_loops import Kind
from iatros.learners.completion.factors import Factorisation, Prior, Side
from iatros.treatment.models.factors import FactorPredictor
from iatros.treatment.models.neural import Neural, NeuralParams, TowerPredictor
from iatros.treatment.models.neural_inputs import fit_scale, fit_scaling, past_of, tuning_rows
from iatros.treatment.models.scale import Scale as FactorScale
from iatros.treatment.responses.estimator import load_predictor
from iatros.treatment.responses.schema import Ask, Block, Features, Responses, Subjects, Treatments

QUICK = {
    "units": 16,
    "factors": 6,
    "n_members": 2,
    "max_epochs": 25,
    "learning_rate": 1e-2,
    "batch_size": 256,
}


def made(n_subjects=90, n_treatments=14, outcome="continuous", share=0.5, seed=0):
    """Responses whose subjects' and treatments' factors can be read off their features, two of each."""
    rng = np.random.default_rng(seed)
    p, q = rng.normal(size=(n_subjects, 2)), rng.normal(size=(n_treatments, 2))
    level = 1.5 * rng.normal(size=n_treatments)
    truth = level + 1.5 * p @ q.T
    s, t = np.nonzero(rng.random((n_subjects, n_treatments)) < share)
    y = 20.0 + 3.0 * (truth[s, t] + 0.3 * rng.normal(size=len(s)))
    if outcome == "binary":
        y = (rng.random(len(s)) < 1 / (1 + np.exp(-2 * truth[s, t]))).astype(float)
    if outcome == "implicit":
        likely = rng.random((n_subjects, n_treatments)) < 1 / (1 + np.exp(2 - 2 * truth))
        s, t = np.nonzero(likely)
        y = np.ones(len(s))
    of_subjects = Features(
        np.column_stack([p, rng.normal(size=(n_subjects, 3))]), (Block("numbers", "numbers", 0, 5),)
    )
    of_treatments = Features(q, (Block("q", "numbers", 0, 2),))
    names = tuple(f"s{k}" for k in range(n_subjects)), tuple(f"t{k}" for k in range(n_treatments))
    found = Responses(*names, s, t, y, outcome, of_subjects=of_subjects, of_treatments=of_treatments)
    return found, 20.0 + 3.0 * truth if outcome == "continuous" else truth


def fitted(responses, newness="pairs", seed=1, **params):
    return Neural(NeuralParams(**{**QUICK, **params})).fit(responses, newness=newness, seed=seed)


def without_features(responses):
    return Responses(
        responses.subjects,
        responses.treatments,
        responses.subject,
        responses.treatment,
        responses.y,
        responses.outcome,
    )


def correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1])


@pytest.fixture(scope="module")
def continuous():
    responses, truth = made()
    held = np.random.default_rng(5).random(len(responses)) < 0.2
    predictor, notes = fitted(responses.take(np.flatnonzero(~held)))
    return responses, truth, np.flatnonzero(held), predictor, notes


def test_without_layers_features_and_history_it_is_the_biased_factorisation():
    responses = without_features(made()[0])
    predictor, _ = fitted(responses, layers=0, history=False, hidden_share=0.0, n_members=1)
    arrays = predictor.members[0].arrays()
    assert not [name for name in arrays if "layers" in name or "history" in name or "features" in name]
    p, q = arrays["subjects.vectors"].astype(float), arrays["treatments.vectors"].astype(float)
    assert p.shape == (90, 6)
    assert q.shape == (14, 6)
    scale = predictor.scale
    by_hand = [
        scale.mean + scale.spread * (
            arrays["mean"][0] + arrays["subjects.offsets"][s] + arrays["treatments.offsets"][t] + sum(p[s] * q[t])
        )
        for s in (0, 7, 89) for t in (0, 3, 13)
    ]  # fmt: skip
    ask = Ask(*_everybody(responses), np.repeat([0, 7, 89], 3), np.tile([0, 3, 13], 3))
    np.testing.assert_allclose(predictor.predict(ask), by_hand, rtol=1e-5)
    # and the factorisation itself, given these offsets and factors, says the same
    columns = np.column_stack([arrays["treatments.offsets"], arrays["treatments.vectors"]])
    zeros = np.zeros_like(columns[0])
    factors = FactorPredictor(
        FactorScale("continuous", scale.mean, scale.spread, -np.inf, np.inf),
        Factorisation(
            Kind(float(arrays["mean"][0]), 1.0, False, False),
            np.column_stack([arrays["subjects.offsets"], arrays["subjects.vectors"]]),
            Side(columns, np.zeros_like(columns)), Prior(zeros[None], np.ones(len(zeros))), zeros,
        ),
    )  # fmt: skip
    every = Ask.every(*_everybody(responses))
    np.testing.assert_allclose(predictor.predict(every), factors.predict(every), rtol=1e-5)


def test_the_factorisation_within_it_finds_the_factors():
    responses, truth = made(n_subjects=150, n_treatments=30)
    predictor, _ = fitted(
        without_features(responses), layers=0, history=False, hidden_share=0.0, n_members=1, factors=2, max_epochs=100,
        regularisation=0.005,
    )  # fmt: skip
    every = Ask.every(*_everybody(responses))
    assert correlation(predictor.predict(every), truth.ravel()) > 0.97


def test_it_predicts_unseen_pairs_better_than_the_treatments_means(continuous):
    responses, truth, held, predictor, notes = continuous
    answer = predictor.predict(responses.pairs(held))
    wanted = truth[responses.subject[held], responses.treatment[held]]
    rest = np.setdiff1d(np.arange(len(responses)), held)
    means = np.array([responses.y[rest][responses.treatment[rest] == t].mean() for t in range(14)])
    error = np.sqrt(np.mean((answer - wanted) ** 2))
    assert error < 0.5 * np.sqrt(np.mean((means[responses.treatment[held]] - wanted) ** 2))
    assert notes["members"] == 2
    assert all(1 <= epoch <= 25 for epoch in notes["epochs"])


def test_new_subjects_are_answered_from_features_and_from_past_responses():
    responses, truth = made(n_subjects=200)
    seen = responses.subject < 150
    learned = responses.take(np.flatnonzero(seen))
    predictor, _ = fitted(learned, "subjects", max_epochs=40)
    new = np.arange(150, 200)
    wanted = truth[new].ravel() - np.tile(truth.mean(axis=0), 50)
    treatments = Treatments(np.arange(14), responses.of_treatments)

    def asked(features, start, treatment, y):
        subjects = Subjects(np.full(50, -1), start, treatment, y, features)
        answer = predictor.predict(Ask.every(subjects, treatments)).reshape(50, 14)
        return (answer - answer.mean(axis=0)).ravel()

    none = np.zeros(51, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
    past = np.arange(51) * 8, np.tile(np.arange(8), 50), truth[new, :8].ravel()
    assert correlation(asked(responses.of_subjects.take(new), *none), wanted) > 0.7
    assert correlation(asked(None, *past), wanted) > 0.5
    assert np.ptp(asked(None, *none)) < 1e-3  # of whom nothing is known gets what is known of the treatments
    # a subject that is there by name without a response is answered like a new one with the same features
    by_name = predictor.predict(responses.pairs(np.flatnonzero(~seen)))
    assert correlation(by_name, truth[responses.subject[~seen], responses.treatment[~seen]]) > 0.8


def test_new_treatments_are_answered_from_their_features():
    responses, truth = made(n_subjects=60, n_treatments=60, share=0.4)
    learned = responses.take(np.flatnonzero(responses.treatment < 50))
    predictor, _ = fitted(learned, "treatments", max_epochs=60)
    treatments = Treatments(np.full(10, -1), responses.of_treatments.take(np.arange(50, 60)))
    answer = predictor.predict(Ask.every(_everybody(responses)[0], treatments)).reshape(60, 10)
    wanted = truth[:, 50:]
    within = [correlation(answer[:, t], wanted[:, t]) for t in range(10)]
    assert np.mean(within) > 0.6


def test_binary_outcomes_get_probabilities():
    responses, truth = made(n_subjects=200, outcome="binary")
    predictor, _ = fitted(responses)
    every = Ask.every(*_everybody(responses))
    probability = predictor.predict(every)
    assert probability.min() >= 0
    assert probability.max() <= 1
    assert correlation(np.log(probability / (1 - probability)), truth.ravel()) > 0.75
    assert (
        abs(predictor.predict(responses.pairs(np.arange(len(responses)))).mean() - responses.y.mean()) < 0.05
    )


def test_exposures_are_ranked_above_treatments_that_were_not_taken():
    responses, truth = made(n_subjects=200, outcome="implicit")
    predictor, _ = fitted(responses)
    score = predictor.predict(Ask.every(*_everybody(responses))).reshape(truth.shape)
    assert np.mean([correlation(a, b) for a, b in zip(score, truth, strict=True)]) > 0.7


def test_members_that_agree_have_a_small_spread(continuous):
    responses, _, held, predictor, _ = continuous
    ask = responses.pairs(held)
    spread = predictor.spread(ask)
    each = predictor._each(ask)
    np.testing.assert_allclose(spread, np.abs(each[0] - each[1]) / 2)
    np.testing.assert_allclose(predictor.predict(ask), each.mean(axis=0))
    assert 0 < spread.mean() < np.std(responses.y)


def test_what_is_stored_answers_the_same(continuous):
    responses, _, held, predictor, _ = continuous
    document, files = predictor.save()
    loaded = load_predictor(document, files.__getitem__)
    assert isinstance(loaded, TowerPredictor)
    new = Subjects(np.array([-1, 3]), np.array([0, 2, 2]), np.array([4, 1]), np.array([18.0, 25.0]),
                   responses.of_subjects.take([5, 3]))  # fmt: skip
    treatments = Treatments(np.array([-1, 2]), responses.of_treatments.take([9, 2]))
    for ask in (responses.pairs(held), Ask.every(new, treatments)):
        np.testing.assert_array_equal(loaded.predict(ask), predictor.predict(ask))
    assert loaded.save()[1] == files


def test_no_answer_depends_on_the_other_pairs(continuous):
    responses, _, held, predictor, _ = continuous
    together = predictor.predict(responses.pairs(held))
    alone = [predictor.predict(responses.pairs([row]))[0] for row in held[:5]]
    np.testing.assert_array_equal(together[:5], alone)


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_threads():
    import torch

    responses, _ = made(n_subjects=30)
    threads, saved = torch.get_num_threads(), []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            saved.append(fitted(responses, max_epochs=4)[0].save()[1])
    finally:
        torch.set_num_threads(threads)
    assert saved[0] == saved[1]
    assert saved[0] != fitted(responses, max_epochs=4, seed=2)[0].save()[1]


def test_a_response_is_no_part_of_the_history_that_predicts_it():
    """By hand: residuals 1, 3 of a subject; the history of the first pair holds the second alone."""
    import torch

    from iatros.treatment.models.neural_batches import PastOf
    from iatros.treatment.models.neural_inputs import SHRUNK, Past

    past = Past(np.array([0, 2]), np.array([0, 1]), np.array([1.0, 3.0], dtype=np.float32))
    table = torch.tensor([[10.0], [100.0]])
    one = PastOf(past, np.array([0]), torch.tensor([0]), torch.tensor([1.0]), torch.ones(1), torch.ones(1))
    pooled, level = one(table)
    assert pooled.item() == pytest.approx(300.0)
    assert level.item() == pytest.approx(3.0 / (1 + SHRUNK))
    np.testing.assert_allclose(past.pooled(table.numpy()), [[(10.0 + 300.0) / np.sqrt(2)]])


def test_features_of_other_kinds_share_one_scale_and_numbers_have_their_own():
    rng = np.random.default_rng(0)
    values = np.column_stack(
        [100 + 5 * rng.normal(size=50), rng.normal(size=50), rng.random((50, 4)) < [0.5, 0.5, 0.1, 0]]
    )
    features = Features(values, (Block("n", "numbers", 0, 2), Block("b", "bits", 2, 6)))
    scaled = fit_scaling(features, np.arange(50))(features, 50)
    np.testing.assert_allclose(scaled[:, :2].std(axis=0), 1, rtol=1e-5)
    assert np.mean(scaled[:, 2:].var(axis=0)) == pytest.approx(1.0, rel=1e-5)
    assert scaled[:, 5].tolist() == [0.0] * 50
    far = Features(np.full((1, 6), 1e6), features.blocks)
    assert fit_scaling(features, np.arange(50))(far, 1)[0, 0] == 8.0


def test_tuning_rows_are_new_in_the_way_that_predictions_will_be():
    responses = made()[0]
    subjects = tuning_rows(responses, "subjects", 3)
    assert not set(responses.subject[subjects]) & set(responses.subject[~subjects])
    treatments = tuning_rows(responses, "treatments", 3)
    assert not set(responses.treatment[treatments]) & set(responses.treatment[~treatments])
    timed = Responses(
        responses.subjects, responses.treatments, responses.subject, responses.treatment, responses.y,
        time=np.arange(len(responses))[::-1].astype(float),
    )  # fmt: skip
    latest = tuning_rows(timed, "time", 3)
    assert np.flatnonzero(latest).max() == latest.sum() - 1


def test_the_history_is_above_the_treatments_means():
    responses = made(n_subjects=12)[0]
    past, order = past_of(responses, fit_scale(responses))
    assert past.count.sum() == len(responses)
    np.testing.assert_array_equal(responses.treatment[order], past.treatment)
    assert abs(past.residual.mean()) < 0.2


def test_bad_input_is_refused(continuous):
    responses, _, _, predictor, _ = continuous
    wide = Features(np.zeros((1, 7)), (Block("n", "numbers", 0, 7),))
    new = Subjects(
        np.array([-1]), np.zeros(2, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0), wide
    )
    with pytest.raises(InputError, match="features have 7 columns, the model learned from 5"):
        predictor.predict(Ask.every(new, _everybody(responses)[1]))
    with pytest.raises(OutcomeError, match="no responses"):
        fitted(responses.take([]))


def test_predicting_needs_neither_torch_nor_scikit_learn(continuous, tmp_path):
    document, files = continuous[3].save()
    (tmp_path / "towers.safetensors").write_bytes(files["towers.safetensors"])
    code = f"""
import sys, numpy as np
from pathlib import Path
from iatros.learners.completion.factor_loops import Kind
from iatros.learners.completion.factors import Factorisation, Prior, Side
from iatros.treatment.models.factors import FactorPredictor
from iatros.treatment.models.neural import TowerPredictor
from iatros.treatment.responses.schema import Ask, Subjects, Treatments
found = TowerPredictor.load({document!r}, lambda name: (Path({str(tmp_path)!r}) / name).read_bytes())
empty = np.empty(0, dtype=np.int64)
ask = Ask.every(Subjects(np.array([0, -1]), np.zeros(3, dtype=np.int64), empty, np.empty(0)), Treatments(np.arange(14)))
assert np.isfinite(found.predict(ask)).all()
assert not {{"torch", "sklearn", "pandas"}} & set(sys.modules), sys.modules.keys() & {{"torch", "sklearn", "pandas"}}
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def _everybody(responses):
    ask = responses.pairs([])
    return ask.subjects, ask.treatments
