"""The flags of a robustness run and its presets."""

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import keras

import keras_uae as uae
import models
from experiments.classifiers import ClassifierConfig
from experiments.config import settled
from experiments.data import Split
from keras_uae._checks import check_choice, check_number
from keras_uae.attacks.base import Attack
from models import ClassifierRecipe, get_recipe

# What is trained and attacked in a part, the row and the method.
ADDITIONS = ("", "-duplicate", "-uae")
PARTS = {
    "standard": [(f"standard{each}", "pgd") for each in ADDITIONS],
    "adversarial": [(f"madry{each}", "pgd") for each in ADDITIONS],
    "madry": [("madry", "pgd"), ("madry", "minmax")],
    "trades": [("trades", "pgd"), ("trades", "minmax")],
}
GREY_EPSILONS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)
COLOUR_EPSILONS = tuple(value / 255 for value in (1, 2, 4, 8, 16))
# ε of the robust trainings; 8×8 images bear less
TRAINING_EPSILONS = {"digits": 0.1, "mnist": 0.3, "fashion_mnist": 0.1}
STANDARD_STEP = 0.01  # of PGD on standard classifiers (supplement 6.17)


@dataclass(frozen=True)
class Config(ClassifierConfig):
    """How well classifiers withstand PGD and MinMax, trained with and without UAEs."""

    experiment = "robustness"
    counts = (
        *ClassifierConfig.counts,
        "steps",
        "minmax_steps",
        "autoencoder_epochs",
        "robust_epochs",
        "robust_steps",
    )

    parts: tuple[str, ...] = tuple(PARTS)
    """What to do: standard, adversarial, madry, trades."""
    epsilons: tuple[float, ...] | None = None
    """ε of the attacks. Preset: 0.05 to 1; smoke: 0.05 0.1 0.2 0.4; colour images: 1/255 to
    16/255."""
    weights: Path | None = None
    """File of the published TRADES classifier for MNIST. Default: one is trained."""
    minmax_steps: int | None = None
    """Iterations of MinMax. Preset: 200, and half as many again on TRADES, as in the paper; smoke:
    20."""
    steps: int | None = None
    """Iterations T of the attack that finds UAEs. Preset: 40; smoke: 10."""
    autoencoder_epochs: int | None = None
    """Epochs of the autoencoder whose UAEs are added. Preset: 20; quick and smoke: 10."""
    robust_epochs: int | None = None
    """Epochs of the robust trainings. Preset: as `epochs`."""
    robust_steps: int | None = None
    """Iterations for each sample of a robust training. Preset: 40; quick: 10; smoke: 4."""
    robust_epsilon: float | None = None
    """ε of the robust trainings. Preset: 0.3; Fashion-MNIST and digits: 0.1; colour images:
    8/255."""

    def resolve(self) -> Self:
        """As of every experiment; and the parts and ε are known."""
        owner = type(self).__name__
        for part in self.parts:
            check_choice(owner, "parts", part, PARTS)
        config = super().resolve()
        for epsilon in (*settled(config.epsilons), config.robust_epsilon):
            check_number(owner, "epsilons", epsilon, 0)
        return config

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides."""
        colour = self.network == "cifar"
        settings = super().preset_settings()
        settings.update(
            epsilons=COLOUR_EPSILONS if colour else GREY_EPSILONS,
            minmax_steps=200,
            steps=40,
            autoencoder_epochs=get_recipe("conv").epochs if self.preset == "paper" else 10,
            robust_epochs=settings["epochs"] if self.epochs is None else self.epochs,
            robust_steps=40,
            robust_epsilon=8 / 255 if colour else TRAINING_EPSILONS.get(self.dataset, 0.3),
        )
        if self.preset == "quick":
            settings.update(robust_steps=10)
        elif self.preset == "smoke":
            settings.update(
                minmax_steps=20, steps=10, robust_steps=4, epsilons=(0.05, 0.1, 0.2, 0.4)
            )
        return settings

    def complete(self, data: Split) -> Self:
        """As of every classifier; and the weights are there and suit the data."""
        config = super().complete(data)
        model = config.published()
        if model is not None and model.input_shape[1:] != data.x_train.shape[1:]:
            raise ValueError(
                f"`weights` of {type(self).__name__} are those of a classifier of images "
                f"{model.input_shape[1:]}. Received: dataset={self.dataset!r}."
            )
        return config

    def published(self) -> keras.Model | None:
        """The published TRADES classifier, if its weights are given."""
        return None if self.weights is None else models.load_trades_classifier(self.weights)

    @property
    def curves(self) -> list[tuple[str, str]]:
        """Rows and methods of all parts, each once."""
        return list(dict.fromkeys(each for part in self.parts for each in PARTS[part]))

    def recipe_of(self, row: str) -> ClassifierRecipe:
        """How the classifier of a row is trained."""
        plain = self.recipe()
        kind = {"madry": models.AdversarialTraining, "trades": models.TRADES}.get(_family(row))
        if kind is None:
            return plain
        # a robust training takes about a third more steps than it takes to cross the ball
        step_size = 4 / 3 * settled(self.robust_epsilon) / settled(self.robust_steps)

        def build(shape: Sequence[int], *, seed: int) -> keras.Model:
            return kind(
                plain.build(shape, seed=seed),
                epsilon=settled(self.robust_epsilon),
                steps=settled(self.robust_steps),
                step_size=step_size,
                seed=seed,
            )

        recipe = dataclasses.replace(plain, build=build)
        if kind is models.TRADES:
            return recipe
        # published: 1e-4, and 100 000 steps; fewer need longer ones
        rate = 1e-4 if self.preset == "paper" else 1e-3
        adam = functools.partial(keras.optimizers.Adam, learning_rate=rate)
        return dataclasses.replace(recipe, optimizer=adam)

    def epochs_of(self, row: str) -> int:
        """Epochs of the training of a row."""
        return settled(self.epochs if _family(row) == "standard" else self.robust_epochs)

    def weight_of(self, row: str) -> int:
        """What a sample of a training step counts for in the job's progress."""
        return 1 if _family(row) == "standard" else 1 + settled(self.robust_steps)

    def attack(self, row: str, method: str, model: keras.Model, epsilon: float) -> Attack:
        """The attack on the classifier of a row."""
        settings: dict[str, Any] = {"criterion": uae.Misclassification(), "epsilon": epsilon}
        steps = self.attack_steps(row, method)
        if method == "minmax":
            settings.update(objective="maximize", similarity="conv", initial_radius=0.0)
            return uae.MinMaxAttack(model, **settings, steps=steps)
        step_size = STANDARD_STEP if _family(row) == "standard" else None
        return uae.PGDAttack(model, **settings, steps=steps, step_size=step_size)

    def attack_steps(self, row: str, method: str) -> int:
        """Iterations of an attack."""
        if method == "pgd":
            return settled(self.pgd_steps)
        steps = settled(self.minmax_steps)
        return steps * 3 // 2 if _family(row) == "trades" else steps


def _family(row: str) -> str:
    """How the classifier of a row is trained, whatever on."""
    return row.split("-")[0]
