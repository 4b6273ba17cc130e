"""A language model as a policy: its samples, their likelihoods, and weights that come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.molecules.generators.small import small_library, training

from iatros.core.errors import RequestError
from iatros.learners.compounds.tokens import BEGIN, END
from iatros.molecules.generators.language.model import LanguageModel
from iatros.molecules.generators.language.policy import Policy
from iatros.molecules.generators.language.recurrent import Rnn, RnnParams
from iatros.molecules.generators.language.transformer import Transformer, TransformerParams

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module", params=["rnn", "transformer", "selfies"])
def generator(request: pytest.FixtureRequest, shared_data: Path) -> LanguageModel:
    library = small_library(shared_data, 150)
    quick: dict[str, Any] = {"epochs": 1, "batch_size": 64, "max_length": 60}
    if request.param == "transformer":
        return Transformer(TransformerParams(width=16, layers=2, heads=4, **quick)).fit(
            library, training(), seed=0
        )[0]
    notation = "selfies" if request.param == "selfies" else "smiles"
    return Rnn(RnnParams(units=20, notation=notation, **quick)).fit(library, training(), seed=0)[0]


def by_hand(generator: LanguageModel, line: list[int]) -> float:
    """The sum of the log-probabilities of the codes of one line, up to and with `END`."""
    steps, total = generator.steps, 0.0
    states, before = steps.start(1), BEGIN
    for code in line[: line.index(END) + 1] if END in line else line:
        odds, states = steps.step(np.array([before]), states)
        total += float(odds[0, code] - np.log(np.exp(odds[0].astype(float)).sum()))
        before = code
    return total


def exact(policy: Policy) -> Policy:
    policy.network.low = False
    return policy


def test_likelihoods_are_sums_of_steps(generator: LanguageModel) -> None:
    policy = exact(Policy.from_generator(generator))
    texts, codes = policy.sample(12, np.random.default_rng(0))
    found = policy.log_likelihood(codes)
    assert len(texts) == len(codes) == 12
    assert found.shape == (12,)
    assert found.detach().numpy() == pytest.approx(
        [by_hand(generator, line) for line in codes.tolist()], rel=1e-4
    )


def test_filling_and_company_change_nothing(generator: LanguageModel) -> None:
    policy = exact(Policy.from_generator(generator))
    _, codes = policy.sample(9, np.random.default_rng(0))
    wider = np.pad(codes, ((0, 0), (0, 5)))
    together = policy.log_likelihood(wider).detach().numpy()
    alone = [policy.log_likelihood(codes[row : row + 1]).item() for row in range(9)]
    assert together == pytest.approx(alone, rel=1e-4)


def test_what_is_sampled_can_be_encoded_again(generator: LanguageModel) -> None:
    policy = Policy.from_generator(generator)
    smiles = ["CCO", "c1ccccc1", "CC(C)N"]
    codes, known = policy.encode(smiles)
    assert known.all()
    if generator.vocabulary.notation == "smiles":
        assert generator.texts(codes) == smiles
    strange, known = policy.encode(["[Xe]", "CCO", "C" * 61])
    assert known.tolist() == [False, True, False]
    assert strange.dtype == np.int64


def test_a_step_makes_what_is_rewarded_likelier(generator: LanguageModel) -> None:
    policy = Policy.from_generator(generator)
    prior = policy.copy()
    codes, _ = policy.encode(["c1ccccc1C(=O)N"])
    before = policy.log_likelihood(codes).item()
    optimiser = torch.optim.Adam(policy.parameters(), lr=1e-2)
    for _ in range(5):
        optimiser.zero_grad()
        (-policy.log_likelihood(codes)).sum().backward()
        optimiser.step()
    assert policy.log_likelihood(codes).item() > before + 5
    assert prior.log_likelihood(codes).item() == pytest.approx(before, rel=1e-5)


def test_the_generator_has_the_weights_of_that_moment(generator: LanguageModel) -> None:
    policy = Policy.from_generator(generator)
    equal = policy.generator()
    assert all(np.array_equal(value, equal.weights[name]) for name, value in generator.weights.items())
    with torch.no_grad():
        for weight in policy.parameters():
            weight += 1.0
    moved = policy.generator()
    assert all(np.array_equal(value, equal.weights[name]) for name, value in generator.weights.items())
    assert all(np.allclose(moved.weights[name], value + 1.0) for name, value in equal.weights.items())
    assert type(moved) is type(generator)


def test_what_has_no_likelihood_is_refused() -> None:
    class Dice:
        kind: ClassVar[str] = "dice"

    with pytest.raises(RequestError, match="'dice' does not tell how likely"):
        Policy.from_generator(Dice())  # type: ignore[arg-type]
