"""The flags of an ablation run and its presets."""

import math
from dataclasses import dataclass
from typing import Any, Self

import keras

from experiments.ablation.variants import PARTS, SEARCHES, Variant, every_part
from experiments.autoencoders import AutoencoderConfig
from experiments.config import settled
from experiments.data import Split
from keras_uae._checks import check_choice, check_integer
from keras_uae.attacks.base import Attack
from models import get_recipe


@dataclass(frozen=True)
class Config(AutoencoderConfig):
    """What each choice of the attack does: step sizes, similarity, penalty, start, margin, time."""

    experiment = "ablation"
    counts = (*AutoencoderConfig.counts, "rounds", "retraining_epochs")

    parts: tuple[str, ...] = tuple(PARTS)
    """What to do: sensitivity, similarity, samples, penalty, start, margin, time."""
    samples: tuple[int, ...] | None = None
    """Random projections K of MINE to compare. Preset: 50 100 200 500; smoke: 8 16."""
    rounds: int | None = None
    """Rounds in which every attack is timed once. Preset: 5; quick: 3; smoke: 1."""
    retrain: bool = False
    """Also retrain the autoencoder on the examples of the parts sensitivity and similarity, and on
    duplicates, as the paper does: the errors of its tables. Takes hours."""
    retraining_epochs: int | None = None
    """Epochs of these trainings. Preset: 30; digits: 15; smoke: 6."""

    def resolve(self) -> Self:
        """As of every experiment; and the parts are known."""
        owner = type(self).__name__
        for part in self.parts:
            check_choice(owner, "parts", part, PARTS)
        config = super().resolve()
        if settled(config.steps) % math.lcm(*SEARCHES):
            raise ValueError(
                f"`steps` of {owner} must be a multiple of {math.lcm(*SEARCHES)}, so that the "
                f"penalty method has as many. Received: steps={config.steps}."
            )
        for count in settled(config.samples):
            check_integer(owner, "samples", count, 2)
        return config

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides."""
        settings = {
            **super().preset_settings(),
            "samples": (50, 100, 200, 500),
            "rounds": 3 if self.preset == "quick" else 5,
            "retraining_epochs": get_recipe("conv").retraining_epochs,
        }
        if self.dataset == "digits":
            settings.update(retraining_epochs=15)
        if self.preset == "smoke":
            settings.update(samples=(8, 16), rounds=1, retraining_epochs=6)
        return settings

    def complete(self, data: Split) -> Self:
        """As of every experiment; and what the attacks themselves refuse."""
        config = super().complete(data)
        model = get_recipe("conv").build(data.x_train.shape[1:])
        for variant in config.variants.values():
            config.attack(variant, model)
        return config

    @property
    def chosen(self) -> dict[str, dict[str, Variant]]:
        """The parts to do, and their rows."""
        every = every_part(settled(self.steps), settled(self.samples))
        return {part: rows for part, rows in every.items() if part in self.parts}

    @property
    def variants(self) -> dict[str, Variant]:
        """The attacks of all parts, by their name in the files, each once."""
        found = {"mine": Variant("mine", "MINE-UAE")}  # what all others are compared with
        for rows in self.chosen.values():
            for variant in rows.values():
                found.setdefault(variant.name, variant)
        return found

    @property
    def retrained(self) -> list[str]:
        """The names of the attacks on whose examples the autoencoder is trained again."""
        shown = [self.chosen.get(part, {}) for part in ("sensitivity", "similarity")]
        names = dict.fromkeys(variant.name for rows in shown for variant in rows.values())
        return list(names) if self.retrain else []

    def attack(self, variant: Variant, model: keras.Model) -> Attack:
        """The attack of a row."""
        settings = {"steps": self.steps, "epsilon": self.epsilon, **variant.settings}
        return variant.attack(model, **settings)
