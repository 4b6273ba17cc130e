"""Optimisers: they find better compounds than the start holds, ask the same with the same seed, and end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.molecules.optimisers.scorers import Carbons

from iatros.core.errors import OutcomeError, RequestError
from iatros.molecules.generators.generator import Generator, Training
from iatros.molecules.generators.library import Library
from iatros.molecules.objectives.reading import load_objective
from iatros.molecules.optimisers import OPTIMISERS
from iatros.molecules.optimisers.ledger import Answers, Budget, Ledger
from iatros.molecules.optimisers.optimiser import Means
from iatros.molecules.optimisers.population import Population
from iatros.molecules.optimisers.starting import begin
from iatros.molecules.optimisers.teaching import LanguageParams, Pupil, prior_of, written_anew

NEAR = load_objective({"parts": [{"similar_to": "CCOc1ccc(NC(C)=O)cc1"}, {"property": "qed"}]})
SMALL: dict[str, dict[str, Any]] = {
    "screen": {},
    "graph-ga": {"start_size": 10, "offspring": 10, "population": 50},
    "hybrid": {
        "start_size": 10,
        "offspring": 30,
        "samples": 20,
        "asked": 10,
        "steps": 1,
        "taught_at_once": 16,
    },
    "reinforce": {"samples": 16, "steps": 1, "taught_at_once": 16},
}


@pytest.fixture(scope="module")
def prior() -> Generator:
    """A language model that has seen how alkanes, alcohols and amines are written, for a moment."""
    from iatros.core.checkpoint import Checkpoint
    from iatros.core.progress import SilentProgress
    from iatros.molecules.generators import GENERATORS

    texts = [f"{'C' * n}{end}" for n in range(1, 34) for end in ("O", "N", "CO", "C(C)C", "C(=O)O")]
    rnn = GENERATORS.load("rnn")
    settings = rnn.Params(units=16, embedding=8, epochs=20, batch_size=32, learning_rate=0.02)
    training = Training(Checkpoint(None), SilentProgress())
    generator, _ = rnn(settings).fit(Library(tuple(dict.fromkeys(texts))), training, seed=0)
    return generator  # type: ignore[no-any-return]


def _run(name: str, start: list[str], prior: Generator, *, seed: int = 0, calls: int = 60) -> Ledger:
    ledger = Ledger(NEAR, Budget(calls))
    optimiser = OPTIMISERS.load(name)
    optimiser(optimiser.Params(**SMALL[name])).run(ledger, start, Means(seed, prior))
    return ledger


@pytest.mark.parametrize("name", OPTIMISERS.names())
def test_the_same_seed_asks_the_same_and_another_does_not(
    name: str, start: list[str], prior: Generator
) -> None:
    first, again, other = (_run(name, start, prior, seed=seed, calls=14) for seed in (1, 1, 2))
    assert list(first.rows) == list(again.rows)
    assert first.history == again.history
    assert list(first.rows) != list(other.rows)


@pytest.mark.parametrize("name", ["graph-ga", "hybrid"])
def test_what_is_found_is_better_than_the_start(name: str, start: list[str], prior: Generator) -> None:
    ledger = _run(name, start, prior, calls=150)
    begun = max(one.score for one in NEAR.score(start))
    assert ledger.counts.calls == 150
    assert ledger.best(1)[0].score > begun + 0.02
    assert {row.origin for row in ledger.rows.values()} == {"start", name}


@pytest.mark.parametrize("name", ["graph-ga", "hybrid"])
def test_attempts_begin_anew_and_are_united_in_the_end(
    name: str, start: list[str], prior: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, int]] = []
    take = Population.take

    def noted(self: Population, answers: Answers) -> int:
        if not len(self):
            begun.append((ledger.counts.calls, len(answers.smiles)))
        return take(self, answers)

    monkeypatch.setattr(Population, "take", noted)
    ledger = Ledger(NEAR, Budget(160))
    optimiser = OPTIMISERS.load(name)
    optimiser(optimiser.Params(**{**SMALL[name], "start_size": 4, "attempts": 3})).run(
        ledger, start, Means(0, prior)
    )
    assert ledger.counts.calls == 160
    assert [size for _, size in begun] == [4, 4, 4]
    assert begun[0][0] == 4
    assert all(40 * number <= calls < 40 * number + 20 for number, (calls, _) in enumerate(begun))


def test_united_populations_hold_the_best_of_all_and_know_every_compound() -> None:
    first, second = Population(2), Population(2)
    for population, smiles, rewards in (
        (first, ["C", "CC", "CCC"], [0.1, 0.5, 0.3]),
        (second, ["C", "CO"], [0.1, 0.4]),
    ):
        population.take(
            Answers(smiles, np.array(rewards), np.array(rewards), np.ones(len(smiles), dtype=bool), 0)
        )
    whole = Population.united([first, second], 3)
    assert whole.ranked == ["CC", "CO", "CCC"]
    assert whole.rewards == [0.5, 0.4, 0.3]
    again = Answers(["C", "CC", "CN"], np.ones(3), np.ones(3), np.ones(3, dtype=bool), 0)
    assert whole.take(again) == 1


def test_the_baseline_asks_for_the_whole_library_once(start: list[str], prior: Generator) -> None:
    ledger = _run("screen", start, prior)
    assert set(ledger.rows) == set(start)
    assert not ledger.over
    scores = {one.smiles: one.score for one in NEAR.score(start)}
    assert ledger.best(1)[0].scored.smiles == max(scores, key=lambda text: scores[text])


def test_a_rewarded_model_writes_more_of_what_is_rewarded(prior: Generator) -> None:
    pupil = Pupil(prior, LanguageParams(learning_rate=5e-3))
    texts = ["CCCCCC(=O)O", "CCCCCCC(=O)O", "CCCCCCCC(=O)O"]
    codes, known = pupil.policy.encode(texts)
    assert known.all()
    before = pupil.policy.log_likelihood(codes).detach().numpy()
    untaught = pupil._untaught.log_likelihood(codes).detach().numpy()
    for _ in range(10):
        pupil.learn(texts, np.ones(3))
    assert (pupil.policy.log_likelihood(codes).detach().numpy() > before + 0.5).all()
    np.testing.assert_array_equal(pupil._untaught.log_likelihood(codes).detach().numpy(), untaught)


def test_a_model_learns_nothing_from_what_it_cannot_write(prior: Generator) -> None:
    pupil = Pupil(prior, LanguageParams())
    codes, _ = pupil.policy.encode(["CCO"])
    before = float(pupil.policy.log_likelihood(codes).detach())
    pupil.learn(["[U]", "C" * 500], np.ones(2))
    pupil.learn([], np.ones(0))
    assert float(pupil.policy.log_likelihood(codes).detach()) == before


def test_a_rewritten_compound_is_the_same_compound() -> None:
    import random

    from rdkit import Chem

    rng = random.Random(0)
    texts = {written_anew("Cn1cnc2c1c(=O)n(C)c(=O)n2C", rng) for _ in range(20)}
    assert len(texts) > 5
    assert {Chem.CanonSmiles(text) for text in texts} == {"Cn1c(=O)c2c(ncn2C)n(C)c1=O"}


def test_without_a_prior_the_start_library_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iatros.molecules.optimisers.teaching._SEVERAL", 300)
    texts = [f"{'C' * n}{end}" for n in range(2, 34) for end in ("O", "N", "CO", "C(C)C", "C(=O)O")]
    library = list(dict.fromkeys(texts))
    params = LanguageParams(prior_units=8)
    one, other = (prior_of(Means(seed=3), library, params) for _ in range(2))
    wrote = [model.sample(20, rng=np.random.default_rng(0)) for model in (one, other)]
    assert wrote[0] == wrote[1]
    assert set("".join(wrote[0])) <= set("CON()=")


def test_without_a_prior_few_compounds_are_refused(start: list[str]) -> None:
    reinforce = OPTIMISERS.load("reinforce")
    with pytest.raises(OutcomeError, match="100 start compounds"):
        reinforce().run(Ledger(NEAR, Budget(10)), start, Means())


def test_another_kind_of_prior_is_refused(start: list[str]) -> None:
    class Other:
        kind = "other"

    with pytest.raises(RequestError, match="does not tell how likely"):
        OPTIMISERS.load("reinforce")().run(Ledger(NEAR, Budget(10)), start, Means(0, Other()))  # type: ignore[arg-type]


def test_a_search_that_finds_nothing_new_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iatros.molecules.optimisers.graph_ga._IDLE", 2)
    graph_ga = OPTIMISERS.load("graph-ga")
    ledger = Ledger(Carbons(), Budget(100_000))
    few = graph_ga.Params(most_atoms=5, largest_ring=3, start_size=2, offspring=5, crossover=0.0)
    graph_ga(few).run(ledger, ["CC"], Means())
    assert 5 < ledger.counts.calls < 5000
    assert not ledger.over


def test_a_population_keeps_the_best_and_each_once() -> None:
    ledger, population = Ledger(Carbons(), Budget(50)), Population(2)
    assert population.take(ledger.ask(["O", "CO", "CCO", "CO"])) == 3
    assert population.ranked == ["CCO", "CO"]
    assert population.take(ledger.ask(["CO", "nope"])) == 0
    assert population.take(ledger.ask(["CCCO"])) == 1
    assert population.ranked == ["CCCO", "CCO"]
    np.testing.assert_allclose(population.rewards, [3 / 4, 2 / 3])


def test_the_best_of_what_was_prescreened_are_asked_first(start: list[str]) -> None:
    import random

    ledger, population = Ledger(NEAR, Budget(50)), Population(20)
    begin(ledger, population, start, random.Random(0), size=3, prescreen=len(start))
    scores = sorted((one.score for one in NEAR.score(start)), reverse=True)
    np.testing.assert_allclose(ledger.history, scores[:3])
    assert (ledger.counts.prescreened, ledger.counts.calls) == (len(start), 3)


def test_more_of_the_library_is_asked_while_nothing_scores() -> None:
    import random

    rare = load_objective({"parts": [{"property": "qed"}, {"require": "[F]"}]})
    library = [f"{'C' * n}O" for n in range(1, 60)] + [f"{'C' * n}F" for n in range(1, 16)]
    ledger, population = Ledger(rare, Budget(500)), Population(200)
    begin(ledger, population, library, random.Random(0), size=5)
    assert 10 <= sum(score > 0 for score in ledger.history) < 15
    assert len(ledger.history) % 5 == 0
    ledger, population = Ledger(rare, Budget(40)), Population(200)
    begin(ledger, population, library[:59], random.Random(0), size=5)
    assert len(ledger.history) == 25, "five beyond half of the budget"
