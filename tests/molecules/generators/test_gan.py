"""The adversarial generators: both variants learn, come back from a bundle and from a kill in either stage."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

pytest.importorskip("torch")

from tests.molecules.generators.small import KilledError, Killing, small_library, training

from iatros.core.errors import RequestError
from iatros.molecules.generators.adversarial.contest import Adversaries
from iatros.molecules.generators.adversarial.gan import Gan
from iatros.molecules.generators.adversarial.latent_gan import LatentGanGenerator, normalised
from iatros.molecules.generators.adversarial.params import GanParams
from iatros.molecules.generators.generator import load_generator
from iatros.molecules.generators.language.recurrent import RnnParams
from iatros.molecules.generators.latent.space import LIKELIEST
from iatros.molecules.generators.library import Library
from iatros.molecules.generators.networks.dense import Dense
from iatros.molecules.generators.training.turns import LOOKS

PARAMS = GanParams(
    units=32, channels=16, latent=6, embedding=12, max_length=60, epochs=2, batch_size=16, learning_rate=0.01,
    noise=8, generator_units=16, generator_layers=2, critic_units=16, critic_layers=1, critic_steps=2, steps=20,
    adversarial_batch=32,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _few_texts() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("iatros.molecules.generators.adversarial.latent_gan.WRITTEN", 200)
        patch.setattr("iatros.molecules.generators.adversarial.latent_gan.LOOKED_AT", 50)
        yield


@pytest.fixture(scope="module")
def library(request: pytest.FixtureRequest) -> Library:
    return small_library(request.getfixturevalue("shared_data"))


@pytest.fixture(scope="module")
def fitted(library: Library) -> tuple[LatentGanGenerator, dict[str, Any]]:
    generator, notes = Gan(PARAMS).fit(library, training(), seed=1)
    assert isinstance(generator, LatentGanGenerator)
    return generator, notes


@pytest.fixture(scope="module")
def generator(fitted: tuple[LatentGanGenerator, dict[str, Any]]) -> LatentGanGenerator:
    return fitted[0]


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_both_stages_are_told(fitted: tuple[LatentGanGenerator, dict[str, Any]]) -> None:
    notes = fitted[1]
    assert [one["epoch"] for one in notes["history"]] == [1, 2]
    assert notes["history"][-1]["reconstruction"] < notes["history"][0]["reconstruction"]
    looks = notes["adversarial_history"]
    assert [one["turn"] for one in looks] == [2.0 * k for k in range(1, LOOKS + 1)]
    assert set(looks[0]) == {"turn", *Adversaries.told, *Adversaries.seen}
    assert all(np.isfinite(list(one.values())).all() for one in looks)
    collapse = notes["mode_collapse"]
    assert collapse["n"] == 200
    assert collapse["library"]["valid"] == 1.0
    assert collapse["library"]["internal_diversity"] > 0.8
    assert 0.0 <= collapse["written"]["coverage"] <= 1.0
    assert notes["n_latents"] == notes["n_learned"]


def test_a_stored_generator_writes_the_same(generator: LatentGanGenerator) -> None:
    document, files = generator.save()
    again = load_generator(document, files.__getitem__)
    assert again.sample(40, rng=rng()) == generator.sample(40, rng=rng())
    assert again.save()[1] == files


def test_the_number_of_threads_changes_nothing(
    generator: LatentGanGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = generator.sample(600, rng=rng())
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert generator.sample(600, rng=rng()) == one
    assert generator.sample(0, rng=rng()) == []


def test_noise_is_added_as_in_learning(generator: LatentGanGenerator) -> None:
    assert generator.noise == 1.0
    latents = Dense(generator.dense).make(3, np.random.default_rng(2))
    own = np.random.default_rng(2)
    Dense(generator.dense).make(3, own)
    latents += np.float32(1.0) * own.standard_normal(latents.shape, dtype=np.float32)
    assert generator.sample(3, rng=np.random.default_rng(2)) == generator.decode(latents, rng=own)


def test_writing_needs_no_torch(generator: LatentGanGenerator, tmp_path: Path) -> None:
    document, files = generator.save()
    (tmp_path / "document.json").write_text(json.dumps(document))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    program = (
        "import json, sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from iatros.molecules.generators.generator import load_generator\n"
        "found = load_generator(json.loads(Path('document.json').read_text()), lambda name: Path(name).read_bytes())\n"
        "print(json.dumps(found.sample(4, rng=np.random.default_rng(5))))\n"
        "assert not {'torch', 'sklearn', 'onnxruntime'} & set(sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == generator.sample(4, rng=rng())


@pytest.mark.parametrize(("label", "after"), [("learning", 20), ("learning from the critic", 9)])
def test_a_killed_training_goes_on_with_the_same_result(
    library: Library, generator: LatentGanGenerator, tmp_path: Path, label: str, after: int
) -> None:
    with pytest.raises(KilledError):
        Gan(PARAMS).fit(library, training(tmp_path, Killing(label, after)), seed=1)
    seen = Killing("learning", 1)  # once the first stage is done it is not begun again
    if label == "learning":
        seen = Killing("nothing", 1)
    again, notes = Gan(PARAMS).fit(library, training(tmp_path, seen), seed=1)
    assert again.save() == generator.save()
    assert len(notes["history"]) == 2
    assert len(notes["adversarial_history"]) == LOOKS


def test_learning_goes_on_from_a_generator(library: Library, generator: LatentGanGenerator) -> None:
    params = GanParams(
        epochs=1, batch_size=16, learning_rate=1e-6, steps=10, adversarial_rate=1e-6, averaging=0.0
    )  # fmt: skip
    more, notes = Gan(params).fit(library, training(), seed=2, start=generator)
    assert notes["params"]["generator_units"] == 16
    assert isinstance(more, LatentGanGenerator)
    assert more.space.sizes == generator.space.sizes
    for name, value in generator.space.weights.items():
        np.testing.assert_allclose(more.space.weights[name], value, atol=1e-4)
    for name in ("generator/dense.0.weight", "critic/last.weight"):
        np.testing.assert_allclose(more.opponents[name], generator.opponents[name], atol=1e-3)


def test_compounds_can_be_read_and_written_again(generator: LatentGanGenerator, library: Library) -> None:
    latents = generator.encode(library.smiles[:4])
    np.testing.assert_allclose(latents.mean(axis=1), 0.0, atol=1e-5)
    np.testing.assert_allclose(latents.std(axis=1), 1.0, atol=1e-3)
    assert len(generator.decode(latents, rng=rng(), draw=LIKELIEST)) == 4


def test_rows_are_brought_to_one_scale() -> None:
    found = normalised(np.array([[1.0, 2.0, 3.0]], dtype=np.float32))
    # deviation of 1, 2, 3 is sqrt(2 / 3)
    np.testing.assert_allclose(found, [[-1.2247, 0.0, 1.2247]], atol=1e-4)


def test_what_start_does_not_have_is_refused(library: Library, generator: LatentGanGenerator) -> None:
    with pytest.raises(RequestError, match=r"critic_units is 64, and start was trained with 16"):
        Gan(GanParams(critic_units=64)).fit(library, training(), seed=1, start=generator)


def test_start_must_be_of_the_same_kind(library: Library, generator: LatentGanGenerator) -> None:
    with pytest.raises(RequestError, match=r"'latent-gan', and 'recurrent' is to be trained"):
        Gan(GanParams(variant="sequence")).fit(library, training(), seed=1, start=generator)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"variant": "sequence", "critic_units": 64}, "critic_units has a meaning for variant latent only"),
        ({"objective": "qed"}, "objective has a meaning for variant sequence only"),
        ({"variant": "sequence", "objective_weight": 0.3}, "no meaning without an objective"),
        ({"variant": "other"}, "latent"),
    ],
)
def test_what_a_variant_does_not_use_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GanParams(**given)


def test_the_language_model_gets_the_parameters_it_shares() -> None:
    rnn = GanParams(variant="sequence", units=48, randomise=2, objective="qed").rnn()
    assert (rnn.units, rnn.randomise, rnn.epochs) == (48, 2, GanParams().epochs)
    assert rnn.model_fields_set == {"units", "randomise"}
    assert RnnParams.model_validate(rnn.model_dump()) == rnn
