from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from iatros.molecules.models.mlp import Mlp, MlpParams, _batch_size

PARAMS = MlpParams(width=48, epochs=25, batch_size=32)


def test_one_network_answers_for_all_endpoints(make_assay) -> None:
    assay = make_assay("continuous", endpoints=2, missing=0.3)
    predictor, notes = Mlp(PARAMS).fit(assay, seed=0)
    assert len(predictor.scorers) == 1
    answers = predictor.predict(assay.compounds)
    for column in range(2):
        rows = assay.measured[:, column]
        assert np.corrcoef(answers[rows, column], assay.y[rows, column])[0, 1] > 0.9
    assert notes["n_weights"] == (notes["n_features"] + 1) * 48 + 49 * 48 + 49 * 2


def test_an_endpoint_that_was_not_measured_pulls_nowhere(make_assay) -> None:
    """The same endpoint twice: with half of it missing the answers stay alike, and far from what fills a gap."""
    assay = make_assay("continuous")
    twice = np.repeat(assay.y, 2, axis=1)
    twice[::2, 1] = np.nan
    doubled = replace(
        assay, y=twice, bound=np.zeros(twice.shape, dtype=np.int8), endpoints=assay.endpoints * 2
    )
    answers = Mlp(PARAMS).fit(doubled, seed=0)[0].predict(assay.compounds)
    assert np.abs(answers[::2, 1] - assay.y[::2, 0]).mean() < 0.5 * assay.y[:, 0].std()


def test_a_bound_does_not_pull_down_what_lies_above_it(make_assay) -> None:
    bounded, exact = make_assay("continuous", bounds=0.4), make_assay("continuous")
    one, _ = Mlp(PARAMS).fit(bounded, seed=0)
    naive, _ = Mlp(PARAMS).fit(replace(bounded, bound=np.zeros_like(bounded.bound)), seed=0)
    errors = [np.abs(each.predict(exact.compounds) - exact.y).mean() for each in (one, naive)]
    assert errors[0] < 0.7 * errors[1]


@pytest.mark.parametrize("layers", [1, 3])
def test_without_training_it_says_the_share_of_the_class(make_assay, layers: int) -> None:
    assay = make_assay("binary", endpoints=2, missing=0.2)
    params = MlpParams(width=8, n_layers=layers, epochs=1, learning_rate=1e-12)
    answers = Mlp(params).fit(assay, seed=0)[0].predict(assay.compounds)
    np.testing.assert_allclose(
        answers, np.broadcast_to(np.nanmean(assay.y, axis=0), answers.shape), atol=1e-5
    )


def test_batches_grow_with_the_compounds(make_assay) -> None:
    assert [_batch_size(n) for n in (1, 900, 2600, 100_000)] == [64, 64, 128, 256]
