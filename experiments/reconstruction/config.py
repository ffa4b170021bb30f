"""The flags of a reconstruction run and its presets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras

import keras_uae as uae
from experiments.attacks import AttackConfig, attack_work
from experiments.config import settled
from experiments.datasets import COUNTS, Split
from keras_uae.attack import PRESETS
from keras_uae.checks import check_choice
from models import RECIPES, get_recipe

# 8×8 images and 1437 of them: smaller batches, and as many epochs as it takes to train for real
DIGITS_BATCH_SIZE = 32
DIGITS_EPOCHS = {"conv": (10, 15), "dense": (60, 90), "sparse": (80, 120)}


@dataclass(frozen=True)
class Config(AttackConfig):
    """Do UAEs improve reconstruction? Table 4 of the paper, with a duplicate control."""

    experiment = "reconstruction"
    counts = (*AttackConfig.counts, "retraining_epochs", "batch_size")

    model: str = "conv"
    """Autoencoder: conv, dense or sparse."""
    retraining_epochs: int | None = None
    """Epochs of the trainings on originals and additions together (the paper: about 1.5 ×)."""
    batch_size: int | None = None
    """Images a training step."""
    target: str = "self"
    """What a model trained on x + δ restores: self (x + δ, as the paper does) or clean (x)."""

    def resolve(self) -> Self:
        """As of every experiment; and the model is known."""
        check_choice(type(self).__name__, "model", self.model, RECIPES)
        return super().resolve()

    @property
    def name_parts(self) -> tuple[str, ...]:
        """What the directory of a run is named after."""
        return self.dataset, self.model, self.preset

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides for the data set and the model."""
        recipe = RECIPES[self.model]
        settings: dict[str, Any] = {
            **super().preset_settings(),
            "train_size": None,  # all
            "epochs": recipe.epochs,
            "retraining_epochs": recipe.retraining_epochs,
            "batch_size": recipe.batch_size,
        }
        if self.preset == "smoke":
            settings.update(train_size=300, epochs=4, retraining_epochs=6)
            settings.update(batch_size=DIGITS_BATCH_SIZE)
        elif self.preset == "quick" and self.dataset == "digits":
            epochs, retraining_epochs = DIGITS_EPOCHS[self.model]
            settings.update(epochs=epochs, retraining_epochs=retraining_epochs)
            settings.update(batch_size=DIGITS_BATCH_SIZE)
        elif self.preset == "quick":
            settings.update(train_size=min(10_000, COUNTS.get(self.dataset, (10_000,))[0]))
        return settings

    def complete(self, data: Split) -> Self:
        """As of every attack; and the data must be images, of which the report shows some."""
        owner = type(self).__name__
        if data.x_train.ndim != 4:
            raise ValueError(
                f"`dataset` of {owner} must hold images. Received: "
                f"dataset={self.dataset!r} with samples of shape {data.x_train.shape[1:]}."
            )
        check_choice(owner, "target", self.target, ("self", "clean"))
        config = super().complete(data)
        if self.target == "clean" and config.attack_size != config.train_size:
            raise ValueError(
                f"`attack_size` of {owner} must be {config.train_size}, all training images, "
                f"where the target is clean. Received: attack_size={config.attack_size}."
            )
        return config

    def untrained(self, shape: Sequence[int]) -> keras.Model:
        """An autoencoder that has not been trained."""
        return get_recipe(self.model).build(shape)

    def l2_attack(self, model: keras.Model) -> uae.MinMaxAttack:
        """The baseline L2-UAE, in all else like `attack`."""
        start = PRESETS[self.attack_preset]
        return uae.MinMaxAttack.from_preset(
            "l2_uae", model, **start, steps=self.steps, epsilon=self.epsilon
        )

    def attack_work(self, name: str = "mine") -> int:
        """What attacking one image takes, in the unit of `JobProgress`, and roughly."""
        kind = "random" if self.similarity == "auto" and self.model != "conv" else self.similarity
        return attack_work(kind if name == "mine" else "l2", settled(self.steps))
