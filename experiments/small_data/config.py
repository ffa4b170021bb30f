"""The flags of a small-data run and its presets."""

from dataclasses import dataclass
from typing import Any, Self

import keras

import keras_uae as uae
from experiments.config import ExperimentConfig, check_names, settled
from experiments.data import COUNTS, Split, load
from experiments.small_data.noise import KINDS
from experiments.small_data.rows import DUPLICATE, Row
from experiments.small_data.settings import SETTINGS
from keras_uae._checks import check_choice
from models import RECIPES, Recipe

# whose loss is all that there is to their training, and whose code is one layer
MODELS = ("dense", "sparse", "conv")
TARGETS = ("self", "clean")


@dataclass(frozen=True)
class Config(ExperimentConfig):
    """Do UAEs beat noise of the same size where an autoencoder overfits?"""

    experiment = "small_data"
    counts = (*ExperimentConfig.counts, "steps", "retraining_steps", "batch_size")

    train_size: int | None = None
    """Training images of a set. Seed s has images s·n to (s + 1)·n of the data set. Preset: 1000;
    digits: 100."""
    model: str = "dense"
    """Autoencoder: dense, sparse or conv."""
    settings: tuple[str, ...] = tuple(SETTINGS)
    """Attacks to try, of experiments/small_data/settings.py."""
    targets: tuple[str, ...] = TARGETS
    """What a model trained on x + δ restores: self (x + δ, as the paper does), clean (x), or
    both, one training each."""
    steps: int | None = None
    """Training steps of the original model. Preset: 6000; quick: 2000; smoke: 30."""
    retraining_steps: int | None = None
    """Training steps of all others. Preset: 18000; quick: 6000; smoke: 60."""
    batch_size: int | None = None
    """Images a training step."""
    similarity: str = "gaussian"
    """What the attack minimises, where a setting does not say: auto, conv, random or bivariate
    (MINE), gaussian, l2, cosine, feature_scattering."""

    def resolve(self) -> Self:
        """As of every experiment; and the names are known."""
        owner = type(self).__name__
        check_choice(owner, "model", self.model, MODELS)
        check_names(owner, "settings", self.settings, SETTINGS)
        check_names(owner, "targets", self.targets, TARGETS)
        return super().resolve()

    @property
    def name_parts(self) -> tuple[str, ...]:
        """What the directory of a run is named after."""
        return self.dataset, self.model, self.preset

    @property
    def recipe(self) -> Recipe:
        """The model and its training."""
        return RECIPES[self.model]

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides for the data set and the model."""
        smoke, quick = self.preset == "smoke", self.preset == "quick"
        return {
            **super().preset_settings(),
            "train_size": 100 if self.dataset == "digits" else 1000,
            "steps": 30 if smoke else 2000 if quick else 6000,
            "retraining_steps": 60 if smoke else 6000 if quick else 18_000,
            "batch_size": 20 if self.dataset == "digits" else self.recipe.batch_size,
        }

    def load(self) -> Split:
        """The data set as far as the last of the sets.

        Raises:
            ValueError: It has no such set, or is unknown.
        """
        size, sets = settled(self.train_size), max(settled(self.seeds)) + 1
        most = COUNTS.get(self.dataset, (size * sets, 0))[0] // sets
        if size > most:
            raise ValueError(
                f"`train_size` of {type(self).__name__} must be at most {most}, so that there are "
                f"{sets} sets, from that of seed 0 to that of seed {sets - 1}. "
                f"Received: train_size={size}, dataset={self.dataset!r}."
            )
        return load(self.dataset, data_dir=self.data_dir, train_size=size * sets)

    def complete(self, data: Split) -> Self:
        """This configuration as it is: `train_size` is that of a set.

        Raises:
            ValueError: A setting does not suit the data.
        """
        if data.x_train.ndim != 4:
            raise ValueError(
                f"`dataset` of {type(self).__name__} must hold images. Received: "
                f"dataset={self.dataset!r} with samples of shape {data.x_train.shape[1:]}."
            )
        model = self.recipe.build(data.x_train.shape[1:])
        for name in self.settings:
            self.attack(name, model)
        return self

    def set_of(self, data: Split, seed: int) -> Split:
        """The training images of a seed, and all test images."""
        size = settled(self.train_size)
        part = slice(seed * size, (seed + 1) * size)
        return data._replace(x_train=data.x_train[part], y_train=data.y_train[part])

    def attack(self, setting: str, model: keras.Model) -> uae.MinMaxAttack:
        """The attack of a setting."""
        return uae.MinMaxAttack(
            model, **{"similarity": self.similarity, **SETTINGS[setting].attack}
        )

    @property
    def rows(self) -> dict[str, Row]:
        """The trainings of a seed but the original, by name and in the order of the work."""
        rows = [
            Row(setting, target, kind)
            for setting in self.settings
            for target in self.targets
            for kind in ("uae", *KINDS)
        ]
        return {"duplicate": DUPLICATE, **{row.name: row for row in rows}}
