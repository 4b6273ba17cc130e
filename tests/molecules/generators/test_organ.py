"""A language model against a discriminator: what half a text is worth, rewards, and learning from them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.molecules.generators.small import KilledError, Killing, small_library, training

from iatros.core.errors import FitError
from iatros.learners.compounds.tokens import END, PAD
from iatros.molecules.generators.adversarial.gan import Gan
from iatros.molecules.generators.adversarial.organ import Adversaries, objective_of
from iatros.molecules.generators.adversarial.params import GanParams
from iatros.molecules.generators.adversarial.rollouts import CUTS, completed, values_at
from iatros.molecules.generators.generator import load_generator
from iatros.molecules.generators.language.recurrent import RecurrentGenerator
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.training.turns import LOOKS

PARAMS = GanParams(
    variant="sequence", units=32, channels=8, embedding=12, max_length=60, epochs=4, batch_size=16,
    learning_rate=0.01, randomise=0, rounds=10, rollouts=1, adversarial_batch=24, adversarial_rate=1e-3,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _few_texts() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("iatros.molecules.generators.adversarial.organ.WRITTEN", 200)
        patch.setattr("iatros.molecules.generators.adversarial.organ.LOOKED_AT", 50)
        yield


@pytest.fixture(scope="module")
def library(request: pytest.FixtureRequest) -> Library:
    return small_library(request.getfixturevalue("shared_data"))


@pytest.fixture(scope="module")
def fitted(library: Library) -> tuple[RecurrentGenerator, dict[str, Any]]:
    generator, notes = Gan(PARAMS).fit(library, training(), seed=1)
    assert isinstance(generator, RecurrentGenerator)
    return generator, notes


@pytest.fixture(scope="module")
def model(fitted: tuple[RecurrentGenerator, dict[str, Any]]) -> RecurrentGenerator:
    return fitted[0]


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_both_stages_are_told(fitted: tuple[RecurrentGenerator, dict[str, Any]]) -> None:
    notes = fitted[1]
    assert len(notes["history"]) == 4
    looks = notes["adversarial_history"]
    assert [one["turn"] for one in looks] == [float(k) for k in range(1, LOOKS + 1)]
    assert set(looks[0]) == {"turn", *Adversaries.told, *Adversaries.seen}
    assert all(np.isfinite(list(one.values())).all() for one in looks)
    assert notes["mode_collapse"]["n"] == 200


def test_it_is_stored_as_a_language_model(model: RecurrentGenerator) -> None:
    document, files = model.save()
    assert document["kind"] == "recurrent"
    assert load_generator(document, files.__getitem__).sample(30, rng=rng()) == model.sample(30, rng=rng())


@pytest.mark.parametrize(("label", "after"), [("learning", 40), ("learning from the discriminator", 4)])
def test_a_killed_training_goes_on_with_the_same_result(
    library: Library, model: RecurrentGenerator, tmp_path: Path, label: str, after: int
) -> None:
    with pytest.raises(KilledError):
        Gan(PARAMS).fit(library, training(tmp_path, Killing(label, after)), seed=1)
    again, notes = Gan(PARAMS).fit(library, training(tmp_path), seed=1)
    assert again.save() == model.save()
    assert len(notes["adversarial_history"]) == LOOKS


def test_completions_begin_as_they_are_told(model: RecurrentGenerator) -> None:
    codes = model.write(300, rng=rng())
    upto = np.arange(300) % 9
    lines = completed(model.steps, codes, upto, np.random.default_rng(8), longest=60)
    assert lines.shape == (300, 60)
    for line, told, n in zip(lines, codes, upto.tolist(), strict=True):
        ended = np.flatnonzero(told == END)
        n = min(n, int(ended[0]) + 1) if len(ended) else n
        assert line[:n].tolist() == told[:n].tolist()
        assert (line[np.argmax(line == END) + 1 :] == PAD).all() or END not in line
    assert (lines != codes).any()


def test_half_a_text_is_worth_the_mean_of_its_completions(model: RecurrentGenerator) -> None:
    codes = model.write(6, rng=rng())
    asked: list[int] = []

    def rewards(texts: list[str], lines: np.ndarray) -> np.ndarray:
        asked.append(len(texts))
        return np.arange(len(lines), dtype=np.float64)

    found = list(values_at(model, codes, 3, rewards, rng()))  # type: ignore[arg-type]
    assert asked == [18] * len(CUTS)
    for _, values in found:
        assert values.tolist() == [1.0, 4.0, 7.0, 10.0, 13.0, 16.0]
    lengths = (codes != PAD).sum(axis=1)
    assert found[1][0].tolist() == (0.5 * lengths).astype(int).tolist()


def adversaries(model: RecurrentGenerator, library: Library, **given: Any) -> Adversaries:
    params = GanParams(variant="sequence", channels=8, adversarial_batch=48, **given)
    return Adversaries(model, params.turns(), library, lambda _: {}, 3)


def test_a_text_written_twice_is_worth_half(model: RecurrentGenerator, library: Library) -> None:
    both = adversaries(model, library, objective="qed", objective_weight=1.0)
    texts = ["CCO", "OCC", "C1CC", "c1ccccc1O"]
    codes, _ = both.policy.encode(["CCO", "CCO", "CCC", "CCO"])
    qed = objective_of("qed")(["CCO", "c1ccccc1O"])
    # ethanol's QED by the published weights is 0.41, phenol's 0.51 (RDKit)
    assert qed == pytest.approx([0.407, 0.513], abs=0.01)
    assert both.rewards(texts, codes) == pytest.approx([qed[0] / 2, qed[0] / 2, 0.0, qed[1]])


def test_advantages_of_a_line_add_up_to_what_it_was_better(
    model: RecurrentGenerator, library: Library
) -> None:
    both = adversaries(model, library, rollouts=2)
    codes = model.write(16, rng=rng())
    lengths = (codes != PAD).sum(axis=1)
    rewards = np.linspace(0.0, 1.0, 16)
    found = both._advantages(model, codes, rewards, rng()) * (rewards.std() + 1e-6)
    for row, length in enumerate(lengths.tolist()):
        edges = [0, *((np.array(CUTS) * length).astype(int)).tolist(), length]
        steps = [found[row, a] for a, b in pairwise(edges) if b > a]
        if len(steps) == len(edges) - 1:
            assert sum(steps) == pytest.approx(rewards[row] - rewards.mean())
    plain = adversaries(model, library, rollouts=0)._advantages(model, codes, rewards, rng())
    assert plain[3].tolist() == pytest.approx([plain[3, 0]] * codes.shape[1])


def test_what_is_rewarded_is_written_more_often(model: RecurrentGenerator, library: Library) -> None:
    """Where the objective is to have no ring, after a few rounds fewer texts have one."""
    both = adversaries(
        model,
        library,
        rollouts=0,
        objective="qed",
        objective_weight=1.0,
        adversarial_rate=5e-3,
        likelihood_steps=0,
    )

    def without_ring(texts: Any, codes: np.ndarray) -> np.ndarray:
        return np.array(["1" not in text for text in texts], dtype=np.float64)

    both.rewards = without_ring  # type: ignore[method-assign]
    before = np.mean(without_ring(model.sample(300, rng=rng()), np.empty(0)))
    for number in range(15):
        both.turn(number, 0.0, np.random.default_rng(number))
    after = np.mean(without_ring(both.model().sample(300, rng=rng()), np.empty(0)))
    assert after > before + 0.15


def test_a_loss_that_runs_off_is_told(model: RecurrentGenerator, library: Library) -> None:
    both = adversaries(model, library, rollouts=0)
    both.rewards = lambda texts, codes: np.full(len(texts), np.nan)  # type: ignore[method-assign]
    with pytest.raises(FitError, match="the policy's loss is nan"):
        both.turn(1, 0.0, rng())
