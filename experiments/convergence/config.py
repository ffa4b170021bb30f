"""The flags of a convergence run and its presets."""

from dataclasses import dataclass
from typing import Any, Self

import keras

import keras_uae as uae
from experiments.autoencoders import AutoencoderConfig
from experiments.config import settled
from experiments.data import Split
from keras_uae._checks import check_integer, check_number
from models import get_recipe


@dataclass(frozen=True)
class Config(AutoencoderConfig):
    """‖L(δ, c)‖² of Theorem 1 over the iterations, for several step sizes."""

    experiment = "convergence"

    steps: int | None = None
    """Iterations T. Preset: 1000; quick: 400; smoke: 40."""
    step_sizes: tuple[float, ...] = (0.001, 0.01, 0.1)
    """Step sizes α of δ."""
    horizons: tuple[int, ...] | None = None
    """Numbers of iterations T for each of which α = 1/√T. Preset: 10 40 160 640; smoke: 10 40."""
    multiplier_step_size: float = 0.1
    """Step β of c."""
    similarity: str = "auto"
    """What the attack minimises: auto, conv, random or bivariate (MINE), gaussian, l2, cosine,
    feature_scattering."""
    step_rule: str = "raw"
    """What a step follows: raw (the gradient as it is, as the theorem has it), max or sign."""
    initial_radius: float = 0.2
    """δ₀ is uniform in ± so much. From 0, as in the paper, there is nothing to converge from: f⁺ is
    0 there."""

    def resolve(self) -> Self:
        """As of every experiment; and step sizes and horizons are there."""
        owner = type(self).__name__
        for step_size in self.step_sizes:
            check_number(owner, "step_sizes", step_size, 0)
        config = super().resolve()
        for steps in settled(config.horizons):
            check_integer(owner, "horizons", steps, 1)
        return config

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides."""
        return {
            **super().preset_settings(),
            "seeds": (0,),
            "attack_size": {"smoke": 16, "quick": 64}.get(self.preset, 256),
            "steps": {"smoke": 40, "quick": 400}.get(self.preset, 1000),
            "horizons": (10, 40) if self.preset == "smoke" else (10, 40, 160, 640),
        }

    def complete(self, data: Split) -> Self:
        """As of every experiment; and what the attack itself refuses."""
        config = super().complete(data)
        config.attack(get_recipe("conv").build(data.x_train.shape[1:]), 0.0, 1)
        return config

    @property
    def runs(self) -> dict[str, tuple[float, int]]:
        """α and T of every attack, by its name in the files."""
        fixed = {alpha_row(alpha): (alpha, settled(self.steps)) for alpha in self.step_sizes}
        return fixed | {horizon_row(each): (each**-0.5, each) for each in settled(self.horizons)}

    def attack(self, model: keras.Model, step_size: float, steps: int) -> uae.MinMaxAttack:
        """Algorithm 1 with this α and T."""
        return uae.MinMaxAttack(
            model,
            similarity=self.similarity,
            step_size=step_size,
            steps=steps,
            multiplier_step_size=self.multiplier_step_size,
            step_rule=self.step_rule,
            initial_radius=self.initial_radius,
            epsilon=self.epsilon,
        )


def alpha_row(step_size: float) -> str:
    """Name of the attack with this step size."""
    return f"alpha-{step_size:g}"


def horizon_row(steps: int) -> str:
    """Name of the attack with so many iterations and a step size that suits them."""
    return f"horizon-{steps}"
