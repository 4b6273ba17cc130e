"""The parameters of the adversarial generators, and which of them belong to which variant."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from iatros.molecules.generators.adversarial.contest import Contest
from iatros.molecules.generators.adversarial.organ import Rounds
from iatros.molecules.generators.language.recurrent import RnnParams
from iatros.molecules.generators.latent.preparation import AutoencoderParams

Variant = Literal["latent", "sequence"]
Objective = Literal["none", "qed"]

_OF_ONE = {
    "latent": (
        "latent", "token_dropout", "latent_noise", "noise", "generator_units", "generator_layers", "critic_units",
        "critic_layers", "critic_steps", "penalty", "averaging", "steps",
    ),
    "sequence": ("rounds", "objective", "objective_weight", "rollouts", "discriminator_steps", "likelihood_steps"),
}  # fmt: skip
"""Parameters that have a meaning for one variant only."""


class GanParams(AutoencoderParams):
    """Parameters of both variants."""

    variational: ClassVar[bool] = False
    variant: Variant = Field(
        default="latent",
        description="latent: a critic of latent vectors; sequence: a discriminator of written compounds",
    )
    randomise: int = Field(
        default=1, ge=0, le=64, description="random writings of each compound; 0: it is read as it is written"
    )
    latent_noise: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description="noise on the latent vectors, whose units vary by 1, while learning",
    )
    noise: int = Field(default=128, ge=2, le=4096, description="length of the noise that vectors are made of")
    generator_units: int = Field(default=256, ge=8, le=8192, description="units of the generator's layers")
    generator_layers: int = Field(default=4, ge=1, le=16, description="layers of the generator but the last")
    critic_units: int = Field(default=256, ge=8, le=8192, description="units of the critic's layers")
    critic_layers: int = Field(default=3, ge=1, le=16, description="layers of the critic but the last")
    critic_steps: int = Field(
        default=5, ge=1, le=100, description="steps of the critic for one of the generator"
    )
    penalty: float = Field(
        default=10.0, ge=0, le=1000, description="weight of the penalty on the critic's slope"
    )
    averaging: float = Field(
        default=0.999, ge=0, lt=1, description="share of the generator's running average that each step keeps"
    )
    steps: int = Field(default=20_000, ge=10, le=10_000_000, description="steps of the latent generator")
    rounds: int = Field(
        default=200, ge=1, le=1_000_000, description="rounds of writing, judging and learning"
    )
    objective: Objective = Field(
        default="none", description="what is rewarded beside looking real: none or qed"
    )
    objective_weight: float = Field(
        default=0.5, ge=0, le=1, description="share of the objective in the reward"
    )
    rollouts: int = Field(
        default=4,
        ge=0,
        le=64,
        description="completions of the half-written texts by which tokens are judged; 0: none",
    )
    discriminator_steps: int = Field(
        default=2, ge=1, le=100, description="steps of the discriminator in each round"
    )
    likelihood_steps: int = Field(
        default=1, ge=0, le=100, description="steps of each round that learn the library's own compounds"
    )
    adversarial_share: float = Field(
        default=0.25, gt=0, lt=1, description="share of the seconds, if any were given, for the adversaries"
    )
    adversarial_batch: int = Field(default=256, ge=2, le=65_536, description="vectors or texts of one step")
    adversarial_rate: float = Field(
        default=2e-4, gt=0, le=1, description="largest step size of the adversaries"
    )

    @model_validator(mode="after")
    def _belong(self) -> Self:
        for variant, names in _OF_ONE.items():
            given = [name for name in names if name in self.model_fields_set]
            if variant != self.variant and given:
                raise ValueError(f"{given[0]} has a meaning for variant {variant} only; leave it out")
        if (
            self.variant == "sequence"
            and "objective_weight" in self.model_fields_set
            and self.objective == "none"
        ):
            raise ValueError("objective_weight has no meaning without an objective; set objective")
        return self

    def contest(self) -> Contest:
        """The part of it about the adversaries in the latent space."""
        return Contest(
            noise=self.noise,
            generator_units=self.generator_units,
            generator_layers=self.generator_layers,
            critic_units=self.critic_units,
            critic_layers=self.critic_layers,
            critic_steps=self.critic_steps,
            penalty=self.penalty,
            averaging=self.averaging,
            steps=self.steps,
            batch_size=self.adversarial_batch,
            learning_rate=self.adversarial_rate,
        )

    def rnn(self) -> RnnParams:
        """The parameters of the language model that the sequence variant begins with."""
        shared = set(RnnParams.model_fields) & set(GanParams.model_fields)
        values = {name: getattr(self, name) for name in shared}
        return RnnParams.model_construct(shared & self.model_fields_set, **values)

    def turns(self) -> Rounds:
        """The part of it about the adversaries of written compounds."""
        return Rounds(
            rounds=self.rounds,
            batch_size=self.adversarial_batch,
            learning_rate=self.adversarial_rate,
            channels=self.channels,
            objective=self.objective,
            objective_weight=self.objective_weight if self.objective != "none" else 0.0,
            rollouts=self.rollouts,
            discriminator_steps=self.discriminator_steps,
            likelihood_steps=self.likelihood_steps,
        )
