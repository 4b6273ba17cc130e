"""The language models as a whole: learned, stored, started from, and refused what cannot be learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.molecules.generators.small import KilledError, Killing, small_library, training

from iatros.core.errors import BundleFormatError, OutcomeError, RequestError
from iatros.molecules.generators.generator import Draw, load_generator
from iatros.molecules.generators.language.model import LanguageModel
from iatros.molecules.generators.language.recurrent import Rnn, RnnParams
from iatros.molecules.generators.language.transformer import Transformer, TransformerParams
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.texts.codes import learn_vocabulary
from iatros.molecules.generators.texts.lines import lines_of
from iatros.molecules.generators.texts.rewriting import ways_to_write
from iatros.molecules.generators.training import learning

pytest.importorskip("torch")

SIZES: dict[str, dict[str, Any]] = {
    "rnn": {"units": 24, "embedding": 6},
    "transformer": {"width": 16, "layers": 2, "heads": 4},
}


def estimator(name: str, **fields: Any) -> Any:
    """A small one of either kind."""
    quick = {"epochs": 2, "batch_size": 32, **SIZES[name], **fields}
    return Rnn(RnnParams(**quick)) if name == "rnn" else Transformer(TransformerParams(**quick))


@pytest.fixture(scope="module")
def library(shared_data: Path) -> Library:
    return small_library(shared_data)


@pytest.fixture(scope="module", params=list(SIZES))
def fitted(request: pytest.FixtureRequest, library: Library) -> tuple[str, LanguageModel, dict[str, Any]]:
    """The name, the generator and the notes."""
    generator, notes = estimator(request.param).fit(library, training(), seed=3)
    return request.param, generator, notes


def same(a: LanguageModel, b: LanguageModel) -> bool:
    return all(np.array_equal(value, b.weights[name]) for name, value in a.weights.items())


def test_it_learns(fitted: Any, library: Library) -> None:
    _, generator, notes = fitted
    assert notes["history"][1]["tuning_loss"] < notes["history"][0]["tuning_loss"]
    assert notes["n_learned"] + notes["n_tuning"] == len(library)
    assert notes["n_weights"] == sum(value.size for value in generator.weights.values())
    assert notes["n_tokens"] == len(generator.vocabulary)


def test_what_is_stored_writes_the_same(fitted: Any) -> None:
    _, generator, _ = fitted
    document, files = generator.save()
    again = load_generator(document, files.__getitem__)
    draw = Draw(0.8, 0.9)
    written = generator.sample(40, rng=np.random.default_rng(1), draw=draw)
    assert again.sample(40, rng=np.random.default_rng(1), draw=draw) == written
    assert again.save() == (document, files)
    assert written != generator.sample(40, rng=np.random.default_rng(2), draw=draw)
    assert len(written) == 40


def test_the_same_bytes_on_one_thread_and_on_two(
    fitted: Any, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, generator, notes = fitted
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(learning, "fit_threads", lambda: 1 if len(seen) else 2)
    seen: list[int] = []
    two, again = estimator(name).fit(library, training(), seed=3)
    seen.append(1)
    one, _ = estimator(name).fit(library, training(), seed=3)
    assert same(generator, two)
    assert same(one, two)
    assert again == notes
    assert not same(generator, estimator(name).fit(library, training(), seed=4)[0])


@pytest.mark.parametrize("name", list(SIZES))
def test_a_killed_training_gives_the_same_generator(
    name: str, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"dropout": 0.2, "randomise": 2}
    whole, notes = estimator(name, **fields).fit(library, training(), seed=3)
    monkeypatch.setattr(learning, "_BETWEEN_CHECKPOINTS", -1.0)
    with pytest.raises(KilledError):
        estimator(name, **fields).fit(library, training(tmp_path, Killing("learning", 11)), seed=3)
    again, told = estimator(name, **fields).fit(library, training(tmp_path), seed=3)
    assert same(whole, again)
    assert told == notes


@pytest.mark.parametrize("name", list(SIZES))
def test_learning_goes_on_from_a_start(name: str, library: Library) -> None:
    start, _ = estimator(name).fit(library, training(), seed=3)
    strange = tuple(f"{text}[Si](C)C" for text in library.smiles[:30])
    more = Library((*library.smiles[30:], *strange), "more.smi")
    again, notes = estimator(name, learning_rate=1e-9).fit(more, training(), seed=9, start=start)
    assert again.vocabulary == start.vocabulary
    assert notes["n_unknown_tokens"] == 30
    assert notes["n_learned"] + notes["n_tuning"] == len(library) - 30
    assert all(np.allclose(value, again.weights[key], atol=1e-5) for key, value in start.weights.items())
    learned, _ = estimator(name).fit(more, training(), seed=9, start=start)
    assert not same(start, learned)


def test_a_start_has_its_sizes(library: Library) -> None:
    start, _ = estimator("rnn").fit(library, training(), seed=3)
    quick = {"epochs": 1, "batch_size": 64}
    again, notes = Rnn(RnnParams(**quick)).fit(library, training(), seed=3, start=start)
    assert notes["params"]["units"] == 24
    assert again.weights["last.weight"].shape[1] == 24
    with pytest.raises(RequestError, match="units is 25, and start was trained with 24"):
        Rnn(RnnParams(units=25, **quick)).fit(library, training(), seed=3, start=start)


def test_a_start_of_another_kind_is_refused(library: Library) -> None:
    start, _ = estimator("transformer").fit(library, training(), seed=3)
    with pytest.raises(RequestError, match="'transformer', and 'recurrent' is to be trained") as told:
        estimator("rnn").fit(library, training(), seed=3, start=start)
    assert told.value.where == "start"


def test_too_few_that_can_be_written(library: Library) -> None:
    with pytest.raises(OutcomeError, match="and 100 are needed") as told:
        estimator("rnn", max_length=16).fit(library, training(), seed=3)
    assert told.value.where == "zinc.smi"


def test_long_compounds_are_left_out_and_counted(library: Library) -> None:
    long = Library((*library.smiles, *("C" * n for n in range(41, 47))))
    _, notes = estimator("rnn", max_length=40).fit(long, training(), seed=3)
    assert notes["n_too_long"] >= 6


def test_selfies_are_always_molecules(library: Library) -> None:
    from rdkit import Chem

    generator, _ = estimator("rnn", notation="selfies", randomise=1).fit(library, training(), seed=3)
    written = [text for text in generator.sample(60, rng=np.random.default_rng(0)) if text]
    assert all(Chem.MolFromSmiles(text) is not None for text in written)
    assert len(set(written)) > 30
    with pytest.raises(RequestError, match="SELFIES"):
        generator.sample_around("c1ccccc1", 3, rng=np.random.default_rng(0))


def test_a_compound_without_selfies_is_left_out(library: Library) -> None:
    more = Library((*library.smiles, "C$C"))
    _, notes = estimator("rnn", notation="selfies", epochs=1).fit(more, training(), seed=3)
    assert notes["n_unwritten"] == 1
    assert notes["n_learned"] + notes["n_tuning"] == len(library)


def test_every_writing_is_learned_in_turn(library: Library) -> None:
    several = ways_to_write(library.smiles[:50], 3, notation="smiles", seed=1, engine=training().engine)
    vocabulary = learn_vocabulary([text for texts in several for text in texts])
    lines = lines_of(several, vocabulary, 120)
    rows = np.arange(50)
    shown = [
        tuple(map(tuple, lines.batch(rows, np.random.default_rng(place)).tolist())) for place in range(40)
    ]
    n_different = [len({one[row] for one in shown}) for row in range(50)]
    assert n_different == [len({way[row] for way in several}) for row in range(50)]
    assert np.mean(n_different) > 3.5


def test_texts_around_a_scaffold_are_as_many_as_asked_for(fitted: Any) -> None:
    _, generator, _ = fitted
    texts = generator.sample_around("c1ccccc1", 30, rng=np.random.default_rng(0))
    found = generator.write_around("c1ccccc1", 30, rng=np.random.default_rng(0))
    assert len(texts) == 30
    assert sorted(text for text in texts if text) == sorted(found.texts)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BundleFormatError, match="'oracle'"):
        load_generator({"kind": "oracle"}, lambda name: b"")


def test_heads_divide_the_width() -> None:
    with pytest.raises(ValueError, match="width 20 cannot be divided among 8 heads"):
        TransformerParams(width=20)


def test_the_model_is_its_own(fitted: Any) -> None:
    _, generator, _ = fitted
    other = generator.with_weights({name: value * 0 for name, value in generator.weights.items()})
    assert other.vocabulary == generator.vocabulary
    assert replace(generator, max_length=9).max_length == 9
