"""The flags of a reconstruction run and its presets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras

import keras_uae as uae
from experiments.attacks import AttackConfig, attack_work
from experiments.config import check_names, settled
from experiments.datasets import COUNTS, Split
from experiments.reconstruction.rows import GROUPS, ROWS
from keras_uae._checks import check_choice
from keras_uae.attacks.presets import PRESETS
from models import RECIPES, Recipe

# What the paper trains in place of the recipes of MNIST
VARIANTS = {
    "svhn_cropped": {
        "dense": "dense_svhn",
        "sparse": "sparse_svhn",
        "conv": "deep",
        "adversarial": "adversarial_svhn",
    },
    **{name: {"conv": "deep"} for name in ("cifar10", "cifar10_first5k", "tiny_imagenet200")},
}
CONVOLUTIONAL = ("conv", "deep", "denoising", "unet")

# 8×8 images and 1437 of them: smaller batches, and as many epochs as it takes to train for real
DIGITS_BATCH_SIZE = 32
DIGITS_EPOCHS = {
    "conv": (10, 15),
    "dense": (60, 90),
    "sparse": (80, 120),
    "adversarial": (60, 90),
    "deep": (20, 30),
    "denoising": (20, 30),
    "unet": (4, 6),
}
# Where a recipe has more epochs than a quick run has time for. Table 10: the training loss of the
# convolutional autoencoder converges after 5.
QUICK_EPOCHS = {
    "deep": (5, 8),
    "denoising": (5, 8),
    "unet": (5, 8),
    "adversarial_svhn": (50, 80),
}


@dataclass(frozen=True)
class Config(AttackConfig):
    """Do UAEs improve reconstruction? Tables 4, 5 and 11 of the paper, with a duplicate control."""

    experiment = "reconstruction"
    counts = (*AttackConfig.counts, "retraining_epochs", "batch_size")

    model: str = "conv"
    """Autoencoder: conv, dense, sparse or adversarial; deep, denoising or unet. On SVHN, CIFAR-10
    and Tiny-ImageNet the first four are those that the paper has there: conv is deep."""
    rows: tuple[str, ...] = ("uae",)
    """What to compare: uae (Table 4: UAEs and noise), conventional (Table 5: flips, rotations and
    noise, alone and with UAEs), rounds (UAEs of the model that was trained on UAEs)."""
    retraining_epochs: int | None = None
    """Epochs of the trainings on originals and additions together (the paper: about 1.5 ×). All of
    them are done: stopping early would make the budgets unequal."""
    batch_size: int | None = None
    """Images a training step."""
    target: str = "self"
    """What a model trained on x + δ restores: self (x + δ, as the paper does) or clean (x)."""

    def resolve(self) -> Self:
        """As of every experiment; and the model and the rows are known."""
        owner = type(self).__name__
        check_choice(owner, "model", self.model, RECIPES)
        check_names(owner, "rows", self.rows, GROUPS)
        return super().resolve()

    @property
    def name_parts(self) -> tuple[str, ...]:
        """What the directory of a run is named after."""
        groups = () if self.rows == ("uae",) else self.rows
        return self.dataset, self.model, *groups, self.preset

    @property
    def recipe_name(self) -> str:
        """The name of the recipe that `model` stands for on this data set."""
        return VARIANTS.get(self.dataset, {}).get(self.model, self.model)

    @property
    def recipe(self) -> Recipe:
        """The model and its training."""
        return RECIPES[self.recipe_name]

    @property
    def row_names(self) -> tuple[str, ...]:
        """The rows of the run, in the order of the work."""
        chosen = {name for group in self.rows for name in GROUPS[group]}
        return tuple(name for name in ROWS if name in chosen)

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides for the data set and the model."""
        recipe = self.recipe
        published = recipe.epochs, recipe.retraining_epochs
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
            epochs, retraining_epochs = DIGITS_EPOCHS.get(self.model, published)
            settings.update(epochs=epochs, retraining_epochs=retraining_epochs)
            settings.update(batch_size=DIGITS_BATCH_SIZE)
        elif self.preset == "quick":
            epochs, retraining_epochs = QUICK_EPOCHS.get(self.recipe_name, published)
            settings.update(epochs=epochs, retraining_epochs=retraining_epochs)
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
        if self.target == "clean" and "conventional" in self.rows:
            raise ValueError(
                f"`target` of {owner} must be self where the rows are conventional: a flipped "
                f"image is not to be restored unflipped. Received: target={self.target!r}."
            )
        config = super().complete(data)
        if self.target == "clean" and config.attack_size != config.train_size:
            raise ValueError(
                f"`attack_size` of {owner} must be {config.train_size}, all training images, "
                f"where the target is clean. Received: attack_size={config.attack_size}."
            )
        return config

    def untrained(self, shape: Sequence[int]) -> keras.Model:
        """An autoencoder that has not been trained."""
        return self.recipe.build(shape)

    def l2_attack(self, model: keras.Model) -> uae.MinMaxAttack:
        """The baseline L2-UAE, in all else like `attack`."""
        start = PRESETS[self.attack_preset]
        return uae.MinMaxAttack.from_preset(
            "l2_uae", model, **start, steps=self.steps, epsilon=self.epsilon
        )

    def attack_work(self, name: str = "mine") -> int:
        """What attacking one image takes, in the unit of `JobProgress`, and roughly."""
        auto = "conv" if self.recipe_name in CONVOLUTIONAL else "random"
        kind = auto if self.similarity == "auto" else self.similarity
        return attack_work(kind if name == "mine" else "l2", settled(self.steps))
