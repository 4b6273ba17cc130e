"""Few compounds learned after many: the generator writes more like them, and too few are refused."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from tests.molecules.generators.small import small_library, training

from iatros.core.errors import OutcomeError
from iatros.molecules.generators.language.finetuning import Course, finetune
from iatros.molecules.generators.language.fitting import mean_nll
from iatros.molecules.generators.language.model import LanguageModel
from iatros.molecules.generators.language.recurrent import Rnn, RnnParams
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.texts.lines import lines_of

pytest.importorskip("torch")

ACTIVES = [
    f"O=C(N{chain})c1ccc({halogen})cc1" for chain in ("C", "CC", "CCC", "CCCC") for halogen in ("F", "Cl")
]
FAST = Course(learning_rate=5e-3, batch_size=8, steps=9, most=12)


@pytest.fixture(scope="module")
def library(shared_data: Path) -> Library:
    return small_library(shared_data, 300)


@pytest.fixture(scope="module")
def generator(library: Library) -> LanguageModel:
    return Rnn(RnnParams(units=48, epochs=6, batch_size=16, learning_rate=1e-2)).fit(
        library, training(), seed=0
    )[0]


def surprise(generator: LanguageModel, smiles: list[str]) -> float:
    """Nats of a token."""
    lines = lines_of([smiles], generator.vocabulary, generator.max_length)
    return mean_nll(generator.network(), lines.codes[0])


def test_it_writes_more_like_the_actives(generator: LanguageModel) -> None:
    after, notes = finetune(generator, ACTIVES, training(), seed=1, course=FAST)
    assert surprise(after, ACTIVES) < 0.5 * surprise(generator, ACTIVES)
    assert notes["n_learned"] == 8
    assert notes["n_held_out"] == 0
    losses = [one["tuning_loss"] for one in notes["history"]]
    assert losses[-1] == min(losses) < losses[0]
    assert notes["history"][-1]["epoch"] == len(losses) - 1
    before, since = (notes[name]["similarity"] for name in ("before", "after"))
    assert since["low"] > before["high"]
    assert since["low"] < since["value"] < since["high"]
    again, told = finetune(generator, ACTIVES, training(), seed=1, course=FAST)
    assert told == notes
    assert all(np.array_equal(value, again.weights[name]) for name, value in after.weights.items())


def test_what_is_held_out_ends_it(generator: LanguageModel, library: Library) -> None:
    course = Course(learning_rate=2e-2, batch_size=8, writings=2, most=30, patience=2)
    smiles = library.smiles[:40]
    after, notes = finetune(generator, smiles, training(), seed=1, course=course)
    losses = [one["tuning_loss"] for one in notes["history"]]
    assert notes["n_held_out"] == 8
    assert len(losses) == int(np.argmin(losses)) + 3 < 31
    held = sorted(smiles, key=lambda text: zlib.crc32(text.encode()))[:8]
    lines = lines_of([held], after.vocabulary, after.max_length)
    assert mean_nll(after.network(), lines.codes[0]) == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.parametrize("n", [8, 40])
def test_where_nothing_becomes_likelier_the_model_stays(
    generator: LanguageModel, library: Library, n: int
) -> None:
    course = Course(learning_rate=1.0, batch_size=8, writings=1, most=3, patience=1)
    after, _ = finetune(generator, library.smiles[:n], training(), seed=1, course=course)
    assert all(np.array_equal(value, after.weights[name]) for name, value in generator.weights.items())


def test_strange_and_long_ones_are_left_out(generator: LanguageModel) -> None:
    _, notes = finetune(
        generator, [*ACTIVES, "C[Te]C", "C" * 130], training(), seed=1, course=Course(most=1, writings=1)
    )
    assert (notes["n_learned"], notes["n_unknown_tokens"], notes["n_too_long"]) == (8, 1, 1)


def test_too_few_are_refused(generator: LanguageModel) -> None:
    with pytest.raises(
        OutcomeError, match="4 compounds can be learned from, and 5 are needed; 2 hold"
    ) as told:
        finetune(generator, [*ACTIVES[:4], "C[Te]C", "C[Te]"], training(), seed=1, where="actives.smi")
    assert told.value.where == "actives.smi"
