"""How experiments train classifiers, and which images they attack them on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import keras
import numpy as np

import keras_uae as uae
from experiments import training
from experiments.config import ExperimentConfig, settled
from experiments.data import Split
from experiments.job import Job
from experiments.plots import Panel
from keras_uae._checks import check_choice, check_integer
from keras_uae.evaluation import extract_features
from models import CLASSIFIERS, ClassifierRecipe, get_classifier

# The networks by data set; all others are colour images like those of CIFAR-10
_NETWORKS = {"digits": "small", "mnist": "mnist", "fashion_mnist": "mnist"}
CLASSES = 10
DIGITS_EPOCHS = 30


@dataclass(frozen=True)
class ClassifierConfig(ExperimentConfig):
    """Settings of experiments that train classifiers and attack them."""

    counts = (*ExperimentConfig.counts, "batch_size", "attack_size", "pgd_steps")

    model: str | None = None
    """Classifier: mnist, cifar or small. Default: small for the digits, mnist for MNIST and
    Fashion-MNIST, else cifar."""
    batch_size: int | None = None
    """Images a training step."""
    attack_size: int | None = None
    """Attack the first so many test images that the classifier gets right. Preset: 1000; quick:
    200; smoke: 20."""
    pgd_steps: int | None = None
    """Iterations of PGD. Preset: 100; smoke: 20."""

    def resolve(self) -> Self:
        """As of every experiment; and the classifier is known."""
        if self.model is not None:
            check_choice(type(self).__name__, "model", self.model, CLASSIFIERS)
        return super().resolve()

    def preset_settings(self) -> dict[str, Any]:
        """What the preset decides for the data set."""
        recipe = CLASSIFIERS[self.network]
        settings: dict[str, Any] = {
            **super().preset_settings(),
            "model": self.network,
            "train_size": None,  # all
            "epochs": recipe.epochs,
            "batch_size": recipe.batch_size,
            "attack_size": {"smoke": 20, "quick": 200}.get(self.preset, 1000),
            "pgd_steps": 20 if self.preset == "smoke" else 100,
        }
        if self.dataset == "digits":
            settings.update(batch_size=32, epochs=DIGITS_EPOCHS)
        elif self.preset != "paper":
            settings.update(train_size=10_000, epochs=10)
        if self.preset == "smoke":
            settings.update(batch_size=32, epochs=10)
        return settings

    @property
    def network(self) -> str:
        """Name of the classifier."""
        return self.model or _NETWORKS.get(self.dataset, "cifar")

    def complete(self, data: Split) -> Self:
        """As of every experiment; and the data are images that the classifier takes."""
        owner = type(self).__name__
        self.untrained(data.x_train.shape[1:])
        check_integer(owner, "attack_size", self.attack_size, 1, len(data.x_test))
        if data.y_train.max() >= CLASSES:
            raise ValueError(
                f"`dataset` of {owner} must have {CLASSES} classes at most. "
                f"Received: dataset={self.dataset!r} with {data.y_train.max() + 1}."
            )
        return super().complete(data)

    def recipe(self) -> ClassifierRecipe:
        """The classifier and its training."""
        return get_classifier(self.network)

    def untrained(self, shape: Sequence[int]) -> keras.Model:
        """A classifier that has not been trained."""
        return self.recipe().build(shape)


class Attacked(NamedTuple):
    """The images that are attacked, and their labels."""

    x: np.ndarray
    y: np.ndarray


def train(
    job: Job[ClassifierConfig],
    seed: int,
    name: str,
    recipe: ClassifierRecipe,
    added: Any,
    *,
    epochs: int,
    weight: int = 1,
) -> keras.Model:
    """The classifier of a row, trained on the originals and `added`, with the labels of these."""
    (x, y, x_test, y_test), batch = job.data, settled(job.config.batch_size)
    data = uae.UAEAugmentation(x, added, y, batch_size=batch, seed=seed)

    def measure(model: keras.Model) -> dict[str, Any]:
        return {"accuracy": float(np.mean(classes(model, x_test) == y_test))}

    return training.kept(
        job, seed, name, recipe, data, epochs=epochs, measure=measure, weight=weight
    )


def classes(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """The class that the classifier gives to each image."""
    return extract_features(model, x, batch_size=256).argmax(axis=1)


def attacked(data: Split, model: keras.Model, count: int) -> Attacked:
    """The first `count` test images that `model` gets right.

    Raises:
        ValueError: There are none.
    """
    x, y = data.x_test, data.y_test
    right = np.flatnonzero(classes(model, x) == y)[:count]
    if not len(right):
        raise ValueError(f"`model` of attacked gets no image right. Received: {model.name!r}.")
    return Attacked(x[right], y[right])


def one_of_each(images: Attacked, count: int) -> np.ndarray:
    """The rows of the first image of each class, at most `count` of them."""
    return np.unique(images.y, return_index=True)[1][:count]


def panel(title: str, model: keras.Model, x: np.ndarray, lines: Mapping[str, uae.UAEs]) -> Panel:
    """Images and their examples, the class that `model` gives to each, failures crossed out."""
    images = [x, *(found.x for found in lines.values())]
    words = [[str(each) for each in classes(model, line)] for line in images]
    crossed = [[False] * len(x), *(list(~found.success) for found in lines.values())]
    return Panel(title, ["original", *lines], images, words, crossed)
