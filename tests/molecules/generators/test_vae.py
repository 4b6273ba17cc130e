"""The variational autoencoder: it learns, comes back from a bundle and a kill, and its latent space can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.molecules.generators.small import KilledError, Killing, small_library, training

from iatros.core.errors import FitError, InputError, RequestError
from iatros.molecules.generators.generator import Draw, load_generator
from iatros.molecules.generators.latent.space import LIKELIEST
from iatros.molecules.generators.latent.vae import Vae, VaeParams, VariationalGenerator
from iatros.molecules.generators.library import Library

PARAMS = VaeParams(
    units=32, channels=16, latent=6, embedding=12, max_length=60, epochs=3, batch_size=16, learning_rate=0.01
)


@pytest.fixture(scope="module")
def library(request: pytest.FixtureRequest) -> Library:
    return small_library(request.getfixturevalue("shared_data"))


@pytest.fixture(scope="module")
def fitted(library: Library) -> tuple[VariationalGenerator, dict[str, Any]]:
    return Vae(PARAMS).fit(library, training(), seed=1)


@pytest.fixture(scope="module")
def generator(fitted: tuple[VariationalGenerator, dict[str, Any]]) -> VariationalGenerator:
    return fitted[0]


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_it_learns(fitted: tuple[VariationalGenerator, dict[str, Any]]) -> None:
    notes = fitted[1]
    history = notes["history"]
    assert [one["epoch"] for one in history] == [1, 2, 3]
    assert history[-1]["reconstruction"] < 0.95 * history[0]["reconstruction"]
    assert history[-1]["tuning_loss"] < history[0]["tuning_loss"]
    assert history[-1]["kl_weight"] == 1.0
    assert 0 <= history[-1]["active_units"] <= 6
    assert notes["n_learned"] + notes["n_tuning"] == 240
    assert set(notes["exact"]) == {"value", "n"}


def test_without_a_price_the_latent_vector_is_used(library: Library) -> None:
    """With the divergence at no cost most units tell compounds apart; at a high price none does."""
    free, dear = (
        Vae(
            PARAMS.model_copy(update={"epochs": 6, "kl_weight": weight, "kl_cycles": 0, "free_bits": 0.0})
        ).fit(library, training(), seed=1)[1]["history"][-1]
        for weight in (0.0, 100.0)
    )
    assert free["active_units"] >= 4
    assert dear["active_units"] == 0
    assert dear["divergence"] < 0.1 < free["divergence"]


def test_a_stored_generator_writes_the_same(generator: VariationalGenerator) -> None:
    document, files = generator.save()
    again = load_generator(document, files.__getitem__)
    assert again.sample(40, rng=rng()) == generator.sample(40, rng=rng())
    assert again.save()[1] == files


def test_the_number_of_threads_changes_nothing(
    generator: VariationalGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = generator.sample(600, rng=rng())
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert generator.sample(600, rng=rng()) == one
    assert generator.sample(600, rng=np.random.default_rng(6)) != one
    assert generator.sample(0, rng=rng()) == []


@pytest.mark.parametrize("after", [7, 20])
def test_a_killed_training_goes_on_with_the_same_result(
    library: Library, generator: VariationalGenerator, tmp_path: Path, after: int
) -> None:
    with pytest.raises(KilledError):
        Vae(PARAMS).fit(library, training(tmp_path, Killing("learning", after)), seed=1)
    again, notes = Vae(PARAMS).fit(library, training(tmp_path), seed=1)
    assert again.save() == generator.save()
    assert len(notes["history"]) == 3


def test_learning_goes_on_from_a_generator(library: Library, generator: VariationalGenerator) -> None:
    some = Library(library.smiles[:120], "some.smi")
    params = VaeParams(epochs=1, batch_size=16, learning_rate=1e-6, kl_cycles=0)
    more, _ = Vae(params).fit(some, training(), seed=2, start=generator)
    assert more.space.vocabulary == generator.space.vocabulary
    assert more.space.sizes == generator.space.sizes
    for name, value in generator.space.weights.items():
        np.testing.assert_allclose(more.space.weights[name], value, atol=1e-4)


def test_what_start_does_not_have_is_refused(library: Library, generator: VariationalGenerator) -> None:
    with pytest.raises(RequestError, match=r"units is 64, and start was trained with 32"):
        Vae(VaeParams(units=64)).fit(library, training(), seed=1, start=generator)


def test_a_compound_is_read_however_it_is_written(generator: VariationalGenerator) -> None:
    (one, spread), (other, _), (another, _) = (generator.encode([text]) for text in ("OCC", "CCO", "CCN"))
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - another).max() > 0
    assert (spread > 0).all()
    assert one.shape == spread.shape == (1, 6)


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("C1CC", "not a valid SMILES"),
        ("C[Pt]C", "a token that the generator has not learned"),
        ("C" * 61, "longer than the 60 tokens"),
    ],
)
def test_what_cannot_be_read_is_refused(generator: VariationalGenerator, smiles: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        generator.encode(["CCO", smiles])
    assert caught.value.where == "compound 2"


def test_the_way_between_two_compounds_ends_at_them(
    generator: VariationalGenerator, library: Library
) -> None:
    a, b = library.smiles[:2]
    found = generator.between(a, b, 2, steps=5, rng=rng(), draw=LIKELIEST)
    assert [len(texts) for texts in found] == [2] * 5
    mean, _ = generator.encode([a, b])
    ends = generator.decode(mean, rng=rng(), draw=LIKELIEST)
    assert found[0] == [ends[0]] * 2
    assert found[-1] == [ends[1]] * 2


def test_near_a_compound_is_around_it(generator: VariationalGenerator, library: Library) -> None:
    smiles = library.smiles[3]
    mean, _ = generator.encode([smiles])
    (itself,) = generator.decode(mean, rng=rng(), draw=LIKELIEST)
    assert generator.near(smiles, 5, radius=0.0, rng=rng(), draw=LIKELIEST) == [itself] * 5
    assert len(set(generator.near(smiles, 50, radius=2.0, rng=rng(), draw=Draw()))) > 10
    with pytest.raises(InputError, match="got -1"):
        generator.near(smiles, 5, radius=-1.0, rng=rng())


def test_a_loss_that_runs_off_is_told(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "iatros.molecules.generators.latent.vae.with_free_bits", lambda mean, *_: mean.sum() * float("inf")
    )
    with pytest.raises(FitError, match="the loss is"):
        Vae(PARAMS).fit(library, training(), seed=1)


def test_time_that_is_over_ends_the_training(library: Library) -> None:
    from dataclasses import replace

    params = PARAMS.model_copy(update={"epochs": 10_000})
    _, notes = Vae(params).fit(library, replace(training(), seconds=3.0), seed=1)
    assert len(notes["history"]) < 10_000
    assert notes["history"][-1]["kl_weight"] == 1.0
