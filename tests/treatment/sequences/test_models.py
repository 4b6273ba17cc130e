"""Every model of the next medications: what it may look at, how it is stored, and what the penalty does."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from iatros.core.errors import BundleFormatError, RequestError, UnknownNameError
from iatros.treatment.sequences.estimator import MODELS, best_threshold, load_predictor, make_estimator
from iatros.treatment.sequences.models.bags import bag_sum, ever_before
from iatros.treatment.sequences.models.networks import Gru, NetworkParams, platt

NETWORKS = ("gru", "cnn")
QUICK = {"members": 2, "embedding": 12, "units": 10, "hidden": 16, "max_epochs": 4}


def params_of(name):
    return QUICK if name in NETWORKS else {}


@pytest.fixture(scope="module")
def fitted(small):
    return {name: make_estimator(name, params_of(name)).fit(small[3], seed=3)[0] for name in MODELS.names()}


@pytest.fixture(params=["gru", "cnn", "logistic", "previous", "frequency"])
def name(request):
    return request.param


def test_every_registered_model_is_tested(fitted, name):
    assert set(fitted) == {"gru", "cnn", "logistic", "previous", "frequency"}


def test_answers_are_probabilities_of_every_known_medication(fitted, small, name):
    _, encoded, sides, _ = small
    each = fitted[name].each(encoded, sides.held_out)
    assert each.shape == (2 if name in NETWORKS else 1, len(sides.held_out), encoded.n_medications)
    assert each.min() >= 0
    assert each.max() <= 1
    assert 0 < fitted[name].threshold < 1


def test_what_is_stored_answers_the_same(fitted, small, name):
    _, encoded, sides, _ = small
    document, files = fitted[name].save()
    loaded = load_predictor(document, files.__getitem__)
    np.testing.assert_array_equal(
        loaded.each(encoded, sides.held_out), fitted[name].each(encoded, sides.held_out)
    )
    assert loaded.save() == (document, files)


def test_the_same_seed_gives_the_same_bytes(fitted, small, name):
    again = make_estimator(name, params_of(name)).fit(small[3], seed=3)[0]
    assert again.save() == fitted[name].save()


def test_held_out_visits_change_nothing_in_what_is_learned(fitted, small, name):
    _, encoded, sides, learning = small
    hidden = np.isin(encoded.owner, np.unique(encoded.owner[np.r_[sides.held_out, sides.calibration]]))
    visit = np.repeat(np.arange(encoded.n_visits), np.diff(encoded.bag_start))
    blind = encoded.keep(~hidden[visit])
    again = make_estimator(name, params_of(name)).fit(replace(learning, encoded=blind), seed=3)[0]
    assert again.save() == fitted[name].save()


def test_no_answer_looks_at_the_visits_medications_or_at_later_visits(fitted, small, name):
    _, encoded, sides, _ = small
    rows = sides.held_out[::5]
    whole = fitted[name].each(encoded, rows)
    visit = np.repeat(np.arange(encoded.n_visits), np.diff(encoded.bag_start))
    place = np.arange(encoded.n_visits) - encoded.start[encoded.owner]
    for k, row in enumerate(rows):
        same = encoded.owner[visit] == encoded.owner[row]
        later = same & (place[visit] > place[row])
        own = (visit == row) & (encoded.bag >= encoded.n_other)
        alone = fitted[name].each(encoded.keep(~(later | own)), rows[k : k + 1])
        np.testing.assert_allclose(alone[:, 0], whole[:, k], atol=2e-6)


def test_only_with_known_current_the_other_codes_of_the_visit_count(fitted, small):
    _, encoded, sides, _ = small
    past = replace(encoded, current=False)
    for name in ("gru", "cnn", "logistic"):
        assert not np.allclose(
            fitted[name].each(past, sides.held_out), fitted[name].each(encoded, sides.held_out)
        )
    for name in ("previous", "frequency"):
        np.testing.assert_array_equal(
            fitted[name].each(past, sides.held_out), fitted[name].each(encoded, sides.held_out)
        )


def test_previous_repeats_the_set_before(fitted, small):
    _, encoded, sides, _ = small
    rows = sides.held_out[encoded.gap[sides.held_out] > 0]
    before = encoded.targets(rows - 1)
    rows, before = rows[before.any(axis=1)], before[before.any(axis=1)]
    chosen = fitted["previous"].each(encoded, rows)[0] >= fitted["previous"].threshold
    np.testing.assert_array_equal(chosen, before)


def test_a_logistic_regression_by_scikit_learn(small):
    from sklearn.linear_model import LogisticRegression

    from iatros.treatment.sequences.models.logistic import _features, _matrix

    _, encoded, sides, learning = small
    fitted, notes = make_estimator("logistic", {"regularisation": 2.0, "max_iterations": 400}).fit(
        learning, seed=0
    )
    bags, dense = _features(encoded)
    X = np.asarray(_matrix(bags, dense, np.arange(encoded.n_visits)).todense())[:, :-1]
    column = int(encoded.targets(sides.train).sum(axis=0).argmax())
    reference = LogisticRegression(C=0.5, max_iter=5000, tol=1e-8).fit(
        X[sides.train], encoded.targets(sides.train)[:, column]
    )
    mine = fitted.each(encoded, sides.held_out)[0][:, column]
    np.testing.assert_allclose(mine, reference.predict_proba(X[sides.held_out])[:, 1], atol=2e-3)
    assert notes["regularisation"] == 2.0


@pytest.mark.parametrize("network", NETWORKS)
def test_the_penalty_makes_interacting_pairs_rarer(small, network):
    _, encoded, sides, learning = small
    pairs = np.ones((encoded.n_medications,) * 2, dtype=bool)
    np.fill_diagonal(pairs, False)

    def expected(weight, table=pairs):
        params = {**QUICK, "members": 1, "interaction_weight": weight}
        p = make_estimator(network, params).fit(replace(learning, interactions=table), seed=0)[0]
        found = p.each(encoded, sides.held_out)[0]
        return float(np.einsum("ni,ij,nj->", found, pairs, found) / 2 / len(found))

    assert expected(5.0) < 0.7 * expected(0.1) < 0.95 * expected(0.0)
    assert expected(5.0, None) == expected(0.0)  # without a table the weight changes nothing


def test_training_gives_the_same_weights_whatever_the_number_of_threads(fitted, small):
    import torch

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        again = make_estimator("gru", QUICK).fit(small[3], seed=3)[0]
    finally:
        torch.set_num_threads(threads)
    assert again.save() == fitted["gru"].save()


def test_sums_over_bags_and_codes_of_earlier_visits():
    table = np.array([[1.0, 0.0], [0.0, 10.0], [5.0, 5.0]])
    start, bag = np.array([0, 0, 2, 2, 3]), np.array([0, 1, 2])
    assert bag_sum(table, start, bag).tolist() == [[0, 0], [1, 10], [0, 0], [5, 5]]
    begin, seen = ever_before(np.array([0, 3, 4]), np.array([0, 1, 3, 4, 5]), np.array([2, 1, 2, 0, 7]))
    assert [seen[a:b].tolist() for a, b in pairwise(begin)] == [[], [2], [1, 2], []]


def test_the_threshold_with_the_best_sets():
    probability = np.array([[0.8, 0.4, 0.1], [0.7, 0.35, 0.05]])
    assert (
        best_threshold(probability, probability > 0.6) == 0.5
    )  # .45 to .70 are as good, the nearest to one half wins
    assert best_threshold(probability, probability > 0.3) == pytest.approx(0.35)


def test_log_odds_are_recalibrated_as_by_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    margin = 3 * rng.normal(size=(200, 5))
    truth = rng.random((200, 5)) < 1 / (1 + np.exp(-0.6 * margin + 0.4))
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(margin.reshape(-1, 1), truth.ravel())
    np.testing.assert_allclose(
        platt(margin, truth), [reference.coef_[0, 0], reference.intercept_[0]], rtol=1e-4
    )
    assert platt(margin, np.ones((200, 5), dtype=bool)) == (1.0, 0.0)


def test_unknown_models_and_parameters_are_refused():
    with pytest.raises(UnknownNameError, match="'gru2'"):
        make_estimator("gru2")
    with pytest.raises(RequestError, match="unit is not known, did you mean units"):
        make_estimator("gru", {"unit": 3})
    with pytest.raises(RequestError, match="dropout"):
        make_estimator("cnn", {"dropout": 1.5})
    with pytest.raises(BundleFormatError, match="kind 'pickle'"):
        load_predictor({"kind": "pickle"}, lambda name: b"")
    assert Gru().params == NetworkParams()


def test_answering_needs_neither_torch_nor_scikit_learn(fitted, tmp_path):
    code = """
import sys, numpy as np
from pathlib import Path
from iatros.treatment.sequences.estimator import load_predictor
from iatros.treatment.sequences.vocabulary import Encoded
start = np.array([0, 2])
empty = np.zeros(2, np.float32), np.zeros((1, 0), np.float32)
visits = Encoded(start, np.array([0, 2, 3]), np.array([1, 2, 0]), *empty, {other}, {m}, True)
for name, document in {documents!r}.items():
    read = lambda file: (Path({folder!r}) / (name + file)).read_bytes()
    assert np.isfinite(load_predictor(document, read).each(visits, np.array([1]))).all()
found = {{"torch", "sklearn", "pandas", "scipy"}} & set(sys.modules)
assert not found, found
"""
    documents = {}
    for name, predictor in fitted.items():
        documents[name], files = predictor.save()
        for file, content in files.items():
            (tmp_path / (name + file)).write_bytes(content)
    member = fitted["gru"].members[0]
    code = code.format(
        other=len(member["wide_now"]), m=len(member["out.bias"]), documents=documents, folder=str(tmp_path)
    )
    subprocess.run([sys.executable, "-c", code], check=True)
